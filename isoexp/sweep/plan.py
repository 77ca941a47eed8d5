"""The plan of a sweep: its jobs, checked, and bundled into units.

Nothing has started when there is a plan, and nothing in it is left that could not start.
"""

__all__ = ["Plan", "as_asked", "labelled", "plan", "planned"]

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from ..config.axes import SweepSettings
from ..config.compose import compose, expand
from ..config.overrides import names_probe
from ..experiment.job import Job, prepare_all, refuse_idle, undone, validate
from ..processes import cores
from ..store.identity import parts
from .backends.worker import context
from .pace import Pace, measure
from .unit import Unit, bundles

MEASURED = 16
"""So many structures of few networks are measured; others are taken for alike."""

FEW = 4
"""Fewer networks than these gain little from being trained as one."""

MEASURING_S = 30.0
"""So long structures are measured, beginning with those that have the most networks."""


@dataclass(frozen=True)
class Plan:
    """The jobs of a sweep, and the units of those that are left to do.

    Arguments:
        units: The units, in the order in which they are begun.
        workers: The number of units that are done at once.
        threads: The threads of each worker: one, as of a run by itself, or its last bits would be
            others; a share of the cores beside a device.
        devices: The CUDA devices that workers share.
        idle: Overrides by which jobs are no other than those of the plan, since their networks
            have no part of them.
        flaws: What is of no use in networks to be trained, by construction.
    """

    jobs: list[Job]
    units: list[Unit]
    workers: int
    threads: int
    devices: tuple[str, ...]
    settings: SweepSettings
    idle: tuple[str, ...] = ()
    flaws: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        """The number of runs."""

        return sum(len(job.identities) for job in self.jobs)

    @property
    def todo(self) -> int:
        """The number of those that are to be done."""

        return sum(unit.networks for unit in self.units)

    @property
    def training_s(self) -> float:
        """What all training should take, in seconds; 0 if that was not measured."""

        whole = sum(unit.training_s for unit in self.units) / self.workers

        return max([whole, *(unit.training_s for unit in self.units)])


def plan(
    overrides: Sequence[str], folders: Sequence[Path] = (), workers: int | None = None
) -> Plan:
    """Plans a sweep; imports no torch where all is done.

    Arguments:
        workers: The number of units done at once, where a cluster does them.

    Raises:
        UserError: If any job is impossible; none has started then.
    """

    jobs = prepare_all(expand(overrides, folders))
    refuse_idle(jobs)

    return planned(jobs, workers)


def planned(every: Iterable[Job], workers: int | None = None) -> Plan:
    """Returns the plan of jobs, at least one, as `plan`."""

    found: dict[Any, Job] = {}  # what two jobs would both compute is planned once
    idle = []
    for job in map(as_asked, every):
        what = (job.settings.study, *job.identities.values(), *job.probes.items())
        if found.setdefault(what, job) is not job:
            idle += job.idle
    jobs = list(found.values())
    jobs = jobs if any(job.shared for job in jobs) else labelled(jobs)

    left = zip(jobs, undone(jobs), strict=True)
    todo = [replace(job, identities=identities) for job, identities in left if identities]
    settings = SweepSettings.of(jobs[0].config["sweep"])
    if not todo:
        return Plan(jobs, [], 1, 1, (), settings, tuple(idle))

    if not workers:
        context()  # what workers are forked from imports torch while this process does
    flaws = validate(todo)
    devices = () if workers else _devices(todo[0].settings.device)
    workers = settings.workers or workers or len(devices) or cores()
    units = bundles(todo, _paces(todo, workers, settings.batch), workers, settings.fresh)

    threads = max(1, cores() // workers) if devices else 1

    return Plan(
        jobs, units, min(workers, len(units)), threads, devices, settings, tuple(idle), tuple(flaws)
    )


def labelled(jobs: Sequence[Job]) -> list[Job]:
    """Returns jobs whose folders are named by what varies in their study."""

    shared: dict[Path, frozenset[str]] = {}
    for job in jobs:
        own = frozenset(parts(job.choices, job.overrides))
        shared[job.settings.study] = shared.get(job.settings.study, own) & own

    return [replace(job, shared=shared[job.settings.study]) for job in jobs]


def as_asked(job: Job) -> Job:
    """Returns a job that draws no figures and puts no probes, unless it was asked to.

    Both take longer than training small networks as one, and can be had afterwards.
    """

    settings = replace(job.settings, figures=bool(job.settings.figures))
    if any(map(names_probe, job.overrides)) or job.config["probe"] != _usual():
        return replace(job, settings=settings)

    return replace(job, settings=settings, config={**job.config, "probe": {}}, probes={})


@cache
def _usual() -> Any:
    return compose([]).config["probe"]


def _paces(jobs: Sequence[Job], workers: int, most: int | None) -> Mapping[str, Pace]:
    kinds: dict[str, list[Job]] = {}
    for job in jobs:
        kinds.setdefault(job.structure, []).append(job)
    counts = {k: sum(len(job.identities) for job in group) for k, group in kinds.items()}
    order = sorted(kinds, key=counts.__getitem__, reverse=True)

    paces: dict[str, Pace] = {}
    began = time.monotonic()
    for kind in order:
        few = counts[kind] < FEW and len(paces) >= MEASURED
        if not few and (not paces or time.monotonic() - began < MEASURING_S):
            paces[kind] = measure(kinds[kind][0].lab(), counts[kind], workers, most)

    return {kind: paces.get(kind) or _alike(kinds, kind, paces) for kind in kinds}


def _alike(kinds: Mapping[str, Sequence[Job]], kind: str, paces: Mapping[str, Pace]) -> Pace:
    """Guesses a pace that was not measured: the slowest of the same model and data."""

    def chosen(kind: str) -> tuple[str | None, ...]:
        choices = kinds[kind][0].choices
        return choices.get("model"), choices.get("data")

    near = [pace for each, pace in paces.items() if chosen(each) == chosen(kind)]
    near = near or list(paces.values())

    return Pace(
        min(pace.most for pace in near),
        all(pace.compile for pace in near),
        fmean(pace.training_s for pace in near),
    )


def _devices(name: str) -> tuple[str, ...]:
    from ..devices import cuda_devices

    return cuda_devices(name)
