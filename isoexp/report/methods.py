"""The methods of claims in prose, for a paper: from their plans and runs, and nothing else."""

__all__ = ["methods"]

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..claims import Claim, Metric
from ..claims.across import across
from ..claims.decision import Answered, Decision, decided
from ..claims.evidence import Evidence, confirmations, earlier, find_evidence
from ..claims.verdict import EVERY, LEVEL, adjusted
from ..errors import UserError
from ..names import slug, unique
from ..output import ended, listed, plural
from .cells import moment
from .chapter import SMOKE, outcome_of
from .document import Document, Paragraph, Section
from .entries import Entry, entry
from .forest import over_cells
from .origin import origin
from .recipe import arms_told, tuning_told

LISTED = 12
"""Missing numbers that are named one by one."""

RULE = (
    "A comparison is supported if its interval lies beyond the margin on the expected side, and "
    "contradicted if it lies beyond the margin on the other; there is no effect larger than the "
    "margin if it lies within the margin on both sides; otherwise the comparison is inconclusive."
)

ROLES = {"decides": "", "control": "as a control, ", "beside": "without a part in the verdict, "}


def methods(roots: Sequence[Path]) -> Document:
    """Writes the methods of the claims below folders.

    Raises:
        UserError: If there is no claim below them.
    """

    claims = {each.folder.resolve(): each for root in roots for each in find_evidence(root)}
    if not claims:
        told = ", ".join(map(str, roots))
        raise UserError(f"methods need claims, got none below {told}: isoexp reproduce makes them")
    taken: set[str] = set()
    found = sorted(claims.values(), key=lambda each: (each.claim.name, each.study))
    sections = [
        Section(each.claim.title, unique(slug(each.claim.name), taken), _paragraphs(each))
        for each in found
    ]

    return Document.of("Methods", [], sections)


def _paragraphs(evidence: Evidence) -> list[Paragraph]:
    claim, decision = evidence.claim, decided(evidence)
    arms = {arm: [entry(run) for run in own.values() if run] for arm, own in evidence.runs.items()}
    tuning = [entry(run) for run in evidence.tuning_runs]
    compared = [run for own in arms.values() for run in own]
    told = [
        _asked(claim),
        f"{_planned(evidence, [*compared, *tuning])} {arms_told(evidence, arms)}",
        tuning_told(evidence),
        f"{_seeds(evidence, compared, tuning)} {_measured(claim.metrics.values())}",
        _decided(decision),
        _cells(decision),
        _deviations(decision, compared, tuning),
        _made(compared + tuning),
    ]
    smoke = [Paragraph(SMOKE, kind="warning")] if claim.scale == "smoke" else []

    return [*smoke, *(Paragraph(each) for each in told if each)]


def _asked(claim: Claim) -> str:
    several = "s" * any(each in claim.section for each in (" and ", ","))
    of = f" of section{several} {claim.section} of the paper" if claim.section != "none" else ""

    return f"We tested this claim{of}: {claim.claim}"


def _planned(evidence: Evidence, runs: Sequence[Entry]) -> str:
    started = [each.started for each in runs if each.started]
    before = sum(each < evidence.registered for each in started)
    when = f"The plan was written down on {moment(evidence.registered)}"
    if evidence.line:
        when += f", as entry {evidence.line.number} of the register of plans"
    if not started:
        return f"{when}; no network has been trained yet."
    if before:
        return f"{when}, after the training of {before} of its {plural(len(started), 'network')}."

    return f"{when}, before the first of its networks was trained."


def _seeds(evidence: Evidence, compared: Sequence[Entry], tuning: Sequence[Entry]) -> str:
    seeds = evidence.seeds
    own = (
        f"{len(seeds)} seeds, {seeds.start} to {seeds[-1]}"
        if len(seeds) > 1
        else f"seed {seeds[0]}"
    )
    trained = f", and {len(tuning)} for the tuning" if tuning else ""

    return (
        f"Each arm was trained with {own}, the same in all arms: "
        f"{plural(len(compared), 'network')} for the comparison{trained}."
    )


def _measured(metrics: Iterable[Metric]) -> str:
    return f"Of each network we measured {listed(map(_metric, metrics))}."


def _metric(metric: Metric) -> str:
    where = [f"{key} {value}" for key, value in metric.where.items()]
    told = metric.column
    if metric.of != "summary":
        told = f"the {metric.take} of {metric.column} in the rows of {metric.of}"
        told += f" with {listed(where)}" if where else ""
    if metric.minus:
        told += f", less that with {listed(f'{k} {v}' for k, v in metric.minus.items())}"
    unit = f", in {metric.unit}" if metric.unit else ""
    log = ", compared by ratios" if metric.log else ""

    return f"{metric.words} ({told}{unit}{log})" if metric.words != told or unit or log else told


def _decided(decision: Decision) -> str:
    """Says what is compared, and how it is decided."""

    claim, answers = decision.evidence.claim, decision.answers
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in answers:
        key = ROLES[each.comparison.role], each.metric.words, each.expected
        alike.setdefault(key, []).append(each.contrast)
    told = [
        f"{role}{listed(own)} in {words}, {'each ' * (len(own) > 1)}expected to "
        f"{'have' if expected.startswith('every') else 'be'} {expected}"
        for (role, words, expected), own in alike.items()
    ]
    tested = [each for each in answers if each.comparison.expects not in EVERY]
    said = [f"Contrasts of arms were taken seed by seed: {'; '.join(told)}."]
    if tested:
        said.append(_intervals(tested))
        said.append(RULE)
    if len(tested) < len(answers):
        said.append("What is expected of every value holds if no network deviates.")
    deciding = [each for each in answers if each.comparison.role == "decides"]
    if len(deciding) > 1:
        needed = "any of them" if claim.decides == "any" else "all of them"
        said.append(f"The claim is supported if {needed} that decide are supported.")
    if any(each.comparison.role == "control" for each in answers):
        said.append("Nothing is concluded unless each control is supported.")

    return " ".join(said)


def _intervals(tested: Sequence[Answered]) -> str:
    over = dict.fromkeys(each.over for each in tested)
    level = f"{100 * LEVEL:g} %"
    said = f"Intervals are Student's t at the level of {level}, over {'; or '.join(over)}"
    if "seeds and test items" in over:
        said += " (clustered both ways; Cameron, Gelbach and Miller 2011)"
    k = sum(each.comparison.role == "decides" for each in tested)
    if k < 2:
        return f"{said}."

    return (
        f"{said}; those of the {k} comparisons that decide are at {100 * adjusted(k):.4g} % each "
        f"(Bonferroni), unless all of them agree at {level} (an intersection–union test)."
    )


def _cells(decision: Decision) -> str:
    """Says under which other settings the claim was asked, and what is told of all together."""

    found, others = across(decision)
    if not others:
        return ""
    _, *names = others
    told = " ".join(ended(over_cells(each)) for each in found)

    return (
        f"The claim was also asked under other settings, each planned before its runs, with arms "
        f"tuned anew by the same budget: {'; '.join(names)}. Effects over all of them are by a "
        "random-effects model (Paule and Mandel), with the interval of Hartung and Knapp and, of "
        f"the spread between settings, the Q-profile. {told}"
    ).strip()


def _deviations(decision: Decision, compared: Sequence[Entry], tuning: Sequence[Entry]) -> str:
    """Says where it is not what was planned, and what failed or is missing."""

    evidence = decision.evidence
    line, folder = evidence.line, evidence.study / "claims"
    said = []
    if line and line.kind == "amendment":
        said.append(
            f"The plan was changed, and done with new seeds, after {plural(line.runs, 'run')} of "
            + ended(f"it had ended, for this reason: {line.why}")
        )
    for each in earlier(folder, evidence):
        when = moment(each.registered)
        said.append(f"By another plan, of {when}, the verdict was: {outcome_of(decided(each))}.")
    for each in confirmations(folder, evidence):
        said.append(
            f"Repeated with new seeds, from {each.seeds.start} on, the verdict was: "
            f"{outcome_of(decided(each))}."
        )
    said += [ended(f"Not as planned: {fault}") for fault in evidence.faults]
    if evidence.damage:
        said.append(ended(f"Not readable: {evidence.damage}"))
    missing = decision.missing
    if missing:
        told = "; ".join(f"{m.arm}, seed {m.seed} ({m.reason})" for m in missing[:LISTED])
        more = f"; and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
        said.append(
            f"Numbers are missing, of {told}{more}: comparisons with them are inconclusive."
        )
    failed = Counter(run.status for run in [*compared, *tuning] if not run.completed)
    if failed:
        told = [f"{n} {status}" for status, n in sorted(failed.items())]
        said.append(f"Of {plural(len([*compared, *tuning]), 'network')}, {listed(told)}.")

    return (
        " ".join(said) or "There were no deviations from the plan, and no run failed or is missing."
    )


def _made(runs: Sequence[Entry]) -> str:
    facts = dict(origin(runs))
    if not facts:
        return ""
    versions = next((v for k, v in facts.items() if k.startswith("versions")), "")

    return (
        f"Runs were made with {versions}, by code {facts['code']}, on {facts['platform']} "
        f"({facts['device']})."
    )
