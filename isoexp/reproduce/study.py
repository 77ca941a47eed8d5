"""The study of a claim: registered, tuned, run; what is finished is found and not done again."""

__all__ = ["Study"]

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from ..config.compose import expand
from ..errors import UserError
from ..experiment.job import Job, completed, prepare_all
from ..report.claims import Claim
from ..report.decisions import Decision, decided
from ..report.evidence import Evidence, register
from ..store.files import write_json
from ..store.provenance import provenance
from ..store.run import Run
from ..store.study import Study as Listing
from ..sweep import FINAL
from .tuning import TUNING_SEED, Tuned, choose, combinations, scored

Trial = tuple[dict[str, Any], list[Job]]
"""A combination of a grid, and the jobs that try it."""


@dataclass(frozen=True)
class Study:
    """What decides a claim.

    Arguments:
        claim: The claim.
        folder: The folder of its runs.
        words: Words of all runs: where they are put, and how they are done.
        folders: Folders of the user's own choices.
    """

    claim: Claim
    folder: Path
    words: Sequence[str]
    folders: Sequence[Path]

    @classmethod
    def of(cls, claim: Claim, words: Sequence[str], folders: Sequence[Path]) -> Self:
        """Returns the study of a claim; nothing is written.

        Raises:
            UserError: If the words of an arm do not fit.
        """

        first = [_jobs(claim, arm, {}, [0], words, folders)[0] for arm in claim.arms]

        return cls(claim, first[0].settings.study, words, folders)

    def register(self) -> Evidence:
        """Writes the claim down, unless it was before; returns what is known of it."""

        told = ("command", "versions", "code", "platform", "cpus")
        facts = {key: value for key, value in provenance().items() if key in told}

        return register(self.folder, self.claim, facts)

    @cached_property
    def trials(self) -> dict[str, list[Trial]]:
        """What is trained to tune each arm."""

        tuning = self.claim.tuning
        if tuning is None:
            return {}
        seeds = range(TUNING_SEED, TUNING_SEED + tuning.seeds)

        return {
            arm: [(values, self._jobs(arm, values, seeds, probed=False)) for values in tried]
            for arm, words in self.claim.arms.items()
            if len(tried := combinations(tuning, [*self.claim.common, *words])) > 1
        }

    @property
    def untried(self) -> list[Job]:
        """The jobs of trials that have not come to their end; to diverge is an end, too."""

        listed = Listing.of(self.folder)
        jobs = [job for tried in self.trials.values() for _, own in tried for job in own]

        return [
            job
            for job in jobs
            if not all(_ended(listed.find(each)) for each in job.identities.values())
        ]

    def tune(self) -> dict[str, Tuned]:
        """Returns how each arm is tuned, by what its trials scored.

        Raises:
            UserError: If no combination of an arm can be trained.
        """

        tuning, found = self.claim.tuning, {}
        if tuning is None:
            return {}
        listed = Listing.of(self.folder)
        for arm, trials in self.trials.items():
            tried = [
                scored(values, _summaries(listed, jobs), tuning.metric) for values, jobs in trials
            ]
            tuned = choose(tuning, tried)
            if tuned is None:
                _check_metric(
                    self.claim, arm, [s for _, own in trials for s in _summaries(listed, own)]
                )
                raise UserError(
                    f"claim {self.claim.name}: networks of the arm {arm} must train with some "
                    f"values of {', '.join(tuning.grid)}, got failures with all of them: "
                    "isoexp ls shows why"
                )
            found[arm] = tuned

        return found

    def jobs(self, tuned: Mapping[str, Tuned]) -> dict[str, list[Job]]:
        """Returns what is compared, by arm.

        Arguments:
            tuned: How arms are tuned.
        """

        return {
            arm: self._jobs(arm, self._chosen(arm, tuned), range(self.claim.seeds))
            for arm in self.claim.arms
        }

    def keep(self, tuned: Mapping[str, Tuned], jobs: Mapping[str, Sequence[Job]]) -> None:
        """Writes down how arms were tuned, and which runs are compared."""

        content = {
            "tuned": {arm: asdict(each) for arm, each in tuned.items()},
            "trials": {
                arm: [each for _, own in tried for job in own for each in job.identities.values()]
                for arm, tried in self.trials.items()
            },
            "arms": {
                arm: {
                    "words": [
                        *self.claim.common,
                        *self.claim.arms[arm],
                        *_words(self._chosen(arm, tuned)),
                    ],
                    "runs": {seed: each for job in own for seed, each in job.identities.items()},
                }
                for arm, own in jobs.items()
            },
        }
        write_json(self.register().folder / "runs.json", content)

    def conclude(self) -> Decision:
        """Returns what the runs say, and writes it down."""

        evidence = self.register()
        decision = decided(evidence)
        write_json(evidence.folder / "verdict.json", decision.written)

        return decision

    def _chosen(self, arm: str, tuned: Mapping[str, Tuned]) -> Mapping[str, Any]:
        """Returns what is set of an arm beside its words: by tuning, if there was a choice."""

        if arm in tuned:
            return tuned[arm].chosen
        if self.claim.tuning is None:
            return {}

        return combinations(self.claim.tuning, [*self.claim.common, *self.claim.arms[arm]])[0]

    def _jobs(
        self, arm: str, values: Mapping[str, Any], seeds: Sequence[int], probed: bool = True
    ) -> list[Job]:
        return _jobs(self.claim, arm, values, seeds, self.words, self.folders, probed)


def _jobs(
    claim: Claim,
    arm: str,
    values: Mapping[str, Any],
    seeds: Sequence[int],
    words: Sequence[str],
    folders: Sequence[Path],
    probed: bool = True,
) -> list[Job]:
    """Returns the jobs of an arm, one for each seed; those that tune it are not probed."""

    last: dict[str, str] = {}  # of a key that is set twice the later word holds
    for word in [*claim.common, *claim.arms[arm], *_words(values), *words]:
        last[word.partition("=")[0].lstrip("+")] = word
    if not probed:
        last = {key: word for key, word in last.items() if key.partition(".")[0] != "probe"}
        last["probe"] = "probe=none"
    try:
        jobs = expand([*last.values(), f"seed={','.join(map(str, seeds))}"], folders)
        return prepare_all(jobs)
    except UserError as error:
        raise UserError(f"claim {claim.name}: arm {arm}: {error}") from error


def _check_metric(claim: Claim, arm: str, found: Sequence[Mapping[str, Any] | None]) -> None:
    """Checks that networks that were trained have the metric that they are tuned by."""

    assert claim.tuning is not None
    for summary in found:
        if summary is not None and claim.tuning.metric not in summary:
            there = ", ".join(key for key in summary if key.startswith("valid/"))
            raise UserError(
                f"claim {claim.name}: tuning.metric must be of the arm {arm}, got "
                f"{claim.tuning.metric}; it has {there}"
            )


def _ended(run: Run | None) -> bool:
    """Whether a trial is completed, or has failed in a way that it would again."""

    if run is None:
        return False
    state = run.state
    final = str(state.get("reason")).startswith(FINAL)

    return state.get("state") == "completed" or (state.get("state") == "failed" and final)


def _words(values: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def _summaries(listed: Listing, jobs: Sequence[Job]) -> list[Mapping[str, Any] | None]:
    """Returns the final numbers of each run of jobs; None of what is not completed."""

    found = [listed.find(each) for job in jobs for each in job.identities.values()]

    return [run.summary if run and completed(run) else None for run in found]
