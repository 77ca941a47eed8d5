"""Clumps on the circle and the line: is a sample of positions spread evenly, or in lumps?

Of n uniform points on a circle of length 1, the largest of the n gaps between neighbours has

    P(G > g) = Σ_k (−1)^(k+1) C(n, k) (1 − k g)₊^(n−1),    E G = (1 + 1/2 + … + 1/n) / n,

and the moment of m turns, Σ_j exp(2πi m t_j) / n, has E |·|² = 1/n for every m ≥ 1. Its modulus is
1 where the points are on m equal levels. Points on a line of length 1 have the gaps of a circle
that is cut at one more point.

Source: Fisher, Tests of significance in harmonic analysis (1929); Mardia and Jupp, Directional
Statistics (2000), chapter 6.
"""

__all__ = [
    "centre", "clusters", "difference", "gap_mean", "gap_quantile", "gap_survival", "gaps",
    "moments", "probabilities",
]  # fmt: skip

from functools import lru_cache
from math import exp, fsum, lgamma, log1p, pi

import numpy as np
from jaxtyping import Complex, Float


def difference(
    t: Float[np.ndarray, "*points"], s: Float[np.ndarray, "*points"] | float, periodic: bool
) -> Float[np.ndarray, "*points"]:
    """Returns t − s, on a circle of length 1 the short way round, in [−½, ½)."""

    d = np.asarray(t - s)

    return (d + 0.5) % 1 - 0.5 if periodic else d


def centre(t: Float[np.ndarray, " n"], periodic: bool) -> float:
    """Returns the mean direction of points on a circle of length 1; the median on a line."""

    if not periodic:
        return float(np.median(t))

    return float(np.angle(np.exp(2j * pi * t).mean()) / (2 * pi))


def gaps(u: Float[np.ndarray, " n"], periodic: bool) -> Float[np.ndarray, " gaps"]:
    """Returns the gaps between neighbours in [0, 1): n on a circle; on a line n + 1 with the ends.

    They add up to 1.
    """

    v = np.sort(u)
    if periodic:
        return np.diff(v, append=v[0] + 1)

    return np.diff(v, prepend=0.0, append=1.0)


def gap_mean(n: int) -> float:
    """Returns E G, the mean of the largest of the n gaps of n uniform points on a circle."""

    return float((1 / np.arange(1, n + 1)).sum() / n)


def gap_survival(g: float, n: int) -> float:
    """Returns P(G > g), the probability that the largest of the n gaps exceeds g."""

    if g < 1 / n:
        return 1.0
    if n * (1 - g) ** (n - 1) > 14:
        return 1.0  # but for 1e-6; the terms of the sum would cancel to noise

    def term(k: int) -> float:
        choices = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)

        return exp(choices + (n - 1) * log1p(-k * g)) if k * g < 1 else 0.0

    return fsum((-1) ** (k + 1) * term(k) for k in range(1, min(n, int(1 / g)) + 1))


@lru_cache(maxsize=64)
def gap_quantile(p: float, n: int) -> float:
    """Returns the g that the largest of the n gaps exceeds with probability p."""

    from scipy.optimize import root_scalar  # a third of a second to import: for those who ask

    if n == 1:
        return 1.0

    return float(root_scalar(lambda g: gap_survival(g, n) - p, bracket=(1 / n, 1.0)).root)


def clusters(
    u: Float[np.ndarray, " n"], periodic: bool, level: float = 0.05, least: float = 0.02
) -> int:
    """Returns the number of clusters that points in [0, 1) fall into, 1 if they are spread evenly.

    They are parted where a gap is wider than all would be with probability 1 − level: uniform
    points are one cluster with that probability.

    A cluster is counted if it holds at least a share `least` of the points, so that stragglers,
    where points are few, are none.
    """

    found = gaps(u, periodic)
    wide = found > gap_quantile(level, len(found))
    # On a circle it is cut open at a wide gap, if there is one.
    wide = np.roll(wide, -1 - int(wide.argmax())) if periodic else wide[1:]
    ends = np.flatnonzero(np.append(wide[:-1], True)) + 1
    sizes = np.diff(ends, prepend=0)

    return max(1, int((sizes >= least * len(u)).sum()))


def moments(t: Float[np.ndarray, "*sets n"], most: int) -> Complex[np.ndarray, " most *sets"]:
    """Returns the moments of m = 1 … `most` turns, of modulus 1 where points are on m levels."""

    z = np.exp(2j * pi * t)
    power, found = z.copy(), []
    for _ in range(most):
        found.append(power.mean(axis=-1))
        power *= z

    return np.array(found)


def probabilities(
    t: Float[np.ndarray, " n"], reference: Float[np.ndarray, " many"], rng: np.random.Generator
) -> Float[np.ndarray, " n"]:
    """Returns F(t) in [0, 1), F the distribution of the reference: uniform, if t is drawn from it.

    Ties are broken at random.
    """

    ordered = np.sort(reference)
    low, high = (np.searchsorted(ordered, t, side) for side in ("left", "right"))

    return (low + (high - low + 1) * rng.random(len(t))) / (len(ordered) + 1)
