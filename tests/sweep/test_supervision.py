"""Tests for isoexp.sweep.supervision: what becomes of runs, whoever does them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from isoexp.config.axes import SweepSettings
from isoexp.ensemble import Ensemble
from isoexp.errors import UserError
from isoexp.experiment.batching import Training
from isoexp.experiment.job import Job
from isoexp.store.history import add_start
from isoexp.store.lock import hold
from isoexp.store.study import runs_below
from isoexp.sweep import Ended, Event, Left, Outcome, Resumed, Retried, Unit, run, supervision
from isoexp.sweep.unit import perform

from .jobs import jobs, seeds, unit, written

SETTINGS = SweepSettings(
    workers=None, retries=1, fail_fast=False, timeout=None, batch=None, fresh=False, zip=[],
    union=[], exclude=[],
)  # fmt: skip

Returned = tuple[Unit, Outcome]


def left(unit: Unit, reason: str | None = None, details: str = "") -> Returned:
    return unit, Outcome(reason, details)


Does = Callable[[Unit], Returned | None]


class Fake:
    """What does units at once, by a function; where that returns nothing, it never comes back."""

    queues = False

    def __init__(self, does: Does, free: int = 1) -> None:
        self.does, self.most = does, free
        self.sent: list[list[int]] = []
        self.stopped: list[list[int]] = []
        self.closed = False
        self._at: list[Unit] = []
        self._back: list[Returned] = []

    @property
    def free(self) -> int:
        return self.most - len(self._at)

    def send(self, unit: Unit) -> None:
        self._at.append(unit)
        self.sent.append(seeds(unit))
        back = self.does(unit)
        self._back += [back] if back else []

    def wait(self, timeout_s: float) -> list[Returned]:
        back, self._back = self._back, []
        self._at = [unit for unit in self._at if unit not in [each for each, _ in back]]
        return back

    def stop(self, unit: Unit) -> None:
        self._at.remove(unit)
        self.stopped.append(seeds(unit))

    def close(self) -> None:
        self.closed = True


def done(job: Job, seed: int) -> None:
    written(job, seed, "completed", probes=job.probes)


def each(does: Callable[[Job, int], None]) -> Callable[[Unit], Returned]:
    """Returns what does the runs of a unit one by one."""

    def unit(unit: Unit) -> Returned:
        for job in unit.jobs:
            for seed in job.identities:
                does(job, seed)
        return left(unit)

    return unit


def ends(events: Sequence[Event]) -> list[tuple[int, str | None]]:
    """Returns the seed and the reason of each run that has ended, in order of the seed."""

    found = [event for event in events if isinstance(event, Ended)]

    return sorted(
        (int(end.run.folder.name.rpartition("seed-")[2].partition("-")[0]), end.reason)
        for end in found
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for."""

    monkeypatch.setattr(supervision, "PATIENCE_S", 0)


def test_each_run_ends_once_and_the_hands_are_closed(tmp_path: Path) -> None:
    backend = Fake(each(done), free=2)
    units = [unit(tmp_path / "a", 3), unit(tmp_path / "b", 3)]

    assert ends(list(run(units, backend, SETTINGS))) == [(k, None) for k in (0, 0, 1, 1, 2, 2)]
    assert backend.sent == [[0, 1, 2]] * 2
    assert backend.closed


def test_what_fails_is_tried_again_as_often_as_asked(tmp_path: Path) -> None:
    def fail(job: Job, seed: int) -> None:
        written(job, seed, "failed", reason="ValueError: no")

    backend = Fake(each(fail))
    events = list(run([unit(tmp_path, 1)], backend, replace(SETTINGS, retries=2)))

    assert backend.sent == [[0]] * 3
    assert ends(events) == [(0, "ValueError: no")]
    assert sum(isinstance(event, Retried) for event in events) == 2


def test_runs_that_go_on_under_other_conditions_are_told_once_a_start(tmp_path: Path) -> None:
    """Not those that begin anew, nor those that were resumed before this sweep."""

    threads = {0: (1, 2), 1: (1, 2), 2: (1, 1), 3: (1, None), 4: (None, 2)}

    def start(job: Job, seed: int, now: bool) -> None:
        if threads[seed][now] is not None:
            it = written(job, seed, "interrupted")
            add_start(it, step=3 * (threads[seed][0] is not None), threads=threads[seed][now])
            it.write_state("interrupted")

    one = unit(tmp_path, 5)
    for job, seed in zip(one.jobs, range(5), strict=True):
        start(job, seed, now=False)
        if seed == 3:  # resumed before, so that nothing of it is new
            add_start(written(job, seed, "interrupted"), step=3, threads=2)
            written(job, seed, "interrupted")

    def does(job: Job, seed: int) -> None:
        start(job, seed, now=True)
        done(job, seed)

    events = list(run([one], Fake(each(does)), SETTINGS))
    told = [event for event in events if isinstance(event, Resumed)]

    assert len(ends(events)) == 5
    assert sorted(ends([Ended(event.run) for event in told])) == [(0, None), (1, None)]
    assert {event.changes for event in told} == {"threads 1 then, 2 now"}


def test_a_later_attempt_may_succeed(tmp_path: Path) -> None:
    def second(job: Job, seed: int) -> None:
        if runs_below(tmp_path):
            done(job, seed)
        else:
            written(job, seed, "failed", reason="ValueError: no")

    assert ends(list(run([unit(tmp_path, 1)], Fake(each(second)), SETTINGS))) == [(0, None)]


@pytest.mark.parametrize("reason", ["diverged at update 3", "pruned: by the search"])
def test_what_would_be_the_same_again_is_not_tried_again(reason: str, tmp_path: Path) -> None:
    def fail(job: Job, seed: int) -> None:
        if seed:
            written(job, seed, "failed", reason=reason)
        else:
            done(job, seed)

    backend = Fake(each(fail))

    assert ends(list(run([unit(tmp_path, 3)], backend, SETTINGS))) == [
        (0, None), (1, reason), (2, reason),
    ]  # fmt: skip
    assert backend.sent == [[0, 1, 2]]


def test_what_failed_in_an_earlier_sweep_says_nothing_of_this_one(tmp_path: Path) -> None:
    """Its state is there to be seen until its worker has begun."""

    (job,) = jobs(tmp_path, 1)
    written(job, 0, "failed", reason="diverged at update 3")
    looks = 0

    class Slow(Fake):
        def wait(self, timeout_s: float) -> list[Returned]:
            nonlocal looks
            looks += 1
            return super().wait(timeout_s) if looks > 2 else []

    def late(unit: Unit) -> Returned:
        return left(unit)

    backend = Slow(late)
    sweep = run([unit(tmp_path, 1)], backend, SETTINGS)
    events = [next(sweep), next(sweep)]
    done(job, 0)

    assert ends([*events, *sweep]) == [(0, None)]


def test_of_a_killed_process_the_runs_are_halved_and_no_attempt_is_counted(tmp_path: Path) -> None:
    """Five networks are too many, as four are; what was completed before the end stays so."""

    def survive(unit: Unit) -> Returned:
        every = [(job, seed) for job in unit.jobs for seed in job.identities]
        done(*every[0])
        if len(every) > 2:
            return left(unit, "its process was killed")
        return each(done)(unit)

    backend = Fake(survive)
    events = list(run([unit(tmp_path, 6)], backend, replace(SETTINGS, retries=0)))

    assert backend.sent == [[0, 1, 2, 3, 4, 5], [1, 2, 3], [2], [3], [4, 5]]
    assert ends(events) == [(k, None) for k in range(6)]


def test_what_a_process_did_that_died_stays_together_once(tmp_path: Path) -> None:
    """It may have died of another cause, and trained apart its networks have other last bits."""

    def survive(unit: Unit) -> Returned:
        every = [(job, seed) for job in unit.jobs for seed in job.identities]
        if len(backend.sent) < 3:
            done(*every[0])
            return unit, Outcome("its process was killed", died=True)
        return each(done)(unit)

    backend = Fake(survive)
    events = list(run([unit(tmp_path, 6)], backend, replace(SETTINGS, retries=0)))

    assert backend.sent == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [2, 3], [4, 5]]
    assert ends(events) == [(k, None) for k in range(6)]


@pytest.mark.parametrize("culprit", [0, 3])
def test_one_of_a_group_spoils_itself_alone(culprit: int, tmp_path: Path) -> None:
    """An exception, as of memory, ends all of a group: halves tell whose it was."""

    def spoil(unit: Unit) -> Returned:
        def fail(job: Job, seed: int) -> None:
            written(job, seed, "failed", reason="out of memory")

        return each(fail if culprit in seeds(unit) else done)(unit)

    events = list(run([unit(tmp_path, 4)], Fake(spoil), SETTINGS))
    expected = [(k, "out of memory" if k == culprit else None) for k in range(4)]

    assert ends(events) == expected


def test_a_killed_process_is_not_given_chances_for_ever(tmp_path: Path) -> None:
    backend = Fake(lambda unit: left(unit, "its process was killed", "aargh"))
    (end,) = ends(list(run([unit(tmp_path, 1)], backend, SETTINGS)))
    (it,) = runs_below(tmp_path)

    assert end == (0, "its process was killed")
    assert len(backend.sent) == 2
    assert it.state["reason"] == "its process was killed"
    assert (it.folder / "error.txt").read_text() == "its process was killed\n\naargh"


def test_what_takes_too_long_is_stopped_and_not_tried_again(tmp_path: Path) -> None:
    """The limit is of a network: of as many, as many times as long."""

    backend = Fake(lambda unit: None, free=2)
    units = [unit(tmp_path / "a", 1), unit(tmp_path / "b", 3)]
    events = list(run(units, backend, replace(SETTINGS, timeout=0.05)))

    assert backend.stopped == [[0], [0, 1, 2]]
    assert len(backend.sent) == 2
    assert {reason for _, reason in ends(events)} == {
        "took longer than sweep.timeout=0.05 seconds a network"
    }


def test_of_what_takes_too_long_the_completed_runs_count(tmp_path: Path) -> None:
    def one(unit: Unit) -> None:
        done(unit.jobs[0], 0)

    events = list(run([unit(tmp_path, 2)], Fake(one), replace(SETTINGS, timeout=0.01)))

    assert [(seed, bool(reason)) for seed, reason in ends(events)] == [(0, False), (1, True)]


def test_the_first_failure_may_end_a_sweep(tmp_path: Path) -> None:
    def fail(job: Job, seed: int) -> None:
        written(job, seed, "failed", reason="diverged")

    backend = Fake(each(fail))
    units = [unit(tmp_path / "a", 1), unit(tmp_path / "b", 1)]

    assert len(ends(list(run(units, backend, replace(SETTINGS, fail_fast=True))))) == 1
    assert backend.sent == [[0]]
    assert backend.closed


def test_the_others_are_done_although_one_fails(tmp_path: Path) -> None:
    def fail(job: Job, seed: int) -> None:
        written(job, seed, "failed", reason="diverged") if seed == 0 else done(job, seed)

    one, two = jobs(tmp_path, 2)
    units = [replace(unit(tmp_path, 1), jobs=(job,)) for job in (one, two)]

    assert ends(list(run(units, Fake(each(fail)), SETTINGS))) == [(0, "diverged"), (1, None)]


def test_what_another_process_does_is_waited_for_and_taken_over(tmp_path: Path) -> None:
    """Of two runs held elsewhere one is completed there, the other left."""

    one, two = jobs(tmp_path, 2)
    held = [hold(written(one, 0, "running")), hold(written(two, 1, "running"))]
    for lock in held:
        lock.__enter__()
    mine = [False]
    backend = Fake(lambda unit: each(done)(unit) if mine[0] else left(unit))

    events = []
    for event in run([unit(tmp_path, 2)], backend, SETTINGS):
        events.append(event)
        if isinstance(event, Left) and not mine[0]:
            for lock in held:
                lock.__exit__(None, None, None)
            done(one, 0)
            mine[0] = True

    assert ends(events) == [(0, None), (1, None)]
    assert backend.sent == [[0, 1], [1]]
    assert not any(isinstance(event, Retried) for event in events)


def test_what_takes_too_long_and_is_slow_to_end_is_not_sent_again(tmp_path: Path) -> None:
    """A job of a cluster may hold its runs for a while after it was cancelled."""

    (job,) = jobs(tmp_path, 1)
    lock = hold(written(job, 0, "running"))
    lock.__enter__()
    backend = Fake(lambda unit: None)
    events = []
    for event in run([unit(tmp_path, 1)], backend, replace(SETTINGS, timeout=0.01)):
        events.append(event)
        if isinstance(event, Left):
            lock.__exit__(None, None, None)

    assert backend.sent == [[0]]
    ((_, reason),) = ends(events)
    assert "sweep.timeout" in str(reason)


def test_what_is_to_be_repeated_is_repeated_once(tmp_path: Path) -> None:
    """And gone on with, when it is interrupted: not begun again."""

    (job,) = jobs(tmp_path, 1, "force=true")
    done(job, 0)
    forced = []

    def repeat(unit: Unit) -> Returned:
        (again,) = unit.jobs
        forced.append(again.settings.force)
        if len(forced) == 1:
            return left(unit, "its process was killed before it began")
        if len(forced) == 2:
            written(again, 0, "interrupted")
            return left(unit, "its process was killed")
        return each(done)(unit)

    events = list(
        run([unit(tmp_path, 1, "force=true")], Fake(repeat), replace(SETTINGS, retries=2))
    )

    assert forced == [True, True, False]
    assert ends(events) == [(0, None)]


def test_a_probe_that_fails_is_put_again_and_named(tmp_path: Path) -> None:
    words = ("probe=[refraction]",)
    (job,) = jobs(tmp_path, 1, *words)

    def fail(job: Job, seed: int) -> None:
        left = written(job, seed, "completed", probes={})
        (left.folder / "probes").mkdir(exist_ok=True)
        (left.folder / "probes" / "refraction.error.txt").write_text("no")

    backend = Fake(each(fail))
    ((_, reason),) = ends(list(run([unit(tmp_path, 1, *words)], backend, SETTINGS)))
    (left,) = runs_below(tmp_path)

    assert len(backend.sent) == 2
    assert "the probe refraction failed" in str(reason)
    assert left.status == "completed"
    assert not job.done(left)


def test_what_comes_back_undone_for_ever_ends_all_the_same(tmp_path: Path) -> None:
    backend = Fake(left)

    ((_, reason),) = ends(list(run([unit(tmp_path, 1)], backend, SETTINGS)))
    assert "undone" in str(reason)


def test_what_ends_together_for_ever_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if it were never taken apart."""

    monkeypatch.setattr(supervision, "halves", lambda unit: [unit])
    backend = Fake(lambda unit: left(unit, "its process was killed"))

    assert ends(list(run([unit(tmp_path, 2)], backend, SETTINGS))) == [
        (k, "its process was killed") for k in (0, 1)
    ]


def test_a_group_that_does_not_fit_into_memory_is_done_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what does units elsewhere, on a device that holds two networks."""

    whole = Training.ensemble

    def ensemble(self: Training) -> Ensemble:
        if len(self.labs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self)

    def does(unit: Unit) -> Returned:
        perform(unit)
        return left(unit)

    monkeypatch.setattr(Training, "ensemble", ensemble)
    backend = Fake(does)
    events = list(run([unit(tmp_path, 5)], backend, replace(SETTINGS, retries=0)))

    assert backend.sent == [[0, 1, 2, 3, 4], [0, 1, 2], [0, 1], [2], [3, 4]]
    assert ends(events) == [(k, None) for k in range(5)]
    assert [it.status for it in runs_below(tmp_path)] == ["completed"] * 5


def test_a_full_disk_is_a_failure_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("isoexp.store.run.write_json", full)
    backend = Fake(lambda unit: left(unit, "OSError: No space left on device"))

    assert ends(list(run([unit(tmp_path, 1)], backend, SETTINGS))) == [
        (0, "OSError: No space left on device")
    ]


def test_one_run_in_two_studies_is_two(tmp_path: Path) -> None:
    both = [*jobs(tmp_path, 1, "name=a"), *jobs(tmp_path, 1, "name=b")]
    assert both[0].identities == both[1].identities

    list(run([replace(unit(tmp_path, 1), jobs=tuple(both))], Fake(each(done)), SETTINGS))
    assert [left.status for left in runs_below(tmp_path)] == ["completed"] * 2


@pytest.mark.parametrize("gives", [None, [1], [(1, Outcome())]])
def test_a_backend_that_breaks_is_one_line(gives: object, tmp_path: Path) -> None:
    """Of the user's own; whatever it gives back instead of units and outcomes."""

    class Broken(Fake):
        def wait(self, timeout_s: float) -> Any:
            return gives

    backend = Broken(left)
    with pytest.raises(UserError, match=r"the backend Broken failed: [A-Z]\w+Error"):
        list(run([unit(tmp_path, 1)], backend, SETTINGS))
    assert backend.closed
