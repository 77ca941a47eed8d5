"""The answers of a claim and what they rest on, comparisons and arms, in tables."""

__all__ = ["Values", "arms_table", "comparisons_table", "effect_of", "outcome"]

from collections.abc import Mapping

import numpy as np

from ..claims.decision import Answered, Decision
from ..claims.evidence import Evidence
from ..claims.terms import expectation
from ..claims.verdict import LEVEL, NULL
from ..output import plural
from ..statistics import mean_interval
from .cells import code, count, measured, number, ranged, text, verdict
from .document import Cell, Row, Table, numbers
from .units import EXACT, Triple, amount, behind, bounded, effect, in_unit, rounded, titled

TOGETHER = numbers("with all that decide", "estimate", "low (all)", "high (all)")
"""The column of intervals that hold together."""

Values = Mapping[str, Mapping[str, np.ndarray]]
"""Of each metric the values of each arm by seed, NaN where they are missing."""


def outcome(decision: Decision) -> str:
    """Says the verdict; of no effect, with the margin, and in how many of the comparisons."""

    found, deciding = decision.verdict.verdict, decision.deciding
    null = [each for each in deciding if each.answer.verdict == NULL]
    margins = {
        amount(each.comparison.margin, each.metric, digits=EXACT)
        + (" as a ratio" if each.metric.log else "")
        for each in null
    }
    if found != NULL or len(margins) != 1:
        return found
    share = f", in {len(null)} of {len(deciding)}" if len(null) < len(deciding) else ""

    return f"no effect larger than {margins.pop()}{share}"


def comparisons_table(decision: Decision, name: str) -> Table:
    """Makes the table of comparisons; a column that none of them has is left out."""

    rows = [_row(place, each) for place, each in enumerate(decision.answers, start=1)]
    kept = [head for head in rows[0] if any(row[head].text != "–" for row in rows)]
    caption = f"The comparisons. Intervals have the level of {100 * LEVEL:g} %, each by itself"
    if TOGETHER in kept:
        caption += (
            ", and wider ones where all that decide hold together: a verdict is read off these, "
            "unless all that decide agree by those by themselves"
        )
    caption += (
        ". What is asked of every network has the worst value and the range of all. p-values are "
        "two-sided, of the mean being zero (of ratios: one), and not adjusted. Sign flips show in "
        "brackets the smallest p that so many seeds can reach. d_z is the mean in standard "
        "deviations."
    )

    return Table.of(name, caption, [{head: row[head] for head in kept} for row in rows])


def arms_table(evidence: Evidence, values: Values, name: str) -> Table:
    """Makes the table of arms: their overrides, their tuned settings, their metrics."""

    claim = evidence.claim
    rows: list[Row] = []
    for arm, overrides in claim.arms.items():
        row: Row = {"arm": code(arm), "words": code(" ".join(overrides))}
        if claim.tuning is not None:
            tuned = evidence.tuned.get(arm) or {}
            chosen = [f"{key}={value}" for key, value in (tuned.get("chosen") or {}).items()]
            edges = ", ".join(tuned.get("edges") or ()) or "no"
            row["tuned to"] = code(" ".join(chosen))
            row["at an end of what was tried"] = text(edges if chosen else "")
        for key, metric in claim.metrics.items():
            own, factor = values[key][arm], metric.factor
            triple, n = mean_interval(own, metric.log), int(np.isfinite(own).sum())
            row[measured(titled(metric), key)] = Cell(
                f"{bounded(triple, factor)}\nn = {n}", (*triple, n)
            )
        rows.append(row)

    caption = "The arms, and the mean of each metric over seeds with its 95 % t interval."
    if any(metric.log for metric in claim.metrics.values()):
        caption += " What is compared by ratios has its geometric mean."

    return Table.of(name, caption, rows)


def effect_of(decision: Decision, answered: Answered) -> Cell:
    """Makes the cell of an effect with the interval that the verdict is read off."""

    together = decision.together and answered.comparison.role == "decides"

    return _effect(answered, answered.interval_all if together else answered.interval)


def _row(place: int, answered: Answered) -> Row:
    asked, answer, metric = answered.comparison, answered.answer, answered.metric
    size, flips = answer.effect, answer.p_permutation
    reached = "" if flips is None else f" (≥ {number(answer.p_permutation_smallest, 2)})"
    together = answered.interval_all if answer.low_all != answer.low else None
    margin = float(f"{rounded(in_unit(asked.margin, metric)):g}")
    unit = behind(f"{margin:g}", "" if metric.log else metric.unit)

    return {
        numbers("", "comparison"): count(place),
        "contrast": code(answered.contrast),
        "of": text(asked.words or metric.words + (", as a ratio" if metric.log else "")),
        "verdict": verdict(answer.verdict),
        "role": text(asked.role),
        "expected": text(expectation(asked.expects, margin, metric.log) + unit),
        numbers("estimate", "estimate", "low", "high"): _effect(answered, answered.interval),
        TOGETHER: _effect(answered, None if answered.missing else together),
        numbers("n"): count(answer.n),
        numbers("p (t)"): count(answer.p, 2),
        numbers("p (sign flips)", "p (sign flips)", "smallest p"): Cell(
            number(flips, 2) + reached, (flips, answer.p_permutation_smallest)
        ),
        numbers("d_z", "d_z", "d_z low", "d_z high"): ranged(size and size.triple),
        numbers("seeds needed"): count(answer.seeds_needed),
        "interval over": text(answered.over),
    }


def _effect(answered: Answered, triple: Triple | None) -> Cell:
    """Makes the cell of an effect; where numbers are missing it says so, and tells none."""

    if triple is None:
        return Cell("–", (None, None, None))
    if answered.missing:
        return Cell(f"{plural(len(answered.missing), 'number')} missing", (None, None, None))

    return Cell(effect(triple, answered.metric), triple)
