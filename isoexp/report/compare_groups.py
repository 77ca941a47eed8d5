"""The groups of two folders side by side: every final number that both have."""

__all__ = ["compare_groups", "difference"]

from collections.abc import Sequence
from math import exp, isfinite
from typing import Any

import numpy as np

from .cells import Cell, code, interval, plural, text
from .document import Column, Paragraph, Section, Table
from .groups import Group, grouped, settled
from .reading import Entry
from .statistics import welch

SHOWN = 100
"""Differences that a table shows."""


def compare_groups(a: Sequence[Entry], b: Sequence[Entry]) -> list[Section]:
    """Returns the groups that both have; settings that all runs share tell none apart."""

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


def _rows(a: Group, b: Group) -> list[tuple[float, list[Cell]]]:
    """Returns a row for each final number of two groups, and how clear its difference is."""

    names = dict.fromkeys(name for run in a.completed for name in run.numbers)
    rows = []
    for name in names:
        x, y = a.values(name), b.values(name)
        if not (len(x) and len(y)) or name in ("steps", "parameters"):
            continue
        settings = [code(value) for value in a.settings.values()] or [text("all")]
        cells: list[Any] = [Cell(_told(v), (float(v.mean()), len(v))) for v in (x, y)]
        rows.append((_clear(x, y), [*settings, text(name), *cells, difference(x, y)]))

    return rows


def _told(values: np.ndarray) -> str:
    return f"{values.mean():.4g}\nn = {len(values)}"


def _clear(x: np.ndarray, y: np.ndarray) -> float:
    """Returns a difference in its standard errors; 0 where there is none to speak of."""

    found = welch(y, x)
    if not found.estimate or not isfinite(found.error):
        return 0.0

    return abs(found.estimate) / found.error if found.error else np.inf


def difference(a: np.ndarray, b: np.ndarray, log: bool = False) -> Cell:
    """Returns the cell of the difference of means B − A, of logarithms B / A."""

    if not (len(a) and len(b)):
        return Cell("–", (None, None, None))
    found = welch(b, a).interval()
    triple = [found.estimate, found.low, found.high]
    if log:
        triple = [exp(each) if each < 700 else each for each in triple]

    return Cell(f"{'× ' if log else ''}{interval(*triple)}", triple)
