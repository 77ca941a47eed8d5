"""Tests for isoexp.store.run, lock and study."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isoexp.store.lock import Busy, acquire
from isoexp.store.run import HEARTBEAT_DEAD_S, Run
from isoexp.store.study import Study, find, runs_below

IDENTITY = "0123456789abcdef0123456789abcdef"


def dead_pid() -> int:
    """The number of a process that has ended."""

    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    return process.pid


def test_a_run_is_found_by_its_identity_whatever_its_label(tmp_path: Path) -> None:
    with acquire(tmp_path, "one", IDENTITY) as run:
        pass

    with acquire(tmp_path, "another", IDENTITY) as again:
        assert again.folder == run.folder

    assert run.folder.name == "one-01234567"
    assert runs_below(tmp_path) == [run]


def test_identities_that_begin_alike_get_folders_of_their_own(tmp_path: Path) -> None:
    other = IDENTITY[:8] + "f" * 24
    with acquire(tmp_path, "one", IDENTITY) as a, acquire(tmp_path, "one", other) as b:
        assert a.folder != b.folder

    assert find(tmp_path, IDENTITY) == a
    assert find(tmp_path, other) == b
    assert find(tmp_path, "0" * 32) is None


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        acquire(tmp_path, "one", IDENTITY),
        pytest.raises(Busy, match=f"process {os.getpid()}"),
        acquire(tmp_path, "one", IDENTITY),
    ):
        pass


def test_a_killed_process_frees_its_run(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from isoexp.store.lock import acquire\n"
        f"with acquire(Path(sys.argv[1]), 'one', '{IDENTITY}') as run:\n"
        "    run.write_state('running'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=f"process {process.pid}"), acquire(tmp_path, "", IDENTITY):
            pass
        process.kill()

    run = find(tmp_path, IDENTITY)
    assert run is not None
    assert run.state["state"] == "running"
    assert run.status == "interrupted"
    with acquire(tmp_path, "one", IDENTITY):
        pass


@pytest.mark.parametrize(
    ("host", "age_s", "status"),
    [
        (socket.gethostname(), 0.0, "interrupted"),  # its process is gone, as this host can see
        ("elsewhere", 0.0, "running"),
        ("elsewhere", 2 * HEARTBEAT_DEAD_S, "interrupted"),
    ],
)
def test_a_run_is_running_while_someone_can_vouch_for_it(
    tmp_path: Path, host: str, age_s: float, status: str
) -> None:
    run = Run(tmp_path / "x-01234567")
    run.folder.mkdir()
    run.write_state(
        "running",
        identity=IDENTITY,
        pid=dead_pid(),
        host=host,
    )
    run.write_state("running", heartbeat=time.time() - age_s)

    assert run.status == status


def test_a_run_on_another_host_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x-01234567").mkdir()
    Run(tmp_path / "x-01234567").write_state("running", identity=IDENTITY, pid=1, host="elsewhere")

    with pytest.raises(Busy, match="on elsewhere"), acquire(tmp_path, "x", IDENTITY):
        pass


def test_claiming_a_completed_run_leaves_it_completed(tmp_path: Path) -> None:
    with acquire(tmp_path, "one", IDENTITY) as run:
        run.write_state("completed")

    with acquire(tmp_path, "one", IDENTITY) as again:
        assert again.status == "completed"


def test_a_study_that_is_listed_once_finds_what_was_there(tmp_path: Path) -> None:
    alike, later = IDENTITY[:8] + "f" * 24, "a" * 32
    for label, each in (("x-deadbeef-y", IDENTITY), ("b", alike)):
        with acquire(tmp_path, label, each):
            pass
    study = Study.of(tmp_path)
    with acquire(tmp_path, "late", later):
        pass

    for each in (IDENTITY, alike):
        assert study.find(each) == find(tmp_path, each)
        assert study.find(each) is not None
    assert study.find(later) is None
    assert find(tmp_path, later) is not None
    assert Study.of(tmp_path / "nowhere").find(IDENTITY) is None
