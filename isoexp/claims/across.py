"""Where a claim holds: its comparisons in cells that differ by data, model, optimizer.

What is told of them is a size and a spread. To count the cells in which a comparison is decided
would be to count their power.
"""

__all__ = ["HOME", "Across", "across"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..statistics import RandomEffects, random_effects
from .decision import Answered, Decision, decided
from .evidence import Evidence, cells
from .terms import key_of
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

        return next(iter(self.answers.values()))

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
    def sides(self) -> tuple[list[str], list[str]]:
        """The cells whose effect is below zero, and those where it is above.

        By intervals that hold together over all cells: of many, some would be by chance.
        """

        level, below, above = adjusted(len(self.whole)), [], []
        for cell, each in self.whole.items():
            assert each.answer.student is not None
            ends = each.answer.student.interval(level)
            below += [cell] * (ends.high < 0)
            above += [cell] * (ends.low > 0)

        return below, above


def across(decision: Decision) -> tuple[list[Across], dict[str, Decision]]:
    """Returns the deciding comparisons of a claim in its cells, and the decision in each cell.

    Comparisons of every value have no effect to be averaged. Without any cell there are none.
    """

    evidence = decision.evidence
    others = cells(evidence.study / "claims", evidence)
    if not others:
        return [], {}
    home = _home(evidence, [key_of(each) for other in others for each in other.settings])
    found = {home: decision, **{each.cell: decided(Evidence(each.folder)) for each in others}}
    asked = [
        place
        for place, each in enumerate(decision.answers)
        if each.comparison.role == "decides" and each.averaged
    ]

    return [Across({c: d.answers[place] for c, d in found.items()}) for place in asked], found


def _home(evidence: Evidence, keys: Sequence[str]) -> str:
    """Names the cell of the claim, with its own values of what varies between cells."""

    runs = [run for own in evidence.runs.values() for run in own.values() if run]
    said = dict(runs[0].state.get("columns") or {}) if runs else {}
    said |= {key_of(each): each.partition("=")[2] for each in evidence.claim.common}
    told = " ".join(f"{key}={said[key]}" for key in dict.fromkeys(keys) if key in said)

    return f"{HOME}: {told}" if told else HOME


def _error(answered: Answered) -> float | None:
    student = answered.answer.student

    return None if student is None or student.error == float("inf") else student.error
