"""What is said to a user who asked for something that cannot be."""

__all__ = [
    "NotHere", "Unreadable", "UserError", "blamed", "did_you_mean", "failure", "one_line",
    "out_of_memory", "suggest",
]  # fmt: skip

import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from errno import ENOMEM

from .output import printable


class UserError(ValueError):
    """A mistake in what was asked for, in one line: what must hold, what was given, what to do.

    The command line prints the line and exits with code 2; nothing has been written by then.
    """


class Unreadable(UserError):
    """A file that is not what was written: cut short, empty, overwritten, or of wrong types."""


class NotHere(UserError):
    """Data that this machine has not: not installed, and not to be downloaded."""


def one_line(error: BaseException) -> str:
    """Returns the message of an error in one line, or the name of its class if it has none.

    Of code that exits it says so, of code that cannot be read where, of a file that cannot be
    written or read which, and without memory what to lower.
    """

    said = str(error)
    if out_of_memory(error):
        asked = re.search(r"allocate ([\d.]+ ?\w+)", said)
        of = f" for {asked[1]} more" if asked else ""
        said = f"out of memory{of}: lower batch_size, seeds, sweep.batch, or sizes of model or data"
    elif isinstance(error, OSError) and error.filename is not None and error.strerror:
        said = f"{error.filename}: {error.strerror}"
    elif isinstance(error, SystemExit):
        said = f"it called sys.exit({error.code!r})"
    elif isinstance(error, SyntaxError) and error.lineno is not None:
        said = f"{error.filename}, line {error.lineno}: {error.msg}"
    said = said.partition("Exception raised from ")[0]  # what torch appends is of its inside

    return printable(" ".join(said.split())) or type(error).__name__


def failure(error: BaseException) -> str:
    """Returns why something failed, in one line: the kind of error, unless the line tells it."""

    if isinstance(error, SystemExit):
        frames = traceback.extract_tb(error.__traceback__)
        *_, last = (each for each in frames if each.filename[0] != "<")
        return f"{last.filename}, line {last.lineno}: {one_line(error)}"
    plain = isinstance(error, UserError | OSError) or out_of_memory(error)

    return (one_line(error) if plain else f"{type(error).__name__}: {one_line(error)}")[:500]


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, in NumPy's or torch's way too."""

    if isinstance(error, MemoryError) or getattr(error, "errno", None) == ENOMEM:
        return True
    if type(error).__name__ == "OutOfMemoryError":  # torch's, of an accelerator
        return True
    words = ("allocate memory", "not enough memory", "out of memory", "bad_alloc")

    return isinstance(error, RuntimeError) and any(each in str(error) for each in words)


@contextmanager
def blamed(part: str) -> Iterator[None]:
    """Tells whatever the code of a part raises, its sys.exit too, in a line that names the part."""

    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        plain = isinstance(error, ValueError | TypeError | OSError | SystemExit)
        plain = plain or out_of_memory(error)
        kind = "" if plain else f"{type(error).__name__}: "
        raise UserError(f"{part}: {kind}{one_line(error)}") from error


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """Returns the choice nearest to a misspelt word, if one is near."""

    choices = list(choices)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)

    return near[0] if near else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Returns "; did you mean X?" or nothing, to end a message with."""

    near = suggest(word, choices)

    return f"; did you mean {near}?" if near else ""
