"""Metrics: what is measured of each run."""

__all__ = ["Metric"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from .reading import filled, wrong

TAKES = ("mean", "median", "min", "max", "sum", "first", "last")
"""How rows of a table become one number."""


@dataclass(frozen=True)
class Metric:
    """One number of a run.

    Arguments:
        of: summary, metrics, or the name of a probe's table.
        column: A key of the summary, or a column of the table.
        where: What its rows must have: a value, a list of values, or a condition like ">= 1".
        minus: If given, the same is taken of the rows that have this instead, and subtracted.
        take: mean | median | min | max | sum | first | last of those rows.
        log: Whether it is compared by ratios: contrasts are of its natural logarithm.
        unit: What it is in, for the reader.
        words: What it is called, for the reader.
    """

    of: str
    column: str
    where: Mapping[str, Any]
    minus: Mapping[str, Any]
    take: str
    log: bool
    unit: str
    words: str

    @classmethod
    def read(cls, node: Any, name: str, claim: str) -> Self:
        """Reads a metric: the key of a summary, or all of its fields."""

        if isinstance(node, str):
            node = {"of": "summary", "column": node}
        given = {"where": {}, "minus": {}, "take": "mean", "log": False, "unit": "", "words": name}
        metric = cls(**filled(cls, node, given, f"claim {claim}: metrics.{name}"))
        if metric.take not in TAKES:
            raise wrong(claim, f"metrics.{name}.take", f"one of {', '.join(TAKES)}", metric.take)

        return metric
