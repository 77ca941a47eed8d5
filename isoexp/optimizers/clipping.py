"""Gradient clipping, in place, each network of an ensemble by itself.

By norm it commutes with rotations of the parameters; by value it singles out the standard basis.
"""

__all__ = ["ClipNorm", "ClipValue", "NoClip", "norms"]

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .together import along


class NoClip:
    """Leaves the gradients as they are."""

    def __call__(self, gradients: Sequence[Tensor]) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class Clip(ABC):
    """Abstract bound on the gradients: on a norm, or on the magnitude of a coordinate."""

    limit: float = 1.0

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise ValueError(f"limit must be positive, got {self.limit:g}")

    def __call__(self, gradients: Sequence[Tensor]) -> Float[Tensor, " K"]:
        """Clips gradients whose first axis counts the networks; returns their norms before."""

        norm = norms(gradients)
        self.clip_(gradients, norm)

        return norm

    @abstractmethod
    def clip_(self, gradients: Sequence[Tensor], norm: Float[Tensor, " K"]) -> None:
        """Clips gradients of given norms in place."""


class ClipNorm(Clip):
    """g ← g · min(1, limit / ‖g‖₂), over all parameters of one network together."""

    def clip_(self, gradients: Sequence[Tensor], norm: Float[Tensor, " K"]) -> None:
        factor = (self.limit / norm).clamp_max(1.0)
        for g in gradients:
            g.mul_(along(factor, g))


class ClipValue(Clip):
    """g_i ← clip(g_i, −limit, limit), coordinate by coordinate."""

    def clip_(self, gradients: Sequence[Tensor], norm: Float[Tensor, " K"]) -> None:
        for g in gradients:
            g.clamp_min_(-self.limit).clamp_max_(self.limit)


def norms(gradients: Sequence[Tensor]) -> Float[Tensor, " K"]:
    """Returns the norm of each network's gradient, over all its parameters together."""

    return torch.stack([g.reshape(len(g), -1).norm(dim=1) for g in gradients]).norm(dim=0)
