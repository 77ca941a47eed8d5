"""Tests for isoexp.statistics.heterogeneity: a mean over cells, and the spread between them."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy.special import stdtrit

from isoexp.statistics import random_effects

BCG = np.array(
    [
        [4, 119, 11, 128], [6, 300, 29, 274], [3, 228, 11, 209], [62, 13536, 248, 12619],
        [33, 5036, 47, 5761], [180, 1361, 372, 1079], [8, 2537, 10, 619], [505, 87886, 499, 87892],
        [29, 7470, 45, 7232], [17, 1699, 65, 1600], [186, 50448, 141, 27197], [5, 2493, 3, 2338],
        [27, 16886, 29, 17825],
    ],
    dtype=float,
)  # fmt: skip
"""Ill and well, vaccinated and not: the 13 trials that the field tests its methods with."""


def test_trials_of_a_vaccine_have_the_published_spread() -> None:
    """τ² = 0.318 [0.120, 1.111], by the R package metafor (PM, Q-profile); mean −0.715."""

    a, b, c, d = BCG.T
    effects = np.log(a / (a + b)) - np.log(c / (c + d))
    errors = np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    found = random_effects(effects, errors)

    tau2 = [each**2 for each in found.spread.triple]
    assert tau2 == pytest.approx([0.3181, 0.1197, 1.1115], abs=1e-4)
    assert found.mean.estimate == pytest.approx(-0.7150, abs=1e-4)
    assert found.mean.n == 13


def test_cells_that_differ_by_their_errors_alone_have_no_spread() -> None:
    """y = −1, 1 and e = 1, 1: Q(0) = 2 > 1, so τ² = 1, and the mean is 0 ± t₁ · 1."""

    found = random_effects([-1.0, 1.0], [1.0, 1.0])
    assert found.spread.estimate == pytest.approx(1.0, rel=1e-9)
    assert found.mean.high == pytest.approx(float(stdtrit(1, 0.975)), rel=1e-9)
    assert found.predicted.triple == (0.0, -inf, inf)

    same = random_effects([0.3, 0.3, 0.3], [0.1, 0.1, 0.2])
    assert same.spread.triple[:2] == (0.0, 0.0)
    assert same.mean.estimate == pytest.approx(0.3)
    assert same.mean.high - 0.3 == pytest.approx(stdtrit(2, 0.975) / sqrt(225))


def test_effects_without_errors_are_a_sample() -> None:
    """Without errors the mean is the plain one, and τ the standard deviation."""

    y = np.array([1.0, 2.0, 4.0, 5.0])
    found = random_effects(y, np.zeros(4))

    assert found.mean.estimate == pytest.approx(3.0)
    assert found.spread.estimate == pytest.approx(y.std(ddof=1), rel=1e-6)
    half = float(stdtrit(3, 0.975)) * y.std(ddof=1) / 2
    assert found.mean.high - 3 == pytest.approx(half, rel=1e-6)
    assert random_effects([2.0, 2.0], [0.0, 0.0]).mean.triple == pytest.approx((2, 2, 2))


@pytest.mark.parametrize("tau", [0.0, 1.0])
@pytest.mark.parametrize("k", [3, 12])
def test_intervals_hold_the_truth(k: int, tau: float) -> None:
    """Misses of 400 studies: at most 5 % and 3 standard errors of that, of mean and spread.

    The prediction is too narrow with few cells, as is known; it must hold with 12.
    """

    rng = np.random.default_rng(0)
    missed, wide, outside = 0, 0, 0
    for _ in range(400):
        errors = rng.uniform(0.2, 1.0, size=k)
        found = random_effects(rng.normal(scale=np.hypot(tau, errors)), errors)
        missed += not found.mean.low <= 0 <= found.mean.high
        wide += not found.spread.low <= tau <= found.spread.high
        outside += not found.predicted.low <= tau * rng.normal() <= found.predicted.high

    most = 0.05 + 3 * sqrt(0.05 * 0.95 / 400)
    assert missed / 400 <= most
    assert wide / 400 <= most
    assert k == 3 or outside / 400 <= 0.1


@pytest.mark.parametrize(
    ("effects", "errors"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 2.0], [1.0, -1.0]),
                            ([1.0, np.nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, inf])]
)  # fmt: skip
def test_what_has_no_mean_is_refused(effects: list, errors: list) -> None:
    with pytest.raises(ValueError, match=r"a mean over cells takes|finite"):
        random_effects(effects, errors)
