"""The columns of a run's tables: those that isoexp adds to every one, and those that are measured.

every table     run · study · the groups · seed · state, the same in all rows
of a probe      network · step · twin, then its schema
"""

__all__ = ["OWN", "check_probe", "numbers", "of_metrics", "of_probe"]

from collections.abc import Mapping

from ..errors import UserError
from ..probes import Probe
from ..store.identity import columns
from ..store.tables import METRICS, SCORES, TABLES, Schema

OWN: Schema = {
    **{name: type(value) for name, value in columns({}, "", "", 0).items()},
    "state": str,
}
"""The first columns of every table."""

MEASURED: Schema = {"network": str, "step": int, "twin": str}
"""The columns of a probe's table that say what was measured; twin, if it needs one."""

EVALUATED = ("train_time_s", "steps", "parameters", "valid/loss", "test/loss")
"""The final numbers of a run, beside its scores and those of probes."""


def numbers(score: str) -> list[str]:
    """Returns the final numbers of a run whose task has this score, but for those of probes."""

    return [*EVALUATED, f"valid/{score}", f"test/{score}"]


def of_metrics(score: str) -> Schema:
    """Returns the columns of metrics.parquet of a task that has this score."""

    others = {each.partition("/")[2] for each in SCORES} - {score}
    own = {name: kind for name, kind in METRICS.items() if name.partition("/")[2] not in others}

    return {**OWN, **own}


def of_probe(probe: Probe) -> Schema:
    """Returns the columns of a probe's table after isoexp's first ones."""

    twin = "twin" in getattr(probe, "needs", ())
    told = {name: kind for name, kind in MEASURED.items() if twin or name != "twin"}

    return {**told, **probe.schema}


def check_probe(name: str, probe: object) -> None:
    """Checks that a probe can be put and that its table could be read.

    Raises:
        UserError: If it is none, or a column has no type, or the name of one that isoexp adds.
    """

    where = f"probe.{name}"
    if name in TABLES:
        raise UserError(f"{where} must have another name: isoexp's own table is called {name}")
    if not isinstance(probe, Probe):
        told = "with a schema, a call and a summary, as isoexp.probes.Probe says"
        raise UserError(f"{where} must be a probe, {told}; got {type(probe).__name__}")
    if not isinstance(probe.schema, Mapping) or not probe.schema:
        raise UserError(f"{where}: its schema must name columns, got {probe.schema!r}")
    for column, kind in probe.schema.items():
        if kind not in (str, int, float, bool):
            told = "must be str, int, float or bool"
            raise UserError(f"{where}: the type of its column {column} {told}, got {kind!r}")
        if column in OWN or column in MEASURED:
            raise UserError(
                f"{where}: its column {column} must have another name, for isoexp adds a column "
                f"{column} to every table: rename it in schema and rows"
            )
