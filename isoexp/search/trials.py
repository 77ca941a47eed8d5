"""The trials of a search in a journal that all processes share which work on it.

One process at a time asks for trials. Each is marked with who asked for it: what a process that
was killed had open is taken up by another one, with the same values.
"""

__all__ = ["Asked", "Trials"]

import hashlib
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import optuna
from filelock import FileLock, Timeout
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from .journal import journal
from .search import Search, Told


@dataclass(frozen=True, eq=False)
class Asked:
    """A trial that this process works on.

    Arguments:
        number: Its place among the trials.
        overrides: The overrides that set its values.
        trial: Itself, as Optuna knows it.
    """

    number: int
    overrides: tuple[str, ...]
    trial: Trial


class Trials:
    """The trials of a search.

    Arguments:
        search: The search.
        study: What Optuna knows of it.
        lock: What one process at a time holds.
        owner: The name of this process.
    """

    def __init__(self, search: Search, study: optuna.Study, lock: FileLock, owner: str) -> None:
        self.search, self.study, self.lock, self.owner = search, study, lock, owner
        self._failed_before = self._count(TrialState.FAIL)

    @classmethod
    @contextmanager
    def opened(cls, search: Search) -> "Iterator[Trials]":
        """Opens the journal of a search, and has this process own trials while the context lasts.

        Raises:
            OSError: If the folder of the study cannot be written to.
        """

        folder = search.folder / ".search"
        folder.mkdir(parents=True, exist_ok=True)
        owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        lock, alive = FileLock(folder / "asking"), FileLock(folder / owner)

        with alive:
            with lock:
                study = journal(search)
            try:
                yield cls(search, study, lock, owner)
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
        """Whether a trial is to be stopped, by its scores on the way.

        Arguments:
            asked: The trial.
            scores: A score after each of some percentages of its training.
        """

        known = self.study.get_trials(deepcopy=False)[asked.number].intermediate_values
        for percent in sorted(scores.keys() - known.keys()):
            asked.trial.report(scores[percent], percent)
            if asked.trial.should_prune():
                return True

        return False

    def complete(self, asked: Asked, value: float) -> Told:
        """Tells the value of a trial."""

        return self._tell(asked, TrialState.COMPLETE, value)

    def prune(self, asked: Asked, reason: str) -> Told:
        """Tells that the values of a trial are none of the best."""

        return self._tell(asked, TrialState.PRUNED, reason=reason)

    def fail(self, asked: Asked, reason: str) -> Told:
        """Tells that a trial failed, whatever its values."""

        return self._tell(asked, TrialState.FAIL, reason=reason)

    def told(self) -> list[Told]:
        """Returns the trials that have come to their end; the completed ones first, by value."""

        ended = [
            self._told(t) for t in self.study.get_trials(deepcopy=False) if t.state.is_finished()
        ]
        sign = 1 if self.search.settings.direction == "minimize" else -1

        return sorted(ended, key=lambda t: (t.value is None, sign * (t.value or 0), t.number))

    def importances(self) -> dict[str, float]:
        """Returns the share of each parameter in how values differ, the largest first.

        Empty where there are too few values to tell, or parameters.
        """

        done = [t for t in self.told() if t.value is not None]
        if len(done) < 10 or len(self.search.space) < 2 or done[0].value == done[-1].value:
            return {}

        return optuna.importance.get_param_importances(self.study)

    def _take(self, number: int, left: FrozenTrial | None = None) -> Asked:
        # A sampler for each: one that is asked for after a kill is what it would have been.
        self.study.sampler = self._sampler(number)
        trial = Trial(self.study, left._trial_id) if left else self.study.ask()
        trial.set_user_attr("owner", self.owner)

        return Asked(number, tuple(each.suggest(trial) for each in self.search.space), trial)

    def _sampler(self, number: int) -> BaseSampler:
        settings = self.search.settings
        digest = hashlib.blake2b(repr((settings.seed, number)).encode(), digest_size=4).digest()
        seed = int.from_bytes(digest, "big")

        return RandomSampler(seed) if settings.sampler == "random" else TPESampler(seed=seed)

    def _is_left(self, trial: FrozenTrial) -> bool:
        """Whether the process that asked for a trial is gone."""

        owner = trial.user_attrs.get("owner")
        if owner == self.owner:
            return False
        if owner is None:
            return True
        path = self.search.folder / ".search" / owner
        try:
            with FileLock(path, timeout=0):
                pass
        except Timeout:
            return False
        path.unlink(missing_ok=True)

        return True

    def _tell(
        self, asked: Asked, state: TrialState, value: float | None = None, reason: str | None = None
    ) -> Told:
        with self.lock:  # another process may have had it too, on a host where locks do not hold
            trial = self.study.get_trials(deepcopy=False)[asked.number]
            if not trial.state.is_finished():
                if reason is not None:
                    asked.trial.set_user_attr("reason", reason)
                trial = self.study.tell(asked.trial, value, state)

        return self._told(trial)

    def _told(self, trial: FrozenTrial) -> Told:
        done = trial.state == TrialState.COMPLETE

        return Told(
            trial.number,
            tuple(
                p.override(trial.params[p.key]) for p in self.search.space if p.key in trial.params
            ),
            trial.value if done else None,
            trial.user_attrs.get("reason"),
            trial.state == TrialState.FAIL,
        )

    def _count(self, *states: TrialState) -> int:
        return len(self.study.get_trials(deepcopy=False, states=states))
