"""Tests for isoexp train -m: what it prints, and what it survives."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import isoexp as package
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from ..commands import Command
from ..experiment.runs import TINY

QUICK = (*TINY, "epochs=1", "probe=none")

TROUBLE = '''
import multiprocessing, os, signal, sys
from isoexp.activations import IsoTanh

class Trouble(IsoTanh):
    """Makes trouble of a kind, in a worker, once training has begun."""

    def __init__(self, width, kind="none"):
        super().__init__(width)
        self.kind, self.calls = kind, 0

    def forward(self, x):
        self.calls += 1
        if multiprocessing.parent_process() is not None and self.calls == 3:
            getattr(self, self.kind)()
        return super().forward(x)

    def none(self):
        pass

    def fail(self):
        raise ValueError("so much trouble")

    def exit(self):
        sys.exit(3)

    def kill(self):
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def talk(self):
        print("on the output")
        os.write(2, b"on the errors")
'''

KINDS = {
    "none": None,
    "talk": None,
    "fail": "ValueError: so much trouble",
    "exit": "it called sys.exit(3)",
    "kill": "its process was killed by SIGKILL (out of memory?); it last said: last words",
}


@pytest.fixture
def trouble(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A class of one's own that fails, and the words of a command that uses it."""

    monkeypatch.syspath_prepend(str(folder))
    (folder / "trouble.py").write_text(TROUBLE)
    (folder / "own" / "activation").mkdir(parents=True)
    (folder / "own" / "activation" / "trouble.yaml").write_text(
        "_target_: trouble.Trouble\n_partial_: true\nkind: none\n"
    )

    return ["--config-dir", "own", "--allow", "trouble", "activation=trouble"]


def found(root: str = "runs") -> dict[str, Run]:
    """Returns the runs by what varies in them."""

    runs = runs_below(Path(root))

    return {" ".join(run.state["words"][-1:]).partition("=")[2]: run for run in runs}


@pytest.mark.slow
def test_a_sweep_survives_classes_that_fail(isoexp: Command, trouble: list[str]) -> None:
    """Each in its way; the others are done, and each failure is told at once and kept whole."""

    words = ("-m", *trouble, *QUICK, f"activation.kind={','.join(KINDS)}", "sweep.retries=0")
    outcome = isoexp("train", *words)
    runs = found()

    assert outcome.code == 1, outcome
    assert set(runs) == set(KINDS)
    for kind, reason in KINDS.items():
        run = runs[kind]
        assert run.status == ("failed" if reason else "completed"), kind
        assert run.state.get("reason") == reason
        if reason:
            assert f"{run.folder}: {reason}; see {run.folder / 'error.txt'}\n" in outcome.err
    assert "in forward" in (runs["fail"].folder / "error.txt").read_text()
    assert "in forward" in (runs["exit"].folder / "error.txt").read_text()
    assert "last words" in (runs["kill"].folder / "error.txt").read_text()
    assert outcome.err.count("\n") == 3
    assert "on the" not in outcome.out + outcome.err

    listed = isoexp("ls").out
    assert all(reason in listed for reason in KINDS.values() if reason)
    assert "5 jobs, 5 runs, 2 done before" in isoexp("train", *words, "--dry-run").out


@pytest.mark.slow
def test_the_table_is_in_the_order_of_the_jobs(isoexp: Command) -> None:
    """Whatever was done before, and whichever worker was the first."""

    from isoexp.cli.table import SHOWN

    assert isoexp("train", *QUICK, "seed=3").code == 0
    words = ("train", "-m", *QUICK, f"seed=range(0,{SHOWN + 2})")
    first, again = isoexp(*words), isoexp(*words)
    _, shown = first.out.split("\n\nrun ")
    rows = shown.split("\n\n")[0].splitlines()[1:]

    assert "42 jobs, 42 runs, 1 done before" in first.out
    assert "to be trained: " in first.out
    assert [int(row.split("seed-")[1].split("-")[0]) for row in rows[:-1]] == list(range(SHOWN))
    assert rows[-1] == "… and 2 more"
    assert "figures  " not in first.out
    assert shown == again.out.split("\n\nrun ")[1]
    assert "42 done before" in again.out
    assert "to be trained" not in again.out


@pytest.mark.slow
def test_no_figures_are_drawn_in_a_sweep(isoexp: Command) -> None:
    words = ("train", "-m", *TINY, "epochs=1", "probe=[spectrum]", "seed=0,1")
    outcome = isoexp(*words)

    assert not list(Path("runs").rglob("*.png"))
    assert len(list(Path("runs").rglob("spectrum.parquet"))) == 2
    assert "figures  isoexp figures runs/main\n" in outcome.out


def test_interrupted_by_ctrl_c(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoexp.cli.sweep import SweepProgress
    from isoexp.sweep import Beat

    def interrupt(progress: object, event: object) -> None:
        if isinstance(event, Beat) and any(steps for _, steps in event.units.values()):
            raise KeyboardInterrupt

    words = ("train", "-m", *TINY, "probe=none", "epochs=2000", "seed=0,1")
    with monkeypatch.context() as patch:
        patch.setattr(SweepProgress, "show", interrupt)
        outcome = isoexp(*words)

    assert outcome.code == 130
    assert outcome.err == "isoexp: interrupted; the same command goes on from here\n"
    assert {run.status for run in runs_below(Path("runs"))} <= {"interrupted", "pending"}


LONG = (*TINY, "probe=none", "steps=1200", "seed=range(0,4)", "sweep.batch=1", "sweep.workers=1")


def head(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Starts a sweep, in a group of processes as a shell makes one."""

    command = [sys.executable, "-m", "isoexp", "train", "-m", *(words or LONG)]

    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests in the background of a shell ignore Ctrl-C, and so would what they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def running(pids: set[int]) -> set[int]:
    """Returns the processes that work on runs, of those that are not known, once there are any."""

    until = time.monotonic() + 60
    while time.monotonic() < until:
        states = [run.state for run in runs_below(Path("runs"))]
        at_work = {s["pid"] for s in states if s.get("state") == "running" and s.get("step")}
        if at_work - pids:
            return at_work - pids
        time.sleep(0.02)

    raise TimeoutError("nothing has begun")


@pytest.mark.slow(20)
def test_a_killed_worker_changes_no_bit(isoexp: Command, folder: Path) -> None:
    """Networks that it trained as one go on as one; so they do where all is killed."""

    words = [each for each in LONG if not each.startswith("sweep.batch")] + ["sweep.batch=4"]
    with head(folder, *words, "name=worker") as one:
        os.kill(running(set()).pop(), signal.SIGKILL)
        assert one.wait(timeout=60) == 0
    with head(folder, *words, "name=all") as two:
        running({0})
        os.killpg(two.pid, signal.SIGKILL)
    assert isoexp("train", "-m", *words, "name=all").code == 0
    assert isoexp("train", "-m", *words, "name=whole").code == 0

    aside = ["time_s", "study"]
    tables = [package.read(f"runs/{n}").drop(columns=aside) for n in ("whole", "worker", "all")]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


@pytest.mark.slow
def test_a_package_of_the_same_name_nearby_is_not_taken_for_this_one(folder: Path) -> None:
    """Workers are what their head is, in the folder of another checkout too."""

    (folder / "isoexp").mkdir()
    (folder / "isoexp" / "__init__.py").write_text("raise SystemExit('another isoexp')\n")
    line = [Path(sys.executable).with_name("isoexp"), "train", "-m", *QUICK, "seed=0,1"]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "2 runs" in done.stdout
    assert "another isoexp" not in done.stderr


@pytest.mark.slow(40)
def test_heads_that_share_a_sweep_and_are_killed(isoexp: Command, folder: Path) -> None:
    """Two commands share the runs of a sweep. One is killed, the other interrupted from its
    terminal; a third does the rest. What was completed, or had a checkpoint, is not begun anew, and
    the numbers are those of a sweep that nobody disturbs."""

    with head(folder) as one, head(folder) as two:
        first = running(set())
        second = running(first)
        one.kill()
        os.killpg(two.pid, signal.SIGINT)  # as a terminal does: to all of them
        _, errors = two.communicate(timeout=60)

    assert two.returncode == 130
    assert errors == "isoexp: interrupted; the same command goes on from here\n"
    until = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in first | second):
        assert time.monotonic() < until, "a worker outlives the one that started it"
        time.sleep(0.05)
    kept = {run.folder: run.state for run in runs_below(Path("runs")) if run.state.get("step")}
    assert len(kept) >= 2

    assert isoexp("train", "-m", *LONG).code == 0
    states = {run.folder: run.state for run in runs_below(Path("runs"))}
    assert [state["state"] for state in states.values()] == ["completed"] * 4
    for run, before in kept.items():
        assert states[run]["attempt"] == 1
        assert before["state"] != "completed" or states[run]["ended"] == before["ended"]

    assert isoexp("train", "-m", *LONG, "out=whole").code == 0
    tables = [package.read(root).drop(columns=["time_s"]) for root in ("runs", "whole")]
    assert tables[0].equals(tables[1])
