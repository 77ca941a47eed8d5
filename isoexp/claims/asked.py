"""What a claim asks of the runs of its arms, held against what they measure before any is trained.

summary     the final numbers: of the task, then of probes, whose names only rows tell
metrics     the rows of the training
PROBE       the rows of a probe that is put to the arm
"""

__all__ = ["check_asked"]

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import UserError, did_you_mean
from ..experiment.columns import OWN, numbers, of_metrics, of_probe
from ..experiment.job import Job
from ..store.tables import Schema
from .claim import Claim
from .terms import KINDS
from .values import CONDITION


def check_asked(claim: Claim, arm: str, job: Job, tuned: bool) -> None:
    """Checks that the runs of an arm have the numbers by which it is tuned, compared and drawn.

    Arguments:
        job: A job of the arm, with its probes.
        tuned: Whether it is tuned.

    Raises:
        UserError: If there is no such number, table or column.
    """

    lab = job.lab()
    score = lab.objective("valid").score
    final = numbers(score)
    own = {name: {**OWN, **of_probe(probe)} for name, probe in lab.probes.items()}
    tables = {"metrics": of_metrics(score), **own}

    def has(key: str, what: str, name: str, there: Iterable[str]) -> None:
        there = list(there)
        if name not in there:
            near = did_you_mean(name, there) or f"; there is {', '.join(there) or 'none'}"
            raise UserError(
                f"claim {claim.name}: {key}: runs of the arm {arm} have no {what} {name}{near}"
            )

    if claim.tuning and tuned:
        there = [each for each in final if each.startswith("valid/")]
        has("tuning.metric", "number", claim.tuning.metric, there)

    compared = {each.metric for each in claim.comparisons if arm in each.weights}
    for name in compared:
        metric, key = claim.metrics[name], f"metrics.{name}"
        if metric.of != "summary":
            has(key, "table", metric.of, tables)
            columns = tables[metric.of]
            measured = [each for each, kind in columns.items() if kind is not str]
            has(key, "number" if metric.column in columns else "column", metric.column, measured)
            for where in (metric.where, metric.minus):
                _check_rows(f"claim {claim.name}: {key}", where, columns)
        elif metric.where or metric.minus:
            raise UserError(
                f"claim {claim.name}: {key}: where and minus choose rows, and a summary has none: "
                f"of must be one of {', '.join(tables)}"
            )
        elif metric.column.startswith("probe/"):
            has(key, "probe", metric.column.split("/")[1], lab.probes)
        else:
            has(key, "number", metric.column, [*final, *(f"probe/{each}/…" for each in own)])

    if claim.curve and arm in claim.curve.arms:
        has("curve", "table", claim.curve.of, tables)
        columns = tables[claim.curve.of]
        for column in (claim.curve.x, claim.curve.y):
            has("curve", "column", column, columns)
        _check_rows(f"claim {claim.name}: curve", claim.curve.where, columns)


def _check_rows(where: str, conditions: Mapping[str, Any], columns: Schema) -> None:
    """Checks that the rows that count are told by columns of the table, with values they may have.

    Raises:
        UserError: If they are not.
    """

    for name, wanted in conditions.items():
        if name not in columns:
            near = did_you_mean(name, columns) or f"; there is {', '.join(columns)}"
            raise UserError(f"{where}: its table has no column {name} to choose rows by{near}")
        kind = columns[name] if columns[name] in (str, bool) else float
        for value in wanted if isinstance(wanted, list) else [wanted]:
            condition = CONDITION.fullmatch(value) if isinstance(value, str) else None
            if not (_is_number(condition[2]) if condition and kind is float else _is(value, kind)):
                raise UserError(f"{where}: {name} must be {KINDS[kind][1]}, got {value!r}")


def _is(value: Any, kind: type) -> bool:
    return isinstance(value, KINDS[kind][0]) and isinstance(value, bool) == (kind is bool)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False

    return True
