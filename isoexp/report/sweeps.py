"""The chapter of a study without a claim: its groups side by side, their curves, what failed."""

__all__ = ["curve_parts", "sweep"]

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import isfinite, nan
from typing import Any

import pandas as pd

from ..claims.error import WITHOUT_DATA
from ..claims.values import tables
from ..figures.arms import curves, dots, over_seeds
from ..output import plural
from ..statistics import Student, mean_interval
from .cells import code, count, interval, measured, ranged, text
from .contrasts import contrast, mean_of, over, overs, reader
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

COLUMNS = ("valid/loss", "valid/accuracy", "valid/r2")
"""Columns that are drawn over training."""

EFFECTS = 100
"""Effects that a table shows."""


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
    few = ""
    if len(groups) > SHOWN:
        few = (
            f" The {SHOWN} best on the validation split of {len(groups):,}; the files have all. "
            "The best of many look better than they are: choose, then train seeds that were not "
            "looked at."
        )

    def table(name: str, caption: str, names: Sequence[str], counted: bool = False) -> Table:
        rows: list[Row] = []
        told: list[tuple[str, str]] = []
        for group in shown:
            read, row, done = reader(), dict(group.cells), len(group.completed)
            if counted:
                left = len(group.runs) - done
                row |= {numbers("completed"): count(done), numbers("not"): count(left)}
            for each in names:
                student = mean_of(group, each, read)
                row[measured(each.removeprefix("probe/"), each)] = _mean(student, done)
                if student and each not in WITHOUT_DATA:
                    told.append((each, over(student, each, group)))
            rows.append(row)

        return Table.of(f"{anchor}-{name}", f"{caption}: {means}{overs(told)}{few}", rows, SHOWN)

    return [table("groups", "Final numbers", finals, counted=True)] + [
        table(probe, f"What {probe} measured", names) for probe, names in own.items()
    ]


def _mean(student: Student | None, completed: int) -> Cell:
    """Makes the cell of a mean; it says n where that is not the number of completed runs."""

    if student is None:
        return Cell("–" + " (n = 0)" * bool(completed), (nan, nan, nan, 0))
    triple, n = student.interval().triple, student.n
    same = student.error == 0 and float(triple[0]).is_integer()
    if same:  # a count, which no chance moves
        triple = (triple[0], triple[0], triple[0])
    told = f"{triple[0]:g}" if same else interval(*triple)

    return Cell(told + f" (n = {n})" * (n != completed), (*triple, n))


def _effects(groups: Sequence[RunGroup], score: str, name: str) -> Table | None:
    """Makes the table of contrasts in one setting; None if no pair of groups has any."""

    read, contrasts = reader(), []
    for a, b in combinations(groups, 2):
        differ = [key for key, value in a.settings.items() if b.settings[key] != value]
        found = contrast(a, b, score, read) if len(differ) == 1 else None
        if found and isfinite(found.student.error):
            contrasts.append((differ[0], a.settings, b.settings, found))
    if not contrasts:
        return None
    caption = (
        f"The effect of one setting on {score}: B − A with its 95 % interval, seed by seed where "
        "groups share seeds, else by Welch. d_z is the effect in standard deviations of the "
        "difference by seed, g in those of a run; their intervals, by the noncentral t law, are "
        "over seeds alone. Each stands by itself: of many, one in twenty is off by chance."
    )
    shared = any(found.student.floor for *_, found in contrasts)
    if shared:
        caption += (
            " The floor is the part of the standard error that no number of seeds lowers, for they "
            "share samples: more test samples do."
        )
    rows: list[Row] = [
        {
            "setting": code(key),
            "A": code(a[key]),
            "B": code(b[key]),
            "at": code(" ".join(f"{k}={v}" for k, v in a.items() if k != key)),
            "n": text(found.n),
            numbers("B − A", "difference", "low", "high"): ranged(found.student.interval().triple),
            numbers("effect size", "effect", "effect low", "effect high", "effect in"): found.size,
            **({numbers("floor"): count(found.student.floor, 2)} if shared else {}),
            "interval over": text(found.over),
        }
        for key, a, b, found in contrasts
    ]

    return Table.of(name, caption, rows, EFFECTS)


def _dots(groups: Sequence[RunGroup], score: str, name: str) -> Figure | None:
    drawn = groups if len(groups) <= DRAWN else best(groups, DRAWN)
    values = [(group.label, group.values(score)) for group in drawn]
    svg = dots([(score, False, values)])
    told = [f"{label} {interval(*mean_interval(own))}, n = {len(own)}" for label, own in values]
    few = f" The {DRAWN} best of {len(groups):,} groups." if len(groups) > DRAWN else ""
    caption = (
        f"{score}: every dot is a network, the bar the mean with its 95 % t interval over seeds "
        f"alone.{few}"
    )
    alt = f"Dots of {score} by group. {'; '.join(told[:CURVES])}."

    return Figure(name, svg, alt, caption) if svg else None


def _curves(groups: Sequence[RunGroup], name: str) -> Figure | None:
    """Draws loss and score on the validation split over training; None without any."""

    drawn = groups if len(groups) <= CURVES else best(groups, CURVES)
    parts = curve_parts({group.label: group.completed for group in drawn})
    if not parts:
        return None
    ends: Any = pd.concat(parts).groupby(["panel", "arm"], sort=False)["mean"].last()
    told = "; ".join(
        f"{panel} of {arm} ends at {value:.4g}" for (panel, arm), value in ends.items()
    )
    few = f" The {CURVES} best of {len(groups):,} groups." if len(groups) > CURVES else ""
    most = f" Of the first {SEEDS} seeds." if any(len(g.completed) > SEEDS for g in drawn) else ""
    caption = f"Over training, the mean with its 95 % t interval over seeds alone.{few}{most}"

    drawing = curves(parts, "update", log_x=False, log_y=["valid/loss"])

    return Figure(name, drawing, f"Curves. {told}.", caption)


def curve_parts(
    arms: Mapping[str, Sequence[Entry]], columns: Iterable[str] = COLUMNS, of: str = ""
) -> list[pd.DataFrame]:
    """Averages columns over training, arm by arm, as far as runs have them.

    Arguments:
        of: What a panel is of, beside its column.
    """

    frames = {
        label: tables([run.run for run in own[:SEEDS]], "metrics") for label, own in arms.items()
    }
    parts = [
        over_seeds(own, "step", column).assign(arm=label, panel=column + of)
        for column in columns
        for label, own in frames.items()
    ]

    return [part for part in parts if len(part)]
