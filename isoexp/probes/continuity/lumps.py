"""Lumps on the circle and the line: are positions spread evenly, or do they fall together?

Of n uniform points on a circle of length 1, the largest of the n gaps between neighbours has

    P(G > g) = Σ_k (−1)^(k+1) C(n, k) (1 − k g)₊^(n−1),    E G = (1 + 1/2 + … + 1/n) / n,

and the moment of m turns, Σ_j exp(2πi m t_j) / n, has E |·|² = 1/n for every m ≥ 1. Its modulus is
1 where the points are on m equal levels. Points on a line of length 1 have the gaps of a circle
that is cut at one more point.

Source: Fisher, Tests of significance in harmonic analysis (1929); Mardia and Jupp, Directional
Statistics (2000), chapter 6.
"""

__all__ = ["lumps"]

from functools import lru_cache
from itertools import accumulate, repeat
from math import exp, fsum, lgamma, log, log1p, nan, pi

import numpy as np
from jaxtyping import Complex, Float

from .decoding import Add, Decoder, Rng, Track, Vectors, difference

DEALS = 32
"""The number of times that errors are dealt to other samples."""


def lumps(add: Add, reader: Decoder, h: Vectors, factor: Track, levels: int, rng: Rng) -> None:
    """Measures whether decoded values are spread as the factor is, or in lumps."""

    t, periodic, n = factor.t, factor.periodic, len(h)
    null, null_high = gap_mean(n + (not periodic)), gap_quantile(0.05, n + (not periodic))
    gap, count, rho, around = nan, nan, np.full(levels, nan), np.full(levels, nan)

    if reader.r2 > 0.5:  # or the angles of noise, which is not round, would be taken for lumps
        found = reader(h)
        line = t if periodic else np.polyval(np.polyfit(t, found, 3), t)
        errors = difference(found, line, periodic)
        dealt = line + rng.permuted(np.tile(errors, (DEALS, 1)), axis=1)

        u = probabilities(found, (dealt % 1 if periodic else dealt).ravel(), rng)
        gap, count = gaps(u, periodic).max(), clusters(u, periodic)
        at_random = moments(dealt, levels)
        rho = abs(moments(found, levels) - at_random.mean(axis=1))
        around = at_random.std(axis=1, ddof=1)

    add(measure="gap", n=n, value=gap / null, null=1.0, null_high=null_high / null)
    add(measure="clusters", n=n, value=count, null=1.0, null_high=1.0)
    for m, (value, spread) in enumerate(zip(rho, around, strict=True), start=1):
        # The square of the modulus of a complex normal error is exponential.
        null, null_high = spread * (pi / 4) ** 0.5, spread * log(20) ** 0.5
        add(measure="levels", n=n, at=m, value=value, null=null, null_high=null_high)


def gaps(u: Float[np.ndarray, " n"], periodic: bool) -> Float[np.ndarray, " gaps"]:
    """Returns the gaps between neighbours in [0, 1), which add up to 1: n on a circle, on a line
    n + 1 with the ends."""

    v = np.sort(u)

    return np.diff(v, append=v[0] + 1) if periodic else np.diff(v, prepend=0.0, append=1.0)


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

    They are parted where a gap is wider than all would be with probability 1 − level. A cluster
    holds at least a share `least` of the points, so that stragglers are none.
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

    powers = accumulate(repeat(np.exp(2j * pi * t), most), np.multiply)

    return np.array([power.mean(axis=-1) for power in powers])


def probabilities(
    t: Float[np.ndarray, " n"], reference: Float[np.ndarray, " many"], rng: Rng
) -> Float[np.ndarray, " n"]:
    """Returns F(t) in [0, 1), F the distribution of the reference: uniform, if t is drawn from it,
    since ties are broken at random."""

    ordered = np.sort(reference)
    low, high = (np.searchsorted(ordered, t, side) for side in ("left", "right"))

    return (low + (high - low + 1) * rng.random(len(t))) / (len(ordered) + 1)
