"""Runs of two folders side by side, A and B: settings that differ, final numbers, curves.

Compared are groups that are alike in all that varies within A, or within B; what A and B as a whole
differ in is what is compared. B − A is seed by seed where both have the same seeds.
"""

__all__ = ["differing", "side_by_side"]

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import Any

import pandas as pd

from ..figures.arms import curves
from ..output import plural
from ..store.identity import flat
from .cells import code, number, ranged, text
from .contrasts import Contrast, contrast, reader
from .document import Block, Cell, Figure, Paragraph, Row, Section, Table, numbers
from .entries import DEFAULT, Entry, RunGroup, grouped, settled
from .origin import LOOKED_AT
from .sweeps import COLUMNS, curve_parts

SHOWN = 100
"""Differences that a table shows."""

CURVES = 3
"""Groups whose curves are drawn: each has a panel."""

VALUES = 4
"""Values of a setting that are named."""


def differing(a: Sequence[Entry], b: Sequence[Entry]) -> Block:
    """Makes a table of the settings whose values A and B do not share."""

    sides = [each[:: -(-len(each) // LOOKED_AT)] for each in (a, b)]
    whole = all(run.config for own in sides for run in own)
    found = [[_settings_of(run, whole) for run in own] for own in sides]
    names = dict.fromkeys(name for own in found for each in own for name in each)
    values = {
        name: [dict.fromkeys(each.get(name, DEFAULT) for each in own) for own in found]
        for name in names
    }
    rows: list[Row] = [
        {"setting": code(name), "A": code(_several(one)), "B": code(_several(other))}
        for name, (one, other) in values.items()
        if one.keys() != other.keys()
    ]
    few = (
        f" By {LOOKED_AT} runs of each, where there are more."
        if max(map(len, (a, b))) > LOOKED_AT
        else ""
    )
    if not rows:
        return Paragraph(f"A and B have the same settings.{few}")

    return Table.of(
        "settings", f"Settings that differ; {DEFAULT} is one that is not set.{few}", rows
    )


def _settings_of(run: Entry, whole: bool) -> dict[str, str]:
    """Returns the settings of a run, all of them or those it was started with."""

    config = flat(run.config, 0) if whole else {}
    own = {k: str(v) for k, v in config.items() if k != "seed" and not k.endswith("_target_")}

    return {**run.settings, **{k: DEFAULT if v == "None" else v for k, v in own.items()}}


def _several(values: Iterable[str]) -> str:
    told = [*values]
    more = [f"… {len(told)} in all"] if len(told) > VALUES else []

    return ", ".join(told[:VALUES] + more)


def side_by_side(a: Sequence[Entry], b: Sequence[Entry]) -> list[Section]:
    """Compares the groups that are alike in all that varies within A, or within B."""

    names = list(dict.fromkeys([*settled(a), *settled(b)]))
    left, right = ({tuple(g.settings.values()): g for g in grouped(own, names)} for own in (a, b))
    both = [key for key in left if key in right]
    found: list[tuple[float, Row]] = []
    clear = dict.fromkeys(both, 0.0)
    for key in both:
        one, other, read = left[key], right[key], reader()
        for name in dict.fromkeys(name for run in one.completed for name in run.numbers):
            compared = contrast(one, other, name, read)
            if compared is None or name in ("steps", "parameters"):
                continue
            # In standard errors; where one run alone gives none the error is ∞.
            size, error = abs(compared.student.estimate), compared.student.error
            found.append(
                (size / error if error else inf if size else 0.0, _row(one, other, name, compared))
            )
            clear[key] = max(clear[key], found[-1][0])
    first = sorted(both, key=lambda key: -clear[key])
    figure = _curves([(left[key], right[key]) for key in first])
    if not found and figure is None:
        return []
    found.sort(key=lambda each: -each[0])  # as they were, where they are equally clear
    blocks: list[Block] = []
    if found:
        blocks.append(
            Table.of("groups", _caption(len(both), found), [row for _, row in found], SHOWN)
        )
    blocks += [figure] if figure else []
    alone = [
        f"{len(set(own) - set(both))} only in {name}"
        for name, own in (("A", left), ("B", right))
        if set(own) - set(both)
    ]
    if alone:
        blocks.append(Paragraph(f"Groups that one of them has: {', '.join(alone)}."))

    return [Section("Runs", "runs", blocks)]


def _row(a: RunGroup, b: RunGroup, name: str, compared: Contrast) -> Row:
    values, student = [own.values(name) for own in (a, b)], compared.student
    means = [Cell(f"{number(v.mean())}\nn = {len(v)}", (float(v.mean()), len(v))) for v in values]
    difference = ranged(student.interval().triple)
    if not isfinite(student.error):
        difference = replace(difference, text=number(student.estimate))

    return {
        **a.cells,
        "number": text(name),
        numbers("A", "A mean", "A n"): means[0],
        numbers("B", "B mean", "B n"): means[1],
        numbers("B − A", "difference", "low", "high"): difference,
        "n": text(compared.n),
        "interval over": text(compared.over if isfinite(student.error) else ""),
    }


def _caption(groups: int, found: Sequence[tuple[float, Row]]) -> str:
    """Says what the table of numbers is of."""

    told = (
        f"{plural(groups, 'group')} of runs that both have, by final number; those first that "
        "differ most, beside their standard error. B − A is seed by seed where both have the same "
        "seeds, else by Welch. An interval over seeds of one split leaves other splits out; of one "
        "run each there is none, for nobody knows what another seed would give."
    )
    more = (
        f" The first {SHOWN} of {len(found):,}; the files have all." if len(found) > SHOWN else ""
    )

    return told + more


def _curves(pairs: Sequence[tuple[RunGroup, RunGroup]]) -> Figure | None:
    """Draws A and B over training: of one group all columns, of several the first there is."""

    parts: list[pd.DataFrame] = []
    for one, other in pairs[:CURVES]:
        arms = {n: own.completed or own.runs for n, own in (("A", one), ("B", other))}
        if len(pairs) == 1:
            parts += curve_parts(arms)
            continue
        for column in reversed(COLUMNS):
            if drawn := curve_parts(arms, [column], f", {one.label}"):
                parts += drawn
                break
    if not parts:
        return None
    ends: Any = pd.concat(parts).groupby(["panel", "arm"], sort=False)["mean"].last()
    told = "; ".join(
        f"{panel} of {arm} ends at {number(end)}" for (panel, arm), end in ends.items()
    )
    few = f" The {CURVES} groups that differ most." if len(pairs) > CURVES else ""
    caption = f"Over training, the mean with its 95 % t interval over seeds alone.{few}"
    log_y = [
        part["panel"].iloc[0] for part in parts if part["panel"].iloc[0].startswith("valid/loss")
    ]
    drawing = curves(parts, "update", log_x=False, log_y=log_y)

    return Figure("curves", drawing, f"Curves. {told}.", caption)
