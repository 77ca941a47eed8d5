"""Paths as users write them."""

__all__ = ["folder_of", "path_of"]

from os import PathLike, fsencode
from pathlib import Path

from .errors import UserError

LONGEST = 255
"""The bytes that a name of a file or folder may have, as most systems have it."""


def path_of(text: str | PathLike[str]) -> Path:
    """Returns a path; ~ at its beginning is the home folder, and never a folder of that name.

    Raises:
        UserError: If there is no such user.
    """

    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise UserError(f"{text} must begin with a home folder that there is: {error}") from error


def folder_of(text: str | PathLike[str], name: str) -> Path:
    """Returns the path of a folder that things are to be written into; it need not be there yet.

    Raises:
        UserError: If there is something else in its place, or in that of one above it.
    """

    path = path_of(text)
    longest = max((len(fsencode(part)) for part in path.parts), default=0)
    if longest > LONGEST:
        raise UserError(f"{name} must have names of at most {LONGEST} bytes, got one of {longest}")
    try:
        first = next((p for p in (path, *path.parents) if p.exists()), path)
    except OSError as error:
        raise UserError(f"{name} must be a folder, got {text}: {error.strerror}") from error
    if first.exists() and not first.is_dir():
        raise UserError(f"{name} must be a folder, got {text}: {first} is a file")

    return path
