"""Tests for isoexp.claims.verdict: each answer, and what answers say together."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest

from isoexp.claims.verdict import NULL, Answer, conclude, decide
from isoexp.statistics import hedges, mean, seeds_for_equivalence, sign_flips

NOISE = np.array([-1.2, -0.9, -0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.9, 1.2])
"""Ten values whose mean is 0, with a standard deviation of 0.75 and a standard error of 0.24."""


def answer(values, expects: str, margin: float = 0.0) -> Answer:
    return decide([(np.asarray(values, dtype=float), expects, margin)])[0]


# --- one comparison -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "spread", "expects", "margin", "verdict"),
    [
        (2.0, 1, "greater", 0.5, "supported"),
        (2.0, 1, "less", 0.5, "contradicted"),
        (-2.0, 1, "less", 0.5, "supported"),
        (-2.0, 1, "greater", 0.5, "contradicted"),
        (2.0, 1, "equal", 0.5, "contradicted"),
        (0.01, 0.1, "greater", 0.5, NULL),
        (0.01, 0.1, "less", 0.5, NULL),
        (0.01, 0.1, "equal", 0.5, "supported"),
        (0.3, 0.1, "greater", 0.5, NULL),  # significant, yet too small to count
        (0.3, 0.1, "equal", 0.5, "supported"),
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
    assert found.p is found.p_holm is found.p_permutation is None


def test_answer_carries_its_statistics() -> None:
    values = 0.4 + NOISE
    found = answer(values, "greater", 0.2)
    student, flips = mean(values), sign_flips(values)

    assert found.n == 10
    assert (found.estimate, found.low) == (student.estimate, student.interval().low)
    assert found.p == found.p_holm == student.test().p
    assert (found.p_permutation, found.p_permutation_smallest) == (flips.p, 2 / 2**10)
    assert found.p_equivalence == student.equivalence(0.2).p
    assert found.effect == hedges(values)
    assert found.seeds_needed == seeds_for_equivalence(NOISE.std(ddof=1), 0.2).n
    for told in ("n = 10", "0.4", "p = 0.13 by t", "by sign flips", "above 0 by at least 0.2"):
        assert told in found.words
    assert f"{found.seeds_needed} seeds would tell" in found.words


def test_holm_counts_what_was_asked() -> None:
    """Also what has no values yet; not what needs no p."""

    sure, none = 0.6 + NOISE, np.array([])
    alone = answer(sure, "greater")
    found = decide(
        [(sure, "greater", 0), (none, "greater", 0), (NOISE, "less", 0), (NOISE, "within", 2)]
    )

    assert alone.p is not None
    assert alone.verdict == "supported"
    assert found[0].p == alone.p
    assert found[0].p_holm == pytest.approx(3 * alone.p)
    assert found[0].verdict == "inconclusive"
    assert [each.verdict for each in found[1:]] == ["inconclusive", "inconclusive", "supported"]


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


def test_no_seeds_are_named_where_none_would_help() -> None:
    """Without a margin; of what is decided; where the effect is next to the margin."""

    assert answer(NOISE, "greater", 0.0).seeds_needed is None
    assert answer(2 + NOISE, "greater", 0.5).seeds_needed is None
    assert answer(0.48 + 0.2 * NOISE, "greater", 0.5).seeds_needed is None


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ([([1, np.nan], "greater", 0)], "values of comparison 1 must be finite, got nan"),
        (
            [([1], "within", 0), ([np.inf], "within", 0)],
            "values of comparison 2 must be finite, got inf",
        ),
        ([([1, 2], "larger", 0)], "must expect one of greater, less, .*, got larger"),
        ([([1, 2], "greater", -1)], "margin of comparison 1 must be 0 or above, got -1"),
        ([([1, 2], "greater", np.nan)], "margin of comparison 1 must be 0 or above, got nan"),
        ([([1, 2], "equal", 0)], "margin of comparison 1 must be above 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(asked, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        decide([(np.array(values, dtype=float), *how) for values, *how in asked])


# --- a claim --------------------------------------------------------------------------------

YES, NO = answer(2 + NOISE, "greater", 0.5), answer(2 + NOISE, "less", 0.5)
NONE, OPEN = answer(0.1 * NOISE, "greater", 0.5), answer(NOISE, "greater", 0.1)


@pytest.mark.parametrize(
    ("answers", "roles", "verdict"),
    [
        ([YES, YES], ["decides", "decides"], "supported"),
        ([YES, NO], ["decides", "decides"], "contradicted"),
        ([NO, OPEN], ["decides", "decides"], "contradicted"),
        ([NO, NONE], ["decides", "decides"], "contradicted"),
        ([YES, NONE], ["decides", "decides"], "inconclusive"),
        ([NONE, NONE], ["decides", "decides"], NULL),
        ([YES, OPEN], ["decides", "decides"], "inconclusive"),
        ([NONE, OPEN], ["decides", "decides"], "inconclusive"),
        ([YES, YES], ["decides", "control"], "supported"),
        ([YES, NO], ["decides", "control"], "inconclusive"),
        ([NO, NONE], ["decides", "control"], "inconclusive"),
        ([YES, OPEN], ["decides", "control"], "inconclusive"),
        ([YES, NO], ["decides", "beside"], "supported"),
        ([NO, OPEN, YES], ["decides", "beside", "control"], "contradicted"),
    ],
)
def test_conclusion(answers, roles, verdict: str) -> None:
    assert conclude(list(zip(answers, roles, strict=True))).verdict == verdict


def test_conclusion_says_why() -> None:
    failed = conclude([(YES, "decides"), (replace(NO, words="as many as before"), "control")])
    null = conclude([(YES, "decides"), (NONE, "decides")])

    assert "control, comparison 2, did not show what it must" in failed.words
    assert "as many as before" in failed.words
    assert "the comparisons disagree: 1 of 2" in null.words
    assert "comparison 2, no effect larger than 0.5" in null.words


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("beside", "a comparison that decides"),
        ("decide", "one of decides, control, beside, got decide"),
    ],
)
def test_roles_are_checked(role: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        conclude([(YES, role)])
