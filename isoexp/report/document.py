"""A report as what it says, before it is HTML, Markdown, LaTeX or CSV: so these never differ.

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
        text: What a reader sees; several lines, if it has line breaks.
        values: What a program reads, one for each name of the column; the text unless given.
        kind: How it is set: code, a verdict, or as usual.
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
        head: What a reader sees.
        names: What a program reads, one for each value of a cell; the head unless given.
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
        caption: What it shows.
        columns: The columns.
        rows: A cell for each column.
        shown: How many rows a reader sees; the files have all of them.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    shown: int | None = None


@dataclass(frozen=True)
class Figure:
    """A figure.

    Arguments:
        name: The name of its file.
        svg: The drawing.
        alt: What it shows, to those who do not see it.
        caption: What stands below.
    """

    name: str
    svg: bytes
    alt: str
    caption: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph.

    Arguments:
        text: The text.
        kind: How it is set: warning, or as usual.
        verdict: What is said of a claim, in front.
    """

    text: str
    kind: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Command:
    """What is to be typed."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Terms, and what is known of each."""

    facts: Sequence[tuple[str, str]]


Block = Paragraph | Command | Facts | Table | Figure


@dataclass(frozen=True)
class Section:
    """A section.

    Arguments:
        title: The heading.
        anchor: What links to it.
        blocks: What it says itself.
        sections: Sections of it.
    """

    title: str
    anchor: str
    blocks: Sequence[Block]
    sections: Sequence["Section"] = ()


@dataclass(frozen=True)
class Document:
    """A report.

    Arguments:
        title: The heading.
        blocks: What stands before the sections.
        sections: The sections.
    """

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
