"""The contract of regularizers: a penalty for each of K networks, added to its loss.

Penalised are the trained parameters of two axes or more that are called weights, a convolution's
kernel as the matrix out × (in·k·k). Biases, gains, learnt positions and centres are not.
"""

__all__ = ["NoRegularizer", "Penalty", "Regularizer", "Tensors"]

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

Tensors = Sequence[Float[Tensor, " K ..."]]
"""Tensors of K networks, along the first axis of each."""


class Regularizer(ABC):
    """Abstract penalty of K networks."""

    sees_activations: ClassVar[bool] = False
    """Whether it needs the outputs of the activations on the batch."""

    @abstractmethod
    def __call__(self, weights: Tensors, activations: Tensors) -> Float[Tensor, " K"] | None:
        """Returns the penalty of each network; None where there is nothing to penalise.

        Arguments:
            weights: The trained weights.
            activations: The output of each activation on the batch; none unless it sees them.
        """


class NoRegularizer(Regularizer):
    """Penalises nothing."""

    def __call__(self, weights: Tensors, activations: Tensors) -> None:
        return None


@dataclass(frozen=True)
class Penalty(Regularizer):
    """Abstract sum over tensors, λ Σ penalty(tensor).

    Arguments:
        strength: λ, 0 or more.
    """

    strength: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 <= self.strength < float("inf"):
            raise ValueError(f"strength must be 0 or more, and finite, got {self.strength:g}")

    @abstractmethod
    def penalty(self, t: Float[Tensor, " K *shape"]) -> Float[Tensor, " K"]:
        """Returns the penalty of one tensor of each network, without λ."""

    def __call__(self, weights: Tensors, activations: Tensors) -> Float[Tensor, " K"] | None:
        found = [self.penalty(t) for t in (activations if self.sees_activations else weights)]

        return self.strength * sum(found[1:], found[0]) if found else None
