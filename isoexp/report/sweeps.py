"""The chapter of a study without a claim: its groups side by side, their curves, what failed."""

__all__ = ["failures_table", "sweep"]

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..claims.tables import Tables
from .cells import code, count, interval, measured, of_mean, plural, text
from .differences import effects_table
from .document import Block, Cell, Column, Facts, Figure, Paragraph, Section, Table
from .entries import Entry
from .groups import RunGroup, best, grouped, scores
from .origin import origin, time_spent
from .plots import curves, dots, over_seeds

SHOWN = 50
"""Groups that a table shows."""

DRAWN = 24
"""Groups whose dots are drawn, and whose effects are told: the largest of more are chance."""

CURVES = 6
"""Groups whose curves are drawn: as many as there are colours."""

SEEDS = 50
"""Seeds that a curve is from, at most: each is a file to be read."""


def sweep(title: str, runs: Sequence[Entry], anchor: str) -> Section:
    """Writes the chapter of a study; the names of its files begin with the anchor."""

    groups = grouped(runs)
    spent = time_spent(runs)
    done = sum(run.completed for run in runs)
    told = f"{plural(len(runs), 'run')} in {plural(len(groups), 'group')}, {done} completed"
    same = {k: v for k, v in runs[0].settings.items() if k not in groups[0].settings}
    blocks: list[Block | None] = [
        Paragraph(f"{told}; {spent.told()}. A group is what differs by its seed alone."),
        _dots(groups, f"{anchor}-scores"),
        _curves(groups, f"{anchor}-curves"),
        *_tables(groups, anchor),
        _effects(groups, f"{anchor}-effects"),
        failures_table(runs, f"{anchor}-failed"),
        Facts([("the same in all", ", ".join(f"{k}={v}" for k, v in same.items())), *origin(runs)]),
    ]

    return Section(title, anchor, [block for block in blocks if block is not None])


def failures_table(runs: Sequence[Entry], name: str) -> Table | None:
    """Makes the table of runs without final numbers and the reasons; None if all have them."""

    left = [run for run in runs if not run.completed]
    unmeasured = [(run, probe, why) for run in runs for probe, why in run.unmeasured.items()]
    if not left and not unmeasured:
        return None
    rows = [[code(run.run.folder.name), text(run.status), text(run.reason)] for run in left]
    rows += [
        [code(run.run.folder.name), text(f"not measured by {probe}"), text(why)]
        for run, probe, why in unmeasured
    ]
    what = f"{plural(len(left), 'run')} without final numbers"
    caption = f"{what}, and {plural(len(unmeasured), 'probe')} that could not measure."
    columns = [Column("run"), Column("state"), Column("why")]

    return Table(name, caption if unmeasured else f"{what}.", columns, rows, SHOWN)


def _tables(groups: Sequence[RunGroup], anchor: str) -> list[Table]:
    """Makes the table of final numbers, and one for each probe."""

    there = dict.fromkeys(name for g in groups for run in g.completed for name in run.numbers)
    own: dict[str, list[str]] = {}
    for name in there:
        if name.startswith("probe/"):
            own.setdefault(name.split("/")[1], []).append(name)
    finals = [*scores(groups, "test"), *scores(groups, "valid")]
    finals += [name for name in ("train_time_s", "parameters") if name in there]
    shown = groups if len(groups) <= SHOWN else best(groups, len(groups))
    more = (
        f" The {SHOWN} best on the validation split of {len(groups):,}; the files have all. The "
        "best of many look better than they are: choose, then train seeds that were not looked at."
        if len(groups) > SHOWN
        else ""
    )
    means = f"the mean over seeds with its 95 % t interval.{more}"
    found = [_table(shown, finals, f"{anchor}-groups", f"Final numbers: {means}", True)]
    for probe, names in own.items():
        caption = f"What {probe} measured: {means}"
        found.append(_table(shown, names, f"{anchor}-{probe}", caption, False))

    return found


def _table(
    groups: Sequence[RunGroup], names: Sequence[str], file: str, caption: str, counted: bool
) -> Table:
    columns = [Column(name) for name in groups[0].settings] or [Column("group")]
    if counted:
        columns += [Column("completed", number=True), Column("not", number=True)]
    columns += [measured(name.removeprefix("probe/"), name) for name in names]
    rows = []
    for group in groups:
        row = [code(value) for value in group.settings.values()] or [text("all")]
        if counted:
            done = len(group.completed)
            row += [count(done), count(len(group.runs) - done)]
        rows.append(row + [_mean(group.values(name), len(group.completed)) for name in names])

    return Table(file, caption, columns, rows, SHOWN)


def _mean(values: np.ndarray, completed: int) -> Cell:
    """Makes the cell of a mean; it says n where that is not the number of completed runs."""

    triple = of_mean(values)
    same = len(values) and np.ptp(values) == 0 and float(values[0]).is_integer()
    told = f"{values[0]:g}" if same else interval(*triple)
    n = f" (n = {len(values)})" if len(values) != completed else ""

    return Cell(f"{told}{n}", (*triple, len(values)))


def _effects(groups: Sequence[RunGroup], name: str) -> Table | None:
    """Makes the table of effects on the main score; None of groups that are too many for it."""

    score = _main(groups)

    return effects_table(groups, score, name) if score and len(groups) <= DRAWN else None


def _main(groups: Sequence[RunGroup]) -> str | None:
    """Returns the main score, on the test split if there is one."""

    return next(iter(scores(groups, "test") or scores(groups, "valid")), None)


def _dots(groups: Sequence[RunGroup], name: str) -> Figure | None:
    """Draws the main score of groups; None if there is none."""

    score = _main(groups)
    if score is None:
        return None
    drawn = groups if len(groups) <= DRAWN else best(groups, DRAWN)
    values = [(group.label, group.values(score)) for group in drawn]
    svg = dots([(score, False, values)])
    told = [f"{label} {interval(*of_mean(own))}, n = {len(own)}" for label, own in values]
    few = f" The {DRAWN} best of {len(groups):,} groups." if len(groups) > DRAWN else ""
    caption = f"{score}: every dot is a network, the bar the mean with its 95 % t interval.{few}"
    alt = f"Dots of {score} by group. {'; '.join(told[:CURVES])}."

    return Figure(name, svg, alt, caption) if svg else None


def _curves(groups: Sequence[RunGroup], name: str) -> Figure | None:
    """Draws loss and score on the validation split over training; None without any."""

    drawn = groups if len(groups) <= CURVES else best(groups, CURVES)
    tables = Tables()
    frames = {
        group.label: [
            frame
            for run in group.completed[:SEEDS]
            if (frame := tables.frame(run.run, "metrics")) is not None
        ]
        for group in drawn
    }
    parts = [
        over_seeds(own, "step", column).assign(arm=label, panel=column)
        for column in ("valid/loss", "valid/accuracy", "valid/r2")
        for label, own in frames.items()
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return None
    ends: Any = pd.concat(parts).groupby(["panel", "arm"], sort=False)["mean"].last()
    told = "; ".join(
        f"{panel} of {arm} ends at {value:.4g}" for (panel, arm), value in ends.items()
    )
    few = f" The {CURVES} best of {len(groups):,} groups." if len(groups) > CURVES else ""
    most = f" Of the first {SEEDS} seeds." if any(len(g.completed) > SEEDS for g in drawn) else ""
    caption = f"Over training, the mean over seeds with its 95 % t interval.{few}{most}"

    drawing = curves(parts, "update", log_x=False, log_y=["valid/loss"])

    return Figure(name, drawing, f"Curves. {told}.", caption)
