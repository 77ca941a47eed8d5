"""The verdict on a claim, from the answers of its comparisons.

a control is not supported                inconclusive
else all that decide are supported        supported
else one of them is contradicted          contradicted
else all are supported or without effect  no effect larger than the margin
else                                      inconclusive
"""

__all__ = ["Verdict", "conclude"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .answer import NULL, Answer, Outcome
from .terms import ROLES


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, and the reason in a line."""

    verdict: Outcome
    words: str


def conclude(answers: Sequence[Answer], roles: Sequence[str]) -> Verdict:
    """Returns the verdict on a claim.

    Arguments:
        answers: The answers, from `decide`.
        roles: The role of each: decides | control | beside.

    Raises:
        ValueError: If no comparison decides, or a role cannot be.
    """

    if len(answers) != len(roles):
        raise ValueError(f"each answer must have a role, got {len(answers)} and {len(roles)}")
    for role in roles:
        if role not in ROLES:
            raise ValueError(f"a role must be one of {', '.join(ROLES)}, got {role}")
    placed = list(enumerate(zip(answers, roles, strict=True), start=1))
    deciding = {place: answer for place, (answer, role) in placed if role == "decides"}
    if not deciding:
        raise ValueError("a claim must have a comparison that decides, got none")

    for place, (answer, role) in placed:
        if role == "control" and answer.verdict != "supported":
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
        told = _share(deciding, "supported"), _share(deciding, NULL)
        return Verdict(outcome, f"the comparisons disagree: {'. '.join(told)}")

    return Verdict(outcome, _share(deciding, outcome))


def _share(deciding: Mapping[int, Answer], outcome: Outcome) -> str:
    """Says how many of the comparisons that decide have an outcome, and quotes them."""

    said = [
        f"comparison {place}"
        + (f", no effect larger than {answer.margin:g}" if outcome == NULL else "")
        + f": {answer.words}"
        for place, answer in deciding.items()
        if answer.verdict == outcome
    ]

    return f"{len(said)} of {len(deciding)} that decide are so; " + "; ".join(said)
