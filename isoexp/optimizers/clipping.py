"""Gradient clipping, in place, each network of an ensemble by itself.

By norm it commutes with rotations of the parameters; by value it singles out the standard basis.
"""

__all__ = ["ClipNorm", "ClipValue", "NoClip", "norms"]

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


class NoClip:
    """Leaves the gradients as they are."""

    def __call__(self, gradients: Sequence[Tensor]) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class ClipNorm:
    """g ← g · min(1, limit / ‖g‖₂), over all parameters of one network together.

    Arguments:
        limit: The largest norm let through.
    """

    limit: float = 1.0

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise ValueError(f"limit must be positive, got {self.limit:g}")

    def __call__(self, gradients: Sequence[Tensor]) -> Float[Tensor, " K"]:
        """Clips gradients whose first axis counts the networks; returns their norms before."""

        norm = norms(gradients)
        factor = (self.limit / norm).clamp_max(1.0)
        for g in gradients:
            g.mul_(factor.view(-1, *[1] * (g.dim() - 1)))

        return norm


@dataclass(frozen=True)
class ClipValue:
    """g_i ← clip(g_i, −limit, limit), coordinate by coordinate.

    Arguments:
        limit: The largest magnitude let through.
    """

    limit: float = 1.0

    def __post_init__(self) -> None:
        if not self.limit > 0:
            raise ValueError(f"limit must be positive, got {self.limit:g}")

    def __call__(self, gradients: Sequence[Tensor]) -> Float[Tensor, " K"]:
        """Clips gradients whose first axis counts the networks; returns their norms before."""

        norm = norms(gradients)
        for g in gradients:
            g.clamp_min_(-self.limit).clamp_max_(self.limit)

        return norm


def norms(gradients: Sequence[Tensor]) -> Float[Tensor, " K"]:
    """Returns the norm of each network's gradient, over all its parameters together.

    Arguments:
        gradients: A tensor a parameter, whose first axis counts the K networks.
    """

    return torch.stack([g.reshape(len(g), -1).norm(dim=1) for g in gradients]).norm(dim=0)
