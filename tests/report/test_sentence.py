"""The sentence of a claim: true of what was found, in the unit of the metric, with its digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from isoexp.claims.decision import decided
from isoexp.report.answers import outcome
from isoexp.report.sentence import sentence

from .studies import claimed, finished, two_arms

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)
WORSE = (0.70, 0.72, 0.71, 0.70)
SAME = (0.801, 0.811, 0.819, 0.8)
POINTS = {"accuracy": {"of": "summary", "column": "test/accuracy", "unit": "points"}}
COMPARISON = {"contrast": "b - a", "metric": "accuracy", "expects": "greater", "margin": 0.01}
SAYS = {
    "supported": "isotropy helps {}",
    "contradicted": "isotropy harms {}",
    "none": "isotropy does nothing to {}",
}


def said(study: Path, b: tuple[float, ...] = BETTER, **changes: Any) -> str:
    return sentence(decided(claimed(study, two_arms(study, A, b), **changes)))


@pytest.mark.parametrize(
    ("b", "told"),
    [
        (BETTER, "b has 10.2 points [8.7, 11.8] more accuracy than a; margin 1 point, 4 seeds."),
        (WORSE, "b has 10.0 points [8.7, 11.3] less accuracy than a; margin 1 point, 4 seeds."),
    ],
)
def test_without_words_it_tells_arms_metric_sign_and_digits(
    study: Path, b: tuple[float, ...], told: str
) -> None:
    assert said(study, b, metrics=POINTS) == told


@pytest.mark.parametrize(
    ("b", "told"),
    [
        (BETTER, "Isotropy helps b − a (10.2 points [8.7, 11.8]); margin 1 point, 4 seeds."),
        (WORSE, "Isotropy harms b − a (−10.0 points [−11.3, −8.7]); margin"),
        (SAME, "Isotropy does nothing to b − a (0.03 points [−0.13, 0.18]); margin"),
    ],
)
def test_a_claim_says_what_each_outcome_means(study: Path, b: tuple[float, ...], told: str) -> None:
    found = said(study, b, metrics=POINTS, comparisons=[{**COMPARISON, "says": SAYS}])

    assert found.startswith(told)


def test_those_that_say_the_same_share_a_clause(study: Path) -> None:
    """Two are told each, three by their range; those of another outcome have their own clause."""

    says = [{**COMPARISON, "says": SAYS, "label": each} for each in ("tanh", "ReLU")]
    two = said(study, metrics=POINTS, comparisons=says)
    assert two.startswith("Isotropy helps tanh (10.2 points [")
    assert two.count("helps") == 1
    assert " and ReLU (10.2 points [" in two

    other = {**COMPARISON, "contrast": "a - b", "says": SAYS, "label": "|x|"}
    three = [*says, {**COMPARISON, "says": SAYS, "label": "GELU"}, other]
    found = said(study, metrics=POINTS, comparisons=three, name="three")
    assert found.startswith("Isotropy harms |x| (−10.2 points [")
    assert "; isotropy helps tanh, ReLU and GELU (10 points)" in found


def test_what_is_asked_of_every_network_is_told_by_its_worst_and_rounded_to_be_true(
    study: Path,
) -> None:
    metrics = {"angle": {"of": "summary", "column": "angle_rad", "unit": "°"}}
    small, large = (1e-16, 3.66e-16), (0.6345, 1.49)
    runs = {
        arm: [
            finished(study, 10 * k + s, s, {"angle_rad": v}, activation=arm)
            for s, v in enumerate(own)
        ]
        for k, (arm, own) in enumerate({"a": small, "b": large}.items())
    }
    asked = [
        {"contrast": arm, "metric": "angle", "expects": "beyond", "margin": 0.01, "label": name}
        | {"says": {"supported": "turned on by {}", "contradicted": "turned once by {}"}}
        for arm, name in (("a", "ReLU"), ("b", "tanh"))
    ]
    evidence = claimed(study, runs, metrics=metrics, comparisons=asked, seeds=2)

    assert sentence(decided(evidence)) == (
        "Turned once by ReLU (at most 2.1·10⁻¹⁴°); turned on by tanh (at least 36°); "
        "limit 0.573°, 2 seeds."
    )


def test_ratios_and_values_held_against_something_are_told_as_they_are(study: Path) -> None:
    metrics = {"time": {"of": "summary", "column": "test/accuracy", "log": True, "words": "time"}}
    asked = [{"contrast": "b - a", "metric": "time", "expects": "less", "margin": 1.05}]
    told = said(study, metrics=metrics, comparisons=asked)
    assert told.startswith("Time of b is 1.127 [1.107, 1.148] times that of a; margin a factor of")

    alone = [{"contrast": "b", "against": 0.5, "metric": "time", "expects": "less", "margin": 1.05}]
    told = said(study, metrics=metrics, comparisons=alone, name="alone")
    assert told.startswith("Time of b: × 0.910 [0.897, 0.923] against 0.5")


def test_what_is_open_says_what_is_excluded_and_what_is_possible(study: Path) -> None:
    found = said(study, (0.806, 0.816, 0.815, 0.81), metrics=POINTS, comparisons=[
        {**COMPARISON, "says": SAYS, "label": "tanh"}])  # fmt: skip

    assert found.startswith("Not decided: tanh (0.4 points [−0.6, 1.5]); ")
    assert "below −1 point is excluded, above 1 point and in between are possible" in found
    assert "seeds would tell" in found


def test_a_number_that_is_missing_is_named(study: Path) -> None:
    found = said(study, BETTER[:3], metrics=POINTS)

    assert found.startswith("Nothing is said of b − a: 1 number missing (b, seed 3: not run yet)")
    assert "nan" not in found.lower()


def test_a_control_that_failed_comes_first(study: Path) -> None:
    control = {**COMPARISON, "contrast": "a - b", "role": "control", "words": "seen harm"}
    found = said(study, metrics=POINTS, comparisons=[COMPARISON, control])

    assert found.startswith("A control did not show what it must")
    assert "seen harm: −10.2 points [" in found


def test_the_interval_is_the_one_that_the_verdict_is_read_off(study: Path) -> None:
    """One of two is contradicted, so that both are read off wider intervals than one alone is."""

    other = {**COMPARISON, "expects": "equal", "label": "equal"}
    alone = said(study, metrics=POINTS)
    both = said(study, metrics=POINTS, comparisons=[COMPARISON, other], name="both")

    half = {k: stats.t.ppf(1 - 0.05 / k / 2, 3) * stats.sem(np.subtract(BETTER, A)) for k in (1, 2)}
    for told, k in ((alone, 1), (both, 2)):
        assert f"[{10.25 - 100 * half[k]:.1f}, {10.25 + 100 * half[k]:.1f}]" in told


def test_the_unit_stands_in_the_verdict(study: Path) -> None:
    asked = [{**COMPARISON, "margin": 0.015}]
    evidence = claimed(study, two_arms(study, A, SAME), metrics=POINTS, comparisons=asked)

    assert outcome(decided(evidence)) == "no effect larger than 1.5 points"
