"""Where a claim holds: its comparisons in cells that differ by data, model, optimizer.

What is told of them is a size and a spread. To count the cells in which a comparison is decided
would be to count their power.
"""

__all__ = ["HOME", "Across", "across"]

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ..statistics import RandomEffects, bounds, random_effects
from .decision import Answered, Decision, decided
from .evidence import Evidence, cells
from .verdict import adjusted

HOME = "as claimed"
"""The name of the cell of the claim's own settings."""


@dataclass(frozen=True)
class Across:
    """A comparison in every cell, the claim's own first.

    Arguments:
        answers: The answer in each cell by the settings that differ in it.
    """

    answers: Mapping[str, Answered]

    @property
    def asked(self) -> Answered:
        """The comparison as the claim asks it."""

        return self.answers[HOME]

    @cached_property
    def whole(self) -> dict[str, Answered]:
        """The answers of the cells in which no number is missing, and an error is known."""

        return {
            cell: a for cell, a in self.answers.items() if not a.missing and _error(a) is not None
        }

    @cached_property
    def pooled(self) -> RandomEffects | None:
        """The effect over the whole cells; None of fewer than two."""

        if len(self.whole) < 2:
            return None
        effects = [each.answer.estimate for each in self.whole.values()]

        return random_effects(effects, [_error(each) or 0.0 for each in self.whole.values()])

    @cached_property
    def reversed(self) -> list[str]:
        """The cells whose effect is on the other side of zero than the mean.

        By intervals that hold together over all cells: of many, some would be by chance.
        """

        if self.pooled is None:
            return []
        sign, level, found = self.pooled.mean.estimate, adjusted(len(self.whole)), []
        for cell, each in self.whole.items():
            assert each.answer.student is not None
            ends = each.answer.student.interval(level)
            if (ends.high < 0 < sign) or (sign < 0 < ends.low):
                found.append(cell)

        return found

    @property
    def mean(self) -> tuple[float, float, float] | None:
        """The mean over cells with its interval, as a ratio if the metric is compared by ratios."""

        return self.pooled and bounds(self.pooled.mean.triple, self.asked.metric.log)


def across(decision: Decision) -> tuple[list[Across], dict[str, Decision]]:
    """Returns the deciding comparisons of a claim in its cells, and the decision in each cell.

    Comparisons of every value have no effect to be averaged. Without any cell there are none.
    """

    evidence = decision.evidence
    others = cells(evidence.study / "claims", evidence)
    if not others:
        return [], {}
    found = {HOME: decision, **{each.cell: decided(Evidence(each.folder)) for each in others}}
    asked = [
        place
        for place, each in enumerate(decision.answers)
        if each.comparison.role == "decides" and each.averaged
    ]

    return [Across({c: d.answers[place] for c, d in found.items()}) for place in asked], found


def _error(answered: Answered) -> float | None:
    student = answered.answer.student

    return None if student is None or student.error == float("inf") else student.error
