"""What conf/ offers: groups, choices and a line on each, read as text: no YAML is parsed."""

__all__ = ["COMMANDS", "CONF", "FORMS", "defaults", "describe", "groups", "keys", "root_keys"]

import re
from collections.abc import Sequence
from pathlib import Path

from .errors import UserError

COMMANDS = (
    "train", "search", "reproduce", "report", "probe", "list", "ls", "show", "figures", "audit",
    "completion",
)  # fmt: skip
"""The words that may follow isoexp."""

FORMS = ("activation", "norm", "dropout", "init", "optimizer", "clip", "regularizer")
"""The groups of functional forms, whose symmetry can be asked for."""

_HERE = Path(__file__).parent

CONF = next(c for c in (_HERE / "conf", _HERE.parent / "conf") if (c / "config.yaml").is_file())
"""The folder of the configuration: inside an installed package, beside it in a checkout."""


def groups(folders: Sequence[Path] = ()) -> dict[str, dict[str, Path]]:
    """Returns the file of each choice of each group, in conf/ and in folders of the user's own.

    Raises:
        UserError: If two files have one name: the reader could not know which is meant.
    """

    found: dict[str, dict[str, Path]] = {}
    for folder in (CONF, *folders):
        for path in sorted(folder.glob("*/*.yaml")):
            choices = found.setdefault(path.parent.name, {})
            if path.stem in choices:
                raise UserError(f"{path} has the name of {choices[path.stem]}: rename it")
            choices[path.stem] = path

    return {group: dict(sorted(found[group].items())) for group in sorted(found)}


def describe(path: Path) -> str:
    """Returns the first comment of a file: the equation, or what the choice is, in one line."""

    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            return line.removeprefix("#").strip()

    return ""


def root_keys() -> list[str]:
    """Returns the keys of config.yaml that are settings, not groups."""

    text = (CONF / "config.yaml").read_text(encoding="utf-8", errors="replace")

    return [k for k in re.findall(r"^(\w+):", text, re.MULTILINE) if k not in ("defaults", "hydra")]


def defaults() -> dict[str, str]:
    """Returns the choice that config.yaml makes for each group that has one by default."""

    text = (CONF / "config.yaml").read_text(encoding="utf-8", errors="replace")

    return dict(re.findall(r"^  - (\w+): (\w+)", text, re.MULTILINE))


def keys(path: Path) -> list[str]:
    """Returns the settings that a file of a choice has at its top level."""

    return [
        k
        for k in re.findall(
            r"^(\w+):", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
        )
        if k[0] != "_"
    ]
