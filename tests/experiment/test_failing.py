"""Tests for isoexp.experiment: runs that fail, each alone and with its reason."""

import contextlib
from pathlib import Path

import pandas as pd
import pytest
import torch

from isoexp.experiment.job import Advance, Ended
from isoexp.experiment.lab import Lab
from isoexp.experiment.record import Record
from isoexp.experiment.run import Aborted
from isoexp.store.study import runs_below

from .runs import TINY, left, run, seed_of

pytestmark = pytest.mark.usefixtures("folder", "undrawn")


def test_a_diverging_member_fails_alone() -> None:
    """Its weights are made NaN; the others end as if it had never been there."""

    words = (*TINY, "epochs=3", "probe=none", "precision=float64", "activation=tanh")
    run(*words, "seeds=[0,2]", "out=without")

    build = Lab.network

    def network(lab: Lab, seed: int) -> torch.nn.Module:
        found = build(lab, seed)
        if seed == 1:
            next(found.parameters()).data.fill_(float("nan"))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lab, "network", network)
        events = run(*words, "seeds=3", "out=with")

    ended = {seed_of(e.run): e for e in events if isinstance(e, Ended)}
    assert {seed: e.reason is None for seed, e in ended.items()} == {
        0: True,
        1: False,
        2: True,
    }
    assert "diverged at update 1 of 9" in str(ended[1].reason)

    failed = ended[1].run
    assert failed.state["state"] == "failed"
    assert len(pd.read_parquet(failed.folder / "metrics.parquet")) == 1

    (rows, weights), (expected, others) = left(Path("with")), left(Path("without"))
    rows = rows.loc[rows["seed"] != 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, expected, rtol=1e-12)
    assert weights.keys() == others.keys()


def test_a_failed_run_is_run_again() -> None:
    words = (
        *TINY,
        "steps=6",
        "probe=none",
        "activation=relu",
        "optimizer=sgd",
        "optimizer.lr=1e30",
    )
    for _ in range(2):
        (ended,) = [e for e in run(*words) if isinstance(e, Ended)]
        assert ended.reason
        assert "not finite" in str(ended.reason)


def test_an_exception_fails_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the end\nbroke")

    with monkeypatch.context() as patch:
        patch.setattr(Record, "summarize", broken)
        events = run(*TINY, "epochs=1", "probe=none")
    (it,) = runs_below(Path("runs"))

    assert isinstance(events[-1], Ended)
    assert events[-1].reason == "RuntimeError: the end broke"
    assert it.state["state"] == "failed"
    assert "broke" in (it.folder / "error.txt").read_text()
    assert len(pd.read_parquet(it.folder / "metrics.parquet")) == 4

    # What was trained is not trained again.
    assert not any(isinstance(e, Advance) for e in run(*TINY, "epochs=1", "probe=none"))
    assert it.status == "completed"
    assert not (it.folder / "error.txt").exists()


def test_an_exception_in_one_network_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(record: Record, *args: object) -> None:
        if record.seed == 0:
            raise RuntimeError("broke")
        complete(record)

    complete = Record.complete
    monkeypatch.setattr(Record, "complete", broken)
    ended = [e for e in run(*TINY, "epochs=1", "probe=none", "seeds=3") if isinstance(e, Ended)]

    assert [e.reason is None for e in ended] == [False, True, True]


def test_an_exception_in_training_fails_all_with_one_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("…")

    with monkeypatch.context() as patch:
        patch.setattr("isoexp.experiment.batching.fit", broken)
        events = run(*TINY, "epochs=1", "probe=none", "seeds=2")

    assert isinstance(events[-1], Aborted)
    assert "lower batch_size" in events[-1].reason
    assert {it.status for it in runs_below(Path("runs"))} == {"failed"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_completed_stays_completed(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """An interruption after the last write, before anyone is told."""

    def late() -> None:
        raise error

    finish = Record.finish

    with monkeypatch.context() as patch:
        patch.setattr(Record, "finish", lambda *args: (finish(*args), late()))
        with contextlib.suppress(KeyboardInterrupt):
            run(*TINY, "epochs=1", "probe=none")
    (it,) = runs_below(Path("runs"))

    assert it.status == "completed"
    assert len(pd.read_parquet(it.folder / "metrics.parquet")) == 4
