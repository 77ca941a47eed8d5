"""The rounds of a search: trials are asked for, done as the jobs of a sweep, and told.

What is known of a trial is read from the folders of its runs. So one that was done before, by
whatever command, is told and not done again.
"""

__all__ = ["Begun", "Event", "Waiting", "run", "scores"]

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any

from .. import sweep
from ..errors import UserError
from ..experiment.job import Job, validate
from ..store.run import Run
from ..store.study import Study
from ..sweep import FINAL, Backend, Plan, planned
from .search import Search, Told

if TYPE_CHECKING:
    from .trials import Asked, Trials

PATIENCE_S = 2.0
"""How often trials are looked at that other processes work on."""

EVERY = 5
"""A trial may be stopped after each so many percent of its training."""


@dataclass(frozen=True)
class Begun:
    """Trials are being done."""

    trials: int
    networks: int


@dataclass(frozen=True)
class Waiting:
    """All that is left is being done by other processes."""

    trials: int


Event = Begun | Waiting | Told | sweep.Event


def run(
    search: Search,
    trials: "Trials",
    build: Callable[[Plan], Backend],
    workers: int | None = None,
) -> Generator[Event, None, None]:
    """Does the trials of a search until there are as many as asked for.

    Arguments:
        build: Builds the backend of a plan.
        workers: The number of units done at once, where a cluster does them.
    """

    kept = _Kept(build)
    try:
        while True:
            taken = trials.take()
            if taken:
                round_ = _Round(search, trials)
                yield from round_.run(taken, kept, workers)
                if round_.open:  # sweep.fail_fast
                    return
                if search.first.config["sweep"]["fail_fast"]:  # units may be at work still
                    kept.end()
            elif others := trials.elsewhere:
                yield Waiting(others)
                time.sleep(PATIENCE_S)
            else:
                return
    finally:
        kept.end()


class _Kept:
    """A backend that its plans do not close, for a process needs seconds to get going."""

    def __init__(self, build: Callable[[Plan], Backend]) -> None:
        self._build = build
        self._backend: Any = None
        self._fits: tuple[Any, ...] = ()

    def lend(self, plan: Plan) -> Any:
        """Lends the backend of the plan before, if it fits this plan; else a new one."""

        fits = (plan.workers, plan.threads, plan.devices)
        if self._backend is None or fits != self._fits:
            self.end()
            self._backend, self._fits = self._build(plan), fits

        return self

    def end(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def close(self) -> None:
        """Does nothing: this is the end of a plan."""


class _Round:
    """Trials that are done together."""

    def __init__(self, search: Search, trials: "Trials") -> None:
        self.search, self.trials = search, trials
        self.open: dict[Asked, Job] = {}
        self.ended: dict[str, str | None] = {}  # the reason, None of what was completed

    def run(self, taken: "Sequence[Asked]", kept: _Kept, workers: int | None) -> Iterator[Event]:
        """Does what is not known already of trials."""

        for asked in taken:
            try:
                (self.open[asked],) = self.search.jobs(asked.overrides)
            except UserError as error:
                yield self.trials.tell(asked, reason=f"refused: {error}")
        yield from self._known()
        try:
            plan = planned(self.open.values(), workers) if self.open else None
        except UserError:
            yield from self._refused()
            plan = planned(self.open.values(), workers) if self.open else None
        if plan is None:
            return

        yield Begun(len(self.open), plan.todo)
        with closing(sweep.run(plan.units, kept.lend(plan), plan.settings)) as events:
            for event in events:
                if isinstance(event, sweep.Ended):
                    self.ended[event.run.state["identity"]] = event.reason
                    yield from self._settled()
                else:
                    if isinstance(event, sweep.Beat) and self.search.settings.prune != "none":
                        self._stop()
                    yield event
        yield from self._known()  # another process may have done some while the plan was made

    def _known(self) -> Iterator[Told]:
        """Tells the trials whose runs have come to their end before."""

        final = FINAL if self.search.settings.prune != "none" else ("diverged",)
        study = Study.of(self.search.folder)
        for job in self.open.values():
            for identity in job.identities.values():
                found = study.find(identity)
                state = found.state if found else {}
                if job.done(found):
                    self.ended[identity] = None
                elif state.get("state") == "failed" and str(state.get("reason")).startswith(final):
                    self.ended[identity] = str(state["reason"])
        yield from self._settled()

    def _refused(self) -> Iterator[Told]:
        """Tells trials whose values do not go together, which only building them shows."""

        for asked, job in list(self.open.items()):
            try:
                validate([job])
            except UserError as error:
                del self.open[asked]
                yield self.trials.tell(asked, reason=f"refused: {error}")

    def _settled(self) -> Iterator[Told]:
        """Tells the trials all of whose runs have come to their end, or one of them for good."""

        for asked, job in list(self.open.items()):
            known = [self.ended[i] for i in job.identities.values() if i in self.ended]
            reasons = [reason for reason in known if reason is not None]
            final = [reason for reason in reasons if reason.startswith(FINAL)]
            if len(known) < len(job.identities) and not final:
                continue
            del self.open[asked]
            if final:
                yield self.trials.tell(asked, reason=final[0])
            elif reasons:
                yield self.trials.tell(asked, reason=reasons[0], failed=True)
            else:
                value = fmean(self.search.settings.of_run(run.summary) for run in _runs(job))
                if isfinite(value):
                    yield self.trials.tell(asked, value)
                else:
                    yield self.trials.tell(asked, reason=f"diverged: its value is {value}")

    def _stop(self) -> None:
        """Asks those trials to stop which are worse on their way than others were."""

        metric = self.search.settings.of_run
        for asked, job in self.open.items():
            found = _runs(job)
            if len(found) < len(job.identities):
                continue
            each = [scores(r.rows, r.state.get("steps", 0), metric) for r in found]
            common = set.intersection(*map(set, each))
            mean = {percent: fmean(own[percent] for own in each) for percent in common}
            if mean and self.trials.stops(asked, mean):
                reason = f"pruned: behind other trials after {max(mean)} % of its training"
                for run in found:
                    run.ask_to_stop(reason)


def scores(
    rows: Sequence[Mapping[str, Any]], steps: int, metric: Callable[[Mapping[str, Any]], float]
) -> dict[int, float]:
    """Returns what rows say of a metric after 5, 10, … percent of a training.

    Trainings are compared by their share, for one of other batches makes other numbers of updates.

    Arguments:
        steps: The number of updates of the whole training.
    """

    found = {}
    last = rows[-1]["step"] if rows else 0
    for percent in range(EVERY, 100, EVERY):
        if 100 * last < percent * steps:
            break
        before = [row for row in rows if 0 < 100 * row["step"] <= percent * steps]
        if before:
            found[percent] = metric(before[-1])

    return found


def _runs(job: Job) -> list[Run]:
    """Returns the runs of a job that there are."""

    study = Study.of(job.settings.study)

    return [run for identity in job.identities.values() if (run := study.find(identity))]
