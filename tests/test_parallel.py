"""Tests for isoexp.parallel and isoexp.processes: one training on two processes of torchrun."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch

from isoexp.errors import UserError
from isoexp.experiment.job import prepare
from isoexp.experiment.train import check_shares
from isoexp.noise import KEY, normal, uniform
from isoexp.parallel import Share
from isoexp.store.study import runs_below

from . import sharing
from .commands import Command
from .experiment.runs import TINY, composed, left, run

SHARED = {
    "zca": ("norm=zca", "dropout=elementwise", "regularizer=l2", "clip=norm"),
    "chi": ("norm=chi", "dropout=correlated", "activation=stochastic"),
    "images": ("data=digits", "model=cnn", "model.widths=[4]", "norm=iso_batch", "dropout=haar"),
    "steps": ("data=languages", "data.train=64", "model=transformer", "dropout=isotropic"),
    "dealt": ("data=digits", "data.split=seed", "norm=layer"),
    "float32": ("precision=float32", "norm=iso_batch", "dropout=isotropic"),
    "resumed": ("norm=batch", "dropout=isotropic", "regularizer=activation_norm"),
    "killed": ("norm=layer", "dropout=elementwise"),
}
"""What is shared out: batches of 25 samples, and of 14, in shares that are not alike."""

REFUSED = {
    "sweep": (("-m", "seed=0,1"), "torchrun shares one training: start isoexp train -m"),
    "generator": (
        ("--allow", "tests", "dropout._target_=tests.sharing.TorchDropout"),
        "model: on shares of a batch it is trained otherwise",
    ),
}


def words(name: str) -> tuple[str, ...]:
    """The words of a training of eight updates.

    By gradient descent: Adam would make roundings of gradients that are zero as large as any.
    """

    own = SHARED.get(name) or REFUSED[name][0]
    data = () if any(word.startswith("data=") for word in own) else TINY[:-1]
    short = ("batch_size=25", "steps=8", "probe=none", "optimizer=sgd", f"name={name}")

    return (*data, "precision=float64", *own, *short)


@pytest.mark.slow(15)
def test_two_processes_train_as_one_does(folder: Path) -> None:
    """All of it in one test, since starting them takes the time."""

    two, one = folder / "two", folder / "one"
    two.mkdir()
    one.mkdir()

    errors = torchrun(two, [["train", *words(name)] for name in (*REFUSED, *SHARED)])
    for name, (_, message) in REFUSED.items():
        assert outcome(two, name, 0)[0] == outcome(two, name, 1)[0] == 2, name
        assert errors.count(f"isoexp: {message}") == 1, errors
        assert not runs_below(two / "runs" / name), name

    os.chdir(one)
    for name in SHARED:
        run(*words(name))
        if name != "killed":
            assert_samples_shared_out(two, name)
            assert_close(two / "runs" / name, one / "runs" / name, name)

    # Of which one process was killed: the other has said so, and a single one goes on.
    (killed,) = runs_below(two / "runs" / "killed")
    assert "isoexp: interrupted" in errors
    assert killed.state["state"] == "interrupted"
    os.chdir(two)
    run(*words("killed"))
    assert killed.state["attempt"] == 1, "begun afresh"
    assert_close(two / "runs" / "killed", one / "runs" / "killed", "killed")


def torchrun(folder: Path, lines: list[list[str]]) -> str:
    """Does commands in two processes, and kills one; returns what is printed as errors."""

    (folder / "lines.json").write_text(json.dumps(lines))
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            *command,
            "--monitor-interval=0.1",
            "-m",
            sharing.__name__,
            "lines.json",
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "exitcode: -9" in done.stderr, done.stderr

    return done.stderr


def outcome(folder: Path, name: str, rank: int) -> tuple[int, list[int]]:
    """The exit code of a command, and the number of samples of each share, in one process."""

    code, sizes = json.loads((folder / f"name={name}-{rank}.json").read_text())

    return code, sizes


def assert_samples_shared_out(folder: Path, name: str) -> None:
    """Each sample is of one share, first in a try; what was stopped went on at its checkpoint."""

    (code, a), (other, b) = (outcome(folder, name, rank) for rank in (0, 1))
    batches = [25] * 8 if name in ("images", "dealt") else [25, 25, 14, 25, 25, 14, 25, 25]
    if name == "resumed":
        batches = batches[sharing.ENDED_AT - 4 :]

    assert code == other == 0, name
    assert a == [4] * 3 + [n // 2 for n in batches], name
    assert [x + y for x, y in zip(a, b, strict=True)] == [9] * 3 + batches, name


def assert_close(a: Path, b: Path, name: str) -> None:
    """Two folders hold the same run, to the roundings of eight updates."""

    rtol = 1e-4 if name == "float32" else 1e-9
    (rows_a, weights_a), (rows_b, weights_b) = left(a), left(b)

    pd.testing.assert_frame_equal(rows_a, rows_b, rtol=rtol, atol=0, obj=name)
    for path, w in weights_b[0].items():
        torch.testing.assert_close(
            weights_a[0][path], w, rtol=rtol, atol=rtol, msg=f"{path} of {name}"
        )


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment as torchrun makes it, of the second of three processes."""

    told = {"RANK": 1, "WORLD_SIZE": 3, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 3}
    for name, value in told.items() | {("TORCHELASTIC_RUN_ID", "test")}:
        monkeypatch.setenv(name, str(value))


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ("seeds=2", "trains one network on all its processes, got 2 seeds"),
        ("batch_size=31", "the last batch of 64 samples has 2"),
        ("device=cuda:0", "device=cuda:0 is one; torchrun takes cpu"),
    ],
)
def test_mistakes_are_found_before_anything_is_shared(
    own: str, message: str, started: None
) -> None:
    with pytest.raises(UserError, match=message):
        check_shares(prepare(composed((*TINY, "device=cpu", "probe=none", own))).lab())


def test_other_commands_are_refused(started: None, isoexp: Command) -> None:
    """By each process, and said by the first of a machine."""

    outcome = isoexp("ls")

    assert (outcome.code, outcome.err) == (2, "")


def test_other_environments_are_those_of_one_process(
    started: None, isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster may name ranks as well; then each process is asked for a training of its own."""

    monkeypatch.delenv("TORCHELASTIC_RUN_ID")

    assert isoexp("train", *TINY, "steps=1", "probe=none").code == 0


@pytest.mark.parametrize("shape", [(7, 3), (7, 2, 5), (7, 1)])
@pytest.mark.parametrize("cuts", [(0, 3, 7), (0, 1, 2, 7), (0, 4, 6, 7)])
def test_noise_of_shares_is_that_of_the_batch(
    shape: tuple[int, ...], cuts: tuple[int, ...]
) -> None:
    key = torch.tensor(KEY // 3)
    spans = [Share(a, b, 7) for a, b in pairwise(cuts)]
    for draw in (uniform, normal):
        parts = [draw(key, (s.last - s.first, *shape[1:]), torch.float64, s) for s in spans]
        whole = draw(key, shape, torch.float64)
        torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-14, atol=1e-14)
