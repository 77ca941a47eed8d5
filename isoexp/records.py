"""Rows on disk: JSON lines while a run is going, parquet with an explicit schema once it is done.

Every file appears whole or not at all: it is written beside its place and moved there. A study is
read back as one table by `isoexp.read`, with the configuration beside the results.
"""

__all__ = [
    "METRICS",
    "Rows",
    "Schema",
    "append_line",
    "read",
    "read_json",
    "read_lines",
    "write_bytes",
    "write_json",
    "write_lines",
    "write_table",
]

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

CONFIG_KEY = b"isoexp.config"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all."""

    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    os.replace(beside, path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object whole or not at all."""

    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; {} where there is none, or what is there is not one."""

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}

    return found if isinstance(found, dict) else {}


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Appends a row as a line of JSON."""

    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Reads rows back, up to the first that is cut short or broken."""

    if not path.exists():
        return []

    whole, _, _ = path.read_text(encoding="utf-8", errors="replace").rpartition("\n")
    rows = []
    for line in whole.splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # what follows a broken line has lost its context
            break

    return rows


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows as lines of JSON, whole or not at all."""

    write_bytes(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


def write_table(
    path: Path,
    rows: Rows,
    schema: Schema,
    constants: Mapping[str, str | int],
    config: Mapping[str, Any],
) -> None:
    """Writes rows as parquet, with columns that are the same in all of them before.

    Arguments:
        path: The file.
        rows: The columns; those of the schema that are absent are empty.
        schema: The columns' types. Declared, not inferred: tables of all runs must fit together.
        constants: What tells this run from others, a column each.
        config: The flat configuration, kept in the metadata of the file for `read`.
    """

    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    length = max((len(column) for column in rows.values()), default=0)

    fields, columns = [], []
    for name, value in constants.items():
        fields.append(pa.field(name, kinds[type(value)]))
        columns.append(pa.array([value] * length, fields[-1].type))
    for name, kind in schema.items():
        fields.append(pa.field(name, kinds[kind]))
        columns.append(pa.array(rows.get(name) or [None] * length, fields[-1].type))

    metadata = {CONFIG_KEY: json.dumps(config).encode()}
    table = pa.table(columns, schema=pa.schema(fields, metadata=metadata))

    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())


def read(root: str | Path = "runs", table: str = "metrics") -> "pd.DataFrame":
    """Reads one table of all runs below a folder, with the configuration beside the results.

    Arguments:
        root: A run, a study, or a folder of studies.
        table: metrics, or the name of a probe.

    Returns:
        A data frame: the columns of the table, then a column for each setting of the
        configuration that the table lacks, named as on the command line (optimizer.lr).

    Raises:
        FileNotFoundError: If no run below the folder has such a table.
    """

    import pyarrow as pa
    import pyarrow.parquet as pq

    name = "metrics.parquet" if table == "metrics" else f"probes/{table}.parquet"
    paths = sorted(Path(root).glob(f"**/{name}"))
    if not paths:
        raise FileNotFoundError(f"no {name} below {root}: has a run been completed there?")

    tables = []
    for path in paths:
        try:
            tables.append(_with_config(pq.ParquetFile(path).read()))
        except pa.ArrowException as error:
            raise ValueError(f"cannot read {path}: {error}") from error

    kinds: dict[str, set] = {}
    for each in tables:
        for field in each.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    for name in (name for name, found in kinds.items() if len(found) > 1):
        tables = [_as_text(each, name) for each in tables]  # 0.5 in one run, "auto" in another

    return pa.concat_tables(tables, promote_options="default").to_pandas()


def _as_text(table: Any, name: str) -> Any:
    """Returns a table with one of its columns, if it has it, as text."""

    import pyarrow as pa

    index = table.schema.get_field_index(name)

    return table if index < 0 else table.set_column(index, name, table[name].cast(pa.string()))


def _with_config(table: Any) -> Any:
    """Appends the settings kept in a table's metadata as columns: numbers, truths and texts."""

    import pyarrow as pa

    config = json.loads((table.schema.metadata or {}).get(CONFIG_KEY, b"{}"))
    for name, value in _settings(config, set(table.column_names)):
        kind = {bool: pa.bool_(), float: pa.float64()}.get(type(value), pa.string())
        table = table.append_column(name, pa.array([value] * len(table), kind))

    return table.replace_schema_metadata(None)


def _settings(config: Mapping[str, Any], taken: set[str]) -> Iterable[tuple[str, Any]]:
    for name, value in config.items():
        if name in taken or value is None:
            continue
        if isinstance(value, bool | str):
            yield name, value
        elif isinstance(value, int | float):
            yield name, float(value)  # one run's 1 and another's 0.1 are one column
        else:
            yield name, json.dumps(value)
