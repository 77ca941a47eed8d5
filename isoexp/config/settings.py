"""The root keys of a configuration, checked."""

__all__ = ["MOST_RUNS", "Settings", "check_runs", "count_seeds"]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ..errors import UserError
from ..names import check_name
from ..paths import folder_of, path_of
from .fields import checked
from .groups import GROUPS

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


MOST_RUNS = 100_000
"""The runs that are planned at once, at most: to plan one takes a millisecond and 2.5 kB."""

MOST_SNAPSHOTS = 1000
"""The snapshots of a run, at most: with each the file of all of them is written anew."""


def check_runs(count: int, what: str) -> None:
    """Checks that so many runs can be planned; before any of them is made.

    Raises:
        UserError: If they are too many.
    """

    if count > MOST_RUNS:
        told = f"{count:,}" if count < 10**18 else "10^18 or more"
        raise UserError(
            f"{what[:100]} asks for {told} runs, and {MOST_RUNS:,} are planned at once at most: "
            "take fewer, or do them in parts, one after the other"
        )


def count_seeds(seeds: Any) -> int:
    """Returns the number of networks that a setting of seeds asks for."""

    return seeds if isinstance(seeds, int) else len(seeds) if isinstance(seeds, Sequence) else 1


@dataclass(frozen=True)
class Settings:
    """The root keys of a run, beside its groups; conf/config.yaml explains each."""

    name: str
    seed: int
    seeds: int | Sequence[int] | None
    epochs: int | None
    steps: int | None
    batch_size: int
    device: str
    precision: Literal["float32", "float64", "bfloat16"]
    compile: bool
    snapshots: int
    figures: bool | None
    out: str
    force: bool

    @classmethod
    def of(cls, root: Mapping[str, Any]) -> "Settings":
        """Checks the root keys, groups among them.

        Raises:
            UserError: If a key is unknown, of the wrong type or out of range.
        """

        if root.get("experiment"):
            raise UserError("the file of an experiment must begin with: # @package _global_")

        known = {field.name for field in fields(cls)}
        own = {
            key: value
            for key, value in root.items()
            if key in known or not (key in GROUPS or isinstance(value, Mapping))
        }
        for key in ("name", "out"):  # in a file, too, a study may be called 2026
            if type(own.get(key)) is int:
                own[key] = str(own[key])

        settings = checked(cls, own)
        settings._check_ranges()

        return settings

    def _check_ranges(self) -> None:
        if self.epochs is None and self.steps is None:
            raise UserError("one of epochs and steps must be given, got neither")

        for key in ("epochs", "steps", "batch_size"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise UserError(f"{key} must be at least 1, got {value}")

        if not 0 <= self.snapshots <= MOST_SNAPSHOTS:
            told = f"from 0 to {MOST_SNAPSHOTS}, got {self.snapshots}"
            raise UserError(f"snapshots must be {told}")
        if isinstance(self.seeds, int) and self.seeds < 1:
            raise UserError(f"seeds must be at least 1, got {self.seeds}")
        check_runs(count_seeds(self.seeds), f"seeds={self.seeds}")
        if min(self.members, default=-1) < 0 or max(self.members) >= 2**63:
            raise UserError("seeds must be numbers from 0 up to 2^63 − 1, and at least one of them")
        if len(set(self.members)) < len(self.members):
            raise UserError(f"seeds must differ, got {list(self.members)}")

        if not DEVICE.fullmatch(self.device):
            raise UserError(f"device must be auto, cpu, cuda, cuda:N or mps, got {self.device}")
        check_name("name", self.name, nested=True)
        if not self.out or "\0" in self.out:
            raise UserError(f"out must be a folder, got {self.out or 'nothing'}")
        folder_of(self.study, "out")

    @property
    def members(self) -> tuple[int, ...]:
        """The seeds of the networks."""

        if self.seeds is None:
            return (self.seed,)
        if isinstance(self.seeds, int):
            return tuple(range(self.seed, self.seed + self.seeds))

        return tuple(self.seeds)

    @property
    def study(self) -> Path:
        """The folder of the study."""

        return path_of(self.out) / self.name

    def total_steps(self, samples: int) -> int:
        """Returns the number of updates that train on so many samples."""

        per_epoch = -(-samples // self.batch_size)

        return self.steps if self.steps is not None else (self.epochs or 0) * per_epoch
