"""Tests for isoexp.experiment: runs that are killed, and go on to the same bits."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
import torch

from isoexp.config.compose import compose
from isoexp.errors import UserError
from isoexp.experiment import train
from isoexp.experiment.job import Advance, Resumed, prepare
from isoexp.experiment.run import execute
from isoexp.store import files
from isoexp.store.history import starts
from isoexp.store.study import runs_below

from .runs import TINY, assert_equal, composed, left, run

pytestmark = pytest.mark.usefixtures("folder", "undrawn")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and the kernel frees the locks."""


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes one after every update."""

    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_SHARE", float("inf"))


@contextmanager
def killed_after(update: int) -> Iterator[None]:
    """A context whose run is killed once a network has the checkpoint of an update."""

    def stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        if args[5] == update:
            raise Killed

    save = train._save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "_save", stop)
        with pytest.raises(Killed):
            yield


@pytest.mark.slow
@pytest.mark.parametrize("seeds", ["seeds=1", "seeds=2"])
def test_killed_at_any_write_it_ends_with_the_same_bits(
    seeds: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every move of a file into place and every line appended, one after the other.

    What a kill would leave is copied just before each: after a kill, nothing of ours is run.
    """

    words = (*TINY, "batch_size=32", "steps=2", "probe=none", seeds)
    run(*words, "out=whole")
    request.getfixturevalue("checkpoints")

    replace, append, writes = os.replace, files.append_line, count()

    def write(do, *args: object) -> None:
        shutil.copytree("killed", f"killed-at-{next(writes)}")
        do(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *args: write(replace, *args))
        patch.setattr("isoexp.experiment.record.append_line", lambda *args: write(append, *args))
        run(*words, "out=killed")

    n, prepared = next(writes), prepare(composed((*words, "out=killed")))
    assert n > 15, "the writes were not found"
    for k in range(n):
        shutil.rmtree("killed")
        Path(f"killed-at-{k}").rename("killed")
        list(execute([prepared]))
        assert {it.status for it in runs_below(Path("killed"))} == {"completed"}, k
        assert_equal(Path("killed"), Path("whole"))


def test_it_resumes_rather_than_starting_afresh(checkpoints: None) -> None:
    """The control of the test above: updates before the checkpoint are not made again."""

    words = (*TINY, "epochs=3", "probe=none")
    with killed_after(3):
        run(*words)

    first = next(e for e in run(*words) if isinstance(e, Advance))
    assert first.step == 4


@pytest.mark.parametrize("layer", ["nn.Dropout(0.5)", "AlwaysOn()"])
def test_what_draws_from_the_generators_of_torch_is_reproducible(
    layer: str, folder: Path, monkeypatch: pytest.MonkeyPatch, checkpoints: None
) -> None:
    """Modules of torch's own know no stream: each update sets theirs."""

    name = f"drawing{len(layer)}"
    (folder / f"{name}.py").write_text(DRAWING.replace("LAYER", layer))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", name)
    words = (*TINY, "epochs=3", "probe=none", f"model._target_={name}.Net")

    torch.manual_seed(1)
    run(*words, "out=whole")
    torch.manual_seed(2)
    run(*words, "out=again")
    with killed_after(4):
        run(*words, "out=killed")
    torch.manual_seed(3)
    run(*words, "out=killed")

    assert_equal(Path("whole"), Path("again"))
    assert_equal(Path("whole"), Path("killed"))
    run(*words, "seed=1", "out=other")
    with pytest.raises(AssertionError):
        assert_equal(Path("whole"), Path("other"))


DRAWING = """
from torch import nn
from torch.nn import functional as F

class AlwaysOn(nn.Module):
    def forward(self, x):
        return F.dropout(x, 0.5, training=True)

class Net(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(nn.Linear(inputs[0], 16), nn.Tanh(), LAYER, nn.Linear(16, outputs))
"""


KILLED = """
import sys, time
from isoexp.cli import main
from isoexp.experiment import train

def stop(*args):
    save(*args)
    if args[5] == 4:
        print("saved", flush=True)
        time.sleep(600)

save, train._save = train._save, stop
train.SAVE_EVERY_S, train.SAVE_SHARE = 0.0, float("inf")
main(["train", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_kill_9_and_the_same_command_again() -> None:
    """A real SIGKILL of a real process, once it has made a checkpoint."""

    words = (*TINY, "epochs=3", "probe=none")
    command = [sys.executable, "-c", KILLED, *words, "out=killed"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert any(line == "saved\n" for line in process.stdout), "it ended before it was killed"
        process.send_signal(signal.SIGKILL)

    (it,) = runs_below(Path("killed"))
    assert it.state["state"] == "running"
    assert it.status == "interrupted"

    assert next(e for e in run(*words, "out=killed") if isinstance(e, Advance)).step == 5
    first, second = starts(it.folder)
    assert (first["step"], first["before"]) == (0, None)
    assert (second["step"], second["before"]["reason"]) == (4, "its process died")
    assert first["pid"] != second["pid"] == os.getpid()
    assert {"host", "command", "commit", "diff", "versions", "device", "threads"} <= first.keys()
    run(*words, "out=whole")
    assert_equal(Path("killed"), Path("whole"))


def test_networks_trained_apart_go_on_apart(checkpoints: None) -> None:
    """Joined by new seeds, an interrupted run keeps the updates that it has made."""

    words = (*TINY, "epochs=3", "probe=none", "precision=float64")
    with killed_after(1):
        run(*words, "seed=1", "out=joined")

    events = run(*words, "seeds=3", "out=joined")
    run(*words, "seeds=3", "out=whole")

    starts = [e.step for e in events if isinstance(e, Advance)]
    assert len(starts) == 8 + 9  # seed 1 from its first checkpoint on, seeds 0 and 2 as one
    (a, _), (b, _) = left(Path("joined")), left(Path("whole"))
    pd.testing.assert_frame_equal(a, b, rtol=1e-12)


def test_noise_of_the_forward_pass_is_that_of_the_seed_and_the_update(
    checkpoints: None, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A network with dropout: the same bits whatever was drawn before, killed or not."""

    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "noisy")
    (folder / "noisy.py").write_text(
        "from torch import nn\nfrom isoexp.activations import Tanh\n\n\n"
        "class Noisy(Tanh):\n"
        "    def scalar(self, x):\n"
        "        return nn.functional.dropout(x.tanh(), 0.5, self.training)\n"
    )
    words = (*TINY, "epochs=2", "probe=none", "activation=tanh", "activation._target_=noisy.Noisy")

    run(*words, "out=whole")
    torch.rand(7)
    with killed_after(1):
        run(*words, "out=killed")
    run(*words, "out=killed")
    assert_equal(Path("killed"), Path("whole"))

    with pytest.raises(UserError, match="trained one by one"):
        run(*words, "seeds=2", "out=together")


def test_a_diverged_member_does_not_hold_the_others_back(checkpoints: None) -> None:
    """Killed after one of two has diverged, the other goes on from its checkpoint."""

    words = (*TINY, "epochs=3", "probe=none", "seeds=2")
    with killed_after(5):
        run(*words)
    first, second = runs_below(Path("runs"))
    first.write_state("failed", reason="diverged at update 3 of 9: …")

    steps = [e.step for e in run(*words) if isinstance(e, Advance)]
    # One goes on from update 4 or 5 of 9, the other starts afresh.
    assert len(steps) in (4 + 9, 5 + 9)
    assert {it.status for it in (first, second)} == {"completed"}


def test_forcing_repeats_what_is_completed_and_resumes_what_is_not(checkpoints: None) -> None:
    words = (*TINY, "epochs=3", "probe=none", "force=true")
    run(*words)
    with killed_after(1):
        run(*words)

    assert [e.step for e in run(*words) if isinstance(e, Advance)] == list(range(2, 10))


def test_rows_that_are_lost_are_had_again(checkpoints: None) -> None:
    """A checkpoint without the rows before it is not gone on from."""

    words = (*TINY, "epochs=3", "probe=none")
    run(*words, "out=whole")
    harms = {"lost": lambda path: path.unlink(), "cut": lambda path: path.write_text("{broken}\n")}
    for out, harm in harms.items():
        with killed_after(5):
            run(*words, f"out={out}")
        (it,) = runs_below(Path(out))
        harm(it.lines)

        run(*words, f"out={out}")
        assert_equal(Path(out), Path("whole"))


def test_stopping_to_listen_interrupts_and_the_same_command_goes_on(checkpoints: None) -> None:
    words = (*TINY, "epochs=3", "probe=none")

    events = execute([prepare(compose([*words, "out=stopped"]))])
    for event in events:
        if isinstance(event, Advance) and event.step == 5:
            break
    events.close()

    (it,) = runs_below(Path("stopped"))
    assert it.status == "interrupted"

    run(*words, "out=stopped")
    run(*words, "out=whole")
    assert_equal(Path("stopped"), Path("whole"))


def test_other_conditions_are_told_when_a_run_goes_on(checkpoints: None) -> None:
    """Its bits may then be others: a line says so, and the history keeps it."""

    words = (*TINY, "epochs=3", "probe=none")
    with killed_after(4):
        run(*words)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OMP_NUM_THREADS", str(threads + 1))
            events = run(*words)
    finally:
        torch.set_num_threads(threads)
    (it,) = runs_below(Path("runs"))

    (told,) = [event for event in events if isinstance(event, Resumed)]
    assert told.changes == f"threads {threads} then, {threads + 1} now"
    assert [start["threads"] for start in starts(it.folder)] == [threads, threads + 1]
    assert not [event for event in run(*words, "out=whole") if isinstance(event, Resumed)]


def test_a_run_that_is_repeated_says_that_it_was_completed() -> None:
    words = (*TINY, "epochs=1", "probe=none")
    run(*words)
    run(*words, "force=true")
    (it,) = runs_below(Path("runs"))

    assert [start["before"] and start["before"]["state"] for start in starts(it.folder)] == [
        None,
        "completed",
    ]
