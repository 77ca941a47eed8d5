"""Effect sizes: how large a difference is beside the spread of seeds.

    d = m / s,    g = J(ν) d,    J(ν) = Γ(ν/2) / ( √(ν/2) Γ((ν − 1)/2) )

g is d without its bias. The interval is for the true d, δ: t = d √n has the noncentral t law about
δ √n, whose tails are inverted.

Source: Hedges, Distribution Theory for Glass's Estimator of Effect Size and Related Estimators
(1981); Cumming and Finch, A Primer on … Confidence Intervals … Based on Central and Noncentral
Distributions (2001).
"""

__all__ = ["hedges", "hedges_unpaired"]

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt

import numpy as np
from scipy.special import nctdtrinc

from .results import Estimate, finite
from .student import identical


def hedges(values: Sequence[float] | np.ndarray, level: float = 0.95) -> Estimate:
    """Estimates the mean of values, or of differences by seed, in standard deviations (d_z).

    Raises:
        ValueError: If there are less than 3 values, or they have no spread, or one is not finite.
    """

    values = finite(values)
    n = len(values)
    if n < 3:
        raise ValueError(f"an effect size must have 3 values, got {n}: run more seeds")
    if identical(values):
        raise ValueError(f"an effect size must have a spread, got {n} values of {values[0]:g}")
    d = float(values.mean() / values.std(ddof=1))

    return _estimate(d, n - 1, 1 / sqrt(n), n, level, f"Hedges' d_z of {n} values")


def hedges_unpaired(
    x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, level: float = 0.95
) -> Estimate:
    """Estimates the difference x − y of the means of two arms in pooled standard deviations.

    Raises:
        ValueError: If an arm has less than 2 values, or neither has a spread, or one is not finite.
    """

    x, y = finite(x, "x"), finite(y, "y")
    n, k = len(x), len(y)
    if min(n, k) < 2:
        raise ValueError(f"an effect size must have 2 values an arm, got {n} and {k}")
    if identical(x) and identical(y):
        raise ValueError(f"an effect size must have a spread, got values of {x[0]:g} and {y[0]:g}")
    df = n + k - 2
    pooled = sqrt(((n - 1) * x.var(ddof=1) + (k - 1) * y.var(ddof=1)) / df)
    d = float(x.mean() - y.mean()) / pooled

    return _estimate(
        d, df, sqrt(1 / n + 1 / k), n + k, level, f"Hedges' g of {n} against {k} values"
    )


def _estimate(d: float, df: int, scale: float, n: int, level: float, what: str) -> Estimate:
    """Returns g and its interval, of a d that is t times a scale."""

    low, high = (
        scale * float(nctdtrinc(df, p, d / scale)) for p in ((1 + level) / 2, (1 - level) / 2)
    )
    unbiased = exp(lgamma(df / 2) - lgamma((df - 1) / 2) - log(df / 2) / 2) * d

    return Estimate(n, unbiased, low, high, level, f"{what}, interval by the noncentral t law")
