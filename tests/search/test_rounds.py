"""Tests for isoexp.search.rounds: tiny networks, trained in this process."""

import time
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from statistics import fmean

import pytest

import isoexp
from isoexp.errors import UserError
from isoexp.experiment.job import Logged
from isoexp.experiment.run import execute
from isoexp.search import Event, Search, Told, run
from isoexp.search.rounds import scores
from isoexp.search.trials import Trials
from isoexp.store.run import Run
from isoexp.store.study import runs_below
from isoexp.sweep import Outcome, Unit, supervision

from ..experiment.runs import TINY
from ..experiment.runs import run as run_alone
from .here import Here

LR = "optimizer.lr=tag(log,interval(1e-4,1e-1))"

SMALL = (*TINY, "model.widths=[4]", "epochs=1", "sweep.workers=1", "sweep.batch=4")


def searched(*overrides: str) -> Search:
    return Search.of([*SMALL, "search.trials=8", "search.ask=4", *overrides])


def happening(search: Search) -> Iterator[Event]:
    with Trials.opened(search) as trials:
        yield from run(search, trials, Here)


def told(search: Search) -> list[Told]:
    return [event for event in happening(search) if isinstance(event, Told)]


def final(search: Search) -> list[Told]:
    with Trials.opened(search) as trials:
        return trials.told()


@pytest.mark.slow
def test_killed_at_any_time_it_goes_on(folder: Path) -> None:
    """The same trials with the same values as an undisturbed search, and no run done twice."""

    overrides = [LR, "activation=tanh,iso_tanh"]
    whole, parts = searched(*overrides, "name=whole"), searched(*overrides, "name=parts")
    assert len(told(whole)) == 8

    for event in happening(parts):  # left in the middle of a batch, some of which is told
        if isinstance(event, Told) and event.number == 5:
            break
    runs = runs_below(parts.folder)
    assert 4 < len(runs) <= 8
    for event in happening(parts):
        if isinstance(event, Told):
            break
    told(parts)

    assert final(parts) == final(whole)
    assert told(parts) == []
    assert len(runs_below(parts.folder)) == len({t.overrides for t in final(parts)}) == 8
    assert {run.state["attempt"] for run in runs_below(parts.folder)} == {1}
    assert final(whole)[0].value == max(
        run.summary["valid/accuracy"] for run in runs_below(whole.folder)
    )


def test_what_is_known_is_told_and_not_done(folder: Path) -> None:
    """A value is the mean over the networks of a trial; what is asked for again is known."""

    search = searched("activation=tanh,iso_tanh", "seeds=2", "search.metric=valid/loss")
    each = told(search)

    runs = runs_below(search.folder)
    assert len(each) == 8
    assert len(runs) == 4
    assert all(run.state["attempt"] == 1 for run in runs)
    for trial in each:
        choice = trial.overrides[0].partition("=")[2]
        losses = [r.summary["valid/loss"] for r in runs if f"activation-{choice}," in r.folder.name]
        assert trial.value == fmean(losses)
    assert final(search)[0].value == min(trial.value for trial in each if trial.value)


@pytest.mark.slow
def test_diverged_trials_are_told_as_bad_and_broken_ones_as_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = searched("optimizer=sgd", "optimizer.lr=0.01,1e38", "search.trials=4")
    each = {trial.overrides[0].partition("=")[2]: trial for trial in told(search)}
    assert each.keys() == {"0.01", "1e+38"}
    assert each["0.01"].value is not None
    assert "diverged" in str(each["1e+38"].reason)
    assert not each["1e+38"].failed

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    broken = searched("model.bias=true,false", "search.trials=2", "sweep.retries=0", "name=broken")
    with monkeypatch.context() as patch:
        patch.setattr("isoexp.experiment.record.Record.log", full)
        assert all(trial.failed for trial in told(broken))
    assert [trial.failed for trial in told(broken)] == [False, False]


@pytest.mark.slow
def test_values_that_do_not_go_together_are_no_end(folder: Path) -> None:
    overrides = ("activation=iso_soft_relu", "activation.R0=0.4,0.8", "activation.delta=0.3,0.6")
    search = searched(*overrides)
    search.validate()  # delta=0.6 goes with R0=0.8
    each = told(search)

    refused = {trial.overrides for trial in each if "between 0 and R0" in str(trial.reason)}
    assert refused == {("activation.R0=0.4", "activation.delta=0.6")}
    assert all(trial.value is not None for trial in each if trial.overrides not in refused)


def test_ends_that_cannot_be_are_said_first(folder: Path) -> None:
    with pytest.raises(UserError, match="widths must be positive"):
        searched("model.widths=[4],[0]").validate()
    with pytest.raises(UserError, match="must be valid/loss or valid/accuracy"):
        searched(LR, "search.metric=valid/r2").validate()


class Clock:
    """A time that passes between two looks at the runs, and in no other moment."""

    def __init__(self) -> None:
        self.now, self.time = 0.0, time.time

    def monotonic(self) -> float:
        return self.now


class Stepwise(Here):
    """Makes way for a look at the runs after every row of theirs."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()

        self.clock, self.going = clock, None

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        self.clock.now += timeout_s
        self.going = self.going or execute(self.units[0].jobs, self.units[0].pace.most)
        if any(isinstance(event, Logged) for event in self.going):
            return []
        self.going = None

        return [(self.units.popleft(), Outcome())]


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "successive_halving"])
def test_what_is_behind_is_stopped_and_nothing_else(
    folder: Path, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["epochs=7", "search.trials=10", "search.ask=5", "sweep.batch=5"]
    overrides += ["search.metric=valid/loss", "search.sampler=random", LR]
    whole = searched(*overrides, "name=whole")
    told(whole)
    clock = Clock()
    monkeypatch.setattr(supervision, "time", clock)
    monkeypatch.setattr(supervision, "BEAT_S", 0.5)
    ask, asked = Run.ask_to_stop, set()
    monkeypatch.setattr(Run, "ask_to_stop", lambda r, why: asked.add(r.folder) or ask(r, why))

    search = searched(*overrides, f"search.prune={pruner}")
    with Trials.opened(search) as trials:
        events = list(run(search, trials, lambda plan: Stepwise(clock)))

    ended = [event for event in events if isinstance(event, Told)]
    pruned = {trial.number: trial for trial in ended if trial.value is None}
    values = {trial.number: trial.value for trial in final(whole)}
    assert 0 < len(pruned) < 10
    for trial in ended:
        if trial.number not in pruned:  # mates of the stopped ones, some of them
            assert trial.value == values[trial.number]
    stopped = [each for each in runs_below(search.folder) if each.status == "failed"]
    assert {each.folder for each in stopped} == asked
    assert {each.state["reason"] for each in stopped} == {trial.reason for trial in pruned.values()}
    for each in stopped:
        steps = isoexp.read(each.folder)["step"]
        assert 0.2 <= steps.max() / each.state["steps"] < 1
    assert told(search) == []

    number, any_of_them = next(iter(pruned.items()))
    run_alone(*search.command(any_of_them.overrides), "probe=none")
    (gone_on,) = [each for each in stopped if each.status == "completed"]
    assert gone_on.summary["valid/loss"] == pytest.approx(values[number])


def test_trainings_are_compared_by_their_share() -> None:
    def rows(steps: list[int]) -> list[dict]:
        return [{"step": step, "valid/loss": step} for step in steps]

    loss = itemgetter("valid/loss")

    assert scores(rows([0, 10, 20]), 100, loss) == {10: 10, 15: 10, 20: 20}
    assert scores(rows([0, 1, 2]), 10, loss) == {10: 1, 15: 1, 20: 2}
    assert scores(rows([0]), 100, loss) == scores([], 100, loss) == {}
