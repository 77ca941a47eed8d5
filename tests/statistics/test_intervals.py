"""Tests for isoexp.statistics: intervals, t tests, equivalence, effect sizes, ranks."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats
from scipy.special import nctdtr

from isoexp.statistics import (
    apart,
    hedges,
    hedges_unpaired,
    in_digits,
    mean,
    resampled,
    spearman,
    welch,
)

STUDIES = 4_000

CLINIC = np.array([
    [2.84, 2.51, 2.41, 2.95, 3.14, 3.79, 4.14, 3.85, 3.02, 3.45, 5.37, 3.81, 4.19, 3.16, 3.84],
    [2.60, 2.82, 2.18, 3.46, 4.01, 3.04, 3.47, 4.06, 2.91, 3.59, 4.51, 3.16, 3.86, 3.31, 3.02],
])  # fmt: skip
"""The first variable of two groups in statsmodels' tests, with what R says of it below."""


def coverage(draws: np.ndarray, truth: float) -> float:
    """Returns how often the t interval of a row holds the truth."""

    found = [mean(row).interval() for row in draws]

    return float(np.mean([each.low <= truth <= each.high for each in found]))


# --- Student --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 10, 20])
def test_t_intervals_cover(n: int) -> None:
    """Within 2 points of 95 %: five standard errors of so many studies."""

    draws = np.random.default_rng(0).normal(3, 2, (STUDIES, n))

    assert abs(coverage(draws, 3) - 0.95) < 0.02


def test_t_intervals_of_skewed_values_cover_less() -> None:
    """Of ten lognormal values, far more skewed than accuracies are, 84 % instead of 95 %."""

    draws = np.random.default_rng(0).lognormal(size=(STUDIES, 10))

    assert coverage(draws, np.exp(0.5)) == pytest.approx(0.84, abs=0.02)


def test_bootstrap_intervals_of_three_do_not_cover() -> None:
    """The control: percentiles of the mean, three values being drawn anew from three."""

    generator = np.random.default_rng(0)
    draws = generator.normal(size=(400, 3))
    means = [generator.choice(row, size=(200, 3)).mean(axis=1) for row in draws]
    low, high = np.quantile(means, [0.025, 0.975], axis=1)

    assert np.mean((low <= 0) & (high >= 0)) < 0.82


def test_the_mean_of_differences_is_that_of_r() -> None:
    """R: t.test(…, paired=TRUE)."""

    student = mean(CLINIC[0] - CLINIC[1])
    interval = student.interval()

    assert student.n == 15
    assert student.test().p == pytest.approx(0.245199929713149)
    assert interval.estimate == pytest.approx(0.1646666666666667)
    assert (interval.low, interval.high) == pytest.approx((-0.1264911434745851, 0.4558244768079186))


def test_welch_is_that_of_r() -> None:
    """R: t.test(…), and the 90 % interval of equivalence::tost."""

    student = welch(*CLINIC)
    interval = student.interval(0.9)

    assert student.n == 30
    assert student.df == pytest.approx(26.7484787582315)
    assert student.test().p == pytest.approx(2 * 0.2604786501355416)
    assert (interval.low, interval.high) == pytest.approx((-0.2666862980722534, 0.596019631405587))


def test_apart_adds_the_errors_that_means_have() -> None:
    """Of plain means it is Welch's; a floor and what varies go along."""

    plain = apart(mean(CLINIC[0]), mean(CLINIC[1]))
    assert plain.interval().triple == pytest.approx(welch(*CLINIC).interval().triple, rel=1e-12)

    a, b = resampled(CLINIC[0], 0.3), mean(CLINIC[1])
    both = apart(a, b)
    assert both.error == pytest.approx(sqrt(a.error**2 + b.error**2))
    assert both.floor == a.floor > 0
    assert min(a.df, b.df) < both.df < a.df + b.df
    assert both.over == "seeds, resampled splits (Nadeau–Bengio) and seeds"


@pytest.mark.parametrize(
    ("student", "p"),
    [(mean(CLINIC[0] - CLINIC[1]), 0.003166881489265175), (welch(*CLINIC), 0.04853083976236974)],
    ids=["paired", "welch"],
)
def test_equivalence_is_that_of_r(student, p: float) -> None:
    """R: equivalence::tost(…, eps=0.6), as statsmodels' tests have it."""

    assert student.equivalence(0.6).p == pytest.approx(p)


@pytest.mark.parametrize("margin", [0.1, 0.4, 0.9])
def test_equivalence_is_an_interval_within_the_margin(margin: float) -> None:
    """p < α exactly if the interval of level 1 − 2α is within ±margin."""

    for row in np.random.default_rng(0).normal(0.2, 0.5, (200, 8)):
        interval = mean(row).interval(0.9)
        within = -margin < interval.low and interval.high < margin
        assert (mean(row).equivalence(margin).p < 0.05) == within


def test_level_widens() -> None:
    low, high = (mean([1, 2, 4, 8]).interval(level) for level in (0.9, 0.99))

    assert high.low < low.low < low.high < high.high


# --- singular points ------------------------------------------------------------------------


def test_one_value_says_nothing() -> None:
    for student in (mean([0.3]), welch([0.3], [1, 2, 3])):
        interval = student.interval()
        assert (interval.low, interval.high) == (-inf, inf)
        assert student.test().p == 1
        assert student.equivalence(10).p >= 0.5


@pytest.mark.parametrize("values", [[0.1] * 6, [0.1 + 0.2, 0.3] * 3])
def test_identical_values_are_judged_by_rearrangement(values: list[float]) -> None:
    """Six of one sign by chance: 2/2⁶. No spread is no certainty; rounding is no spread."""

    student = mean(values)
    interval = student.interval()

    assert interval.low == interval.high == interval.estimate
    assert student.test().p == 2 / 64
    assert student.equivalence(1).p == 1 / 64
    assert student.equivalence(0.05).p == 1
    assert "identical" in interval.method


def test_identical_differences_of_nothing() -> None:
    for student in (mean(np.zeros(10)), welch([1, 1], [1, 1])):
        assert student.estimate == 0
        assert student.test().p == 1
        assert student.equivalence(1).p < 0.2


def test_arms_without_spread_part_by_chance() -> None:
    """Three against three: once in 20 on one side."""

    student = welch([1, 1, 1], [0, 0, 0])

    assert student.test().p == pytest.approx(2 / 20)
    assert student.equivalence(2).p == pytest.approx(1 / 20)


def test_one_arm_without_spread() -> None:
    """The other has all the error, and its degrees of freedom."""

    student = welch([1, 1, 1], [0, 1, 2, 3])

    assert student.df == pytest.approx(3)
    assert student.error == pytest.approx(np.std([0, 1, 2, 3], ddof=1) / 2)


@pytest.mark.parametrize("bad", [np.nan, inf, -inf])
@pytest.mark.parametrize("statistic", [mean, hedges, lambda v: spearman(v, [1, 2, 3])])
def test_what_is_not_finite_is_refused_by_name(statistic, bad: float) -> None:
    with pytest.raises(ValueError, match=rf"must be finite, got {bad} at place 1"):
        statistic([1.0, bad, 2.0])


@pytest.mark.parametrize(
    ("statistic", "told"),
    [
        (lambda: mean([]), "a mean must have values, got none"),
        (lambda: welch([], [1]), "a mean must have values, got none"),
        (lambda: spearman([1, 2], [1]), "one y for each x, got 2 and 1"),
        (lambda: mean(np.ones((1, 2))), r"got an array of shape \(1, 2\)"),
        (lambda: mean([1, 2]).equivalence(0), "must be above 0, got 0"),
        (lambda: hedges([1, 2]), "3 values, got 2"),
        (lambda: hedges([1, 1, 1]), "must have a spread, got 3 values of 1"),
        (lambda: hedges_unpaired([1], [1, 2]), "2 values an arm, got 1 and 2"),
        (lambda: hedges_unpaired([1, 1], [2, 2]), "must have a spread"),
        (lambda: spearman([1], [1]), "got 1 pairs"),
        (lambda: spearman([1, 1, 1], [1, 2, 3]), "one side is constant"),
    ],
)
def test_what_has_no_answer_is_refused(statistic, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        statistic()


# --- effect sizes ---------------------------------------------------------------------------


def test_hedges_is_unbiased() -> None:
    """Over many studies of five the mean is the true 0.7; d itself is a quarter too large."""

    draws = np.random.default_rng(0).normal(0.7, 1, (3_000, 5))
    g = np.array([hedges(row).estimate for row in draws])
    d = draws.mean(axis=1) / draws.std(axis=1, ddof=1)

    assert g.mean() == pytest.approx(0.7, abs=4 * g.std() / sqrt(len(g)))
    assert d.mean() > 0.8


def test_hedges_interval_covers() -> None:
    draws = np.random.default_rng(1).normal(0.7, 1, (2_000, 6))
    found = [hedges(row) for row in draws]

    assert np.mean([each.low <= 0.7 <= each.high for each in found]) == pytest.approx(
        0.95, abs=4 * sqrt(0.95 * 0.05 / len(found))
    )


@pytest.mark.parametrize("shift", [-3.0, 0.0, 0.4, 50.0])
def test_hedges_interval_inverts_the_noncentral_law(shift: float) -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 7))
    x = x + shift

    t = stats.ttest_1samp(x, 0)[0]
    one = hedges(x)
    for bound, tail in ((one.low, 0.975), (one.high, 0.025)):
        assert nctdtr(6, bound * sqrt(7), t) == pytest.approx(tail, abs=1e-4)

    t = stats.ttest_ind(x, y)[0]
    two = hedges_unpaired(x, y)
    for bound, tail in ((two.low, 0.975), (two.high, 0.025)):
        assert nctdtr(12, bound / sqrt(2 / 7), t) == pytest.approx(tail, abs=1e-4)


def test_hedges_unpaired_is_the_published_correction() -> None:
    """1 − 3 / (4 ν − 1) is Hedges' approximation of J, good to a thousandth from ν = 8 on."""

    x, y = np.random.default_rng(0).normal(size=(2, 5))
    d = (x.mean() - y.mean()) / sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)

    assert hedges_unpaired(x, y).estimate == pytest.approx(d * (1 - 3 / (4 * 8 - 1)), rel=1e-3)


# --- ranks ----------------------------------------------------------------------------------


def test_spearman_is_that_of_scipy() -> None:
    x, y = np.random.default_rng(0).integers(0, 6, (2, 15))  # with ties
    found = spearman(x, y)

    assert found.estimate == pytest.approx(stats.spearmanr(x, y)[0])

    # The interval in closed form: Fisher's z has the variance of Bonett and Wright.
    half = 1.959964 * sqrt((1 + found.estimate**2 / 2) / 12)
    z = np.arctanh([found.low, found.estimate, found.high])
    np.testing.assert_allclose(z[1] + [-half, half], z[[0, 2]], rtol=1e-6)


def test_spearman_interval_covers() -> None:
    """Of a bivariate normal law with r = 0.6, whose ρ is 6/π arcsin(r/2)."""

    generator = np.random.default_rng(0)
    rho = 6 / np.pi * np.arcsin(0.3)
    x = generator.normal(size=(600, 20))
    y = 0.6 * x + 0.8 * generator.normal(size=x.shape)
    found = [spearman(*each) for each in zip(x, y, strict=True)]

    assert np.mean([each.low <= rho <= each.high for each in found]) == pytest.approx(
        0.95, abs=0.03
    )


def test_spearman_of_perfect_order_is_bounded_by_the_next_order() -> None:
    """Artanh 1 is infinite: an interval about it would be a point, of however few pairs."""

    x = np.arange(10)
    up, down = spearman(x, x**3), spearman(x, -x)

    assert (up.estimate, up.high) == pytest.approx((1, 1))
    assert 0.9 < up.low < 1 - 12 / 990
    assert (down.low, down.high) == pytest.approx((-up.high, -up.low))


def test_spearman_of_three_bounds_nothing() -> None:
    found = spearman([1, 2, 3], [1, 3, 2])

    assert (found.estimate, found.low, found.high) == pytest.approx((0.5, -1, 1))


# --- digits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("triple", "told"),
    [
        ((0.0172, 0.0099, 0.0245), "0.017 [0.010, 0.025]"),
        ((0.93, 0.88, 0.98), "0.93 [0.88, 0.98]"),
        ((0.93, 0.88001, 0.97999), "0.930 [0.880, 0.980]"),  # of less than 0.1 it takes three
        ((-0.0001, -0.02, 0.0198), "0.000 [-0.020, 0.020]"),  # no -0.000
        ((56789.0, 56211.0, 57389.0), "56800 [56200, 57400]"),
        ((3.657e-16, 3.5e-16, 3.8e-16), "3.66e-16 [3.50e-16, 3.80e-16]"),
        ((0.0, -1e-17, 2.1e-16), "0 [-1e-17, 2.1e-16]"),
        ((1.25e6, 1.2e6, 1.3e6), "1.25e+06 [1.20e+06, 1.30e+06]"),
        ((0.51234, -inf, inf), "0.5123 [-∞, ∞]"),
        ((1.5, 1.5, 1.5), "1.5 [1.5, 1.5]"),
        ((np.nan, np.nan, np.nan), "– [–, –]"),
    ],
)
def test_an_interval_has_the_digits_that_its_width_warrants(
    triple: tuple[float, float, float], told: str
) -> None:
    assert in_digits(*triple) == told


@pytest.mark.parametrize(
    ("triple", "told"),
    [
        ((1.023, 1.011, 1.035), "1.023 [1.011, 1.035]"),
        ((3.0, 0.01, 900.0), "3.0 [0.010, 900]"),
        ((1e-9, 0.0, 1e300), "1.0e-09 [0.0, 1.0e+300]"),
    ],
)
def test_the_lower_end_of_a_wide_ratio_keeps_its_digits(
    triple: tuple[float, float, float], told: str
) -> None:
    assert in_digits(*triple, log=True) == told


def test_rounding_moves_no_end_by_more_than_a_twentieth_of_the_width() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        middle, half = rng.normal() * 10.0 ** rng.integers(-8, 8), 10.0 ** rng.uniform(-8, 6)
        triple = middle, middle - half, middle + half
        told = in_digits(*triple).replace("[", "").replace("]", "").replace(",", "").split()
        assert np.abs(np.array(told, dtype=float) - triple).max() <= half / 10 * (1 + 1e-6)
