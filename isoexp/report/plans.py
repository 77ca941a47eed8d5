"""The plans of a claim side by side: what an amendment changed, and what repetitions found."""

__all__ = ["changes", "confirmations_table", "plans_table"]

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..claims.decision import Decision
from ..claims.evidence import Evidence
from .answers import effect_of, outcome
from .cells import code, moment, text, verdict
from .document import Row, Table, numbers
from .sentence import label, sentence

PROSE = (
    "name", "title", "claim", "section", "expected", "cost", "curve", "words", "unit", "label",
    "says", "spread", "scale",
)  # fmt: skip
"""Keys of a claim, its metrics and its comparisons that decide nothing."""


def changes(before: Evidence, after: Evidence) -> list[str]:
    """Says, a line each, in what a plan differs from another one: by their claims and hashes."""

    old, new = (_decisive(each.claim.written) for each in (before, after))
    found = list(_differences("", old, new))
    arms = {line.split()[1].rstrip(":") for line in found if line.startswith("arms ")}
    for key in dict.fromkeys((*before.plan, *after.plan)):
        own, other = before.plan.get(key), after.plan.get(key)
        if own == other or key == "claim":
            continue
        kind, _, arm = key.partition(" ")
        if kind != "arm":
            found.append(f"{key}: {own or 'none'} → {other or 'none'}")
        elif arm in before.claim.arms and arm in after.claim.arms and arm not in arms:
            found.append(
                f"what {arm} is made of: the configuration it refers to, or what is common"
            )

    return found


def plans_table(plans: Sequence[Decision], name: str) -> Table | None:
    """Makes the table of the plans of a claim in their order; None if there was but one."""

    if len(plans) < 2:
        return None
    rows: list[Row] = []
    for before, each in zip([None, *plans], plans, strict=False):
        evidence = each.evidence
        line = evidence.line
        changed = changes(before.evidence, evidence) if before else []
        first = "the first plan" if before is None else "nothing that decides"
        rows.append(
            {
                "plan": code(evidence.folder.name),
                "registered": text(moment(evidence.registered)),
                "what it changed": text("\n".join(changed) or first),
                "why": text(line.why if line else ""),
                "verdict": verdict(outcome(each)),
                "what was found": text(sentence(each)),
            }
        )
    caption = (
        "The plans of this claim, the last one below: each with what it changed of the one before."
    )

    return Table.of(name, caption, rows)


def confirmations_table(
    decision: Decision, repeated: Sequence[Decision], name: str
) -> Table | None:
    """Makes the table of the effects that decide, of the plan and of each repetition of it."""

    if not repeated:
        return None
    rows: list[Row] = []
    for place, each in enumerate(decision.answers):
        if each.comparison.role != "decides":
            continue
        row: Row = {"comparison": text(label(each))}
        for number, one in enumerate([decision, *repeated]):
            who = f"confirmation {number}".removesuffix(" 1") if number else "as planned"
            answered = one.answers[place]
            names = (f"{who} {key}" for key in ("estimate", "low", "high"))
            row[numbers(who, *names)] = effect_of(one, answered)
            row[f"verdict, {who}"] = verdict(answered.answer.verdict)
        rows.append(row)
    caption = (
        "What was found as planned, and once more with seeds that neither tuning nor comparison "
        "had used. Intervals are those that verdicts are read off."
    )

    return Table.of(name, caption, rows)


def _decisive(written: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what decides, comparisons by what they compare."""

    def pruned(node: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in node.items() if key not in PROSE}

    compared = {f"{c['contrast']} of {c['metric']}": pruned(c) for c in written["comparisons"]}
    metrics = {key: pruned(metric) for key, metric in written["metrics"].items()}

    return {**pruned(written), "metrics": metrics, "comparisons": compared}


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(f"{name} {key}".strip(), old.get(key), new.get(key))
    elif old != new:
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            yield f"{name} is {'left out' if new is None else 'new'}"
        else:
            yield f"{name}: {_told(old)} → {_told(new)}"


def _told(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_told, value)) or "none"

    return (
        "none"
        if value is None or value == ""
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
