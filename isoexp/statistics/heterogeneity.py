"""The mean of an effect over cells that differ in more than chance, and its spread between them.

The effect y_i of cell i = 1 … k has the standard error e_i, and

    y_i ~ N(μ, e_i² + τ²),    w_i = 1 / (e_i² + τ²),    m = Σ w_i y_i / Σ w_i,
    Q(τ²) = Σ w_i (y_i − m)²,    Q(τ²) = k − 1, or τ = 0 where Q(0) is less (Paule and Mandel),
    m ± t_{k−1} / √Σ w_i         (Hartung and Knapp; never narrower than errors alone make it),
    τ from Q = χ²_{k−1}(97.5 %) to Q = χ²_{k−1}(2.5 %)    (Q-profile),
    m ± t_{k−2} √(τ² + 1/Σ w_i)  holds the effect of a cell like these (Higgins).

Source: Paule and Mandel, Consensus Values and Weighting Factors (1982); Hartung and Knapp, A
Refined Method for the Meta-Analysis of Controlled Clinical Trials (2001); Viechtbauer, Confidence
Intervals for the Amount of Heterogeneity in Meta-Analysis (2007); Higgins, Thompson and
Spiegelhalter, A Re-Evaluation of Random-Effects Meta-Analysis (2009).
"""

__all__ = ["RandomEffects", "random_effects"]

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
from scipy.special import chdtri, stdtrit

from .results import Estimate, Values, finite

ROUNDING = 1e-12
"""Effects, in units of the largest, are not known better than that."""


@dataclass(frozen=True)
class RandomEffects:
    """The effect in k cells.

    Arguments:
        mean: Their mean, with its interval.
        spread: The standard deviation τ of the true effects between cells, with its interval.
        predicted: The interval of the effect in another cell; infinite for 2 cells.
    """

    mean: Estimate
    spread: Estimate
    predicted: Estimate


def random_effects(effects: Values, errors: Values, level: float = 0.95) -> RandomEffects:
    """Estimates the mean of effects over cells, and how much they differ beyond their errors.

    Arguments:
        errors: Their standard errors.

    Raises:
        ValueError: If there are less than 2 cells, or a value is not finite or an error below 0.
    """

    y, e = finite(effects, "effects"), finite(errors, "errors")
    k = len(y)
    if k < 2 or k != len(e) or (e < 0).any():
        told = f"got {k} effects and {len(e)} errors"
        raise ValueError(f"a mean over cells takes 2 effects, each with an error from 0 on, {told}")
    e = np.maximum(e, ROUNDING * (np.abs(y).max() or 1.0))

    def weights(tau2: float) -> np.ndarray:
        return 1 / (e**2 + tau2)

    def m(tau2: float) -> float:
        return float(np.average(y, weights=weights(tau2)))

    def Q(tau2: float) -> float:
        return float((weights(tau2) * (y - m(tau2)) ** 2).sum())

    tau2 = _where(Q, k - 1)
    a = (1 - level) / 2
    ends = [sqrt(_where(Q, float(chdtri(k - 1, p)))) for p in (a, 1 - a)]
    error = 1 / sqrt(weights(tau2).sum())

    def around(df: int, spread: float, what: str) -> Estimate:
        half = float(stdtrit(df, 1 - a)) * spread if df else inf
        return Estimate(k, m(tau2), m(tau2) - half, m(tau2) + half, level, what)

    return RandomEffects(
        around(k - 1, error, f"random effects of {k} cells (Paule–Mandel, Hartung–Knapp)"),
        Estimate(k, sqrt(tau2), ends[0], ends[1], level, f"spread between {k} cells (Q-profile)"),
        around(k - 2, sqrt(tau2 + error**2), f"prediction from {k} cells (Higgins)"),
    )


def _where(Q: Callable[[float], float], value: float) -> float:
    """Returns the τ² at which the decreasing function Q has a value; 0 if it is below it there."""

    from scipy.optimize import brentq  # takes long to import: for those who ask

    if Q(0.0) <= value:
        return 0.0
    top = 1.0
    while Q(top) > value:
        top *= 4
    while Q(top / 4) < value:
        top /= 4
    found: Any = brentq(lambda tau2: Q(tau2) - value, top / 4, top, xtol=top * 1e-12)

    return float(found)
