"""The values that a claim asks of runs: a number of the summary, or of some rows of a table."""

__all__ = ["CONDITION", "matching", "number_of", "results", "tables"]

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Unreadable
from ..store.run import Run
from ..store.tables import place_of, read_table
from .terms import Metric

if TYPE_CHECKING:
    import pandas as pd

CONDITION = re.compile(r"(>=|<=|>|<|!=)\s*(.+)")
"""A condition on the values of a column."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "!=": operator.ne,
}  # fmt: skip


def results(run: Run, of: str) -> Any:
    """Reads the summary of a run, one of its tables, or n_test / n_train; None if there is none.

    Raises:
        Unreadable: If the table cannot be read.
    """

    if of == "summary":
        return run.summary
    if of == "resampled":
        return run.provenance.get("resampled")
    path = run.folder / place_of(of)

    return read_table(path) if path.exists() else None


def tables(
    runs: Iterable[Run], of: str, read: Callable[[Run, str], Any] = results
) -> "list[pd.DataFrame]":
    """Reads the tables of runs, as far as they have any that can be read."""

    found = []
    for run in runs:
        with suppress(Unreadable):
            found.append(read(run, of))

    return [each for each in found if each is not None]


def number_of(found: Any, metric: Metric) -> float | None:
    """Returns a metric of a summary or of the rows of a table; None if no row counts."""

    if metric.of == "summary":
        return found.get(metric.column)
    if found is None or metric.column not in found:
        return None

    def taken(where: Mapping[str, Any]) -> float | None:
        column = matching(found, where)[metric.column].to_numpy(dtype=float)
        column = column[~np.isnan(column)]
        if not len(column):
            return None
        if metric.take in ("first", "last"):
            return float(column[0 if metric.take == "first" else -1])
        return float(getattr(np, metric.take)(column))

    value = taken(metric.where)
    if not metric.minus or value is None:
        return value
    other = taken({**metric.where, **metric.minus})

    return None if other is None else value - other


def matching(frame: "pd.DataFrame", where: Mapping[str, Any]) -> Any:
    """Selects the rows that have what `where` asks of their columns.

    It asks for a value, one of a list of values, or a condition like ">= 1". Numbers are equal if
    they differ by rounding only: an α of 10 may have come out as 9.999….
    """

    rows: Any = frame
    for name, wanted in where.items():
        if name not in rows:
            return rows.iloc[:0]
        column = rows[name]
        condition = CONDITION.fullmatch(wanted) if isinstance(wanted, str) else None
        if condition:
            sign, value = condition.groups()
            kept = OPERATORS[sign](column, float(value) if column.dtype.kind in "if" else value)
        else:
            kept = np.zeros(len(rows), dtype=bool)
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if column.dtype.kind == "f" and not isinstance(value, str):
                    kept |= np.isclose(column, float(value), rtol=1e-6, atol=0.0)
                else:
                    kept |= (column == value).to_numpy(dtype=bool)
        rows = rows[kept]

    return rows
