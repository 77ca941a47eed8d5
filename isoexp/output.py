"""Text for people: what names, words and files hold steers no terminal, page or table."""

__all__ = ["ended", "line", "listed", "plural", "printable", "say"]

import sys
import unicodedata
from collections.abc import Iterable
from typing import Any


def printable(text: str) -> str:
    """Spells out control characters but line breaks; so, too, what turns the direction of text."""

    if text.isprintable():
        return text

    def plain(c: str) -> bool:
        return c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs"

    return "".join(c if plain(c) else repr(c)[1:-1] for c in text)


def line(text: str) -> str:
    """Returns a text on one line, printable."""

    return printable(" ".join(text.splitlines()))


def ended(text: str) -> str:
    """Ends a text with a full stop, unless it ends a sentence by itself."""

    return text if text.endswith((".", "?", "!", "…")) else f"{text}."


def listed(told: Iterable[str]) -> str:
    """Lists texts, one at least: a, b and c."""

    *first, last = told

    return f"{', '.join(first)} and {last}" if first else last


def plural(count: int, noun: str) -> str:
    """Writes a count with its noun: 1 run, 2 runs."""

    return f"{count:,} {noun}{'s' * (count != 1)}"


def say(text: object = "", stream: Any = None, end: str = "\n") -> None:
    """Prints to a stream, unless given that of results; at once, so that threads do not mix."""

    stream = stream or sys.stdout
    stream.write(printable(str(text)) + end)
    stream.flush()
