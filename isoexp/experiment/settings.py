"""The root keys of a configuration, checked."""

__all__ = ["Settings", "check_fields", "describe_type", "fits"]

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeException

from ..errors import UserError, did_you_mean

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")

_NUMBERS = BeartypeConf(is_pep484_tower=True)  # an int will do for a float


@dataclass(frozen=True)
class Settings:
    """What a run is told besides what it is made of. See conf/config.yaml for each line."""

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
    def of(cls, root: Mapping[str, Any], words: Sequence[str]) -> "Settings":
        """Checks the root keys.

        Arguments:
            root: All keys at the root; those with settings below them are groups.
            words: The settings as the user wrote them.

        Raises:
            UserError: If a key is unknown, of the wrong type or out of range.
        """

        hints = {field.name: field.type for field in fields(cls)}
        root = dict(root)
        for key in ("name", "out"):  # a study may be called 2026
            if isinstance(root.get(key), int | float):
                root[key] = str(root[key])
        for key, value in root.items():
            if key in hints:
                if not fits(value, hints[key]):
                    raise UserError(f"{key} must be {describe_type(hints[key])}, got {value!r}")
            elif not isinstance(value, Mapping) and value is not None:
                raise UserError(f"there is no setting {key}{did_you_mean(key, hints)}")

        for key in hints:
            if key not in root:
                raise UserError(f"{key} may not be left out; {key}=null where it may be null")

        if root.get("experiment"):
            raise UserError("the file of an experiment must begin with: # @package _global_")

        settings = cls(**{key: root[key] for key in hints})
        settings._check_ranges(words)

        return settings

    def _check_ranges(self, words: Sequence[str]) -> None:
        typed = {word.partition("=")[0] for word in words}
        if {"epochs", "steps"} <= typed and self.epochs is not None and self.steps is not None:
            raise UserError("epochs and steps exclude each other: give one of them")
        if self.epochs is None and self.steps is None:
            raise UserError("one of epochs and steps must be given, got neither")

        for key in ("epochs", "steps", "batch_size"):
            value = getattr(self, key)
            if value is not None and value < 1:
                raise UserError(f"{key} must be at least 1, got {value}")

        if self.snapshots < 0:
            raise UserError(f"snapshots must not be negative, got {self.snapshots}")
        if isinstance(self.seeds, int) and self.seeds < 1:
            raise UserError(f"seeds must be at least 1, got {self.seeds}")
        if min(self.members, default=-1) < 0 or max(self.members) >= 2**63:
            raise UserError("seeds must be numbers from 0 up to 2^63 − 1, and at least one of them")
        if len(set(self.members)) < len(self.members):
            raise UserError(f"seeds must differ, got {list(self.members)}")

        if not DEVICE.fullmatch(self.device):
            raise UserError(f"device must be auto, cpu, cuda, cuda:N or mps, got {self.device}")
        if not re.fullmatch(r"\w[\w.,+-]*(/\w[\w.,+-]*)*", self.name):
            raise UserError(
                f"name must be made of letters, digits and _.,+- (and / between), got {self.name!r}"
            )
        if len(self.name.encode()) > 100:
            raise UserError(f"name must have at most 100 characters, got {len(self.name)}")
        if not self.out:
            raise UserError("out must be a folder, got nothing")
        try:
            out = Path(self.out).expanduser()
        except RuntimeError as error:
            raise UserError(f"out must be a folder, got {self.out}: {error}") from error
        first = next((p for p in (out, *out.parents) if p.exists()), None)
        if first is not None and not first.is_dir():
            raise UserError(f"out must be a folder, got {self.out}: {first} is a file")

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

        return Path(self.out).expanduser() / self.name

    def total_steps(self, samples: int) -> int:
        """Returns the number of updates of a training on so many samples."""

        per_epoch = -(-samples // self.batch_size)

        return self.steps if self.steps is not None else (self.epochs or 0) * per_epoch


def check_fields(cls: Any, node: Any, name: str) -> None:
    """Checks that a node of the root has the keys that the fields of a dataclass are, and no more.

    Raises:
        UserError: If a key is unknown, missing or of the wrong type.
    """

    hints = {field.name: field.type for field in fields(cls)}
    if not isinstance(node, Mapping):
        raise UserError(f"{name} has settings of its own, {', '.join(hints)}; got {node!r}")
    for key, value in node.items():
        if key not in hints:
            raise UserError(f"there is no setting {name}.{key}{did_you_mean(str(key), hints)}")
        if not fits(value, hints[key]):
            raise UserError(f"{name}.{key} must be {describe_type(hints[key])}, got {value!r}")
    for key in hints:
        if key not in node:
            raise UserError(f"{name}.{key} may not be left out")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of a configuration may stand for an annotation; unknown ones admit all."""

    if isinstance(value, bool) and not _admits_bool(hint):
        return False  # Python takes True for 1; a user who writes true does not mean a number

    try:
        if not isinstance(value, list):
            return is_bearable(value, hint, conf=_NUMBERS)
        if any(get_origin(part) is tuple for part in (hint, *get_args(hint))):  # YAML has lists
            return is_bearable(tuple(value), hint, conf=_NUMBERS)
        # beartype looks at one item of a list, at random.
        return all(is_bearable([item], hint, conf=_NUMBERS) for item in value)
    except BeartypeException:
        return True


def describe_type(hint: Any) -> str:
    """Returns an annotation in words."""

    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if hint in words:
        return words[hint]
    if hint is type(None):
        return "null"
    if get_origin(hint) in (Union, types.UnionType):
        plain = [part for part in get_args(hint) if getattr(part, "__name__", "") != "Tensor"]
        return " or ".join(map(describe_type, plain))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) in (Sequence, list, tuple):
        inner = describe_type(get_args(hint)[0]).removeprefix("a ")
        return (
            f"a list of {inner}s, like [32,32]" if inner == "whole number" else f"a list: {inner}"
        )

    return getattr(hint, "__name__", str(hint))


def _admits_bool(hint: Any) -> bool:
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)

    return any(part in (bool, Any, object) for part in parts)
