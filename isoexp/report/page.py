"""The page of a report: verdicts first, then a chapter for each claim and each other study.

    DIR/report/  index.html  report.md  figures/*.svg  tables/*.csv  tables/*.tex

The same runs give the same bytes, whenever it is made.
"""

__all__ = ["Page", "page", "write"]

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..claims.evidence import Evidence, damaged_claims, find_evidence
from ..errors import UserError
from ..names import slug, unique
from ..store.files import write_bytes
from .answers import effects, outcome
from .cells import code, count, minutes, moment, plural, text, verdict
from .chapter import SMOKE, Chapter, chapter
from .document import Block, Cell, Column, Document, Figure, Paragraph, Row, Table, blocks, numbers
from .entries import Entry, by_study, damaged_runs, entries
from .exports import csv_text, latex
from .html import html
from .markdown import markdown
from .origin import time_spent
from .sweeps import sweep

HOW = (
    "Each claim was written down by itself, before its runs unless it says otherwise: what is "
    "compared, the effect that counts, the number of seeds, the rule. The rule gives the verdict: "
    "supported, contradicted, no effect larger than the margin, or inconclusive. All four are "
    "answers."
)


@dataclass(frozen=True)
class Page:
    """A report, with the chapters of its claims, and a line for each run or claim damaged."""

    document: Document
    chapters: Sequence[Chapter]
    damaged: Sequence[str]


def page(roots: Sequence[Path]) -> Page:
    """Writes the report of folders of runs.

    Raises:
        UserError: If there is neither a run nor a claim below them.
    """

    runs = list({each.run.folder.resolve(): each for r in roots for each in entries(r)}.values())
    claims = {each.folder.resolve(): each for root in roots for each in find_evidence(root)}
    if not runs and not claims:
        told = ", ".join(map(str, roots))
        raise UserError(f"a report needs runs, got none below {told}: isoexp train makes them")

    taken: set[str] = set()
    chapters = _chapters(sorted(claims.values(), key=lambda e: (e.claim.name, e.study)), taken)
    known = {run.run.folder.resolve() for each in chapters for run in each.runs}
    rest = by_study(run for run in runs if run.run.folder.resolve() not in known)
    studies = by_study(runs)
    sections = [each.section for each in chapters]
    for study, left in rest.items():
        name = study.resolve().name
        whole = len(left) == len(studies[study])
        title = f"Study {name}" if whole else f"Other runs of {name}"
        sections.append(sweep(title, left, _anchor(["study", name], taken)))

    title = f"Report of {' and '.join(root.resolve().name for root in roots)}"
    first: list[Block] = []
    if any(each.decision.evidence.claim.scale == "smoke" for each in chapters):
        first.append(Paragraph(SMOKE, kind="warning"))
    told = dict.fromkeys(line for root in roots for line in damaged_claims(root))
    damaged = [*damaged_runs(runs), *told]
    first += [Paragraph(f"Damaged: {told}.", kind="warning") for told in damaged]
    if chapters:
        first += [Paragraph(HOW), _verdicts(chapters)]
    first.append(_studies(studies, chapters))

    return Page(Document.of(title, first, sections), chapters, damaged)


def write(document: Document, folder: Path) -> Path:
    """Writes a report into a folder; returns its page."""

    for block in blocks(document):
        if isinstance(block, Figure):
            write_bytes(folder / "figures" / f"{block.name}.svg", block.svg)
        if isinstance(block, Table):
            write_bytes(folder / "tables" / f"{block.name}.csv", csv_text(block).encode())
            write_bytes(folder / "tables" / f"{block.name}.tex", latex(block).encode())
    write_bytes(folder / "report.md", markdown(document).encode())
    write_bytes(folder / "index.html", html(document).encode())

    return folder / "index.html"


def _chapters(claims: Sequence[Evidence], taken: set[str]) -> list[Chapter]:
    """Writes the chapters of claims; a claim in several studies names its study."""

    often = Counter(each.claim.name for each in claims)
    found = []
    for each in claims:
        several = often[each.claim.name] > 1
        anchor = _anchor([each.study.name] * several + [each.claim.name], taken)
        title = each.claim.title + (f" ({each.study.name})" if several else "")
        # From the folder anew: what was read of one claim is not kept while others are read.
        found.append(chapter(Evidence(each.folder), anchor, title))

    return found


def _anchor(parts: Sequence[str], taken: set[str]) -> str:
    """Makes an anchor that is not taken yet, with room behind it for the names of its tables."""

    return unique(slug(*parts)[:100], taken)


def _verdicts(chapters: Sequence[Chapter]) -> Table:
    several = len({each.decision.evidence.study for each in chapters}) > 1
    rows: list[Row] = []
    for each in chapters:
        claim = each.decision.evidence.claim
        row: Row = {
            "claim": Cell(claim.title, (claim.name,), link=each.section.anchor),
            "section": text(claim.section),
            "verdict": verdict(outcome(each.decision)),
            "effect": effects(each.decision),
            "cost": Cell(each.spent.told(claim.scale), (each.spent.busy_s,)),
        }
        if several:
            row["study"] = text(each.decision.evidence.study.name)
        rows.append(row)
    caption = (
        "Verdicts. Effects are those that decide, with 95 % intervals over seeds; × marks ratios."
    )

    return Table.of("verdicts", caption, rows)


def _studies(studies: dict[Path, list[Entry]], chapters: Sequence[Chapter]) -> Table:
    claims = Counter(each.decision.evidence.study.resolve() for each in chapters)
    columns = [
        Column("study"), numbers("claims"), numbers("runs"), numbers("completed"), Column("others"),
        Column("first started"), Column("last ended"), numbers("minutes of one worker"),
    ]  # fmt: skip
    rows = []
    for study, runs in studies.items():
        spent = time_spent(runs)
        failed = Counter(run.status for run in runs if not run.completed)
        left = ", ".join(f"{n} {status}" for status, n in sorted(failed.items())) or "none"
        done = len(runs) - failed.total()
        rows.append(
            [
                code(study.resolve().name),
                *map(count, (claims[study.resolve()], len(runs), done)),
                *map(text, (left, moment(spent.first), moment(spent.last))),
                Cell(minutes(spent.busy_s), (spent.busy_s / 60,)),
            ]
        )
    total = sum(len(runs) for runs in studies.values())

    return Table("studies", f"Studies: {plural(total, 'run')} in all.", columns, rows)
