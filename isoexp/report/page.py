"""The page of a report: verdicts first, then a chapter for each claim and each other study.

    DIR/report/  index.html  report.md  figures/*.svg  tables/*.csv  tables/*.tex  chain.jsonl

The same runs give the same bytes, whenever it is made.
"""

__all__ = ["Page", "page", "put", "write"]

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ..claims.chain import CHAIN, lines
from ..claims.evidence import Evidence, confirmations, damaged_claims, find_evidence
from ..errors import UserError
from ..names import slug, unique
from ..output import ended, plural
from ..store.files import write_bytes
from .answers import effects, outcome
from .cells import code, count, minutes, moment, text, verdict
from .chapter import SMOKE, Chapter, chapter, outcome_of
from .document import Block, Cell, Column, Document, Figure, Paragraph, Row, Table, blocks, numbers
from .entries import Entry, by_study, damaged_runs, entries
from .exports import csv_text, latex
from .html import html
from .markdown import markdown
from .origin import time_spent
from .sweeps import sweep

NONE: Mapping[str, Path] = MappingProxyType({})

RULE = (
    "A plan says what is compared, the effect that counts, the number of seeds and the rule. The "
    "rule gives the verdict: supported, contradicted, no effect larger than the margin, or "
    "inconclusive. All four are answers."
)


@dataclass(frozen=True)
class Page:
    """A report, with the chapters of its claims, and a line for each run or claim damaged.

    Arguments:
        chains: The chains of the claims' studies, by the name that each has beside the page.
    """

    document: Document
    chapters: Sequence[Chapter]
    damaged: Sequence[str]
    chains: Mapping[str, Path]


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
    first += [Paragraph(ended(f"Damaged: {told}"), kind="warning") for told in damaged]
    first += [Paragraph(told, kind="warning") for told in _unchained(studies)]
    if chapters:
        first += [Paragraph(f"{_plans(chapters)} {RULE}"), _verdicts(chapters)]
    first.append(_studies(studies, chapters))

    return Page(Document.of(title, first, sections), chapters, damaged, _chains(chapters))


def write(document: Document, folder: Path, chains: Mapping[str, Path] = NONE) -> Path:
    """Writes a report into a folder, the chains of its claims beside it; returns its page."""

    for name, path in chains.items():
        put(folder / name, path.read_bytes())
    for block in blocks(document):
        if isinstance(block, Figure):
            put(folder / "figures" / f"{block.name}.svg", block.svg)
        if isinstance(block, Table):
            put(folder / "tables" / f"{block.name}.csv", csv_text(block).encode())
            put(folder / "tables" / f"{block.name}.tex", latex(block).encode())
    put(folder / "report.md", markdown(document).encode())
    put(folder / "index.html", html(document).encode())

    return folder / "index.html"


def put(path: Path, content: bytes) -> None:
    """Writes a file of a report, whose folder need not be there yet."""

    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)


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


def _chains(chapters: Sequence[Chapter]) -> dict[str, Path]:
    """Names the chains of the studies of claims."""

    studies = dict.fromkeys(each.decision.evidence.study for each in chapters)
    there = [study for study in studies if (study / CHAIN).is_file()]
    taken: set[str] = set()

    return {
        f"{_anchor(['chain', study.resolve().name][: len(there)], taken)}.jsonl": study / CHAIN
        for study in there
    }


def _anchor(parts: Sequence[str], taken: set[str]) -> str:
    """Makes an anchor that is not taken yet, with room behind it for the names of its tables."""

    return unique(slug(*parts)[:100], taken)


def _unchained(studies: Mapping[Path, Sequence[Entry]]) -> list[str]:
    """Says of which studies runs were made for a plan that is not in their chain."""

    found = []
    for study, runs in studies.items():
        if not (study / "claims").is_dir():
            continue
        known = {line.hash for line in lines(study)}
        plans = [each.run.provenance.get("plan") for each in runs]
        n = sum(plan is not None and plan.get("hash") not in known for plan in plans)
        if n:
            name, made = (
                study.resolve().name,
                "was made for a plan" if n == 1 else "were made for plans",
            )
            found.append(f"{plural(n, 'run')} of {name} {made} that its chain does not have.")

    return found


def _plans(chapters: Sequence[Chapter]) -> str:
    """Says how many claims were planned before their runs, by the chain."""

    standing = Counter(each.decision.evidence.standing.partition(" after ")[0] for each in chapters)
    told = {
        "as planned": "written down before {its} runs and not changed since",
        "amended": "changed after runs of {it}, and done again with new seeds",
        "not as planned": "not as planned, for the reasons below",
    }
    said = []
    for each, words in told.items():
        if n := standing[each]:
            one = {"its": "its", "it": "it"} if n == 1 else {"its": "their", "it": "them"}
            said.append(f"{n} {'was' if n == 1 else 'were'} {words.format(**one)}")

    return f"Of {plural(len(chapters), 'claim')}, {'; '.join(said)}."


def _verdicts(chapters: Sequence[Chapter]) -> Table:
    several = len({each.decision.evidence.study for each in chapters}) > 1
    rows: list[Row] = []
    for each in chapters:
        claim = each.decision.evidence.claim
        row: Row = {
            "claim": Cell(claim.title, (claim.name,), link=each.section.anchor),
            "section": text(claim.section),
            "verdict": verdict(outcome(each.decision)),
            "plan": text(each.decision.evidence.standing),
            "confirmed": text("; ".join(map(outcome_of, _confirmed(each))) or "not yet"),
            "effect": effects(each.decision),
            "cost": Cell(each.spent.told(claim.scale), (each.spent.busy_s,)),
        }
        if several:
            row["study"] = text(each.decision.evidence.study.name)
        rows.append(row)
    intervals = "95 % intervals, over seeds unless told; × marks ratios"
    caption = f"Verdicts. Effects are those that decide, with {intervals}."

    return Table.of("verdicts", caption, rows)


def _confirmed(chapter: Chapter) -> list[Evidence]:
    evidence = chapter.decision.evidence

    return confirmations(evidence.study / "claims", evidence)


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
