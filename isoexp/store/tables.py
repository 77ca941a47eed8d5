"""Tables of a run: parquet with an explicit schema, the configuration in the metadata.

A study is read back as one table by `isoexp.read`, with the configuration beside the results.
"""

__all__ = [
    "ITEMS", "METRICS", "SCORES", "TABLES", "Rows", "Schema", "place_of", "read", "read_table",
    "write_table",
]  # fmt: skip

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import Unreadable, one_line
from ..names import check_name
from ..paths import path_of
from .files import files_below, read_file, write_bytes

if TYPE_CHECKING:
    import pandas as pd

Rows = dict[str, list]
"""Columns of equal length, by name."""

Schema = dict[str, type]
"""The type of each column: str, int, float or bool. Ints may be missing, floats may be NaN."""

METRICS: Schema = {
    "step": int,
    "epoch": float,
    "time_s": float,
    "lr": float,
    "grad_norm": float,
    "train/penalty": float,
    "train/loss": float,
    "train/accuracy": float,
    "train/r2": float,
    "valid/loss": float,
    "valid/accuracy": float,
    "valid/r2": float,
}
"""The columns of metrics.parquet; those that a task has not are empty."""

ITEMS: Schema = {"item": int, "label": int, "predicted": int, "loss": float, "score": float}
"""The columns of items.parquet, a row a test sample, by its index before splitting.

Label and predicted are empty where targets are not one class a sample. The mean of the scores is
the accuracy, or R².
"""

TABLES = ("metrics", "items")
"""The tables of a run that are of no probe."""

SCORES = ("valid/accuracy", "valid/r2")
"""The validation scores; a task has one of them."""

CONFIG_KEY = b"isoexp.config"


def write_table(
    path: Path,
    rows: Rows,
    schema: Schema,
    constants: Mapping[str, str | int],
    config: Mapping[str, Any],
    metadata: Mapping[bytes, bytes] = MappingProxyType({}),
) -> None:
    """Writes rows as parquet, behind columns that are the same in all rows.

    Arguments:
        rows: The columns; those of the schema that are absent are empty.
        schema: The columns' types. Declared, not inferred: tables of all runs must fit together.
        constants: The columns that tell this run from others.
        config: The flat configuration, kept in the metadata of the file for `read`.
        metadata: Further metadata.
    """

    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    length = max((len(column) for column in rows.values()), default=0)

    fields, columns = [], []
    for name, value in constants.items():
        fields.append(pa.field(name, kinds[type(value)]))
        columns.append(pa.repeat(pa.scalar(value, fields[-1].type), length))
    for name, kind in schema.items():
        fields.append(pa.field(name, kinds[kind]))
        columns.append(pa.array(rows.get(name) or [None] * length, fields[-1].type))

    metadata = {**metadata, CONFIG_KEY: json.dumps(config).encode()}
    table = pa.table(columns, schema=pa.schema(fields, metadata=metadata))

    buffer = io.BytesIO()
    pq.write_table(table, buffer, write_page_checksum=True)
    write_bytes(path, buffer.getvalue())


def place_of(table: str) -> str:
    """Returns where a table lies in the folder of a run."""

    return f"{table}.parquet" if table in TABLES else f"probes/{table}.parquet"


def read(root: str | Path = "runs", table: str = "metrics") -> "pd.DataFrame":
    """Reads one table of all runs below a folder, with the configuration beside the results.

    Arguments:
        root: A run, a study, or a folder of studies.
        table: metrics, items, or the name of a probe.

    Returns:
        A data frame: the columns of the table, then a column for each setting of the
        configuration that the table lacks, named as on the command line (optimizer.lr).

    Raises:
        UserError: If the table is no name.
        FileNotFoundError: If no run below the folder has such a table.
        Unreadable: If none of those tables can be read. One of several is left out, with a warning.
    """

    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    check_name("a table", table)
    name = place_of(table)
    paths = list(files_below(path_of(root), name))
    if not paths:
        raise FileNotFoundError(f"no {name} below {root}: has a run been completed there?")

    tables, settings = [], []
    for path in paths:
        try:
            table = _read_table(path)
            settings.append(_settings(path, table))
            tables.append(table)
        except Unreadable as error:
            if path == paths[-1] and not tables:
                raise
            warnings.warn(f"left out: {error}", stacklevel=2)
    tables = [each.replace_schema_metadata(None) for each in tables]

    kinds: dict[str, set] = {}
    for field in (field for schema in {each.schema for each in tables} for field in schema):
        kinds.setdefault(field.name, set()).add(field.type)
    for name in (name for name, found in kinds.items() if len(found) > 1):
        tables = [_as_text(each, name) for each in tables]  # 0.5 in one run, "auto" in another
    rows = pa.concat_tables(tables, promote_options="default")

    # A column for a setting is made once for all runs: one a run takes as long as reading them.
    run = pa.array(np.repeat(np.arange(len(tables)), [len(each) for each in tables]))
    for name in dict.fromkeys(name for each in settings for name in each):
        column = _column([each.get(name) for each in settings]).take(run)
        if name not in kinds:
            rows = rows.append_column(name, column)
            continue
        if rows[name].type != column.type:
            rows, column = _as_text(rows, name), column.cast(pa.string())
        both = pc.call_function("coalesce", [rows[name], column])
        rows = rows.set_column(rows.schema.get_field_index(name), name, both)

    return rows.to_pandas()


def read_table(path: Path) -> "pd.DataFrame":
    """Reads one table as it is, without the configuration.

    Raises:
        Unreadable: If it cannot be read.
    """

    return _read_table(path).to_pandas()


def _read_table(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = pa.BufferReader(read_file(path))
        # On threads a table of some rows takes longer.
        return pq.ParquetFile(content, page_checksum_verification=True).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise Unreadable(f"cannot read {path}: {one_line(error)[:200]}") from error


def _as_text(table: Any, name: str) -> Any:
    """Returns a table with one of its columns, if it has it, as text."""

    import pyarrow as pa

    index = table.schema.get_field_index(name)

    return table if index < 0 else table.set_column(index, name, table[name].cast(pa.string()))


def _settings(path: Path, table: Any) -> dict[str, Any]:
    """Returns the settings in a table's metadata that are no columns, as simple values."""

    try:
        config = json.loads((table.schema.metadata or {}).get(CONFIG_KEY, b"{}"))
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise Unreadable(f"cannot read {path}: its metadata must hold the configuration")
    taken = set(table.column_names)
    found = {}
    for name, value in config.items():
        if name in taken or value is None:
            continue
        if isinstance(value, bool | str):
            found[name] = value
        elif isinstance(value, int | float):
            found[name] = float(value)  # one run's 1 and another's 0.1 are one column
        else:
            found[name] = json.dumps(value)

    return found


def _column(values: list[Any]) -> Any:
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if len(kinds) > 1:
        values = [None if v is None else pa.scalar(v).cast(pa.string()).as_py() for v in values]

    return pa.array(values)
