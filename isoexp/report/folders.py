"""Two folders, or two runs, side by side: their settings, claims and numbers, and what differs.

The difference is B − A: of runs seed by seed where both have the same seeds, of claims by Welch.
"""

__all__ = ["compare"]

from collections.abc import Sequence
from pathlib import Path

from ..claims.decision import Answered, Decision, decided
from ..claims.evidence import damaged_claims, find_evidence
from ..errors import UserError
from ..output import ended, plural
from ..statistics import apart, bounds, mean
from .answers import outcome
from .cells import code, estimate, ranged, text, verdict
from .document import Block, Cell, Document, Facts, Paragraph, Row, Section, Table, numbers
from .entries import Entry, damaged_runs, entries
from .origin import origin
from .sides import differing, side_by_side

Key = tuple[str, str]
"""The name of a claim and its scale."""


def compare(first: Path, second: Path) -> Document:
    """Compares two folders of runs, or two runs, A and B.

    Raises:
        UserError: If they have neither a claim nor numbers of a group in common.
    """

    roots = first, second
    runs = entries(first), entries(second)
    both = {e.run.folder.resolve() for e in runs[0]} & {e.run.folder.resolve() for e in runs[1]}
    if both:
        raise UserError(
            f"{first} and {second} must be of other runs to be compared, got "
            f"{plural(len(both), 'run')} in both, {min(both).name}"
        )
    claims: list[dict[Key, Decision]] = []
    for root in roots:  # of a claim that is there twice, the last
        found = sorted(find_evidence(root), key=lambda each: each.registered)
        claims.append({(each.claim.name, each.claim.scale): decided(each) for each in found})
    sections = [*_claims(*claims), *side_by_side(*runs)]
    if not sections:
        raise UserError(
            f"{first} and {second} must have a claim, or runs of the same settings, in common to "
            f"be compared, got {plural(len(runs[0]), 'run')} and {plural(len(runs[1]), 'run')} "
            "that have none: name two runs, or studies that vary alike"
        )
    paths = [folder.resolve() for folder in roots]
    names = [path.name for path in paths]
    if len(set(names)) == 1:
        names = [f"{path.parent.name}/{path.name}" for path in paths]
    blocks: list[Block] = [
        Paragraph(
            f"A is {names[0]}, {_counted(runs[0])}; B is {names[1]}, {_counted(runs[1])}. "
            "Differences are B − A with 95 % intervals, each by itself: of many, one in twenty is "
            "off by chance."
        ),
        *(
            Facts([(f"{name}, {term}", told) for term, told in origin(own)])
            for name, own in zip("AB", runs, strict=True)
        ),
    ]

    blocks += [
        Paragraph(ended(f"Damaged: {told}"), kind="warning")
        for root, own in zip(roots, runs, strict=True)
        for told in [*damaged_runs(own), *damaged_claims(root)]
    ]
    if all(runs):
        blocks.append(differing(*runs))

    return Document.of(f"{names[0]} (A) and {names[1]} (B)", blocks, sections)


def _counted(runs: Sequence[Entry]) -> str:
    """Says how many runs there are, of which seeds."""

    seeds = sorted({run.seed for run in runs if run.seed is not None})
    if not seeds:
        return plural(len(runs), "run")
    if len(seeds) == 1:
        return f"{plural(len(runs), 'run')} of seed {seeds[0]}"
    gaps = seeds[-1] - seeds[0] >= len(seeds)
    between = f"{len(seeds)} seeds from {seeds[0]} to {seeds[-1]}" if gaps else ""

    return f"{plural(len(runs), 'run')} of {between or f'seeds {seeds[0]} to {seeds[-1]}'}"


def _claims(a: dict[Key, Decision], b: dict[Key, Decision]) -> list[Section]:
    both = [key for key in a if key in b]
    if not both:
        return []
    changed = [key for key in both if outcome(a[key]) != outcome(b[key])]
    order = sorted(both, key=lambda key: (key not in changed, key))

    asked = {key: [own[key].evidence.claim.identity for own in (a, b)] for key in both}
    verdicts: list[Row] = [
        {
            "claim": text("{} ({})".format(*key)),
            "verdict of A": verdict(outcome(a[key])),
            "verdict of B": verdict(outcome(b[key])),
            "changed": text("yes" if key in changed else "no"),
            "asked otherwise": text("yes" if len(set(asked[key])) > 1 else "no"),
        }
        for key in order
    ]
    caption = f"Verdicts: {len(changed)} of {plural(len(both), 'claim')} changed, those first."
    blocks: list[Block] = [Table.of("verdicts", caption, verdicts)]
    compared = [row for key in order for row in _comparisons(key, a[key], b[key])]
    if compared:
        caption = (
            "Comparisons that both make. B − A is by Welch, with the error of each: over seeds, or "
            "test items too. × marks ratios: of those it is B / A that is told."
        )
        blocks.append(Table.of("comparisons", caption, compared))
    alone = [(name, *key) for name, own in (("A", a), ("B", b)) for key in own if key not in both]
    if alone:
        told = "; ".join(f"{claim} ({scale}) in {name}" for name, claim, scale in alone)
        blocks.append(Paragraph(f"Only in one of them: {told}."))

    return [Section("Claims", "claims", blocks)]


def _comparisons(key: Key, a: Decision, b: Decision) -> list[Row]:
    def asked(answered: Answered) -> tuple[str, str, str, bool]:
        found = answered.comparison
        return found.contrast, found.metric, found.expects, answered.metric.log

    others = {asked(each): each for each in b.answers}
    pairs = [(each, others[asked(each)]) for each in a.answers if asked(each) in others]

    return [
        {
            "claim": text("{} ({})".format(*key)),
            "contrast": code(one.comparison.contrast),
            "metric": text(one.comparison.metric),
            numbers("A", "A", "A low", "A high", "A n"): estimate(
                one.interval, one.answer.n, one.metric.log
            ),
            numbers("B", "B", "B low", "B high", "B n"): estimate(
                other.interval, other.answer.n, one.metric.log
            ),
            numbers("B − A", "difference", "low", "high"): _difference(one, other),
            "verdict of A": verdict(one.answer.verdict),
            "verdict of B": verdict(other.answer.verdict),
        }
        for one, other in pairs
    ]


def _difference(a: Answered, b: Answered) -> Cell:
    """Makes the cell of B − A, of ratios B / A."""

    if not (len(a.values) and len(b.values)):
        return ranged(None)
    log, (one, other) = a.metric.log, (each.answer.student or mean(each.values) for each in (a, b))

    return ranged(bounds(apart(other, one).interval().triple, log), log)
