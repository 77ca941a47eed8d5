"""Runs as their folders were, each file read once, and groups that differ by their seed alone."""

__all__ = [
    "DEFAULT", "Entry", "RunGroup", "best", "by_study", "damaged_runs", "entries", "entry",
    "grouped", "scores", "settled",
]  # fmt: skip

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from ..config.document import parse
from ..errors import UserError
from ..store.files import read_file
from ..store.run import Run, status
from ..store.study import runs_below
from .cells import code, text
from .document import Row

PROBED_LATER_S = 120.0
"""A state written so long after the training is from a probe that was put later."""

NO_SETTINGS = ("run", "study", "seed")
"""Columns that are no settings."""

SCORES = ("accuracy", "r2", "loss")
"""The scores that networks are judged by, the first that they have."""

DEFAULT = "–"
"""Stands for a setting that a run left at its default."""


@dataclass(frozen=True)
class Entry:
    """A run, as the files of its folder describe it.

    Arguments:
        identity: The hash of what it computes.
        damage: Why its numbers cannot be believed; None if they can.
        settings: The choices and overrides it was started with.
        unmeasured: The reasons why probes have not measured it, by their names.
        ended: The time when it was trained and probed.
        mates: The number of networks that were trained as one with it.
        unit: The identity of the first of those.
    """

    run: Run
    identity: str
    status: str
    reason: str
    damage: str | None
    seed: int | None
    settings: Mapping[str, str]
    numbers: Mapping[str, float]
    unmeasured: Mapping[str, str]
    started: float | None
    ended: float | None
    mates: int
    unit: str

    @property
    def completed(self) -> bool:
        """True if it has final numbers."""

        return self.status == "completed"

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration that it was trained by; {} if it cannot be read."""

        try:
            return parse(read_file(self.run.folder / "config.yaml").decode())
        except (OSError, UserError, UnicodeDecodeError):
            return {}


def entry(run: Run) -> Entry:
    """Reads the folder of a run."""

    state = run.state
    columns = state.get("columns") or {}
    settings = {str(k): str(v) for k, v in columns.items() if k not in NO_SETTINGS}
    for override in state.get("words") or ():
        key, _, value = str(override).partition("=")
        settings[key.lstrip("+")] = value
    damage = run.damage
    found = status(state) if damage is None else "damaged"
    together = state.get("together") or [state.get("identity")]
    numbers = {
        key: float(value)
        for key, value in (run.summary if found == "completed" else {}).items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }
    last, ended = state.get("heartbeat"), state.get("ended")
    if ended is None:
        ended = last
    elif last is not None and last - ended <= PROBED_LATER_S:
        ended = max(last, ended)

    return Entry(
        run=run,
        identity=str(state.get("identity")),
        status=found,
        reason=damage or str(state.get("reason") or ""),
        damage=damage,
        seed=columns.get("seed"),
        settings=settings,
        numbers=numbers,
        unmeasured=state.get("unmeasured") or {},
        started=state.get("started"),
        ended=ended,
        mates=len(together),
        unit=str(together[0]),
    )


def entries(root: Path) -> list[Entry]:
    """Reads all runs below a folder."""

    return [entry(run) for run in runs_below(root)]


def damaged_runs(found: Iterable[Entry]) -> list[str]:
    """Tells, a line each, of the runs that are damaged."""

    return [f"{each.run.folder}: {each.damage}" for each in found if each.damage is not None]


def by_study(found: Iterable[Entry]) -> dict[Path, list[Entry]]:
    """Parts runs by their study, the folder above theirs."""

    studies: dict[Path, list[Entry]] = {}
    for each in found:
        studies.setdefault(each.run.folder.parent, []).append(each)

    return studies


@dataclass(frozen=True)
class RunGroup:
    """Runs that differ by their seed alone, and the settings that part them from other groups."""

    settings: Mapping[str, str]
    runs: Sequence[Entry]

    @property
    def label(self) -> str:
        """The settings in a few words: a choice by itself, a number with its name."""

        return (
            ", ".join(
                value if re.match(r"[A-Za-z]", value) and "." not in key else f"{key}={value}"
                for key, value in self.settings.items()
            )
            or "all"
        )

    @property
    def cells(self) -> Row:
        """The cells that name it: its settings, if it has any."""

        return {key: code(value) for key, value in self.settings.items()} or {"group": text("all")}

    @cached_property
    def completed(self) -> list[Entry]:
        """The runs that have final numbers."""

        return [run for run in self.runs if run.completed]

    def having(self, name: str) -> list[Entry]:
        """Returns the completed runs that have a final number."""

        return [run for run in self.completed if name in run.numbers]

    def by_seed(self, name: str) -> dict[int, Entry]:
        """Returns the runs that have a final number by their seeds; {} if some have the same."""

        found = self.having(name)
        seeds = {run.seed: run for run in found if run.seed is not None}

        return seeds if len(seeds) == len(found) else {}

    def values(self, name: str) -> np.ndarray:
        """Returns a final number, one for each completed run that has it."""

        return np.array([run.numbers[name] for run in self.having(name)])

    @cached_property
    def fixed(self) -> bool:
        """True if all of its seeds have one split; it is not known of runs without a file of it."""

        config = self.completed[0].config if self.completed else {}

        return bool(config) and (config.get("data") or {}).get("split", "fixed") == "fixed"


def grouped(runs: Iterable[Entry], names: Sequence[str] | None = None) -> list[RunGroup]:
    """Groups runs by the settings named; unless given, by those that differ, but the seed."""

    runs = list(runs)
    names = settled(runs) if names is None else names
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for run in runs:
        key = tuple(run.settings.get(name, DEFAULT) for name in names)
        groups.setdefault(key, []).append(run)

    def natural(value: str) -> tuple[bool, float, str]:
        """Orders numbers as numbers, texts as texts."""

        try:
            return False, float(value), ""
        except ValueError:
            return True, 0.0, value

    def seed(run: Entry) -> tuple[bool, int | None, str]:
        return run.seed is None, run.seed, run.identity

    order = sorted(groups, key=lambda key: [natural(value) for value in key])

    return [
        RunGroup(dict(zip(names, key, strict=True)), sorted(groups[key], key=seed)) for key in order
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

    def badness(group: RunGroup) -> float:
        values = group.values(names[0])
        return sign * float(np.mean(values)) if len(values) else np.inf

    return sorted(groups, key=badness)[:n]
