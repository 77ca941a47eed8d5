"""Planning: the words of a sweep become jobs, checked, and bundled into units.

Nothing has started when there is a plan, and nothing in it is left that could not start.
"""

__all__ = ["Plan", "as_asked", "plan", "planned"]

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from ..experiment.composition import compose, expand
from ..experiment.preparation import Prepared, prepare_all, undone
from ..experiment.sweeping import Sweeping
from ..experiment.validation import validate
from .pace import Pace, measure
from .serving import context
from .units import Unit, bundles

MEASURED = 16
"""So many structures of few networks are measured; others are taken for alike."""

FEW = 4
"""Fewer networks than these gain little from being trained as one."""

MEASURING_S = 30.0
"""So long structures are measured, beginning with those that have the most networks."""


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Arguments:
        jobs: All jobs.
        units: What is to be done of them, in the order in which it is begun.
        workers: The number of units that are done at once.
        threads: The threads of each worker: one, as of a run by itself, or its last bits would be
            others; a share of the cores beside a device.
        devices: The CUDA devices that workers share.
        sweeping: The settings of the sweep.
    """

    jobs: list[Prepared]
    units: list[Unit]
    workers: int
    threads: int
    devices: tuple[str, ...]
    sweeping: Sweeping

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


def plan(words: Sequence[str], folders: Sequence[Path] = (), workers: int | None = None) -> Plan:
    """Returns the plan of a sweep; imports no torch where all is done.

    Arguments:
        words: The words of the command line.
        folders: Folders of the user's own choices.
        workers: The number of units done at once, where a cluster does them.

    Raises:
        UserError: If any job cannot be; none has started then.
    """

    return planned(prepare_all(expand(words, folders)), workers)


def planned(every: Iterable[Prepared], workers: int | None = None) -> Plan:
    """Returns the plan of jobs, at least one, as `plan`."""

    found: dict[Any, Prepared] = {}  # what two jobs would both compute is planned once
    for job in map(as_asked, every):
        what = (job.settings.study, *job.identities.values(), *job.probes.items())
        found.setdefault(what, job)
    jobs = list(found.values())

    left = zip(jobs, undone(jobs), strict=True)
    todo = [replace(job, identities=identities) for job, identities in left if identities]
    sweeping = Sweeping.of(jobs[0].job.config["sweep"])
    if not todo:
        return Plan(jobs, [], 1, 1, (), sweeping)

    if not workers:
        context()  # what workers are forked from imports torch while this process does
    validate(todo)
    devices = () if workers else _devices(todo[0].settings.device)
    workers = sweeping.workers or workers or len(devices) or _cores()
    units = bundles(todo, _paces(todo, workers, sweeping.batch), workers, sweeping.fresh)

    threads = max(1, _cores() // workers) if devices else 1

    return Plan(jobs, units, min(workers, len(units)), threads, devices, sweeping)


def as_asked(job: Prepared) -> Prepared:
    """Returns a job that draws no figures and puts no probes, unless it was asked to.

    Both take longer than training small networks as one, and can be had afterwards.
    """

    settings = replace(job.settings, figures=bool(job.settings.figures))
    words = [word.lstrip("+~") for word in job.job.words]
    if any(word.startswith("probe") for word in words) or job.job.config["probe"] != _usual():
        return replace(job, settings=settings)
    config = {**job.job.config, "probe": {}}

    return replace(job, settings=settings, job=replace(job.job, config=config), probes={})


@cache
def _usual() -> Any:
    """Returns the probes of a run by itself."""

    return compose([]).config["probe"]


def _paces(jobs: Sequence[Prepared], workers: int, most: int | None) -> Mapping[str, Pace]:
    """Returns the pace of each structure."""

    kinds: dict[str, list[Prepared]] = {}
    for job in jobs:
        kinds.setdefault(job.structure, []).append(job)
    counts = {k: sum(len(job.identities) for job in group) for k, group in kinds.items()}
    order = sorted(kinds, key=counts.__getitem__, reverse=True)

    paces: dict[str, Pace] = {}
    began = time.monotonic()
    for kind in order:
        few = counts[kind] < FEW and len(paces) >= MEASURED
        if not few and (not paces or time.monotonic() - began < MEASURING_S):
            paces[kind] = measure(kinds[kind][0].bench(), counts[kind], workers, most)

    return {kind: paces.get(kind) or _alike(kinds, kind, paces) for kind in kinds}


def _alike(kinds: Mapping[str, Sequence[Prepared]], kind: str, paces: Mapping[str, Pace]) -> Pace:
    """Returns what is taken for the pace of a structure: the slowest of models on the same data."""

    def chosen(kind: str) -> tuple[str | None, ...]:
        choices = kinds[kind][0].job.choices
        return choices.get("model"), choices.get("data")

    near = [pace for each, pace in paces.items() if chosen(each) == chosen(kind)]
    near = near or list(paces.values())

    return Pace(
        min(pace.most for pace in near),
        all(pace.compile for pace in near),
        fmean(pace.training_s for pace in near),
    )


def _devices(device: str) -> tuple[str, ...]:
    """Returns the CUDA devices that are there, by what CUDA_VISIBLE_DEVICES calls them."""

    import torch

    if device not in ("auto", "cuda"):
        return ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()

    return tuple(visible.split(",")[:count]) if visible else tuple(map(str, range(count)))


def _cores() -> int:
    """Returns the number of cores that this process may use."""

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
