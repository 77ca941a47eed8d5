"""Tests for isoexp.statistics: sign flips, power, numbers of seeds."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from isoexp.statistics import (
    mean,
    power_of_difference,
    seeds_for_difference,
    seeds_for_equivalence,
    sign_flips,
)

# --- sign flips -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 5, 9])
def test_sign_flips_are_those_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.5, 1, n)
    peer = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=10_000, vectorized=False
    )
    found = sign_flips(values)

    assert found.p == pytest.approx(peer.pvalue)
    assert found.smallest == 2 / 2**n
    assert sign_flips(-values) == found


def test_five_seeds_cannot_be_significant() -> None:
    """Not even if all are on one side: 2/2⁵ = 0.0625."""

    found = sign_flips([3, 4, 5, 6, 7])

    assert found.p == found.smallest == 0.0625


def test_random_flips_agree_with_exact_ones() -> None:
    """21 values, of which one is next to nothing: drawn; 20 of them: counted."""

    values = np.random.default_rng(0).normal(0.3, 1, 20)
    drawn, exact = sign_flips([*values, 1e-9]), sign_flips(values)

    assert exact.method.startswith("exact")
    assert drawn.method.startswith("9999 random")
    assert drawn.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p * (1 - exact.p) / 9999))
    assert drawn.smallest == 1 / 10_000
    assert sign_flips([*values, 1e-9]) == drawn


def test_the_most_extreme_draw_is_not_zero() -> None:
    """(b + 1) / (m + 1), however far the values are from 0."""

    assert sign_flips(np.full(40, 1.0)).p == pytest.approx(1e-4)


def test_ties_and_zeros_count_as_extreme() -> None:
    """0.1 + 0.2 is 0.3 here: sums that differ by rounding are one. A zero flips to itself."""

    assert sign_flips([0.1, 0.2, -0.3]).p == 1
    assert sign_flips([0.0, 0.0]).p == sign_flips([0.0, 0.0]).smallest == 1
    assert sign_flips([0.0, 1.0, 1.0]).smallest == 0.5


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="must have values"):
        sign_flips([])


def test_one_value_has_one_p() -> None:
    assert sign_flips([5.0]).p == sign_flips([5.0]).smallest == 1


# --- numbers of seeds -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("margin", "level", "power", "n"),
    [
        (0.2, 0.95, 0.7, 157),
        (0.2, 0.95, 0.8, 199),
        (0.2, 0.95, 0.9, 265),
        (0.2, 0.99, 0.8, 296),
        (0.25, 0.95, 0.75, 113),
        (0.5, 0.95, 0.75, 30),
    ],
)
def test_seeds_for_a_difference_are_those_of_pwr(
    margin: float, level: float, power: float, n: int
) -> None:
    """R: ceiling of pwr.t.test(d, power, sig.level, type="one.sample")."""

    plan = seeds_for_difference(1, margin, level, power)

    assert plan.n == n
    assert power <= plan.power < power + 0.01
    assert seeds_for_difference(10, 10 * margin, level, power).n == n


@pytest.mark.parametrize("margin", [0.3, 0.8, 2.0])
def test_seeds_for_equivalence_have_the_exact_power(margin: float) -> None:
    """Against the power integrated over the spread: P(|m| < margin − t s/√n), s of its χ law."""

    def power(n: int) -> float:
        def given(s: float) -> float:
            room = (margin - stats.t.ppf(0.95, n - 1) * s / np.sqrt(n)) * np.sqrt(n)
            density = stats.chi.pdf(s * np.sqrt(n - 1), n - 1) * np.sqrt(n - 1)
            return max(0.0, 2 * stats.norm.cdf(room) - 1) * density

        return quad(given, 0, 1 + 6 / np.sqrt(n), limit=200)[0]

    plan = seeds_for_equivalence(1, margin)

    assert -1e-6 < power(plan.n) - plan.power < 0.02  # a bound, to the rounding of quad
    assert power(plan.n) >= 0.8 > power(plan.n - 2)


def test_more_spread_needs_more_seeds() -> None:
    found = [seeds_for_difference(spread, 0.1).n for spread in (0, 0.01, 0.1, 1, 10, 1e6)]

    assert found == sorted(found)
    assert found[0] == 2
    assert found[-1] == pytest.approx(7.849e14, rel=1e-3)  # (1.96 + 0.8416)² s² / margin²


@pytest.mark.parametrize(
    ("spread", "margin", "power"), [(1, 0, 0.8), (1, np.nan, 0.8), (np.inf, 1, 0.8), (1, 1, 1)]
)
def test_what_no_number_decides_is_refused(spread: float, margin: float, power: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        seeds_for_difference(spread, margin, power=power)


@pytest.mark.parametrize(("n", "spread", "shift"), [(8, 1.0, 0.9), (16, 0.5, 0.0), (5, 0.2, -0.1)])
def test_power_is_how_often_intervals_lie_above(n: int, spread: float, shift: float) -> None:
    """Within five standard errors of 4,000 studies."""

    draws = np.random.default_rng(0).normal(shift, spread, (4_000, n))
    above = np.mean([mean(row).interval().low > 0 for row in draws])
    p = power_of_difference(n, spread, shift)

    assert abs(above - p) < 5 * np.sqrt(max(p * (1 - p), 1e-3) / 4_000)


def test_power_without_spread_is_certain() -> None:
    assert power_of_difference(5, 0.0, 0.1) == 1
    assert power_of_difference(5, 0.0, -0.1) == 0
    assert power_of_difference(5, 1.0, 0.0) == pytest.approx(0.025)


def test_what_seeds_do_not_lower_bounds_the_power() -> None:
    """At a floor of the size of the shift, ten thousand seeds find no more than a z of 1 does."""

    many = power_of_difference(10_000, 1.0, 0.1, floor=0.1)

    assert many == pytest.approx(stats.norm.sf(1.96 - 1), abs=0.01)
    assert power_of_difference(10_000, 1.0, 0.1) == pytest.approx(1)
