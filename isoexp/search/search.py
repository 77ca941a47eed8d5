"""A search: its space, the words that all its trials share, and how it is gone about."""

__all__ = ["Search", "Told"]

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..experiment.composition import expand
from ..experiment.preparation import Prepared, prepare, prepare_all
from ..experiment.sweeping import Sweeping
from ..experiment.validation import validate
from .settings import Searching
from .space import Parameter, parameters


@dataclass(frozen=True)
class Search:
    """What is searched, and how.

    Arguments:
        space: The parameters.
        words: The words that all trials share.
        folders: Folders of the user's own choices.
        settings: How it is gone about.
        first: The job at one corner of the space.
    """

    space: tuple[Parameter, ...]
    words: tuple[str, ...]
    folders: tuple[Path, ...]
    settings: Searching
    first: Prepared

    @classmethod
    def of(cls, words: Sequence[str], folders: Sequence[Path] = ()) -> "Search":
        """Reads the words of a command line.

        Unless a word names probes, none is put to the networks: the best may be probed afterwards.

        Raises:
            UserError: If they cannot be searched.
        """

        space, plain = parameters(words, folders)
        if not any(word.lstrip("+~").startswith("probe") for word in plain):
            plain.append("probe=none")
        corner = [parameter.ends[0] for parameter in space]
        first = prepare(expand([*plain, *corner], folders)[0])

        sweeping = Sweeping.of(first.job.config["sweep"])
        if sweeping.zip or sweeping.union or sweeping.exclude:
            raise UserError("sweep.zip, union and exclude are for isoexp train -m")
        settings = Searching.of(first.job.config.get("search"))
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

    def prepared(self, words: Sequence[str]) -> Prepared:
        """Returns the job of a trial.

        Raises:
            UserError: If it cannot be.
        """

        return prepare(expand([*self.words, *words], self.folders)[0])

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

        score = f"valid/{self.first.bench().objective('valid').score}"
        if self.settings.metric not in (None, "valid/loss", score):
            raise UserError(
                f"search.metric must be valid/loss or {score} for {self.first.job.choices['data']}"
                f" and {self.first.job.choices['model']}, got {self.settings.metric}"
            )

    def _lines(self, corner: Sequence[str]) -> list[list[str]]:
        """Returns the words of a corner, with each end of each parameter instead of its own."""

        return [
            [*corner[:place], end, *corner[place + 1 :]]
            for place, parameter in enumerate(self.space)
            for end in parameter.ends
        ]

    def _try(self, *lines: Sequence[str]) -> None:
        jobs = [expand([*self.words, *line], self.folders)[0] for line in lines]
        validate(prepare_all(jobs))

    def command(self, words: Sequence[str]) -> list[str]:
        """Returns the words with which isoexp train does a trial by itself."""

        own = [
            word
            for word in self.words
            if word.lstrip("+~").partition(".")[0] not in ("search", "sweep")
            and word != "probe=none"
        ]

        return [*own, *words]


@dataclass(frozen=True)
class Told:
    """A trial that has come to its end.

    Arguments:
        number: Its place among the trials.
        words: The words that set its values.
        value: The mean of the metric over its networks, if it was completed.
        reason: Why it was not.
        failed: Whether that says nothing of its values: it failed for another reason.
    """

    number: int
    words: tuple[str, ...]
    value: float | None = None
    reason: str | None = None
    failed: bool = False
