"""A search: its space, the overrides that all its trials share, and its settings."""

__all__ = ["Search", "SearchSettings", "Told"]

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, Literal

from ..config.axes import SweepSettings
from ..config.compose import expand
from ..config.fields import checked
from ..config.overrides import names_probe
from ..config.settings import check_runs
from ..errors import UserError
from ..experiment.job import Job, prepare, prepare_all, refuse_idle, validate
from ..store.tables import SCORES
from .space import Parameter, parameters


@dataclass(frozen=True)
class Told:
    """A trial that has come to its end.

    Arguments:
        value: The mean of the metric over its networks, if it was completed.
        reason: Why it was not.
        failed: Whether that says nothing of its values: it failed for another reason.
    """

    number: int
    overrides: tuple[str, ...]
    value: float | None = None
    reason: str | None = None
    failed: bool = False


@dataclass(frozen=True)
class SearchSettings:
    """The keys below search; conf/config.yaml explains each."""

    trials: int
    ask: int
    metric: Literal["valid/loss", "valid/accuracy", "valid/r2"] | None
    sampler: Literal["tpe", "random"]
    seed: int
    prune: Literal["none", "median", "successive_halving"]

    @classmethod
    def of(cls, node: Any) -> "SearchSettings":
        """Checks the keys below search."""

        metric = node.get("metric") if isinstance(node, Mapping) else None
        if str(metric).startswith(("test/", "probe/")):
            raise UserError(
                f"search.metric={metric} would choose by the test split, which is for the final "
                "numbers and for probes: choose by the validation split, like valid/loss"
            )
        settings = checked(cls, node, "search")
        for key, least in (("trials", 1), ("ask", 1), ("seed", 0)):
            if node[key] < least:
                raise UserError(f"search.{key} must be at least {least}, got {node[key]}")

        return settings

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether a small value of the metric is good, or a large one."""

        return "minimize" if self.metric == "valid/loss" else "maximize"

    def of_run(self, numbers: Mapping[str, Any]) -> float:
        """Returns the metric among the numbers of a run; NaN if it is undefined."""

        (key,) = (self.metric,) if self.metric else (key for key in SCORES if key in numbers)
        value = numbers[key]

        return nan if value is None else value


@dataclass(frozen=True)
class Search:
    """A space of settings, and how it is searched.

    Arguments:
        overrides: The overrides that all trials share.
        folders: Folders of the user's own choices.
        first: The job at one corner of the space.
    """

    space: tuple[Parameter, ...]
    overrides: tuple[str, ...]
    folders: tuple[Path, ...]
    settings: SearchSettings
    first: Job

    @classmethod
    def of(cls, overrides: Sequence[str], folders: Sequence[Path] = ()) -> "Search":
        """Reads the overrides of a command line.

        Unless one names probes, none is put to the networks: the best may be probed afterwards.

        Raises:
            UserError: If they cannot be searched.
        """

        space, plain = parameters(overrides, folders)
        if not any(map(names_probe, plain)):
            plain.append("probe=none")
        corner = [parameter.ends[0] for parameter in space]
        first = prepare(expand([*plain, *corner], folders)[0])

        if SweepSettings.of(first.config["sweep"]).combines:
            raise UserError("sweep.zip, union and exclude are for isoexp train -m")
        settings = SearchSettings.of(first.config.get("search"))
        check_runs(settings.trials * len(first.identities), f"search.trials={settings.trials}")
        if first.settings.force:
            raise UserError("a search repeats no run: give it a name of its own, name=…")

        return cls(tuple(space), tuple(plain), tuple(folders), settings, first)

    @property
    def folder(self) -> Path:
        """The folder of the study."""

        return self.first.settings.study

    @property
    def name(self) -> str:
        """The name of the search among others of the study: other overrides make another one."""

        space, runs = [repr(each) for each in self.space], list(self.first.identities.values())
        content = json.dumps([space, runs, self.settings.metric]).encode()

        return f"{self.first.settings.name}-{hashlib.blake2b(content, digest_size=4).hexdigest()}"

    def jobs(self, *trials: Sequence[str]) -> list[Job]:
        """Returns the jobs of trials, each given by its overrides."""

        return prepare_all(expand([*self.overrides, *each], self.folders)[0] for each in trials)

    def validate(self) -> None:
        """Tries the ends of each parameter, the others being at the first or the last of theirs.

        Raises:
            UserError: If one cannot be, or the task has no such metric.
        """

        firsts, lasts = self._corners(0), self._corners(-1)
        refuse_idle(self.jobs(*firsts, *lasts))
        try:
            validate(self.jobs(*firsts))
        except UserError:
            for first, last in zip(firsts, lasts, strict=True):
                try:
                    validate(self.jobs(first))
                except UserError:
                    validate(self.jobs(last))

        score = f"valid/{self.first.lab().objective('valid').score}"
        if self.settings.metric not in (None, "valid/loss", score):
            raise UserError(
                f"search.metric must be valid/loss or {score} for {self.first.choices['data']}"
                f" and {self.first.choices['model']}, got {self.settings.metric}"
            )

    def command(self, overrides: Sequence[str]) -> list[str]:
        """Returns the overrides with which isoexp train does a trial by itself."""

        aside = ("search.", "sweep.")
        own = [each for each in self.overrides if not each.lstrip("+~").startswith(aside)]

        return [*(each for each in own if each != "probe=none"), *overrides]

    def _corners(self, place: int) -> list[list[str]]:
        """Returns the overrides of a corner of the space, and of each next to it."""

        corner = {parameter: parameter.ends[place] for parameter in self.space}

        return [
            list((corner | {parameter: end}).values())
            for parameter in self.space
            for end in parameter.ends
        ]
