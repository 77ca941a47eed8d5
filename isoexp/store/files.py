"""Files of a run: written whole or not at all, and never believed further than they can be read.

What is read has a shape that is declared, as Python writes it: a type, a text for
itself, or a function that tells; (a, b) for either; [a] for a
list of a; {str: a} for a mapping to a; {"key": a} for a mapping in which these keys, where they are
there, have these shapes. An int will do for a float.
"""

__all__ = [
    "Shape", "add_line", "append_line", "clear", "fault", "files_below", "fits", "is_time",
    "load_json", "read_file", "read_json", "read_lines", "remove", "stamp", "write_bytes",
    "write_json", "write_lines", "written",
]  # fmt: skip

import json
import os
import re
import shutil
import stat
import zlib
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import Unreadable

Shape = Any
"""A shape, as described above."""

SUMMED = 2**20
"""Files up to so many bytes are stamped with a checksum; of larger ones the ends are looked at."""


LEFT = re.compile(r"\.(?!stop\.json).+\.\d+")
"""The names of files that were to replace others; stop.json is written by whoever asks to stop."""


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Hands out a path beside that of a file, which it replaces once it is written: whole.

    The folder must be there: one that was removed by its user stays so.

    Raises:
        OSError: With the path, if it cannot be written, as on a full disk; nothing is left then.
    """

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _named(path):
            yield beside
            os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Tells the path of the file in an error; what fails to write one does not know it."""

    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, as `written`."""

    with written(path) as beside:
        beside.write_bytes(content)


def clear(folder: Path) -> None:
    """Removes what killed processes have left beside files that they were writing."""

    for path in folder.iterdir() if folder.is_dir() else ():
        if LEFT.fullmatch(path.name):
            remove(path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON object whole or not at all; numbers that are not finite as null.

    JSON has no word for them, and what other programs make of NaN is no longer JSON.
    """

    text = json.dumps(_defined(content), indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _defined(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(each) for each in value]

    return None if isinstance(value, float) and not isfinite(value) else value


def read_file(path: Path) -> bytes:
    """Reads a file; a pipe, which would be waited for, and all else that is none is refused.

    Raises:
        OSError: If it is not there, is no file or cannot be read.
    """

    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path} must be a file")

    return path.read_bytes()


def load_json(path: Path, shape: Shape = MappingProxyType({})) -> dict[str, Any]:
    """Reads a JSON object of a shape.

    Raises:
        FileNotFoundError: If there is none.
        Unreadable: If what is there is not one.
    """

    try:
        found = json.loads(read_file(path), parse_constant=lambda _: None)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"there is no {path}") from error
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is no JSON"
        raise Unreadable(f"{path.name} cannot be read: {reason}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"{path.name} must hold an object, got {type(found).__name__}")
    for key, value in found.items():
        own = shape.get(key, shape.get(str))
        if own is not None and not fits(value, own):
            raise Unreadable(f"{path.name}: {key[:50]} cannot be {_shown(value)}")

    return found


def read_json(path: Path, shape: Shape = MappingProxyType({})) -> dict[str, Any]:
    """Reads a JSON object of a shape; {} where there is none, or what is there is not one."""

    try:
        return load_json(path, shape)
    except (FileNotFoundError, Unreadable):
        return {}


def fits(value: Any, shape: Shape) -> bool:
    """Whether a value read from JSON has a shape."""

    if isinstance(shape, tuple):
        return any(fits(value, each) for each in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(each, shape[0]) for each in value)
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            return False
        every = shape.get(str)
        shapes = ((each, shape.get(key, every)) for key, each in value.items())
        return all(own is None or fits(each, own) for each, own in shapes)
    if shape is Any or shape is None:
        return shape is Any or value is None
    if isinstance(shape, str):
        return value == shape
    if not isinstance(shape, type):
        return shape(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return shape in (int, float) and -(2**63) <= value < 2**63

    return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))


def is_time(value: Any) -> bool:
    """Whether a value is a time in seconds since 1970, one that calendars have."""

    return fits(value, float) and 0 <= value < 2**35


def _shown(value: Any) -> str:
    return type(value).__name__ if isinstance(value, list | dict) else repr(value)[:50]


def stamp(path: Path) -> list[int | None]:
    """Returns the size of a file and its checksum, as `fault` compares them.

    None for the sum of a large file, and of one that people read and may write: config.yaml.
    """

    size = path.stat().st_size
    summed = size <= SUMMED and path.suffix != ".yaml"

    return [size, zlib.crc32(path.read_bytes()) if summed else None]


def fault(path: Path, known: Sequence[int | None] = (None, None)) -> str | None:
    """Says what is wrong with a file, as far as can be told without reading a large one.

    Arguments:
        known: The stamp of the file as it was written; (None, None) if there is none.
    """

    size, checksum = known
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return f"{path.name} is no file"
        if size is not None and found.st_size != size:
            return f"{path.name} has {found.st_size} of {size} bytes"
        if checksum is not None and zlib.crc32(path.read_bytes()) != checksum:
            return f"{path.name} is not what was written"
        if checksum is None and not _ends_well(path, found.st_size):
            return f"{path.name} has lost its end"
    except OSError as error:
        return f"{path.name} is missing" if not path.exists() else f"{path.name}: {error.strerror}"

    return None


def _ends_well(path: Path, size: int) -> bool:
    """Whether the footer of a parquet file, or the directory of a zip file, is where it must be."""

    if path.suffix not in (".parquet", ".pt"):
        return size > 0
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - 2**16))
        tail = file.read()
    if path.suffix == ".parquet":
        length = int.from_bytes(tail[-8:-4], "little")
        return head == tail[-4:] == b"PAR1" and length + 12 <= size

    place = tail.rfind(b"PK\x05\x06")  # the end of the directory of a zip file
    if head[:2] != b"PK" or place < 0 or len(tail) < place + 22:
        return False
    length, start = (int.from_bytes(tail[place + at : place + at + 4], "little") for at in (12, 16))
    if 0xFFFFFFFF in (length, start):  # of more than 4 GB: the directory is told of elsewhere
        return b"PK\x06\x06" in tail

    return start + length <= size and tail[start - size :][:2] == b"PK"


def files_below(root: Path, name: str) -> list[Path]:
    """Returns the files of a name, or relative path, below a folder, ordered by path.

    Nothing is looked for below a folder that has one: runs hold no runs. Hidden folders are not
    entered. Links are followed; what can also be had without one is found once, without.
    """

    known: set[tuple[int, int]] = set()  # device and number of each folder: links may make cycles
    found: list[str] = []
    links: list[str] = []
    folders = [os.fspath(root)]
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        path = os.path.join(folder, name)
        try:
            own = os.stat(folder)
            if (own.st_dev, own.st_ino) in known:
                continue
            known.add((own.st_dev, own.st_ino))
            if os.path.isfile(path):
                found.append(path)
                continue
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name, reverse=True):
                    if entry.name[0] == ".":
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_symlink() and os.path.isdir(entry.path):
                        insort(links, entry.path)
        except OSError:  # not for us to read, or removed by another process just now
            continue

    return [Path(path) for path in sorted(found, key=lambda path: path.split(os.sep))]


def remove(path: Path) -> None:
    """Removes a file, or whatever is in its place, if anything is."""

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def append_line(path: Path, row: Mapping[str, Any]) -> None:
    """Appends a row as a line of JSON."""

    with _named(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def add_line(path: Path, row: Mapping[str, Any]) -> None:
    """Appends a row, once a last line that a kill cut short is gone: it would spoil the next.

    A folder in the place of the file holds nothing of ours, and goes.
    """

    if path.is_dir():
        remove(path)
    if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
    append_line(path, row)


def read_lines(
    path: Path, shape: Shape = MappingProxyType({}), required: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Reads rows of a shape back, up to the first that is cut short or broken."""

    try:
        whole, _, _ = read_file(path).decode(errors="replace").rpartition("\n")
    except OSError:
        return []

    rows = []
    for line in whole.split("\n") if whole else []:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            break
        # What follows a broken line has lost its context.
        if not fits(row, shape) or any(key not in row for key in required):
            break
        rows.append(row)

    return rows


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes rows as lines of JSON, whole or not at all."""

    write_bytes(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
