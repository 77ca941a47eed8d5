"""Groups: runs of a study that differ by their seed alone, and the settings that part them."""

__all__ = ["RunGroup", "best", "grouped", "scores", "settled"]

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .entries import Entry

SCORES = ("accuracy", "r2", "loss")
"""The scores that networks are judged by, the first that they have."""

DEFAULT = "–"
"""Stands for a setting that a run left at its default."""


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ by their seed alone, and the settings that part them from other groups."""

    settings: Mapping[str, str]
    runs: Sequence[Entry]

    @property
    def label(self) -> str:
        """The settings in a few words."""

        return ", ".join(_short(key, value) for key, value in self.settings.items()) or "all"

    @cached_property
    def completed(self) -> list[Entry]:
        """The runs that have final numbers."""

        return [run for run in self.runs if run.completed]

    def values(self, name: str) -> np.ndarray:
        """Returns a final number, one for each completed run that has it."""

        return np.array([run.numbers[name] for run in self.completed if name in run.numbers])


def grouped(runs: Iterable[Entry], names: Sequence[str] | None = None) -> list[RunGroup]:
    """Groups runs by the settings named; unless given, by those that differ, but the seed."""

    runs = list(runs)
    names = settled(runs) if names is None else names
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for run in runs:
        key = tuple(run.settings.get(name, DEFAULT) for name in names)
        groups.setdefault(key, []).append(run)

    return [
        RunGroup(dict(zip(names, key, strict=True)), sorted(groups[key], key=_seed))
        for key in sorted(groups, key=_natural)
    ]


def settled(runs: Sequence[Entry]) -> list[str]:
    """Returns the settings in which runs differ."""

    known = dict.fromkeys(name for run in runs for name in run.settings)

    return [name for name in known if len({run.settings.get(name, DEFAULT) for run in runs}) > 1]


def scores(groups: Iterable[RunGroup], split: str) -> list[str]:
    """Returns the scores of a split that groups have, the one they are judged by first."""

    there = {name for group in groups for run in group.completed for name in run.numbers}

    return [f"{split}/{score}" for score in SCORES if f"{split}/{score}" in there]


def best(groups: Sequence[RunGroup], n: int) -> list[RunGroup]:
    """Returns the n best groups on the validation split, the best first.

    A group chosen by the test split would have no number left that is not chosen.
    """

    names = scores(groups, "valid") or scores(groups, "test")
    if not names:
        return list(groups[:n])
    sign = 1.0 if names[0].endswith("/loss") else -1.0
    key: Callable[[RunGroup], float] = lambda group: (
        sign * float(np.mean(group.values(names[0]))) if len(group.values(names[0])) else np.inf
    )

    return sorted(groups, key=key)[:n]


def _short(key: str, value: str) -> str:
    """Labels a setting: a choice by itself, a number with its name."""

    return value if re.match(r"[A-Za-z]", value) and "." not in key else f"{key}={value}"


def _seed(run: Entry) -> tuple[bool, int | None, str]:
    return run.seed is None, run.seed, run.identity


def _natural(key: tuple[str, ...]) -> list[tuple[bool, float, str]]:
    """Orders numbers as numbers, texts as texts."""

    def part(value: str) -> tuple[bool, float, str]:
        try:
            return False, float(value), ""
        except ValueError:
            return True, 0.0, value

    return [part(value) for value in key]
