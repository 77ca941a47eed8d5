"""Tests for isoexp.experiment.probing and .stored: probes and runs, in every order."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import torch

import isoexp
from isoexp.errors import UserError
from isoexp.experiment import probing, train
from isoexp.experiment import record as record_module
from isoexp.experiment.job import Advance, Ended, Probed, ProbeFailed, TwinTraining, Unmeasured
from isoexp.experiment.probing import probe_stored, stored
from isoexp.experiment.run import AlreadyDone
from isoexp.probes import OODMagnitude, Refraction, Subject, Unsuitable
from isoexp.store import tracking
from isoexp.store.run import Run
from isoexp.store.study import runs_below
from isoexp.store.tables import Rows, Schema

from .runs import TINY, assert_equal, composed, run

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

SHORT = (*TINY, "epochs=2", "activation=tanh")
REFRACTION = ("probe=[refraction]", "probe.refraction.points=2", "probe.refraction.rays=4")
BOTH = ("probe=[refraction,ood_magnitude]", *REFRACTION[1:], "probe.ood_magnitude.points=2")


def trained(events: list[Any]) -> bool:
    return any(isinstance(event, Advance) for event in events)


def probed(events: list[Any]) -> list[str]:
    return [event.name for event in events if isinstance(event, Probed)]


def again(run: Run, *words: str, twin: Run | None = None) -> list[Any]:
    """Puts probes to a run as isoexp probe does."""

    config = composed(words).config
    other = None if twin is None else (stored(twin, probe={}), twin)

    return list(probe_stored(stored(run, probe=config["probe"], force=config["force"]), run, other))


def table(root: str | Path, name: str = "refraction") -> pd.DataFrame:
    return isoexp.read(root, name).drop(columns="study").sort_values("seed", kind="stable")


@dataclass(frozen=True)
class Distance:
    """How far a network's answers are from those of its twin: a probe of a user's own."""

    most: int = 8

    schema: ClassVar[Schema] = {"distance": float, "n": int}
    over: ClassVar[str] = "ends"
    needs: ClassVar[frozenset[str]] = frozenset({"twin"})

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        x = subject.x[: self.most]
        assert subject.twin is not None
        distance = (subject.model(x) - subject.twin.model(x)).norm().item()

        return {"distance": [distance], "n": [len(x)]}

    def summary(self, rows: Rows) -> dict[str, float]:
        return {"distance": rows["distance"][0]}


@pytest.fixture
def distance(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The words that put Distance."""

    monkeypatch.setenv("ISOEXP_ALLOW", "tests")

    return ("probe=none", "+probe.distance._target_=tests.experiment.test_probing.Distance")


@dataclass(frozen=True)
class Misfit:
    """A probe of a user's own whose rows are not what its schema says."""

    rows: str

    schema: ClassVar[Schema] = {"length": float, "n": int}

    def __call__(self, subject: Subject) -> Rows:
        return MISFITS[self.rows][0]

    def summary(self, rows: Rows) -> dict[str, float]:
        return {}


MISFITS: dict[str, tuple[Any, str]] = {
    "misspelt": ({"lengths": [1.0], "n": [1]}, "missing: length; unknown: lengths; did you mean"),
    "missing": ({"length": [1.0]}, "length, n; missing: n"),
    "unknown": ({"length": [1.0], "n": [1], "m": [1]}, "length, n; unknown: m"),
    "uneven": ({"length": [1.0, 2.0], "n": [1]}, "of one length, got {'length': 2, 'n': 1}"),
    "none": ([1.0], "must be columns by name, got list"),
}


@pytest.mark.parametrize("rows", MISFITS)
def test_rows_that_do_not_fit_their_schema_are_a_failed_probe(
    rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOEXP_ALLOW", "tests")
    target = f"+probe.misfit._target_={__name__}.Misfit"
    events = run(*SHORT, "probe=none", target, f"+probe.misfit.rows={rows}")
    (it,) = runs_below(Path("runs"))

    (failed,) = [event for event in events if isinstance(event, ProbeFailed)]
    assert MISFITS[rows][1] in failed.reason
    assert it.status == "completed"
    assert not (it.folder / "probes" / "misfit.parquet").exists()
    with pytest.raises(ValueError, match=r"(rows|columns) must (be|have)"):
        isoexp.probe(torch.nn.Linear(2, 2), torch.ones(3, 2), Misfit(rows))


def schema(found: Any) -> type:
    """Returns a probe of this schema."""

    return dataclass(frozen=True)(
        type("Own", (), {
            "schema": found,
            "__call__": lambda self, subject: {name: [1] for name in found},
            "summary": lambda self, rows: {},
        })
    )  # fmt: skip


OWN = {
    "norm": (schema({"norm": float}), "its column norm must have another name"),
    "run": (schema({"a": int, "run": str}), "its column run must have another name"),
    "network": (schema({"network": str}), "its column network must have another name"),
    "twin": (schema({"twin": str}), "its column twin must have another name"),
    "state": (schema({"state": str}), "its column state must have another name"),
    "type": (schema({"a": list}), "the type of its column a must be str, int, float or bool"),
    "nothing": (schema({}), "its schema must name columns"),
    "list": (schema(["a"]), "its schema must name columns"),
    "none": (dict, "must be a probe, with a schema, a call and a summary"),
}


@pytest.mark.parametrize("name", OWN)
def test_a_probe_whose_table_could_not_be_read_is_refused_before_training(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, told = OWN[name]
    monkeypatch.setenv("ISOEXP_ALLOW", "tests")
    monkeypatch.setitem(globals(), "Own", own)

    with pytest.raises(UserError, match=told) as error:
        run(*SHORT, "probe=none", f"+probe.own._target_={__name__}.Own")
    assert str(error.value).startswith("probe.own")
    assert not list(runs_below(Path("runs")))


def test_a_probe_asked_for_later_trains_nothing_and_says_the_same() -> None:
    run(*SHORT, "probe=[ood_magnitude]", "probe.ood_magnitude.points=2", "out=later")
    later = run(*SHORT, *BOTH, "out=later")
    run(*SHORT, *BOTH, "out=first")

    assert not trained(later)
    assert probed(later) == ["refraction"]
    pd.testing.assert_frame_equal(table("later"), table("first"))
    (a,), (b,) = runs_below(Path("later")), runs_below(Path("first"))
    drop = "train_time_s"
    assert {k: v for k, v in a.summary.items() if k != drop} == {
        k: v for k, v in b.summary.items() if k != drop
    }
    assert isinstance(run(*SHORT, *BOTH, "out=later")[0], AlreadyDone)


def test_other_settings_are_asked_anew_and_only_they() -> None:
    run(*SHORT, *BOTH)
    events = run(*SHORT, *BOTH, "probe.refraction.rays=7")

    assert probed(events) == ["refraction"]
    assert set(isoexp.read("runs", "refraction").query("rays == 'random'")["n"]) == {7}
    assert set(isoexp.read("runs", "refraction")["probe.refraction.rays"]) == {7}


def test_a_probe_that_fails_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the probe\nbroke")

    words = (*SHORT, *BOTH)
    with monkeypatch.context() as patch:
        patch.setattr(Refraction, "__call__", broken)
        events = run(*words)
    (it,) = runs_below(Path("runs"))
    failed = [e for e in events if isinstance(e, ProbeFailed)]

    assert [(e.name, e.reason) for e in failed] == [("refraction", "RuntimeError: the probe broke")]
    assert probed(events) == ["ood_magnitude"]
    assert it.status == "completed"
    assert "broke" in (it.folder / "probes" / "refraction.error.txt").read_text()

    after = run(*words)
    assert probed(after) == ["refraction"]
    assert not trained(after)
    assert not (it.folder / "probes" / "refraction.error.txt").exists()


def test_a_kill_while_probing_repeats_nothing_that_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the second probe, and while the table of the first is written again."""

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    words = (*SHORT, *BOTH)
    with monkeypatch.context() as patch:
        patch.setattr(OODMagnitude, "__call__", kill)
        with pytest.raises(Killed):
            run(*words)
    (it,) = runs_below(Path("runs"))
    assert it.status == "completed"
    assert probed(run(*words)) == ["ood_magnitude"]

    with monkeypatch.context() as patch:
        patch.setattr(record_module, "write_table", kill)
        with pytest.raises(Killed):
            again(it, *REFRACTION, "force=true")
    assert len(table("runs")) > 0  # the old one, until the new one takes its place
    assert probed(run(*words)) == ["refraction"]


def test_a_mirror_is_closed_however_probing_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a probe: the run is completed, and its mirror says so, once."""

    closed = []

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def finish(mirror: object, *, summary: dict, failed: bool, **_: object) -> None:
        closed.append((failed, "test/loss" in summary))

    monkeypatch.setattr(Refraction, "__call__", interrupted)
    monkeypatch.setattr(tracking.Mirror, "finish", finish)
    with pytest.raises(KeyboardInterrupt):
        run(*SHORT, *REFRACTION)

    assert closed == [(False, True)]


def test_a_run_that_is_no_longer_completed_is_left_alone() -> None:
    run(*SHORT, "probe=none")
    (it,) = runs_below(Path("runs"))
    prepared = stored(it, probe=composed(REFRACTION).config["probe"])
    it.write_state("interrupted")

    with pytest.raises(UserError, match="not completed any more"):
        list(probe_stored(prepared, it))
    assert it.state["state"] == "interrupted"


def test_what_was_measured_before_is_not_lost_to_what_cannot_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unsuitable(*_: object) -> None:
        raise Unsuitable("no")

    words = (*SHORT, *REFRACTION)
    run(*words)
    (it,) = runs_below(Path("runs"))
    before, rows = it.summary, table("runs")
    monkeypatch.setattr(Refraction, "__call__", unsuitable)

    assert [
        e.reason for e in again(it, *REFRACTION, "force=true") if isinstance(e, Unmeasured)
    ] == ["no"]
    assert it.summary == before
    pd.testing.assert_frame_equal(table("runs"), rows)
    assert isinstance(run(*words)[0], AlreadyDone)


def test_what_cannot_be_measured_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsuitable(*_: object) -> None:
        raise Unsuitable("no")

    monkeypatch.setattr(OODMagnitude, "__call__", unsuitable)
    words = (*SHORT, *BOTH)
    events = run(*words)
    (it,) = runs_below(Path("runs"))

    assert [(e.name, e.reason) for e in events if isinstance(e, Unmeasured)] == [
        ("ood_magnitude", "no")
    ]
    assert it.state["unmeasured"] == {"ood_magnitude": "no"}
    assert isinstance(run(*words)[0], AlreadyDone)


def test_snapshots_are_networks_on_the_way() -> None:
    """Even in the logarithm of the update; the first rows are of the untrained network."""

    run(*TINY, "steps=30", "snapshots=3", *REFRACTION, "out=a")
    rows = isoexp.read("a", "refraction").groupby("step", sort=False)["network"].first()

    assert rows.to_dict() == {
        0: "untrained", 2: "snapshot", 5: "snapshot", 13: "snapshot", 30: "trained",
    }  # fmt: skip

    # The weights of update 13 are those of a training that stops there.
    run(*TINY, "steps=13", "schedule=constant", "probe=none", "out=b")
    run(*TINY, "steps=30", "snapshots=3", "schedule=constant", "probe=none", "out=c")
    (b,), (c,) = runs_below(Path("b")), runs_below(Path("c"))
    state = torch.load(c.folder / "snapshots.pt", weights_only=True)[13]
    for name, tensor in torch.load(b.folder / "checkpoint.pt", weights_only=True)["model"].items():
        assert torch.equal(state[name], tensor)


@pytest.mark.slow
def test_killed_and_resumed_there_are_the_same_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def stop(*args: Any) -> None:
        save(*args)
        if args[-1] == 6:
            raise Killed

    monkeypatch.setattr(train, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(train, "SAVE_SHARE", float("inf"))
    words = (*TINY, "steps=30", "snapshots=3", "probe=none", "seeds=2")
    save = train._save
    run(*words, "out=whole")
    with monkeypatch.context() as patch:
        patch.setattr(train, "_save", stop)
        with pytest.raises(Killed):
            run(*words, "out=killed")
    run(*words, "out=killed")

    assert_equal(Path("killed"), Path("whole"))
    for a, b in zip(
        *(sorted(Path(out).glob("**/snapshots.pt")) for out in ("killed", "whole")), strict=True
    ):
        a, b = (torch.load(path, weights_only=True) for path in (a, b))
        assert list(a) == list(b) == [2, 5, 13]
        for step in a:
            assert all(torch.equal(a[step][name], b[step][name]) for name in b[step])


def test_the_twin_is_the_next_seed_from_wherever_it_comes(distance: tuple[str, ...]) -> None:
    """Trained for this, found in the study, or trained together with it: one number."""

    alone = run(*SHORT, *distance, "out=alone")
    threesome = run(*SHORT, *distance, "seeds=3", "out=three")
    assert [e.seed for e in threesome if isinstance(e, TwinTraining)] == [3]
    run(*SHORT, "probe=none", "seed=1", "out=found")
    found = run(*SHORT, *distance, "out=found")
    run(*SHORT, *distance, "seeds=2", "out=together")

    assert [e.seed for e in alone if isinstance(e, TwinTraining)] == [1]
    assert not any(isinstance(e, TwinTraining) for e in found)
    for out in ("found", "together"):
        rows = table(out, "distance").query("seed == 0")
        assert rows["distance"].to_numpy() == pytest.approx(
            table("alone", "distance")["distance"].to_numpy(), rel=1e-5
        )
        assert list(rows["network"]) == ["untrained", "trained"]


def test_a_stored_run_is_probed_where_it_lies() -> None:
    """Moved, from its folder alone, and no other part of it is touched."""

    run(*SHORT, "probe=none", "out=a/b")
    run(*SHORT, *REFRACTION, "out=first")
    shutil.move("a/b", "elsewhere")
    (it,) = runs_below(Path("elsewhere"))
    untouched = {p: p.stat().st_mtime_ns for p in it.folder.iterdir() if p.suffix == ".pt"}

    events = again(it, *REFRACTION)
    assert probed(events) == ["refraction"]
    assert isinstance(events[-1], Ended)
    assert {p: p.stat().st_mtime_ns for p in untouched} == untouched
    assert it.status == "completed"
    pd.testing.assert_frame_equal(table("elsewhere"), table("first"))

    assert probed(again(it, *REFRACTION)) == []
    assert probed(again(it, *REFRACTION, "force=true")) == ["refraction"]


def test_a_twin_may_be_named(distance: tuple[str, ...]) -> None:
    run(*SHORT, "probe=none", "seed=0")
    run(*SHORT, "probe=none", "seed=5")
    a, b = sorted(runs_below(Path("runs")), key=lambda run: run.state["columns"]["seed"])

    assert probed(again(a, *distance, twin=b)) == ["distance"]
    named = table(a.folder, "distance")
    assert set(named["twin"]) == {b.folder.name}
    assert probed(again(a, *distance, twin=b)) == []
    assert not probed(run(*SHORT, *distance, "seed=0"))  # the same command of the study: done
    events = again(a, *distance)  # against the next seed: another question
    assert probed(events) == ["distance"]
    assert named["distance"].iloc[1] != table(a.folder, "distance")["distance"].iloc[1]


def test_refit_goes_on_with_the_batches_that_would_have_come() -> None:
    """At the constant rate: six updates and three more are nine."""

    words = (*TINY, "optimizer=sgd_plain", "schedule=constant", "probe=none")
    run(*words, "steps=6", "out=a")
    run(*words, "steps=9", "out=b")
    (a,), (b,) = runs_below(Path("a")), runs_below(Path("b"))
    prepared = stored(a)
    it = probing.Trained.stored(prepared.lab(), 0, a)
    before = {name: p.clone() for name, p in it.network.named_parameters()}
    networks = it.refit([it.network, it.network], 3, 1.0)

    final = torch.load(b.folder / "checkpoint.pt", weights_only=True)["model"]
    for network in networks:
        for name, p in network.named_parameters():
            torch.testing.assert_close(p, final[name])
    for name, p in it.network.named_parameters():
        assert torch.equal(p, before[name])


def test_runs_that_cannot_be_probed() -> None:
    run(*SHORT, "probe=none")
    (it,) = runs_below(Path("runs"))

    it.write_state("interrupted")
    with pytest.raises(UserError, match="must be completed to be probed; it is interrupted"):
        stored(it)
    it.write_state("completed")

    config = (it.folder / "config.yaml").read_text()
    (it.folder / "config.yaml").write_text(config.replace("train: 64", "train: 65"))
    with pytest.raises(UserError, match="data are not those"):
        stored(it)
    (it.folder / "config.yaml").write_text(config)

    (it.folder / "checkpoint.pt").write_bytes(b"")
    (aborted,) = again(it, *REFRACTION)
    assert "cannot be read" in aborted.reason
