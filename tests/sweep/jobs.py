"""Small jobs for sweeps, and what stands in for training them."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from isoexp.experiment.job import Job, prepare_all
from isoexp.store.identity import label
from isoexp.store.lock import acquire
from isoexp.store.run import Run
from isoexp.store.study import remember
from isoexp.sweep import Unit
from isoexp.sweep.pace import Pace

from ..experiment.runs import TINY, composed

WORDS = (*TINY, "epochs=1", "probe=none")


@cache
def _prepared(count: int, words: tuple[str, ...]) -> list[Job]:
    return prepare_all(composed((*WORDS, *words, f"seed={seed}")) for seed in range(count))


def jobs(out: Path, count: int, *words: str) -> list[Job]:
    """Returns jobs of one run each, of the first seeds."""

    return [
        replace(job, settings=replace(job.settings, out=str(out)))
        for job in _prepared(count, words)
    ]


def unit(out: Path, count: int, *words: str) -> Unit:
    """Returns a unit of so many jobs."""

    return Unit(tuple(jobs(out, count, *words)), Pace(count))


def seeds(unit: Unit) -> list[int]:
    """Returns the seeds of the runs of a unit."""

    return [seed for job in unit.jobs for seed in job.identities]


def written(job: Job, seed: int, state: str, **facts: object) -> Run:
    """Returns a run as a process leaves it that has done it."""

    name = label(job.choices, job.overrides, seed)
    with acquire(job.settings.study, name, job.identities[seed]) as run:
        run.write_state(state, **facts)
    remember(job.settings.study, job.network, job.held)

    return run
