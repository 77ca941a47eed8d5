"""Lengths, directions, angles and rotations of R^n; vectors lie along the last axis."""

__all__ = [
    "angle",
    "coordinate_cdf",
    "eigenvalues",
    "eigh",
    "full",
    "gain",
    "orthonormal",
    "radius",
    "random_orthogonal",
    "singular_values",
    "unit",
]

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor


def full(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Returns half precisions as float32, to be summed in it, and other dtypes unchanged."""

    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def radius(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch 1"]:
    """Returns r = ‖x‖₂ with two derivatives everywhere, held at r = eps inside the ball r < eps.

    Half precisions come back as float32. Vectors are scaled by their largest coordinate before
    they are squared, so that no finite norm overflows and none underflows. In the ball, where
    x → σ(r) x / r is linear to rounding, r is a constant and its derivatives are exactly zero:
    the derivatives of ‖x‖ at the origin, 0/0, never enter.
    """

    x = full(x)
    eps = torch.finfo(x.dtype).eps

    s = x.detach().abs().amax(dim=-1, keepdim=True)
    tiny = s < eps / math.sqrt(x.shape[-1])
    y = torch.where(tiny, 1.0, x / torch.where(tiny, 1.0, s))
    r = s * torch.linalg.vector_norm(y, dim=-1, keepdim=True)

    return torch.where(tiny, eps, r)


def gain(
    sigma: Callable[[Tensor], Tensor], r: Float[Tensor, "*batch 1"], a: float, b: float
) -> Float[Tensor, "*batch 1"]:
    """Returns σ(r)/r, with two derivatives, for σ(r) = r + a r³ + b r⁵ + c r⁷ + …, |c| ≤ 0.1.

    Below eps^(1/6) it is the series: the quotient loses u/r of its slope σ′/r − σ/r² to
    cancellation, while the slope itself vanishes as r.
    """

    edge = torch.finfo(r.dtype).eps ** (1 / 6)
    s = r.clamp_max(edge).square()

    return torch.where(r < edge, 1 + s * (a + s * b), sigma(r) / r)


def unit(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """Returns x̂ = x / ‖x‖₂ for any finite norm; NaN where x = 0, which has no direction."""

    y = x / x.detach().abs().amax(dim=-1, keepdim=True)

    return y / torch.linalg.vector_norm(y, dim=-1, keepdim=True)


def angle(x: Float[Tensor, "*batch n"], y: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Returns the angle between x and y, in radians from 0 to π; NaN where either is zero.

    Computed as 2 arctan( ‖x̂ − ŷ‖ / ‖x̂ + ŷ‖ ) rather than arccos( x̂·ŷ ), which cannot tell
    angles below √eps from zero (3e-4 rad in float32): zero is what isotropy predicts.

    Source: Kahan, Computing Cross-Products and Rotations in 2- and 3-Dimensional Euclidean
    Spaces, section 13.
    """

    x, y = unit(x), unit(y)

    return 2 * torch.atan2(
        torch.linalg.vector_norm(x - y, dim=-1), torch.linalg.vector_norm(x + y, dim=-1)
    )


def random_orthogonal(n: int, generator: Generator | None = None) -> Float[Tensor, "n n"]:
    """Returns a matrix R drawn from the Haar measure on O(n), in float64 on the CPU."""

    return orthonormal(torch.randn(n, n, generator=generator, dtype=torch.float64))


def orthonormal(gaussian: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the orthogonal factor of a Gaussian matrix, Haar on O(n).

    The QR decomposition is Haar only after the signs of diag R are moved into Q.

    Source: Mezzadri, How to generate random matrices from the classical compact groups (2007).
    """

    q, r = torch.linalg.qr(gaussian)

    # A sum, since diagonal() warns when compiled under vmap.
    diagonal = (r * torch.eye(len(r), dtype=r.dtype, device=r.device)).sum(dim=0)

    return q * torch.where(diagonal < 0, -1.0, 1.0).to(q)


def eigh(
    S: Float[Tensor, "*batch n n"],
) -> tuple[Float[Tensor, "*batch n"], Float[Tensor, "*batch n n"]]:
    """Returns λ and U of symmetric matrices S = U diag(λ) Uᵀ; NaN of one that is not finite.

    (torch.linalg.eigh fails for a whole batch if it fails for one matrix.)
    """

    finite, S = _finite(S)
    spectrum, U = torch.linalg.eigh(S)

    return torch.where(finite[..., 0], spectrum, torch.nan), torch.where(finite, U, torch.nan)


def eigenvalues(S: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n"]:
    """Returns λ of symmetric matrices, the smallest first; NaN of one that is not finite."""

    finite, S = _finite(S)

    return torch.where(finite[..., 0], torch.linalg.eigvalsh(S), torch.nan)


def singular_values(A: Float[Tensor, "*batch m n"]) -> Float[Tensor, "*batch rank"]:
    """Returns the singular values of matrices, the largest first; NaN of one that is not finite."""

    finite, A = _finite(A)

    return torch.where(finite[..., 0], torch.linalg.svdvals(A), torch.nan)


def _finite(A: Float[Tensor, "*batch m n"]) -> tuple[Bool[Tensor, "*batch 1 1"], Tensor]:
    """Returns which matrices are finite, and zeros in place of those that are not."""

    finite = A.detach().isfinite().all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)

    return finite, torch.where(finite, A, 0.0)


def coordinate_cdf(t: Float[np.ndarray, "*points"], n: int) -> Float[np.ndarray, "*points"]:
    """Returns P(x̂·ê ≤ t) for x̂ uniform on the unit sphere of R^n.

    The density is (1 − t²)^((n − 3)/2) / B(½, (n − 1)/2): arcsine for n = 2, uniform for n = 3,
    close to N(0, 1/n) for large n, two points ±1 for n = 1.
    """

    from scipy.special import betainc  # takes a third of a second to import: for those who ask

    t = np.asarray(t, dtype=np.float64)
    if n == 1:
        return np.where(t >= 1.0, 1.0, np.where(t >= -1.0, 0.5, 0.0))

    t = np.clip(t, -1.0, 1.0)

    return 0.5 + 0.5 * np.sign(t) * betainc(0.5, (n - 1) / 2, t**2)
