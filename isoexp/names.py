"""Names that become those of files and anchors: they lead nowhere, and are told apart."""

__all__ = ["check_name", "climbs", "is_name", "slug", "unique"]

import re

from .errors import UserError

LONGEST = 100
"""Bytes of a name: files have 255 at most, and names have more behind them."""


def check_name(what: str, name: object, nested: bool = False) -> None:
    """Checks a name that people have chosen, of letters, digits and a few signs.

    Arguments:
        what: What it names, or the key that it is given by.
        nested: Whether it is a folder, with dots, and perhaps folders within, with / between.

    Raises:
        UserError: If it is anything else: empty, a path, a pattern, or too long.
    """

    signs, part = "_,+-", r"\w[\w,+-]*"
    if nested:
        signs, part = "_.,+- (and / between)", r"\w[\w.,+-]*(/\w[\w.,+-]*)*"
    if not isinstance(name, str) or not re.fullmatch(part, name):
        raise UserError(f"{what} must be made of letters, digits and {signs}, got {name!r}")
    if len(name.encode()) > LONGEST:
        raise UserError(f"{what} must have at most {LONGEST} characters, got {len(name)}")


def is_name(text: str) -> bool:
    """Whether a text can name a file in a folder, and leads nowhere else."""

    return text not in ("", ".", "..") and not re.search(r"[/\\\0]", text)


def climbs(text: str) -> bool:
    """Whether a text has .. as a part of a path in it."""

    return re.search(r"(?<![\w.])\.\.(?![\w.])", text) is not None


def slug(*parts: str) -> str:
    """Makes a name of texts, of letters, digits, _ and - alone."""

    told = "-".join(re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-") for part in parts)

    return told[:150] or "x"


def unique(stem: str, taken: set[str]) -> str:
    """Makes a name that is not taken yet, not even in capitals, and takes it."""

    name, n = stem, 1
    while name.casefold() in taken:
        n += 1
        name = f"{stem}-{n}"
    taken.add(name.casefold())

    return name
