"""Tests for isoexp.store.files: what becomes of files that cannot be written."""

import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from isoexp.store import checkpoint
from isoexp.store.files import (
    add_line,
    append_line,
    clear,
    read_lines,
    write_bytes,
    write_json,
    written,
)

LARGE = 2**20


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch):
    """No file grows beyond 64 kB, as on a disk that is full: EFBIG in place of ENOSPC."""

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


WRITERS: dict[str, Callable[[Path], None]] = {
    "x.bin": lambda path: write_bytes(path, b"x" * LARGE),
    "x.json": lambda path: write_json(path, {"x": "x" * LARGE}),
    "checkpoint.pt": lambda path: checkpoint.save(path.parent, 1, {"w": torch.zeros(LARGE)}),
    "snapshots.pt": lambda path: checkpoint.snapshot(path.parent, 1, {"w": torch.zeros(LARGE)}),
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_written_is_named_and_leaves_what_was_there(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if name != "snapshots.pt":
        path.write_bytes(b"before")

    with pytest.raises(OSError, match="too large") as found:
        WRITERS[name](path)

    assert found.value.errno == errno.EFBIG
    assert found.value.filename == str(path)
    assert [each.name for each in tmp_path.iterdir()] == [name] * path.exists()
    assert not path.exists() or path.read_bytes() == b"before"


@pytest.mark.usefixtures("small")
def test_a_line_that_cannot_be_appended_is_of_a_file_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too large") as found:
        append_line(tmp_path / "rows.jsonl", {"x": "x" * LARGE})

    assert found.value.filename == str(tmp_path / "rows.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left") as found:
        append_line(Path("/dev/full"), {"x": 1})

    assert found.value.filename == "/dev/full"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_interrupts_a_write_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def half() -> None:
        with written(tmp_path / "x") as beside:
            beside.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        half()

    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_removed_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "gone" / "x", b"x")

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_beside_files_is_cleared_away(tmp_path: Path) -> None:
    kept = ["state.json", ".lock", ".hidden", "x.1", ".stop.json.77"]
    for name in (*kept, ".checkpoint.pt.123", ".state.json.9", f".x.{os.getpid()}"):
        (tmp_path / name).write_bytes(b"")

    clear(tmp_path)
    clear(tmp_path / "nowhere")

    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(kept)


def test_a_folder_in_the_place_of_lines_goes(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.mkdir()
    (path / "something").touch()
    add_line(path, {"n": 1})

    assert read_lines(path) == [{"n": 1}]
