"""Coordinates of unit vectors: their laws on the sphere, and what is compared with them.

For x̂ uniform on the unit sphere of R^n a coordinate t = x̂·b̂ has the density

    p(t) = (1 − t²)^((n − 3)/2) / B(½, (n − 1)/2),    E t² = 1/n,    E t⁴ = 3/(n(n + 2)),

and the largest of all, whose angle is that to the nearest ±ê_i, the mean
E max|z_i| / E‖z‖, z ~ N(0, I_n), since ‖z‖ is independent of z/‖z‖.
"""

__all__ = ["coordinate_null", "coordinate_shares", "kurtosis_null", "nearest_cosine_null"]

from functools import lru_cache
from math import exp, lgamma, sqrt

import numpy as np
from jaxtyping import Float

from ...geometry import coordinate_cdf


def coordinate_shares(t: Float[np.ndarray, "samples k"], bins: int) -> Float[np.ndarray, " {bins}"]:
    """Returns the share of all coordinates in each of so many bins of [−1, 1].

    Those beyond ±1 by rounding are in the bins at the ends.
    """

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
