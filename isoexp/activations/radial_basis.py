"""Radial basis functions: one feature a centre, a function of the distance to it.

    f(x)_i = σ(‖x − c_i‖),    i ≤ N,    c_i learnt.                          (Bird 2025, Eqn 14)

Neither elementwise nor isotropic, and from R^n to R^N: it commutes with no rotation in general.
"""

__all__ = ["RadialBasis", "gaussian"]

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import radius
from .base import Activation, Profile, Scale, scale_of


def gaussian(r: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Returns exp(−r²/2)."""

    return torch.exp(-(r**2) / 2)


class RadialBasis(Activation):
    """Radial basis activation.

    Arguments:
        centres: The number of centres N, and of features that come out; n of them by default.
        profile: σ, elementwise over distances r > 0.
        scale: The unit of length for distances; by default √n, so that centres and inputs of
            unit variance per coordinate overlap.
    """

    def __init__(
        self,
        width: int,
        centres: int | None = None,
        profile: Profile = gaussian,
        scale: Scale = "sqrt_width",
    ) -> None:
        super().__init__(width)

        if centres is not None and centres < 1:
            raise ValueError(f"centres must be at least 1, got {centres}")

        self.sigma = profile
        self.scale = scale_of(scale, width)
        self.centres = nn.Parameter(torch.randn(centres or width, width))

    @property
    def out_width(self) -> int:
        return self.centres.shape[0]

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch N"]:
        r = radius(x[..., None, :] - self.centres.to(x.dtype)).squeeze(-1)

        return self.sigma(r / self.scale).to(x.dtype)
