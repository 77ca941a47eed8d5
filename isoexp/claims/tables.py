"""Tables of runs, each read once: summaries, metrics, and measurements of probes."""

__all__ = ["Tables", "matching"]

import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..store.files import read_json
from ..store.run import Run
from ..store.tables import read_table
from .terms import Metric

if TYPE_CHECKING:
    import pandas as pd

CONDITION = re.compile(r"(>=|<=|>|<|!=)\s*(.+)")

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "!=": operator.ne,
}


class Tables:
    """The tables of runs; each file is read once."""

    def __init__(self) -> None:
        self._summaries: dict[Path, dict[str, Any]] = {}
        self._frames: dict[tuple[Path, str], pd.DataFrame | None] = {}

    def summary(self, run: Run) -> Mapping[str, Any]:
        """Returns the final numbers of a run."""

        if run.folder not in self._summaries:
            self._summaries[run.folder] = read_json(run.folder / "summary.json")

        return self._summaries[run.folder]

    def frame(self, run: Run, of: str) -> "pd.DataFrame | None":
        """Returns the metrics of a run, or the table of a probe; None if there is none."""

        key = run.folder, of
        if key not in self._frames:
            name = "metrics.parquet" if of == "metrics" else f"probes/{of}.parquet"
            path = run.folder / name
            self._frames[key] = read_table(path) if path.is_file() else None

        return self._frames[key]

    def number(self, run: Run, metric: Metric) -> float | None:
        """Returns a metric of a run, taken of its table; None if no row counts."""

        value = self._taken(run, metric, metric.where)
        if not metric.minus or value is None:
            return value
        other = self._taken(run, metric, {**metric.where, **metric.minus})

        return None if other is None else value - other

    def _taken(self, run: Run, metric: Metric, where: Mapping[str, Any]) -> float | None:
        frame = self.frame(run, metric.of)
        if frame is None or metric.column not in frame:
            return None
        column = matching(frame, where)[metric.column].to_numpy(dtype=float)
        column = column[~np.isnan(column)]
        if not len(column):
            return None
        ends = {"first": 0, "last": -1}
        if metric.take in ends:
            return float(column[ends[metric.take]])

        return float(getattr(np, metric.take)(column))


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
            values = wanted if isinstance(wanted, list) else [wanted]
            kept = np.zeros(len(rows), dtype=bool)
            for value in values:
                if column.dtype.kind == "f" and not isinstance(value, str):
                    kept |= np.isclose(column, float(value), rtol=1e-6, atol=0.0)
                else:
                    kept |= (column == value).to_numpy(dtype=bool)
        rows = rows[kept]

    return rows
