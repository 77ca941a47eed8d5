"""What is said to a user who asked for something that cannot be."""

__all__ = ["Unreadable", "UserError", "did_you_mean", "one_line", "suggest"]

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """A mistake in what was asked for, in one line: what must hold, what was given, what to do.

    The command line prints the line and exits with code 2; nothing has been written by then.
    """


class Unreadable(UserError):
    """A file that is not what was written: cut short, empty, overwritten, or of wrong types."""


def one_line(error: BaseException) -> str:
    """Returns the message of an error in one line, or the name of its class if it has none.

    Control characters are spelt out: what a word or a file holds never steers a terminal.
    """

    line = " ".join(str(error).split()) or type(error).__name__

    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """Returns the choice nearest to a misspelt word, if one is near."""

    choices = list(choices)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)

    return near[0] if near else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Returns "; did you mean X?" or nothing, to end a message with."""

    near = suggest(word, choices)

    return f"; did you mean {near}?" if near else ""
