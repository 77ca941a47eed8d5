"""The study of a claim: registered, tuned, run, decided; what is finished is not done again."""

__all__ = ["ClaimStudy", "claim_files", "read_claim"]

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
from ..store.study import Study
from ..sweep import FINAL
from ..sweep.plan import labelled
from .asked import check_asked
from .claim import Claim
from .decision import Decision, decided
from .evidence import Evidence, register, registered
from .tuning import TUNING_SEED, Selection, choose, combinations


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
        shared: Parts of folders' names that its runs have in common.
    """

    claim: Claim
    folder: Path
    overrides: Sequence[str]
    folders: Sequence[Path]
    shared: frozenset[str] = frozenset()

    @classmethod
    def of(cls, claim: Claim, overrides: Sequence[str], folders: Sequence[Path]) -> Self:
        """Plans the study of a claim; nothing is written.

        Raises:
            UserError: If the overrides of an arm do not fit.
        """

        study = cls(claim, Path(), overrides, folders)
        first = [study._jobs(arm, {}, [0])[0] for arm in claim.arms]

        return replace(study, folder=first[0].settings.study, shared=labelled(first)[0].shared)

    def check(self) -> None:
        """Checks that runs have what the claim asks of them, unless it was decided before.

        Raises:
            UserError: If an arm has no such number, table or column; nothing has been trained then.
        """

        if not (registered(self.folder, self.claim).folder / "verdict.json").exists():
            for arm in self.claim.arms:
                tuned = len(combinations(self.claim.tuning, self._written(arm))) > 1
                check_asked(self.claim, arm, self._jobs(arm, {}, [0])[0], tuned)

    def register(self) -> Evidence:
        """Writes the claim down, unless it was before."""

        told = ("command", "versions", "code", "platform", "cpus")
        facts = {key: value for key, value in provenance().items() if key in told}

        return register(self.folder, self.claim, facts)

    @cached_property
    def tuning_jobs(self) -> dict[str, list[tuple[dict[str, Any], list[Job]]]]:
        """The combinations that are trained to tune each arm, with their jobs."""

        tuning = self.claim.tuning
        if tuning is None:
            return {}
        seeds = range(TUNING_SEED, TUNING_SEED + tuning.seeds)

        return {
            arm: [(values, self._jobs(arm, values, seeds, probed=False)) for values in found]
            for arm in self.claim.arms
            if len(found := combinations(tuning, self._written(arm))) > 1
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
            selection = choose(tuning, ended)
            if selection is None:
                raise UserError(
                    f"claim {self.claim.name}: networks of the arm {arm} must train with some "
                    f"values of {', '.join(tuning.grid)}, got failures with all of them: "
                    "isoexp ls shows why"
                )
            found[arm] = selection

        return found

    def jobs(self, tuned: Mapping[str, Selection]) -> dict[str, list[Job]]:
        """Returns the jobs that are compared, by arm."""

        return {
            arm: self._jobs(arm, self._chosen(arm, tuned), range(self.claim.seeds))
            for arm in self.claim.arms
        }

    def keep(self, tuned: Mapping[str, Selection], jobs: Mapping[str, Sequence[Job]]) -> None:
        """Writes down how arms were tuned, and which runs are compared."""

        content = {
            "tuned": {arm: asdict(each) for arm, each in tuned.items()},
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
        write_json(self.register().folder / "runs.json", content)

    def conclude(self) -> Decision:
        """Decides the claim by the runs that there are, and writes the decision down.

        Raises:
            UserError: If it asks for a number that none of them has.
        """

        evidence = self.register()
        evidence.check()
        decision = decided(evidence)
        write_json(evidence.folder / "verdict.json", decision.written)

        return decision

    def _written(self, arm: str) -> list[str]:
        return [*self.claim.common, *self.claim.arms[arm]]

    def _chosen(self, arm: str, tuned: Mapping[str, Selection]) -> Mapping[str, Any]:
        """Returns the settings of an arm beside its overrides: the tuned, or the only ones."""

        only = combinations(self.claim.tuning, self._written(arm))[0]

        return tuned[arm].chosen if arm in tuned else only

    def _jobs(
        self, arm: str, values: Mapping[str, Any], seeds: Sequence[int], probed: bool = True
    ) -> list[Job]:
        """Prepares the jobs of an arm, one for each seed; those that tune it are not probed."""

        last: dict[str, str] = {}  # of a key that is set twice the later override holds
        for each in [*self._written(arm), *_overrides(values), *self.overrides]:
            last[each.partition("=")[0].lstrip("+")] = each
        if not probed:
            last = {key: each for key, each in last.items() if key.partition(".")[0] != "probe"}
            last["probe"] = "probe=none"
        try:
            jobs = expand([*last.values(), f"seed={','.join(map(str, seeds))}"], self.folders)
            prepared = prepare_all(jobs)
            refuse_idle(prepared)
            return [replace(job, shared=self.shared) for job in prepared]
        except UserError as error:
            raise UserError(f"claim {self.claim.name}: arm {arm}: {error}") from error


def _overrides(values: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
