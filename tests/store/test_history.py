"""Tests for isoexp.store.history: a line for each start, whatever a kill leaves of the last."""

from pathlib import Path

from isoexp.store.history import add_start, starts
from isoexp.store.lock import acquire

IDENTITY = "0123456789abcdef0123456789abcdef"


def test_a_line_for_each_start_tells_who_and_from_where(tmp_path: Path) -> None:
    with acquire(tmp_path, "one", IDENTITY) as run:
        add_start(run, step=0, device="cpu")
        add_start(run, step=7, device="cpu")

    assert [start["step"] for start in starts(run.folder)] == [0, 7]
    for start in starts(run.folder):
        assert {"time", "host", "pid", "command", "commit", "diff", "versions"} <= set(start)


def test_a_last_line_that_was_cut_short_hides_no_later_start(tmp_path: Path) -> None:
    with acquire(tmp_path, "one", IDENTITY) as run:
        path = run.folder / "history.jsonl"
        for step in (0, 5):
            add_start(run, step=step)
        whole = path.read_bytes()
        first = whole.index(b"\n") + 1

        for cut in range(first + 1, len(whole)):
            path.write_bytes(whole[:cut])
            assert [start["step"] for start in starts(run.folder)] == [0]
        for cut in (1, first - 1, first, first + 1, len(whole) - 1, len(whole)):
            path.write_bytes(whole[:cut])
            left = [start["step"] for start in starts(run.folder)]
            add_start(run, step=9)
            assert [start["step"] for start in starts(run.folder)] == [*left, 9]
