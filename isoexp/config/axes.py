"""The axes of a sweep: how values are combined into jobs, and how the jobs are done.

zip      keys walk together: optimizer.lr=1e-2,1e-3 batch_size=50,500 are two jobs, not four
union    further sweeps behind each other, each with overrides of its own
exclude  combinations that are left out
"""

__all__ = ["SweepSettings", "kept", "product"]

import itertools
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .document import value_at
from .fields import checked
from .groups import choices
from .overrides import as_texts, check_overrides, options, parsed
from .settings import check_runs

if TYPE_CHECKING:
    from .composition import Composition


Step = tuple[tuple[int, str], ...]
"""Overrides that are set together, each with its place among all."""


@dataclass(frozen=True)
class SweepSettings:
    """The keys below sweep; conf/config.yaml explains each."""

    workers: int | None
    retries: int
    fail_fast: bool
    timeout: float | None
    batch: int | None
    fresh: bool
    zip: list[str | list[str]]
    union: list[str]
    exclude: list[str]

    @classmethod
    def of(cls, node: Any) -> "SweepSettings":
        """Checks the keys below sweep.

        Raises:
            UserError: If a key is unknown, missing, of the wrong type or out of range.
        """

        settings = checked(cls, node, "sweep")
        for key, least in (("workers", 1), ("retries", 0), ("batch", 1)):
            if node[key] is not None and node[key] < least:
                raise UserError(f"sweep.{key} must be at least {least}, got {node[key]}")
        if node["timeout"] is not None and not node["timeout"] > 0:
            raise UserError(f"sweep.timeout must be positive, got {node['timeout']}")

        return settings

    @property
    def combines(self) -> bool:
        """Whether zip, union or exclude change what is combined with what."""

        return bool(self.zip or self.union or self.exclude)

    @property
    def walks(self) -> list[list[str]]:
        """The keys that walk together, for each walk."""

        if all(isinstance(each, str) for each in self.zip):
            return [[str(each) for each in self.zip]] if self.zip else []

        return [[each] if isinstance(each, str) else list(each) for each in self.zip]


def product(
    overrides: Sequence[str], folders: Sequence[Path], sweep: SweepSettings
) -> list[list[str]]:
    """Returns the overrides of each job, the last key varying fastest.

    Raises:
        UserError: If there are none, or they cannot be combined as asked.
    """

    walks = sweep.walks
    keys = [key for walk in walks for key in walk]
    for key in keys:
        if keys.count(key) > 1:
            raise UserError(f"sweep.zip: {key} can walk once, got it {keys.count(key)} times")

    parts: list[Sequence[str]] = [overrides]
    if sweep.union:
        parts = [_part(overrides, text, folders) for text in sweep.union]
    swept = {parsed(w).key_or_group for p in parts for w in p if parsed(w).is_sweep_override()}
    for key in keys:
        if key not in swept:
            raise UserError(f"sweep.zip: {key} has no values to walk through: {key}=a,b")

    known = choices(folders)
    combined = [_axes(part, walks, known) for part in parts]
    check_runs(sum(prod(map(len, axes)) for axes in combined), "the sweep")
    jobs = [line for axes in combined for line in _product(axes)]
    if not jobs:
        raise UserError("the sweep has no jobs: a range or glob in it is empty")

    return jobs


def kept(
    jobs: "Sequence[Composition]", sweep: SweepSettings, known: Mapping[str, Collection[str]]
) -> "list[Composition]":
    """Returns the jobs that are not excluded.

    Arguments:
        jobs: All configurations.
        sweep: The settings of the sweep.
        known: The choices of each group.

    Raises:
        UserError: If something excludes no job, or nothing is left.
    """

    out: set[int] = set()
    for text in sweep.exclude:
        conditions = [_condition(each, known) for each in _overrides(text, "exclude")]
        found = {
            index
            for index, job in enumerate(jobs)
            if all(_has(job, key, values, key in known) for key, values in conditions)
        }
        if not found:
            raise UserError(f"sweep.exclude: no job has {text}")
        out |= found
    if len(out) == len(jobs):
        raise UserError(f"the sweep has no jobs: sweep.exclude leaves none of {len(jobs)}")

    return [job for index, job in enumerate(jobs) if index not in out]


def _part(overrides: Sequence[str], text: str, folders: Sequence[Path]) -> list[str]:
    """Returns the overrides of one sweep of a union: its own, behind those that it leaves alone."""

    own = _overrides(text, "union")
    keys = {override.key_or_group for override in check_overrides(own, folders, sweep=True)}
    if any(key.partition(".")[0] == "sweep" for key in keys):
        raise UserError(f"sweep.union: sweep is of the whole, got {text}")

    return [*(text for text in overrides if parsed(text).key_or_group not in keys), *own]


def _overrides(text: str, key: str) -> list[str]:
    """Splits a text into overrides, as a shell does."""

    try:
        found = as_texts(shlex.split(text))
    except ValueError as error:
        raise UserError(f"sweep.{key}: cannot read {text}: {error}") from error
    if not found:
        raise UserError(f"sweep.{key}: each of its texts must have overrides, like seed=0,1")

    return found


def _axes(
    texts: Sequence[str], walks: Sequence[Sequence[str]], known: Mapping[str, Collection[str]]
) -> list[list[Step]]:
    """Returns the steps along each axis; the keys of a walk step together, along one."""

    overrides = [parsed(text) for text in texts]
    values = [options(each, known.get(each.key_or_group, ())) for each in overrides]
    swept = {o.key_or_group: i for i, o in enumerate(overrides) if o.is_sweep_override()}

    together: dict[int, list[int]] = {}
    for walk in walks:
        places = sorted(swept[key] for key in walk if key in swept)
        if not places:
            continue  # the other sweeps of a union walk
        counts = [f"{len(values[swept[key]]) if key in swept else 1} of {key}" for key in walk]
        if len(places) < len(walk) or len({len(values[place]) for place in places}) > 1:
            raise UserError(f"sweep.zip takes as many values of each key, got {', '.join(counts)}")
        together |= {places[0]: places, **{place: [] for place in places[1:]}}

    axes = [
        [[(place, value) for value in values[place]] for place in places]
        for place in range(len(texts))
        if (places := together.get(place, [place]))
    ]

    return [list(zip(*axis, strict=True)) for axis in axes]


def _product(axes: Sequence[Sequence[Step]]) -> Iterator[list[str]]:
    """Yields the overrides of each combination, in the order in which they were typed."""

    for steps in itertools.product(*axes):
        yield [text for _, text in sorted(part for step in steps for part in step)]


def _condition(text: str, known: Mapping[str, Collection[str]]) -> tuple[str, list[Any]]:
    """Returns a key, and the values of it that are excluded."""

    override = parsed(text)
    if "=" not in text or text[0] in "+~":
        raise UserError(f"sweep.exclude takes overrides like seed=0,1, got {text}")
    key = override.key_or_group

    return key, [parsed(each).value() for each in options(override, known.get(key, ()))]


def _has(job: "Composition", key: str, values: Sequence[Any], chosen: bool) -> bool:
    """Whether a job has one of the values of a key, or of the choices of a group."""

    if chosen:
        return job.choices.get(key, "None") in map(str, values)

    try:
        node = value_at(job.config, key)
    except KeyError:
        return False

    return any(
        node == value and isinstance(node, bool) == isinstance(value, bool) for value in values
    )
