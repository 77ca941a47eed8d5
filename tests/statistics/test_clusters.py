"""Tests for isoexp.statistics.clusters: means of seeds that share their test items."""

from math import hypot, inf, sqrt

import numpy as np
import pytest

from isoexp.statistics import (
    clustered,
    mean,
    resampled,
    seeds_for_difference,
    seeds_for_equivalence,
)

from ..references import clustered_error
from .splits import rates, study

RNG = np.random.default_rng(0)


def drawn(n: int, m: int, pool: int, rng: np.random.Generator = RNG) -> tuple[list, list]:
    """Contrasts of n seeds on m items of a pool each, with parts of the item and of the seed."""

    own = rng.normal(size=pool)
    items = [rng.permutation(pool)[:m] for _ in range(n)]

    return [own[each] + rng.normal() + rng.normal(size=m) for each in items], items


@pytest.mark.parametrize(("n", "m", "pool"), [(2, 3, 4), (5, 4, 6), (6, 5, 5), (4, 3, 40)])
def test_it_is_the_sum_over_pairs(n: int, m: int, pool: int) -> None:
    for _ in range(5):
        values, items = drawn(n, m, pool)
        found = clustered(values, items)
        estimate, error = clustered_error([list(c) for c in values], [list(i) for i in items])

        assert found.estimate == pytest.approx(estimate, rel=1e-12)
        if len(np.unique(np.concatenate(items))) < n * m:
            assert found.error == pytest.approx(error, rel=1e-9)
        assert found.df == n - 1


def test_by_hand() -> None:
    """Two seeds on items 0, 1 and 1, 2 of 4, 0 and 0, 0: m = 1, u = (3, −1, −1, −1)/4.

    By seed 2·(¼ + ¼) = 1; by item 3/2 (9/16 + 4/16 + 1/16) = 21/16; both 4/3 · 12/16 = 1; so the
    sum is 21/16, and no less than either.
    """

    found = clustered([np.array([4.0, 0.0]), np.zeros(2)], [np.array([0, 1]), np.array([1, 2])])

    assert found.estimate == 1
    assert found.error**2 == pytest.approx(21 / 16)
    assert found.floor**2 == pytest.approx(5 / 16)
    assert "2 seeds on 3 test items, clustered both ways" in found.method


def test_unequal_sizes_weigh_seeds_alike() -> None:
    values, items = [np.array([1.0, 2, 3]), np.array([5.0])], [np.array([0, 1, 2]), np.array([1])]

    assert clustered(values, items).estimate == 3.5
    assert clustered(values, items).error == pytest.approx(clustered_error(values, items)[1])  # type: ignore[arg-type]


def test_items_that_never_repeat_leave_the_t_of_seeds() -> None:
    values, _ = drawn(6, 4, 50)
    items = np.split(np.arange(24), 6)

    assert clustered(values, items) == mean([c.mean() for c in values])


def test_it_is_never_below_the_t_of_seeds_nor_moved_by_names_of_items() -> None:
    for n, m, pool in ((3, 4, 5), (8, 6, 9), (8, 6, 6)):
        values, items = drawn(n, m, pool)
        found, plain = clustered(values, items), mean([c.mean() for c in values])
        renamed = clustered(values, [10**15 - 7 * each for each in items])

        assert found.error >= plain.error
        assert found.error == pytest.approx(hypot(plain.error, found.floor))
        assert renamed.error == pytest.approx(found.error, rel=1e-12)


def test_singular_points() -> None:
    one = np.arange(3)
    constant = clustered([np.full(3, 0.1 + 0.2), np.full(3, 0.3)], [one, one])

    assert clustered([np.array([1.0, 2, 3])], [one]).error == inf  # one seed
    assert clustered([np.ones(1), np.zeros(1)], [one[:1]] * 2).error == inf  # one item
    assert constant.error == 0
    assert clustered([np.zeros(3)] * 6, [one] * 6, 1.0).interval().triple == (0, 0, 0)
    # Seeds that agree to the bit differ by what items say: no interval of seeds alone.
    agreed = clustered([np.array([1.0, -1, 1, 1])] * 8, [np.arange(4)] * 8)
    assert mean([0.5] * 8).error == 0 < agreed.error


@pytest.mark.parametrize(
    ("values", "items", "told"),
    [
        ([[1.0, 2.0]], [[0]], "a value an item, got 2 values of 1 items"),
        ([[]], [[]], "a value an item, got 0 values of 0"),
        ([[1.0, 2.0]], [[3, 3]], "items of a seed must differ, got 2"),
        ([[1.0, np.nan]], [[0, 1]], "must be finite"),
        ([], [], "must have values, got none"),
    ],
)
def test_what_cannot_be_is_told(values: list, items: list, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        clustered([np.array(c) for c in values], [np.array(i) for i in items])


# --- Nadeau and Bengio ----------------------------------------------------------------------


def test_resampled_splits_widen_the_error_by_the_ratio() -> None:
    values = RNG.normal(size=9)
    found, plain = resampled(values, 0.25), mean(values)

    assert found.error == pytest.approx(values.std(ddof=1) * sqrt(1 / 9 + 0.25))
    assert (found.estimate, found.df, found.rarity) == (plain.estimate, plain.df, plain.rarity)
    assert found.floor == pytest.approx(values.std(ddof=1) / 2)
    assert resampled(values, 0).error == plain.error
    assert resampled([1.0], 0.25).error == inf
    assert resampled([0.3] * 9, 0.25).error == 0
    with pytest.raises(ValueError, match="must be 0 or above, got -1"):
        resampled(values, -1)


# --- how many seeds would decide ------------------------------------------------------------


@pytest.mark.parametrize("seeds_for", [seeds_for_difference, seeds_for_equivalence])
def test_a_floor_takes_more_seeds_or_no_number_of_them(seeds_for) -> None:
    free = seeds_for(1.0, 1.0).n

    assert seeds_for(1.0, 1.0, floor=0.0).n == free
    assert seeds_for(1.0, 1.0, floor=0.2).n > free
    with pytest.raises(ValueError, match=r"no number of seeds finds 1: an error of 0\.5 stays"):
        seeds_for(1.0, 1.0, floor=0.5)
    with pytest.raises(ValueError, match="the floor must be finite"):
        seeds_for(1.0, 1.0, floor=-1.0)


# --- what intervals over test items are worth, by simulation --------------------------------


@pytest.mark.parametrize("n", [8, *(pytest.param(n, marks=pytest.mark.slow) for n in (16, 32))])
def test_clustered_both_ways_intervals_cover_and_are_no_wider_than_they_must_be(n: int) -> None:
    """At 400 studies a rate of 4 % has a standard error of 1 point; docs/statistics.md has more."""

    found = rates(n, 400)

    for name in ("one split, both ways", "a split a seed, both ways"):
        assert found[name].misses < 0.065 + 2 * 0.012, name
        assert found[name].ratio < 1.4 * 1.05, name
    # The controls: THEORY's table, 55, 68, 79 and 16, 25, 39 %.
    assert found["one split, t"].misses > 0.45
    assert found["a split a seed, t"].misses > 0.1
    assert found["a split a seed, Nadeau–Bengio"].misses < 0.05


def test_of_samples_that_are_drawn_anew_the_t_of_seeds_is_right() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        values = [study(rng, 1, False, pool=10**4).values[0] for _ in range(8)]
        found.append(mean([c.mean() for c in values], 1.0).interval())

    assert np.mean([not each.low <= 0 <= each.high for each in found]) < 0.05 + 3 * 0.011
