"""Units: runs of jobs that are trained together, and sent to a process at once.

A unit is all that a process, here or on another machine, needs to know. What becomes of its runs
stands in their folders, and nowhere else.
"""

__all__ = ["Outcome", "Unit", "attempted", "bundles", "halves", "perform", "runs_of"]

import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from .. import processes
from ..errors import UserError, failure, one_line
from ..experiment.job import Job
from ..experiment.run import execute
from ..store.study import Study
from .pace import Pace


@dataclass(frozen=True, eq=False)
class Unit:
    """Jobs of one structure, each with those of its runs that are still to be done.

    Arguments:
        fresh: Whether its process is to do nothing else.
        died: Whether a process that did it has died.
    """

    jobs: tuple[Job, ...]
    pace: Pace
    fresh: bool = False
    died: bool = False

    @property
    def networks(self) -> int:
        """The number of its runs."""

        return _networks(self.jobs)

    @property
    def training_s(self) -> float:
        """What training them should take, in seconds; 0 if that was not measured."""

        return self.networks * self.pace.training_s


@dataclass(frozen=True)
class Outcome:
    """How a unit was left; what became of its runs stands in their folders.

    Arguments:
        reason: Why it was not gone through, in one line; None if it was.
        details: All that is known of the reason: a traceback, or the last lines printed.
        final: Whether another attempt would end in the same way.
        died: Whether its process died, which need not be its fault.
    """

    reason: str | None = None
    details: str = ""
    final: bool = False
    died: bool = False


def bundles(
    jobs: Iterable[Job], paces: Mapping[str, Pace], workers: int, fresh: bool = False
) -> list[Unit]:
    """Cuts jobs into units, the longest first.

    Runs of one structure go together: as many as its pace says, but fewer where a worker would be
    left without work. Those that were begun together stay so, for their last bits.
    """

    # One run may be in two studies, or be asked for with two sets of probes: not in one unit.
    kinds: dict[tuple[str, ...], list[Job]] = {}
    begun: dict[tuple[str, ...], list[Job]] = {}
    for job, mates in _with_mates(jobs):
        kind = (job.structure, str(job.settings.study), *job.probes.values())
        parts = begun if mates else kinds
        parts.setdefault((*kind, *mates), []).append(job)
    costs = {k: _networks(g) * (paces[k[0]].training_s or 1.0) for k, g in kinds.items()}

    units = []
    for kind, group in kinds.items():
        shares = max(1, round(workers * costs[kind] / sum(costs.values())))
        pace = paces[kind[0]]
        most = min(pace.most, -(-_networks(group) // shares))
        units += [Unit(tuple(part), pace, fresh) for part in _parts(group, most)]
    units += [Unit(tuple(group), paces[kind[0]], fresh) for kind, group in begun.items()]

    return sorted(units, key=lambda unit: unit.training_s, reverse=True)


def _with_mates(jobs: Iterable[Job]) -> Iterator[tuple[Job, tuple[str, ...]]]:
    """Yields jobs, each with the identities of the runs that its own were begun with, if any."""

    studies: dict[Path, Study] = {}
    for job in jobs:
        folder = job.settings.study
        study = studies.get(folder) or studies.setdefault(folder, Study.of(folder))
        own: dict[tuple[str, ...], dict[int, str]] = {}
        for seed, identity in job.identities.items():
            run = None if job.settings.force else study.find(identity)
            own.setdefault(tuple(run.mates if run else ()), {})[seed] = identity
        for mates, identities in own.items():
            yield replace(job, identities=identities), mates


def halves(unit: Unit) -> list[Unit]:
    """Returns a unit in two; as it is, if it has one run only."""

    parts = _parts(unit.jobs, -(-unit.networks // 2))

    return [replace(unit, jobs=tuple(part)) for part in parts]


def attempted(unit: Unit) -> Outcome:
    """Does the runs of a unit, and says why it was left if it was; only Ctrl-C goes on."""

    try:
        perform(unit)
    except SystemExit as error:
        if processes.leaving():  # its exit code is a word to the queue
            raise
        return Outcome(one_line(error), traceback.format_exc())
    except UserError as error:
        return Outcome(str(error))
    except Exception as error:
        return Outcome(failure(error), traceback.format_exc())

    return Outcome()


def runs_of(units: Iterable[Unit]) -> Iterator[tuple[Job, int]]:
    """Yields each run of units: its job, and its seed."""

    for unit in units:
        for job in unit.jobs:
            for seed in job.identities:
                yield job, seed


def perform(unit: Unit) -> None:
    """Does the runs of a unit, in this process."""

    settings = [replace(job.settings, compile=unit.pace.compile) for job in unit.jobs]
    jobs = [replace(job, settings=each) for job, each in zip(unit.jobs, settings, strict=True)]
    with closing(execute(jobs, unit.pace.most)) as events:  # whatever ends it, runs are left whole
        for _ in events:
            pass


def _networks(jobs: Sequence[Job]) -> int:
    return sum(len(job.identities) for job in jobs)


def _parts(jobs: Sequence[Job], most: int) -> list[list[Job]]:
    """Splits jobs into parts of at most so many runs; a job of many seeds may be split too."""

    parts: list[list[Job]] = [[]]
    free = most
    for job in jobs:
        left = list(job.identities.items())
        while left:
            if not free:
                parts.append([])
                free = most
            taken, left = left[:free], left[free:]
            free -= len(taken)
            parts[-1].append(replace(job, identities=dict(taken)))

    return parts
