"""Evidence: a claim as it was registered, and the numbers that its runs measured.

    <study>/claims/<claim>-<hash8>/
        claim.json    the claim as registered, when, and by which code, before its first run
        runs.json     how its arms were tuned, and the runs of each arm by seed
        verdict.json  the verdict, with all its comparisons

A claim that is changed is another one, and is registered beside the first.
"""

__all__ = [
    "CONDITION", "Evidence", "Missing", "damaged_claims", "earlier", "find_evidence", "matching",
    "number_of", "register", "registered", "results", "tables",
]  # fmt: skip

import operator
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Unreadable, UserError, did_you_mean, one_line
from ..store.files import Shape, files_below, fits, is_time, load_json, read_json, write_json
from ..store.run import PROVENANCE, Run, status
from ..store.study import Study
from ..store.tables import read_table
from .claim import Claim
from .terms import Comparison, Metric

if TYPE_CHECKING:
    import pandas as pd


def _is_candidate(value: Any) -> bool:
    """Whether a value is a combination that was tried, with its score."""

    keys = {"values": {str: Any}, "score": (float, None), "networks": int, "failed": int}

    return fits(value, keys) and keys.keys() <= value.keys()


REGISTRATION: Shape = {
    "registered": (is_time, None), "claim": {str: Any}, "code": PROVENANCE["code"],
    "versions": PROVENANCE["versions"],
}  # fmt: skip
"""What claim.json may say."""

RUNS: Shape = {
    "tuned": {str: {"chosen": {str: Any}, "edges": [str], "tried": [_is_candidate]}},
    "trials": {str: [str]},
    "arms": {str: {"words": [str], "runs": {str: str}}},
}
"""What runs.json may say."""

CONDITION = re.compile(r"(>=|<=|>|<|!=)\s*(.+)")
"""A condition on the values of a column."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "!=": operator.ne,
}  # fmt: skip


def results(run: Run, of: str) -> Any:
    """Reads the summary of a run, its metrics, or the table of a probe; None if there is none.

    Raises:
        Unreadable: If the table cannot be read.
    """

    if of == "summary":
        return run.summary
    path = run.folder / ("metrics.parquet" if of == "metrics" else f"probes/{of}.parquet")

    return read_table(path) if path.exists() else None


def tables(
    runs: Iterable[Run], of: str, read: Callable[[Run, str], Any] = results
) -> "list[pd.DataFrame]":
    """Reads the tables of runs, as far as they have any that can be read."""

    found = []
    for run in runs:
        with suppress(Unreadable):
            found.append(read(run, of))

    return [each for each in found if each is not None]


def number_of(found: Any, metric: Metric) -> float | None:
    """Returns a metric of a summary or of the rows of a table; None if no row counts."""

    if metric.of == "summary":
        return found.get(metric.column)
    if found is None or metric.column not in found:
        return None

    def taken(where: Mapping[str, Any]) -> float | None:
        column = matching(found, where)[metric.column].to_numpy(dtype=float)
        column = column[~np.isnan(column)]
        if not len(column):
            return None
        if metric.take in ("first", "last"):
            return float(column[0 if metric.take == "first" else -1])
        return float(getattr(np, metric.take)(column))

    value = taken(metric.where)
    if not metric.minus or value is None:
        return value
    other = taken({**metric.where, **metric.minus})

    return None if other is None else value - other


def matching(frame: "pd.DataFrame", where: Mapping[str, Any]) -> Any:
    """Selects the rows that have what `where` asks of their columns.

    It asks for a value, one of a list of values, or a condition like ">= 1". Numbers are equal if
    they differ by rounding only: an α of 10 may have come out as 9.999….
    """

    rows: Any = frame
    for name, wanted in where.items():
        if name not in rows:
            return rows.iloc[:0]
        column = rows[name]
        condition = CONDITION.fullmatch(wanted) if isinstance(wanted, str) else None
        if condition:
            sign, value = condition.groups()
            kept = OPERATORS[sign](column, float(value) if column.dtype.kind in "if" else value)
        else:
            kept = np.zeros(len(rows), dtype=bool)
            for value in wanted if isinstance(wanted, list) else [wanted]:
                if column.dtype.kind == "f" and not isinstance(value, str):
                    kept |= np.isclose(column, float(value), rtol=1e-6, atol=0.0)
                else:
                    kept |= (column == value).to_numpy(dtype=bool)
        rows = rows[kept]

    return rows


@dataclass(frozen=True)
class Missing:
    """A number that an arm lacks of a seed, and the reason."""

    arm: str
    seed: int
    reason: str


@dataclass(frozen=True)
class Evidence:
    """A claim and its runs, read from the folder where it was registered."""

    folder: Path

    @cached_property
    def claim(self) -> Claim:
        """The claim as it was registered.

        Raises:
            Unreadable: If its file holds none.
        """

        path = self.folder / "claim.json"
        try:
            return Claim.of(load_json(path, REGISTRATION)["claim"])
        except (FileNotFoundError, UserError, KeyError, TypeError, ValueError, AttributeError,
                RecursionError) as error:  # fmt: skip
            raise Unreadable(
                f"{path} must hold a claim: {one_line(error)[:200]}; isoexp reproduce makes it anew"
            ) from error

    @cached_property
    def registration(self) -> dict[str, Any]:
        """The claim, the time of its registration, the versions and the code of that time."""

        return read_json(self.folder / "claim.json", REGISTRATION)

    @property
    def registered(self) -> float:
        """The time of the registration; 0 if it is not known."""

        return float(self.registration.get("registered") or 0.0)

    @cached_property
    def found(self) -> dict[str, Any]:
        """The tuning of the arms and the identities of their runs; {} before there are any."""

        return read_json(self.folder / "runs.json", RUNS)

    @cached_property
    def damage(self) -> str | None:
        """What is wrong with its files, in a line; None if nothing is."""

        try:
            _ = self.claim
            load_json(self.folder / "runs.json", RUNS)
        except FileNotFoundError:
            return None
        except Unreadable as error:
            return f"{self.folder}: {error}"

        return None

    @property
    def study(self) -> Path:
        """The folder of the runs."""

        return self.folder.parent.parent

    @property
    def tuned(self) -> dict[str, dict[str, Any]]:
        """The settings chosen for each tuned arm, with the score of every combination."""

        return self.found.get("tuned") or {}

    @cached_property
    def runs(self) -> dict[str, dict[int, Run | None]]:
        """The run of each seed of each arm; None where there is none yet."""

        study = Study.of(self.study)
        arms = self.found.get("arms") or {}

        return {
            arm: {seed: study.find(_identity(arms, arm, seed)) for seed in range(self.claim.seeds)}
            for arm in self.claim.arms
        }

    @property
    def tuning_runs(self) -> list[Run]:
        """The runs that tuned the arms, as far as they exist."""

        study = Study.of(self.study)
        arms = (self.found.get("trials") or {}).values()

        return [run for own in arms for identity in own if (run := study.find(identity))]

    @cached_property
    def results(self) -> Callable[[Run, str], Any]:
        """The function `results`, which reads each of them once."""

        return cache(results)

    def check(self) -> None:
        """Checks that each metric is among what was measured, once there is anything of the kind.

        Raises:
            UserError: If it is not.
        """

        completed = [
            run
            for runs in self.runs.values()
            for run in runs.values()
            if run and run.status == "completed"
        ]
        for name, metric in self.claim.metrics.items():
            found = [self.results(run, metric.of) for run in completed]
            there = {str(key) for each in found if each is not None for key in each}
            if metric.of == "summary":
                root = metric.column.rpartition("/")[0]
                there = {key for key in there if key.rpartition("/")[0] == root}
            if there and metric.column not in there:
                near = (
                    did_you_mean(metric.column, there) or f"; there is {', '.join(sorted(there))}"
                )
                raise UserError(
                    f"claim {self.claim.name}: metrics.{name}: no run has {metric.column}, and "
                    f"none will be done again when that is mended{near}"
                )

    def values(self, name: str) -> tuple[dict[str, np.ndarray], list[Missing]]:
        """Returns a metric of each arm by seed, NaN where it is missing, and the reasons why."""

        metric = self.claim.metrics[name]
        values, missing = {}, []
        for arm, runs in self.runs.items():
            found = {seed: self._number(metric, run) for seed, run in runs.items()}
            values[arm] = np.array([np.nan if isinstance(v, str) else v for v in found.values()])
            missing += [Missing(arm, seed, v) for seed, v in found.items() if isinstance(v, str)]

        return values, missing

    def contrast(self, comparison: Comparison) -> tuple[np.ndarray, list[Missing]]:
        """Returns Σ w_a m_{a,s} less the value under the null, by seed, and the numbers missing.

        Of a metric that is compared by ratios it is the contrast of logarithms.
        """

        values, missing = self.values(comparison.metric)
        weights, against = comparison.weights, comparison.against
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.claim.metrics[comparison.metric].log:
                values = {arm: np.log(each) for arm, each in values.items()}
                against = np.log(against) if against else 0.0
        total = sum(weight * values[arm] for arm, weight in weights.items())

        return np.asarray(total) - against, [each for each in missing if each.arm in weights]

    def _number(self, metric: Metric, run: Run | None) -> float | str:
        """Returns a metric of a run, or the reason why it has none."""

        if run is None:
            return "not run yet"
        state = run.state
        found = status(state)
        if found != "completed":
            return f"{found}: {state['reason']}" if state.get("reason") else found
        damage = run.fault(f"{metric.of}.json".__eq__)
        try:
            value = number_of(self.results(run, metric.of), metric)
        except Unreadable as error:
            damage = str(error)
            value = None
        if damage is not None:
            return f"damaged: {damage}"
        if value is None or not np.isfinite(value):
            probe = metric.column.split("/")[1] if "/" in metric.column else metric.of
            reason = (
                f"its {metric.column} is undefined"
                if metric.of == "summary" and metric.column in run.summary
                else f"its summary has no {metric.column}"
                if metric.of == "summary"
                else f"{metric.of} has no {metric.column} like that"
            )
            return f"not measured: {(state.get('unmeasured') or {}).get(probe) or reason}"
        if metric.log and value <= 0:
            return f"{metric.column} is {value:g}, and ratios are of what is above 0"

        return float(value)


def register(study: Path, claim: Claim, facts: Mapping[str, Any]) -> Evidence:
    """Writes a claim down in its study, unless it was before, with facts of code and versions."""

    evidence = registered(study, claim)
    try:
        known = evidence.claim.identity == claim.identity
    except Unreadable:  # or not there yet
        known = False
    if not known:
        content = {"registered": time.time(), "claim": claim.written, **facts}
        evidence.folder.mkdir(parents=True, exist_ok=True)
        write_json(evidence.folder / "claim.json", content)

    return Evidence(evidence.folder)


def registered(study: Path, claim: Claim) -> Evidence:
    """Returns the evidence of a claim as it is, registered or not."""

    return Evidence(study / "claims" / f"{claim.name}-{claim.identity[:8]}")


def find_evidence(root: Path) -> list[Evidence]:
    """Returns the last registration of each claim below a folder, in the order of their names.

    Those whose file cannot be read are left out; `damaged_claims` tells of them.
    """

    last: dict[tuple[Path, str], Evidence] = {}
    for evidence in sorted(_readable(root), key=lambda e: e.registered, reverse=True):
        last.setdefault((evidence.study, evidence.claim.name), evidence)

    return [last[key] for key in sorted(last)]


def earlier(root: Path, evidence: Evidence) -> list[Evidence]:
    """Returns the other registrations of a claim."""

    own = evidence.study, evidence.claim.name
    same = [each for each in _readable(root) if (each.study, each.claim.name) == own]

    return [each for each in same if each.folder != evidence.folder]


def damaged_claims(root: Path) -> list[str]:
    """Tells, a line each, of the claims below a folder that a file of is damaged."""

    return [each.damage for each in _registrations(root) if each.damage is not None]


def _readable(root: Path) -> list[Evidence]:
    found = []
    for each in _registrations(root):
        with suppress(Unreadable):
            _ = each.claim
            found.append(each)

    return found


def _registrations(root: Path) -> list[Evidence]:
    return [Evidence(path.parent) for path in files_below(root, "claim.json")]


def _identity(arms: Mapping[str, Any], arm: str, seed: int) -> str:
    """Returns the identity of the run of an arm; "" if it is not known."""

    return ((arms.get(arm) or {}).get("runs") or {}).get(str(seed), "")
