"""The claims in a Markdown file, between two marks: command, minutes, verdict, effect."""

__all__ = ["CLOSING", "OPENING", "lines", "rewrite"]

from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError, one_line
from ..store.files import write_bytes
from .answers import effects, outcome
from .cells import code, day, minutes, text, verdict
from .chapter import Chapter, command
from .document import Cell, Column, Table
from .markdown import escape, of_table
from .origin import CORES

OPENING = "<!-- claims -->"
CLOSING = "<!-- /claims -->"

PACKAGES = ("isoexp", "torch", "python")
"""Versions that are named; the report has all of them."""


def rewrite(path: Path, chapters: Sequence[Chapter]) -> None:
    """Writes the claims into a file, in place of those that it had.

    Raises:
        UserError: If the file cannot be read, has no place for them, or there is no claim.
    """

    if not chapters:
        raise UserError(f"{path} can only be told of claims, got none: isoexp reproduce makes them")
    try:
        whole = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--readme must be a text file, got {path}: {one_line(error)}") from error
    before, opening, rest = whole.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not (opening and closing):
        raise UserError(
            f"{path} must have a line {OPENING} and, after it, a line {CLOSING}, got none: "
            "the claims are written between them"
        )
    told = "\n".join(lines(chapters))

    write_bytes(path, f"{before}{OPENING}\n{told}\n{CLOSING}{after}".encode())


def lines(chapters: Sequence[Chapter]) -> list[str]:
    """Writes the claims as a table, with the day and the versions they were measured by."""

    heads = ("claim", "command", f"minutes on {CORES} cores", "verdict", "effect measured")
    columns = [Column(head, number=head.startswith("minutes")) for head in heads]
    rows = [_row(each) for each in chapters]
    ended = max((each.spent.last or 0.0 for each in chapters), default=0.0)
    known = [each.decision.evidence.registration.get("versions") or {} for each in chapters]
    versions = {p: dict.fromkeys(each[p] for each in known if each.get(p)) for p in PACKAGES}
    told = ", ".join(f"{name} {' and '.join(found)}" for name, found in versions.items() if found)
    intervals = "95 % t intervals over seeds; × marks ratios"

    return [
        *of_table(Table("claims", "", columns, rows), linked=False),
        "",
        escape(f"Measured until {day(ended)} with {told}; {intervals}."),
    ]


def _row(chapter: Chapter) -> list[Cell]:
    claim, decision = chapter.decision.evidence.claim, chapter.decision
    gpu = claim.scale == "gpu"
    took = (
        f"{minutes(chapter.spent.busy_s)} on a GPU"
        if gpu
        else minutes(chapter.spent.busy_s / CORES)
    )
    smoke = " (smoke: means nothing)" if claim.scale == "smoke" else ""

    return [
        text(f"{claim.title} ({claim.section})"),
        code(command(decision)),
        text(took),
        verdict(outcome(decision) + smoke),
        effects(decision, shown=1),
    ]
