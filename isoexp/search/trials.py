"""The trials of a search in Optuna's journal, a file that processes share and may be killed over.

One process at a time asks for trials. Each is marked with who asked for it: what a process that
was killed had open is taken up by another one, with the same values.
"""

__all__ = ["Asked", "Trials"]

import hashlib
import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from math import isfinite
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from ..names import is_name
from ..store.files import fits, read_file, write_bytes
from .search import Search, Told

ENTRY = {"op_code": int, "worker_id": str}
"""What each line of a journal says."""

WARM = 20
"""No trial is stopped before so many percent of its training."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A trial that this process works on."""

    number: int
    overrides: tuple[str, ...]
    trial: Trial


class Trials:
    """The trials of a search.

    Arguments:
        lock: What one process at a time holds.
        owner: The name of this process.
        damage: What was wrong with the journal, and what became of it; None if nothing was.
    """

    def __init__(
        self,
        search: Search,
        study: optuna.Study,
        lock: FileLock,
        owner: str,
        damage: str | None = None,
    ) -> None:
        self.search, self.study, self.lock, self.owner = search, study, lock, owner
        self.damage = damage
        self._failed_before = self._count(TrialState.FAIL)

    @classmethod
    @contextmanager
    def opened(cls, search: Search) -> "Iterator[Trials]":
        """Opens the journal of a search; while the context lasts, this process owns trials."""

        folder = search.folder / ".search"
        folder.mkdir(parents=True, exist_ok=True)
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        lock = FileLock(folder / "asking")

        with FileLock(folder / owner):
            with lock:
                study, damage = _study(search)
            try:
                yield cls(search, study, lock, owner, damage)
            finally:
                (folder / owner).unlink(missing_ok=True)

    @property
    def missing(self) -> int:
        """How many are still to be asked for. One that failed before is asked for anew."""

        counted = self._count(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        failed = self._count(TrialState.FAIL) - self._failed_before

        return max(0, self.search.settings.trials - counted - failed)

    @property
    def elsewhere(self) -> int:
        """How many other processes work on."""

        return self._count(TrialState.RUNNING)

    def take(self) -> list[Asked]:
        """Takes up what was left open, and asks for more up to a multiple of search.ask."""

        with self.lock:
            trials = self.study.get_trials(deepcopy=False)
            taken = [
                self._take(each.number, each)
                for each in trials
                if each.state == TrialState.RUNNING and self._is_left(each)
            ]
            number, missing = len(trials), self.missing
            while missing and (not taken or number % self.search.settings.ask):
                taken.append(self._take(number))
                number, missing = number + 1, missing - 1

        return taken

    def stops(self, asked: Asked, scores: Mapping[int, float]) -> bool:
        """Whether a trial is to be stopped, by its score after each of some percentages."""

        known = self.study.get_trials(deepcopy=False)[asked.number].intermediate_values
        for percent in sorted(scores.keys() - known.keys()):
            asked.trial.report(scores[percent], percent)
            if asked.trial.should_prune():
                return True

        return False

    def tell(
        self,
        asked: Asked,
        value: float | None = None,
        reason: str | None = None,
        failed: bool = False,
    ) -> Told:
        """Tells how a trial came to its end.

        Arguments:
            value: Its value, if it was completed.
            reason: Why it was not: its values are none of the best, unless it failed.
            failed: Whether that says nothing of its values.
        """

        ended = TrialState.FAIL if failed else TrialState.PRUNED
        with self.lock:  # another process may have had it too, on a host where locks do not hold
            trial = self.study.get_trials(deepcopy=False)[asked.number]
            if not trial.state.is_finished():
                if reason is not None:
                    asked.trial.set_user_attr("reason", reason)
                state = ended if value is None else TrialState.COMPLETE
                trial = self.study.tell(asked.trial, value, state)

        return self._told(trial)

    def told(self) -> list[Told]:
        """Returns the trials that have come to their end; the completed ones first, by value."""

        trials = self.study.get_trials(deepcopy=False)
        sign = 1 if self.search.settings.direction == "minimize" else -1

        return sorted(
            (self._told(trial) for trial in trials if trial.state.is_finished()),
            key=lambda t: (t.value is None, sign * (t.value or 0), t.number),
        )

    def importances(self) -> dict[str, float]:
        """Returns the share of each parameter in how values differ; {} where too few are known."""

        done = [t for t in self.told() if t.value is not None]
        if len(done) < 10 or len(self.search.space) < 2 or done[0].value == done[-1].value:
            return {}

        return optuna.importance.get_param_importances(self.study)

    def _take(self, number: int, left: FrozenTrial | None = None) -> Asked:
        # A sampler for each: one that is asked for after a kill is what it would have been.
        settings = self.search.settings
        digest = hashlib.blake2b(repr((settings.seed, number)).encode(), digest_size=4).digest()
        sampler = RandomSampler if settings.sampler == "random" else TPESampler
        self.study.sampler = sampler(seed=int.from_bytes(digest, "big"))

        trial = Trial(self.study, left._trial_id) if left else self.study.ask()
        trial.set_user_attr("owner", self.owner)

        return Asked(number, tuple(each.suggest(trial) for each in self.search.space), trial)

    def _is_left(self, trial: FrozenTrial) -> bool:
        """Whether the process that asked for a trial is gone."""

        owner = trial.user_attrs.get("owner")
        if not isinstance(owner, str) or not is_name(owner):
            return True
        if owner == self.owner:
            return False
        path = self.search.folder / ".search" / owner
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return False
        path.unlink(missing_ok=True)

        return True

    def _told(self, trial: FrozenTrial) -> Told:
        given = trial.params
        overrides = (p.override(given[p.key]) for p in self.search.space if p.key in given)
        value = trial.value if trial.state == TrialState.COMPLETE else None
        failed = trial.state == TrialState.FAIL

        return Told(trial.number, tuple(overrides), value, trial.user_attrs.get("reason"), failed)

    def _count(self, *states: TrialState) -> int:
        return len(self.study.get_trials(deepcopy=False, states=states))


def _study(search: Search) -> tuple[optuna.Study, str | None]:
    """Opens the journal of a search, or begins it; nobody else may at the same time.

    What is damaged in it is put aside. Its trials are asked for anew, and what was trained for them
    is found in the folders of the runs.

    Returns:
        The study, and what was wrong with its journal.
    """

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = search.folder / "search.journal"
    writing: Any = FileLock(search.folder / ".search" / "writing")  # freed by a kill, too
    with writing:
        damage = _mended(path)
    try:
        study = _opened(search, path, writing)
        _check(search, study)
        return study, damage
    except Exception as error:  # lines that can be read, and make no sense together
        aside = path.with_name("search.journal.damaged")
        with writing:
            os.replace(path, aside)
        told = f"{path} makes no sense ({type(error).__name__}) and is now {aside.name}"

        return _opened(search, path, writing), told


def _check(search: Search, study: optuna.Study) -> None:
    """Checks that trials that ended have values of the space, and a finite one if completed."""

    for trial in study.get_trials(deepcopy=False):
        if trial.state.is_finished():
            for parameter in search.space:
                parameter.override(trial.params[parameter.key])
            if trial.state == TrialState.COMPLETE and not isfinite(trial.value or 0.0):
                raise ValueError(f"trial {trial.number} has the value {trial.value}")


def _opened(search: Search, path: Path, writing: Any) -> optuna.Study:
    pruners: dict[str, BasePruner] = {
        "none": NopPruner(),
        "median": MedianPruner(n_startup_trials=5, n_warmup_steps=WARM),
        "successive_halving": SuccessiveHalvingPruner(min_resource=WARM, reduction_factor=2),
    }

    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path), writing)),
        study_name=search.name,
        direction=search.settings.direction,
        pruner=pruners[search.settings.prune],
        load_if_exists=True,
    )


def _mended(path: Path) -> str | None:
    """Cuts a journal before its first line that cannot be read; says so, unless it is the last."""

    if not path.exists():
        return None
    content = read_file(path)
    *lines, rest = content.split(b"\n")
    whole = list(takewhile(_is_entry, lines))
    kept = sum(len(line) + 1 for line in whole)
    if kept == len(content):
        return None
    if len(whole) < len(lines):
        write_bytes(path.with_name("search.journal.damaged"), content)
    os.truncate(path, kept)  # nothing could be read behind it
    if len(whole) == len(lines):  # a full disk, or a kill, has cut the last one short
        return None

    return f"{path} could be read up to line {len(whole)} of {len(lines) + bool(rest)}"


def _is_entry(line: bytes) -> bool:
    try:
        return fits(json.loads(line), ENTRY)
    except (ValueError, RecursionError):
        return False
