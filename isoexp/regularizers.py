"""Penalties of weights and activations, one for each of K networks, added to its loss.

    L2              λ ½ Σ ‖W‖²_F         W → RWQ for all rotations R, Q
    Nuclear         λ Σ ‖W‖_*            W → RWQ
    Spectral        λ ½ Σ σ_max(W)²      W → RWQ
    ActivationNorm  λ Σ E ‖h‖²/n         h → Rh
    L1              λ Σ |W_ij|           signed permutations only: it marks the standard basis

each beside the maps that leave it unchanged; the sums go over the weights, or over the layers.
Weights are the trained parameters of two axes or more that are called so, a convolution's kernel as
the matrix out × (in·k·k). Biases, gains, learnt positions and centres are not penalised.

Sources: Yoshida and Miyato, Spectral Norm Regularization for Improving the Generalizability of
Deep Learning (2017), for the spectral; Fazel, Hindi and Boyd (2001), for the nuclear.
"""

__all__ = [
    "L1", "L2", "ActivationNorm", "NoRegularizer", "Nuclear", "Penalty", "Regularizer", "Spectral",
    "Tensors",
]  # fmt: skip

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from .geometry import singular_values

Tensors = Sequence[Float[Tensor, " K ..."]]
"""Tensors of K networks, along the first axis of each."""


class Regularizer(ABC):
    """Abstract penalty of K networks."""

    sees_activations: ClassVar[bool] = False
    """Whether it is given the outputs of the activations on the batch; else it gets none."""

    @abstractmethod
    def __call__(self, weights: Tensors, activations: Tensors) -> Float[Tensor, " K"] | None:
        """Returns the penalty of each network; None where there is nothing to penalise."""


class NoRegularizer(Regularizer):
    """Penalises nothing."""

    def __call__(self, weights: Tensors, activations: Tensors) -> None:
        return None


@dataclass(frozen=True)
class Penalty(Regularizer):
    """Abstract sum over tensors, λ Σ penalty(tensor), with λ = strength ≥ 0."""

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


@dataclass(frozen=True)
class L2(Penalty):
    """λ ½ Σ ‖W‖²_F; its gradient λ W acts as weight decay λ in plain gradient descent."""

    def penalty(self, t: Float[Tensor, " K *shape"]) -> Float[Tensor, " K"]:
        return t.flatten(1).square().sum(dim=1) / 2


@dataclass(frozen=True)
class L1(Penalty):
    """λ Σ |W_ij|, with gradient 0 where W_ij = 0."""

    strength: float = 1e-4

    def penalty(self, t: Float[Tensor, " K *shape"]) -> Float[Tensor, " K"]:
        return t.flatten(1).abs().sum(dim=1)


@dataclass(frozen=True)
class Nuclear(Penalty):
    """λ Σ ‖W‖_*, the sum of the singular values.

    Where some are zero the gradient is the least of the subgradients, U Vᵀ over the others: the
    share of a null space would depend on the basis that is chosen in it.
    """

    def penalty(self, t: Float[Tensor, " K *shape"]) -> Float[Tensor, " K"]:
        s = singular_values(t.flatten(2))
        side = max(t.flatten(2).shape[1:])
        rounding = side * torch.finfo(s.dtype).eps * s.detach().amax(dim=1, keepdim=True)

        return torch.where(s <= rounding, 0.0, s).sum(dim=1)


@dataclass(frozen=True)
class Spectral(Penalty):
    """λ ½ Σ σ_max(W)², of the exact largest singular values rather than of power iterations.

    Where several are the largest, its gradient is shared among those that agree bit by bit.
    """

    strength: float = 1e-2

    def penalty(self, t: Float[Tensor, " K *shape"]) -> Float[Tensor, " K"]:
        return singular_values(t.flatten(2)).amax(dim=1).square() / 2


@dataclass(frozen=True)
class ActivationNorm(Penalty):
    """λ Σ E ‖h‖²/n, the mean over samples and positions, the sum over layers.

    The mean of the squares over a whole layer: λ means the same at any width, batch and image size.
    """

    sees_activations: ClassVar[bool] = True

    def penalty(self, t: Float[Tensor, " K *shape"]) -> Float[Tensor, " K"]:
        return t.flatten(1).square().mean(dim=1)
