"""Attempts: what has become of each run of a sweep, and how often it was tried.

What became of a run is read from its folder. So it does not matter who did it, in which process or
on which machine, or whether this is the first time that the sweep is started.
"""

__all__ = ["FINAL", "Attempts", "only"]

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..experiment.job import Job, Resumed
from ..store.files import write_bytes
from ..store.history import changes, starts
from ..store.identity import columns, telling
from ..store.lock import Busy, acquire
from ..store.run import Run, status
from ..store.study import Study, find
from .events import Ended
from .unit import Unit, runs_of

UNDONE = 20
"""So often a run may come back as it was, for no reason or for one that befell others too: a unit
that is halved so often had a million runs."""

FINAL = ("diverged", "pruned")
"""What the reasons of failures begin with that would be the same again."""


class Attempts:
    """The folder of each run of a sweep, how often it was tried, and how it ended."""

    def __init__(self, units: Sequence[Unit], retries: int) -> None:
        self.retries = retries
        self.failed = False

        self._ended: set[str] = set()
        self._tried: Counter[str] = Counter()
        self._undone: Counter[str] = Counter()
        self._given_up: dict[str, str] = {}  # for which reason

        studies: dict[Path, Study] = {}
        self._runs: dict[str, Run] = {}
        for job, seed in runs_of(units):
            folder, identity = job.settings.study, job.identities[seed]
            study = studies.get(folder) or studies.setdefault(folder, Study.of(folder))
            new = Run(folder / f"{job.label(seed)}-{identity[:8]}")
            self._runs[_key(job, seed)] = study.find(identity) or new
        self._before = {key: run.state.get("heartbeat") for key, run in self._runs.items()}
        self._told = {key: beat or 0.0 for key, beat in self._before.items()}

    def has_ended(self, job: Job, seed: int) -> bool:
        """Whether it was said already that a run has come to its end."""

        return _key(job, seed) in self._ended

    def look(self, job: Job, seed: int) -> tuple[Ended | None, bool, tuple[int, int]]:
        """Reads the folder of a run that is being done.

        Returns:
            Its end, if it has come to it; whether somebody has begun it; updates made, and to make.
        """

        key = _key(job, seed)
        run = self._runs[key]
        state = run.state
        begun = self._touched(key, state) and status(state) != "interrupted"
        end = None
        if self._done(job, key, state):
            end = self._end(key)
        elif self._fails(key, state) and _reason(state).startswith(FINAL):
            end = self._end(key, _reason(state))

        return end, begun, (state.get("step", 0), state.get("steps", 0))

    def done(self, job: Job, seed: int) -> Ended | None:
        """Returns the end of a run that nobody works on, if it is done."""

        key = _key(job, seed)

        return self._end(key) if self._done(job, key, self.found(job, seed).state) else None

    def found(self, job: Job, seed: int) -> Run:
        """Returns the run of a seed, though another process may have made its folder."""

        key, identity = _key(job, seed), job.identities[seed]
        run = self._runs[key]
        if run.state.get("identity") != identity:
            run = self._runs[key] = find(job.settings.study, identity) or run

        return run

    def failure(self, job: Job, seed: int) -> str | None:
        """Returns why a run is not done, if it is its own failure."""

        key = _key(job, seed)
        run = self._runs[key]
        state = run.state
        if self._fails(key, state):
            return _reason(state)
        if state.get("state") == "completed":
            for name in job.missing(run):
                error = run.folder / "probes" / f"{name}.error.txt"
                if error.exists():
                    return f"the probe {name} failed; see {error}"

        return self._given_up.get(key)

    def resumed(self, job: Job, seed: int) -> Iterator[Resumed]:
        """Yields each start of a run that goes on under other conditions than the one before."""

        key = _key(job, seed)
        run = self._runs[key]
        started = max((each.get("time", 0.0) for each in starts(run.folder)), default=0.0)
        if started > self._told[key]:
            self._told[key] = started
            if changed := changes(run.folder):
                yield Resumed(run, changed)

    def give_up(self, job: Job, seed: int, reason: str) -> None:
        """Has a run not tried again, if it is not done."""

        self._given_up.setdefault(_key(job, seed), reason)

    def again(
        self, job: Job, seed: int, reason: str | None, shared: bool, details: str
    ) -> Ended | Job:
        """Returns the job to try again for a run that is not done, or how the run ends.

        Arguments:
            shared: Whether others failed for the same reason: the attempt is not counted then.
        """

        key = _key(job, seed)
        if self._is_over(key, reason, shared):
            why = reason or "it came back undone, again and again"
            self._runs[key] = _marked_failed(job, seed, self._runs[key], why, details)
            return self._end(key, why)

        state = self._runs[key].state
        begun = self._touched(key, state)
        self._before[key] = state.get("heartbeat")
        left = only(job, seed)

        # What was begun in this sweep is gone on with, though it was to be repeated.
        return replace(left, settings=replace(left.settings, force=False)) if begun else left

    def _is_over(self, key: str, reason: str | None, shared: bool) -> bool:
        """Counts an attempt; returns whether the run is given up."""

        if reason and (key in self._given_up or reason.startswith(FINAL)):
            return True
        if reason is None or shared:  # nobody's fault: another process had it, or it was of many
            self._undone[key] += 1
            return self._undone[key] > UNDONE
        self._tried[key] += 1

        return self._tried[key] > self.retries

    def _done(self, job: Job, key: str, state: Mapping[str, Any]) -> bool:
        """Whether a run is done, if it is to be repeated since the sweep began."""

        new = not job.settings.force or self._touched(key, state)

        return new and state.get("state") == "completed" and job.done(self._runs[key])

    def _fails(self, key: str, state: Mapping[str, Any]) -> bool:
        return state.get("state") == "failed" and self._touched(key, state)

    def _touched(self, key: str, state: Mapping[str, Any]) -> bool:
        return state.get("heartbeat") != self._before[key]

    def _end(self, key: str, reason: str | None = None) -> Ended:
        self._ended.add(key)
        self.failed |= reason is not None

        return Ended(self._runs[key], reason)


def only(job: Job, seed: int) -> Job:
    """Returns a job with the run of one seed."""

    return replace(job, identities={seed: job.identities[seed]})


def _key(job: Job, seed: int) -> str:
    """Returns a key of a run: it may be in two studies, or be asked for with two sets of probes."""

    return " ".join([str(job.settings.study), job.identities[seed], *job.probes.values()])


def _reason(state: Mapping[str, Any]) -> str:
    return str(state.get("reason"))


def _marked_failed(job: Job, seed: int, run: Run, reason: str, details: str) -> Run:
    """Writes down why a run is given up; returns the run."""

    if run.state.get("state") == "failed" and _reason(run.state) == reason:
        return run  # by whoever did it, with all that is known
    taken = acquire(job.settings.study, job.label(seed), job.identities[seed])
    with (
        suppress(Busy, OSError),
        taken as run,
    ):  # it has failed for all that, in a full disk for one
        if run.state.get("state") != "completed":
            own = columns(job.choices, job.settings.name, job.identities[seed], seed)
            own_overrides = telling(job.choices, job.overrides)
            run.write_state("failed", reason=reason, columns=own, words=own_overrides)
            write_bytes(run.folder / "error.txt", f"{reason}\n\n{details}".strip().encode())

    return run
