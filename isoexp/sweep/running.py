"""Running: units are sent out until every run has come to its end, whatever happens on the way.

What became of a run is read from its folder. So it does not matter who did it, in which process or
on which machine, or whether this is the first time that the sweep is started.
"""

__all__ = ["Beat", "Ended", "Event", "Hands", "Left", "Retried", "Sent", "run"]

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..experiment.preparation import Prepared
from ..experiment.sweeping import Sweeping
from ..identity import label
from ..runs import Run, Study, claim, held
from .units import Unit, halves
from .workers import Back

BEAT_S = 0.5
"""How often the folders of runs that are being done are looked at."""

PATIENCE_S = 2.0
"""How often those are that another process does."""


class Hands(Protocol):
    """What does units: processes here, or a cluster."""

    @property
    def free(self) -> int:
        """How many units can be sent now, or 1 if there is no end to it."""
        ...

    def send(self, unit: Unit) -> None:
        """Has a unit done."""
        ...

    def wait(self, timeout_s: float) -> list[Back]:
        """Returns the units that have come back, within that time."""
        ...

    def stop(self, unit: Unit) -> None:
        """Has a unit left as it is, resumable; it does not come back."""
        ...

    def close(self) -> None:
        """Has all left as it is."""
        ...


@dataclass(frozen=True)
class Sent:
    """A unit is being done."""

    unit: Unit


@dataclass(frozen=True)
class Beat:
    """How far the units are that are being done: updates made, and updates to be made."""

    units: dict[Unit, tuple[int, int]]


@dataclass(frozen=True)
class Ended:
    """A run has come to its end: completed, or failed for a reason."""

    run: Run
    reason: str | None = None


@dataclass(frozen=True)
class Retried:
    """Runs are tried again, for a reason."""

    networks: int
    reason: str


@dataclass(frozen=True)
class Left:
    """Runs are being done by other processes, which are waited for."""

    networks: int


Event = Sent | Beat | Ended | Retried | Left


def run(units: Sequence[Unit], hands: Hands, sweeping: Sweeping) -> Generator[Event, None, None]:
    """Sends units out until every run of them is completed, or has failed too often.

    Arguments:
        units: The units, in the order in which they are begun.
        hands: What does them; closed at the end.
        sweeping: How failures are met.
    """

    sweep = _Sweep(units, hands, sweeping)
    try:
        while sweep.waiting or sweep.working or sweep.elsewhere:
            yield from sweep.send()
            yield from sweep.hear() if sweep.working else sweep.look_elsewhere()
            if sweeping.fail_fast and sweep.failed:
                return
    finally:
        hands.close()


class _Sweep:
    """Where every unit is, and how often each run was tried."""

    def __init__(self, units: Sequence[Unit], hands: Hands, sweeping: Sweeping) -> None:
        self.hands, self.sweeping = hands, sweeping
        self.waiting = deque(units)
        self.working: dict[Unit, float] = {}  # since when
        self.elsewhere: list[Unit] = []
        self.failed = False

        self._began = time.time()
        self._ended: set[str] = set()
        self._attempts: Counter[str] = Counter()
        self._look_at = 0.0

    def send(self) -> Iterator[Event]:
        """Sends what can be sent."""

        while self.waiting and self.hands.free:
            unit = self.waiting.popleft()
            self.hands.send(unit)
            self.working[unit] = time.monotonic()
            yield Sent(unit)

    def hear(self) -> Iterator[Event]:
        """Waits a moment for units to come back, and looks at those that are being done."""

        for back in self.hands.wait(BEAT_S):
            del self.working[back.unit]
            yield from self._settle(back)

        limit = self.sweeping.timeout
        for unit, since in list(self.working.items()):
            if limit is not None and time.monotonic() - since > limit * unit.networks:
                self.hands.stop(unit)
                del self.working[unit]
                reason = f"took longer than sweep.timeout={limit:g} seconds a network"
                yield from self._settle(Back(unit, reason, final=True))

        now = time.monotonic()
        if now > self._look_at:
            yield from self._look()
            took = time.monotonic() - now
            self._look_at = now + max(BEAT_S, 20 * took)

    def look_elsewhere(self) -> Iterator[Event]:
        """Waits a moment for what other processes do, and takes over what they have left."""

        yield Left(sum(unit.networks for unit in self.elsewhere))
        time.sleep(PATIENCE_S)
        units, self.elsewhere = self.elsewhere, []
        for unit in units:
            yield from self._settle(Back(unit))

    def _look(self) -> Iterator[Event]:
        """Says how far units are, and which of their runs have come to their end."""

        made = {}
        for unit in self.working:
            made[unit] = (0, 0)
            for job, seed, run in _runs(unit):
                key = job.identities[seed]
                if key in self._ended or run is None:
                    continue
                state = run.state
                reason = str(state.get("reason"))
                if self._done(job, run):
                    yield self._end(key, run)
                elif state.get("state") == "failed" and reason.startswith("diverged"):
                    yield self._end(key, run, reason)
                else:
                    made[unit] = (state.get("step", 0), state.get("steps", 0))
        yield Beat(made)

    def _settle(self, back: Back) -> Iterator[Event]:
        """Decides what becomes of the runs of a unit that is no longer worked on."""

        again: list[Prepared] = []
        elsewhere: list[Prepared] = []
        reasons: list[str] = []
        shared = back.killed and back.unit.networks > 1

        for job, seed, run in _runs(back.unit):
            key = job.identities[seed]
            if key in self._ended:
                continue
            if run is not None and self._done(job, run):
                yield self._end(key, run)
                continue
            if run is not None and held(run):
                elsewhere.append(_only(job, seed))
                continue

            reason = back.reason or (_failure(job, run) if run else None)
            # Of many networks it may be that they were too many; no failure is nobody's fault.
            self._attempts[key] += reason is not None and not shared
            if reason and (back.final or self._given_up(key, reason)):
                yield self._end(key, _marked_failed(job, seed, reason), reason)
            else:
                again.append(self._once_more(_only(job, seed), run))
                reasons += [reason] if reason else []

        if elsewhere:
            self.elsewhere.append(replace(back.unit, jobs=tuple(elsewhere)))
        if again:
            unit = replace(back.unit, jobs=tuple(again))
            self.waiting.extendleft(reversed(halves(unit) if shared else [unit]))
        if reasons:
            yield Retried(len(again), reasons[0])

    def _done(self, job: Prepared, run: Run) -> bool:
        """Whether a run is done; one that is to be repeated, since the sweep began."""

        new = not job.settings.force or run.state.get("ended", 0) >= self._began

        return new and job.done(run)

    def _given_up(self, key: str, reason: str) -> bool:
        return reason.startswith("diverged") or self._attempts[key] > self.sweeping.retries

    def _end(self, key: str, run: Run, reason: str | None = None) -> Ended:
        self._ended.add(key)
        self.failed |= reason is not None

        return Ended(run, reason)

    def _once_more(self, job: Prepared, run: Run | None) -> Prepared:
        """Returns a job to be tried again: what was begun in this sweep is gone on with."""

        begun = run is not None and run.state.get("started", 0) >= self._began

        return replace(job, settings=replace(job.settings, force=False)) if begun else job


def _runs(unit: Unit) -> Iterator[tuple[Prepared, int, Run | None]]:
    """Yields each run of a unit: its job, its seed, and its folder if there is one."""

    studies = {job.settings.study: Study.of(job.settings.study) for job in unit.jobs}
    for job in unit.jobs:
        for seed, each in job.identities.items():
            yield job, seed, studies[job.settings.study].find(each)


def _only(job: Prepared, seed: int) -> Prepared:
    return replace(job, identities={seed: job.identities[seed]})


def _failure(job: Prepared, run: Run) -> str | None:
    """Returns why a run is not done, if it is not only that nobody has done it."""

    state = run.state
    if state.get("state") == "failed":
        return str(state.get("reason"))
    if state.get("state") == "completed":
        name = job.missing(run)[0]
        return f"the probe {name} failed; see {run.folder / 'probes' / name}.error.txt"

    return None


def _marked_failed(job: Prepared, seed: int, reason: str) -> Run:
    """Returns a run that is given up, once it is written down why."""

    name = label(job.job.choices, job.job.words, seed)
    with claim(job.settings.study, name, job.identities[seed]) as run:
        if run.state.get("state") != "completed":
            run.write_state("failed", reason=reason)

    return run
