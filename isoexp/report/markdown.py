"""A report as Markdown, as GitHub and pandoc read it; its figures are files beside it."""

__all__ = ["escape", "fenced", "markdown", "of_table"]

import re
from collections.abc import Sequence

from ..output import line, printable
from .document import Block, Cell, CommandLine, Document, Facts, Figure, Paragraph, Table

SPECIAL = re.compile(r"[\\`*<|~${]|&(?=#?\w+;)|\](?=[(\[:])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""Characters with a meaning; _ inside a word and [0.1, 0.2] have none."""

OPENING = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+>]|#+(?=\s|$)|=+$)")
"""Beginnings that make a line a list, a heading or a quotation."""


def markdown(document: Document) -> str:
    """Writes a report as Markdown."""

    lines = [f"# {escape(document.title)}", ""]
    for block in document.blocks:
        lines += _block(block)
    for section in document.sections:
        lines += [f'<a id="{section.anchor}"></a>', "", f"## {escape(section.title)}", ""]
        lines += [line for block in section.blocks for line in _block(block)]

    return "\n".join(lines).rstrip() + "\n"


def escape(value: str) -> str:
    """Escapes a text for Markdown, on one line."""

    told = SPECIAL.sub(r"\\\g<0>", printable(" ".join(value.split())))

    return OPENING.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", told)


def fenced(value: str) -> str:
    """Fences code in more backticks than it has."""

    told = printable(" ".join(value.split()))
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", told)), default=0))
    space = " " if told.startswith("`") or told.endswith("`") else ""

    return f"{fence}{space}{told}{space}{fence}"


def of_table(table: Table, linked: bool = True) -> list[str]:
    """Writes the lines of a table without its caption; links lead to sections of the same file."""

    heads = [escape(column.head) or " " for column in table.columns]
    rules = ["---:" if column.number else "---" for column in table.columns]
    rows = [[_cell(cell, linked) for cell in row] for row in table.rows[: table.shown]]

    return [f"| {' | '.join(row)} |" for row in (heads, rules, *rows)]


def _block(block: Block) -> Sequence[str]:
    match block:
        case Paragraph(text, kind, verdict):
            told = f"**{escape(verdict)}**: {escape(text)}" if verdict else escape(text)
            return [f"> **{told}**" if kind == "warning" else told, ""]
        case CommandLine(text):
            return [f"    {line(text)}", ""]
        case Facts(facts):
            return [*(f"- {escape(term)}: {escape(told)}" for term, told in facts), ""]
        case Figure(name, _, alt, caption):
            image = f"![{_linking(escape(alt))}](figures/{name}.svg)"
            return [image, "", f"*{escape(caption)}*", ""]
        case Table():
            files = f"[csv](tables/{block.name}.csv), [tex](tables/{block.name}.tex)"
            return [f"*{escape(block.caption)}* {files}", "", *of_table(block), ""]


def _cell(cell: Cell, linked: bool) -> str:
    if cell.kind == "code":  # a bar ends a cell, in code as well
        told = "<br>".join(fenced(line).replace("|", "\\|") for line in cell.lines)
    else:
        told = "<br>".join(escape(line) for line in cell.lines)
        told = f"**{told}**" if cell.kind else told

    return f"[{_linking(told)}](#{cell.link})" if cell.link and linked else told


def _linking(told: str) -> str:
    """Escapes the brackets of a text between the brackets of a link."""

    return re.sub(r"(?<!\\)[\[\]]", r"\\\g<0>", told)
