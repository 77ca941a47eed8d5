"""Evidence: a claim as it was registered, and the numbers that its runs measured.

    <study>/claims/<claim>-<hash8>/
        claim.json    the claim as registered, when, and by which code, before its first run
        runs.json     how its arms were tuned, and the runs of each arm by seed
        verdict.json  the verdict, with all its comparisons

A claim that is changed is another one, and is registered beside the first.
"""

__all__ = ["Evidence", "Missing", "earlier", "find_evidence", "register"]

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..store.files import files_below, read_json, write_json
from ..store.run import Run, status
from ..store.study import Study
from .claim import Claim
from .tables import Tables
from .terms import Comparison, Metric


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
            UserError: If its file holds none.
        """

        found = self.registration.get("claim")
        if not isinstance(found, dict):
            raise UserError(
                f"{self.folder}/claim.json must hold a claim, got none: remove the folder"
            )

        return Claim.of(found)

    @cached_property
    def registration(self) -> dict[str, Any]:
        """The claim, the time of its registration, the versions and the code of that time."""

        return read_json(self.folder / "claim.json")

    @cached_property
    def found(self) -> dict[str, Any]:
        """The tuning of the arms and the identities of their runs; {} before there are any."""

        return read_json(self.folder / "runs.json")

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
            arm: {
                seed: study.find(arms[arm]["runs"][str(seed)]) if arm in arms else None
                for seed in range(self.claim.seeds)
            }
            for arm in self.claim.arms
        }

    @property
    def tuning_runs(self) -> list[Run]:
        """The runs that tuned the arms, as far as they exist."""

        study = Study.of(self.study)
        arms = (self.found.get("trials") or {}).values()
        found = [study.find(identity) for identities in arms for identity in identities]

        return [run for run in found if run is not None]

    @cached_property
    def tables(self) -> Tables:
        """The tables of the runs."""

        return Tables()

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
        weights = comparison.weights
        log = self.claim.metrics[comparison.metric].log
        with np.errstate(divide="ignore", invalid="ignore"):
            each = {arm: np.log(values[arm]) if log else values[arm] for arm in weights}
            against = np.log(comparison.against) if log and comparison.against else 0.0
        total = sum(weight * each[arm] for arm, weight in weights.items())
        total = np.asarray(total, dtype=float) - (against if log else comparison.against)

        return total, [each for each in missing if each.arm in weights]

    def _number(self, metric: Metric, run: Run | None) -> float | str:
        """Returns a metric of a run, or the reason why it has none."""

        if run is None:
            return "not run yet"
        state = run.state
        found = status(state)
        if found != "completed":
            return f"{found}: {state['reason']}" if state.get("reason") else found
        if metric.of == "summary":
            value = self.tables.summary(run).get(metric.column)
            reason = f"its summary has no {metric.column}"
        else:
            value = self.tables.number(run, metric)
            reason = f"{metric.of} has no {metric.column} like that"
        if value is None or not np.isfinite(value):
            probe = metric.column.split("/")[1] if "/" in metric.column else metric.of
            told = (state.get("unmeasured") or {}).get(probe)
            return f"not measured: {told or reason}"
        if metric.log and value <= 0:
            return f"{metric.column} is {value:g}, and ratios are of what is above 0"

        return float(value)


def register(study: Path, claim: Claim, facts: Mapping[str, Any]) -> Evidence:
    """Writes a claim down in its study, unless it was before, with facts of code and versions."""

    evidence = Evidence(study / "claims" / f"{claim.name}-{claim.identity[:8]}")
    if not evidence.registration:
        content = {"registered": time.time(), "claim": claim.written, **facts}
        write_json(evidence.folder / "claim.json", content)

    return Evidence(evidence.folder)


def find_evidence(root: Path) -> list[Evidence]:
    """Returns the last registration of each claim below a folder, in the order of their names."""

    last: dict[tuple[Path, str], Evidence] = {}
    for evidence in sorted(_registrations(root), key=_registered, reverse=True):
        last.setdefault((evidence.study, evidence.claim.name), evidence)

    return [last[key] for key in sorted(last)]


def earlier(root: Path, evidence: Evidence) -> list[Evidence]:
    """Returns the other registrations of a claim."""

    own = evidence.study, evidence.claim.name
    same = [each for each in _registrations(root) if (each.study, each.claim.name) == own]

    return [each for each in same if each.folder != evidence.folder]


def _registrations(root: Path) -> list[Evidence]:
    return [Evidence(path.parent) for path in files_below(root, "claim.json")]


def _registered(evidence: Evidence) -> float:
    return float(evidence.registration.get("registered", 0.0))
