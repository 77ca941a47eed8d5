"""A report as one HTML file that needs nothing else: no network, no script, no file beside it."""

__all__ = ["html"]

import base64
import html as markup
import re
from collections.abc import Iterator
from pathlib import Path

from ..names import slug
from ..output import printable
from .document import Block, Cell, CommandLine, Document, Facts, Figure, Paragraph, Section, Table

LONG = 36
"""Texts of more letters are set in several lines."""

STYLE = Path(__file__).with_name("page.css")


def html(document: Document) -> str:
    """Writes a report as HTML."""

    title = _escaped(document.title)
    contents = [
        f"<li>{_open('a', href=f'#{section.anchor}')}{_escaped(section.title)}</a></li>"
        for section in document.sections
    ]
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{title}</title>",
        f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>",
        "</head>",
        "<body>",
        '<a class="skip" href="#.main">To the results</a>',
        f"<header><h1>{title}</h1></header>",
        *(['<nav aria-label="Contents"><ol>', *contents, "</ol></nav>"] if contents else []),
        '<main id=".main">',  # a dot is in no anchor that people have named
        *(line for block in document.blocks for line in _block(block)),
        *(line for section in document.sections for line in _section(section)),
        "</main>",
        "<footer><p>Made by isoexp report from the files of the runs alone.</p></footer>",
        "</body>",
        "</html>",
    ]

    return "\n".join(parts) + "\n"


def _section(section: Section) -> Iterator[str]:
    heading = f"{section.anchor}.heading"
    yield _open("section", id=section.anchor, aria_labelledby=heading)
    yield f"{_open('h2', id=heading)}{_escaped(section.title)}</h2>"
    for block in section.blocks:
        yield from _block(block)
    yield "</section>"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(text, kind, verdict):
            front = f"{_badge(verdict, _escaped(verdict))}: " if verdict else ""
            how = {"class_": "warning", "role": "note"} if kind == "warning" else {}
            yield f"{_open('p', **how)}{front}{_escaped(text)}</p>"
        case CommandLine(text):
            yield f"<pre><code>{_escaped(text)}</code></pre>"
        case Facts(facts):
            yield "<dl>"
            for term, told in facts:
                yield f"<div><dt>{_escaped(term)}</dt><dd>{_escaped(told)}</dd></div>"
            yield "</dl>"
        case Figure(name, svg, alt, caption):
            source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
            label = f"{name}.caption"
            yield f"<figure>{_scroll(label)}"
            yield f"{_open('img', alt=alt, src=source)}</div>"
            yield f"{_open('figcaption', id=label)}{_escaped(caption)}</figcaption></figure>"
        case Table():
            yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    label = f"{table.name}.caption"
    rows = table.rows[: table.shown]
    kinds = []
    for place, column in enumerate(table.columns):  # numbers to the right, long texts in lines
        lines = [line for row in rows for line in row[place].lines]
        long = "long" if max(map(len, lines), default=0) > LONG else None
        kinds.append("number" if column.number else long)
    yield f"{_scroll(label)}<table>"
    yield f"<caption>{_open('span', id=label)}{_escaped(table.caption)}</span></caption>"
    heads = "".join(
        f"{_open('th', scope='col', class_=kind)}{_broken(column.head)}</th>"
        for column, kind in zip(table.columns, kinds, strict=True)
    )
    yield f"<thead><tr>{heads}</tr></thead>"
    yield "<tbody>"
    for row in rows:
        first, *rest = map(_cell, row)
        cells = "".join(
            f"{_open('td', class_=kind)}{told}</td>"
            for kind, told in zip(kinds[1:], rest, strict=True)
        )
        yield f"<tr>{_open('th', scope='row', class_=kinds[0])}{first}</th>{cells}</tr>"
    yield "</tbody></table></div>"


def _scroll(label: str) -> str:
    """Opens a part that scrolls by itself and can be reached by keys."""

    return _open("div", class_="scroll", role="region", aria_labelledby=label, tabindex="0")


def _broken(name: str) -> str:
    """Lets a long name be broken between its parts: probe/refraction/theta_max_rad."""

    return "<wbr>".join(map(_escaped, re.split(r"(?<=[/_.,=])(?=\w)", name)))


def _unbroken(text: str) -> str:
    """Keeps what is in brackets on one line: 0.93 [0.91, 0.95] breaks before them."""

    told = re.split(r"(\[[^][\s]+, [^][\s]+\]|\(≥ \S+\))", text)

    return "".join(
        f'<span class="ends">{_escaped(part)}</span>' if place % 2 else _escaped(part)
        for place, part in enumerate(told)
    )


def _escaped(text: str) -> str:
    return markup.escape(printable(text))


def _open(tag: str, **attributes: str | None) -> str:
    """Opens an element. All attributes that are not constant are made here, and escaped."""

    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escaped(value)}"'
        for name, value in attributes.items()
        if value is not None
    )

    return f"<{tag}{told}>"


def _cell(cell: Cell) -> str:
    told = "<br>".join(_unbroken(line) for line in cell.lines)
    if cell.kind == "code":
        told = f"<code>{told}</code>"
    elif cell.kind:
        told = _badge(cell.kind, told)

    return f"{_open('a', href=f'#{cell.link}')}{told}</a>" if cell.link else told


def _badge(verdict: str, told: str) -> str:
    kind = slug(verdict.partition(" larger")[0])

    return f"{_open('strong', class_=f'verdict {kind}')}{told}</strong>"
