"""What the page tells of other plans of a claim, of confirmations, and of the runs of both."""

from pathlib import Path

import pytest

from isoexp.report.document import Table, blocks
from isoexp.report.page import Page, page
from isoexp.report.plans import changes
from isoexp.store.files import write_json

from .studies import BEGAN, NODE, claimed, finished, two_arms

pytestmark = pytest.mark.usefixtures("sketched")

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)
WORSE = (0.70, 0.72, 0.71, 0.70)
ASKED = NODE["comparisons"][0]


def the_table(found: Page, name: str) -> Table:
    return next(b for b in blocks(found.document) if isinstance(b, Table) and b.name == name)


def column(table: Table, head: str) -> list[str]:
    place = [column.head for column in table.columns].index(head)

    return [row[place].text for row in table.rows]


def test_an_amendment_tells_what_it_changed_with_both_verdicts(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER), registered=BEGAN - 9000)
    claimed(
        study,
        two_arms(study, (*A, 0.8), (*WORSE, 0.7), first=20),
        kind="amendment",
        told={"why": "they were few", "runs": 8},
        comparisons=[ASKED | {"margin": 0.02}],
        seeds=5,
        title="Other words",
    )
    found = the_table(page([study]), "better-plans")

    assert column(found, "verdict") == ["supported", "contradicted"]
    assert column(found, "why") == ["–", "they were few"]
    assert column(found, "what it changed") == [
        "the first plan",
        "seeds: 4 → 5\ncomparisons b - a of accuracy margin: 0.01 → 0.02",
    ]
    assert "less accuracy than a; margin 0.02" in column(found, "what was found")[1]


def test_changes_of_what_a_plan_refers_to_are_told_by_their_hashes(study: Path) -> None:
    one = claimed(study, two_arms(study, A, BETTER))
    two = claimed(study, two_arms(study, A, BETTER, first=20), name="other", seeds=3)
    one.registration["plan"] |= {"analysis": "1", "arm a": "x", "arm b": "y"}
    two.registration["plan"] |= {"analysis": "2", "arm a": "x", "arm b": "z"}

    assert changes(one, one) == []
    assert changes(one, two) == [
        "seeds: 4 → 3",
        "analysis: 1 → 2",
        "what b is made of: the configuration it refers to, or what is common",
    ]


def test_a_claim_of_one_plan_has_no_table_of_plans(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER))
    names = {b.name for b in blocks(page([study]).document) if isinstance(b, Table)}

    assert not names & {"better-plans", "better-confirmations"}


def test_a_confirmation_stands_beside_what_was_found_first(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER))
    claimed(study, two_arms(study, A, WORSE, first=20), kind="confirmation")
    found = page([study])
    table = the_table(found, "better-confirmations")

    assert column(table, "comparison") == ["b − a"]
    assert column(table, "as planned") == ["0.103 [0.087, 0.118]"]
    assert column(table, "confirmation") == ["−0.100 [−0.113, −0.087]"]
    assert column(table, "verdict, confirmation") == ["contradicted"]
    assert not found.chapters[0].confirmed

    again = claimed(study, two_arms(study, A, BETTER, first=40), kind="confirmation")
    assert not page([study]).chapters[0].confirmed, "its runs have other seeds than theirs"
    for own in again.runs.values():
        for seed, run in own.items():
            assert run is not None
            columns = {**run.state["columns"], "seed": seed}
            write_json(run.folder / "state.json", {**run.state, "columns": columns})
    assert page([study]).chapters[0].confirmed


def test_runs_of_plans_and_confirmations_are_no_others(study: Path) -> None:
    """Runs that tune have no chapter of their own; one that no plan made has."""

    claimed(study, two_arms(study, A, BETTER), registered=BEGAN - 9000, seeds=4)
    tuning = finished(study, 60, 1_000_000, {"test/accuracy": 0.1})
    claimed(
        study,
        two_arms(study, A, WORSE, first=20),
        kind="amendment",
        told={"why": "?", "runs": 8},
        tuning_runs={"a": [tuning]},
        tuning={"grid": {"optimizer.lr": [0.1, 1.0]}, "metric": "valid/accuracy", "seeds": 2},
        seeds=4,
    )
    found = page([study])
    assert [section.title for section in found.document.sections] == ["B is better"]
    assert column(the_table(found, "studies"), "of the claims") == [
        "8 of earlier plans, 8 compared, 1 tuning"
    ]

    finished(study, 70, 0, {"test/accuracy": 0.3}, activation="relu")
    found = page([study])
    assert [section.title for section in found.document.sections][1:] == ["Other runs of study"]
    assert "1 run in 1 group" in str(found.document.sections[1].blocks[0])


def test_a_run_that_is_missing_is_told_and_has_no_interval(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER[:3]))
    found = page([study])

    assert column(the_table(found, "verdicts"), "plan") == ["as planned; 1 number missing"]
    assert column(the_table(found, "better-comparisons"), "estimate") == ["1 number missing"]
    (told,) = column(the_table(found, "verdicts"), "what was found")
    assert "b, seed 3: not run yet" in told
