"""The chapter of a study without a claim: its groups side by side, their curves, what failed."""

__all__ = ["sweep"]

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..claims.evidence import tables
from ..figures.arms import curves, dots, over_seeds
from ..statistics import hedges_unpaired, identical, mean_interval
from .cells import code, count, difference, interval, measured, plural, ranged, text
from .document import Block, Cell, Facts, Figure, Paragraph, Row, Section, Table, numbers
from .entries import Entry, RunGroup, best, grouped, scores
from .origin import origin, time_spent

SHOWN = 50
"""Groups that a table shows."""

DRAWN = 24
"""Groups whose dots are drawn, and whose effects are told: the largest of more are chance."""

CURVES = 6
"""Groups whose curves are drawn: as many as there are colours."""

SEEDS = 50
"""Seeds that a curve is from, at most: each is a file to be read."""

EFFECTS = 100
"""Effects that a table shows."""

LEAST = 3
"""Runs that a group must have for an effect size: the spread of two is chance."""


def sweep(title: str, runs: Sequence[Entry], anchor: str) -> Section:
    """Writes the chapter of a study; the names of its files begin with the anchor."""

    groups = grouped(runs)
    done = sum(run.completed for run in runs)
    told = f"{plural(len(runs), 'run')} in {plural(len(groups), 'group')}, {done} completed"
    told += f"; {time_spent(runs).told()}. A group is what differs by its seed alone."
    same = {k: v for k, v in runs[0].settings.items() if k not in groups[0].settings}
    # The main score is on the test split, if there is one.
    score = next(iter(scores(groups, "test") or scores(groups, "valid")), None)
    blocks: list[Block | None] = [
        Paragraph(told),
        _dots(groups, score, f"{anchor}-scores") if score else None,
        _curves(groups, f"{anchor}-curves"),
        *_tables(groups, anchor),
        _effects(groups, score, f"{anchor}-effects") if score and len(groups) <= DRAWN else None,
        _failures(runs, f"{anchor}-failed"),
        Facts([("the same in all", ", ".join(f"{k}={v}" for k, v in same.items())), *origin(runs)]),
    ]

    return Section(title, anchor, [block for block in blocks if block is not None])


def _failures(runs: Sequence[Entry], name: str) -> Table | None:
    """Makes the table of runs without final numbers and the reasons; None if all have them."""

    left = [(run, run.status, run.reason) for run in runs if not run.completed]
    unmeasured = [
        (run, f"not measured by {probe}", why)
        for run in runs
        for probe, why in run.unmeasured.items()
    ]
    if not left and not unmeasured:
        return None
    rows: list[Row] = [
        {"run": code(run.run.folder.name), "state": text(state), "why": text(why)}
        for run, state, why in left + unmeasured
    ]
    caption = f"{plural(len(left), 'run')} without final numbers"
    if unmeasured:
        caption += f", and {plural(len(unmeasured), 'probe')} that could not measure"

    return Table.of(name, f"{caption}.", rows, SHOWN)


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
    means = "the mean over seeds with its 95 % t interval."
    if len(groups) > SHOWN:
        means += (
            f" The {SHOWN} best on the validation split of {len(groups):,}; the files have all. "
            "The best of many look better than they are: choose, then train seeds that were not "
            "looked at."
        )

    def rows(names: Sequence[str], counted: bool = False) -> list[Row]:
        found = []
        for group in shown:
            row, done = dict(group.cells), len(group.completed)
            if counted:
                left = len(group.runs) - done
                row |= {numbers("completed"): count(done), numbers("not"): count(left)}
            for name in names:
                cell = _mean(group.values(name), done)
                row[measured(name.removeprefix("probe/"), name)] = cell
            found.append(row)
        return found

    counted = rows(finals, counted=True)

    return [Table.of(f"{anchor}-groups", f"Final numbers: {means}", counted, SHOWN)] + [
        Table.of(f"{anchor}-{probe}", f"What {probe} measured: {means}", rows(names), SHOWN)
        for probe, names in own.items()
    ]


def _mean(values: np.ndarray, completed: int) -> Cell:
    """Makes the cell of a mean; it says n where that is not the number of completed runs."""

    triple = mean_interval(values)
    same = len(values) and np.ptp(values) == 0 and float(values[0]).is_integer()
    told = f"{values[0]:g}" if same else interval(*triple)
    n = f" (n = {len(values)})" if len(values) != completed else ""

    return Cell(f"{told}{n}", (*triple, len(values)))


def _effects(groups: Sequence[RunGroup], score: str, name: str) -> Table | None:
    """Makes the table of effect sizes of one setting; None if no pair of groups has any."""

    rows: list[Row] = []
    for a, b in combinations(groups, 2):
        differ = [key for key, value in a.settings.items() if b.settings[key] != value]
        x, y = a.values(score), b.values(score)
        if len(differ) != 1 or min(len(x), len(y)) < LEAST or identical(x) or identical(y):
            continue
        (key,) = differ
        rows.append(
            {
                "setting": code(key),
                "A": code(a.settings[key]),
                "B": code(b.settings[key]),
                "at": code(" ".join(f"{k}={v}" for k, v in a.settings.items() if k != key)),
                "n": text(f"{len(x)} and {len(y)}"),
                numbers("B − A", "difference", "low", "high"): difference(x, y),
                numbers("g", "g", "g low", "g high"): ranged(hedges_unpaired(y, x).triple),
            }
        )
    caption = (
        f"The effect of one setting on {score}: B − A with its 95 % interval by Welch, and Hedges' "
        "g, the same in pooled standard deviations of a run, with its 95 % interval by the "
        "noncentral t law. Each stands by itself: of many, one in twenty is off by chance."
    )

    return Table.of(name, caption, rows, EFFECTS) if rows else None


def _dots(groups: Sequence[RunGroup], score: str, name: str) -> Figure | None:
    drawn = groups if len(groups) <= DRAWN else best(groups, DRAWN)
    values = [(group.label, group.values(score)) for group in drawn]
    svg = dots([(score, False, values)])
    told = [f"{label} {interval(*mean_interval(own))}, n = {len(own)}" for label, own in values]
    few = f" The {DRAWN} best of {len(groups):,} groups." if len(groups) > DRAWN else ""
    caption = f"{score}: every dot is a network, the bar the mean with its 95 % t interval.{few}"
    alt = f"Dots of {score} by group. {'; '.join(told[:CURVES])}."

    return Figure(name, svg, alt, caption) if svg else None


def _curves(groups: Sequence[RunGroup], name: str) -> Figure | None:
    """Draws loss and score on the validation split over training; None without any."""

    drawn = groups if len(groups) <= CURVES else best(groups, CURVES)
    frames = {
        group.label: tables([run.run for run in group.completed[:SEEDS]], "metrics")
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
