"""The tuning of arms: each gets the settings that are best for it on the validation split.

The grid is the same for all arms, and so is the number of networks. They have seeds of their own,
so that what was lucky in the choice is not met again in the comparison.
"""

__all__ = ["Candidate", "Selection", "choose", "combinations"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Any

from .terms import Tuning

Tried = tuple[Mapping[str, Any], Sequence[Mapping[str, Any] | None]]
"""A combination, and the summaries of its networks; None of those that failed."""


@dataclass(frozen=True)
class Candidate:
    """One combination of a grid, and its mean score; None if one of its networks has failed."""

    values: Mapping[str, Any]
    score: float | None
    networks: int
    failed: int


@dataclass(frozen=True)
class Selection:
    """The settings chosen for an arm; the best may lie beyond those at an edge of their grid."""

    chosen: Mapping[str, Any]
    edges: Sequence[str]
    tried: Sequence[Candidate]


def combinations(tuning: Tuning | None, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Returns all combinations of the settings that an arm's overrides leave open."""

    grid = tuning.left_to(overrides) if tuning else {}

    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def choose(tuning: Tuning, tried: Sequence[Tried]) -> Selection | None:
    """Chooses the best combination, the first of equals; None if networks of all have failed.

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
    edges = [
        key
        for key, value in best.values.items()
        if len(tuning.grid[key]) > 2 and value in (tuning.grid[key][0], tuning.grid[key][-1])
    ]

    return Selection(best.values, edges, candidates)
