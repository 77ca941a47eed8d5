"""Studies without a claim: their groups, means and intervals, what is chosen, what failed."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from isoexp.report import sweeps
from isoexp.report.document import Cell, Figure, Section, Table
from isoexp.report.entries import best, entries, grouped
from isoexp.report.sweeps import sweep
from isoexp.statistics import apart, clustered, resampled
from isoexp.store.files import write_json
from isoexp.store.tables import ITEMS, write_table

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


SHIFTS = (0.1, 0.12, 0.05)


def test_the_effect_of_one_setting_is_compared_by_seed(tmp_path: Path) -> None:
    """Of two rates by two functions four pairs differ in one of them, and two in both."""

    number = 0
    for name in ("tanh", "iso_tanh"):
        for rate in ("0.1", "0.2"):
            for seed, value in enumerate((0.5, 0.6, 0.8)):
                number += 1
                numbers = {"test/accuracy": value + SHIFTS[seed] * (rate == "0.2")}
                finished(
                    *(tmp_path, number, seed, numbers, [f"optimizer.lr={rate}"]), activation=name
                )
    found = the_table(section(tmp_path), "s-effects")
    row = dict(zip([column.head for column in found.columns], found.rows[0], strict=True))
    t, d = stats.ttest_1samp(SHIFTS, 0).confidence_interval(), row["effect size"]

    assert [row[:4] for row in effects(tmp_path)] == [
        ["optimizer.lr", "0.1", "0.2", "activation=iso_tanh"],
        ["activation", "iso_tanh", "tanh", "optimizer.lr=0.1"],
        ["activation", "iso_tanh", "tanh", "optimizer.lr=0.2"],
        ["optimizer.lr", "0.1", "0.2", "activation=tanh"],
    ]
    assert row["B − A"].values == pytest.approx((0.09, *t))
    assert row["n"].text == "3 seeds"
    assert row["interval over"].text == "seeds"
    assert d.text.startswith("d_z = ")
    assert d.values[0] == pytest.approx(0.09 / np.std(SHIFTS, ddof=1) * 0.5642, rel=1e-3)
    assert d.values[1] < d.values[0] < d.values[2]


def contrast_of(
    tmp_path: Path, x: dict[int, float], y: dict[int, float]
) -> tuple[tuple[float, ...], str, str]:
    """Returns B − A of two rates by their values by seed, of how many, and its effect size."""

    for rate, values in (("0.1", x), ("0.2", y)):
        for seed, value in values.items():
            number = seed + 100 * (rate == "0.2")
            finished(tmp_path, number, seed, {"test/accuracy": value}, [f"optimizer.lr={rate}"])
    (row,) = the_table(section(tmp_path), "s-effects").rows

    return tuple(row[5].values), row[4].text, row[6].text


def test_groups_without_seeds_in_common_are_compared_by_welch(tmp_path: Path) -> None:
    x, y = [0.5, 0.6, 0.8], [0.7, 0.72, 0.9, 0.8]
    triple, n, effect = contrast_of(
        tmp_path, dict(zip((1, 2, 3), x, strict=True)), dict(zip((4, 5, 6, 7), y, strict=True))
    )
    t = stats.ttest_ind(y, x, equal_var=False).confidence_interval()

    assert triple == pytest.approx((np.mean(y) - np.mean(x), *t))
    assert (n, effect[:4]) == ("3 and 4", "g = ")


def test_of_groups_that_share_some_seeds_these_are_compared(tmp_path: Path) -> None:
    x, y = {1: 0.5, 2: 0.6, 3: 0.8, 4: 0.1}, {1: 0.6, 2: 0.72, 3: 0.85, 9: 0.9}
    triple, n, _ = contrast_of(tmp_path, x, y)
    t = stats.ttest_1samp([y[s] - x[s] for s in (1, 2, 3)], 0).confidence_interval()

    assert triple == pytest.approx((0.09, *t))
    assert n == "3 seeds of 4 and 4"


@pytest.mark.parametrize(
    ("other", "size"),
    [([0.55, 0.68], "–"), ([0.6, 0.7, 0.9], "–"), ([0.7, 0.7, 0.7], "d_z"), ([], None)],
    ids=["two", "one difference", "equal", "none"],
)
def test_an_effect_size_is_told_where_the_spread_is_known(
    tmp_path: Path, other: list[float], size: str | None
) -> None:
    """It is the spread of the differences by seed: values of one group may be equal."""

    leave(tmp_path, {"0.1": [0.5, 0.6, 0.8], "0.2": other})
    found = [row[6].partition(" =")[0] for row in effects(tmp_path)]

    assert found == ([] if size is None else [size])


TESTED, POOL = 40, 100


def with_items(study: Path, fixed: bool = False) -> dict[str, list[np.ndarray]]:
    """Leaves two groups of five seeds that keep their outcomes; returns these, and the items."""

    rng = np.random.default_rng(0)
    usual = rng.random((2, POOL)) < 0.8
    found: dict[str, list[np.ndarray]] = {"0.1": [], "0.2": [], "items": []}
    for seed in range(5):
        items = np.arange(TESTED) if fixed else rng.permutation(POOL)[:TESTED]
        found["items"].append(items)
        for k, rate in enumerate(("0.1", "0.2")):
            right = (usual[k, items] ^ (rng.random(TESTED) < 0.05)).astype(float)
            numbers = {"test/accuracy": float(right.mean()), "valid/accuracy": rng.random()}
            run = finished(study, 10 * k + seed + 1, seed, numbers, [f"optimizer.lr={rate}"])
            rows = {"item": items.tolist(), "score": right.tolist(), "loss": (1 - right).tolist()}
            write_table(run.folder / "items.parquet", rows, ITEMS, {"seed": seed}, {})
            if not fixed:
                write_json(run.folder / "provenance.json", {**run.provenance, "resampled": 0.3})
            config = (
                f"data: {{_target_: isoexp.data.Digits, split: {'fixed' if fixed else 'seed'}}}\n"
            )
            (run.folder / "config.yaml").write_text(config)
            found[rate].append(right)

    return found


def row_of(table: Table, place: int = 0) -> dict[str, Cell]:
    heads = [column.head for column in table.columns]

    return dict(zip(heads, table.rows[place], strict=True))


def test_where_outcomes_are_kept_intervals_are_over_test_items_too(tmp_path: Path) -> None:
    made = with_items(tmp_path)
    found = section(tmp_path)
    groups, effect = the_table(found, "s-groups"), row_of(the_table(found, "s-effects"))
    contrasts = [b - a for a, b in zip(made["0.1"], made["0.2"], strict=True)]
    expected = clustered(contrasts, made["items"], 1.0)

    assert effect["B − A"].values == pytest.approx(expected.interval().triple)
    assert effect["floor"].values[0] == pytest.approx(expected.floor)
    assert expected.floor > 0
    assert effect["interval over"].text == "seeds and test items"
    own = clustered(made["0.1"], made["items"])
    row = row_of(groups)
    assert row["test/accuracy"].values == pytest.approx((*own.interval().triple, 5))
    valid = [run.numbers["valid/accuracy"] for run in grouped(entries(tmp_path))[0].runs]
    expected = resampled(valid, 0.3).interval().triple
    assert row["valid/accuracy"].values == pytest.approx((*expected, 5))
    time = row["train_time_s"].values
    assert tuple(time) == (1.5, -np.inf, np.inf, 5)  # five alike, and no data move a clock
    assert (
        "over seeds and test items (test/accuracy); seeds, resampled splits (Nadeau–Bengio) "
        "(valid/accuracy)."
    ) in groups.caption


def test_an_interval_over_one_split_says_so(tmp_path: Path) -> None:
    with_items(tmp_path, fixed=True)
    found = section(tmp_path)

    told = row_of(the_table(found, "s-effects"))["interval over"].text
    assert told == "seeds and test items of one split"
    assert the_table(found, "s-groups").caption.endswith(
        "over seeds and test items of one split (test/accuracy); seeds of one split "
        "(valid/accuracy); another split may differ."
    )


def test_the_error_of_data_is_in_a_comparison_by_welch(tmp_path: Path) -> None:
    """Groups of one pool that share no seed: each has the error of its own splits."""

    for number, (rate, value) in enumerate(
        zip(["0.1"] * 4 + ["0.2"] * 4, (0.5, 0.6, 0.8, 0.7, 0.6, 0.7, 0.9, 0.9), strict=True)
    ):
        overrides = [f"optimizer.lr={rate}"]
        run = finished(tmp_path, number + 1, number, {"valid/accuracy": value}, overrides)
        write_json(run.folder / "provenance.json", {**run.provenance, "resampled": 0.3})
    row = row_of(the_table(section(tmp_path), "s-effects"))
    x, y = resampled((0.5, 0.6, 0.8, 0.7), 0.3), resampled((0.6, 0.7, 0.9, 0.9), 0.3)

    assert row["B − A"].values == pytest.approx(apart(y, x).interval().triple)
    assert row["interval over"].text == "seeds, resampled splits (Nadeau–Bengio)"


def test_no_effects_are_told_of_many_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path, {rate: [0.5, 0.6, 0.8] for rate in ("1", "2", "3")})
    assert len(effects(tmp_path)) == 3

    monkeypatch.setattr(sweeps, "DRAWN", 2)
    assert effects(tmp_path) == []
