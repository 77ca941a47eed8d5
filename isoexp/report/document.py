"""The content of a report, before it is HTML, Markdown, LaTeX or CSV: so these never differ.

    document  →  sections  →  paragraphs · commands · facts · tables · figures

Everything here is plain text; what renders it escapes it.
"""

__all__ = [
    "Block",
    "Cell",
    "Column",
    "Command",
    "Document",
    "Facts",
    "Figure",
    "Paragraph",
    "Section",
    "Table",
    "figures",
    "tables",
]

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Arguments:
        text: The text for a reader, with line breaks.
        values: The values for a program, one for each name of the column; the text unless given.
        kind: code, a verdict, or nothing: the way it is set.
        link: The anchor of the section that says more.
    """

    text: str
    values: Sequence[Any] = ()
    kind: str = ""
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Arguments:
        head: The heading for a reader.
        names: The names for a program, one for each value of a cell; the head unless given.
        number: Whether it is set to the right.
    """

    head: str
    names: Sequence[str] = ()
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it.

    Arguments:
        name: The name of its files.
        shown: The number of rows for a reader; the files have all of them.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    shown: int | None = None


@dataclass(frozen=True)
class Figure:
    """A drawing with the name of its file; alt describes it to those who do not see it."""

    name: str
    svg: bytes
    alt: str
    caption: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; its kind is warning or nothing, and a verdict stands in front of it."""

    text: str
    kind: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Command:
    """A command to be typed."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Terms, each with its fact."""

    facts: Sequence[tuple[str, str]]


Block = Paragraph | Command | Facts | Table | Figure


@dataclass(frozen=True)
class Section:
    """A section, which links lead to by its anchor; its own sections follow its blocks."""

    title: str
    anchor: str
    blocks: Sequence[Block]
    sections: Sequence["Section"] = ()


@dataclass(frozen=True)
class Document:
    """A report: a title, blocks, then sections."""

    title: str
    blocks: Sequence[Block]
    sections: Sequence[Section]


def tables(document: Document) -> Iterator[Table]:
    """Yields the tables of a document, in its order."""

    return (block for block in _blocks(document) if isinstance(block, Table))


def figures(document: Document) -> Iterator[Figure]:
    """Yields the figures of a document, in its order."""

    return (block for block in _blocks(document) if isinstance(block, Figure))


def _blocks(part: Document | Section) -> Iterator[Block]:
    yield from part.blocks
    for section in part.sections:
        yield from _blocks(section)
