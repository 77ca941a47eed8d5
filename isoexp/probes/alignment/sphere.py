"""Unit vectors x̂ uniform on the sphere of R^n: the laws of their coordinates and planes.

A coordinate t = x̂·b̂ has the density

    p(t) = (1 − t²)^((n − 3)/2) / B(½, (n − 1)/2),    E t² = 1/n,    E t⁴ = 3/(n(n + 2)),

and the largest of all, the cosine of the angle to the nearest ±ê_i, the mean E max|z_i| / E‖z‖,
z ~ N(0, I_n), since ‖z‖ is independent of z/‖z‖. The share ρ of x̂ in a plane and its angle ϑ there
have the law

    P(ρ ≥ r) = (1 − r²)^((n − 2)/2),    ϑ uniform and independent of ρ,

since ρ² is Beta(1, (n − 2)/2). Of data only the part with ρ ≥ r_0 is kept; all planes are stacked.
ϑ is counted as in a spotlight's sweep (spotlight.py): b̂_i at 0, b̂_j at 3π/2.

Source: Bird, The Spotlight Resonance Method (2025).
"""

__all__ = [
    "SHELLS", "coordinate_null", "coordinate_shares", "kurtosis_null", "nearest_cosine_null",
    "projected", "shells",
]  # fmt: skip

from functools import lru_cache
from math import exp, lgamma, pi, sqrt

import numpy as np
from jaxtyping import Float

from ...geometry import coordinate_cdf

SHELLS = 6
"""The number of shells of ρ."""


def coordinate_shares(t: Float[np.ndarray, "samples k"], bins: int) -> Float[np.ndarray, " {bins}"]:
    """Returns the share of all coordinates in each bin of [−1, 1]; rounding beyond ±1 is undone."""

    counts, _ = np.histogram(np.clip(t, -1, 1), bins, (-1, 1))

    return counts / max(t.size, 1)


@lru_cache(maxsize=64)
def coordinate_null(bins: int, n: int) -> Float[np.ndarray, " {bins}"]:
    """Returns the share of the coordinates of isotropic data in each bin of [−1, 1]; read only."""

    edges = np.linspace(-1, 1, bins + 1)
    null = np.diff(coordinate_cdf(edges, n))
    null[0] += coordinate_cdf(edges[:1], n)[0]  # n = 1 puts a point on the left edge
    null.flags.writeable = False

    return null


def kurtosis_null(n: int) -> float:
    """Returns E t⁴ / (E t²)² = 3n/(n + 2)."""

    return 3 * n / (n + 2)


@lru_cache(maxsize=64)
def nearest_cosine_null(n: int) -> float:
    """Returns E max_i |x̂·ê_i|, to twelve digits."""

    from scipy.special import erfc

    # E max|z_i| = ∫ 1 − erf(t/√2)^n dt, by Gauss and Legendre; nothing is left beyond t = 12.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    t = 6 * (nodes + 1)
    beyond = -np.expm1(n * np.log1p(-erfc(t / sqrt(2))))

    return float(6 * weights @ beyond) / (sqrt(2) * exp(lgamma((n + 1) / 2) - lgamma(n / 2)))


def shells(n: int, kept: float) -> tuple[Float[np.ndarray, " edges"], Float[np.ndarray, " shells"]]:
    """Returns the edges r_0 < r_1 < … < 1 of shells of ρ, and the isotropic share of each.

    Beyond each edge lies half of the data beyond the one before. For n = 2 there is one plane, in
    which everything has ρ = 1: one shell takes all.

    Arguments:
        n: The number of features, at least 2.
        kept: The share of isotropic data with ρ ≥ r_0.
    """

    if n == 2:
        return np.array([0.5, 1.0]), np.ones(1)

    beyond = np.append(kept * 0.5 ** np.arange(SHELLS), 0.0)

    return np.sqrt(1 - beyond ** (2 / (n - 2))), -np.diff(beyond)


def projected(
    rho: Float[np.ndarray, " pairs"],
    theta: Float[np.ndarray, " pairs"],
    edges: Float[np.ndarray, " edges"],
    sectors: int,
) -> Float[np.ndarray, "shells {sectors}"]:
    """Returns the number of pairs of a sample and a plane in each shell and sector.

    Arguments:
        rho: ρ of each pair; pairs below the first edge may be left out.
        theta: ϑ of each pair, in [−π, π].
        edges: The edges of the shells of ρ, the last one 1.
        sectors: The number of sectors; sector s is centred at 2πs / sectors.
    """

    shell = np.zeros(len(rho), dtype=np.int64)
    for edge in edges[:-1]:  # ρ may exceed 1 by rounding
        shell += rho >= edge

    # Counted on three turns, from −2π on, and these laid on one another.
    sector = np.rint(theta * (sectors / (2 * pi))).astype(np.int64) + sectors
    counts = np.bincount(shell * (3 * sectors) + sector, minlength=3 * sectors * len(edges))

    return counts.reshape(-1, 3, sectors).sum(axis=1)[1:].astype(np.float64)
