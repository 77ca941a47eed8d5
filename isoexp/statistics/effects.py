"""Effect sizes: a difference beside the spread of seeds, and the rank correlation.

    d = m / s,    g = J(ν) d,    J(ν) = Γ(ν/2) / ( √(ν/2) Γ((ν − 1)/2) )
    artanh ρ ± z √( (1 + ρ²/2) / (n − 3) ),    z the normal quantile (1 + level) / 2

g is d without its bias. Its interval is for the true d, δ: t = d √n has the noncentral t law about
δ √n, whose tails are inverted.

Source: Hedges, Distribution Theory for Glass's Estimator of Effect Size and Related Estimators
(1981); Cumming and Finch, A Primer on … Confidence Intervals … Based on Central and Noncentral
Distributions (2001); Bonett and Wright, Sample Size Requirements for Estimating Pearson, Kendall
and Spearman Correlations (2000).
"""

__all__ = ["hedges", "hedges_unpaired", "spearman"]

from math import atanh, exp, lgamma, log, sqrt, tanh

import numpy as np
from scipy.special import nctdtrinc, ndtri

from .results import Estimate, Values, finite
from .student import identical


def hedges(values: Values, level: float = 0.95) -> Estimate:
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

    return _unbiased(d, n - 1, 1 / sqrt(n), n, level, f"Hedges' d_z of {n} values")


def hedges_unpaired(x: Values, y: Values, level: float = 0.95) -> Estimate:
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
    d, scale = float(x.mean() - y.mean()) / pooled, sqrt(1 / n + 1 / k)

    return _unbiased(d, df, scale, n + k, level, f"Hedges' g of {n} against {k} values")


def _unbiased(d: float, df: int, scale: float, n: int, level: float, what: str) -> Estimate:
    """Returns g and its interval, of a d that is t times a scale."""

    low, high = (
        scale * float(nctdtrinc(df, p, d / scale)) for p in ((1 + level) / 2, (1 - level) / 2)
    )
    g = exp(lgamma(df / 2) - lgamma((df - 1) / 2) - log(df / 2) / 2) * d

    return Estimate(n, g, low, high, level, f"{what}, interval by the noncentral t law")


def spearman(x: Values, y: Values, level: float = 0.95) -> Estimate:
    """Returns Spearman's ρ with its interval, which is [−1, 1] for up to 3 pairs.

    Of ρ = ±1 the interval ends where it would of the next ρ that n ranks allow, 1 − 12/(n³ − n).

    Raises:
        ValueError: If there are fewer than 2 pairs, a value without its other, a constant side, or
            a value that is not finite.
    """

    from scipy.stats import rankdata  # takes seconds to import: for those who ask

    x, y = finite(x, "x"), finite(y, "y")
    n = len(x)
    if n != len(y):
        raise ValueError(f"pairs need one y for each x, got {n} and {len(y)} values")
    if n < 2 or not (np.ptp(x) and np.ptp(y)):
        told = f"{n} pairs" if n < 2 else f"{n} pairs of which one side is constant"
        raise ValueError(f"a rank correlation needs values that differ, got {told}")
    rho = float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    method = f"Spearman's ρ of {n} pairs, interval by Bonett and Wright"
    if n < 4:
        return Estimate(n, rho, -1.0, 1.0, level, method)

    near = min(abs(rho), 1 - 12 / (n**3 - n))
    half = float(ndtri((1 + level) / 2)) * sqrt((1 + near**2 / 2) / (n - 3))
    low, high = tanh(atanh(near) - half), max(abs(rho), tanh(atanh(near) + half))
    low, high = (low, high) if rho >= 0 else (-high, -low)

    return Estimate(n, rho, low, high, level, method)
