"""Differences of groups: of one group in two folders, and of two groups in one setting.

Differences have Welch's interval. Effect sizes are Hedges' g, which is for equal spreads.
"""

__all__ = ["compare_groups", "difference", "effects_table"]

from collections.abc import Sequence
from itertools import combinations
from math import exp, isfinite

import numpy as np

from ..statistics import hedges_unpaired, identical, welch
from .cells import code, plural, ranged, text
from .document import Cell, Column, Paragraph, Section, Table
from .entries import Entry
from .groups import RunGroup, grouped, settled

SHOWN = 100
"""Differences that a table shows."""

LEAST = 3
"""Runs that a group must have for an effect size: the spread of two is chance."""


def compare_groups(a: Sequence[Entry], b: Sequence[Entry]) -> list[Section]:
    """Compares the groups that both have; settings that all runs share tell none apart."""

    names = settled([*a, *b])
    left, right = ({tuple(g.settings.values()): g for g in grouped(own, names)} for own in (a, b))
    both = [key for key in left if key in right]
    found = [row for key in both for row in _rows(left[key], right[key])]
    if not found:
        return []
    found.sort(key=lambda row: -row[0])  # as they were, where they are equally clear
    columns = [Column(name) for name in names] or [Column("group")]
    columns += [
        Column("number"),
        Column("A", ("A mean", "A n"), number=True),
        Column("B", ("B mean", "B n"), number=True),
        Column("B − A", ("difference", "low", "high"), number=True),
    ]
    more = (
        f" The first {SHOWN} of {len(found):,}; the files have all." if len(found) > SHOWN else ""
    )
    caption = (
        f"{plural(len(both), 'group')} of runs that both have, by final number; those first that "
        f"differ most, beside their standard error.{more}"
    )
    table = Table("groups", caption, columns, [row for _, row in found], SHOWN)
    alone = [
        f"{len(set(one) - set(other))} only in {name}"
        for name, one, other in (("A", left, right), ("B", right, left))
        if set(one) - set(other)
    ]
    told = [Paragraph(f"Groups that one of them has: {', '.join(alone)}.")] if alone else []

    return [Section("Runs", "runs", [table, *told])]


def effects_table(groups: Sequence[RunGroup], score: str, name: str) -> Table | None:
    """Makes the table of effect sizes of one setting; None if no pair of groups has any."""

    rows = []
    for a, b in combinations(groups, 2):
        differ = [key for key, value in a.settings.items() if b.settings[key] != value]
        x, y = a.values(score), b.values(score)
        if len(differ) != 1 or min(len(x), len(y)) < LEAST or identical(x) or identical(y):
            continue
        g = hedges_unpaired(y, x)
        (key,) = differ
        same = [f"{k}={value}" for k, value in a.settings.items() if k != key]
        cells = [code(each) for each in (key, a.settings[key], b.settings[key], " ".join(same))]
        n = text(f"{len(x)} and {len(y)}")
        rows.append([*cells, n, difference(x, y), ranged((g.estimate, g.low, g.high))])
    if not rows:
        return None
    columns = [Column(head) for head in ("setting", "A", "B", "at", "n")]
    columns += [
        Column("B − A", ("difference", "low", "high"), number=True),
        Column("g", ("g", "g low", "g high"), number=True),
    ]
    caption = (
        f"The effect of one setting on {score}: B − A with its 95 % interval by Welch, and Hedges' "
        "g, the same in pooled standard deviations of a run, with its 95 % interval by the "
        "noncentral t law. Each stands by itself: of many, one in twenty is off by chance."
    )

    return Table(name, caption, columns, rows, SHOWN)


def _rows(a: RunGroup, b: RunGroup) -> list[tuple[float, list[Cell]]]:
    """Makes a row for each final number of two groups, with the clearness of its difference."""

    names = dict.fromkeys(name for run in a.completed for name in run.numbers)
    rows = []
    for name in names:
        x, y = a.values(name), b.values(name)
        if not (len(x) and len(y)) or name in ("steps", "parameters"):
            continue
        settings = [code(value) for value in a.settings.values()] or [text("all")]
        cells = [Cell(f"{v.mean():.4g}\nn = {len(v)}", (float(v.mean()), len(v))) for v in (x, y)]
        rows.append((_clear(x, y), [*settings, text(name), *cells, difference(x, y)]))

    return rows


def _clear(x: np.ndarray, y: np.ndarray) -> float:
    """Returns a difference in its standard errors; 0 where one run alone gives none."""

    found = welch(y, x)
    if not found.estimate or not isfinite(found.error):
        return 0.0

    return abs(found.estimate) / found.error if found.error else np.inf


def difference(a: np.ndarray, b: np.ndarray, log: bool = False) -> Cell:
    """Makes the cell of the difference of means B − A, of logarithms B / A."""

    if not (len(a) and len(b)):
        return ranged(None)
    found = welch(b, a).interval()
    triple = [found.estimate, found.low, found.high]
    if log:
        triple = [exp(each) if each < 700 else each for each in triple]

    return ranged(triple, log)
