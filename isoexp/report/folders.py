"""Two folders side by side: the same claims or the same groups, and by how much they differ.

The difference is B − A, with Welch's interval: the two were not made as pairs.
"""

__all__ = ["compare"]

from collections.abc import Sequence
from math import inf
from pathlib import Path

from ..claims.decision import Answered, Decision, decided
from ..claims.evidence import damaged_claims, find_evidence
from ..errors import UserError
from ..statistics import welch
from .answers import outcome
from .cells import code, difference, estimate, plural, text, verdict
from .document import Block, Cell, Document, Facts, Paragraph, Row, Section, Table, numbers
from .entries import Entry, damaged_runs, entries, grouped, settled
from .origin import origin

SHOWN = 100
"""Differences that a table shows."""

Key = tuple[str, str]
"""The name of a claim and its scale."""


def compare(first: Path, second: Path) -> Document:
    """Compares two folders, A and B.

    Raises:
        UserError: If they have neither a claim nor a group in common.
    """

    runs = entries(first), entries(second)
    claims: list[dict[Key, Decision]] = []
    for root in (first, second):  # of a claim that is there twice, the last
        found = sorted(find_evidence(root), key=lambda each: each.registered)
        claims.append({(each.claim.name, each.claim.scale): decided(each) for each in found})
    sections = [*_claims(*claims), *_groups(*runs)]
    if not sections:
        raise UserError(
            f"{first} and {second} must have a claim or settings in common to be compared, got "
            f"{plural(len(runs[0]), 'run')} and {plural(len(runs[1]), 'run')} that have none"
        )
    names = [folder.resolve().name for folder in (first, second)]
    blocks: list[Block] = [
        Paragraph(
            f"A is {names[0]}, {plural(len(runs[0]), 'run')}; B is {names[1]}, "
            f"{plural(len(runs[1]), 'run')}. Differences are B − A with 95 % intervals by Welch, "
            "each by itself: of many, one in twenty is off by chance."
        ),
        *(
            Facts([(f"{name}, {term}", told) for term, told in origin(own)])
            for name, own in zip("AB", runs, strict=True)
        ),
    ]

    blocks += [
        Paragraph(f"Damaged: {told}.", kind="warning")
        for root, own in zip((first, second), runs, strict=True)
        for told in [*damaged_runs(own), *damaged_claims(root)]
    ]

    return Document.of(f"{names[0]} (A) and {names[1]} (B)", blocks, sections)


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
        caption = "Comparisons that both make. × marks ratios: of those it is B / A that is told."
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
            numbers("A", "A", "A low", "A high", "A n"): estimate(one.interval, one.answer.n),
            numbers("B", "B", "B low", "B high", "B n"): estimate(other.interval, other.answer.n),
            numbers("B − A", "difference", "low", "high"): difference(
                one.values, other.values, one.metric.log
            ),
            "verdict of A": verdict(one.answer.verdict),
            "verdict of B": verdict(other.answer.verdict),
        }
        for one, other in pairs
    ]


def _groups(a: Sequence[Entry], b: Sequence[Entry]) -> list[Section]:
    """Compares the groups that both have; settings that all runs share tell none apart."""

    names = settled([*a, *b])
    left, right = ({tuple(g.settings.values()): g for g in grouped(own, names)} for own in (a, b))
    both = [key for key in left if key in right]
    found: list[tuple[float, Row]] = []
    for key in both:
        one, other = left[key], right[key]
        for name in dict.fromkeys(name for run in one.completed for name in run.numbers):
            x, y = one.values(name), other.values(name)
            if not (len(x) and len(y)) or name in ("steps", "parameters"):
                continue
            means = [
                Cell(f"{v.mean():.4g}\nn = {len(v)}", (float(v.mean()), len(v))) for v in (x, y)
            ]
            row: Row = {
                **one.cells,
                "number": text(name),
                numbers("A", "A mean", "A n"): means[0],
                numbers("B", "B mean", "B n"): means[1],
                numbers("B − A", "difference", "low", "high"): difference(x, y),
            }
            # In standard errors; where one run alone gives none the error is ∞.
            size, error = abs(welch(y, x).estimate), welch(y, x).error
            found.append((size / error if error else inf if size else 0.0, row))
    if not found:
        return []
    found.sort(key=lambda each: -each[0])  # as they were, where they are equally clear
    more = (
        f" The first {SHOWN} of {len(found):,}; the files have all." if len(found) > SHOWN else ""
    )
    caption = (
        f"{plural(len(both), 'group')} of runs that both have, by final number; those first that "
        f"differ most, beside their standard error.{more}"
    )
    blocks: list[Block] = [Table.of("groups", caption, [row for _, row in found], SHOWN)]
    alone = [
        f"{len(set(own) - set(both))} only in {name}"
        for name, own in (("A", left), ("B", right))
        if set(own) - set(both)
    ]
    if alone:
        blocks.append(Paragraph(f"Groups that one of them has: {', '.join(alone)}."))

    return [Section("Runs", "runs", blocks)]
