"""The contract of regularizers: a penalty for each of K networks, added to its loss.

Penalised are the trained parameters of two axes or more that are called weights, a convolution's
kernel as the matrix out × (in·k·k). Biases, gains, learnt positions and centres are not.
"""

__all__ = ["NoRegularizer", "Penalty", "Regularizer"]

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor


class Regularizer(ABC):
    """Abstract penalty of K networks."""

    sees_activations: ClassVar[bool] = False
    """Whether it asks for what the activations of the networks gave on the batch."""

    @abstractmethod
    def __call__(
        self,
        weights: Sequence[Float[Tensor, " K ..."]],
        activations: Sequence[Float[Tensor, " K batch ..."]],
    ) -> Float[Tensor, " K"] | None:
        """Returns the penalty of each network; None where there is nothing to penalise.

        Arguments:
            weights: The trained weights, the networks along the first axis.
            activations: What each activation gave on the batch, if it is to be seen.
        """


class NoRegularizer(Regularizer):
    """Penalises nothing."""

    def __call__(
        self,
        weights: Sequence[Float[Tensor, " K ..."]],
        activations: Sequence[Float[Tensor, " K batch ..."]],
    ) -> None:
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
        """Returns what one tensor of each network adds, before it is multiplied by λ."""

    def __call__(
        self,
        weights: Sequence[Float[Tensor, " K ..."]],
        activations: Sequence[Float[Tensor, " K batch ..."]],
    ) -> Float[Tensor, " K"] | None:
        found = [self.penalty(t) for t in (activations if self.sees_activations else weights)]

        return self.strength * sum(found[1:], found[0]) if found else None
