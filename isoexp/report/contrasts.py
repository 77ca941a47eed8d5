"""Means of groups of runs and their contrasts, with the error of the data, as claims have it.

Groups that share seeds are compared seed by seed: B − A of each seed, and Student's t of these. Two
groups without a seed in common are compared by Welch.
"""

__all__ = ["Contrast", "contrast", "mean_of", "over", "overs", "reader"]

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..claims.error import WITHOUT_DATA, Read, with_data
from ..claims.values import results
from ..output import plural
from ..statistics import (
    Estimate,
    Student,
    apart,
    difference,
    hedges,
    hedges_unpaired,
    identical,
    mean,
)
from ..store.run import Run
from .cells import ranged
from .document import Cell
from .entries import RunGroup

LEAST = 3
"""Values that a group must have for an effect size: the spread of two is chance."""

TOLD = 8
"""Numbers that a caption names."""


@dataclass(frozen=True)
class Contrast:
    """B − A of a final number.

    Arguments:
        n: What it is from, in words.
        effect: The size of the effect beside the spread of seeds; None where that is not known.
        sign: d_z | g: the spread of the differences by seed, or of runs of both.
        over: What varies in the interval.
    """

    student: Student
    n: str
    effect: Estimate | None
    sign: str
    over: str

    @property
    def size(self) -> Cell:
        """The cell of the effect size, which says which it is."""

        if self.effect is None:
            return Cell("–", (None, None, None, None))
        cell = ranged(self.effect.triple)

        return Cell(f"{self.sign} = {cell.text}", (*cell.values, self.sign))


def reader() -> Read:
    """Makes a function that reads each table once, and keeps of it what is needed."""

    @cache
    def read(run: Run, of: str) -> Any:
        found = results(run, of)
        return found if found is None or of != "items" else found[["item", "loss", "score"]]

    return read


def mean_of(group: RunGroup, name: str, read: Read = results) -> Student | None:
    """Estimates the mean of a final number; None if no run has it."""

    values = group.values(name)
    runs = [each.run for each in group.having(name)]
    if not runs:
        return None

    return with_data([(1.0, runs)], name, values, read=read) or mean(values)


def contrast(a: RunGroup, b: RunGroup, name: str, read: Read = results) -> Contrast | None:
    """Estimates B − A of a final number; None if a group has none."""

    x, y = a.values(name), b.values(name)
    left, right = a.by_seed(name), b.by_seed(name)
    seeds = [seed for seed in left if seed in right]
    if not (len(x) and len(y)):
        return None
    effect = None
    if len(seeds) < min(2, len(x), len(y)):
        one, other = (mean_of(group, name, read) for group in (a, b))
        assert one is not None
        assert other is not None
        student, sign, told = apart(other, one), "g", f"{len(x)} and {len(y)}"
        if min(len(x), len(y)) >= LEAST and not (identical(x) and identical(y)):
            effect = hedges_unpaired(y, x)
    else:
        ones, others = ([own[seed] for seed in seeds] for own in (left, right))
        terms = [np.array([run.numbers[name] for run in own]) for own in (others, ones)]
        values, scale = difference([terms[0], -terms[1]])
        arms = [(w, [run.run for run in own]) for w, own in ((1.0, others), (-1.0, ones))]
        student = with_data(arms, name, values, scale, read=read) or mean(values, scale)
        sign, told = "d_z", plural(len(seeds), "seed")
        if not len(seeds) == len(x) == len(y):
            told += f" of {len(x)} and {len(y)}"
        if len(seeds) >= LEAST and not identical(values, scale):
            effect = hedges(values)

    return Contrast(student, told, effect, sign, over(student, name, a, b))


def over(student: Student, name: str, *groups: RunGroup) -> str:
    """Says what varies in the interval of a final number."""

    fixed = name not in WITHOUT_DATA and all(group.fixed for group in groups)

    return student.over + " of one split" * fixed


def overs(found: Iterable[tuple[str, str]]) -> str:
    """Says, to end a caption, what intervals are over, by final numbers with what theirs are over.

    It is "" of none.
    """

    names: dict[str, dict[str, None]] = {}
    for name, each in found:
        names.setdefault(each, {})[name] = None
    said = [
        each
        + f" ({', '.join(own) if len(own) <= TOLD else f'{len(own)} numbers'})" * (len(names) > 1)
        for each, own in names.items()
    ]
    more = "; another split may differ" if any("of one split" in each for each in names) else ""

    return f" Intervals are over {'; '.join(said)}{more}." if said else ""
