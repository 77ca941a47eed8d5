"""The figures of claims: effects in margins, contrasts by seed, metrics by arm, and curves."""

__all__ = ["contrast_figure", "curve_figure", "effects_figure", "metrics_figure"]

import textwrap
from collections.abc import Sequence
from math import exp, inf, isfinite, nan
from typing import Any

import numpy as np
import pandas as pd

from ..claims.decision import Answered, Decision
from ..claims.evidence import Evidence
from ..claims.values import matching, tables
from ..claims.verdict import EVERY, LEVEL, Answer, Verdict
from ..figures import arms, verdicts
from ..figures.arms import over_seeds
from ..output import plural
from ..statistics import mean_interval
from .answers import Values
from .cells import number
from .document import Figure
from .sentence import label, read_off, valued
from .units import Triple, bounded, effect, in_unit, rounded, titled

NAME = 40
"""Letters of a line that names a comparison."""

TOLD = 6
"""Arms that the text beside a figure names."""


def metrics_figure(evidence: Evidence, values: Values, name: str) -> Figure | None:
    """Draws the metrics, every seed a dot; None if nothing was measured."""

    metrics = evidence.claim.metrics
    svg = arms.dots(  # titles in lines that fit below a panel
        (
            textwrap.fill(titled(m), 44),
            m.log,
            [(arm, m.factor * own) for arm, own in values[key].items()],
        )
        for key, m in metrics.items()
    )
    if svg is None:
        return None
    alt = "Dots by arm."
    for key, m in metrics.items():
        means = [
            f"{arm} {bounded(mean_interval(own, m.log), m.factor)}"
            for arm, own in values[key].items()
        ]
        alt += f" {titled(m)}: {_several(means)}."
    caption = "Every dot is a network; the bar is the mean over seeds with its 95 % t interval."
    if any(metric.log for metric in metrics.values()):
        caption += " Logarithmic axes, geometric means: of what is compared by ratios."

    return Figure(name, svg, alt, caption)


def contrast_figure(decision: Decision, name: str) -> Figure | None:
    """Draws each metric that is compared by intervals, every seed's contrast a dot; None of none.

    Comparisons of every value stand beside those by intervals of the same metric: they are what an
    exact symmetry gives.
    """

    shown = {
        each.comparison.metric for each in decision.answers if each.comparison.expects not in EVERY
    }
    drawn = [e for e in decision.answers if e.comparison.metric in shown and len(e.values)]
    rows: list[dict[str, Any]] = []
    told = []
    for place, each in enumerate(drawn):
        metric, triple = each.metric, read_off(decision, each)
        every = each.comparison.expects in EVERY
        told.append(f"{label(each)} {_lacks(each) or effect(triple, metric)}")
        ends = (0.0, -each.answer.margin, each.answer.margin)
        null, below, above = valued(each, _powers(ends) if metric.log else ends)
        mean, low, high = (nan, nan, nan) if every or each.missing else triple
        whole = {"mean": mean, "low": low, "high": high}
        whole |= {"null": null, "below": below, "above": above}
        role = "" if each.comparison.role == "decides" else each.comparison.role
        behind = [f"({told})" for told in (role, _lacks(each)) if told]
        unit = "as a ratio" if metric.log else metric.unit
        panel = textwrap.fill(f"{metric.words} ({unit})" if unit else metric.words, 80)
        for value in each.values:
            size = exp(value) if metric.log else float(value)
            value = valued(each, (size, size, size))[0]
            own = {key: in_unit(v, metric) for key, v in {"value": value, **whole}.items()}
            row = {
                "row": place,
                "panel": panel,
                "log": metric.log,
                "verdict": _short(each.answer),
                **own,
            }
            rows.append({"label": "\n".join([textwrap.fill(label(each), NAME), *behind]), **row})
    if not rows:
        return None
    caption = (
        "The comparisons: every dot is a seed, the mark below it the mean with the interval that "
        f"the verdict is read off, of level {100 * LEVEL:g} % by itself or with all that decide. "
        "The line is what it is held against; what is shaded does not count."
    )

    return Figure(
        name,
        arms.svg(verdicts.draw_contrasts, pd.DataFrame(rows)),
        f"Contrasts by seed: {_several(told)}.",
        caption,
    )


def effects_figure(found: Sequence[tuple[Decision, bool]], name: str) -> Figure | None:
    """Draws the effects that decide claims in units of their margins; None of no claim.

    Arguments:
        found: The decisions, each with whether it was confirmed.
    """

    rows: list[dict[str, Any]] = []
    told = []
    for decision, confirmed in found:
        evidence = decision.evidence
        mark = " ‡" if evidence.faults else " †" if evidence.kind == "amendment" else ""
        own = [_in_margins(decision, each) for each in decision.deciding]
        several = {each["label"] for each in own}
        for place, each in enumerate(own, start=1):
            each["label"] += f" ({place})" if len(several) < len(own) else ""
        title = evidence.claim.name.replace("_", " ") + mark
        # Claims of several studies have one name.
        title = (
            f"{title} ({evidence.study.name})" if any(r["claim"] == title for r in rows) else title
        )
        whole = {"claim": title, "outcome": _short(decision.verdict), "confirmed": confirmed}
        rows += [{**whole, **each} for each in own]
        values = [each["value"] for each in own if isfinite(each["value"])]
        ends = (
            " to ".join(dict.fromkeys(f"{rounded(e(values)):g}" for e in (min, max)))
            if values
            else "–"
        )
        told.append(f"{title}, {decision.verdict.verdict}: {ends}")
    if not rows:
        return None
    marks = {row["claim"].rpartition(" ")[2] for row in rows}
    notes = {
        "What is asked of every network, by mathematics, has the size of the worst value, and a "
        "thin line for the range of all.": not all(row["bounds"] for row in rows),
        "Hollow marks: not confirmed with new seeds.": not all(row["confirmed"] for row in rows),
        "† amended: the plan was changed after runs of it.": "†" in marks,
        "‡ not as planned, for the reasons in its chapter.": "‡" in marks,
        "* no margin: in half widths of the interval.": any("*" in row["label"] for row in rows),
    }
    caption = (
        "What decides each claim: effects in units of the smallest that counts, with the intervals "
        "that verdicts are read off. Between the dashed lines nothing counts; where an effect was "
        "expected, its sign is to the right; beyond ±3 the axis is logarithmic."
    )
    caption = " ".join([caption, *(note for note, holds in notes.items() if holds)])
    alt = f"Deciding effects in units of their margins, by claim. {'; '.join(told)}."

    return Figure(name, arms.svg(verdicts.draw_effects, pd.DataFrame(rows)), alt, caption)


def _in_margins(decision: Decision, answered: Answered) -> dict[str, Any]:
    """Returns the row of a comparison in the figure of effects."""

    asked, answer = answered.comparison, answered.answer
    margin, name = answer.margin, textwrap.shorten(label(answered), NAME, placeholder=" …")
    triple = (answer.estimate, answer.low, answer.high)
    if decision.together:
        triple = (answer.estimate, answer.low_all, answer.high_all)
    every = asked.expects in EVERY
    if every and len(answered.values):
        sizes = np.abs(answered.values)
        triple = (abs(answer.estimate), float(sizes.min()), float(sizes.max()))
    elif asked.expects == "less":
        triple = (-triple[0], -triple[2], -triple[1])
    if not every and not margin:
        margin, name = (triple[2] - triple[1]) / 2, f"{name} *"
    if answered.missing or not isfinite(margin):
        triple = (nan, nan, nan)
    # Of mathematics without a margin all that is not 0 is beyond it.
    a, b, c = (each / margin if margin else each * inf if each else each for each in triple)

    return {
        "label": name,
        "verdict": _short(answer),
        "value": a,
        "low": b,
        "high": c,
        "bounds": not every,
    }


def _lacks(answered: Answered) -> str:
    gaps = len(answered.missing)

    return f"{plural(gaps, 'number')} missing" if gaps else ""


def _powers(triple: Triple) -> Triple:
    a, b, c = map(exp, triple)

    return a, b, c


def _short(found: Answer | Verdict) -> str:
    return found.verdict.partition(" larger")[0]


def curve_figure(evidence: Evidence, name: str) -> Figure | None:
    """Draws the plot that a claim asks for; None if it asks for none, or has no rows."""

    plot = evidence.claim.curve
    if plot is None:
        return None
    parts, ends = [], []
    for arm in plot.arms:
        runs = [run for run in evidence.runs[arm].values() if run and run.status == "completed"]
        found = [matching(frame, plot.where) for frame in tables(runs, plot.of, evidence.results)]
        part = over_seeds(found, plot.x, plot.y)
        if len(part):
            parts.append(part.assign(arm=arm, panel=plot.y))
            first, last = (number(part["mean"].iloc[place], 3) for place in (0, -1))
            ends.append(f"{arm} from {first} to {last}")
    if not parts:
        return None
    x = np.concatenate([part["x"].to_numpy(dtype=float) for part in parts])
    reach = f"from {number(x.min(), 3)} to {number(x.max(), 3)}"
    alt = f"{plot.y} against {plot.x}, {reach}: {_several(ends)}."
    conditions = ", ".join(f"{key} {value}" for key, value in plot.where.items())
    of = f"the table of {plot.of}" + (f" where {conditions}" if conditions else "")
    caption = f"{plot.y} in {of}: the mean over seeds of each arm with its 95 % t interval."

    return Figure(name, arms.curves(parts, plot.x, plot.log_x, log_y=()), alt, caption)


def _several(told: Sequence[str]) -> str:
    more = f"; {len(told) - TOLD} more in the table" if len(told) > TOLD else ""

    return "; ".join(told[:TOLD]) + more
