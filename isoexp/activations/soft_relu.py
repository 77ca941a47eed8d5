"""Isotropic soft ReLUs: two linear regimes of the radius, blended over a window of width 2δ.

The profile is given by its slope,

    σ′(r) = α + (1 − α) s(t),    t = (r − R0 + δ) / 2δ clipped to [0, 1],
    s(t) = φ(t) / (φ(t) + φ(1 − t)),    φ(0) = 0 < φ(t),                    (Bird 2025, Eqn 21)

so with S(t) = ∫₀ᵗ s and S(1) = ½ by symmetry, σ(r) = α r + (1 − α) · 2δ · S(t) in the window and
r − (1 − α) R0 exactly beyond it.

The paper's middle branch runs from 0 to 1 and so jumps where α > 0; the slope above runs from α
to 1, as the paper's text asks.
"""

__all__ = ["IsoSmoothLeakyReLU", "IsoSmoothReLU", "IsoSoftLeakyReLU", "IsoSoftReLU", "SoftReLU"]

from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .base import Scale
from .isotropic import Isotropic

# ∫₀¹ by Gauss–Legendre: 48 points carry the C^∞ blend to 1e-14.
_nodes, _weights = np.polynomial.legendre.leggauss(48)
_NODES, _WEIGHTS = (1 + _nodes) / 2, _weights / 2


class SoftReLU(Isotropic):
    """Abstract soft ReLU; a member of the family is the integral S of its blend.

    Arguments:
        alpha: The slope 0 ≤ α < 1 inside the ball.
        R0: The centre of the window.
        delta: The half width 0 < δ < R0 of the window.
    """

    def __init__(
        self,
        width: int,
        alpha: float = 0.1,
        R0: float = 1.0,
        delta: float = 0.5,
        scale: Scale = "unit",
    ) -> None:
        super().__init__(width, scale)

        if not 0 <= alpha < 1:
            raise ValueError(f"alpha must be at least 0 and below 1, got {alpha:g}")
        if not 0 < delta < R0:
            raise ValueError(f"delta must lie between 0 and R0, got delta = {delta:g}, R0 = {R0:g}")

        self.alpha, self.R0, self.delta = alpha, R0, delta

    @abstractmethod
    def blend_integral(self, t: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        """Returns S(t) = ∫₀ᵗ s for t in [0, 1]."""

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        alpha, R0, delta = self.alpha, self.R0, self.delta

        t = ((r - R0 + delta) / (2 * delta)).clamp(0, 1)
        window = alpha * r + (1 - alpha) * 2 * delta * self.blend_integral(t)

        return torch.where(r < R0 + delta, window, r - (1 - alpha) * R0)


class IsoSoftLeakyReLU(SoftReLU):
    """Isotropic soft leaky ReLU with φ(t) = t: s(t) = t, S(t) = t²/2, σ once differentiable."""

    def blend_integral(self, t: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return t**2 / 2


class IsoSmoothLeakyReLU(IsoSoftLeakyReLU):
    """Isotropic soft leaky ReLU with φ(t) = exp(−1/t): σ infinitely differentiable."""

    def blend_integral(self, t: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        z = torch.as_tensor(_NODES, dtype=t.dtype, device=t.device)
        w = torch.as_tensor(_WEIGHTS, dtype=t.dtype, device=t.device)

        # s(u) = 1 / (1 + exp(1/u − 1/(1 − u))); nearer to 0 and 1 than 1e-3 it is 0 and 1.
        u = (t * z).clamp(1e-3, 1 - 1e-3)
        s = torch.sigmoid((2 * u - 1) / (u * (1 - u)))

        return t * (s * w).sum(dim=-1, keepdim=True)


class IsoSoftReLU(IsoSoftLeakyReLU):
    """Isotropic soft ReLU: α = 0, φ(t) = t."""

    def __init__(
        self, width: int, R0: float = 1.0, delta: float = 0.5, scale: Scale = "unit"
    ) -> None:
        super().__init__(width, 0.0, R0, delta, scale)


class IsoSmoothReLU(IsoSoftReLU, IsoSmoothLeakyReLU):
    """Isotropic soft ReLU: α = 0 as in its first parent, φ(t) = exp(−1/t) as in its second."""
