"""The chapter of a claim: the claim, its verdict, and all that the verdict rests on."""

__all__ = ["SMOKE", "Chapter", "chapter", "command", "outcome_of"]

from collections.abc import Sequence
from dataclasses import dataclass

from ..claims.across import across
from ..claims.decision import Decision, decided
from ..claims.evidence import Evidence, confirmations, earlier
from ..config.groups import CONF
from ..output import ended, plural
from . import answers, drawings
from .cells import code, moment, text
from .document import Block, CommandLine, Facts, Paragraph, Row, Section, Table
from .entries import Entry, entry
from .forest import forest_blocks, over_cells
from .origin import TimeSpent, commit, origin, time_spent
from .plans import confirmations_table, plans_table
from .sentence import sentence
from .tuning import tuning_figure, tuning_table

SMOKE = "This is a smoke run: it shows that the study runs. Its numbers and verdicts mean nothing."


@dataclass(frozen=True)
class Chapter:
    """A section on a claim; its runs are those that tuned it, too.

    Arguments:
        repeated: The confirmations of its plan.
    """

    decision: Decision
    repeated: Sequence[Decision]
    runs: Sequence[Entry]
    spent: TimeSpent
    section: Section

    @property
    def confirmed(self) -> bool:
        """True if a repetition as it was planned, on its own data, has the verdict of the plan."""

        found = self.decision.verdict.verdict
        own = [each for each in self.repeated if not (each.evidence.faults or each.evidence.cell)]

        return any(each.verdict.verdict == found for each in own)


def chapter(evidence: Evidence, anchor: str, title: str) -> Chapter:
    """Writes the chapter of a claim; the names of its files begin with the anchor."""

    claim, decision = evidence.claim, decided(evidence)
    compared = [run for own in evidence.runs.values() for run in own.values() if run]
    runs = [entry(run) for run in [*compared, *evidence.tuning_runs]]
    spent = time_spent(runs)
    before = [decided(each) for each in earlier(evidence.study / "claims", evidence)]
    repeated = [decided(each) for each in confirmations(evidence.study / "claims", evidence)]
    values = {name: evidence.values(name)[0] for name in claim.metrics}

    blocks: list[Block | None] = [
        Paragraph(SMOKE, kind="warning") if claim.scale == "smoke" else None,
        *(Paragraph(ended(f"Not as planned: {told}"), kind="warning") for told in evidence.faults),
        Paragraph(claim.claim),
        Paragraph(sentence(decision), verdict=answers.outcome(decision)),
        Facts(
            [
                ("section of the paper", claim.section),
                *(
                    [("decided by", "any comparison that decides")]
                    if claim.decides == "any"
                    else []
                ),
                ("expected before any run", claim.expected),
                *_registrations(evidence, runs, before, repeated),
                ("cost", f"{spent.told(claim.scale)}, measured; {claim.cost:g} min was expected"),
            ]
        ),
        CommandLine(command(decision)),
        drawings.contrast_figure(decision, f"{anchor}-contrasts"),
        answers.comparisons_table(decision, f"{anchor}-comparisons"),
        *forest_blocks(decision, anchor),
        confirmations_table(decision, repeated, f"{anchor}-confirmations"),
        plans_table([*before, decision], f"{anchor}-plans"),
        drawings.metrics_figure(evidence, values, f"{anchor}-metrics"),
        drawings.curve_figure(evidence, f"{anchor}-curve"),
        answers.arms_table(evidence, values, f"{anchor}-arms"),
        tuning_figure(evidence, f"{anchor}-budget"),
        tuning_table(evidence, f"{anchor}-tuning"),
        _missing_table(decision, f"{anchor}-missing"),
        Facts(
            [
                ("seeds", f"{claim.seeds} of each arm, from {evidence.seeds.start} on"),
                ("words of all arms", " ".join(claim.common) or "none"),
                ("registered by", f"code {commit(evidence.registration.get('code'))}"),
                *origin(runs),
            ]
        ),
    ]
    section = Section(title, anchor, [block for block in blocks if block is not None])

    return Chapter(decision, repeated, runs, spent, section)


def command(decision: Decision) -> str:
    """Returns the command that decides the claim again; DIR has a claim of the user's own."""

    claim = decision.evidence.claim
    scale = "" if claim.scale == "laptop" else f" scale={claim.scale}"
    own = "" if (CONF / "claim" / f"{claim.name}.yaml").is_file() else " --config-dir DIR"

    return f"isoexp reproduce {claim.name}{scale}{own}"


def _registrations(
    evidence: Evidence,
    runs: Sequence[Entry],
    before: Sequence[Decision],
    repeated: Sequence[Decision],
) -> list[tuple[str, str]]:
    """Says when a claim was planned, whether before its runs, and its other plans."""

    time_s, line = evidence.registered, evidence.line
    started = [each.started for each in runs if each.started]
    early = sum(each < time_s for each in started)
    told = moment(time_s) + (
        f", line {line.number} of the chain, {line.hash[:8]}; " if line else "; "
    )
    if evidence.damage is not None:
        told += "its runs are not known, for a file of it is damaged"
    elif not started:
        told += "no run was started yet"
    elif early:
        told += (
            f"{early} of its {plural(len(started), 'run')} had been started before, so that what "
            "they show may have been known"
        )
    else:
        told += f"before its first run, {moment(min(started))}"
    facts = [("registered", told)]
    if line and line.kind == "amendment":
        facts.append(("amended", f"after {plural(line.runs, 'run')}, since {line.why}"))
    for each in before:
        own = each.evidence
        told = [f"{outcome_of(each)}, {own.folder.name} of {moment(own.registered)}"]
        again = [decided(other) for other in confirmations(own.study / "claims", own)]
        told += [f"confirmation: {outcome_of(other)}" for other in again]
        told += [f"in cells: {over_cells(other)}" for other in across(each)[0]]
        facts.append(("another plan", "; ".join(told)))
    for each in repeated:
        first, time_s = each.evidence.seeds.start, each.evidence.registered
        told = f"{outcome_of(each)}, with seeds from {first} on, {moment(time_s)}"
        facts.append(("confirmation", told))

    return facts


def outcome_of(decision: Decision) -> str:
    """Returns the verdict of a plan, or of its repetition, and where it is not as planned."""

    evidence = decision.evidence
    found = answers.outcome(decision) + f", {evidence.cell}" * bool(evidence.cell)

    return f"{found} (not as planned)" if evidence.faults else found


def _missing_table(decision: Decision, name: str) -> Table | None:
    found = decision.missing
    if not found:
        return None
    rows: list[Row] = [
        {"arm": code(each.arm), "seed": text(str(each.seed)), "why": text(each.reason)}
        for each in found
    ]
    caption = (
        f"What is missing: {plural(len(found), 'number')}. A comparison that would need one of "
        "them is inconclusive: what rests on the rest would compare those that survived."
    )

    return Table.of(name, caption, rows, shown=50)
