"""Cells: numbers, intervals, times and names, for a reader and for a program."""

__all__ = [
    "code", "count", "estimate", "interval", "measured", "minutes", "moment", "number", "ranged",
    "text", "verdict",
]  # fmt: skip

from datetime import UTC, datetime
from math import inf, isfinite, isnan

from ..statistics import in_digits
from .document import Cell, Column, numbers


def number(value: float | None, digits: int = 4) -> str:
    """Writes a number with the digits that count; a dash where there is none."""

    if value is None or isnan(value):
        return "–"
    if value in (inf, -inf):
        return "∞" if value > 0 else "-∞"

    return str(value) if isinstance(value, int) else f"{value:.{digits}g}"


def interval(estimate: float, low: float, high: float, log: bool = False) -> str:
    """Writes an estimate with its interval: 0.93 [0.91, 0.95]; of a ratio, if log."""

    return "–" if isnan(estimate) else in_digits(estimate, low, high, log)


def measured(head: str, name: str) -> Column:
    """Makes the column of an estimate, its interval and n."""

    return numbers(head, f"{name} mean", f"{name} low", f"{name} high", f"{name} n")


def estimate(triple: tuple[float, float, float], n: int, log: bool = False) -> Cell:
    """Makes the cell of an estimate with its interval and n."""

    return Cell(f"{interval(*triple, log)}\nn = {n}", (*triple, n))


def ranged(triple: tuple[float, float, float] | None, log: bool = False) -> Cell:
    """Makes the cell of an estimate with its interval, as a ratio if log; a dash where none is."""

    if triple is None:
        return Cell("–", (None, None, None))

    return Cell(f"{'× ' if log else ''}{interval(*triple, log)}", triple)


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
