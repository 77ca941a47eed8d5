"""Predictions: their calibration, and the correlation of their harm with the deflection by layers.

The expected calibration error is Σ_b (n_b / n) |accuracy_b − confidence_b|, over bins b of equal
width of the confidence, the largest softmax probability (Guo et al., On Calibration of Modern
Neural Networks, 2017). Spearman's ρ has the interval

    tanh( artanh ρ ± z √((1 + ρ²/2) / (n − 3)) )

of Bonett and Wright, Sample size requirements for estimating Pearson, Kendall and Spearman
correlations (2000).
"""

__all__ = ["Correlation", "calibration_error", "deflections", "rank_correlation"]

from math import inf, nan
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from ..statistics import NORMAL_95
from .scaling import Answers

ROUNDING = 32
"""Differences of so many units in the last place count as rounding, not as variation."""


class Correlation(NamedTuple):
    """Spearman's ρ with its 95 % interval; NaN where there is none."""

    rho: Float[np.ndarray, "*rows"]
    low: Float[np.ndarray, "*rows"]
    high: Float[np.ndarray, "*rows"]


def calibration_error(
    confidence: Float[Tensor, "*rows answers"], right: Bool[Tensor, "*rows answers"], bins: int
) -> Float[Tensor, "*rows"]:
    """Returns the expected calibration error of each row, between 0 and 1; NaN of no answers.

    `bins` is the number of bins of (0, 1].
    """

    p = confidence.cpu().double()
    bin = ((p * bins).ceil() - 1).clamp(0, bins - 1)  # NaN stays so, and is no index
    gaps = torch.zeros(*p.shape[:-1], bins, dtype=torch.float64)
    gaps.scatter_add_(-1, bin.nan_to_num(0).long(), right.cpu().double() - p)

    return gaps.abs().sum(dim=-1) / p.shape[-1]


def deflections(
    after: Answers,
    thetas: Float[Tensor, "1 samples layers"],
    losses: Float[Tensor, "1 samples"],
) -> dict[str, Shaped[np.ndarray, "scales layers"]]:
    """Returns the mean deflection by each layer, and ρ between its change and the loss's.

    The changes are from `thetas` and `losses`, of the same samples as they are.
    """

    eps = torch.finfo(after.loudest.dtype).eps * ROUNDING
    change, harm = after.thetas - thetas, (after.losses - losses)[..., None]
    defined = ~(change.isnan() | harm.isnan())
    change, harm = (torch.where(defined, t, nan).mT for t in (change, harm))
    loudest = after.loudest.double().maximum(after.losses.abs()).amax(dim=1, keepdim=True)
    varies = (_spread(change) > eps) & (_spread(harm) > eps * loudest)
    rho = rank_correlation(torch.where(varies[..., None], change, nan).numpy(), harm.numpy())

    return {
        "theta_mean_rad": torch.where(defined, after.thetas, nan).nanmean(dim=1).numpy(),
        "rho": rho.rho,
        "rho_low": rho.low,
        "rho_high": rho.high,
        "n": defined.sum(dim=1).numpy(),
    }


def rank_correlation(
    a: Float[np.ndarray, "*rows samples"], b: Float[np.ndarray, "*rows samples"]
) -> Correlation:
    """Returns Spearman's ρ of each row, over the samples with two numbers that are not NaN.

    It is NaN where one of the two is constant, or there are fewer than four samples.
    """

    both = ~(np.isnan(a) | np.isnan(b))
    n = both.sum(axis=-1)
    u, v = (np.where(both, _ranks(np.where(both, t, nan)) - (n + 1)[..., None], 0) for t in (a, b))
    power = (u * u).sum(axis=-1) * (v * v).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.clip((u * v).sum(axis=-1) / np.sqrt(power), -1, 1)
        rho = np.where((n >= 4) & (power > 0), rho, nan)
        half = NORMAL_95 * np.sqrt((1 + rho**2 / 2) / np.maximum(n - 3, 0))
        low, high = (np.tanh(np.arctanh(rho) + end) for end in (-half, half))

    return Correlation(rho, low, high)


def _ranks(t: Float[np.ndarray, "*rows samples"]) -> Float[np.ndarray, "*rows samples"]:
    """Returns twice the ranks from 1 on, NaN last; equal numbers have the mean of their ranks.

    The sum over n numbers is n(n + 1): less n + 1, they are whole and have no mean.
    """

    order = t.argsort(axis=-1)
    values, place = np.take_along_axis(t, order, axis=-1), np.arange(t.shape[-1])
    apart = values[..., 1:] != values[..., :-1]
    edge = np.ones_like(values[..., :1], dtype=bool)
    first = np.where(np.concatenate([edge, apart], axis=-1), place, 0)
    last = np.where(np.concatenate([apart, edge], axis=-1), place, t.shape[-1])
    first = np.maximum.accumulate(first, axis=-1)
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(t.shape)
    np.put_along_axis(ranks, order, first + last + 2.0, axis=-1)

    return ranks


def _spread(t: Float[Tensor, "*rows samples"]) -> Float[Tensor, "*rows"]:
    """Returns the range of each row, NaN left out; −∞ of no numbers."""

    none = t.isnan()

    return t.masked_fill(none, -inf).amax(dim=-1) - t.masked_fill(none, inf).amin(dim=-1)
