"""The study of a claim: registered, tuned, run; what is finished is found and not done again."""

__all__ = ["Study"]

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from .. import runs
from ..errors import UserError
from ..experiment.composition import expand
from ..experiment.preparation import Prepared, completed, prepare_all
from ..provenance import provenance
from ..records import write_json
from ..report.claims import Claim
from ..report.decisions import Decision, decided
from ..report.evidence import Evidence, register
from .tuning import TUNING_SEED, Tuned, choose, combinations, scored


@dataclass(frozen=True)
class Study:
    """What decides a claim.

    Arguments:
        evidence: The claim as registered, and what its runs measured.
        words: Words of all runs: where they are put, and how they are done.
        folders: Folders of the user's own choices.
    """

    evidence: Evidence
    words: Sequence[str]
    folders: Sequence[Path]

    @classmethod
    def of(cls, claim: Claim, words: Sequence[str], folders: Sequence[Path]) -> Self:
        """Registers a claim, once every run of it is known to be possible.

        Raises:
            UserError: If the words of an arm do not fit.
        """

        first = [_jobs(claim, arm, {}, [0], words, folders)[0] for arm in claim.arms]
        facts = {
            key: value
            for key, value in provenance().items()
            if key in ("command", "versions", "code", "platform", "cpus")
        }

        return cls(register(first[0].settings.study, claim, facts), words, folders)

    @property
    def claim(self) -> Claim:
        """The claim."""

        return self.evidence.claim

    @cached_property
    def trials(self) -> dict[str, list[tuple[dict[str, Any], list[Prepared]]]]:
        """What is trained to tune each arm: its combinations, and their jobs."""

        tuning = self.claim.tuning
        if tuning is None:
            return {}
        seeds = range(TUNING_SEED, TUNING_SEED + tuning.seeds)

        return {
            arm: [(values, self._jobs(arm, values, seeds, probed=False)) for values in tried]
            for arm, words in self.claim.arms.items()
            if len(tried := combinations(tuning, [*self.claim.common, *words])) > 1
        }

    def tune(self) -> dict[str, Tuned]:
        """Returns how each arm is tuned, by what its trials scored.

        Raises:
            UserError: If no combination of an arm can be trained.
        """

        tuning, found = self.claim.tuning, {}
        if tuning is None:
            return {}
        listed = runs.Study.of(self.evidence.study)
        for arm, trials in self.trials.items():
            tried = [
                scored(values, _summaries(listed, jobs), tuning.metric) for values, jobs in trials
            ]
            tuned = choose(tuning, tried)
            if tuned is None:
                raise UserError(
                    f"claim {self.claim.name}: networks of the arm {arm} must train with some "
                    f"values of {', '.join(tuning.grid)}, got failures with all of them: "
                    "isoexp ls shows why"
                )
            found[arm] = tuned

        return found

    def jobs(self, tuned: Mapping[str, Tuned]) -> list[Prepared]:
        """Returns what is measured, and writes down which runs they are.

        Arguments:
            tuned: How each arm is tuned.
        """

        jobs, arms = [], {}
        for arm in self.claim.arms:
            chosen = tuned[arm].chosen if arm in tuned else self._only(arm)
            own = self._jobs(arm, chosen, range(self.claim.seeds))
            words = [*self.claim.common, *self.claim.arms[arm], *_words(chosen)]
            identities = {seed: each for job in own for seed, each in job.identities.items()}
            arms[arm] = {"words": words, "runs": identities}
            jobs += own

        trials = {
            arm: [each for _, own in tried for job in own for each in job.identities.values()]
            for arm, tried in self.trials.items()
        }
        found = {arm: asdict(each) for arm, each in tuned.items()}
        content = {"tuned": found, "trials": trials, "arms": arms}
        write_json(self.evidence.folder / "runs.json", content)

        return jobs

    def _only(self, arm: str) -> dict[str, Any]:
        """Returns the one combination of an arm for which there is nothing to choose."""

        if self.claim.tuning is None:
            return {}

        return combinations(self.claim.tuning, [*self.claim.common, *self.claim.arms[arm]])[0]

    def conclude(self) -> Decision:
        """Returns what the runs say, and writes it down."""

        decision = decided(Evidence(self.evidence.folder))
        write_json(self.evidence.folder / "verdict.json", decision.written)

        return decision

    def _jobs(
        self, arm: str, values: Mapping[str, Any], seeds: Sequence[int], probed: bool = True
    ) -> list[Prepared]:
        return _jobs(self.claim, arm, values, seeds, self.words, self.folders, probed)


def _jobs(
    claim: Claim,
    arm: str,
    values: Mapping[str, Any],
    seeds: Sequence[int],
    words: Sequence[str],
    folders: Sequence[Path],
    probed: bool = True,
) -> list[Prepared]:
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


def _words(values: Mapping[str, Any]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def _summaries(listed: runs.Study, jobs: Sequence[Prepared]) -> list[Mapping[str, Any] | None]:
    """Returns the final numbers of each run of jobs; None of what is not completed."""

    found = [listed.find(each) for job in jobs for each in job.identities.values()]

    return [run.summary if run and completed(run) else None for run in found]
