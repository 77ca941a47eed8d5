"""The tuning of arms: each gets the settings that are best for it on the validation split.

Every arm has as many trials as every other, each of as many networks: all combinations of a grid,
or points spread evenly over a space, which may have settings that only this arm has. The networks
have seeds of their own, so that what was lucky in the choice is not met again in the comparison.

Where the best trial of an arm is at an end of its grid or space, this is made longer there, for all
arms alike and at most three times. What is best at an end all the same may be better beyond it.

Source: Halton, On the Efficiency of Certain Quasi-Random Sequences of Points (1960).
"""

__all__ = ["LONGER", "Candidate", "Edge", "Selection", "SearchSpace", "choose"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, exp, log
from statistics import fmean
from typing import Any, Literal, NamedTuple

from .terms import Tuning

LONGER = 3
"""How often a grid or a space is made longer at most."""

NEAR = 0.05
"""The share of a range that is its end."""

FURTHER = 3
"""A range is made longer by a third of it, with a third of the trials."""

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)

Tried = tuple[Mapping[str, Any], Sequence[Mapping[str, Any] | None]]
"""A combination, and the summaries of its networks; None of those that failed."""


class Edge(NamedTuple):
    """An end of the values of a setting."""

    key: str
    side: Literal["low", "high"]


@dataclass(frozen=True)
class SearchSpace:
    """The trials of an arm.

    Arguments:
        settings: The values of each setting, all combinations of which are tried; or its range,
            (low, high), even in its logarithm if it is above 0.
        trials: The number of points of a space; 0 of a grid.
        longer: The ends at which it has been made longer, one after the other.
    """

    settings: Mapping[str, Sequence[Any]]
    trials: int = 0
    longer: tuple[Edge, ...] = ()

    @classmethod
    def of(
        cls,
        tuning: Tuning | None,
        arm: str,
        overrides: Sequence[str],
        longer: tuple[Edge, ...] = (),
    ) -> "SearchSpace":
        """Returns what a tuning leaves to an arm that has set some settings itself."""

        if tuning is None:
            return cls({})

        return cls(tuning.left_to(overrides, arm), tuning.trials, longer)

    @property
    def candidates(self) -> list[dict[str, Any]]:
        """The settings of each trial."""

        if not self.settings:
            return [{}]
        if not self.trials:
            lists = {key: self._grid(key) for key in self.settings}
            return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]

        ranges = {key: (float(low), float(high)) for key, (low, high) in self.settings.items()}
        found = [_point(ranges, n) for n in range(1, self.trials + 1)]
        more = ceil(self.trials / FURTHER)
        for end in self.longer:  # what has not got this setting is given as many more trials
            strip, whole = dict(ranges), dict(ranges)
            if end.key in ranges:
                strip[end.key], whole[end.key] = _longer(ranges[end.key], end.side)
            found += [_point(strip, n) for n in range(len(found) + 1, len(found) + more + 1)]
            ranges = whole

        return found

    def ends(self, values: Mapping[str, Any]) -> list[Edge]:
        """Returns the ends at which some values are: of a range, or of all that was tried."""

        found: list[Edge] = []
        tried = self.candidates
        for key, value in values.items():
            every = [each[key] for each in tried]
            if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in every):
                continue
            place = _place(self._range(key), value) if self.trials else 0.5
            if min(every) == max(every):
                continue
            if value <= min(every) or place <= NEAR:
                found.append(Edge(key, "low"))
            if value >= max(every) or place >= 1 - NEAR:
                found.append(Edge(key, "high"))

        return found

    def _range(self, key: str) -> tuple[float, float]:
        """Returns the range of a setting of a space, made longer where it was."""

        low, high = self.settings[key]
        bounds = float(low), float(high)
        for end in self.longer:
            if end.key == key:
                _, bounds = _longer(bounds, end.side)

        return bounds

    def _grid(self, key: str) -> list[Any]:
        """Returns the values of a setting in a grid, made longer where it was."""

        grid = list(self.settings[key])
        for end in self.longer:
            if end.key == key:
                a, b = grid[:2][::-1] if end.side == "low" else grid[-2:]
                beyond = _rounded(b * b / a if min(a, b) > 0 else b + b - a)
                grid = [beyond, *grid] if end.side == "low" else [*grid, beyond]

        return grid


def _longer(
    bounds: tuple[float, float], side: str
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns what is added to a range at an end, and the whole of it then."""

    low, high = bounds
    beyond = _value(bounds, -1 / FURTHER if side == "low" else 1 + 1 / FURTHER)
    strip = (beyond, low) if side == "low" else (high, beyond)

    return strip, (min(low, beyond), max(high, beyond))


def _point(ranges: Mapping[str, tuple[float, float]], n: int) -> dict[str, float]:
    """Returns the point n = 1, 2, … of Halton's sequence in some ranges."""

    return {
        key: _rounded(_value(bounds, _radical_inverse(n, prime)))
        for (key, bounds), prime in zip(ranges.items(), PRIMES, strict=False)
    }


def _radical_inverse(n: int, base: int) -> float:
    """Returns the digits of n in a base, mirrored at the point."""

    found, scale = 0.0, 1.0
    while n:
        n, digit = divmod(n, base)
        scale /= base
        found += digit * scale

    return found


def _value(bounds: tuple[float, float], place: float) -> float:
    """Returns the value at a place of a range, from 0 to 1."""

    low, high = bounds

    return exp(log(low) + place * log(high / low)) if low > 0 else low + place * (high - low)


def _place(bounds: tuple[float, float], value: float) -> float:
    low, high = bounds

    return log(value / low) / log(high / low) if low > 0 else (value - low) / (high - low)


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


@dataclass(frozen=True)
class Candidate:
    """One trial, and its mean score; None if one of its networks has failed."""

    values: Mapping[str, Any]
    score: float | None
    networks: int
    failed: int


@dataclass(frozen=True)
class Selection:
    """The settings chosen for an arm, and those that are best at an end of what was tried."""

    chosen: Mapping[str, Any]
    edges: Sequence[str]
    tried: Sequence[Candidate]


def choose(tuning: Tuning, space: SearchSpace, tried: Sequence[Tried]) -> Selection | None:
    """Chooses the best trial, the first of equals; None if networks of all have failed.

    One whose networks did not all end is not chosen: a rate at which training diverges now and
    then is not a good one, however well the rest does.
    """

    candidates = []
    for values, summaries in tried:
        scores = [None if each is None else each.get(tuning.metric) for each in summaries]
        known = [score for score in scores if score is not None]
        failed = len(scores) - len(known)
        score = None if failed or not known else fmean(known)
        candidates.append(Candidate(values, score, len(scores), failed))
    whole = [each for each in candidates if each.score is not None]
    if not whole:
        return None
    sign = -1 if tuning.metric.endswith("/loss") else 1
    best = max(whole, key=lambda each: sign * (each.score or 0.0))

    return Selection(best.values, [end.key for end in space.ends(best.values)], candidates)
