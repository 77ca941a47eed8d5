"""Running: units are sent out until every run has come to its end, whatever happens on the way.

What became of a run is read from its folder. So it does not matter who did it, in which process or
on which machine, or whether this is the first time that the sweep is started.
"""

__all__ = ["FINAL", "Beat", "Ended", "Event", "Hands", "Left", "Retried", "Sent", "run"]

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ..experiment.preparation import Prepared
from ..experiment.sweeping import Sweeping
from ..identity import columns, label, telling
from ..records import write_bytes
from ..runs import Busy, Run, Study, claim, find, held, status
from .units import Unit, halves
from .workers import Back

BEAT_S = 0.5
"""How often the folders of runs that are being done are looked at."""

PATIENCE_S = 2.0
"""How often those are that another process does."""

UNDONE = 20
"""So often a run may come back as it was, without a reason."""

FINAL = ("diverged", "pruned")
"""What the reasons of failures begin with that would be the same again."""


class Hands(Protocol):
    """What does units: processes here, or a cluster."""

    @property
    def queues(self) -> bool:
        """Whether a unit that was sent may wait: it has taken no time then."""
        ...

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

        self._ended: set[str] = set()
        self._tried: Counter[str] = Counter()
        self._undone: Counter[str] = Counter()
        self._given_up: dict[str, str] = {}  # for which reason
        self._look_at = 0.0

        studies: dict[Path, Study] = {}
        self._runs: dict[str, Run] = {}
        for job, seed in _each(units):
            folder, each = job.settings.study, job.identities[seed]
            study = studies.get(folder) or studies.setdefault(folder, Study.of(folder))
            new = Run(folder / f"{_label(job, seed)}-{each[:8]}")
            self._runs[_key(job, seed)] = study.find(each) or new
        self._before = {key: run.state.get("heartbeat") for key, run in self._runs.items()}

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
            self._look_at = 0.0

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
            made[unit], begun = (0, 0), False
            for job, seed in _each([unit]):
                key = _key(job, seed)
                if key in self._ended:
                    begun = True
                    continue
                run = self._runs[key]
                state = run.state
                begun |= self._touched(key, state) and status(state) != "interrupted"
                if self._done(job, key, state):
                    yield self._end(key)
                elif self._fails(key, state) and _reason(state).startswith(FINAL):
                    yield self._end(key, _reason(state))
                else:
                    made[unit] = (state.get("step", 0), state.get("steps", 0))
            if self.hands.queues and not begun:
                self.working[unit] = time.monotonic()
        yield Beat(made)

    def _settle(self, back: Back) -> Iterator[Event]:
        """Decides what becomes of the runs of a unit that is no longer worked on."""

        left: list[tuple[Prepared, int, str | None]] = []
        elsewhere: list[Prepared] = []
        for job, seed in _each([back.unit]):
            key = _key(job, seed)
            if key in self._ended:
                continue
            run = self._found(job, seed)
            if self._done(job, key, run.state):
                yield self._end(key)
            elif held(run):
                elsewhere.append(_only(job, seed))
            else:
                left.append((job, seed, self._failure(job, key, run) or back.reason))
            if back.final and back.reason:
                self._given_up.setdefault(key, back.reason)
        if elsewhere:
            self.elsewhere.append(replace(back.unit, jobs=tuple(elsewhere)))

        # What befell several at once may be the fault of one, or of their number. Parts of them
        # tell, and go on from where they were.
        reasons = Counter(reason for _, _, reason in left if reason)
        shared = {r for r, count in reasons.items() if count > 1 and not r.startswith(FINAL)}
        again: list[Prepared] = []
        for job, seed, reason in left:
            key = _key(job, seed)
            if self._is_over(key, reason, reason in shared):
                why = reason or "it came back undone, again and again"
                self._runs[key] = _marked_failed(job, seed, self._runs[key], why, back.said)
                yield self._end(key, why)
            else:
                again.append(self._once_more(_only(job, seed), key))

        if again:
            unit = replace(back.unit, jobs=tuple(again))
            units = halves(unit) if shared else [unit]
            self.waiting.extendleft(reversed(units))
            if reasons:
                yield Retried(len(again), next(iter(reasons)))

    def _found(self, job: Prepared, seed: int) -> Run:
        """Returns the run of a seed, though another process may have made its folder."""

        key, each = _key(job, seed), job.identities[seed]
        run = self._runs[key]
        if run.state.get("identity") != each:
            run = self._runs[key] = find(job.settings.study, each) or run

        return run

    def _done(self, job: Prepared, key: str, state: Mapping[str, Any]) -> bool:
        """Whether a run is done; one that is to be repeated, since the sweep began."""

        new = not job.settings.force or self._touched(key, state)

        return new and state.get("state") == "completed" and job.done(self._runs[key])

    def _fails(self, key: str, state: Mapping[str, Any]) -> bool:
        """Whether a run has failed since it was sent."""

        return state.get("state") == "failed" and self._touched(key, state)

    def _touched(self, key: str, state: Mapping[str, Any]) -> bool:
        return state.get("heartbeat") != self._before[key]

    def _failure(self, job: Prepared, key: str, run: Run) -> str | None:
        """Returns why a run is not done, if it is its own failure."""

        state = run.state
        if self._fails(key, state):
            return _reason(state)
        if state.get("state") == "completed":
            for name in job.missing(run):
                error = run.folder / "probes" / f"{name}.error.txt"
                if error.exists():
                    return f"the probe {name} failed; see {error}"

        return self._given_up.get(key)

    def _is_over(self, key: str, reason: str | None, shared: bool) -> bool:
        """Whether a run that is not done is given up; counts the attempt that it had."""

        if reason is None:  # nobody's fault: another process had it a moment ago, for one
            self._undone[key] += 1
            return self._undone[key] > UNDONE
        if key in self._given_up or reason.startswith(FINAL):
            return True
        self._tried[key] += not shared

        return self._tried[key] > self.sweeping.retries

    def _end(self, key: str, reason: str | None = None) -> Ended:
        self._ended.add(key)
        self.failed |= reason is not None

        return Ended(self._runs[key], reason)

    def _once_more(self, job: Prepared, key: str) -> Prepared:
        """Returns a job to be tried again: what was begun in this sweep is gone on with."""

        state = self._runs[key].state
        begun = self._touched(key, state)
        self._before[key] = state.get("heartbeat")

        return replace(job, settings=replace(job.settings, force=False)) if begun else job


def _each(units: Sequence[Unit]) -> Iterator[tuple[Prepared, int]]:
    """Yields each run of units: its job, and its seed."""

    for unit in units:
        for job in unit.jobs:
            for seed in job.identities:
                yield job, seed


def _key(job: Prepared, seed: int) -> str:
    """Returns what tells a run of this sweep from others: one may be in two studies, or be asked
    for with two sets of probes."""

    return " ".join([str(job.settings.study), job.identities[seed], *job.probes.values()])


def _only(job: Prepared, seed: int) -> Prepared:
    return replace(job, identities={seed: job.identities[seed]})


def _label(job: Prepared, seed: int) -> str:
    return label(job.job.choices, job.job.words, seed)


def _reason(state: Mapping[str, Any]) -> str:
    return str(state.get("reason"))


def _marked_failed(job: Prepared, seed: int, run: Run, reason: str, said: str) -> Run:
    """Returns a run that is given up, once it is written down why."""

    if run.state.get("state") == "failed" and _reason(run.state) == reason:
        return run  # by whoever did it, with all that is known
    claimed = claim(job.settings.study, _label(job, seed), job.identities[seed])
    with (
        suppress(Busy, OSError),
        claimed as run,
    ):  # it has failed for all that, in a full disk for one
        if run.state.get("state") != "completed":
            own = columns(job.job.choices, job.settings.name, job.identities[seed], seed)
            words = telling(job.job.choices, job.job.words)
            run.write_state("failed", reason=reason, columns=own, words=words)
            write_bytes(run.folder / "error.txt", f"{reason}\n\n{said}".strip().encode())

    return run
