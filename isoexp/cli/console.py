"""What a training looks like: a bar on a terminal, plain lines in a pipe, a table at the end."""

__all__ = ["Console"]

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..experiment.execution import Aborted, AlreadyDone, HeldElsewhere
from ..store.run import Run
from .table import final_numbers, number, table

LINES = 10
"""The plain lines of a training in a pipe, at most."""

SHOWN = 40
"""The runs in the table at the end, at most."""


class Console:
    """Shows events, and remembers how runs ended.

    Arguments:
        quiet: Whether to show no progress: the ends of runs only.
        prefix: What every line of progress begins with.
        probing: Whether to show what probes measure.
    """

    def __init__(self, quiet: bool = False, prefix: str = "", probing: bool = False) -> None:
        self.quiet, self.prefix, self.probing = quiet, prefix, probing
        self.done: list[Run] = []
        self.fresh: list[Run] = []
        self.failed: list[str] = []
        self.held: list[str] = []
        self.asked: set[str] = set()

        self._bar: Any = None
        self._started: tuple[int, float] | None = None
        self._text, self._step, self._steps, self._next = "", 0, 0, 0.0

    def show(self, event: Any) -> None:
        """Shows an event."""

        match event:
            case AlreadyDone(run):
                self.done.append(run)
                self.say(f"done before: {run.folder} (force=true repeats it)")
            case HeldElsewhere(message):
                self.held.append(message)
                self.say(f"not started: {message}")
            case Aborted(runs, reason):
                for run in runs:
                    where = run.folder / "error.txt"
                    self._fail(run, f"{reason}; see {where}" if where.exists() else reason)
            case _:
                self._show_progress(event)

    def _show_progress(self, event: Any) -> None:
        from ..experiment.probing import Probed, ProbeFailed, TwinTraining, Unmeasured
        from ..experiment.trial import Advance, Ended, Logged

        match event:
            case Advance(step, steps):
                self._advance(step, steps)
            case Logged(rows):
                self._text = _means(rows)
            case Ended(record, "completed", _):
                self.done.append(record.run)
                self.fresh.append(record.run)
            case Ended(record, _, reason):
                self._fail(record.run, reason)
            case TwinTraining(_, seed):
                self.say(f"no run of seed {seed} in this study: training it as the twin")
            case Probed(_, name, rows, numbers):
                self._show_probed(name, rows, numbers)
            case Unmeasured(_, name, reason):
                self.asked.add(name)
                self.say(f"  {name}: not measured: {reason}")
            case ProbeFailed(run, name, reason):
                self.asked.add(name)
                where = run.folder / "probes" / f"{name}.error.txt"
                self.failed.append(f"{name} of {run.folder}: {reason}")
                self.say(f"failed: {name}: {reason}; see {where}", sys.stderr)

    def _show_probed(self, name: str, rows: int, numbers: dict[str, float]) -> None:
        self.asked.add(name)
        if self.probing:
            shown = "  ".join(f"{key} {number(value) or '–'}" for key, value in numbers.items())
            self.say(f"  {name}: {rows} rows  {shown}")

    def _fail(self, run: Run, reason: str | None) -> None:
        self.failed.append(f"{run.folder}: {reason}")
        self.say(f"failed: {run.folder}: {reason}", sys.stderr)

    def say(self, line: str, stream: Any = None) -> None:
        """Prints a line, above the bar if there is one."""

        self.close()
        print(f"{self.prefix}{line}", file=stream or sys.stdout, flush=True)

    def close(self) -> None:
        """Takes the bar away."""

        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _advance(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if self._started is None or step < self._step:
            self._started = (step, now)
            self._next = 0.0
        self._step, self._steps = step, steps

        if self.quiet and not sys.stdout.isatty():
            return
        if sys.stdout.isatty():
            self._advance_bar(now)
        elif step >= self._next or step == steps:
            self._next = step + steps / LINES
            print(
                f"{self.prefix}update {step} of {steps}  {self._text}  {self._pace(now)}".rstrip()
            )

    def _advance_bar(self, now: float) -> None:
        if self._bar is not None and self._step < self._steps and now < self._next:
            return
        self._next = now + 0.1  # ten times a second is all an eye can follow

        if self._bar is None:
            from rich.progress import BarColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed}/{task.total}  {task.fields[text]}"),
                transient=True,
            )
            self._task = self._bar.add_task(self.prefix.strip() or "training", total=1, text="")
            self._bar.start()

        text = f"{self._text}  {self._pace(now)}"
        self._bar.update(self._task, completed=self._step, total=self._steps, text=text)
        if self._step == self._steps:
            self.close()

    def _pace(self, now: float) -> str:
        assert self._started is not None
        first, since = self._started
        if self._step == first or now == since:
            return ""
        speed = (self._step - first) / (now - since)
        left = (self._steps - self._step) / speed

        return f"{speed:.0f}/s  {left:.0f} s left"

    def conclude(self) -> None:
        """Prints the table of the runs and where to find things."""

        self.close()
        if not self.done:
            return

        shown = self.done[:SHOWN]
        numbers = [final_numbers(run.summary) for run in shown]
        header = list(dict.fromkeys(key for row in numbers for key in row))
        rows = [
            [run.folder.name, *[row.get(key, "") for key in header]]
            for run, row in zip(shown, numbers, strict=True)
        ]
        print()
        print(table(["run", *header], rows))
        if len(self.done) > len(shown):
            print(f"… and {len(self.done) - len(shown)} more")

        parents: dict[Path, list[Run]] = {}
        for run in self.done:
            parents.setdefault(run.folder.parent, []).append(run)
        for parent, runs in sorted(parents.items()):
            _say_where(parent, runs)


def _say_where(parent: Path, runs: Sequence[Run]) -> None:
    """Prints where to find what runs of a study have left."""

    name = runs[0].folder.name if len(runs) == 1 else "*"
    print()
    print(f"results  {parent}/{name}/  summary.json, metrics.parquet, probes/*.parquet")
    if _left(runs, "probes/*.png"):
        print(f"figures  {parent}/{name}/probes/*.png")
    elif _left(runs, "probes/*.parquet"):
        print(f"figures  isoexp figures {parent}{f'/{name}' if len(runs) == 1 else ''}")
    print(f"all      isoexp ls {parent}")


def _left(runs: Sequence[Run], pattern: str) -> bool:
    return any(True for run in runs for _ in run.folder.glob(pattern))


def _means(rows: list[dict[str, Any]]) -> str:
    """Returns the loss and score of a row, the mean of them over networks trained together."""

    shown = ("train/loss", "valid/loss", "valid/accuracy", "valid/r2")
    parts = []
    for key in shown:
        values = [row[key] for row in rows if key in row]
        if values:
            parts.append(f"{key} {sum(values) / len(values):.4f}")

    return "  ".join(parts)
