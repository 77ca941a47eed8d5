"""The best of k trials: the mean over all choices, and a band that covers for all k at once."""

from itertools import combinations

import numpy as np
import pytest

from isoexp.statistics import best_of

SCORES = [0.9, 0.2, 0.5, 0.5, 0.7, 0.1]


def test_it_is_the_mean_over_all_choices_of_k() -> None:
    found = best_of(SCORES, (0, 1))

    for k in range(1, 7):
        known = np.mean([max(each) for each in combinations(SCORES, k)])
        assert found[k - 1, 0] == pytest.approx(known, rel=1e-12)
    assert (found[:, 1] <= found[:, 0]).all()
    assert (found[:, 0] <= found[:, 2]).all()
    assert (np.diff(found, axis=0) >= -1e-15).all(), "the more trials the better the best"


def test_it_is_unbiased_where_the_best_of_draws_with_replacement_is_not() -> None:
    """Of uniform scores the best of k is k / (k + 1) on average: five standard errors of 4,000."""

    draws = np.random.default_rng(0).random((4_000, 8))
    found = np.mean([best_of(row, (0, 1))[:, 0] for row in draws], axis=0)
    k = np.arange(1, 9)
    powers = (np.arange(9) / 8)[:, None] ** k
    replaced = np.mean([np.sort(row) @ np.diff(powers, axis=0) for row in draws], axis=0)

    np.testing.assert_allclose(found, k / (k + 1), atol=5 * 0.3 / np.sqrt(4_000))
    assert replaced[-1] < 8 / 9 - 0.02


def test_the_band_covers_all_k_at_once() -> None:
    """The inequality is not tight: at least 95 % of 1,000 studies, less two standard errors."""

    draws = np.random.default_rng(1).beta(4, 1, (1_000, 12))
    k = np.arange(1, 13)
    truth = 4 * k / (4 * k + 1)
    found = np.array([best_of(row, (0, 1)) for row in draws])
    held = (found[..., 1] <= truth) & (truth <= found[..., 2])

    assert held.all(axis=1).mean() > 0.95 - 2 * 0.007
    assert (found[:, 5, 2] - found[:, 5, 1]).mean() < 0.5, "and says something"


def test_one_trial_says_that_it_can_be_anything() -> None:
    assert best_of([0.4], (0, 1)).tolist() == [[0.4, 0.4 * 0, 1.0]]


@pytest.mark.parametrize(
    ("scores", "told"),
    [([], "got none"), ([1.2], "from 0 to 1, got 1.2"), ([np.nan], "must be finite")],
)
def test_what_cannot_be_is_told(scores: list, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        best_of(scores, (0, 1))
