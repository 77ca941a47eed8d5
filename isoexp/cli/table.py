"""Plain tables: aligned columns for a reader, and for grep."""

__all__ = ["final_numbers", "number", "table"]

from collections.abc import Mapping, Sequence
from typing import Any


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns rows under a header, columns two spaces apart, numbers to the right."""

    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [len(c) > 1 and all(_numeric(cell) for cell in c[1:] if cell != "") for c in columns]

    lines = [
        "  ".join(
            cell.rjust(w) if r else cell.ljust(w)
            for cell, w, r in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in (header, *rows)
    ]

    return "\n".join(lines)


def number(value: Any) -> str:
    """Returns a number with four digits that count; a gap where there is none."""

    if value is None or value != value:
        return ""
    if isinstance(value, int):
        return str(value)

    return f"{value:.4g}"


def final_numbers(summary: Mapping[str, Any]) -> dict[str, str]:
    """Returns the numbers of a summary that a table of runs shows."""

    wanted = ("test/accuracy", "test/r2", "test/loss", "valid/accuracy", "valid/r2", "train_time_s")

    return {key: number(summary[key]) for key in wanted if key in summary}


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False

    return True
