"""Rows by name: a probe declares the columns of its table once, and adds rows by column name."""

__all__ = ["Columns", "cells", "check_rows"]

from collections.abc import Mapping
from math import nan
from typing import Any

import numpy as np
from torch import Tensor

from ..errors import did_you_mean
from ..store.tables import Rows, Schema


class Columns(dict[str, list]):
    """The columns of a schema, all of one length.

    A cell that a row lacks is NaN in a column of floats, None in any other.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__({name: [] for name in schema})

        self._schema = schema

    def add(self, **row: Any) -> None:
        """Adds a row; each cell is converted to the type of its column."""

        self.extend(**{name: [cell] for name, cell in row.items()})

    def extend(self, **columns: Any) -> None:
        """Adds several rows: lists or arrays of one length, and cells that all these rows share.

        Raises:
            ValueError: If the schema has no such column, or the lengths differ.
        """

        for name in columns:
            if name not in self:
                raise ValueError(f"the schema has no column {name}{did_you_mean(name, self)}")
        given = {
            k: c.tolist() if isinstance(c, np.ndarray | Tensor) else c for k, c in columns.items()
        }
        lengths = {k: len(column) for k, column in given.items() if isinstance(column, list)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns must be lists of one length, got {lengths}")

        count = next(iter(lengths.values()))
        for name, kind in self._schema.items():
            column = given.get(name, nan if kind is float else None)
            column = column if isinstance(column, list) else [column] * count
            self[name] += [None if cell is None else kind(cell) for cell in column]


def check_rows(rows: Any, schema: Schema) -> None:
    """Checks that the rows of a probe are what its schema says.

    Raises:
        ValueError: If columns are missing, unknown, or not of one length.
    """

    if not isinstance(rows, Mapping):
        raise ValueError(f"rows must be columns by name, got {type(rows).__name__}")
    missing = [name for name in schema if name not in rows]
    unknown = [f"{name}{did_you_mean(str(name), missing)}" for name in rows if name not in schema]
    if missing or unknown:
        told = {"missing": missing, "unknown": unknown}
        said = "; ".join(f"{word}: {', '.join(found)}" for word, found in told.items() if found)
        raise ValueError(f"rows must have the columns of the schema, {', '.join(schema)}; {said}")
    lengths = {name: len(column) for name, column in rows.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"columns must be of one length, got {lengths}")


def cells(rows: Rows, column: str, **where: Any) -> list:
    """Returns the cells of a column in those rows whose other columns hold the given values."""

    return [
        cell
        for i, cell in enumerate(rows[column])
        if all(rows[name][i] == value for name, value in where.items())
    ]
