"""The decision on a claim, from its evidence: reading alone, so that it can be redone."""

__all__ = ["Answered", "Decision", "decided"]

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Any

import numpy as np

from ..output import plural
from ..statistics import bounds, in_digits
from .error import student_of
from .evidence import Evidence, Missing
from .terms import Comparison, Metric, expectation
from .verdict import AGREED, EVERY, Answer, Question, Verdict, decide


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
    unsettled: str = ""

    @property
    def over(self) -> str:
        """What varies in the interval."""

        return self.answer.student.over if self.answer.student else "seeds"

    @property
    def averaged(self) -> bool:
        """Whether it is about a mean, which has an interval, and not about every value."""

        return self.comparison.expects not in EVERY

    @property
    def interval(self) -> tuple[float, float, float]:
        """The estimate and the ends of its interval by itself; ratios instead of logarithms."""

        answer = self.answer

        return bounds((answer.estimate, answer.low, answer.high), self.metric.log)

    @property
    def interval_all(self) -> tuple[float, float, float]:
        """The same with the interval that holds together with the others that decide."""

        answer = self.answer

        return bounds((answer.estimate, answer.low_all, answer.high_all), self.metric.log)

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
    def told(self) -> str:
        """The estimate with its interval by itself."""

        return in_digits(*self.interval, self.metric.log)

    @property
    def line(self) -> str:
        """The question, the estimate with its interval, and the expectation."""

        over = "" if self.over == "seeds" else f" over {self.over}"
        told = f"{self.question}: {self.told}{over}, n = {self.answer.n}"
        unsettled = f"; {self.unsettled}" if self.unsettled else ""

        return f"{told}; asked was {self.expected}{unsettled}"

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
            "over": self.over,
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
    def deciding(self) -> list[Answered]:
        """The comparisons that decide."""

        return [each for each in self.answers if each.comparison.role == "decides"]

    @property
    def together(self) -> bool:
        """Whether the verdict is read off the intervals that hold together, not each by itself."""

        found = {each.answer.verdict for each in self.deciding}

        return found not in AGREED[self.evidence.claim.decides]

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
        values, scale, missing = evidence.contrast(comparison)
        ratio, margin = claim.metrics[comparison.metric].log, comparison.margin
        arms = ", ".join(dict.fromkeys(each.arm for each in missing))
        lacks = plural(len(missing), "number") + (" is" if len(missing) == 1 else " are")
        told = f"{lacks} missing, of {arms} with {plural(claim.seeds, 'seed')} each"
        each = Question(
            values[np.isfinite(values)],
            comparison.expects,
            log(margin) if ratio else margin,
            comparison.role,
            scale,
            None if missing else student_of(evidence, comparison, values, scale),
            missing=f"{told}: {missing[0].reason}" if missing else "",
            unsettled=_at_an_end(evidence, comparison),
        )
        asked.append(each)
        gaps.append(missing)
    answers, verdict = decide(asked, claim.decides)

    parts = zip(claim.comparisons, answers, asked, gaps, strict=True)
    answered = [
        Answered(
            comparison,
            answer,
            each.values,
            claim.metrics[comparison.metric],
            missing,
            each.unsettled,
        )
        for comparison, answer, each, missing in parts
    ]

    return Decision(evidence, answered, verdict)


def _at_an_end(evidence: Evidence, comparison: Comparison) -> str:
    """Says which arms of a comparison are best at an end of what was tried, if any is."""

    if evidence.claim.scale == "smoke":
        return ""
    ends = {arm: (evidence.tuned.get(arm) or {}).get("edges") for arm in comparison.weights}
    found = [f"{' and '.join(keys)} of {arm}" for arm, keys in ends.items() if keys]
    if not found:
        return ""

    return f"the best {', '.join(found)} is at the end of what was tried: it may be better beyond"
