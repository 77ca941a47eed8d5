"""Cells: numbers, intervals, times and names, for a reader and for a program."""

__all__ = [
    "code", "count", "difference", "estimate", "interval", "measured", "minutes", "moment",
    "number", "plural", "ranged", "text", "verdict",
]  # fmt: skip

from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf, isfinite, isnan

import numpy as np

from ..statistics import bounds, welch
from .document import Cell, Column, numbers


def number(value: float | None, digits: int = 4) -> str:
    """Writes a number with the digits that count; a dash where there is none."""

    if value is None or isnan(value):
        return "–"
    if value in (inf, -inf):
        return "∞" if value > 0 else "-∞"

    return str(value) if isinstance(value, int) else f"{value:.{digits}g}"


def interval(estimate: float, low: float, high: float) -> str:
    """Writes an estimate with its interval: 0.93 [0.91, 0.95]."""

    return "–" if isnan(estimate) else f"{number(estimate)} [{number(low)}, {number(high)}]"


def measured(head: str, name: str) -> Column:
    """Makes the column of an estimate, its interval and n."""

    return numbers(head, f"{name} mean", f"{name} low", f"{name} high", f"{name} n")


def difference(a: np.ndarray, b: np.ndarray, log: bool = False) -> Cell:
    """Makes the cell of the difference of means B − A, of logarithms B / A."""

    known = len(a) and len(b)

    return ranged(bounds(welch(b, a).interval().triple, log) if known else None, log)


def estimate(triple: Sequence[float], n: int) -> Cell:
    """Makes the cell of an estimate with its interval and n."""

    return Cell(f"{interval(*triple)}\nn = {n}", (*triple, n))


def ranged(triple: Sequence[float] | None, log: bool = False) -> Cell:
    """Makes the cell of an estimate with its interval, as a ratio if log; a dash where none is."""

    if triple is None:
        return Cell("–", (None, None, None))

    return Cell(f"{'× ' if log else ''}{interval(*triple)}", triple)


def count(value: float | None, digits: int = 4) -> Cell:
    """Makes the cell of a count, or of another number that stands alone."""

    return Cell(number(value, digits), (value,))


def text(value: str) -> Cell:
    """Makes the cell of a text."""

    return Cell(value or "–", (value,))


def code(value: str) -> Cell:
    """Makes the cell of code."""

    return Cell(value or "–", (value,), kind="code" if value else "")


def verdict(outcome: str) -> Cell:
    """Makes the cell of a verdict."""

    return Cell(outcome, (outcome,), kind=outcome)


def moment(time_s: float | None) -> str:
    """Writes a time: 2026-11-22 09:43 UTC."""

    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M UTC}" if time_s else "–"


def minutes(time_s: float) -> str:
    """Writes a duration in minutes."""

    found = time_s / 60
    if not isfinite(found):
        return "–"

    return f"{found:.0f}" if found >= 10 else f"{found:.1f}" if found >= 0.1 else f"{found:.2g}"


def plural(n: int, what: str) -> str:
    """Writes a count with its noun: 1 run, 2 runs."""

    return f"{n:,} {what}{'' if n == 1 else 's'}"
