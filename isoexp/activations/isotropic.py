"""Isotropic activations: the length of a vector is bent, its direction is kept.

One function of the radius, the profile σ with σ(0) = 0, sets the whole map:

    f(x) = σ(‖x‖) x̂,    x̂ = x / ‖x‖,    f(0) = 0.                      (Bird 2025, Eqns 11, 13)

It commutes with every rotation, f(Rx) = R f(x) for R in O(n), so that no basis of the layer
is special. Radii may be measured in units of √n, the typical norm of a vector of n independent
coordinates of variance one: scale=sqrt_width makes it f(x) = √n σ(‖x‖/√n) x̂, which leaves the
slope at the origin as it was. (With scale=unit and n = 500, iso_tanh is nearly x / ‖x‖.)
"""

__all__ = [
    "IsoCappedReLU", "IsoHardThreshold", "IsoLeakyReLU", "IsoReLU", "IsoSinusoid",
    "IsoSmoothLeakyReLU", "IsoSmoothReLU", "IsoSoftLeakyReLU", "IsoSoftReLU", "IsoTanh",
    "Isotropic", "IsotropicOf", "SoftReLU", "softplus_profile",
]  # fmt: skip

from abc import abstractmethod

import numpy as np
import torch
from jaxtyping import Float
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor, nn

from ..geometry import gain, radius
from .base import Activation, Profile, Scale, scale_of, vanishing

# ∫₀¹ by Gauss–Legendre: 48 points carry the C^∞ blend to 1e-14.
_nodes, _weights = np.polynomial.legendre.leggauss(48)
_NODES, _WEIGHTS = (1 + _nodes) / 2, _weights / 2


class Isotropic(Activation):
    """Abstract isotropic activation; a member of the family is its profile."""

    def __init__(self, width: int, scale: Scale = "unit") -> None:
        super().__init__(width)

        self.scale = scale_of(scale, width)

    @abstractmethod
    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        """Returns σ(r) for radii r > 0."""

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        """Returns σ(r)/r for radii r > 0.

        A member writes it anew if the quotient cancels near the origin, σ(r) ≈ σ′(0) r: its slope,
        by which second derivatives go, would be noise of order u/r.
        """

        return self.profile(r) / r

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r = radius(x) / self.scale

        return (self.gain(r) * x).to(x.dtype)


class IsotropicOf(Isotropic):
    """Isotropic activation of any profile σ of r > 0, with σ(0) = 0 and computed well near 0."""

    def __init__(self, width: int, profile: Profile, scale: Scale = "unit") -> None:
        super().__init__(width, scale)

        self.sigma = vanishing(profile)
        self.edge, self.series = _series(profile)

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return self.sigma(r)

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        if not self.series:
            return self.sigma(r) / r

        near, g = r.clamp_max(self.edge), torch.zeros_like(r)
        for c in reversed(self.series):
            g = g * near + c

        return torch.where(r < self.edge, g, self.sigma(r) / r)


def _series(profile: Profile) -> tuple[float, list[float]]:
    """Returns a radius and the coefficients of a polynomial that is σ(r)/r within it, to rounding.

    None if there is no such radius down to 1/2048, or the profile is learnt.
    """

    def quotient(r: np.ndarray) -> np.ndarray:
        t = torch.from_numpy(r)[:, None]

        return (profile(t) / t)[:, 0].detach().double().numpy()

    learnt = isinstance(profile, nn.Module) and any(True for _ in profile.parameters())
    for edge in () if learnt else (1 / 32, 1 / 128, 1 / 512, 1 / 2048):
        fitted = Chebyshev.interpolate(quotient, 6, [0.0, edge]).convert(kind=Polynomial)
        r = np.linspace(edge / 100, edge, 100)
        if (
            abs(fitted(r) - quotient(r)).max()
            <= 4 * torch.finfo(torch.float64).eps * abs(quotient(r)).max()
        ):
            return edge, fitted.coef.tolist()

    return 0.0, []


def softplus_profile(r: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Returns log(1 + e^r) − log 2, softplus minus its value at 0: a profile for IsotropicOf.

    Computed as r + log1p( (e^−r − 1) / 2 ), which keeps every digit of the small values that the
    plain difference loses.
    """

    return r + torch.log1p(torch.expm1(-r) / 2)


class IsoTanh(Isotropic):
    """Isotropic tanh, f(x) = tanh(‖x‖) x̂ (Eqn 16).

    The identity near the origin, the projection onto the unit sphere far from it; 1-Lipschitz.

    Example:
        >>> IsoTanh(2)(torch.tensor([3.0, 4.0]))
        tensor([0.5999, 0.7999])
    """

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return torch.tanh(r)

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return gain(torch.tanh, r, -1 / 3, 2 / 15)


class IsoReLU(Isotropic):
    """Isotropic ReLU, f(x) = max(‖x‖ − R0, 0) x̂ (Eqn 17); the proximal map of R0‖·‖₂.

    Arguments:
        R0: The radius of the ball that is sent to zero, with zero gradient.
    """

    def __init__(self, width: int, R0: float = 1.0, scale: Scale = "unit") -> None:
        super().__init__(width, scale)

        if not R0 > 0:
            raise ValueError(
                f"R0 must be positive, got {R0:g}: an isotropic ReLU with R0 = 0 is the identity; "
                "use activation=identity"
            )

        self.R0 = R0

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return torch.relu(r - self.R0)


class IsoCappedReLU(IsoReLU):
    """Isotropic ReLU with a cap, f(x) = min(max(‖x‖ − R0, 0), R∞) x̂ (Eqn 18).

    Arguments:
        max_norm: R∞, as printed the largest norm that comes OUT, not the input norm that caps it;
            like R0 in units of the scale.
    """

    def __init__(
        self, width: int, R0: float = 1.0, max_norm: float = 6.0, scale: Scale = "unit"
    ) -> None:
        super().__init__(width, R0, scale)

        if not max_norm > 0:
            raise ValueError(f"max_norm must be positive, got {max_norm:g}")

        self.max_norm = max_norm

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return super().profile(r).clamp_max(self.max_norm)


class IsoHardThreshold(IsoReLU):
    """Isotropic hard threshold, f(x) = x where ‖x‖ ≥ R0, else 0 (Eqn 19).

    It jumps by R0 at the sphere ‖x‖ = R0: not continuous, not Lipschitz.
    """

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return torch.where(r < self.R0, 0.0, r)

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return torch.where(r < self.R0, 0.0, torch.where(r.isnan(), r, 1.0))


class IsoLeakyReLU(IsoReLU):
    """Isotropic leaky ReLU: α x where ‖x‖ < R0, x − (1 − α) R0 x̂ beyond (Eqn 20). Continuous.

    Arguments:
        alpha: The slope 0 < α < 1 inside the ball.
    """

    def __init__(
        self, width: int, alpha: float = 0.1, R0: float = 1.0, scale: Scale = "unit"
    ) -> None:
        super().__init__(width, R0, scale)

        if not 0 < alpha < 1:
            raise ValueError(
                f"alpha must lie between 0 and 1, got {alpha:g}: 0 is activation=iso_relu and 1 is "
                "activation=identity"
            )

        self.alpha = alpha

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return torch.where(r < self.R0, self.alpha * r, r - (1 - self.alpha) * self.R0)

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return torch.where(r < self.R0, self.alpha, 1 - (1 - self.alpha) * self.R0 / r)


class IsoSinusoid(Isotropic):
    """Isotropic sinusoid, f(x) = x + λ sin(‖x‖) x̂ (Eqn 22).

    J(0) = (1 + λ) I. Injective iff |λ| ≤ 1; beyond that it folds radii. σ is negative somewhere,
    so that directions flip, iff λ < −1 or λ > 4.6033.
    """

    def __init__(self, width: int, lambda_m: float = 1.0, scale: Scale = "unit") -> None:
        super().__init__(width, scale)

        self.lambda_m = lambda_m

    def profile(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return r + self.lambda_m * torch.sin(r)

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return 1 + self.lambda_m * gain(torch.sin, r, -1 / 6, 1 / 120)


class SoftReLU(Isotropic):
    """Abstract soft ReLU: two linear regimes of the radius, blended over a window of width 2δ.

    A member of the family is the integral S(t) = ∫₀ᵗ s of its blend. The profile has the slope

        σ′(r) = α + (1 − α) s(t),    t = (r − R0 + δ) / 2δ clipped to [0, 1],
        s(t) = φ(t) / (φ(t) + φ(1 − t)),    φ(0) = 0 < φ(t),                (Bird 2025, Eqn 21)

    so that, with S(1) = ½ by symmetry, σ(r) = α r + (1 − α) · 2δ · S(t) in the window and
    r − (1 − α) R0 exactly beyond it. The paper's middle branch runs from 0 to 1 and so jumps where
    α > 0; the slope above runs from α to 1, as the paper's text asks.

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

        bent = (1 - alpha) * 2 * delta * self._integral(r)

        return torch.where(r < R0 + delta, alpha * r + bent, r - (1 - alpha) * R0)

    def gain(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        alpha, R0, delta = self.alpha, self.R0, self.delta

        bent = (1 - alpha) * 2 * delta * self._integral(r)

        return torch.where(r < R0 + delta, alpha + bent / r, 1 - (1 - alpha) * R0 / r)

    def _integral(self, r: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch 1"]:
        return self.blend_integral(((r - self.R0 + self.delta) / (2 * self.delta)).clamp(0, 1))


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
