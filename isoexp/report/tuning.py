"""How the arms of a claim were tuned: their trials, and what any other budget would have found.

One budget is one point of a tuning: an arm that is ahead after sixteen trials may be behind after
two. The curve tells the best score that k trials can expect, for each k.
"""

__all__ = ["tuning_figure", "tuning_table"]

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..claims.evidence import Evidence
from ..figures.arms import curves
from ..output import plural
from ..statistics import best_of
from .cells import code, number, text
from .document import Cell, Column, Figure, Table, numbers

FEW = 3
"""Of fewer trials there is no curve to be drawn."""


def tuning_table(evidence: Evidence, name: str) -> Table | None:
    """Makes the table of scores, settings by arm; None if no arm was tuned."""

    tuning, tuned = evidence.claim.tuning, evidence.tuned
    if tuning is None or not tuned:
        return None
    scores: dict[str, dict[str, Cell]] = {}
    for arm, each in tuned.items():
        for tried in each.get("tried") or ():
            settings = " ".join(f"{key}={value}" for key, value in tried["values"].items())
            failed = f"{tried['failed']} of {tried['networks']} failed" if tried["failed"] else ""
            told, best = failed or number(tried["score"]), tried["values"] == each.get("chosen")
            cell = Cell(told + " (best)" * best, (tried["score"],), kind="best" * best)
            scores.setdefault(settings, {})[arm] = cell
    caption = (
        f"Tuning: the mean {tuning.metric} of {plural(tuning.seeds, 'network')} of other seeds, "
        "for each trial. The best of each arm is what was compared."
    )
    columns = [Column("settings"), *map(numbers, tuned)]
    rows = [
        [code(settings), *(own.get(arm, text("")) for arm in tuned)]
        for settings, own in scores.items()
    ]

    return Table(name, caption, columns, rows)


def tuning_figure(evidence: Evidence, name: str) -> Figure | None:
    """Draws the best score of k trials of each arm; None if no arm has tried enough."""

    tuning = evidence.claim.tuning
    best: dict[str, np.ndarray] = {}
    for arm, each in evidence.tuned.items() if tuning else ():
        found = _best_of(each, tuning.metric) if tuning else None
        if found is not None:
            best[arm] = found
    if tuning is None or not best:
        return None
    parts = [
        pd.DataFrame(own, columns=pd.Index(["mean", "low", "high"])).assign(
            x=np.arange(1.0, len(own) + 1), arm=arm, panel=tuning.metric
        )
        for arm, own in best.items()
    ]
    caption = (
        f"Tuning curves: the best {tuning.metric} that k trials can expect, from those that there "
        "were, with a 95 % band that holds for all k at once (Dvoretzky, Kiefer and Wolfowitz)."
    )
    ends = [f"{arm} {number(own[0, 0])} to {number(own[-1, 0])}" for arm, own in best.items()]
    alt = f"Best {tuning.metric} against the number of trials: {'; '.join(ends)}."
    told = f"{caption} {_ahead(best, -1 if tuning.metric.endswith('/loss') else 1)}"

    return Figure(name, curves(parts, "trials", False, ()), alt, told)


def _best_of(tuned: Mapping[str, Any], metric: str) -> np.ndarray | None:
    """Returns the best of k = 1 … n trials with its band, as (n, 3); None of too few.

    A trial that failed counts as the worst score that there was, or can be.
    """

    tried = [each["score"] for each in tuned.get("tried") or ()]
    known = [score for score in tried if score is not None]
    if len(tried) < FEW or not known:
        return None
    sign = -1 if metric.endswith("/loss") else 1
    least = 0.0 if metric.endswith("/accuracy") else min(sign * score for score in known)
    most = 0.0 if sign < 0 else 1.0
    found = sign * best_of([least if s is None else sign * s for s in tried], (least, most))

    return found if sign > 0 else found[:, [0, 2, 1]]


def _ahead(best: Mapping[str, np.ndarray], sign: int) -> str:
    """Says which arm is ahead after how many trials."""

    if len(best) < 2:
        return ""
    most = min(map(len, best.values()))
    first = [max(best, key=lambda arm: sign * best[arm][k, 0]) for k in range(most)]
    turns = [k for k in range(most) if k == 0 or first[k] != first[k - 1]]
    if len(turns) == 1:
        return f"{first[0]} is ahead after any number of them."
    said = [f"{first[k]} from {plural(k + 1, 'trial')} on" for k in turns]

    return f"Ahead is {', '.join(said)}."
