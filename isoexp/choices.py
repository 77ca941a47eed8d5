"""What conf/ offers: the groups, their choices and the line that explains each. No YAML is parsed."""

__all__ = ["CONF", "describe", "groups", "keys", "root_keys"]

import re
from collections.abc import Sequence
from pathlib import Path

_HERE = Path(__file__).parent

CONF = next(c for c in (_HERE / "conf", _HERE.parent / "conf") if (c / "config.yaml").is_file())
"""The folder of the configuration: inside an installed package, beside it in a checkout."""


def groups(folders: Sequence[Path] = ()) -> dict[str, dict[str, Path]]:
    """Returns the file of each choice of each group, in conf/ and in folders of the user's own."""

    found: dict[str, dict[str, Path]] = {}
    for folder in (*folders, CONF):
        for path in sorted(folder.glob("*/*.yaml")):
            found.setdefault(path.parent.name, {}).setdefault(path.stem, path)

    return {group: dict(sorted(found[group].items())) for group in sorted(found)}


def describe(path: Path) -> str:
    """Returns the first comment of a file: the equation, or what the choice is, in one line."""

    first = path.read_text().partition("\n")[0]

    return first.removeprefix("#").strip() if first.startswith("#") else ""


def root_keys() -> list[str]:
    """Returns the keys of config.yaml that are settings, not groups."""

    text = (CONF / "config.yaml").read_text()

    return [k for k in re.findall(r"^(\w+):", text, re.MULTILINE) if k not in ("defaults", "hydra")]


def keys(path: Path) -> list[str]:
    """Returns the settings that a file of a choice has at its top level."""

    return [k for k in re.findall(r"^(\w+):", path.read_text(), re.MULTILINE) if k[0] != "_"]
