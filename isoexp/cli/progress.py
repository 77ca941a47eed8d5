"""Progress: bars on a terminal or in a notebook, plain lines in a pipe.

A training, the probing of a run, a sweep and a search are each followed event by event.
"""

__all__ = ["Display", "RunProgress", "SearchProgress"]

import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import closing
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..experiment import job
from ..output import plural, printable, say
from ..store.run import Run
from .table import number

if TYPE_CHECKING:
    from .. import search
    from ..search import Search
    from ..search.trials import Trials

LINES = 10
"""The plain lines of a training in a pipe, at most."""

BAR = 20
"""The width of a bar, in characters."""

OTHER = "went on under other conditions, so that last bits may differ"

BARS = 16
"""The bars shown at once, at most."""


class Display(ABC):
    """Abstract display of events: lines that stay, above bars on a terminal or in a notebook.

    It remembers which runs are done, and why others failed.
    """

    def __init__(self) -> None:
        self.is_live = sys.stdout.isatty() or "ipykernel" in sys.modules
        self.done: list[Run] = []
        self.failed: list[str] = []
        self.noted = Counter[str]()

        self._bars: Sequence[tuple[str, int, int]] = ()
        self._footer = ""
        self._live: Any = None

    def follow(self, events: Generator[Any, None, None]) -> None:
        """Shows events as they happen; closes their source and itself, whatever ends them."""

        with closing(events), closing(self):
            for event in events:
                self.show(event)

    @abstractmethod
    def show(self, event: Any) -> None:
        """Shows an event."""

    def draw(self, bars: Sequence[tuple[str, int, int]], footer: str = "") -> None:
        """Draws bars, each a name, the part done and the whole, and a line below them."""

        self._bars, self._footer = bars, footer
        if self.is_live and self._live is None:
            from rich.live import Live

            self._live = Live(get_renderable=self._render, refresh_per_second=4, transient=True)
            self._live.start()

    def say(self, line: str, stream: Any = None) -> None:
        """Prints a line that stays, above the bars if there are any."""

        if self._live is not None:
            told = printable(line)
            self._live.console.print(told, markup=False, highlight=False, soft_wrap=True)
        else:
            say(line, stream)

    def fail(self, run: Run, reason: str) -> None:
        """Says that a run has failed, and where the exception is kept if there was one."""

        self.failed.append(f"{run.folder}: {reason}")
        where = run.folder / "error.txt"
        more = f"; see {where}" if where.exists() else ""
        self.say(f"failed: {run.folder}: {reason}{more}", sys.stderr)

    def close(self) -> None:
        """Takes the bars away, and says what was noted of runs, once, with their number."""

        if self._live is not None:
            self._live.stop()
            self._live = None
        for told, count in self.noted.items():
            self.say(f"{plural(count, 'run')} {told}", sys.stderr)
        self.noted.clear()

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
                Text(printable(name), no_wrap=True, overflow="ellipsis"),
                ProgressBar(total=whole or 1, completed=made, width=BAR),
                f"{made}/{whole}" if whole else "starting",
            )
        if len(self._bars) > BARS:
            grid.add_row(f"… and {len(self._bars) - BARS} more")

        return Group(grid, Text(printable(self._footer), no_wrap=True, overflow="ellipsis"))


class RunProgress(Display):
    """Follows one training, or the probing of a run.

    Arguments:
        probing: Whether to show the numbers of probes, and of a training its end alone.
    """

    def __init__(self, probing: bool = False) -> None:
        super().__init__()

        self.probing = probing
        self.held: list[str] = []
        self.asked: set[str] = set()

        self._started: tuple[int, float] | None = None
        self._text, self._step, self._next = "", 0, 0.0

    def show(self, event: job.Event) -> None:
        match event:
            case job.Advance(step, steps):
                self._advance(step, steps)
            case job.Logged(rows):
                self._text = _means(rows)
            case job.Ended(run, None):
                self.done.append(run)
            case job.Ended(run, reason):
                self.fail(run, str(reason))
            case job.AlreadyDone(run):
                self.done.append(run)
                self.say(f"done before: {run.folder} (force=true repeats it)")
            case job.Damaged(run, reason):
                self.say(f"damaged: {run.folder}: {reason}: it is made again", sys.stderr)
            case job.Flawed(flaw):
                self.say(f"warning: {flaw}", sys.stderr)
            case job.HeldElsewhere(message):
                self.held.append(message)
                self.say(f"not started: {message}")
            case job.Resumed(run, changes):
                self.say(f"{run.folder} {OTHER}: {changes}", sys.stderr)
            case job.Aborted(runs, reason):
                for run in runs:
                    self.fail(run, reason)
            case job.TwinTraining(_, seed):
                self.say(f"no run of seed {seed} in this study: training it as the twin")
            case job.Probed(run, name, rows, numbers, undrawn):
                self.asked.add(name)
                shown = "  ".join(f"{key} {number(value) or '–'}" for key, value in numbers.items())
                if self.probing:
                    self.say(f"  {name}: {rows} rows  {shown}")
                if undrawn is not None:
                    told = f"isoexp figures {run.folder} draws it once that is mended"
                    self.say(f"figure of {name} not drawn: {undrawn}; {told}", sys.stderr)
            case job.Unmeasured(_, name, reason):
                self.asked.add(name)
                self.say(f"  {name}: not measured: {reason}")
            case job.ProbeFailed(run, name, reason):
                self.asked.add(name)
                self.failed.append(f"{name} of {run.folder}: {reason}")
                where = run.folder / "probes" / f"{name}.error.txt"
                self.say(f"failed: {name}: {reason}; see {where}", sys.stderr)

    def _advance(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if self._started is None or step < self._step:
            self._started, self._next = (step, now), 0.0
        self._step = step
        first, since = self._started
        speed = (step - first) / (now - since) if now > since else 0.0
        pace = f"{speed:.0f}/s  {(steps - step) / speed:.0f} s left" if speed else ""

        if self.is_live and step == steps:
            self.close()
        elif self.is_live and now >= self._next:
            self._next = now + 0.1  # ten times a second is all an eye can follow
            self.draw([("training", step, steps)], f"{self._text}  {pace}")
        elif not self.is_live and not self.probing and (step >= self._next or step == steps):
            self._next = step + steps / LINES
            self.say(f"update {step} of {steps}  {self._text}  {pace}".rstrip())


class SearchProgress(Display):
    """Follows a search: its trials as they end, and a bar for those that are done meanwhile."""

    def __init__(self, found: "Search", trials: "Trials") -> None:
        super().__init__()

        self._all, self._trials = found.settings.trials, trials
        self._going, self._waiting = "", 0
        say(f"{plural(self._all, 'trial')}, {len(trials.told())} done before")

    def show(self, event: "search.Event") -> None:
        from ..search import Begun, Told, Waiting
        from ..sweep import Beat, Resumed, Retried

        match event:
            case Begun(trials, networks):
                self._going = f"{plural(trials, 'trial')}, {plural(networks, 'network')}"
                self.draw([(self._going, 0, 0)])
            case Beat(units):
                made, whole = (sum(each) for each in zip((0, 0), *units.values(), strict=True))
                self.draw([(self._going, made, whole)])
            case Told(place, overrides, None, reason, failed):
                if failed:
                    self.failed.append(str(reason))
                self.say(f"{'failed ' if failed else 'stopped'}   {' '.join(overrides)}: {reason}")
            case Told(place, overrides, value):
                best = "  (best so far)" * (self._trials.told()[0].number == place)
                self.say(f"{number(value):<8}  {' '.join(overrides)}{best}")
            case Retried(networks, reason):
                self.say(f"trying {plural(networks, 'network')} again: {reason}")
            case Resumed(_, changes):
                self.noted[f"{OTHER}: {changes}"] += 1
            case Waiting(trials) if trials != self._waiting:
                self._waiting = trials
                self.say(f"waiting for {plural(trials, 'trial')} of another process")

    def say(self, line: str, stream: Any = None) -> None:
        super().say(f"[{len(self._trials.told())}/{self._all}] {line}", stream)


def _means(rows: Sequence[dict[str, Any]]) -> str:
    """Returns the loss and score of a row, averaged over networks trained together."""

    keys = ("train/loss", "valid/loss", "valid/accuracy", "valid/r2")
    values = {key: [row[key] for row in rows if key in row] for key in keys}

    return "  ".join(f"{key} {fmean(each):.4f}" for key, each in values.items() if each)
