"""Spearman's rank correlation: whether one quantity rises with another, whatever the curve.

    artanh ρ ± z √( (1 + ρ²/2) / (n − 3) ),    z the normal quantile (1 + level) / 2.

Source: Bonett and Wright, Sample Size Requirements for Estimating Pearson, Kendall and Spearman
Correlations (2000).
"""

__all__ = ["spearman"]

from collections.abc import Sequence
from math import atanh, sqrt, tanh

import numpy as np
from scipy.special import ndtri

from .results import Estimate, finite


def spearman(
    x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, level: float = 0.95
) -> Estimate:
    """Returns ρ with its interval, which is [−1, 1] for up to 3 pairs.

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
