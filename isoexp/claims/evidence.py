"""Evidence: a claim as it was registered, and the numbers that its runs measured.

    <study>/claims/chain.jsonl    a line for each plan, amendment and confirmation
    <study>/claims/<claim>-<hash8>/
        claim.json    the claim as registered, when, and by which code, before its first run
        runs.json     how its arms were tuned, and the runs of each arm by seed
        verdict.json  the verdict, with all its comparisons
        not_here.json  the cells that it was to be asked in, whose data were not there

A folder goes by the hash of its line in the chain. A claim that is changed is registered beside the
first.
"""

__all__ = [
    "ENDED", "Evidence", "Missing", "arms_of", "cells", "confirmations", "damaged_claims",
    "earlier", "find_evidence", "register", "registered",
]  # fmt: skip

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Unreadable, UserError, did_you_mean, one_line
from ..output import plural
from ..statistics import difference
from ..store.files import Shape, files_below, fits, is_time, load_json, read_json, write_json
from ..store.run import PROVENANCE, Run, status
from ..store.study import Study
from . import chain
from .chain import SHAPE, Line
from .claim import Claim
from .terms import Comparison, Metric, key_of
from .values import number_of, results

if TYPE_CHECKING:
    pass


def _is_candidate(value: Any) -> bool:
    """Whether a value is a combination that was tried, with its score."""

    keys = {"values": {str: Any}, "score": (float, None), "networks": int, "failed": int}

    return fits(value, keys) and keys.keys() <= value.keys()


REGISTRATION: Shape = {
    "registered": (is_time, None), "claim": {str: Any}, "code": PROVENANCE["code"],
    "versions": PROVENANCE["versions"], "plan": {str: str}, "line": SHAPE,
}  # fmt: skip
"""What claim.json may say."""

RUNS: Shape = {
    "line": str,
    "tuned": {str: {"chosen": {str: Any}, "edges": [str], "tried": [_is_candidate]}},
    "longer": [[str]],
    "trials": {str: [str]},
    "arms": {str: {"words": [str], "runs": {str: str}}},
}
"""What runs.json may say."""

ENDED = ("completed", "failed")
"""The states of runs that show something."""


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
                f"{path} must hold a claim, and isoexp reproduce makes it anew: "
                f"{one_line(error)[:200]}"
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
    def line(self) -> Line | None:
        """Its line in the chain, as it was written; None of what was registered without one."""

        written = self.registration.get("line")

        return Line.of(written) if written else None

    @property
    def cell(self) -> str:
        """The settings that differ from the claim's, of a cell of a grid; else ""."""

        return self.line.cell if self.line else ""

    @property
    def settings(self) -> list[str]:
        """Those of its cell, one by one."""

        common, said = list(self.claim.common), self.cell
        first = next((k for k in range(len(common)) if " ".join(common[k:]) == said), len(common))

        return common[first:]

    @property
    def kind(self) -> str:
        """plan | amendment | confirmation"""

        return self.line.kind if self.line else "plan"

    @property
    def seeds(self) -> range:
        """The seeds that are compared."""

        first = self.line.seed if self.line else 0

        return range(first, first + self.claim.seeds)

    @cached_property
    def faults(self) -> list[str]:
        """Says, a sentence each, in what it is not what was planned before its runs."""

        if self.line is None:
            return ["it was registered without a line in a chain"]
        there = {each.hash: each for each in chain.lines(self.study)}
        found = [f"of {chain.CHAIN}, {fault}" for fault in chain.faults(self.study)]
        if self.line.hash not in there:
            found.append(f"its line, {self.line.number}, is not in {chain.CHAIN}")
        for each in there.values():
            same = (each.claim, each.scale) == (self.line.claim, self.line.scale)
            if same and not (registered(self.study, each).folder / "claim.json").is_file():
                what = f"{each.kind}, {each.cell}" if each.cell else each.kind
                found.append(f"line {each.number} ({what}) has lost its folder, {each.folder}")
        if self.folder.name != self.line.folder:
            found.append(f"its claim.json is that of {self.line.folder}")
        if self.found.get("line", self.line.hash) != self.line.hash:
            found.append("its runs.json is that of another plan")
        try:
            load_json(self.folder / "not_here.json", {str: str})
        except FileNotFoundError:
            pass
        except Unreadable as error:
            found.append(f"its not_here.json cannot be read: {error}")
        if self.claim.identity != self.registration.get("plan", {}).get("claim"):
            found.append("its claim.json was changed after it was written")

        compared = [run for own in self.runs.values() for run in own.values() if run]
        every = [*compared, *self.tuning_runs]
        plans = [run.provenance.get("plan") for run in every]
        unplanned = plans.count(None)
        foreign = sum(plan is not None and plan.get("hash") not in there for plan in plans)
        placed = [
            (self._words(arm), seed, run)
            for arm, own in self.runs.items()
            for seed, run in own.items()
            if run
        ]
        seeds = [(run.state.get("columns") or {}).get("seed") == seed for _, seed, run in placed]
        arms = [_has(run, words) for words, _, run in placed]
        for count, what in (
            (seeds.count(False), "stand under a seed that they do not have"),
            (arms.count(False), "stand under an arm whose settings they do not have"),
            (unplanned, "were made by no plan"),
            (foreign, "carry the line of a plan that is not in the chain"),
        ):
            if count:
                found.append(f"{count} of its {len(every)} runs {what}")

        return found

    @cached_property
    def found(self) -> dict[str, Any]:
        """The tuning of the arms and the identities of their runs; {} before there are any."""

        return read_json(self.folder / "runs.json", RUNS)

    @cached_property
    def not_here(self) -> dict[str, str]:
        """The cells that were asked for without their data on the machine, each with the reason."""

        return read_json(self.folder / "not_here.json", {str: str})

    @cached_property
    def damage(self) -> str | None:
        """What is wrong with its files, in a line; None if nothing is."""

        try:
            _ = self.claim
            load_json(self.folder / "runs.json", RUNS)
        except FileNotFoundError:
            return None
        except Unreadable as error:
            told, folder = str(error), str(self.folder)
            return told if told.startswith(folder) else f"{folder}: {told}"

        return None

    @property
    def study(self) -> Path:
        """The folder of the runs."""

        return self.folder.parent.parent

    @property
    def standing(self) -> str:
        """Says whether it is what was planned before its runs, in a few words."""

        if self.faults:
            return "not as planned"
        if self.line and self.line.kind == "amendment":
            return f"amended after {plural(self.line.runs, 'run')}"

        return "as planned"

    @property
    def plan(self) -> dict[str, str]:
        """The hashes of what was planned, by name."""

        return self.registration.get("plan") or {}

    @property
    def arms_planned(self) -> dict[str, str]:
        """What its arms are, as `arms_of` a plan."""

        return arms_of(self.plan)

    @property
    def ended(self) -> list[Run]:
        """The runs that have ended, those that tuned its arms included."""

        compared = [run for own in self.runs.values() for run in own.values() if run]

        return [r for r in [*compared, *self.tuning_runs] if r.status in ENDED]

    @property
    def tuned(self) -> dict[str, dict[str, Any]]:
        """The settings chosen for each tuned arm, with the score of every combination."""

        return self.found.get("tuned") or {}

    @cached_property
    def _listed(self) -> Study:
        return Study.of(self.study)

    @cached_property
    def runs(self) -> dict[str, dict[int, Run | None]]:
        """The run of each seed of each arm; None where there is none yet."""

        study = self._listed
        arms = self.found.get("arms") or {}

        return {
            arm: {seed: study.find(_identity(arms, arm, seed)) for seed in self.seeds}
            for arm in self.claim.arms
        }

    @property
    def tuning_runs(self) -> list[Run]:
        """The runs that tuned the arms, as far as they exist."""

        study = self._listed
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

        return self._values(name)

    @cached_property
    def _values(self) -> Callable[[str], tuple[dict[str, np.ndarray], list[Missing]]]:
        """The method above, which reads each metric once."""

        return cache(self._read)

    def _read(self, name: str) -> tuple[dict[str, np.ndarray], list[Missing]]:
        metric = self.claim.metrics[name]
        values, missing = {}, []
        for arm, runs in self.runs.items():
            found = {
                seed: self._number(metric, run) if run else self._absent(arm, seed)
                for seed, run in runs.items()
            }
            values[arm] = np.array([np.nan if isinstance(v, str) else v for v in found.values()])
            missing += [Missing(arm, seed, v) for seed, v in found.items() if isinstance(v, str)]

        return values, missing

    def contrast(self, comparison: Comparison) -> tuple[np.ndarray, float, list[Missing]]:
        """Returns Σ w_a m_{a,s} less the value under the null, by seed, and the numbers missing.

        Of a metric that is compared by ratios it is the contrast of logarithms.

        Returns:
            The contrast, NaN where a number is missing; the size of the numbers that it is the
            difference of, 0 if it is none; and the missing ones.
        """

        values, missing = self.values(comparison.metric)
        weights, against = comparison.weights, comparison.against
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.claim.metrics[comparison.metric].log:
                values = {arm: np.log(each) for arm, each in values.items()}
                against = np.log(against) if against else 0.0
        terms = [weight * values[arm] for arm, weight in weights.items()]
        terms += [np.full_like(terms[0], -against)] if against else []
        missing = [each for each in missing if each.arm in weights]

        return *difference(terms), missing

    def _words(self, arm: str) -> dict[str, str]:
        """Returns the settings of the runs of an arm, those that were tuned included."""

        words = ((self.found.get("arms") or {}).get(arm) or {}).get("words") or ()

        return {key_of(each): each.partition("=")[2] for each in words}

    def _absent(self, arm: str, seed: int) -> str:
        """Says why there is no run of a seed."""

        identity = _identity(self.found.get("arms") or {}, arm, seed)
        if self.damage is not None:
            return f"not known: {self.damage}"
        others = self._listed.names.get(identity[:8], ()) if identity else ()

        return f"{others[0]} holds another run" if others else "not run yet"

    def _number(self, metric: Metric, run: Run) -> float | str:
        """Returns a metric of a run, or the reason why it has none."""

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


def register(
    study: Path, claim: Claim, line: Line, plan: Mapping[str, str], facts: Mapping[str, Any]
) -> Evidence:
    """Writes a claim down in its study, unless it was before.

    Arguments:
        line: Its line in the chain.
        plan: The hashes of what the plan is of, by name.
        facts: The versions and the code.
    """

    evidence = registered(study, line)
    try:
        known = evidence.claim.identity == claim.identity
    except Unreadable:  # or not there yet
        known = False
    if not known:
        written = {"line": line.written, "plan": dict(plan)}
        content = {"registered": line.registered, "claim": claim.written, **written, **facts}
        evidence.folder.mkdir(parents=True, exist_ok=True)
        write_json(evidence.folder / "claim.json", content)

    return Evidence(evidence.folder)


def arms_of(plan: Mapping[str, str]) -> dict[str, str]:
    """Returns of a plan the identity of the first run of each arm, before it was tuned."""

    return {key: value for key, value in plan.items() if key.startswith("arm ")}


def registered(study: Path, line: Line) -> Evidence:
    """Returns the evidence of a line of the chain as it is, registered or not."""

    return Evidence(study / "claims" / line.folder)


def find_evidence(root: Path) -> list[Evidence]:
    """Returns the last plan of each claim below a folder, in the order of their names.

    Those whose file cannot be read are left out; `damaged_claims` tells of them.
    """

    last: dict[tuple[Path, str], Evidence] = {}
    for evidence in sorted(_readable(root), key=lambda e: e.registered, reverse=True):
        if evidence.kind != "confirmation" and not evidence.cell:
            last.setdefault((evidence.study, evidence.claim.name), evidence)

    return [last[key] for key in sorted(last)]


def earlier(root: Path, evidence: Evidence) -> list[Evidence]:
    """Returns the other plans of a claim, in the order of their registration."""

    found = _others(root, evidence)

    return [each for each in found if each.kind != "confirmation" and not each.cell]


def confirmations(root: Path, evidence: Evidence) -> list[Evidence]:
    """Returns the confirmations of a plan, in the order of their registration."""

    found = _others(root, evidence)

    return [e for e in found if e.kind == "confirmation" and _is_of(e, evidence)]


def cells(root: Path, evidence: Evidence) -> list[Evidence]:
    """Returns the last plan of each cell in which a plan was asked, but its own settings."""

    last: dict[str, Evidence] = {}
    for each in _others(root, evidence):
        if each.cell and each.kind != "confirmation" and _is_of(each, evidence):
            last["".join(sorted(each.arms_planned.values())) or each.cell] = each
    arms = evidence.arms_planned

    return [each for each in last.values() if not arms or each.arms_planned != arms]


def _is_of(other: Evidence, evidence: Evidence) -> bool:
    """Whether a plan is that of some evidence, in a cell if it says one."""

    if not other.cell:
        return other.plan == evidence.plan
    same = other.plan.get("analysis") == evidence.plan.get("analysis")
    try:
        return same and other.claim.identity == evidence.claim.under(other.settings).identity
    except UserError:  # a claim of an arm that sets it, by now
        return False


def _others(root: Path, evidence: Evidence) -> list[Evidence]:
    own = evidence.study, evidence.claim.name
    same = [each for each in _readable(root) if (each.study, each.claim.name) == own]

    def order(each: Evidence) -> tuple[float, int]:
        return each.registered, each.line.number if each.line else 0

    return sorted((each for each in same if each.folder != evidence.folder), key=order)


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


def _has(run: Run, words: Mapping[str, str]) -> bool:
    """Whether a run has some settings, as far as it says: the same may be said in other words."""

    said = dict(run.state.get("columns") or {})
    said |= {key_of(each): each.partition("=")[2] for each in run.state.get("words") or ()}

    return all(_value(said[key]) == _value(value) for key, value in words.items() if key in said)


def _value(text: Any) -> Any:
    try:
        return json.loads(str(text))
    except ValueError:
        return str(text)


def _identity(arms: Mapping[str, Any], arm: str, seed: int) -> str:
    """Returns the identity of the run of an arm; "" if it is not known."""

    return ((arms.get(arm) or {}).get("runs") or {}).get(str(seed), "")
