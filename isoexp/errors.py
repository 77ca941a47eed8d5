"""What is said to a user who asked for something that cannot be."""

__all__ = ["Unreadable", "UserError", "blamed", "did_you_mean", "one_line", "suggest"]

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from .output import printable


class UserError(ValueError):
    """A mistake in what was asked for, in one line: what must hold, what was given, what to do.

    The command line prints the line and exits with code 2; nothing has been written by then.
    """


class Unreadable(UserError):
    """A file that is not what was written: cut short, empty, overwritten, or of wrong types."""


def one_line(error: BaseException) -> str:
    """Returns the message of an error in one line, or the name of its class if it has none.

    Of code that exits it says so, of code that cannot be read where.
    """

    said = str(error)
    if isinstance(error, SystemExit):
        said = f"it called sys.exit({error.code!r})"
    elif isinstance(error, SyntaxError) and error.lineno is not None:
        said = f"{error.filename}, line {error.lineno}: {error.msg}"

    return printable(" ".join(said.split())) or type(error).__name__


@contextmanager
def blamed(part: str) -> Iterator[None]:
    """Tells whatever the code of a part raises, its sys.exit too, in a line that names the part."""

    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        plain = isinstance(error, ValueError | TypeError | OSError | SystemExit)
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
