"""Tests for isoexp.experiment: no memory, no disk, no folder any more, and code that exits."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from isoexp import processes
from isoexp.experiment import train
from isoexp.experiment.record import Record
from isoexp.experiment.run import Aborted
from isoexp.probes import Refraction
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from ..commands import Command
from .runs import TINY, run, seed_of

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

WORDS = (*TINY, "epochs=3", "probe=none")


def no_memory() -> None:
    torch.zeros(10**15)


def full() -> None:
    raise OSError(28, "No space left on device", "/somewhere")


def leave() -> None:
    sys.exit(3)


def at_update(monkeypatch: pytest.MonkeyPatch, index: int, what) -> None:
    """Has something happen before an update."""

    fit = train.Training.fit

    def stopped(*args: object, **named: object) -> Iterator[object]:
        for step in fit(*args, **named):  # pyright: ignore[reportArgumentType]
            if step.index == index:
                what()
            yield step

    monkeypatch.setattr(train.Training, "fit", stopped)


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (no_memory, "out of memory for 4000000000000000 bytes more: lower batch_size, seeds"),
        (full, "/somewhere: No space left on device"),
    ],
)
def test_the_reason_of_the_system_is_that_of_the_run(
    what, reason: str, monkeypatch: pytest.MonkeyPatch, isoexp: Command
) -> None:
    with monkeypatch.context() as patch:
        at_update(patch, 4, what)
        outcome = isoexp("train", *WORDS)
    (it,) = runs_below(Path("runs"))

    assert outcome.code == 1
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1
    assert it.state["state"] == "failed"
    assert it.state["reason"].startswith(reason)
    assert isoexp("train", *WORDS).code == 0


def test_code_that_exits_in_a_training_fails_it(
    monkeypatch: pytest.MonkeyPatch, isoexp: Command
) -> None:
    at_update(monkeypatch, 4, leave)
    outcome = isoexp("train", *WORDS)
    (it,) = runs_below(Path("runs"))

    assert outcome.code == 2
    assert outcome.err.endswith("it called sys.exit(3)\n")
    assert outcome.err.count("\n") == 1
    assert it.state["state"] == "failed"
    assert it.state["reason"].endswith("it called sys.exit(3)")
    assert Path(__file__).name in it.state["reason"]


def test_a_training_that_a_queue_calls_away_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "leaving", lambda: True)
    at_update(monkeypatch, 4, leave)
    with pytest.raises(SystemExit):
        run(*WORDS)

    assert [it.state["state"] for it in runs_below(Path("runs"))] == ["interrupted"]


def test_too_little_memory_is_no_reason_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that there is no memory to restore stays, and is gone on from."""

    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_SHARE", float("inf"))
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        at_update(patch, 6, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        run(*WORDS)
    for name in ("_restored", "checkpoint.torch.load"):
        with monkeypatch.context() as patch:
            patch.setattr(f"isoexp.experiment.train.{name}", lambda *_, **__: no_memory())
            events = run(*WORDS)
        assert isinstance(events[-1], Aborted)
        assert events[-1].reason.startswith("out of memory")

    starts = [e.step for e in run(*WORDS) if isinstance(e, train.Advance)]
    assert starts[0] == 6


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("at", [2, 3, 9])
def test_a_run_whose_folder_is_removed_ends_alone_and_leaves_nothing(
    at: int, seeds: int, monkeypatch: pytest.MonkeyPatch, isoexp: Command
) -> None:
    def remove() -> None:
        (it,) = (each for each in runs_below(Path("runs")) if seed_of(each) == 0)
        shutil.rmtree(it.folder)

    monkeypatch.setattr(train, "BEAT_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_SHARE", float("inf"))
    at_update(monkeypatch, at, remove)
    outcome = isoexp("train", *WORDS, f"seeds={seeds}", "snapshots=2")

    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "its folder was removed while it was at work" in outcome.err
    assert [it.status for it in runs_below(Path("runs"))] == ["completed"] * (seeds - 1)
    assert len([p for p in Path("runs/main").iterdir() if p.is_dir()]) == seeds - 1


@pytest.mark.parametrize("when", ["complete", "__call__", "interrupt"])
def test_a_folder_may_be_removed_at_any_time(
    when: str, monkeypatch: pytest.MonkeyPatch, isoexp: Command
) -> None:
    def removing(*args: object) -> object:
        for it in runs_below(Path("runs")):
            shutil.rmtree(it.folder)
        return do(*args)

    owner = Refraction if when == "__call__" else Record
    do = getattr(owner, when)
    monkeypatch.setattr(owner, when, removing)
    if when == "interrupt":
        at_update(monkeypatch, 2, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    outcome = isoexp("train", *TINY, "epochs=3", "probe=[refraction]")

    assert outcome.code == (130 if when == "interrupt" else 1)
    assert "Traceback" not in outcome.err
    assert [p for p in Path("runs/main").iterdir() if p.is_dir()] == []


def test_a_sweep_makes_no_folder_that_was_removed(isoexp: Command) -> None:
    """Nor does a look at whether somebody holds it."""

    from isoexp.store.lock import held

    assert not held(Run(Path("runs/main/x-01234567")))
    assert not Path("runs").exists()


def test_what_a_killed_process_left_is_gone_when_the_run_goes_on(isoexp: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        at_update(patch, 2, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        isoexp("train", *WORDS)
    (it,) = runs_below(Path("runs"))
    (it.folder / "probes").mkdir()
    for name in (".checkpoint.pt.999999", ".state.json.999999", "probes/.refraction.png.7"):
        (it.folder / name).write_bytes(b"half")

    assert isoexp("train", *WORDS).code == 0
    assert [p.name for p in it.folder.rglob(".*") if p.is_file()] == [".lock"]


def test_a_disk_that_is_full_from_the_start_leaves_no_folder_of_a_run(
    monkeypatch: pytest.MonkeyPatch, isoexp: Command
) -> None:
    write = os.replace

    def replace(a: object, b: object) -> None:
        if str(b).endswith("state.json"):
            raise OSError(28, "No space left on device")
        write(a, b)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(os, "replace", replace)
    outcome = isoexp("train", *WORDS)

    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "state.json: No space left on device" in outcome.err
    assert [p.name for p in Path("runs/main").iterdir()] == [".lock"]


LIMITED = """
import resource, signal, sys
from isoexp.cli import main
from isoexp.experiment import train

fit = train.Training.fit
def limited(*args, **named):
    for step in fit(*args, **named):
        if step.index == 4:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        yield step

train.Training.fit = limited
sys.exit(main(["train", *sys.argv[1:]]))
"""


@pytest.mark.slow
def test_a_training_that_can_write_nothing_more_says_so_and_can_go_on(isoexp: Command) -> None:
    command = [sys.executable, "-c", LIMITED, *WORDS]
    done = subprocess.run(command, capture_output=True, text=True)
    (it,) = runs_below(Path("runs"))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "File too large; it cannot be written down" in done.stderr
    assert str(it.folder) in done.stderr
    assert [p.name for p in it.folder.iterdir() if p.name.startswith(".")] == [".lock"]
    assert it.status == "interrupted"
    assert isoexp("train", *WORDS).code == 0
    assert it.status == "completed"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="others do not count memory so")
@pytest.mark.parametrize(
    "words", [["model.widths=[8000000000]"], ["-m", "model.widths=[30000000,30000000],[8]"]]
)
def test_a_network_larger_than_memory_is_refused(words: list[str]) -> None:
    """By the real process, which the kernel would kill."""

    command = [sys.executable, "-m", "isoexp", "train", *WORDS, *words]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 2
    assert "model: out of memory for " in done.stderr
    assert done.stderr.count("\n") == 1
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_worker_without_memory_is_a_failure_with_its_reason(isoexp: Command) -> None:
    Path("greedy.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Net(nn.Linear):\n"
        "    def __init__(self, inputs, outputs):\n"
        "        super().__init__(inputs[0], outputs)\n\n    def forward(self, x):\n"
        "        if len(x) > 2:\n            torch.zeros(10**15)\n"
        "        return super().forward(x)\n"
    )
    command = [sys.executable, "-m", "isoexp", "train", "-m", "--allow", "greedy", *WORDS]
    words = ["model._target_=greedy.Net", "seed=0,1", "sweep.batch=1", "sweep.retries=0"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, *words], capture_output=True, text=True, env=environment)

    assert "Traceback" not in done.stderr
    assert "out of memory" in done.stderr
    assert signal.Signals.SIGKILL.name not in done.stderr
