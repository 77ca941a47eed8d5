"""A search: its space, the overrides that all its trials share, and its settings."""

__all__ = ["Search", "Told"]

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.axes import SweepSettings
from ..config.compose import expand
from ..config.overrides import names_probe
from ..errors import UserError
from ..experiment.job import Job, prepare, prepare_all, validate
from .settings import SearchSettings
from .space import Parameter, parameters


@dataclass(frozen=True)
class Search:
    """A space of settings, and how it is searched.

    Arguments:
        space: The parameters.
        overrides: The overrides that all trials share.
        folders: Folders of the user's own choices.
        settings: The keys below search.
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
        if first.settings.force:
            raise UserError("a search repeats no run: give it a name of its own, name=…")

        return cls(tuple(space), tuple(plain), tuple(folders), settings, first)

    @property
    def folder(self) -> Path:
        """The folder of the study."""

        return self.first.settings.study

    @property
    def name(self) -> str:
        """The name of the search among others of the study: other words make another one."""

        content = [
            [repr(parameter) for parameter in self.space],
            list(self.first.identities.values()),
            self.settings.metric,
        ]
        digest = hashlib.blake2b(json.dumps(content).encode(), digest_size=4).hexdigest()

        return f"{self.first.settings.name}-{digest}"

    def job(self, overrides: Sequence[str]) -> Job:
        """Returns the job of a trial.

        Raises:
            UserError: If it cannot be.
        """

        return prepare(expand([*self.overrides, *overrides], self.folders)[0])

    def validate(self) -> None:
        """Tries the ends of each parameter, the others being at the first or the last of theirs.

        Raises:
            UserError: If one cannot be, or the task has no such metric.
        """

        firsts = self._lines([parameter.ends[0] for parameter in self.space])
        lasts = self._lines([parameter.ends[-1] for parameter in self.space])
        try:
            self._try(*firsts)
        except UserError:
            for first, last in zip(firsts, lasts, strict=True):
                try:
                    self._try(first)
                except UserError:
                    self._try(last)

        score = f"valid/{self.first.lab().objective('valid').score}"
        if self.settings.metric not in (None, "valid/loss", score):
            raise UserError(
                f"search.metric must be valid/loss or {score} for {self.first.choices['data']}"
                f" and {self.first.choices['model']}, got {self.settings.metric}"
            )

    def _lines(self, corner: Sequence[str]) -> list[list[str]]:
        """Returns the overrides of a corner, with each end of each parameter instead of its own."""

        return [
            [*corner[:place], end, *corner[place + 1 :]]
            for place, parameter in enumerate(self.space)
            for end in parameter.ends
        ]

    def _try(self, *lines: Sequence[str]) -> None:
        jobs = [expand([*self.overrides, *line], self.folders)[0] for line in lines]
        validate(prepare_all(jobs))

    def command(self, overrides: Sequence[str]) -> list[str]:
        """Returns the overrides with which isoexp train does a trial by itself."""

        own = [
            text
            for text in self.overrides
            if text.lstrip("+~").partition(".")[0] not in ("search", "sweep")
            and text != "probe=none"
        ]

        return [*own, *overrides]


@dataclass(frozen=True)
class Told:
    """A trial that has come to its end.

    Arguments:
        number: Its place among the trials.
        overrides: The overrides that set its values.
        value: The mean of the metric over its networks, if it was completed.
        reason: Why it was not.
        failed: Whether that says nothing of its values: it failed for another reason.
    """

    number: int
    overrides: tuple[str, ...]
    value: float | None = None
    reason: str | None = None
    failed: bool = False
