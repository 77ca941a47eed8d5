"""Tests for isoexp.experiment: jobs that differ in real numbers, trained as one."""

import os
import shutil
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

import isoexp
from isoexp.experiment import batching, train
from isoexp.experiment.batching import divided
from isoexp.experiment.job import Advance, Ended, Job, prepare
from isoexp.experiment.run import AlreadyDone, even, execute
from isoexp.store import files
from isoexp.store.study import runs_below

from .runs import TINY, composed

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

SHORT = (*TINY, "epochs=3", "probe=none", "precision=float64", "model.widths=[6]")
"""Nine updates."""

SHORTEST = (*TINY, "batch_size=32", "steps=2", "probe=none", "model.widths=[4]")


def jobs(out: str, *words: Sequence[str], base: Sequence[str] = SHORT) -> list[Job]:
    return [prepare(composed((*base, *each, f"out={out}"))) for each in words]


def do(prepared: Sequence[Job], most: int | None = None) -> list[Any]:
    return list(execute(prepared, most))


def updates(events: Sequence[Any]) -> int:
    return sum(isinstance(event, Advance) for event in events)


def left(root: str) -> tuple[pd.DataFrame, dict[str, dict[str, torch.Tensor]]]:
    """The rows and the final weights of the runs below a folder, by run; times aside."""

    rows = isoexp.read(root).drop(columns="time_s").sort_values(["run", "step"], kind="stable")
    weights = {
        it.folder.name.rpartition("-")[2]: torch.load(it.folder / "checkpoint.pt")["model"]
        for it in runs_below(Path(root))
    }

    return rows.reset_index(drop=True), weights


def assert_alike(a: str, b: str, tolerance: float) -> None:
    """Two folders hold the same runs, up to rounding."""

    (rows_a, weights_a), (rows_b, weights_b) = left(a), left(b)

    pd.testing.assert_frame_equal(rows_a, rows_b, rtol=tolerance, atol=0)
    assert weights_a.keys() == weights_b.keys()
    for run, weights in weights_a.items():
        for name, w in weights.items():
            scale = weights_b[run][name].double().abs().max()
            assert (w - weights_b[run][name]).abs().max() <= tolerance * scale, (run, name)


SWEEPS = {
    "rates": [
        ("optimizer.lr=1e-3", "optimizer.weight_decay=0.1", "seeds=2"),
        ("optimizer.lr=3e-2", "seed=5"),
        ("optimizer.lr=1e-2", "optimizer.weight_decay=0.01"),
    ],
    "everything": [
        (
            "activation=iso_relu", "optimizer=iso_adam", "dropout=isotropic", "regularizer=l2",
            "clip=norm", "init=gaussian", f"activation.R0={R0}", f"optimizer.lr={lr}",
            f"dropout.keep={keep}", f"regularizer.strength={strength}", f"clip.limit={limit}",
            f"schedule.warmup={warmup}", f"init.gain={gain}", f"seed={seed}",
        )
        for seed, (R0, lr, keep, strength, limit, warmup, gain) in enumerate(
            [(0.3, 1e-2, 0.9, 1e-3, 0.1, 0.05, 1.0), (0.5, 3e-2, 0.7, 0.1, 1.0, 0.3, 1.5)]
        )
    ],
    "data": [  # each is scored by the variance of its own
        (
            "model=autoencoder", "model.code=2", f"data.noise={noise}",
            f"optimizer.betas=[{beta},0.99]",
        )
        for noise, beta in ((0.1, 0.9), (0.5, 0.8))
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SWEEPS)
def test_each_is_its_solo_run(name: str) -> None:
    together = do(jobs("together", *SWEEPS[name]))
    alone = [e for job in jobs("alone", *SWEEPS[name]) for e in do([job], most=1)]

    assert_alike("together", "alone", 1e-9)
    runs = len(runs_below(Path("alone")))
    assert (updates(together), updates(alone)) == (updates(alone) // runs, updates(alone))
    rates = {job.config["optimizer"]["lr"] for job in jobs("together", *SWEEPS[name])}
    assert set(isoexp.read("together")["optimizer.lr"]) == rates


def test_what_differs_in_the_seed_alone_is_built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And trained as by itself for all that."""

    build, built = Job.lab, []

    def lab(job: Job) -> Any:
        built.append(job.config["seed"])
        return build(job)

    words = [("seed=0",), ("seed=1",), ("seed=1", "optimizer.lr=1e-4")]
    with monkeypatch.context() as patch:
        patch.setattr(Job, "lab", lab)
        do(jobs("together", *words, base=SHORTEST))
    for job in jobs("alone", *words, base=SHORTEST):
        do([job], most=1)

    assert built == [0, 1]
    assert_alike("together", "alone", 1e-5)


def test_what_is_written_down_is_of_each_run() -> None:
    """Its own settings, its own command; and what is done is not done again."""

    words = [("optimizer.lr=1e-3",), ("optimizer.lr=1e-2", "seed=3")]
    do(jobs("runs", *words))
    again = do(jobs("runs", *words))

    assert [type(event) for event in again] == [AlreadyDone, AlreadyDone]
    found = {it.state["columns"]["seed"]: it for it in runs_below(Path("runs"))}
    for seed, lr in ((0, 1e-3), (3, 1e-2)):
        it = found[seed]
        assert it.status == "completed"
        assert f"lr: {lr}" in (it.folder / "config.yaml").read_text()
        assert max(isoexp.read(it.folder)["lr"].tolist()) == lr
        assert sorted(it.state["together"]) == sorted(
            other.state["identity"] for other in found.values()
        )


def test_no_more_than_asked_for() -> None:
    rates = [(f"optimizer.lr={lr}",) for lr in (1e-3, 2e-3, 3e-3, 4e-3, 5e-3)]

    assert updates(do(jobs("runs", *rates, base=SHORTEST), most=2)) == 3 * 2
    sizes = [len(it.state["together"]) for it in runs_below(Path("runs"))]
    assert sorted(sizes) == [1, 2, 2, 2, 2]


@pytest.mark.parametrize("most", range(1, 8))
def test_parts_stay_what_they_are_without_the_first(most: int) -> None:
    """What a killed process had begun is a part that is known; the others are cut as before."""

    for n in range(1, 23):
        parts = even(list(range(n)), most)  # type: ignore[arg-type]
        assert list(chain(*parts)) == list(range(n))
        assert max(map(len, parts)) <= most
        if len(parts) > 1:
            assert even(list(chain(*parts[1:])), most) == parts[1:]


def test_one_that_diverges_fails_alone() -> None:
    words = [("optimizer=sgd", f"optimizer.lr={lr}") for lr in ("1e-2", "1e200", "1e-1")]
    events = do(jobs("with", *words))
    do(jobs("without", words[0], words[2]))

    statuses = [event.reason is None for event in events if isinstance(event, Ended)]
    assert sorted(statuses) == [False, True, True]
    failed = next(it for it in runs_below(Path("with")) if it.status == "failed")
    assert "not finite" in failed.state["reason"]
    shutil.rmtree(failed.folder)
    assert_alike("with", "without", 1e-12)


# --- kills ------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.slow
def test_killed_at_any_write_they_end_with_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In float32, where a network alone has other bits; in groups of two at most."""

    words = [(f"optimizer.lr={lr}",) for lr in (1e-3, 3e-3, 1e-2)]
    do(jobs("whole", *words, base=SHORTEST), most=2)
    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_SHARE", float("inf"))

    replace, append, writes = os.replace, files.append_line, count()

    def write(do: Any, *args: object) -> None:
        if (n := next(writes)) % 3 == 0:  # a third of them, for time
            shutil.copytree("killed", f"killed-at-{n}")
        do(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *args: write(replace, *args))
        patch.setattr("isoexp.experiment.record.append_line", lambda *args: write(append, *args))
        do(jobs("killed", *words, base=SHORTEST), most=2)

    n, prepared = next(writes), jobs("killed", *words, base=SHORTEST)
    assert n > 30, "the writes were not found"
    for k in range(0, n, 3):
        shutil.rmtree("killed")
        Path(f"killed-at-{k}").rename("killed")
        do(prepared, most=2)
        assert_alike("killed", "whole", 0.0)


def test_without_its_mates_a_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed as one, then asked for by itself: from its checkpoint, not from the start."""

    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_SHARE", float("inf"))
    words = [(f"optimizer.lr={lr}",) for lr in (1e-3, 1e-2)]
    save = train._save

    def stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        if args[5] == 5:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(train, "_save", stop)
        with pytest.raises(Killed):
            do(jobs("killed", *words))

    first = [updates(do([job])) for job in jobs("killed", *words)]
    do(jobs("whole", *words))

    assert all(5 - 1 <= 9 - made <= 5 for made in first)
    assert_alike("killed", "whole", 1e-9)


# --- what cannot be trained as one ------------------------------------------------------------

BRANCHING = """
from isoexp.activations import Activation

class Branching(Activation):
    def __init__(self, width, edge: float = 0.0, slope: float = 1.0):
        super().__init__(width)
        self.edge, self.slope = edge, slope

    def forward(self, x):
        return self.slope * (x.tanh() if self.edge > 0.5 else x.sigmoid())
"""


@pytest.fixture
def branching(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "branching")
    (folder / "branching.py").write_text(BRANCHING)

    return ("activation=tanh", "activation._target_=branching.Branching")


@pytest.mark.slow
def test_what_branches_on_a_number_is_told_apart_by_it(branching: tuple[str, ...]) -> None:
    """And by it alone: other numbers may differ."""

    words = [
        (*branching, f"+activation.edge={edge}", f"+activation.slope={slope}", f"optimizer.lr={lr}")
        for edge, slope, lr in (
            (0.1, 0.5, 1e-2), (0.9, 2.0, 1e-2), (0.1, 2.0, 3e-3), (0.9, 1.5, 3e-2)
        )
    ]  # fmt: skip
    together = do(jobs("together", *words))
    for job in jobs("alone", *words):
        do([job])

    assert updates(together) == 2 * 9
    assert_alike("together", "alone", 1e-9)


def test_numbers_that_set_sizes_are_shared_by_those_trained_as_one() -> None:
    words = [("data=modular", "data.modulus=7", f"data.train={share}", f"optimizer.lr={lr}")
             for share, lr in ((0.5, 1e-2), (0.7, 1e-2), (0.5, 3e-3))]  # fmt: skip
    base = ("steps=4", "batch_size=10", "probe=none", "precision=float64", "model.widths=[6]")

    assert updates(do(jobs("runs", *words, base=base))) == 2 * 4
    assert {it.status for it in runs_below(Path("runs"))} == {"completed"}


def test_a_number_that_makes_another_kind_sets_its_run_apart() -> None:
    """With keep = 1 nothing is dropped, and no number is drawn."""

    words = [("dropout=isotropic", f"dropout.keep={keep}") for keep in (0.9, 0.5, 1.0)]
    together = do(jobs("together", *words))
    for job in jobs("alone", *words):
        do([job])

    assert updates(together) == 2 * 9
    assert_alike("together", "alone", 1e-9)


def test_what_is_of_another_kind_is_not_tried() -> None:
    words = [("activation=tanh",), ("activation=iso_tanh",), ("model.widths=[7]",)]

    assert updates(do(jobs("runs", *words, base=(*TINY, "steps=2", "probe=none")))) == 3 * 2


def test_a_mistake_in_a_lifted_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of what is tried: were the first's number everyone's, the try would say so."""

    prepared = jobs("runs", ("optimizer.lr=1e-2",), ("optimizer.lr=2e-2",))
    configs = [p.config for p in prepared]
    assert divided(configs, lambda i: prepared[i].lab()) == [[0, 1]]

    optimizers = batching.Training.optimizers
    monkeypatch.setattr(
        batching.Training,
        "optimizers",
        lambda self, ensemble: optimizers(
            batching.Training([self.first] * len(self.seeds), self.seeds), ensemble
        ),
    )
    assert divided(configs, lambda i: prepared[i].lab()) == [[0], [1]]
