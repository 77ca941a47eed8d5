"""Tests for isoexp.claims.across: a claim in many cells, told by its size."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from isoexp.claims.across import HOME, across
from isoexp.claims.chain import Line, add
from isoexp.claims.decision import decided
from isoexp.claims.evidence import Evidence, cells, confirmations, earlier, find_evidence
from isoexp.claims.study import following
from isoexp.errors import UserError
from isoexp.report.forest import forest_blocks, over_cells
from isoexp.report.markdown import markdown
from isoexp.report.methods import methods
from isoexp.report.page import page
from isoexp.statistics import random_effects

from ..report.studies import claimed, two_arms
from .test_evidence import claim

SEEDS = (0.0, 0.01, -0.01, 0.02)


def effect(value: float) -> dict:
    """Accuracies whose contrast b − a has this mean."""

    return {"a": [0.5] * 4, "b": [0.5 + value + each for each in SEEDS]}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "study"


def asked(study: Path, value: float, first: int, cell: str = "", **told) -> Evidence:
    """Leaves a claim, or what it is in a cell, with an effect."""

    runs = two_arms(study, **effect(value), first=first)

    return claimed(study, runs, told={"cell": cell, **told}, common=cell.split())


def whole(study: Path, values: Sequence[float]) -> Evidence:
    """Leaves a claim in as many cells, its own first."""

    home = asked(study, values[0], 1)
    for place, value in enumerate(values[1:], start=1):
        asked(study, value, 100 * place, f"data=d{place}")

    return home


def test_effects_are_pooled_over_cells(study: Path) -> None:
    values = [0.04, 0.02, 0.06, 0.05]
    home = whole(study, values)
    (found,), decisions = across(decided(home))

    assert list(decisions) == [f"{HOME}: data=digits", "data=d1", "data=d2", "data=d3"]
    estimates = [each.answer.estimate for each in found.answers.values()]
    assert estimates == pytest.approx([value + 0.005 for value in values])
    error = 0.01 * (5 / 3) ** 0.5 / 2
    expected = random_effects(estimates, [error] * 4)
    assert found.pooled is not None
    assert found.pooled.mean.triple == pytest.approx(expected.mean.triple, rel=1e-6)
    assert found.pooled.spread.triple == pytest.approx(expected.spread.triple, rel=1e-6)
    assert found.sides[0] == []
    told = over_cells(found)
    assert "over 4 cells, spread between them 0.016 [0.00" in told
    assert "reversed" not in told


def test_a_cell_is_reversed_by_intervals_that_hold_together(study: Path) -> None:
    """Of −0.02 ± 0.021 by itself and wider with all others, nothing is said; of −0.1 it is."""

    home = whole(study, [0.1, 0.11, 0.09, -0.1, -0.02, *(0.1 for _ in range(6))])
    (found,), _ = across(decided(home))

    assert found.sides[0] == ["data=d3"]
    assert over_cells(found).endswith("; reversed in data=d3")


def test_where_the_mean_has_no_sign_none_is_reversed(study: Path) -> None:
    (found,), _ = across(decided(whole(study, [0.1, -0.11])))

    told = over_cells(found)
    assert "reversed" not in told
    assert told.endswith("; below 0 in data=d1; above 0 in as claimed: data=digits")
    assert "spread between them 0.15 [0.0" in told


def test_a_cell_is_no_other_plan_of_the_claim(study: Path, tmp_path: Path) -> None:
    home = whole(study, [0.04, 0.02])

    assert [each.folder for each in find_evidence(tmp_path)] == [home.folder]
    assert earlier(tmp_path, home) == []
    assert [each.cell for each in cells(tmp_path, home)] == ["data=d1"]
    assert confirmations(tmp_path, home) == []


def test_a_confirmation_on_other_data_is_one_of_the_plan(study: Path, tmp_path: Path) -> None:
    home = whole(study, [0.04])
    runs = two_arms(study, **effect(0.03), first=200)
    claimed(study, runs, kind="confirmation", told={"cell": "data=new"}, common=["data=new"])

    assert [each.cell for each in confirmations(tmp_path, home)] == ["data=new"]
    assert cells(tmp_path, home) == []


def test_cells_of_a_plan_that_was_changed_are_not_its_own(study: Path, tmp_path: Path) -> None:
    whole(study, [0.04, 0.02])
    changed = claimed(study, two_arms(study, **effect(0.04), first=300), seeds=3, registered=2e9)

    assert cells(tmp_path, changed) == []
    assert across(decided(changed)) == ([], {})


def test_what_is_gone_or_in_the_place_of_another_is_told(study: Path) -> None:
    home = whole(study, [0.04, 0.02, 0.06])
    one, other = cells(study, home)
    assert Evidence(home.folder).faults == []

    shutil.copy(one.folder / "claim.json", study / "kept")
    (one.folder / "claim.json").unlink()
    told = Evidence(home.folder).faults
    assert told == [f"line 2 (plan, data=d1) has lost its folder, {one.folder.name}"]
    shutil.copy(other.folder / "claim.json", one.folder / "claim.json")
    told = Evidence(one.folder).faults
    assert f"its claim.json is that of {other.folder.name}" in told
    shutil.copy(study / "kept", one.folder / "claim.json")

    (home.folder / "not_here.json").write_text("[")
    assert any("not_here.json cannot be read" in each for each in Evidence(home.folder).faults)


def test_a_cell_of_an_amended_claim_is_amended_too(study: Path) -> None:
    """One that was not asked before the amendment is a first plan, and stays one."""

    whole(study, [0.04, 0.02])
    changed = claim(seeds=5)

    def line(cell: str, plan: str = "new") -> Line:
        asked = Line(0, "better", "laptop", plan, cell=cell)
        return following(study, changed, asked, {"claim": plan}, "too few seeds", False)

    changed = replace(changed, name="better")
    first = line("data=d1")
    assert (first.kind, first.why, first.runs) == ("amendment", "too few seeds", 8)
    assert line("data=other").kind == "plan"
    with add(study) as (_, append):
        append(line("data=other"))
    assert line("data=other").number == 3, "it is there"
    with pytest.raises(UserError, match="there is nothing to amend"):
        line("", find_evidence(study)[0].line.plan)  # type: ignore[union-attr]


def test_the_page_keeps_cells_and_confirmations_of_the_plan_before(study: Path) -> None:
    whole(study, [0.04, 0.02])
    again = two_arms(study, **effect(0.03), first=200)
    claimed(study, again, kind="confirmation")
    claimed(study, two_arms(study, **effect(0.04), first=300), seeds=3, registered=2e9)

    told = markdown(page([study]).document)
    before = next(each for each in told.splitlines() if each.startswith("- another plan"))
    assert "; confirmation: supported" in before
    assert "; in cells: b − a: 0.0" in before
    assert "over 2 cells" in before


def test_a_cell_without_its_numbers_is_told_and_not_averaged(study: Path) -> None:
    home = whole(study, [0.04, 0.02, 0.03])
    runs = two_arms(study, a=[0.5] * 4, b=[0.5], first=900)
    claimed(study, runs, told={"cell": "data=short"}, common=["data=short"])
    (found,), decisions = across(decided(home))

    assert [*decisions][1:] == ["data=d1", "data=d2", "data=short"]
    assert len(found.whole) == 3
    assert "over 3 cells" in over_cells(found)
    assert over_cells(found).endswith("; numbers are missing in 1 more")
    shown = forest_blocks(decided(home), "better")
    assert "3 numbers are missing" in str(shown)


def test_the_report_draws_a_forest(study: Path) -> None:
    home = whole(study, [0.04, 0.02, 0.06])
    (home.folder / "not_here.json").write_text('{"data=cifar10": "it cannot be downloaded"}')
    told, figure, table, pooled, left = forest_blocks(decided(Evidence(home.folder)), "better")

    assert "spread between them" in str(told)
    svg = figure.svg.decode()  # type: ignore[union-attr]
    for word in ("as claimed: data=digits", "data=d1", "data=d2", "mean", "another cell"):
        assert f">{word}<" in svg
    assert len(table.rows) == 3  # type: ignore[union-attr]
    (found,), _ = across(decided(home))
    assert found.pooled is not None
    assert pooled.rows[0][2].values == found.pooled.mean.triple  # type: ignore[union-attr]
    assert "data=cifar10: it cannot be downloaded" in str(left)
    assert forest_blocks(decided(whole(study.parent / "other", [0.04])), "better") == []


def test_methods_tell_of_cells(study: Path) -> None:
    whole(study, [0.04, 0.02, 0.06])
    told = str(methods([study.parent]))

    assert "asked under other settings" in told
    assert "data=d1; data=d2" in told
    assert "over 3 cells, spread between them" in told


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("activation=relu", "activation is what its arms differ by"),
        ("optimizer.lr=0.1", "optimizer.lr is tuned"),
        ("seed=3", "seed is the same in all cells"),
        ("probe=none", "probe is the same in all cells"),
        ("probe.spectrum.points=3", "probe.spectrum.points is the same in all cells"),
        ("+data.split=fixed", "data.split is the same in all cells"),
    ],
)
def test_what_makes_a_claim_is_no_setting_of_a_cell(cell: str, told: str) -> None:
    own = claim(tuning={"grid": {"optimizer.lr": [0.1, 1.0]}, "metric": "valid/loss", "seeds": 2})

    with pytest.raises(UserError, match=told):
        own.under([cell])
    assert list(own.under(["data=shapes"]).common) == [*own.common, "data=shapes"]
