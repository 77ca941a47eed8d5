"""Tests for sweeps out of one machine: by submitit, by Slurm, by Ray, where there is one."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from isoexp import processes
from isoexp.errors import UserError
from isoexp.experiment.job import Advance
from isoexp.experiment.run import execute, terminable
from isoexp.store.study import runs_below
from isoexp.sweep import Outcome, Unit, chosen_launcher, wants_hydra
from isoexp.sweep.backends import cluster as clusters
from isoexp.sweep.backends import slurm, submitit
from isoexp.sweep.backends.submitit import Errand

from ...commands import Command
from ...experiment.runs import TINY, assert_equal, left
from ..jobs import jobs, unit, written

LOCAL, SLURM = "hydra/launcher=submitit_local", "hydra/launcher=submitit_slurm"
QUICK = (*TINY, "epochs=1", "probe=none", "seed=0,1")

COMMANDS = {
    "srun": "",
    "sbatch": """
        [ -e {0}/refuse ] && echo "sbatch: error: invalid partition" >&2 && exit 1
        cp "$1" {0}/script; echo "$1" >> {0}/sent; echo "Submitted batch job 7" """,
    "squeue": "cat {0}/queue",
    "scancel": 'echo "$@" >> {0}/cancelled',
}
"""What Slurm's commands do here, in a folder."""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands like Slurm's, and the folder where they keep their accounts."""

    folder = tmp_path / "cluster"
    folder.mkdir()
    for name, body in COMMANDS.items():
        (folder / name).write_text(f"#!/bin/sh\n{body.format(folder)}\n")
        (folder / name).chmod(0o755)
    (folder / "queue").write_text("7_0\n7_1\n7_2\n")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "LOOK_EVERY_S", 0.0)

    return folder


@pytest.fixture
def sent(cluster: Path, tmp_path: Path) -> tuple[Any, list[Unit]]:
    """Three units that were sent to Slurm, and what sent them."""

    does = made(tmp_path, SLURM, "hydra.launcher.partition=debug")
    units = [unit(tmp_path, 2) for _ in range(3)]
    for each in units:
        does.send(each)
    assert does.wait(0) == []

    return does, units


def made(out: Path, *words: str) -> Any:
    """Returns what sends units, by the words that choose it."""

    chosen = chosen_launcher(words)
    assert chosen is not None

    return chosen.backend(out)


def result(out: Path, job: str, *content: object) -> None:
    """Leaves the result of a job, as submitit does."""

    (folder,) = (out / ".submitit").iterdir()
    (folder / f"{job}_0_result.pkl").write_bytes(pickle.dumps(content))


def test_units_are_one_job_array(cluster: Path, sent: tuple[Any, list[Unit]]) -> None:
    script = (cluster / "script").read_text()

    assert (cluster / "sent").read_text().count("\n") == 1
    assert "--array=0-2%3" in script
    assert "--partition=debug" in script
    assert "--signal=USR2@30" in script


def test_results_come_back_and_leave_no_logs(tmp_path: Path, sent: tuple[Any, list[Unit]]) -> None:
    does, units = sent
    for k in range(3):
        result(tmp_path, f"7_{k}", "success", Outcome())

    assert [(each, how.reason) for each, how in does.wait(0)] == [(u, None) for u in units]

    does.close()
    assert list((tmp_path / ".submitit").iterdir()) == []


def test_what_a_job_says_comes_back(tmp_path: Path, sent: tuple[Any, list[Unit]]) -> None:
    does, _ = sent
    result(tmp_path, "7_0", "success", Outcome("data: there is no such file"))
    result(tmp_path, "7_1", "error", "Traceback:\n  File x\nValueError: so much trouble\n")

    reasons = [how.reason for _, how in does.wait(0)]

    assert reasons == ["data: there is no such file", "ValueError: so much trouble"]
    does.close()
    assert len(list((tmp_path / ".submitit").iterdir())) == 1


def test_a_job_twice_not_in_the_queue_was_killed(
    cluster: Path, tmp_path: Path, sent: tuple[Any, list[Unit]]
) -> None:
    does, units = sent
    (folder,) = (tmp_path / ".submitit").iterdir()
    (folder / "7_1_0_log.err").write_text("one\nslurmstepd: error: out of memory\n")
    (cluster / "queue").write_text("7_0\n")
    result(tmp_path, "7_2", "success", Outcome())

    assert [each for each, _ in does.wait(0)] == [units[2]]
    ((left, how),) = does.wait(0)

    assert left is units[1]
    assert how.reason == "job 7_1 was ended; it last said: slurmstepd: error: out of memory"
    assert does.wait(0) == []


def test_a_queue_that_cannot_be_asked_says_nothing(
    cluster: Path, sent: tuple[Any, list[Unit]]
) -> None:
    does, _ = sent
    (cluster / "queue").unlink()

    assert [does.wait(0) for _ in range(3)] == [[], [], []]


def test_what_another_machine_wrote_last_is_waited_for(
    cluster: Path,
    tmp_path: Path,
    sent: tuple[Any, list[Unit]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    does, units = sent
    written(units[0].jobs[0], 0, "running", host="elsewhere", heartbeat=time.time())
    (cluster / "queue").write_text("7_1\n7_2\n")

    assert [does.wait(0) for _ in range(3)] == [[], [], []]
    monkeypatch.setattr(clusters, "CERTAIN_S", 0.0)
    assert [each for each, _ in does.wait(0)] == [units[0]]


def test_jobs_are_interrupted_before_they_are_cancelled(
    cluster: Path, sent: tuple[Any, list[Unit]]
) -> None:
    does, units = sent

    does.stop(units[1])
    does.close()

    said = (cluster / "cancelled").read_text().splitlines()
    assert said == ["--signal=INT 7_1", "7_1", "--signal=INT 7_0 7_2", "7_0 7_2"]
    assert does.wait(0) == []


def test_the_first_refusal_ends_a_sweep_a_later_one_does_not(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    does = made(tmp_path, SLURM)
    (cluster / "refuse").touch()
    does.send(unit(tmp_path, 1))
    with pytest.raises(UserError, match=r"^hydra\.launcher: invalid partition$"):
        does.wait(0)

    (cluster / "refuse").unlink()
    does.wait(0)
    (cluster / "refuse").touch()
    monkeypatch.setattr(submitit, "SEND_AGAIN_S", 0.0)
    does.send(unit(tmp_path, 1))
    does.wait(0)
    assert (cluster / "sent").read_text().count("\n") == 1

    (cluster / "refuse").unlink()
    does.wait(0)
    assert (cluster / "sent").read_text().count("\n") == 2


def test_arrays_are_no_longer_than_slurm_takes(
    cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitit, "ARRAY_MOST", 2)
    does = made(tmp_path, SLURM)
    for _ in range(5):
        does.send(unit(tmp_path, 1))

    does.wait(0)

    assert (cluster / "sent").read_text().count("\n") == 3


def test_a_job_that_leaves_by_itself_is_told_from_one_that_is_called_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    errand, one = Errand(), unit(tmp_path, 1)
    monkeypatch.setattr(processes, "_leaving", threading.Event())

    def perform(_: Unit) -> None:
        sys.exit(3)

    monkeypatch.setattr("isoexp.sweep.unit.perform", perform)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    assert errand(one, {"OMP_NUM_THREADS": "2"}).reason == "it called sys.exit(3)"
    assert os.environ["OMP_NUM_THREADS"] == "2"

    again = errand.checkpoint(one, {})
    assert again.args == (one, {})
    with pytest.raises(SystemExit):
        errand(one, {})


MISTAKES: dict[tuple[str, ...], str] = {
    ("hydra.launcher.partitoin=x",): "hydra.launcher.partitoin; did you mean partition",
    ("+hydra.launcher.whatever=1",): "no setting hydra.launcher.whatever; hydra.launcher takes",
    ("hydra.launcher.timeout_min=soon",): "timeout_min must be a whole number, got 'soon'",
    ("hydra.launcher.timeout_min=1,2",): "timeout_min is of the whole sweep",
    ("hydra/sweeper=basic",): "takes no sweeper: leave out hydra/sweeper=basic",
}


@pytest.mark.parametrize(("words", "said"), MISTAKES.items(), ids=lambda each: str(each[0]))
def test_mistakes_are_told_before_anything_starts(
    isoexp: Command, cluster: Path, words: tuple[str, ...], said: str
) -> None:
    outcome = isoexp("train", "-m", SLURM, *words, *QUICK)

    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_what_is_not_there_is_named(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    misspelt = isoexp("train", "-m", "hydra/launcher=submitit_slrum", *QUICK)
    assert (misspelt.code, misspelt.err.count("\n")) == (2, 1)
    assert "did you mean submitit_slurm?" in misspelt.err

    monkeypatch.setenv("PATH", "/nowhere")
    outcome = isoexp("train", "-m", SLURM, *QUICK)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "no sbatch on this machine" in outcome.err

    for module in ("submitit", "ray"):
        monkeypatch.setattr(f"isoexp.sweep.backends.{module}.find_spec", lambda _: None)
    for choice, extra in ((LOCAL, "slurm"), (SLURM, "slurm"), ("hydra/launcher=ray", "ray")):
        outcome = isoexp("train", "-m", choice, *QUICK)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert f"{choice} needs pip install isoexp[{extra}]" in outcome.err


def test_a_file_of_the_users_own_may_set_a_launcher(tmp_path: Path, cluster: Path) -> None:
    path = tmp_path / "hydra" / "launcher" / "mine.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("defaults: [submitit_slurm]\npartition: debug\n")
    words = ["hydra/launcher=mine"]

    assert not wants_hydra(words, [tmp_path])
    found = chosen_launcher(words, [tmp_path])

    assert found is not None
    settings = found.settings
    assert (found.name, settings["partition"], settings["timeout_min"]) == ("mine", "debug", 60)
    assert wants_hydra(["hydra/launcher=basic"])
    assert chosen_launcher(["hydra/launcher=basic"]) is None
    assert chosen_launcher(["seed=0,1"]) is None


def test_the_shell_completes_launchers(isoexp: Command) -> None:
    outcome = isoexp("_complete", "train", "hydra/launcher=sub")

    assert outcome.out.split() == [LOCAL, SLURM]


def test_the_handler_of_another_stays() -> None:
    def other(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, other)
    try:
        with terminable():
            assert signal.getsignal(signal.SIGTERM) is other
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with terminable():
            assert signal.getsignal(signal.SIGTERM) not in (other, signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_exit_in_the_middle_leaves_a_run_resumable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_leaving", threading.Event())
    processes.leave()
    events = execute(jobs(tmp_path, 1))
    next(event for event in events if isinstance(event, Advance))

    with pytest.raises(SystemExit):
        events.throw(SystemExit(1))

    (run,) = runs_below(tmp_path)
    assert run.state["state"] == "interrupted"


@pytest.mark.slow
def test_a_job_called_away_goes_on_where_it_was(tmp_path: Path) -> None:
    words = ("data.train=9600", "steps=2500", "epochs=null")
    does, one = made(tmp_path, LOCAL), unit(tmp_path, 1, *words)
    does.send(one)
    pid = 0
    until = time.monotonic() + 300
    back = []
    while not back and time.monotonic() < until:
        back = does.wait(0.1)
        states = [run.state for run in runs_below(tmp_path)]
        if not pid and states and states[0]["state"] == "running" and states[0]["step"]:
            pid = states[0]["pid"]
            os.kill(pid, signal.SIGUSR2)

    assert pid, "it was over before it was called away"
    assert [how.reason for _, how in back] == [None]
    does.close()
    (run,) = runs_below(tmp_path)
    assert (run.state["state"], run.state["attempt"]) == ("completed", 1)
    assert run.state["pid"] != pid
    assert left(tmp_path)[0]["step"].tolist() == list(range(0, 2501, 125))


def identities(root: Path) -> list[str]:
    return sorted(run.state["identity"] for run in runs_below(root))


def a_slurm() -> bool:
    """Whether there is a Slurm that takes jobs."""

    if shutil.which("sinfo") is None:
        return False
    asked = subprocess.run(
        ["sinfo", "--noheader", "--format=%t"], capture_output=True, text=True, check=False
    )

    return asked.returncode == 0 and bool(asked.stdout.strip())


ENGINES: dict[str, Callable[[], bool]] = {
    "submitit_slurm": a_slurm,
    "ray": lambda: find_spec("ray") is not None,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_every_launcher_makes_the_same_table(name: str, folder: Path) -> None:
    if not ENGINES[name]():
        pytest.skip(f"there is no {name.removeprefix('submitit_')} here")

    command = [sys.executable, "-m", "isoexp", "train", "-m", f"hydra/launcher={name}"]
    done = subprocess.run(
        [*command, *QUICK, "sweep.batch=2", "sweep.workers=1", "out=theirs"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    list(execute(unit(folder / "ours", 2).jobs))

    theirs, ours = (identities(folder / out) for out in ("theirs", "ours"))
    assert theirs == ours
    assert_equal(folder / "theirs", folder / "ours")
