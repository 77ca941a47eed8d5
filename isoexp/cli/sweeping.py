"""isoexp train -m: a plan, then a live table on a terminal or a line for each run in a pipe."""

__all__ = ["CLUSTER", "carry_out", "say_plan", "sweep"]

import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ..experiment.execution import terminable
from ..store.run import Run
from ..store.study import Study
from ..sweep import (
    Beat,
    Ended,
    Event,
    Left,
    Plan,
    Retried,
    Sent,
    Unit,
    Workers,
    hands,
    launch,
    launcher,
    of_hydra,
    plan,
    run,
    wants_hydra,
)
from .console import Console

CLUSTER = 8
"""Units that a cluster is taken to do at once, unless sweep.workers says how many."""


def sweep(words: Sequence[str], folders: Sequence[Path], dry_run: bool) -> int:
    """Runs a sweep; returns the exit code: 0, or 1 if a run failed."""

    if wants_hydra(words, folders):
        failures = launch(words, folders)
        for failure in failures:
            print(f"failed: {failure}", file=sys.stderr)
        return 1 if failures else 0

    cluster = launcher(words, folders)
    own = [word for word in words if not of_hydra(word)]
    found = plan(own, folders, CLUSTER if cluster else None)
    say_plan(found, cluster[0] if cluster else None)
    if not any(job.probes for job in found.jobs) and not any("probe" in word for word in own):
        study = found.jobs[0].settings.study
        print(f"no probes: name some (probe=[alignment]), or put them later: isoexp probe {study}")
    if dry_run:
        return 0

    left = carry_out(found, cluster)

    whole = Console()
    whole.done = _completed(found)
    whole.conclude()
    if left:
        print(f"\n{left} of {found.runs} runs not completed; the same command goes on with them")

    return 1 if left else 0


def carry_out(
    plan: Plan, cluster: tuple[str, dict[str, Any]] | None = None, each: bool = True
) -> int:
    """Does what is to be done of a plan and shows it; returns how many runs are left.

    Arguments:
        plan: The plan.
        cluster: What sends units elsewhere, as `isoexp.sweep.launcher` returned it.
        each: Whether to say of each run that it is completed, where there is no live table; else
            now and then how many are.
    """

    if not plan.units:
        return 0

    out = Path(plan.jobs[0].settings.out).expanduser()
    does = hands(*cluster, out) if cluster else Workers(plan.workers, plan.threads, plan.devices)
    console = _Console(plan, each)
    with terminable(), closing(run(plan.units, does, plan.sweeping)) as events:
        try:
            for event in events:
                console.show(event)
        finally:
            console.close()

    return plan.todo - len(console.done)


def say_plan(plan: Plan, cluster: str | None) -> None:
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
    where = f"by {cluster}" if cluster else f"by {plan.workers} workers"
    time_s = f"; training takes {_duration(plan.training_s)}" if plan.training_s else ""
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
            if run is not None and run.state.get("state") == "completed":
                found.setdefault(run.folder, run)

    return list(found.values())


BAR = 20
"""The width of a bar, in characters."""

PARTS = 20
"""So often it is said how many runs are completed, where it is not said of each."""

SHOWN = 16
"""So many units are shown at most, of those that are being done."""


class _Console:
    """Shows the events of a sweep, and remembers how its runs ended.

    Arguments:
        plan: What is to be done.
        each: Whether to say of each run that it is completed.
    """

    def __init__(self, plan: Plan, each: bool = True) -> None:
        self.todo = plan.todo
        self.each = each
        self.done: list[Run] = []
        self.failed: list[str] = []

        words = [job.job.words for unit in plan.units for job in unit.jobs]
        self._shared = set.intersection(*map(set, words)) if len(words) > 1 else set()
        self._began = time.monotonic()
        self._working: dict[Unit, tuple[int, int]] = {}
        self._elsewhere = 0
        self._live: Any = None
        if sys.stdout.isatty():
            from rich.live import Live

            self._live = Live(get_renderable=self._table, refresh_per_second=4, transient=True)
            self._live.start()

    def show(self, event: Event) -> None:
        """Shows an event."""

        match event:
            case Sent(unit):
                self._working[unit] = (0, 0)
            case Beat(units):
                self._working = dict(units)
            case Ended(run, None):
                self.done.append(run)
                if self._live is None and self.each:
                    self.say(f"completed: {run.folder}")
                elif self._live is None and len(self.done) * PARTS % self.todo < PARTS:
                    self.say(f"completed{self._time_left()}")
            case Ended(run, reason):
                where = run.folder / "error.txt"
                more = f"; see {where}" if where.exists() else ""
                self.failed.append(f"{run.folder}: {reason}")
                self.say(f"failed: {run.folder}: {reason}{more}", sys.stderr)
            case Retried(networks, reason):
                self.say(f"trying {_runs(networks)} again: {reason}")
            case Left(networks) if networks != self._elsewhere:
                self._elsewhere = networks
                self.say(f"waiting for {_runs(networks)} that another process does")
            case _:
                pass

    def say(self, line: str, stream: Any = None) -> None:
        """Prints a line, above the table if there is one."""

        ended = len(self.done) + len(self.failed)
        text = f"[{ended}/{self.todo}] {line}"
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=stream or sys.stdout, flush=True)

    def close(self) -> None:
        """Takes the table away."""

        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self) -> Any:
        """Returns the table as it is now."""

        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table
        from rich.text import Text

        columns = Column(ratio=1), Column(no_wrap=True), Column(width=BAR), Column(no_wrap=True)
        table = Table.grid(*columns, padding=(0, 1), expand=True)
        units = list(self._working.items())
        for unit, (made, all) in units[:SHOWN]:
            table.add_row(
                Text(self._name(unit), no_wrap=True, overflow="ellipsis"),
                f"and {unit.networks - 1} more" if unit.networks > 1 else "",
                ProgressBar(total=all or 1, completed=made, width=BAR),
                f"{made}/{all}" if all else "starting",
            )
        if len(units) > SHOWN:
            table.add_row(f"… and {len(units) - SHOWN} more")

        return Group(table, Text(self._counts(), no_wrap=True, overflow="ellipsis"))

    def _name(self, unit: Unit) -> str:
        """Returns what tells a unit from others."""

        job = unit.jobs[0]
        words = " ".join(word for word in job.job.words if word not in self._shared)

        return words or job.settings.name

    def _counts(self) -> str:
        ended = len(self.done) + len(self.failed)
        going = sum(unit.networks for unit in self._working)
        parts = [f"{len(self.done)} done", f"{len(self.failed)} failed"]
        parts += [f"{going} going", f"{max(0, self.todo - ended - going)} waiting"]

        return ", ".join(parts) + self._time_left()

    def _time_left(self) -> str:
        """Returns how long the rest takes, if it goes on as it has."""

        share = len(self.done) + len(self.failed)
        share += sum(u.networks * made / all for u, (made, all) in self._working.items() if all)
        passed_s = time.monotonic() - self._began
        if not share or passed_s < 2:
            return ""

        return f"; {_duration(passed_s * (self.todo - share) / share)} left"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _duration(seconds: float) -> str:
    """Returns a time in the unit that suits it."""

    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 2 * size:
            return f"about {seconds / size:.0f} {unit}"

    return f"about {seconds:.0f} s" if seconds >= 1 else "less than a second"
