"""Studies without a claim: their groups, means and intervals, what is chosen, what failed."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from isoexp.report import sweeps
from isoexp.report.document import Figure, Section, Table
from isoexp.report.entries import best, entries, grouped
from isoexp.report.sweeps import sweep

from .studies import curve, failed, finished

pytestmark = pytest.mark.usefixtures("sketched")


def section(study: Path) -> Section:
    return sweep("Study", entries(study), "s")


def the_table(found: Section, name: str) -> Table:
    return next(b for b in found.blocks if isinstance(b, Table) and b.name == name)


def the_figures(found: Section) -> dict[str, Figure]:
    return {b.name: b for b in found.blocks if isinstance(b, Figure)}


def leave(study: Path, values: dict[str, list[float]], split: str = "test") -> None:
    """Leaves runs of rates, a seed for each value; the validation split says the contrary."""

    number = len(entries(study)) if study.exists() else 0
    for rate, own in values.items():
        for seed, value in enumerate(own):
            number += 1
            numbers = {f"{split}/accuracy": value, "valid/accuracy": 1 - value}
            finished(study, number, seed, numbers, [f"optimizer.lr={rate}"])


def test_groups_differ_by_more_than_the_seed_and_are_in_order(tmp_path: Path) -> None:
    leave(tmp_path, {"0.1": [0.1, 0.2], "0.02": [0.3], "1e-3": [0.4, 0.5]})
    finished(tmp_path, 90, 0, {"test/accuracy": 0.6})  # the rate that is the default
    groups = grouped(entries(tmp_path))

    assert [group.settings for group in groups] == [
        {"optimizer.lr": rate} for rate in ("1e-3", "0.02", "0.1", "–")
    ]
    assert [[run.seed for run in group.runs] for group in groups] == [[0, 1], [0], [0, 1], [0]]
    assert groups[2].values("test/accuracy").tolist() == [0.1, 0.2]


def test_runs_that_differ_by_their_seed_alone_are_one_group(tmp_path: Path) -> None:
    for seed in range(3):
        finished(tmp_path, seed + 1, seed, {"test/accuracy": 0.5})
    (group,) = grouped(entries(tmp_path))

    assert (group.label, len(group.runs)) == ("all", 3)


def test_a_cell_is_the_mean_with_its_t_interval(tmp_path: Path) -> None:
    values = [0.91, 0.94, 0.97, 0.93]
    leave(tmp_path, {"0.1": values})
    table = the_table(section(tmp_path), "s-groups")
    place = [column.head for column in table.columns].index("test/accuracy")
    t = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))

    assert table.rows[0][place].values == pytest.approx((np.mean(values), *t, 4))


def test_probes_have_tables_of_their_own_and_say_n_where_it_is_another(tmp_path: Path) -> None:
    for seed in range(3):
        numbers = {"test/accuracy": 0.5}
        numbers |= {"probe/refraction/theta_max_rad": 0.1 * seed} if seed else {}
        finished(tmp_path, seed + 1, seed, numbers)
    table = the_table(section(tmp_path), "s-refraction")

    assert [column.head for column in table.columns] == ["group", "refraction/theta_max_rad"]
    assert table.rows[0][1].text.endswith("(n = 2)")


def test_what_failed_is_counted_and_listed(tmp_path: Path) -> None:
    leave(tmp_path, {"0.1": [0.5, 0.6]})
    failed(tmp_path, 50, 2, "diverged", ["optimizer.lr=0.1"])
    failed(tmp_path, 51, 0, "out of memory", ["optimizer.lr=9"])
    found = section(tmp_path)
    groups = the_table(found, "s-groups")

    assert [[cell.text for cell in row[:3]] for row in groups.rows] == [
        ["0.1", "2", "1"],
        ["9", "0", "1"],
    ]
    listed = [[cell.text for cell in row] for row in the_table(found, "s-failed").rows]
    assert listed == [
        ["run-00000032", "failed", "diverged"],
        ["run-00000033", "failed", "out of memory"],
    ]


def test_of_many_groups_those_are_shown_that_validation_chooses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHOWN", "DRAWN", "CURVES"):
        monkeypatch.setattr(sweeps, name, 2)
    leave(tmp_path, {"1": [0.9, 0.8], "2": [0.1, 0.2], "3": [0.5, 0.4]})
    chosen = best(grouped(entries(tmp_path)), 2)
    found = section(tmp_path)
    table = the_table(found, "s-groups")

    assert [group.settings["optimizer.lr"] for group in chosen] == ["2", "3"]
    assert [row[0].text for row in table.rows] == ["2", "3", "1"]
    assert table.shown == 2
    assert "2 best on the validation split of 3" in table.caption
    assert "optimizer.lr=1 " not in the_figures(found)["s-scores"].alt


def test_curves_are_means_over_seeds(tmp_path: Path) -> None:
    for seed, end in enumerate((1.0, 2.0)):
        run = finished(tmp_path, seed + 1, seed, {"test/loss": end})
        curve(run, (4.0, 3.0, end))
    drawn = the_figures(section(tmp_path))

    assert "valid/loss of all ends at 1.5" in drawn["s-curves"].alt
    assert "Dots of test/loss" in drawn["s-scores"].alt


def effects(study: Path) -> list[list[str]]:
    tables = {b.name: b for b in section(study).blocks if isinstance(b, Table)}

    return [[cell.text for cell in row] for row in getattr(tables.get("s-effects"), "rows", [])]


def test_the_effect_of_one_setting_has_its_size_and_interval(tmp_path: Path) -> None:
    """Of two rates by two functions four pairs differ in one of them, and two in both."""

    number = 0
    for name in ("tanh", "iso_tanh"):
        for rate in ("0.1", "0.2"):
            for seed, value in enumerate((0.5, 0.6, 0.8)):
                number += 1
                shift = 0.1 * (rate == "0.2")
                numbers = {"test/accuracy": value + shift}
                finished(
                    *(tmp_path, number, seed, numbers, [f"optimizer.lr={rate}"]), activation=name
                )
    found = the_table(section(tmp_path), "s-effects")
    t, g = stats.ttest_ind([0.6, 0.7, 0.9], [0.5, 0.6, 0.8], equal_var=False), found.rows[0][-1]

    assert [row[:4] for row in effects(tmp_path)] == [
        ["optimizer.lr", "0.1", "0.2", "activation=iso_tanh"],
        ["activation", "iso_tanh", "tanh", "optimizer.lr=0.1"],
        ["activation", "iso_tanh", "tanh", "optimizer.lr=0.2"],
        ["optimizer.lr", "0.1", "0.2", "activation=tanh"],
    ]
    assert found.rows[0][-2].values == pytest.approx((0.1, *t.confidence_interval()))
    assert g.values[0] == pytest.approx(0.1 / np.std([0.5, 0.6, 0.8], ddof=1) * 0.798, rel=1e-3)
    assert g.values[1] < 0 < g.values[2]


@pytest.mark.parametrize("other", [[0.5, 0.6], [0.7, 0.7, 0.7], []], ids=["two", "equal", "none"])
def test_no_effect_is_told_where_a_spread_is_not_known(tmp_path: Path, other: list[float]) -> None:
    leave(tmp_path, {"0.1": [0.5, 0.6, 0.8], "0.2": other})

    assert effects(tmp_path) == []


def test_no_effects_are_told_of_many_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, {rate: [0.5, 0.6, 0.8] for rate in ("1", "2", "3")})
    assert len(effects(tmp_path)) == 3

    monkeypatch.setattr(sweeps, "DRAWN", 2)
    assert effects(tmp_path) == []
