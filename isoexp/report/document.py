"""The content of a report, before it is HTML, Markdown, LaTeX or CSV: so these never differ.

    document  →  sections  →  paragraphs · commands · facts · tables · figures

Everything here is plain text; what renders it escapes it. Names of tables and figures become those
of files and of parts of a page: `Document.of` makes them safe, whatever people have typed.
"""

__all__ = [
    "Block", "Cell", "Column", "CommandLine", "Document", "Facts", "Figure", "Paragraph", "Row",
    "Section", "Table", "blocks", "numbers",
]  # fmt: skip

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from ..names import slug, unique
from ..output import printable


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

    @property
    def lines(self) -> list[str]:
        """The text line by line, printable."""

        return printable(self.text).split("\n")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Arguments:
        names: The names for a program, one for each value of a cell; the head unless given.
        number: Whether it is set to the right.
    """

    head: str
    names: Sequence[str] = ()
    number: bool = False


def numbers(head: str, *names: str) -> Column:
    """Makes a column of numbers."""

    return Column(head, names, number=True)


Row = dict[Column | str, Cell]
"""A cell for each column; a column may be named by its head."""


@dataclass(frozen=True)
class Table:
    """A table and the name of its files; the first cell of a row names it.

    A reader is shown the first rows, if `shown` is given; the files have all of them.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    shown: int | None = None

    @classmethod
    def of(cls, name: str, caption: str, rows: Sequence[Row], shown: int | None = None) -> Self:
        """Makes a table of rows that have the same columns, one row at least."""

        columns = [Column(head) if isinstance(head, str) else head for head in rows[0]]

        return cls(name, caption, columns, [list(row.values()) for row in rows], shown)


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
class CommandLine:
    """A command to be typed."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Terms, each with its fact."""

    facts: Sequence[tuple[str, str]]


Block = Paragraph | CommandLine | Facts | Table | Figure


@dataclass(frozen=True)
class Section:
    """A section, which links lead to by its anchor."""

    title: str
    anchor: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report: a title, blocks, then sections."""

    title: str
    blocks: Sequence[Block]
    sections: Sequence[Section]

    @classmethod
    def of(cls, title: str, blocks: Sequence[Block], sections: Sequence[Section]) -> Self:
        """Makes a report in which each table and figure has a name of its own, safe as a file's."""

        taken: set[str] = set()

        def named(block: Block) -> Block:
            if not isinstance(block, Table | Figure):
                return block
            return replace(block, name=unique(slug(block.name), taken))

        first = [named(block) for block in blocks]

        return cls(title, first, [replace(s, blocks=[*map(named, s.blocks)]) for s in sections])


def blocks(document: Document) -> Iterator[Block]:
    """Yields the blocks of a document in its order, those of its sections included."""

    yield from document.blocks
    for section in document.sections:
        yield from section.blocks
