"""The page of a report: verdicts first, then a chapter for each claim and each other study.

    DIR/report/  index.html  report.md  figures/*.svg  tables/*.csv  tables/*.tex

The same runs give the same bytes, whenever it is made.
"""

__all__ = ["Page", "page", "write"]

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..claims.evidence import Evidence, find_evidence
from ..errors import UserError
from ..store.files import write_bytes
from .answers import effects, outcome
from .cells import code, count, minutes, moment, plural, slug, text, verdict
from .chapter import SMOKE, Chapter, chapter
from .document import Block, Cell, Column, Document, Paragraph, Section, Table, figures, tables
from .entries import Entry, by_study, entries
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
    """A report, with the chapters of its claims."""

    document: Document
    chapters: Sequence[Chapter]


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

    chapters = _chapters(sorted(claims.values(), key=lambda e: (e.claim.name, e.study)))
    known = {run.run.folder.resolve() for each in chapters for run in each.runs}
    rest = by_study(run for run in runs if run.run.folder.resolve() not in known)
    studies = by_study(runs)
    taken = {each.section.anchor for each in chapters}
    sweeps = [_sweep(study, rest[study], len(studies[study]), taken) for study in rest]

    title = f"Report of {' and '.join(root.resolve().name for root in roots)}"
    blocks: list[Block] = []
    if any(each.decision.evidence.claim.scale == "smoke" for each in chapters):
        blocks.append(Paragraph(SMOKE, kind="warning"))
    if chapters:
        blocks += [Paragraph(HOW), _verdicts(chapters)]
    blocks.append(_studies(studies, chapters))
    sections = [*(each.section for each in chapters), *sweeps]

    return Page(Document(title, blocks, sections), chapters)


def write(document: Document, folder: Path) -> Path:
    """Writes a report into a folder; returns its page."""

    for figure in figures(document):
        write_bytes(folder / "figures" / f"{figure.name}.svg", figure.svg)
    for table in tables(document):
        write_bytes(folder / "tables" / f"{table.name}.csv", csv_text(table).encode())
        write_bytes(folder / "tables" / f"{table.name}.tex", latex(table).encode())
    write_bytes(folder / "report.md", markdown(document).encode())
    write_bytes(folder / "index.html", html(document).encode())

    return folder / "index.html"


def _chapters(claims: Sequence[Evidence]) -> list[Chapter]:
    """Writes the chapters of claims; a claim in several studies names its study."""

    often = Counter(each.claim.name for each in claims)
    taken: set[str] = set()
    found = []
    for each in claims:
        several = often[each.claim.name] > 1
        anchor = _anchor(
            [each.study.name, each.claim.name] if several else [each.claim.name], taken
        )
        title = f"{each.claim.title} ({each.study.name})" if several else each.claim.title
        # From the folder anew: what was read of one claim is not kept while others are read.
        found.append(chapter(Evidence(each.folder), anchor, title))

    return found


def _sweep(study: Path, runs: Sequence[Entry], of: int, taken: set[str]) -> Section:
    name = study.resolve().name
    title = f"Study {name}" if len(runs) == of else f"Other runs of {name}"

    return sweep(title, runs, _anchor(["study", name], taken))


def _anchor(parts: Sequence[str], taken: set[str]) -> str:
    """Makes an anchor that is not taken yet."""

    stem = anchor = slug(*parts)
    n = 1
    while anchor in taken:
        n += 1
        anchor = f"{stem}-{n}"
    taken.add(anchor)

    return anchor


def _verdicts(chapters: Sequence[Chapter]) -> Table:
    studies = {each.decision.evidence.study for each in chapters}
    columns = [Column("claim"), Column("section"), Column("verdict"), Column("effect")]
    columns += [Column("cost"), *([Column("study")] if len(studies) > 1 else [])]
    rows = []
    for each in chapters:
        claim = each.decision.evidence.claim
        row = [
            Cell(claim.title, (claim.name,), link=each.section.anchor),
            text(claim.section),
            verdict(outcome(each.decision)),
            effects(each.decision),
            Cell(each.spent.told(claim.scale), (each.spent.busy_s,)),
        ]
        rows.append(row + ([text(each.decision.evidence.study.name)] if len(studies) > 1 else []))
    caption = (
        "Verdicts. Effects are those that decide, with 95 % intervals over seeds; × marks ratios."
    )

    return Table("verdicts", caption, columns, rows)


def _studies(studies: dict[Path, list[Entry]], chapters: Sequence[Chapter]) -> Table:
    claims = Counter(each.decision.evidence.study.resolve() for each in chapters)
    rows: list[Sequence[Cell]] = []
    for study, runs in studies.items():
        spent = time_spent(runs)
        failed = Counter(run.status for run in runs if not run.completed)
        left = ", ".join(f"{n} {status}" for status, n in sorted(failed.items())) or "none"
        rows.append(
            [
                code(study.resolve().name),
                count(claims[study.resolve()]),
                count(len(runs)),
                count(len(runs) - failed.total()),
                text(left),
                text(moment(spent.first)),
                text(moment(spent.last)),
                Cell(minutes(spent.busy_s), (spent.busy_s / 60,)),
            ]
        )
    total = sum(len(runs) for runs in studies.values())
    heads = ("claims", "runs", "completed")
    columns = [
        Column("study"),
        *(Column(head, number=True) for head in heads),
        Column("others"),
        Column("first started"),
        Column("last ended"),
        Column("minutes of one worker", number=True),
    ]

    return Table("studies", f"Studies: {plural(total, 'run')} in all.", columns, rows)
