"""Quasi-isotropic activations: the direction is nudged towards a fine grid, at every radius alike.

    f(x) = σ(‖x‖) Φ(x̂),    Φ(x̂) = β x̂ + (1 − β) round(α x̂) / α,          (Bird 2025, Eqns 23–24)

which is the paper's Φ with φ(v) = β v; its ⌈·⌉ is rounding. Refraction is static only, and fades
as α → ∞. The coordinates of x̂ are about 1/√n, so a fixed α rounds every one of them to zero once
n > 4α²: with scale=sqrt_width the grid is α √n, which acts alike at every width.

Rounding has no slope, so β is the slope of Φ: gradients pass through the isotropic part alone.
"""

__all__ = ["NormalizedQuasiIsotropic", "QuasiIsotropic"]

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import radius
from .base import Activation, Profile, Scale, scale_of, vanishing


class QuasiIsotropic(Activation):
    """Quasi-isotropic activation; ‖Φ(x̂)‖ is 1 only approximately.

    Arguments:
        profile: σ, elementwise over radii r > 0, with σ(0) = 0.
        alpha: The fineness α > 0 of the grid of directions; isotropic as α → ∞.
        beta: The share β of the isotropic direction; isotropic at β = 1.
        learn_alpha: Whether log α is trained. Its gradient takes the slope of rounding for 1
            (straight-through).
        scale: The unit of α: sqrt_width multiplies it by √n.
    """

    def __init__(
        self,
        width: int,
        profile: Profile = torch.tanh,
        alpha: float = 4.0,
        beta: float = 0.5,
        learn_alpha: bool = False,
        scale: Scale = "sqrt_width",
    ) -> None:
        super().__init__(width)

        if not alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha:g}")
        if not 0 <= beta <= 1:
            raise ValueError(f"beta must lie between 0 and 1, got {beta:g}")

        self.sigma = vanishing(profile)
        self.beta = beta
        log_alpha = torch.tensor(math.log(alpha * scale_of(scale, width)))
        self.log_alpha = nn.Parameter(log_alpha, requires_grad=learn_alpha)

    def direction(self, u: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Returns Φ(x̂) for unit vectors x̂."""

        alpha = self.log_alpha.exp().to(u.dtype)

        q = alpha * u.detach()
        q = q + (q.round() - q).detach()

        return self.beta * u + (1 - self.beta) * q / alpha

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r = radius(x)

        return (self.sigma(r) * self.direction(x / r)).to(x.dtype)


class NormalizedQuasiIsotropic(QuasiIsotropic):
    """Quasi-isotropic activation with ‖Φ(x̂)‖ = 1 exactly, so that ‖f(x)‖ = |σ(‖x‖)|."""

    def direction(self, u: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        phi = super().direction(u)

        # x̂·round(α x̂) ≥ 0, so ‖Φ‖ ≥ β: the bound acts at the origin only, and keeps f smooth there.
        return phi / radius(phi).clamp_min(self.beta)
