"""isoexp train -m: a plan, then a live table on a terminal or a line for each run in a pipe."""

__all__ = ["CLUSTER", "SweepProgress", "backend_of", "carry_out", "sweep"]

import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ..config.overrides import names_probe, refuse_folders
from ..errors import UserError
from ..experiment.job import completed
from ..experiment.run import damages, terminable
from ..output import plural, say
from ..paths import path_of
from ..store.run import Run
from ..store.study import Study
from ..sweep import Backend, Launcher, Plan, Unit, Workers, events, launch, plan, run
from ..sweep.backends.launcher import chosen_launcher, of_hydra, wants_hydra
from .progress import OTHER, Display
from .table import conclude, duration

CLUSTER = 8
"""Units that a cluster is taken to do at once, unless sweep.workers says how many."""

LISTED = 40
"""The runs that a dry run lists, at most."""

PARTS = 20
"""How often a sweep says how many runs are completed, where it does not say it of each."""


class SweepProgress(Display):
    """Follows a sweep.

    Arguments:
        each: Whether to say of each run that it is completed.
    """

    def __init__(self, plan: Plan, each: bool = True) -> None:
        super().__init__()

        self.todo, self.each = plan.todo, each

        overrides = [set(job.overrides) for unit in plan.units for job in unit.jobs]
        self._shared = set.intersection(*overrides) if len(overrides) > 1 else set()
        self._draws = any(job.settings.figures for job in plan.jobs)
        self._began = time.monotonic()
        self._working: dict[Unit, tuple[int, int]] = {}
        self._elsewhere = 0

    def show(self, event: events.Event) -> None:
        match event:
            case events.Sent(unit):
                self._working[unit] = (0, 0)
            case events.Beat(units):
                self._working = dict(units)
            case events.Ended(run, None):
                self.done.append(run)
                for path in run.folder.glob("probes/*.figure-error.txt") if self._draws else ():
                    name = path.name.partition(".")[0]
                    self.noted[f"without the figure of {name}: isoexp figures says why"] += 1
                if not self.is_live and self.each:
                    self.say(f"completed: {run.folder}")
                elif not self.is_live and len(self.done) * PARTS % self.todo < PARTS:
                    self.say(f"completed{self._time_left()}")
            case events.Ended(run, reason):
                self.fail(run, str(reason))
            case events.Resumed(_, changes):
                self.noted[f"{OTHER}: {changes}"] += 1
            case events.Retried(networks, reason):
                self.say(f"trying {plural(networks, 'run')} again: {reason}")
            case events.Left(networks) if networks != self._elsewhere:
                self._elsewhere = networks
                self.say(f"waiting for {plural(networks, 'run')} that another process does")

        going = sum(unit.networks for unit in self._working)
        waiting = max(0, self.todo - self._ended - going)
        counts = f"{len(self.done)} done, {len(self.failed)} failed, {going} going"
        bars = [(self._name(unit), *far) for unit, far in self._working.items()]
        self.draw(bars, f"{counts}, {waiting} waiting{self._time_left()}")

    def say(self, line: str, stream: Any = None) -> None:
        super().say(f"[{self._ended}/{self.todo}] {line}", stream)

    @property
    def _ended(self) -> int:
        return len(self.done) + len(self.failed)

    def _name(self, unit: Unit) -> str:
        """Returns the overrides that tell a unit from others."""

        job = unit.jobs[0]
        own = " ".join(text for text in job.overrides if text not in self._shared)
        more = f" and {unit.networks - 1} more" if unit.networks > 1 else ""

        return (own or job.settings.name) + more

    def _time_left(self) -> str:
        """Says how long the rest takes at the pace so far."""

        share: float = self._ended
        share += sum(u.networks * made / of for u, (made, of) in self._working.items() if of)
        passed_s = time.monotonic() - self._began
        if not share or passed_s < 2:
            return ""

        return f"; {duration(passed_s * (self.todo - share) / share)} left"


def sweep(overrides: Sequence[str], folders: Sequence[Path], dry_run: bool) -> int:
    """Runs a sweep; returns the exit code: 0, or 1 if a run failed."""

    if wants_hydra(overrides, folders):
        if dry_run:
            raise UserError(
                "--dry-run shows a plan, and a launcher of Hydra's has none: leave it out"
            )
        failures = launch(overrides, folders)
        for failure in failures:
            say(f"failed: {failure}", sys.stderr)
        return 1 if failures else 0

    refuse_folders(overrides)
    launcher = chosen_launcher(overrides, folders)
    own = [text for text in overrides if not of_hydra(text)]
    found = plan(own, folders, CLUSTER if launcher else None)
    if not any(job.probes for job in found.jobs) and not any(map(names_probe, own)):
        study = found.jobs[0].settings.study
        say(f"no probes: name some (probe=[alignment]), or put them later: isoexp probe {study}")
    left = carry_out(found, launcher, dry_run)
    if dry_run:
        return 0

    conclude(_completed(found))
    if left:
        runs = plural(found.runs, "run")
        say(f"\n{left} of {runs} not completed; the same command goes on with them")

    return 1 if left else 0


def carry_out(plan: Plan, launcher: Launcher | None, dry_run: bool, each: bool = True) -> int:
    """Prints a plan, and does it unless it is a dry run; returns how many runs are left then.

    Arguments:
        launcher: Sends units elsewhere; without, processes of this machine do them.
        each: Whether to say in a pipe of each run that it is completed, not now and then how many.
    """

    _say_plan(plan, launcher)
    if dry_run:
        _list(plan)
    if dry_run or not plan.units:
        return 0

    for folder in dict.fromkeys(job.settings.study for job in plan.jobs):
        folder.mkdir(parents=True, exist_ok=True)  # what cannot be written is found out now
    progress = SweepProgress(plan, each)
    with terminable():
        progress.follow(run(plan.units, backend_of(plan, launcher), plan.settings))

    return plan.todo - len(progress.done)


def backend_of(plan: Plan, launcher: Launcher | None) -> Backend:
    """Builds the backend of a plan: of a launcher, or processes of this machine."""

    if launcher is not None:
        return launcher.backend(path_of(plan.jobs[0].settings.out))

    return Workers(plan.workers, plan.threads, plan.devices)


def _say_plan(plan: Plan, launcher: Launcher | None) -> None:
    """Prints how many runs there are, and how those that are to be done will be."""

    for found in damages([job for unit in plan.units for job in unit.jobs]):
        damaged = f"damaged: {found.run.folder}: {found.reason}: it is made again"
        say(damaged, sys.stderr)
    before = plan.runs - plan.todo
    jobs, runs = plural(len(plan.jobs), "job"), plural(plan.runs, "run")
    say(f"{jobs}, {runs}, {before} done before")
    if plan.idle:
        texts = ", ".join(dict.fromkeys(plan.idle))
        say(f"done once, for their models have no part of it: {texts}")
    for flaw in plan.flaws:
        say(f"warning: {flaw}", sys.stderr)
    if not plan.units:
        return

    batches = [unit.networks for unit in plan.units if unit.networks > 1]
    alone = len(plan.units) - len(batches)
    parts = [f"{alone} alone"] if alone else []
    if batches:
        of = " to ".join(map(str, sorted({min(batches), max(batches)})))
        compiled = " (compiled)" if any(unit.pace.compile for unit in plan.units) else ""
        parts.append(f"{len(batches)} × {of} networks as one{compiled}")
    where = f"by {launcher.name}" if launcher else f"by {plural(plan.workers, 'worker')}"
    time_s = f"; training takes {duration(plan.training_s)}" if plan.training_s else ""
    say(f"to be trained: {', '.join(parts)}, {where}{time_s}")


def _list(plan: Plan) -> None:
    """Prints the names of the runs of a plan, and which are done."""

    todo = {i for unit in plan.units for job in unit.jobs for i in job.identities.values()}
    runs = (
        (f"{job.settings.name}/{job.label(seed)}-{identity[:8]}", identity in todo)
        for job in plan.jobs
        for seed, identity in job.identities.items()
    )
    for name, pending in islice(runs, LISTED):
        say(f"  {'pending' if pending else 'done':<7}  {name}")
    if plan.runs > LISTED:
        say(f"  … and {plan.runs - LISTED} more")


def _completed(plan: Plan) -> list[Run]:
    """Returns the runs that are completed, in the order of the jobs."""

    studies = {folder: Study.of(folder) for folder in {job.settings.study for job in plan.jobs}}
    runs = (studies[j.settings.study].find(i) for j in plan.jobs for i in j.identities.values())

    return list({run.folder: run for run in runs if run and completed(run)}.values())
