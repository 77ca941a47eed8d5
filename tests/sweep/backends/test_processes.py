"""Tests for isoexp.sweep.backends.processes: killed, stopped, and started again."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isoexp.experiment.job import Job
from isoexp.store.run import Run
from isoexp.store.study import runs_below
from isoexp.sweep import Outcome, Unit, Workers
from isoexp.sweep.pace import Pace

from ..jobs import jobs

LONG = ("steps=1000000", "epochs=null")


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One worker: it takes seconds to start what it is forked from."""

    workers = Workers(1)
    yield workers
    workers.close()


def sent(workers: Workers, job: Job) -> Unit:
    unit = Unit((job,), Pace())
    workers.send(unit)

    return unit


def back(workers: Workers) -> tuple[Unit, Outcome]:
    """Returns what comes back next, be it in a minute."""

    until = time.monotonic() + 60
    while time.monotonic() < until:
        for each in workers.wait(1.0):
            return each

    raise TimeoutError("nothing came back")


def begun(workers: Workers, root: Path) -> Run:
    """Returns the run below a folder once it is being trained."""

    until = time.monotonic() + 60
    while time.monotonic() < until:
        for run in runs_below(root):
            if run.status == "running":
                return run
        assert not workers.wait(0.02)

    raise TimeoutError("nothing has begun")


@pytest.mark.slow
def test_a_worker_killed_while_idle_is_replaced(workers: Workers, tmp_path: Path) -> None:
    one, two = jobs(tmp_path, 2)

    for job in (one, two):
        unit = sent(workers, job)
        assert workers.free == 0
        left, found = back(workers)
        assert left is unit
        assert found.reason is None
        assert workers.free == 1
        last = max(runs_below(tmp_path), key=lambda run: run.state["ended"])
        os.kill(last.state["pid"], signal.SIGKILL)

    assert [run.status for run in runs_below(tmp_path)] == ["completed"] * 2
    assert len({run.state["pid"] for run in runs_below(tmp_path)}) == 2


@pytest.mark.slow
def test_a_worker_may_be_asked_to_do_one_unit_only(workers: Workers, tmp_path: Path) -> None:
    for job in jobs(tmp_path, 2):
        workers.send(Unit((job,), Pace(), fresh=True))
        assert back(workers)[1].reason is None

    pids = {run.state["pid"] for run in runs_below(tmp_path)}
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("sign", ["SIGKILL", "SIGTERM"])
def test_a_worker_killed_at_work_gives_its_unit_back(
    sign: str, workers: Workers, tmp_path: Path
) -> None:
    """And is told to stop when it has gone on where it was."""

    (job,) = jobs(tmp_path, 1, *LONG)
    unit = sent(workers, job)
    run = begun(workers, tmp_path)
    os.kill(run.state["pid"], getattr(signal, sign))
    left, found = back(workers)

    assert left is unit
    assert f"was killed by {sign}" in str(found.reason)
    assert run.status == "interrupted"

    again = sent(workers, job)
    begun(workers, tmp_path)
    workers.stop(again)
    assert run.state["state"] == "interrupted"
    assert workers.free == 1


def test_close_leaves_runs_resumable_and_no_process(tmp_path: Path) -> None:
    workers = Workers(1)
    (job,) = jobs(tmp_path, 1, *LONG)
    sent(workers, job)
    run = begun(workers, tmp_path)
    workers.close()

    assert run.state["state"] == "interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(run.state["pid"], 0)
