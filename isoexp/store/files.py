"""Files of a run: written whole or not at all, beside their place and moved there."""

__all__ = [
    "append_line",
    "files_below",
    "read_json",
    "read_lines",
    "write_bytes",
    "write_json",
    "write_lines",
]

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any


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
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}

    return found if isinstance(found, dict) else {}


def files_below(root: Path, name: str) -> Iterator[Path]:
    """Yields the files of a name, or relative path, below a folder, ordered by path.

    Nothing is looked for below a folder that has one: runs hold no runs. Neither hidden folders nor
    links to folders are entered.
    """

    folders = [os.fspath(root)]
    while folders:
        folder = folders.pop()
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            yield Path(path)
            continue
        try:
            with os.scandir(folder) as entries:
                inner = [
                    entry.path
                    for entry in entries
                    if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)
                ]
        except OSError:  # not for us to read, or removed by another process just now
            continue
        folders += sorted(inner, reverse=True)


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
