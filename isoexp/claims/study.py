"""The study of a claim: registered, tuned, run, decided; what is finished is not done again."""

__all__ = ["ClaimStudy", "claim_files", "read_claim"]

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..config.compose import expand
from ..config.document import parse
from ..config.groups import choices
from ..errors import UserError, did_you_mean, one_line
from ..experiment.job import Job, completed, prepare_all, refuse_idle
from ..store.files import write_json
from ..store.provenance import provenance
from ..store.study import Study, runs_below
from ..sweep import FINAL
from ..sweep.plan import labelled
from . import chain
from .asked import check_asked
from .chain import Line
from .claim import Claim
from .decision import Decision, decided
from .evidence import ENDED, Evidence, arms_of, find_evidence, register, registered
from .prospect import check_answerable
from .terms import key_of
from .tuning import LONGER, Edge, SearchSpace, Selection, choose

ANALYSIS = 2
"""Raised when the same values are decided otherwise: a plan is of the analysis, too.

2: margins are tested by intervals that hold together.
"""


def claim_files(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """Returns the file of each claim by its name: conf/claim, and the user's own folders."""

    return choices(folders).get("claim", {})


def read_claim(name: str, scale: str, folders: Sequence[Path] = ()) -> Claim:
    """Reads a claim at a scale.

    Raises:
        UserError: If there is no such claim, or its file cannot be read.
    """

    files = claim_files(folders)
    if name not in files:
        near = did_you_mean(name, files) or "; isoexp list claim shows them"
        raise UserError(f"there is no claim {name}{near}")
    try:
        node = parse(files[name].read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(f"cannot read {files[name]}: {one_line(error)}") from error

    return Claim.at(name, node, scale)


@dataclass(frozen=True)
class ClaimStudy:
    """The runs that decide a claim.

    Arguments:
        overrides: Overrides of all runs: where they are put, and how they are done.
        folders: Folders of the user's own choices.
        line: Its line in the chain of the study, or the one that it will have.
        plan: The hashes of what the plan is of.
        shared: Parts of folders' names that its runs have in common.
        longer: The ends at which grids and spaces have been made longer.
        rounds: How often.
    """

    claim: Claim
    folder: Path
    overrides: Sequence[str]
    folders: Sequence[Path]
    line: Line
    plan: Mapping[str, str]
    shared: frozenset[str] = frozenset()
    longer: tuple[Edge, ...] = ()
    rounds: int = 0

    @classmethod
    def of(
        cls,
        claim: Claim,
        overrides: Sequence[str],
        folders: Sequence[Path],
        amend: str | None = None,
        confirm: bool = False,
        cell: Sequence[str] = (),
    ) -> Self:
        """Plans the study of a claim; nothing is written.

        Arguments:
            amend: The reason why the plan was changed after runs of it; a cell may have been asked
                first as it is now.
            confirm: Whether the plan is repeated, with seeds of its own.
            cell: Settings in place of those that all arms share.

        Raises:
            UserError: If the overrides of an arm do not fit, or the plan was changed and no reason
                is given.
            NotHere: If its data are not on this machine.
        """

        if cell and confirm:  # of the plan as it is
            cls.of(claim, overrides, folders, amend, confirm)
        asked = claim.under(cell)
        line = Line(0, claim.name, claim.scale, "", cell=" ".join(cell))
        study = cls(asked, Path(), overrides, folders, line, {})
        first = {arm: study._jobs(arm, {}, [0])[0] for arm in claim.arms}
        jobs = list(first.values())
        plan = {"analysis": str(ANALYSIS), "claim": asked.identity}
        plan |= {f"arm {arm}": job.identities[0] for arm, job in first.items()}
        folder = jobs[0].settings.study
        if cell and (known := _spelled(folder, line, plan)) not in (None, [*cell]):
            return cls.of(claim, overrides, folders, amend, confirm, known or ())
        claim = asked
        line = replace(study.line, plan=_hash(plan))
        line = following(folder, claim, line, plan, amend, confirm)

        return replace(study, folder=folder, line=line, plan=plan, shared=labelled(jobs)[0].shared)

    def check(self) -> None:
        """Checks that runs can answer what the claim asks of them, unless it was decided before.

        Raises:
            UserError: If no runs can, or an arm has no such number, table or column; nothing has
                been trained then.
        """

        if not (registered(self.folder, self.line).folder / "verdict.json").exists():
            check_answerable(self.claim)
            for arm in self.claim.arms:
                check_asked(self.claim, arm, self._jobs(arm, {}, [0])[0], self._is_tuned(arm))

    def registered(self) -> Self:
        """Writes the plan down, unless it was before.

        Returns:
            The study, with the line that it has in the chain now.
        """

        facts = provenance()
        with chain.add(self.folder) as (there, append):
            own = [each for each in there if each.number >= self.line.number]
            line = next((each for each in own if each.same(self.line)), None)  # another process's
            if line is None:
                code = facts["code"] or {}
                commit = code.get("commit") and code["commit"] + "+" * bool(code.get("diff"))
                line = replace(self.line, registered=time.time(), commit=commit).follows(there)
                append(line)
        told = ("command", "versions", "code", "platform", "cpus")
        known = {key: value for key, value in facts.items() if key in told}
        register(self.folder, self.claim, line, self.plan, known)

        return replace(self, line=line)

    @property
    def arms(self) -> dict[str, str]:
        """What its arms are, as `arms_of` a plan."""

        return arms_of(self.plan)

    @cached_property
    def tuning_jobs(self) -> dict[str, list[tuple[dict[str, Any], list[Job]]]]:
        """The trials that tune each arm, with their jobs."""

        tuning = self.claim.tuning
        if tuning is None:
            return {}
        seeds = range(self.line.tuning_seed, self.line.tuning_seed + tuning.seeds)

        return {
            arm: [
                (values, self._jobs(arm, values, seeds, probed=False))
                for values in self._space(arm).candidates
            ]
            for arm in self.claim.arms
            if self._is_tuned(arm)
        }

    @property
    def untuned(self) -> list[Job]:
        """The jobs of the tuning that have not come to their end; to diverge is an end, too."""

        listed = Study.of(self.folder)

        def ended(identity: str) -> bool:
            run = listed.find(identity)
            state = run.state if run else {}
            final = str(state.get("reason")).startswith(FINAL)
            return completed(run) or (state.get("state") == "failed" and final)

        jobs = [job for found in self.tuning_jobs.values() for _, own in found for job in own]

        return [job for job in jobs if not all(map(ended, job.identities.values()))]

    @property
    def earlier(self) -> Evidence | None:
        """The evidence of the last plan of the claim in this study, if there is any."""

        found = [e for e in find_evidence(self.folder) if e.claim.name == self.claim.name]

        return found[0] if found else None

    @property
    def evidence(self) -> Evidence:
        """The evidence as it is registered."""

        return registered(self.folder, self.line)

    def tune(self) -> dict[str, Selection]:
        """Selects the settings of each arm, by the scores of its candidates.

        Raises:
            UserError: If no combination of an arm can be trained.
        """

        tuning, found = self.claim.tuning, {}
        if tuning is None:
            return {}
        listed = Study.of(self.folder)
        for arm, tried in self.tuning_jobs.items():
            ended = []
            for values, jobs in tried:
                runs = [listed.find(each) for job in jobs for each in job.identities.values()]
                ended.append(
                    (values, [run.summary if run and completed(run) else None for run in runs])
                )
            selection = choose(tuning, self._space(arm), ended)
            if selection is None:
                raise UserError(
                    f"claim {self.claim.name}: networks of the arm {arm} must train with some "
                    f"values of {', '.join(tried[0][0])}, got failures with all of them: "
                    "isoexp ls shows why"
                )
            found[arm] = selection

        return found

    def extended(self, tuned: Mapping[str, Selection]) -> Self:
        """Returns the study with longer grids and spaces where the best of an arm is at an end.

        It is the same if none is, if they have been made longer as often as may be, and at the
        smallest scale, whose verdicts mean nothing.
        """

        if self.claim.scale == "smoke":
            return self
        ends = [end for arm, each in tuned.items() for end in self._space(arm).ends(each.chosen)]
        if not ends or self.rounds == LONGER:
            return self

        return replace(self, longer=(*self.longer, *dict.fromkeys(ends)), rounds=self.rounds + 1)

    def jobs(self, tuned: Mapping[str, Selection]) -> dict[str, list[Job]]:
        """Returns the jobs that are compared, by arm."""

        seeds = range(self.line.seed, self.line.seed + self.claim.seeds)

        return {arm: self._jobs(arm, self._chosen(arm, tuned), seeds) for arm in self.claim.arms}

    def keep(self, tuned: Mapping[str, Selection], jobs: Mapping[str, Sequence[Job]]) -> None:
        """Writes down how arms were tuned, and which runs are compared."""

        content = {
            "line": self.line.hash,
            "tuned": {arm: asdict(each) for arm, each in tuned.items()},
            "longer": [list(end) for end in self.longer],
            "trials": {
                arm: [each for _, own in found for job in own for each in job.identities.values()]
                for arm, found in self.tuning_jobs.items()
            },
            "arms": {
                arm: {
                    "words": self._written(arm) + _overrides(self._chosen(arm, tuned)),
                    "runs": {seed: each for job in own for seed, each in job.identities.items()},
                }
                for arm, own in jobs.items()
            },
        }
        write_json(self.evidence.folder / "runs.json", content)

    def lack(self, cells: Mapping[str, str]) -> None:
        """Writes down in which cells it could not be asked, and why."""

        if cells:
            known = self.evidence.not_here
            write_json(self.evidence.folder / "not_here.json", {**known, **cells})

    def conclude(self) -> Decision:
        """Decides the claim by the runs that there are, and writes the decision down.

        Raises:
            UserError: If it asks for a number that none of them has.
        """

        evidence = self.evidence
        evidence.check()
        decision = decided(evidence)
        write_json(evidence.folder / "verdict.json", decision.written)

        return decision

    def _written(self, arm: str) -> list[str]:
        return [*self.claim.common, *self.claim.arms[arm]]

    def _chosen(self, arm: str, tuned: Mapping[str, Selection]) -> Mapping[str, Any]:
        """Returns the settings of an arm beside its overrides: the tuned, or the only ones."""

        return tuned[arm].chosen if arm in tuned else self._space(arm).candidates[0]

    def _space(self, arm: str) -> SearchSpace:
        return SearchSpace.of(self.claim.tuning, arm, self._written(arm), self.longer)

    def _is_tuned(self, arm: str) -> bool:
        return len(self._space(arm).candidates) > 1

    def _jobs(
        self, arm: str, values: Mapping[str, Any], seeds: Sequence[int], probed: bool = True
    ) -> list[Job]:
        """Prepares the jobs of an arm, one for each seed; those that tune it are not probed."""

        last: dict[str, str] = {}  # of a key that is set twice the later override holds
        for each in [*self._written(arm), *_overrides(values), *self.overrides]:
            last[key_of(each)] = each
        if not probed:
            last = {key: each for key, each in last.items() if key.partition(".")[0] != "probe"}
            last["probe"] = "probe=none"
        try:
            words = [*last.values(), f"seed={','.join(map(str, seeds))}"]
            jobs = expand(words, self.folders, alike=True)
            prepared = prepare_all(jobs)
            refuse_idle(prepared)
            plan = self.line.carried if self.line.number else None
            return [replace(job, shared=self.shared, plan=plan) for job in prepared]
        except UserError as error:
            cell = f", {self.line.cell}" * bool(self.line.cell)
            raise type(error)(f"claim {self.claim.name}{cell}: arm {arm}: {error}") from error


def _spelled(folder: Path, line: Line, plan: Mapping[str, str]) -> list[str] | None:
    """Returns the settings of a cell as they were first written; None if it was not asked before.

    Cells are the same whose arms are: a=1 b=2 and b=2 a=1, with what is the default or without.
    """

    for each in chain.lines(folder):
        if (each.claim, each.scale) == (line.claim, line.scale) and each.cell:
            known = registered(folder, each)
            if known.arms_planned == arms_of(plan):
                return known.settings

    return None


def following(
    folder: Path,
    claim: Claim,
    line: Line,
    plan: Mapping[str, str],
    amend: str | None,
    confirm: bool,
) -> Line:
    """Returns the line of a plan in the chain of a study, or the one that it would have now.

    Raises:
        UserError: If the plan was changed after runs of it had ended, and there is no reason.
    """

    there = chain.lines(folder)
    asked = claim.name, claim.scale, line.cell
    own = [each for each in there if (each.claim, each.scale, each.cell) == asked]
    plans = [each for each in own if each.kind != "confirmation"]
    last = plans[-1] if plans else None
    if confirm and amend:
        raise UserError("--confirm repeats a plan as it is, and --amend changes it: give one")
    if confirm:
        if not line.cell and (last is None or last.plan != line.plan):
            raise UserError(
                f"claim {claim.name}: a confirmation repeats a plan that was decided as it is now: "
                f"isoexp reproduce {claim.name} comes first"
            )
        same = [e for e in own if e.kind == "confirmation" and e.plan == line.plan]
        return same[-1] if same else replace(line, kind="confirmation").follows(there)
    if last is None:
        return line.follows(there)
    if last.plan == line.plan:
        if amend and last.why != amend and not line.cell:
            raise UserError(f"claim {claim.name} is as it was planned: there is nothing to amend")
        return last

    before = registered(folder, last)
    # runs.json is written after the tuning, and may be gone: runs carry their plan themselves.
    made = [
        r for r in runs_below(folder) if (r.provenance.get("plan") or {}).get("hash") == last.hash
    ]
    seen = {r.folder for r in [*before.ended, *(r for r in made if r.status in ENDED)]}
    runs = len(seen)
    if claim.scale == "smoke" or not runs:
        return line.follows(there)
    changed = [key for key, value in plan.items() if before.plan.get(key) != value]
    if not amend:
        raise UserError(
            f"claim {claim.name} was changed ({', '.join(changed) or 'an arm was left out'}) after "
            f"{runs} of its runs had ended: undo that, or say why, --amend 'REASON'. It is then "
            "done with new seeds, and the verdict so far stays beside it"
        )

    return replace(line, kind="amendment", why=amend, runs=runs).follows(there)


def _hash(plan: Mapping[str, str]) -> str:
    return hashlib.blake2b(json.dumps(plan, sort_keys=True).encode(), digest_size=16).hexdigest()


def _overrides(values: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
