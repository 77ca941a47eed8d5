"""isoexp train -m: a plan, then a live table on a terminal or a line for each run in a pipe."""

__all__ = ["CLUSTER", "backend_of", "carry_out", "say_plan", "sweep"]

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ..config.overrides import names_probe
from ..experiment.job import completed
from ..experiment.run import terminable
from ..store.run import Run
from ..store.study import Study
from ..sweep import (
    Backend,
    Launcher,
    Plan,
    Workers,
    chosen_launcher,
    launch,
    of_hydra,
    plan,
    run,
    wants_hydra,
)
from .progress import SweepProgress, conclude, duration

CLUSTER = 8
"""Units that a cluster is taken to do at once, unless sweep.workers says how many."""


def sweep(overrides: Sequence[str], folders: Sequence[Path], dry_run: bool) -> int:
    """Runs a sweep; returns the exit code: 0, or 1 if a run failed."""

    if wants_hydra(overrides, folders):
        failures = launch(overrides, folders)
        for failure in failures:
            print(f"failed: {failure}", file=sys.stderr)
        return 1 if failures else 0

    launcher = chosen_launcher(overrides, folders)
    own = [text for text in overrides if not of_hydra(text)]
    found = plan(own, folders, CLUSTER if launcher else None)
    say_plan(found, launcher)
    if not any(job.probes for job in found.jobs) and not any(map(names_probe, own)):
        study = found.jobs[0].settings.study
        print(f"no probes: name some (probe=[alignment]), or put them later: isoexp probe {study}")
    if dry_run:
        return 0

    left = carry_out(found, launcher)
    conclude(_completed(found))
    if left:
        print(f"\n{left} of {found.runs} runs not completed; the same command goes on with them")

    return 1 if left else 0


def carry_out(plan: Plan, launcher: Launcher | None = None, each: bool = True) -> int:
    """Does what is to be done of a plan and shows it; returns how many runs are left.

    Arguments:
        plan: The plan.
        launcher: Sends units elsewhere; unless given, processes of this machine do them.
        each: Whether to say of each run that it is completed, where there is no live table; else
            now and then how many are.
    """

    if not plan.units:
        return 0

    out = Path(plan.jobs[0].settings.out).expanduser()
    backend = backend_of(plan, launcher, out)
    progress = SweepProgress(plan, each)
    events = run(plan.units, backend, plan.settings)
    with terminable(), closing(events), closing(progress):
        for event in events:
            progress.show(event)

    return plan.todo - len(progress.done)


def backend_of(plan: Plan, launcher: Launcher | None, out: Path) -> Backend:
    """Builds the backend of a plan: of a launcher, or processes of this machine."""

    if launcher is not None:
        return launcher.backend(out)

    return Workers(plan.workers, plan.threads, plan.devices)


def say_plan(plan: Plan, launcher: Launcher | None) -> None:
    """Prints how many runs there are, and how those that are to be done will be."""

    before = plan.runs - plan.todo
    print(f"{len(plan.jobs)} jobs, {plan.runs} runs, {before} done before", flush=True)
    if not plan.units:
        return

    sizes = [unit.networks for unit in plan.units]
    alone = sizes.count(1)
    parts = [f"{alone} alone"] if alone else []
    batches = [size for size in sizes if size > 1]
    if batches:
        least, most = min(batches), max(batches)
        of = str(most) if least == most else f"{least} to {most}"
        compiled = " (compiled)" if any(unit.pace.compile for unit in plan.units) else ""
        parts.append(f"{len(batches)} × {of} networks as one{compiled}")
    where = f"by {launcher.name}" if launcher else f"by {plan.workers} workers"
    time_s = f"; training takes {duration(plan.training_s)}" if plan.training_s else ""
    print(f"to be trained: {', '.join(parts)}, {where}{time_s}", flush=True)


def _completed(plan: Plan) -> list[Run]:
    """Returns the runs that are completed, in the order of the jobs."""

    studies = {job.settings.study: Study.of(job.settings.study) for job in plan.jobs[:1]}
    found: dict[Path, Run] = {}
    for job in plan.jobs:
        folder = job.settings.study
        study = studies.get(folder) or studies.setdefault(folder, Study.of(folder))
        for key in job.identities.values():
            run = study.find(key)
            if run is not None and completed(run):
                found.setdefault(run.folder, run)

    return list(found.values())
