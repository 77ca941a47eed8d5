"""Tests for isoexp.claims.discovery: verdicts of a page together."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from isoexp.claims.decision import Answered, Decision
from isoexp.claims.discovery import RATE, discoveries
from isoexp.claims.verdict import NULL, Answer, Question, Verdict, decide
from isoexp.statistics import mean

SURE = np.array([1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1.0])


def decision(p: float | None, verdict: str = "supported", expects: str = "greater") -> Decision:
    """A claim with this p-value."""

    asked: Any = SimpleNamespace(expects=expects, role="decides")
    answer = Answer(1.0, 8, cast(Any, verdict), "")
    evidence: Any = SimpleNamespace(claim=SimpleNamespace(name=f"claim {p}"))
    answered = Answered(asked, answer, SURE, cast(Any, None), [])

    return Decision(evidence, [answered], Verdict(cast(Any, verdict), "", p))


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_p_is_the_least_level_at_which_a_verdict_is_read_off(margin: float) -> None:
    """L > m at the level 1 − p where m is the end of the interval: p of a t test of m̂ − m."""

    _, found = decide([Question(SURE, "greater", margin)])
    assert found.verdict == "supported"
    assert found.p == pytest.approx(max(mean(SURE - margin).test().p, 1e-9), rel=0.02)


def test_what_takes_all_has_the_largest_p_and_what_takes_one_k_times_the_least() -> None:
    wide = SURE + np.linspace(-1, 1, 8) - 0.2
    ps = [mean(SURE - 0.5).test().p, mean(wide).test().p]
    both = [Question(SURE, "greater", 0.5), Question(wide, "greater", 0.0)]

    assert decide(both)[1].p == pytest.approx(max(ps), rel=0.02)
    mirrored = [Question(-SURE, "greater", 0.5), Question(wide, "greater", 0.0)]
    found = decide(mirrored)[1]
    assert (found.verdict, found.p) == ("contradicted", pytest.approx(2 * min(ps), rel=0.02))
    assert decide(both, "any")[1].p == pytest.approx(2 * min(ps), rel=0.02)


def test_no_effect_has_the_p_of_two_one_sided_tests_at_both_ends() -> None:
    """−m ≤ L and U ≤ m at 1 − α: twice the p of TOST, whose interval is that of 1 − 2α."""

    near = SURE - 1.01
    found = decide([Question(near, "greater", 0.1)])[1]

    assert found.verdict == NULL
    assert found.p == pytest.approx(2 * mean(near).equivalence(0.1).p, rel=0.02)


def test_open_and_exact_verdicts_have_none() -> None:
    assert decide([Question(SURE - 1, "greater", 0.0)])[1].p is None
    assert decide([Question(SURE, "beyond", 0.5)])[1].p is None


def test_claims_are_parted_by_whether_they_hold_together() -> None:
    """Of m = 4, q / (m Σ 1/j) = 0.05 / (4 · 25/12) = 0.006: p₁ ≤ 0.006, p₂ ≤ 0.012, p₃ > 0.018."""

    given = [
        decision(0.001), decision(0.0115), decision(0.03), decision(None, "inconclusive"),
        decision(None, "supported", "within"),
    ]  # fmt: skip
    found = discoveries(given)

    assert [each.verdict.p for each in found.kept] == [0.001, 0.0115]
    assert [each.verdict.p for each in found.alone] == [0.03]
    assert found.asked == 4
    assert found.line.startswith("Of the verdicts read off intervals 2 of 3 hold together")
    assert "5 %" in found.line
    assert found.line.endswith("by itself only: claim 0.03.")
    assert discoveries([]).line == discoveries(given[-1:]).line == ""
    assert discoveries(given[:1]).line == "", "one claim is its own page"


def test_few_of_those_that_are_kept_are_wrong() -> None:
    """20 claims that depend on each other, 4 of them true: at most 5 % of those kept are wrong.

    Read off one by one a third is.
    """

    rng = np.random.default_rng(0)
    wrong, alone = [], []
    for _ in range(400):
        z = rng.normal(size=20) * np.sqrt(0.5) + rng.normal() * np.sqrt(0.5)
        z[:4] += 3.0
        p = np.minimum(1.0, 2 * np.array([_tail(each) for each in z]))
        found = discoveries([decision(float(each) if each <= 0.05 else None) for each in p])
        kept = {each.verdict.p for each in found.kept}
        false = sum(each in kept for each in p[4:])
        wrong.append(false / max(len(found.kept), 1))
        alone.append((p[4:] <= 0.05).sum() / max((p <= 0.05).sum(), 1))

    assert np.mean(wrong) <= RATE
    assert np.mean(alone) > 2 * RATE


def _tail(z: float) -> float:
    from scipy.special import ndtr

    return float(ndtr(-abs(z)))
