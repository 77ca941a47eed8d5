"""Text for people: what names, words and files hold steers no terminal, page or table."""

__all__ = ["line", "printable", "say"]

import sys
import unicodedata
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


def say(text: object = "", stream: Any = None, end: str = "\n") -> None:
    """Prints to a stream, unless given that of results; at once, so that threads do not mix."""

    stream = stream or sys.stdout
    stream.write(printable(str(text)) + end)
    stream.flush()
