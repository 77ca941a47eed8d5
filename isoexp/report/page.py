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

from ..claims.chain import BLOCK, CHAIN, lines
from ..claims.discovery import Discoveries, discoveries
from ..claims.evidence import Evidence, damaged_claims, find_evidence
from ..errors import UserError
from ..names import slug, unique
from ..output import ended, plural
from ..store.files import write_bytes
from .answers import outcome
from .cells import code, count, minutes, moment, text, verdict
from .chapter import SMOKE, Chapter, chapter, outcome_of
from .document import Block, Cell, Column, Document, Figure, Paragraph, Row, Table, blocks, numbers
from .drawings import effects_figure
from .entries import Entry, by_study, damaged_runs, entries
from .exports import csv_text, latex
from .html import html
from .markdown import markdown
from .origin import time_spent
from .sentence import sentence
from .sweeps import sweep

NONE: Mapping[str, Path] = MappingProxyType({})

OTHER = "other"
"""Runs that are of no claim on the page."""

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
    studies = by_study(runs)
    parts = {study: _parts(study, own, chapters) for study, own in studies.items()}
    rest = {study: own[OTHER] for study, own in parts.items() if OTHER in own}
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
    picture = effects_figure([(e.decision, e.confirmed) for e in chapters], "effects")
    if picture:
        together = discoveries([each.decision for each in chapters])
        told = " ".join(filter(None, (_plans(chapters), RULE, together.line)))
        first += [picture, Paragraph(told), _verdicts(chapters, together)]
    first.append(_studies(studies, chapters, parts))

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


def _verdicts(chapters: Sequence[Chapter], together: Discoveries) -> Table:
    several = len({each.decision.evidence.study for each in chapters}) > 1
    rows: list[Row] = []
    for each in chapters:
        decision, claim = each.decision, each.decision.evidence.claim
        lacks = len(decision.missing)
        missing = f"; {plural(lacks, 'number')} missing" if lacks else ""
        own = any(each is decision for each in together.alone)
        alone = "; decided by itself, not with all of the page" if own else ""
        row: Row = {
            "claim": Cell(claim.title, (claim.name,), link=each.section.anchor),
            "section": text(claim.section),
            "verdict": verdict(outcome(decision)),
            "plan": text(decision.evidence.standing + missing + alone),
            "confirmed": text("; ".join(map(outcome_of, each.repeated)) or "not yet"),
            "what was found": text(sentence(decision)),
            "cost": Cell(each.spent.told(claim.scale), (each.spent.busy_s,)),
        }
        if several:
            row["study"] = text(decision.evidence.study.name)
        rows.append(row)
    intervals = "95 % intervals, over seeds unless told; × marks ratios"
    caption = f"Verdicts. Effects are those that decide, with {intervals}."

    return Table.of("verdicts", caption, rows)


def _parts(
    study: Path, runs: Sequence[Entry], chapters: Sequence[Chapter]
) -> dict[str, list[Entry]]:
    """Parts the runs of a study by what they are to its claims, by the lines that they carry."""

    own = [e for e in chapters if e.decision.evidence.study.resolve() == study.resolve()]
    told = {run.run.folder.resolve() for each in own for run in each.runs}
    names = {each.decision.evidence.claim.name for each in own}
    last = {line.hash for each in own if (line := each.decision.evidence.line)}
    known = {line.hash: line for line in lines(study) if line.claim in names}
    tuned = {r.folder.resolve() for e in own for r in e.decision.evidence.tuning_runs}
    parts: dict[str, list[Entry]] = {}
    for run in runs:
        folder = run.run.folder.resolve()
        plan = (run.run.provenance.get("plan") or {}) if own else {}
        line = known.get(str(plan.get("hash")))
        if folder in told:
            kind = "tuning" if folder in tuned else "compared"
        elif line is None:
            kind = OTHER
        elif line.kind == "confirmation":
            kind = "of confirmations"
        elif line.cell:
            kind = "of cells"
        elif line.hash not in last:
            kind = "of earlier plans"
        elif line.tuning_seed <= (run.seed or 0) < line.tuning_seed + BLOCK:
            kind = "tuning"
        else:
            kind = "not compared"
        parts.setdefault(kind, []).append(run)

    return parts


def _studies(
    studies: Mapping[Path, Sequence[Entry]],
    chapters: Sequence[Chapter],
    parts: Mapping[Path, Mapping[str, Sequence[Entry]]],
) -> Table:
    claims = Counter(each.decision.evidence.study.resolve() for each in chapters)
    columns = [
        Column("study"), numbers("claims"), numbers("runs"), numbers("completed"), Column("others"),
        Column("of the claims"), Column("first started"), Column("last ended"),
        numbers("minutes of one worker"),
    ]  # fmt: skip
    rows = []
    for study, runs in studies.items():
        spent = time_spent(runs)
        failed = Counter(run.status for run in runs if not run.completed)
        left = ", ".join(f"{n} {status}" for status, n in sorted(failed.items())) or "none"
        done = len(runs) - failed.total()
        own = [f"{len(found)} {kind}" for kind, found in parts[study].items() if kind != OTHER]
        rows.append(
            [
                code(study.resolve().name),
                *map(count, (claims[study.resolve()], len(runs), done)),
                *map(
                    text, (left, ", ".join(own) or "none", moment(spent.first), moment(spent.last))
                ),
                Cell(minutes(spent.busy_s), (spent.busy_s / 60,)),
            ]
        )
    total = sum(len(runs) for runs in studies.values())

    return Table("studies", f"Studies: {plural(total, 'run')} in all.", columns, rows)
