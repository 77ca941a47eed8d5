"""The claims in a Markdown file, between two marks: command, minutes, verdict, what was found."""

__all__ = ["CLOSING", "OPENING", "lines", "rewrite"]

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError, one_line
from ..store.files import write_bytes
from .answers import outcome
from .cells import code, minutes, moment, text, verdict
from .chapter import Chapter, command
from .document import Row, Table, numbers
from .markdown import escape, of_table
from .origin import CORES
from .sentence import sentence

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
    # Lines of their own: a claim may have such words within a line.
    found = re.search(f"^{OPENING}$.*?^{CLOSING}$", whole, re.MULTILINE | re.DOTALL)
    if found is None:
        raise UserError(
            f"{path} must have a line {OPENING} and, after it, a line {CLOSING}, got none: "
            "the claims are written between them"
        )
    told = "\n".join(lines(chapters))

    before, after = whole[: found.start()], whole[found.end() :]
    write_bytes(path, f"{before}{OPENING}\n{told}\n{CLOSING}{after}".encode())


def lines(chapters: Sequence[Chapter]) -> list[str]:
    """Writes the claims as a table, with the day and the versions they were measured by."""

    rows: list[Row] = []
    for each in chapters:
        decision, busy_s = each.decision, each.spent.busy_s
        claim = decision.evidence.claim
        took = f"{minutes(busy_s)} on a GPU" if claim.scale == "gpu" else minutes(busy_s / CORES)
        smoke = " (smoke: means nothing)" if claim.scale == "smoke" else ""
        rows.append(
            {
                "claim": text(f"{claim.title} ({claim.section})"),
                "command": code(command(decision)),
                numbers(f"minutes on {CORES} cores"): text(took),
                "verdict": verdict(outcome(decision) + smoke),
                "what was found": text(sentence(decision)),
            }
        )
    ended = moment(max(each.spent.last or 0.0 for each in chapters)).partition(" ")[0]
    known = [each.decision.evidence.registration.get("versions") or {} for each in chapters]
    versions = {p: dict.fromkeys(each[p] for each in known if each.get(p)) for p in PACKAGES}
    told = ", ".join(f"{name} {' and '.join(found)}" for name, found in versions.items() if found)
    intervals = "95 % intervals, over seeds unless told; × marks ratios"

    return [
        *of_table(Table.of("claims", "", rows), linked=False),
        "",
        escape(f"Measured until {ended} with {told}; {intervals}."),
    ]
