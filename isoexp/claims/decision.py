"""The decision on a claim, from its evidence: reading alone, so that it can be redone."""

__all__ = ["Answered", "Decision", "decided"]

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, log
from typing import Any

import numpy as np

from ..statistics import bounds
from .evidence import Evidence, Missing
from .terms import Comparison, Metric, expectation
from .verdict import Answer, Verdict, conclude, decide


@dataclass(frozen=True)
class Answered:
    """A comparison with its answer and its contrast by seed, without the missing ones.

    Both are in logarithms, if the metric is compared by ratios.
    """

    comparison: Comparison
    answer: Answer
    values: np.ndarray
    metric: Metric
    missing: Sequence[Missing]

    @property
    def interval(self) -> tuple[float, float, float]:
        """The estimate and the ends of its interval; ratios instead of logarithms."""

        return bounds(self.answer, self.metric.log)

    @property
    def expected(self) -> str:
        """The expectation, with the smallest effect that counts."""

        return expectation(self.comparison.expects, self.comparison.margin, self.metric.log)

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

    @property
    def written(self) -> dict[str, Any]:
        """The comparison and its answer as plain values; infinite bounds are None."""

        asked, answer = self.comparison, self.answer
        bounds = zip(("estimate", "low", "high"), self.interval, strict=True)

        return {
            **{key: getattr(asked, key) for key in ("contrast", "metric", "expects", "margin")},
            "role": asked.role,
            "verdict": answer.verdict,
            "n": answer.n,
            **{key: value if isfinite(value) else None for key, value in bounds},
            "ratio": self.metric.log,
            "words": answer.words,
        }


@dataclass(frozen=True)
class Decision:
    """The verdict on a claim, with all that it rests on."""

    evidence: Evidence
    answers: Sequence[Answered]
    verdict: Verdict

    @property
    def missing(self) -> list[Missing]:
        """The missing numbers, each once."""

        return list(dict.fromkeys(each for answered in self.answers for each in answered.missing))

    @property
    def written(self) -> dict[str, Any]:
        """The decision as plain values, for verdict.json."""

        claim = self.evidence.claim
        return {
            "claim": claim.name,
            "scale": claim.scale,
            "verdict": self.verdict.verdict,
            "because": self.verdict.words,
            "complete": not self.missing,
            "comparisons": [each.written for each in self.answers],
        }


def decided(evidence: Evidence) -> Decision:
    """Decides a claim by the runs that there are.

    A number that is missing, since a run failed or was not done, is not passed over: what rests on
    the rest alone would be a comparison of those that survived, so it stays inconclusive.
    """

    claim = evidence.claim
    asked, gaps = [], []
    for comparison in claim.comparisons:
        values, missing = evidence.contrast(comparison)
        ratio, margin = claim.metrics[comparison.metric].log, comparison.margin
        values = values[np.isfinite(values)]
        asked.append((values, comparison.expects, log(margin) if ratio else margin))
        gaps.append(missing)

    answered = []
    parts = zip(claim.comparisons, decide(asked), asked, gaps, strict=True)
    for comparison, answer, (values, *_), missing in parts:
        if missing:
            arms = ", ".join(dict.fromkeys(each.arm for each in missing))
            told = f"{len(missing)} numbers are missing, of {arms} with {claim.seeds} seeds each"
            words = f"{told}: {missing[0].reason}"
            answer = replace(answer, verdict="inconclusive", words=words)
        metric = claim.metrics[comparison.metric]
        answered.append(Answered(comparison, answer, values, metric, missing))
    verdict = conclude([(each.answer, each.comparison.role) for each in answered])

    return Decision(evidence, answered, verdict)
