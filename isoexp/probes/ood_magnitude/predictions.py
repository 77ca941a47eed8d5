"""Predictions: whether they are as sure as they are right, and what the harm to them goes with.

The expected calibration error is Σ_b (n_b / n) |accuracy_b − confidence_b|, over bins b of equal
width of the confidence, the largest softmax probability (Guo et al., On Calibration of Modern
Neural Networks, 2017). Spearman's ρ has the interval

    tanh( artanh ρ ± z √((1 + ρ²/2) / (n − 3)) )

of Bonett and Wright, Sample size requirements for estimating Pearson, Kendall and Spearman
correlations (2000).
"""

__all__ = ["Correlation", "calibration_error", "margin", "rank_correlation"]

from math import atanh, nan, sqrt, tanh
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Z = 1.959963984540054
"""The quantile of the normal distribution that leaves 2.5 % above."""


class Correlation(NamedTuple):
    """Spearman's ρ with its 95 % interval; NaN where there is none."""

    rho: float = nan
    low: float = nan
    high: float = nan


def calibration_error(
    confidence: Float[Tensor, " answers"], right: Bool[Tensor, " answers"], bins: int
) -> float:
    """Returns the expected calibration error, between 0 and 1; NaN of no answers.

    Arguments:
        confidence: The largest probability of each answer.
        right: Whether it is right.
        bins: The number of bins of (0, 1].
    """

    if not len(confidence):
        return nan

    p = confidence.cpu().double()
    bin = ((p * bins).ceil() - 1).clamp(0, bins - 1)  # NaN stays so, and is no index
    gaps = torch.zeros(bins, dtype=torch.float64)
    gaps.index_add_(0, bin.nan_to_num(0).long(), right.cpu().double() - p)

    return (gaps.abs().sum() / len(p)).item()


def margin(
    logits: Float[Tensor, "answers classes"], y: Int[Tensor, " answers"]
) -> Float[Tensor, " answers"]:
    """Returns the right logit minus the largest other one."""

    right = logits.gather(1, y[:, None]).squeeze(1)

    return right - logits.scatter(1, y[:, None], -torch.inf).amax(dim=1)


def rank_correlation(
    a: Float[np.ndarray, " samples"], b: Float[np.ndarray, " samples"]
) -> Correlation:
    """Returns Spearman's ρ; NaN where one of the two is constant, or there are fewer than four."""

    from scipy.stats import rankdata

    if len(a) < 4 or a.min() == a.max() or b.min() == b.max():
        return Correlation()

    rho = float(np.clip(np.corrcoef(rankdata(a), rankdata(b))[0, 1], -1, 1))
    if abs(rho) == 1:
        return Correlation(rho, rho, rho)
    half = Z * sqrt((1 + rho**2 / 2) / (len(a) - 3))

    return Correlation(rho, tanh(atanh(rho) - half), tanh(atanh(rho) + half))
