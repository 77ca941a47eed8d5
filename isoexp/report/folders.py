"""Two folders side by side: the same claims or the same groups, and by how much they differ.

The difference is B − A, with Welch's interval: the two were not made as pairs.
"""

__all__ = ["compare"]

from collections.abc import Sequence
from pathlib import Path

from ..claims.decision import Answered, Decision, decided
from ..claims.evidence import find_evidence
from ..errors import UserError
from .answers import outcome
from .cells import code, estimate, plural, text, verdict
from .differences import compare_groups, difference
from .document import Block, Column, Document, Facts, Paragraph, Section, Table
from .entries import entries
from .origin import origin

Key = tuple[str, str]
"""The name of a claim and its scale."""


def compare(first: Path, second: Path) -> Document:
    """Compares two folders, A and B.

    Raises:
        UserError: If they have neither a claim nor a group in common.
    """

    runs = entries(first), entries(second)
    claims = _decisions(first), _decisions(second)
    sections = [*_claims(*claims), *compare_groups(*runs)]
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

    return Document(f"{names[0]} (A) and {names[1]} (B)", blocks, sections)


def _decisions(root: Path) -> dict[Key, Decision]:
    """Decides the claims below a folder; of one that is there twice, the last."""

    found = sorted(find_evidence(root), key=lambda each: each.registration.get("registered", 0))

    return {(each.claim.name, each.claim.scale): decided(each) for each in found}


def _claims(a: dict[Key, Decision], b: dict[Key, Decision]) -> list[Section]:
    both = [key for key in a if key in b]
    if not both:
        return []
    changed = [key for key in both if outcome(a[key]) != outcome(b[key])]
    order = [*sorted(changed), *sorted(set(both) - set(changed))]

    verdicts = [
        [
            text("{} ({})".format(*key)),
            verdict(outcome(a[key])),
            verdict(outcome(b[key])),
            text("yes" if key in changed else "no"),
            text("yes" if _identity(a[key]) != _identity(b[key]) else "no"),
        ]
        for key in order
    ]
    heads = ("claim", "verdict of A", "verdict of B", "changed", "asked otherwise")
    caption = f"Verdicts: {len(changed)} of {plural(len(both), 'claim')} changed, those first."
    blocks: list[Block] = [
        Table("verdicts", caption, [Column(head) for head in heads], verdicts),
        _comparisons([(key, a[key], b[key]) for key in order]),
    ]
    alone = [(name, *key) for name, own in (("A", a), ("B", b)) for key in own if key not in both]
    if alone:
        told = "; ".join(f"{claim} ({scale}) in {name}" for name, claim, scale in alone)
        blocks.append(Paragraph(f"Only in one of them: {told}."))

    return [Section("Claims", "claims", blocks)]


def _comparisons(pairs: Sequence[tuple[Key, Decision, Decision]]) -> Table:
    rows = []
    for (name, scale), a, b in pairs:
        others = {_of(each): each for each in b.answers}
        for each in a.answers:
            other = others.get(_of(each))
            if other is None or other.log != each.log:
                continue
            rows.append(
                [
                    text(f"{name} ({scale})"),
                    code(each.comparison.contrast),
                    text(each.comparison.metric),
                    estimate(each.interval, each.answer.n),
                    estimate(other.interval, other.answer.n),
                    difference(each.values, other.values, each.log),
                    verdict(each.answer.verdict),
                    verdict(other.answer.verdict),
                ]
            )
    columns = [
        Column("claim"),
        Column("contrast"),
        Column("metric"),
        Column("A", ("A", "A low", "A high", "A n"), number=True),
        Column("B", ("B", "B low", "B high", "B n"), number=True),
        Column("B − A", ("difference", "low", "high"), number=True),
        Column("verdict of A"),
        Column("verdict of B"),
    ]
    caption = "Comparisons that both make. × marks ratios: of those it is B / A that is told."

    return Table("comparisons", caption, columns, rows)


def _of(answered: Answered) -> tuple[str, str, str]:
    asked = answered.comparison

    return asked.contrast, asked.metric, asked.expects


def _identity(decision: Decision) -> str:
    return decision.evidence.claim.identity
