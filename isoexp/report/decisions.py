"""Decisions: from the evidence of a claim to its verdict. Reading alone, so it can be redone."""

__all__ = ["Answered", "Decision", "decided"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, log
from typing import Any

import numpy as np

from .claims import Comparison, Metric
from .evidence import Evidence, Missing
from .verdicts import EXPECTATIONS, Answer, Verdict, conclude, decide

LEVEL = 0.95
"""The level of all intervals."""

RATIOS = {
    "greater": "above 1 by a factor of at least {:g}",
    "less": "below 1 by a factor of at least {:g}",
    "equal": "within a factor of {:g} of 1",
    "within": "every value within a factor of {:g} of 1",
    "beyond": "every value beyond a factor of {:g} of 1",
}
"""What may be expected of ratios."""


@dataclass(frozen=True)
class Answered:
    """A comparison and what came of it.

    Arguments:
        comparison: What was asked.
        answer: What the numbers say; of a metric that is compared by ratios, in logarithms.
        values: The contrast by seed, without what is missing; logarithms, if the metric is
            compared by ratios.
        metric: The metric that is compared.
        missing: The numbers that there are not.
    """

    comparison: Comparison
    answer: Answer
    values: np.ndarray
    metric: Metric
    missing: Sequence[Missing]

    @property
    def log(self) -> bool:
        """Whether it is of ratios."""

        return self.metric.log

    def shown(self, value: float) -> float:
        """Returns an estimate or bound as a reader wants it: ratios instead of logarithms."""

        if not self.log:
            return value
        with np.errstate(over="ignore"):  # of two seeds, bounds may be beyond all numbers
            return float(np.exp(value))

    @property
    def asked(self) -> str:
        """What was expected, with the smallest effect that counts."""

        told = (RATIOS if self.log else EXPECTATIONS)[self.comparison.expects]
        any_size = " by a factor of at least 1" if self.log else " by at least 0"

        return told.format(self.comparison.margin).removesuffix(any_size)

    @property
    def against(self) -> str:
        """What the contrast is compared with, if not with nothing."""

        return f" against {self.comparison.against:g}" if self.comparison.against else ""

    @property
    def line(self) -> str:
        """What was measured, with its interval, and what was asked."""

        asked, answer = self.comparison, self.answer
        estimate, low, high = (
            f"{self.shown(each):.4g}" for each in (answer.estimate, answer.low, answer.high)
        )
        of = asked.words or f"{asked.contrast}{self.against}, {self.metric.words}"

        return f"{of}: {estimate} [{low}, {high}], n = {answer.n}; asked was {self.asked}"


@dataclass(frozen=True)
class Decision:
    """What is concluded of a claim.

    Arguments:
        evidence: The claim and its runs.
        answers: What came of each comparison.
        verdict: The whole.
        complete: Whether every run of it is there.
    """

    evidence: Evidence
    answers: Sequence[Answered]
    verdict: Verdict
    complete: bool

    @property
    def missing(self) -> list[Missing]:
        """The numbers that there are not, each once."""

        return list(dict.fromkeys(each for answered in self.answers for each in answered.missing))

    @property
    def written(self) -> dict[str, Any]:
        """The decision as plain values, for verdict.json; bounds that there are not are None."""

        claim = self.evidence.claim
        return {
            "claim": claim.name,
            "scale": claim.scale,
            "verdict": self.verdict.verdict,
            "because": self.verdict.words,
            "complete": self.complete,
            "comparisons": [
                {
                    "contrast": each.comparison.contrast,
                    "metric": each.comparison.metric,
                    "expects": each.comparison.expects,
                    "margin": each.comparison.margin,
                    "role": each.comparison.role,
                    "verdict": each.answer.verdict,
                    "n": each.answer.n,
                    **{
                        key: value if isfinite(value) else None
                        for key in ("estimate", "low", "high")
                        for value in (each.shown(getattr(each.answer, key)),)
                    },
                    "ratio": each.log,
                    "words": each.answer.words,
                }
                for each in self.answers
            ],
        }


def decided(evidence: Evidence) -> Decision:
    """Returns what the runs of a claim say so far.

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
    answers = [
        replace(answer, verdict="inconclusive", words=_gaps(missing, claim.seeds))
        if missing
        else answer
        for answer, (_, missing) in zip(answers, contrasts, strict=True)
    ]
    verdict = conclude(answers, [each.role for each in claim.comparisons])
    complete = not any(missing for _, missing in contrasts)

    gaps = [missing for _, missing in contrasts]
    columns = claim.comparisons, answers, values, metrics, gaps
    answered = [Answered(*each) for each in zip(*columns, strict=True)]

    return Decision(evidence, answered, verdict, complete)


def _gaps(missing: Sequence[Missing], seeds: int) -> str:
    """Returns what is said of numbers that are missing."""

    arms = ", ".join(dict.fromkeys(each.arm for each in missing))
    first = missing[0].reason

    return f"{len(missing)} numbers are missing, of {arms} with {seeds} seeds each: {first}"
