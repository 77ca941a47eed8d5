"""Tables as files: CSV for programs, with all digits; LaTeX for papers, with booktabs."""

__all__ = ["csv_text", "escape", "latex"]

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

from ..output import printable
from .document import Table

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "–": "--", "—": "---", "…": r"\ldots{}",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "",
}  # fmt: skip
"""Characters that mean something in LaTeX; a line break takes a bracket or a star behind it."""

SYMBOLS = {
    "±": r"\pm", "−": "-", "×": r"\times", "·": r"\cdot", "≤": r"\leq", "≥": r"\geq",
    "≈": r"\approx", "≠": r"\neq", "∞": r"\infty", "→": r"\to", "‖": r"\Vert", "∈": r"\in",
    "√": r"\surd", "∑": r"\sum", "Σ": r"\Sigma", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma",
    "δ": r"\delta", "ε": r"\varepsilon", "η": r"\eta", "θ": r"\theta", "κ": r"\kappa",
    "λ": r"\lambda", "μ": r"\mu", "π": r"\pi", "ρ": r"\rho", "σ": r"\sigma", "τ": r"\tau",
    "φ": r"\varphi", "ψ": r"\psi", "ω": r"\omega",
}  # fmt: skip

LATEX = str.maketrans(SPECIAL | {sign: f"\\ensuremath{{{name}}}" for sign, name in SYMBOLS.items()})


FORMULA = re.compile(r"[=+\-@＝＋－＠](?!(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|inf$)", re.IGNORECASE)
"""The beginnings of what spreadsheets compute; a number is none."""


def csv_text(table: Table) -> str:
    """Writes a table as CSV, a column for each value of a cell.

    A text that spreadsheets would compute has an apostrophe before it, by which they know texts.
    """

    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = [column.names or (column.head,) for column in table.columns]
    writer.writerow([_plain(name) for own in names for name in own])
    for row in table.rows:
        told: list[Any] = []
        for own, cell in zip(names, row, strict=True):
            values = list(cell.values) or ["; ".join(cell.lines)]
            known = ["" if value is None or value != value else _plain(value) for value in values]
            told += (known + [""] * len(own))[: len(own)]
        writer.writerow(told)

    return file.getvalue()


def latex(table: Table) -> str:
    """Writes a table as LaTeX for \\input, with the rules of booktabs."""

    places = "".join("r" if column.number else "l" for column in table.columns)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escape(table.caption)}}}",
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{places}}}",
        r"    \toprule",
        _row(column.head for column in table.columns),
        r"    \midrule",
        *(_row("; ".join(cell.lines) for cell in row) for row in table.rows[: table.shown]),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]

    return "\n".join(lines) + "\n"


def escape(value: str) -> str:
    """Escapes a text for LaTeX, on one line."""

    return printable(" ".join(value.split())).translate(LATEX)


def _plain(value: Any) -> Any:
    told = printable(value) if isinstance(value, str) else value

    return f"'{told}" if isinstance(told, str) and FORMULA.match(told) else told


def _row(texts: Iterable[str]) -> str:
    return f"    {' & '.join(map(escape, texts))} \\\\"
