"""Tests for isoexp.claims.verdict: each answer, and what answers say together."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from isoexp.claims.verdict import LEVEL, NULL, Answer, Question, decide
from isoexp.statistics import difference, hedges, mean, seeds_for_equivalence, sign_flips

NOISE = np.array([-1.2, -0.9, -0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.9, 1.2])
"""Ten values whose mean is 0, with a standard deviation of 0.75 and a standard error of 0.24."""


def answer(values, expects: str, margin: float = 0.0) -> Answer:
    return decide([asked(values, expects, margin)])[0][0]


def asked(values, expects: str = "greater", margin: float = 0.0, role: str = "decides") -> Question:
    return Question(np.asarray(values, dtype=float), expects, margin, role)


# --- one comparison -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "spread", "expects", "margin", "verdict"),
    [
        (2.0, 1, "greater", 0.5, "supported"),
        (2.0, 1, "less", 0.5, "contradicted"),
        (-2.0, 1, "less", 0.5, "supported"),
        (-2.0, 1, "greater", 0.5, "contradicted"),
        (2.0, 1, "equal", 0.5, "contradicted"),
        (-2.0, 1, "equal", 0.5, "contradicted"),
        (1.0, 1, "greater", 0.5, "inconclusive"),  # its interval begins below the margin
        (-1.0, 1, "greater", 0.5, "inconclusive"),
        (0.01, 0.1, "greater", 0.5, NULL),
        (0.01, 0.1, "less", 0.5, NULL),
        (0.01, 0.1, "equal", 0.5, "supported"),
        (0.3, 0.1, "greater", 0.5, NULL),  # significant, yet too small to count
        (0.3, 0.1, "equal", 0.5, "supported"),
        (-0.3, 0.1, "greater", 0.5, NULL),
        (0.48, 0.2, "greater", 0.5, "inconclusive"),  # significant, too near the margin
        (0.48, 0.2, "equal", 0.5, "inconclusive"),
        (0.3, 1, "greater", 0.5, "inconclusive"),
        (0.3, 1, "equal", 0.5, "inconclusive"),
        (0.01, 0.1, "greater", 0.0, "inconclusive"),  # no margin: no equivalence
        (0.3, 0.1, "greater", 0.0, "supported"),
        (-0.3, 0.1, "greater", 0.0, "contradicted"),
    ],
)
def test_verdict_of_a_mean(
    shift: float, spread: float, expects: str, margin: float, verdict: str
) -> None:
    found = answer(shift + spread * NOISE, expects, margin)

    assert found.verdict == verdict, found.words


@pytest.mark.parametrize(
    ("values", "expects", "margin", "verdict", "worst"),
    [
        ([1e-7, -2e-7], "within", 1e-6, "supported", -2e-7),
        ([1e-7, -2e-6], "within", 1e-6, "contradicted", -2e-6),
        ([0.0, 0.0], "within", 0.0, "supported", 0.0),
        ([0.2, -0.3], "beyond", 0.1, "supported", 0.2),
        ([0.2, -0.3, 0.05], "beyond", 0.1, "contradicted", 0.05),
        ([0.1], "beyond", 0.1, "contradicted", 0.1),  # the margin itself is within
        ([0.1], "within", 0.1, "supported", 0.1),
    ],
)
def test_verdict_of_every_value(values, expects, margin, verdict, worst) -> None:
    found = answer(values, expects, margin)

    assert (found.verdict, found.estimate) == (verdict, worst)
    assert (found.low, found.high) == (min(values), max(values))
    assert found.p is found.p_permutation is None


def test_answer_carries_its_statistics() -> None:
    values = 0.4 + NOISE
    found = answer(values, "greater", 0.2)
    student, flips = mean(values), sign_flips(values)

    assert found.n == 10
    assert (found.estimate, found.low) == (student.estimate, student.interval().low)
    assert found.p == student.test().p
    assert (found.p_permutation, found.p_permutation_smallest) == (flips.p, 2 / 2**10)
    assert found.effect == hedges(values)
    assert found.seeds_needed == seeds_for_equivalence(NOISE.std(ddof=1), 0.2, 0.975).n
    for told in ("n = 10", "0.4", "p = 0.13 by t", "by sign flips", "above 0 by at least 0.2"):
        assert told in found.words
    assert f"{found.seeds_needed} seeds would tell" in found.words


def test_what_decides_widens_the_intervals_of_all_that_decide() -> None:
    """Also what has no values yet; neither what needs no interval, nor what does not decide."""

    sure, none = 0.6 + NOISE, np.array([])
    alone = answer(sure, "greater")
    found, _ = decide([
        asked(sure), asked(none), asked(NOISE, "less"), asked(NOISE, "within", 2),
        asked(sure, role="control"), asked(sure, role="beside"),
    ])  # fmt: skip
    together = mean(sure).interval(1 - (1 - LEVEL) / 3)

    assert alone.verdict == "supported"
    assert (alone.low_all, alone.high_all) == (alone.low, alone.high)
    assert (found[0].low, found[0].high, found[0].p) == (alone.low, alone.high, alone.p)
    assert (found[0].low_all, found[0].high_all) == (together.low, together.high)
    assert found[0].verdict == "inconclusive"
    assert [each.verdict for each in found[1:4]] == ["inconclusive", "inconclusive", "supported"]
    assert [each.verdict for each in found[4:]] == ["supported", "supported"]
    assert found[4].low_all == found[4].low


def test_what_is_said_beside_the_outcome() -> None:
    """Of no effect that counts, its sign; of what is open, what is excluded."""

    small, low = answer(-0.3 + 0.1 * NOISE, "greater", 0.5), answer(-0.4 + NOISE, "greater", 0.5)

    assert (small.verdict, low.verdict) == (NULL, "inconclusive")
    assert "it is below 0 all the same" in small.words
    assert "an effect above 0.5 is excluded" in low.words
    assert "an effect below -0.5 is excluded" in answer(0.4 + NOISE, "less", 0.5).words
    assert "excluded" not in answer(0.4 + NOISE, "greater", 0.5).words
    assert "all the same" not in answer(0.1 * NOISE, "greater", 0.5).words


@pytest.mark.parametrize("expects", ["greater", "less", "equal", "within", "beyond"])
def test_nothing_is_inconclusive(expects: str) -> None:
    found = answer([], expects, 0.1)

    assert (found.verdict, found.n) == ("inconclusive", 0)
    assert isnan(found.estimate)


@pytest.mark.parametrize("expects", ["greater", "less", "equal"])
def test_one_value_is_inconclusive(expects: str) -> None:
    found = answer([7.0], expects, 0.1)

    assert (found.verdict, found.n, found.estimate) == ("inconclusive", 1, 7.0)
    assert found.low < -1e300


def test_identical_values_are_no_certainty() -> None:
    """Four of one sign come by chance once in eight: without a spread n alone decides."""

    few, many = answer([0.3] * 4, "greater"), answer([0.3] * 8, "greater")

    assert (few.verdict, few.p) == ("inconclusive", 1 / 8)
    assert (many.verdict, many.p) == ("supported", 1 / 128)
    assert many.effect is None
    assert answer(np.zeros(8), "equal", 0.1).verdict == "supported"
    assert answer(np.zeros(3), "equal", 0.1).verdict == "inconclusive"


@pytest.mark.parametrize("ulps", [0, 1, 2])
@pytest.mark.parametrize("size", [0.3, 1e-30, 1e30])
def test_arms_that_differ_by_their_last_bits_are_equal(ulps: int, size: float) -> None:
    """0.1 + 0.2 against 0.3, and one or two units in the last place of noise about it."""

    generator = np.random.default_rng(0)
    one = np.full(10, size) * (0.1 + 0.2) / 0.3
    other = np.full(10, size) * (1 + ulps * generator.integers(-1, 2, 10) * np.finfo(float).eps)
    values, scale = difference([one, -other])
    found = decide([Question(values, "greater", 0.0, scale=scale)])[0][0]
    known = decide([Question(values, "equal", 1e-9 * size, scale=scale)])[0][0]

    assert (found.verdict, found.estimate, found.p) == ("inconclusive", 0, 1)
    assert found.p_permutation == 1
    assert found.effect is None
    assert known.verdict == "supported"


def test_a_difference_above_rounding_is_one() -> None:
    """The control: a billionth of the size of the numbers, in all seeds alike."""

    values, scale = difference([np.full(10, 0.3 * (1 + 1e-9)), np.full(10, -0.3)])
    found = decide([Question(values, "greater", 0.0, scale=scale)])[0][0]

    assert found.verdict == "supported"
    assert found.estimate == pytest.approx(3e-10, rel=1e-6)


def test_two_values_are_judged_by_their_interval() -> None:
    """Of two that differ, t with one degree of freedom; of two that are one, nothing is known."""

    far, near, same = [1.0, 1.02], [1.0, 3.0], [1.0, 1.0]

    assert [answer(each, "greater", 0.5).verdict for each in (far, near, same)] == [
        "supported", "inconclusive", "inconclusive",
    ]  # fmt: skip


def test_no_seeds_are_named_where_none_would_help() -> None:
    """Without a margin; of what is decided; where the effect is next to the margin."""

    assert answer(NOISE, "greater", 0.0).seeds_needed is None
    assert answer(2 + NOISE, "greater", 0.5).seeds_needed is None
    assert answer(0.48 + 0.2 * NOISE, "greater", 0.5).seeds_needed is None


@pytest.mark.parametrize(
    ("values", "expects", "margin", "told"),
    [
        ([1, np.nan], "greater", 0, "values of comparison 2 must be finite, got nan"),
        ([np.inf], "within", 0, "values of comparison 2 must be finite, got inf"),
        ([1, 2], "larger", 0, "must expect one of greater, less, .*, got larger"),
        ([1, 2], "greater", -1, "margin of comparison 2 must be 0 or above, got -1"),
        ([1, 2], "greater", np.nan, "margin of comparison 2 must be 0 or above, got nan"),
        ([1, 2], "equal", 0, "margin of comparison 2 must be above 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(values, expects, margin, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        decide([asked([1], "within"), asked(values, expects, margin)])


# --- a claim --------------------------------------------------------------------------------

YES, NO = asked(2 + NOISE, "greater", 0.5), asked(2 + NOISE, "less", 0.5)
NONE, OPEN = asked(0.1 * NOISE, "greater", 0.5), asked(NOISE, "greater", 0.1)


@pytest.mark.parametrize(
    ("parts", "roles", "all_", "any_"),
    [
        ([YES, YES], "dd", "supported", "supported"),
        ([YES, NO], "dd", "contradicted", "supported"),
        ([NO, NO], "dd", "contradicted", "contradicted"),
        ([NO, OPEN], "dd", "contradicted", "inconclusive"),
        ([NO, NONE], "dd", "contradicted", NULL),
        ([YES, NONE], "dd", NULL, "supported"),
        ([NONE, NONE], "dd", NULL, NULL),
        ([YES, OPEN], "dd", "inconclusive", "supported"),
        ([NONE, OPEN], "dd", NULL, "inconclusive"),
        ([OPEN, OPEN], "dd", "inconclusive", "inconclusive"),
        ([YES, YES], "dc", "supported", "supported"),
        ([YES, NO], "dc", "inconclusive", "inconclusive"),
        ([NO, NONE], "dc", "inconclusive", "inconclusive"),
        ([YES, OPEN], "dc", "inconclusive", "inconclusive"),
        ([YES, NO], "db", "supported", "supported"),
        ([NO, OPEN, YES], "dbc", "contradicted", "contradicted"),
    ],
)
def test_conclusion(parts, roles: str, all_: str, any_: str) -> None:
    names = {"d": "decides", "c": "control", "b": "beside"}
    told = [replace(each, role=names[role]) for each, role in zip(parts, roles, strict=True)]

    assert decide(told)[1].verdict == all_
    assert decide(told, "any")[1].verdict == any_


def test_what_takes_all_is_decided_by_intervals_by_themselves() -> None:
    """0.6 above 0 with an interval of 0.06 to 1.14, or of −0.06 to 1.26 with two more beside it."""

    near, far = asked(0.6 + NOISE), asked(2 + NOISE)
    all_, verdict = decide([near, near, far])
    one, _ = decide([near, near, OPEN])

    assert verdict.verdict == "supported"
    assert [each.verdict for each in all_] == ["supported"] * 3
    assert all_[0].low_all < 0 < all_[0].low
    assert [each.verdict for each in one] == ["inconclusive"] * 3
    found, verdict = decide([asked(-0.6 + NOISE)] * 3, "any")
    assert verdict.verdict == "contradicted"
    assert {each.verdict for each in found} == {"contradicted"}
    assert decide([asked(-0.6 + NOISE)] * 3)[1].verdict == "inconclusive"


def test_what_is_missing_leaves_it_open() -> None:
    lost = replace(YES, missing="4 numbers are missing")

    assert decide([lost])[1].verdict == "inconclusive"
    assert decide([lost, NO])[1].verdict == "contradicted"
    assert decide([lost, YES], "any")[1].verdict == "supported"
    assert decide([YES, replace(YES, role="control", missing="4 missing")])[1].verdict == (
        "inconclusive"
    )
    assert "4 numbers are missing" in decide([lost])[1].words


def test_what_is_at_an_end_decides_nothing() -> None:
    """Whatever its values are; its interval is told all the same."""

    at_end = replace(YES, unsettled="the best optimizer.lr of a is at the end")
    (found,), verdict = decide([at_end])
    every = decide([replace(asked([1e-7], "within", 1e-6), unsettled="at the end")])[0][0]

    assert (found.verdict, verdict.verdict, every.verdict) == ("inconclusive",) * 3
    assert found.low == decide([YES])[0][0].low
    assert "at the end" in found.words
    assert found.seeds_needed is None
    assert decide([at_end, NO])[1].verdict == "contradicted"


def test_conclusion_says_why() -> None:
    _, failed = decide([YES, replace(NO, role="control")])
    _, null = decide([YES, NONE])
    _, mixed = decide([YES, NO], "any")

    assert "control, comparison 2, did not show what it must, contradicted" in failed.words
    assert "1 of 2 that decide have no effect that counts" in null.words
    assert "comparison 2, no effect larger than 0.5" in null.words
    assert "1 of 2 that decide are supported; comparison 1" in null.words
    assert "1 of 2 that decide are contradicted; comparison 2" in mixed.words


def test_rules_and_roles_are_checked() -> None:
    with pytest.raises(ValueError, match="a comparison that decides"):
        decide([replace(YES, role="beside")])
    with pytest.raises(ValueError, match="one of decides, control, beside, got decide"):
        decide([replace(YES, role="decide")])
    with pytest.raises(ValueError, match="must decide by all or any, got most"):
        decide([YES], "most")
