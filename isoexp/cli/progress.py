"""Progress: bars on a terminal or in a notebook, plain lines in a pipe; a table of runs at the end.

A training, the probing of runs, a sweep and a search are each followed event by event.
"""

__all__ = ["Display", "RunProgress", "SearchProgress", "SweepProgress", "conclude", "duration"]

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiment.job import (
    Aborted,
    Advance,
    AlreadyDone,
    Ended,
    Event,
    HeldElsewhere,
    Logged,
    Probed,
    ProbeFailed,
    Resumed,
    TwinTraining,
    Unmeasured,
)
from ..store.run import Run
from .table import final_numbers, number, table

if TYPE_CHECKING:
    from .. import search, sweep
    from ..search import Search, Told
    from ..search.trials import Trials
    from ..sweep import Plan, Unit

LINES = 10
"""The plain lines of a training in a pipe, at most."""

SHOWN = 40
"""The runs in the table at the end, at most."""

BAR = 20
"""The width of a bar, in characters."""

BARS = 16
"""The bars shown at once, at most."""

PARTS = 20
"""How often a sweep says how many runs are completed, where it does not say it of each."""


class Display:
    """Lines that stay, above bars that come and go; in a pipe the lines alone."""

    def __init__(self) -> None:
        self.is_live = sys.stdout.isatty() or "ipykernel" in sys.modules
        self._bars: Sequence[tuple[str, int, int]] = ()
        self._footer = ""
        self._live: Any = None

    def show(self, bars: Sequence[tuple[str, int, int]], footer: str) -> None:
        """Shows bars, each a name, the part done and the whole, and a line below them."""

        self._bars, self._footer = bars, footer
        if self.is_live and self._live is None:
            from rich.live import Live

            self._live = Live(get_renderable=self._render, refresh_per_second=4, transient=True)
            self._live.start()

    def say(self, line: str, stream: Any = None) -> None:
        """Prints a line that stays."""

        if self._live is not None:
            self._live.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=stream or sys.stdout, flush=True)

    def close(self) -> None:
        """Takes the bars away."""

        if self._live is not None:
            self._live.stop()
            self._live = None

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table
        from rich.text import Text

        # A bar has its width whatever else there is: names give way to it.
        columns = Column(ratio=1), Column(width=BAR), Column(no_wrap=True)
        grid = Table.grid(*columns, padding=(0, 1), expand=True)
        for name, made, whole in self._bars[:BARS]:
            grid.add_row(
                Text(name, no_wrap=True, overflow="ellipsis"),
                ProgressBar(total=whole or 1, completed=made, width=BAR),
                f"{made}/{whole}" if whole else "starting",
            )
        if len(self._bars) > BARS:
            grid.add_row(f"… and {len(self._bars) - BARS} more")

        return Group(grid, Text(self._footer, no_wrap=True, overflow="ellipsis"))


class RunProgress:
    """Follows one training, or the probing of a run, and remembers how runs ended.

    Arguments:
        probing: Whether to show the numbers of probes, and of a training its end alone.
    """

    def __init__(self, probing: bool = False) -> None:
        self.probing = probing
        self.done: list[Run] = []
        self.failed: list[str] = []
        self.held: list[str] = []
        self.asked: set[str] = set()

        self._display = Display()
        self._started: tuple[int, float] | None = None
        self._text, self._step, self._next = "", 0, 0.0

    def show(self, event: Event) -> None:
        """Shows an event."""

        match event:
            case Advance(step, steps):
                self._advance(step, steps)
            case Logged(rows):
                self._text = _means(rows)
            case Ended(run, None):
                self.done.append(run)
            case Ended(run, reason):
                self._fail(run, str(reason))
            case AlreadyDone(run):
                self.done.append(run)
                self.say(f"done before: {run.folder} (force=true repeats it)")
            case HeldElsewhere(message):
                self.held.append(message)
                self.say(f"not started: {message}")
            case Resumed(run, changes):
                self.say(f"{run.folder} goes on under other conditions: {changes}", sys.stderr)
            case Aborted(runs, reason):
                for run in runs:
                    self._fail(run, reason)
            case TwinTraining(_, seed):
                self.say(f"no run of seed {seed} in this study: training it as the twin")
            case Probed() | Unmeasured() | ProbeFailed():
                self._show_probe(event)

    def say(self, line: str, stream: Any = None) -> None:
        """Prints a line, above the bar if there is one."""

        self._display.say(line, stream)

    def close(self) -> None:
        """Takes the bar away."""

        self._display.close()

    def _show_probe(self, event: Probed | Unmeasured | ProbeFailed) -> None:
        self.asked.add(event.name)
        match event:
            case Probed(_, name, rows, numbers) if self.probing:
                shown = "  ".join(f"{key} {number(value) or '–'}" for key, value in numbers.items())
                self.say(f"  {name}: {rows} rows  {shown}")
            case Unmeasured(_, name, reason):
                self.say(f"  {name}: not measured: {reason}")
            case ProbeFailed(run, name, reason):
                where = run.folder / "probes" / f"{name}.error.txt"
                self.failed.append(f"{name} of {run.folder}: {reason}")
                self.say(f"failed: {name}: {reason}; see {where}", sys.stderr)
            case _:
                pass

    def _fail(self, run: Run, reason: str) -> None:
        self.failed.append(f"{run.folder}: {reason}")
        self.say(_failed(run, reason), sys.stderr)

    def _advance(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if self._started is None or step < self._step:
            self._started = (step, now)
            self._next = 0.0
        self._step = step

        if self._display.is_live:
            if step == steps:
                self._display.close()
            elif now >= self._next:
                self._next = now + 0.1  # ten times a second is all an eye can follow
                footer = f"{self._text}  {self._pace(now, steps)}"
                self._display.show([("training", step, steps)], footer)
        elif not self.probing and (step >= self._next or step == steps):
            self._next = step + steps / LINES
            line = f"update {step} of {steps}  {self._text}  {self._pace(now, steps)}"
            self.say(line.rstrip())

    def _pace(self, now: float, steps: int) -> str:
        assert self._started is not None
        first, since = self._started
        if self._step == first or now == since:
            return ""
        speed = (self._step - first) / (now - since)

        return f"{speed:.0f}/s  {(steps - self._step) / speed:.0f} s left"


class SweepProgress:
    """Follows a sweep, and remembers how its runs ended.

    Arguments:
        plan: The plan of the sweep.
        each: Whether to say of each run that it is completed.
    """

    def __init__(self, plan: "Plan", each: bool = True) -> None:
        self.todo, self.each = plan.todo, each
        self.done: list[Run] = []
        self.failed: list[str] = []

        overrides = [set(job.overrides) for unit in plan.units for job in unit.jobs]
        self._shared = set.intersection(*overrides) if len(overrides) > 1 else set()
        self._began = time.monotonic()
        self._working: dict[Unit, tuple[int, int]] = {}
        self._elsewhere = 0
        self._display = Display()

    def show(self, event: "sweep.Event") -> None:
        """Shows an event."""

        from ..sweep import Beat, Left, Retried, Sent

        match event:
            case Sent(unit):
                self._working[unit] = (0, 0)
            case Beat(units):
                self._working = dict(units)
            case Ended(run, None):
                self.done.append(run)
                if not self._display.is_live and self.each:
                    self.say(f"completed: {run.folder}")
                elif not self._display.is_live and len(self.done) * PARTS % self.todo < PARTS:
                    self.say(f"completed{self._time_left()}")
            case Ended(run, reason):
                self.failed.append(f"{run.folder}: {reason}")
                self.say(_failed(run, str(reason)), sys.stderr)
            case Retried(networks, reason):
                self.say(f"trying {_runs(networks)} again: {reason}")
            case Left(networks) if networks != self._elsewhere:
                self._elsewhere = networks
                self.say(f"waiting for {_runs(networks)} that another process does")
            case _:
                pass
        bars = [(self._name(unit), *far) for unit, far in self._working.items()]
        self._display.show(bars, self._counts())

    def say(self, line: str, stream: Any = None) -> None:
        """Prints a line, above the bars if there are any."""

        self._display.say(f"[{self._ended}/{self.todo}] {line}", stream)

    def close(self) -> None:
        """Takes the bars away."""

        self._display.close()

    @property
    def _ended(self) -> int:
        return len(self.done) + len(self.failed)

    def _name(self, unit: "Unit") -> str:
        """Returns the overrides that tell a unit from others."""

        job = unit.jobs[0]
        own = " ".join(text for text in job.overrides if text not in self._shared)
        more = f" and {unit.networks - 1} more" if unit.networks > 1 else ""

        return (own or job.settings.name) + more

    def _counts(self) -> str:
        going = sum(unit.networks for unit in self._working)
        parts = [f"{len(self.done)} done", f"{len(self.failed)} failed"]
        parts += [f"{going} going", f"{max(0, self.todo - self._ended - going)} waiting"]

        return ", ".join(parts) + self._time_left()

    def _time_left(self) -> str:
        """Says how long the rest takes at the pace so far."""

        share: float = self._ended
        share += sum(u.networks * made / all for u, (made, all) in self._working.items() if all)
        passed_s = time.monotonic() - self._began
        if not share or passed_s < 2:
            return ""

        return f"; {duration(passed_s * (self.todo - share) / share)} left"


class SearchProgress:
    """Follows a search: its trials as they end, and a bar for those that are done meanwhile."""

    def __init__(self, found: "Search", trials: "Trials") -> None:
        self.failed = False

        self._all, self._trials = found.settings.trials, trials
        self._going, self._waiting = "", 0
        self._display = Display()
        print(f"{self._all} trials, {len(trials.told())} done before", flush=True)

    def show(self, event: "search.Event") -> None:
        """Shows an event."""

        from ..search import Begun, Told, Waiting
        from ..sweep import Beat, Retried

        match event:
            case Begun(trials, networks):
                self._going = f"{trials} trials, {networks} networks"
                self._display.show([(self._going, 0, 0)], "")
            case Beat(units):
                made, all = (sum(each) for each in zip((0, 0), *units.values(), strict=True))
                self._display.show([(self._going, made, all)], "")
            case Told():
                self._show_told(event)
            case Retried(networks, reason):
                self._say(f"trying {networks} networks again: {reason}")
            case Waiting(trials) if trials != self._waiting:
                self._waiting = trials
                self._say(f"waiting for {trials} trials of another process")
            case _:
                pass

    def close(self) -> None:
        """Takes the bar away."""

        self._display.close()

    def _show_told(self, told: "Told") -> None:
        overrides = " ".join(told.overrides)
        if told.value is None:
            self.failed |= told.failed
            self._say(f"{'failed' if told.failed else 'stopped':<8}  {overrides}: {told.reason}")
        else:
            best = self._trials.told()[0].number == told.number
            self._say(f"{number(told.value):<8}  {overrides}{'  (best so far)' if best else ''}")

    def _say(self, line: str) -> None:
        self._display.say(f"[{len(self._trials.told())}/{self._all}] {line}")


def conclude(done: Sequence[Run]) -> None:
    """Prints the table of completed runs, and where to find their files."""

    if not done:
        return

    shown = done[:SHOWN]
    numbers = [final_numbers(run.summary) for run in shown]
    header = list(dict.fromkeys(key for row in numbers for key in row))
    rows = [
        [run.folder.name, *[row.get(key, "") for key in header]]
        for run, row in zip(shown, numbers, strict=True)
    ]
    print()
    print(table(["run", *header], rows))
    if len(done) > len(shown):
        print(f"… and {len(done) - len(shown)} more")

    parents: dict[Path, list[Run]] = {}
    for run in done:
        parents.setdefault(run.folder.parent, []).append(run)
    for parent, runs in sorted(parents.items()):
        _say_where(parent, runs)


def duration(seconds: float) -> str:
    """Returns a time in the unit that suits it."""

    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 2 * size:
            return f"about {seconds / size:.0f} {unit}"

    return f"about {seconds:.0f} s" if seconds >= 1 else "less than a second"


def _say_where(parent: Path, runs: Sequence[Run]) -> None:
    """Prints where to find the files of runs of a study."""

    name = runs[0].folder.name if len(runs) == 1 else "*"
    print()
    print(f"results  {parent}/{name}/  summary.json, metrics.parquet, probes/*.parquet")
    if _any(runs, "probes/*.png"):
        print(f"figures  {parent}/{name}/probes/*.png")
    elif _any(runs, "probes/*.parquet"):
        print(f"figures  isoexp figures {parent}{f'/{name}' if len(runs) == 1 else ''}")
    print(f"all      isoexp ls {parent}")


def _any(runs: Sequence[Run], pattern: str) -> bool:
    return any(True for run in runs for _ in run.folder.glob(pattern))


def _failed(run: Run, reason: str) -> str:
    """Says that a run has failed, and where the exception is kept if there was one."""

    where = run.folder / "error.txt"
    more = f"; see {where}" if where.exists() else ""

    return f"failed: {run.folder}: {reason}{more}"


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _means(rows: Sequence[dict[str, Any]]) -> str:
    """Returns the loss and score of a row, averaged over networks trained together."""

    parts = []
    for key in ("train/loss", "valid/loss", "valid/accuracy", "valid/r2"):
        values = [row[key] for row in rows if key in row]
        if values:
            parts.append(f"{key} {sum(values) / len(values):.4f}")

    return "  ".join(parts)
