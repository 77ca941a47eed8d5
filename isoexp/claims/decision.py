"""The decision on a claim, from its evidence: reading alone, so that it can be redone."""

__all__ = ["Answered", "Decision", "decided"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, log
from typing import Any

import numpy as np

from .answer import Answer, decide
from .evidence import Evidence, Missing
from .terms import Comparison, Metric, expectation
from .verdict import Verdict, conclude

LEVEL = 0.95
"""The level of all intervals."""


@dataclass(frozen=True)
class Answered:
    """A comparison with its answer.

    Arguments:
        answer: The answer; in logarithms, if the metric is compared by ratios.
        values: The contrast by seed, without missing ones, in logarithms likewise.
    """

    comparison: Comparison
    answer: Answer
    values: np.ndarray
    metric: Metric
    missing: Sequence[Missing]

    @property
    def log(self) -> bool:
        """True if it is of ratios."""

        return self.metric.log

    @property
    def interval(self) -> tuple[float, float, float]:
        """The estimate and the ends of its interval; ratios instead of logarithms."""

        found = self.answer.estimate, self.answer.low, self.answer.high
        if not self.log:
            return found
        with np.errstate(over="ignore"):  # of two seeds, bounds may be beyond all numbers
            estimate, low, high = (float(np.exp(each)) for each in found)

        return estimate, low, high

    @property
    def expected(self) -> str:
        """The expectation, with the smallest effect that counts."""

        return expectation(self.comparison.expects, self.comparison.margin, self.log)

    @property
    def contrast(self) -> str:
        """The contrast, with the value under the null if it is not nothing."""

        asked = self.comparison

        return asked.contrast + (f" against {asked.against:g}" if asked.against else "")

    @property
    def question(self) -> str:
        """The question in words: as the claim puts it, or the contrast and its metric."""

        return self.comparison.words or f"{self.contrast}, {self.metric.words}"

    @property
    def line(self) -> str:
        """The question, the estimate with its interval, and the expectation."""

        estimate, low, high = (f"{each:.4g}" for each in self.interval)
        told = f"{self.question}: {estimate} [{low}, {high}], n = {self.answer.n}"

        return f"{told}; asked was {self.expected}"


@dataclass(frozen=True)
class Decision:
    """The verdict on a claim, with all that it rests on; complete if no number is missing."""

    evidence: Evidence
    answers: Sequence[Answered]
    verdict: Verdict
    complete: bool

    @property
    def missing(self) -> list[Missing]:
        """The missing numbers, each once."""

        return list(dict.fromkeys(each for answered in self.answers for each in answered.missing))

    @property
    def written(self) -> dict[str, Any]:
        """The decision as plain values, for verdict.json; infinite bounds are None."""

        claim = self.evidence.claim
        return {
            "claim": claim.name,
            "scale": claim.scale,
            "verdict": self.verdict.verdict,
            "because": self.verdict.words,
            "complete": self.complete,
            "comparisons": [_written(each) for each in self.answers],
        }


def decided(evidence: Evidence) -> Decision:
    """Decides a claim by the runs that there are.

    A number that is missing, since a run failed or was not done, is not passed over: what rests on
    the rest alone would be a comparison of those that survived, so it stays inconclusive.
    """

    claim = evidence.claim
    contrasts = [evidence.contrast(each) for each in claim.comparisons]
    values = [each[np.isfinite(each)] for each, _ in contrasts]
    metrics = [claim.metrics[each.metric] for each in claim.comparisons]
    margins = [
        log(each.margin) if metric.log else each.margin
        for each, metric in zip(claim.comparisons, metrics, strict=True)
    ]
    answers = decide(values, [each.expects for each in claim.comparisons], margins, LEVEL)
    gaps = [missing for _, missing in contrasts]
    answers = [
        replace(answer, verdict="inconclusive", words=_gap(missing, claim.seeds))
        if missing
        else answer
        for answer, missing in zip(answers, gaps, strict=True)
    ]
    verdict = conclude(answers, [each.role for each in claim.comparisons])
    columns = claim.comparisons, answers, values, metrics, gaps
    answered = [Answered(*each) for each in zip(*columns, strict=True)]

    return Decision(evidence, answered, verdict, complete=not any(gaps))


def _gap(missing: Sequence[Missing], seeds: int) -> str:
    arms = ", ".join(dict.fromkeys(each.arm for each in missing))
    first = missing[0].reason

    return f"{len(missing)} numbers are missing, of {arms} with {seeds} seeds each: {first}"


def _written(answered: Answered) -> dict[str, Any]:
    asked, answer = answered.comparison, answered.answer
    bounds = zip(("estimate", "low", "high"), answered.interval, strict=True)

    return {
        "contrast": asked.contrast,
        "metric": asked.metric,
        "expects": asked.expects,
        "margin": asked.margin,
        "role": asked.role,
        "verdict": answer.verdict,
        "n": answer.n,
        **{key: value if isfinite(value) else None for key, value in bounds},
        "ratio": answered.log,
        "words": answer.words,
    }
