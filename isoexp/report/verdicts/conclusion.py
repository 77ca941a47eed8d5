"""Conclusions: from the answers of the comparisons of a claim to its verdict.

a control is not supported                inconclusive
else all that decide are supported        supported
else one of them is contradicted          contradicted
else all are supported or without effect  no effect larger than the margin
else                                      inconclusive
"""

__all__ = ["ROLES", "Verdict", "conclude"]

from collections.abc import Sequence
from dataclasses import dataclass

from .answer import NULL, Answer, Outcome

ROLES = ("decides", "control", "beside")
"""What a comparison is for: the verdict, the trust in it (it must be supported), or the reader."""


@dataclass(frozen=True)
class Verdict:
    """What the comparisons of a claim say together.

    Arguments:
        verdict: The verdict.
        words: Why, in a line.
    """

    verdict: Outcome
    words: str


def conclude(answers: Sequence[Answer], roles: Sequence[str]) -> Verdict:
    """Returns the verdict on a claim.

    Arguments:
        answers: The answers, from `decide`.
        roles: What each is for: decides | control | beside.

    Raises:
        ValueError: If no comparison decides, or a role cannot be.
    """

    if len(answers) != len(roles):
        raise ValueError(f"each answer must have a role, got {len(answers)} and {len(roles)}")
    for role in roles:
        if role not in ROLES:
            raise ValueError(f"a role must be one of {', '.join(ROLES)}, got {role}")
    by_role = {
        kind: {k: answers[k - 1] for k, role in enumerate(roles, start=1) if role == kind}
        for kind in ROLES
    }
    deciding = by_role["decides"]
    if not deciding:
        raise ValueError("a claim must have a comparison that decides, got none")

    for place, answer in by_role["control"].items():
        if answer.verdict != "supported":
            told = f"the control, comparison {place}, did not show what it must"
            return Verdict("inconclusive", f"{told}, {answer.verdict}: {answer.words}")

    found = {answer.verdict for answer in deciding.values()}
    if found == {"supported"}:
        outcome: Outcome = "supported"
    elif "contradicted" in found:
        outcome = "contradicted"
    elif found == {NULL}:
        outcome = NULL
    else:
        outcome = "inconclusive"
    if found == {"supported", NULL}:
        told = _those(deciding, "supported"), _those(deciding, NULL)
        return Verdict(outcome, f"the comparisons disagree: {'. '.join(told)}")

    return Verdict(outcome, _those(deciding, outcome))


def _those(deciding: dict[int, Answer], outcome: Outcome) -> str:
    """Returns what the comparisons say that brought a verdict about."""

    said = [
        f"comparison {place}"
        + (f", no effect larger than {answer.margin:g}" if outcome == NULL else "")
        + f": {answer.words}"
        for place, answer in deciding.items()
        if answer.verdict == outcome
    ]

    return f"{len(said)} of {len(deciding)} that decide are so; " + "; ".join(said)
