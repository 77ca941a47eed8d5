"""Two folders side by side."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from isoexp.errors import UserError
from isoexp.report.document import Document, Figure, Table, blocks
from isoexp.report.folders import compare
from isoexp.report.html import html
from isoexp.report.markdown import markdown

from .studies import claimed, curve, failed, finished, two_arms

pytestmark = pytest.mark.usefixtures("sketched")

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)


def the_table(found: Document, name: str) -> Table:
    return next(b for b in blocks(found) if isinstance(b, Table) and b.name == name)


def groups(study: Path, values: dict[str, list[float]], first: int = 0) -> Path:
    number = 0
    for rate, own in values.items():
        for seed, value in enumerate(own, start=first):
            number += 1
            finished(study, number, seed, {"test/accuracy": value}, [f"optimizer.lr={rate}"])

    return study


def test_the_difference_of_groups_has_welchs_interval(tmp_path: Path) -> None:
    x, y = [0.5, 0.6, 0.7], [0.8, 0.85, 0.9, 0.7]
    a = groups(tmp_path / "a", {"0.1": x, "0.2": [0.5, 0.6]})
    b = groups(tmp_path / "b", {"0.1": y, "0.3": [0.5, 0.6]}, first=3)
    found = compare(a, b)
    table = the_table(found, "groups")
    t = stats.ttest_ind(y, x, equal_var=False).confidence_interval()

    rows = {row[1].text: row for row in table.rows}
    assert [row[0].text for row in table.rows] == ["0.1"] * len(table.rows)
    difference, n, over = rows["test/accuracy"][4:]
    assert difference.values == pytest.approx((np.mean(y) - np.mean(x), *t))
    assert (n.text, over.text) == ("3 and 4", "seeds")
    assert "1 only in A, 1 only in B" in markdown(found)


def test_groups_of_the_same_seeds_are_compared_by_seed(tmp_path: Path) -> None:
    x, y = [0.5, 0.6, 0.7], [0.8, 0.85, 0.9]
    a = groups(tmp_path / "a", {"0.1": x})
    table = the_table(compare(a, groups(tmp_path / "b", {"0.1": y})), "groups")
    t = stats.ttest_rel(y, x).confidence_interval()

    row = next(row for row in table.rows if row[1].text == "test/accuracy")
    assert row[4].values == pytest.approx((0.25, *t))
    assert row[5].text == "3 seeds"


def test_the_clearest_difference_comes_first(tmp_path: Path) -> None:
    a = groups(tmp_path / "a", {"0.1": [0.5, 0.6], "0.2": [0.50, 0.51]})
    b = groups(tmp_path / "b", {"0.1": [0.6, 0.5], "0.2": [0.60, 0.61]})

    assert the_table(compare(a, b), "groups").rows[0][0].text == "0.2"


def test_claims_whose_verdict_changed_come_first(tmp_path: Path) -> None:
    for name, b in (("one", A), ("two", BETTER)):
        study = tmp_path / name
        claimed(study, two_arms(study, A, BETTER), name="alike")
        claimed(study, two_arms(study, A, b, first=50), name="other")
    claimed(tmp_path / "two", two_arms(tmp_path / "two", A, A, first=80), name="alone")
    found = compare(tmp_path / "one", tmp_path / "two")

    rows = [[cell.text for cell in row] for row in the_table(found, "verdicts").rows]
    assert rows[0][0] == "other (laptop)"
    assert rows[0][2:] == ["supported", "yes", "no"]
    assert rows[0][1] != "supported"
    assert rows[1] == ["alike (laptop)", "supported", "supported", "no", "no"]
    effects = the_table(found, "comparisons").rows
    difference = np.mean(BETTER) - np.mean(A)
    assert effects[0][5].values[0] == pytest.approx(difference)
    assert effects[1][5].values[0] == 0
    assert "alone (laptop) in B" in html(found)


def test_a_claim_that_asks_otherwise_is_told(tmp_path: Path) -> None:
    for name, seeds in (("one", 4), ("two", 3)):
        study = tmp_path / name
        claimed(study, two_arms(study, A[:seeds], BETTER[:seeds]), seeds=seeds)
    found = compare(tmp_path / "one", tmp_path / "two")

    assert the_table(found, "verdicts").rows[0][-1].text == "yes"


def test_two_runs_are_put_side_by_side(tmp_path: Path) -> None:
    """Settings that differ, numbers without an interval that one run each cannot have, curves."""

    study = tmp_path / "study"
    config = "epochs: 5\nmodel: {widths: [%d], bias: true}\ndata: {split: fixed}\n"
    runs = [
        finished(study, n, 3, {"test/accuracy": value}, [f"model.widths=[{width}]"], activation=f)
        for n, value, width, f in ((1, 0.8, 32, "tanh"), (2, 0.91, 64, "iso_tanh"))
    ]
    for run, width, end in zip(runs, (32, 64), (1.0, 2.0), strict=True):
        (run.folder / "config.yaml").write_text(config % width)
        curve(run, (3.0, 2.5, end))
    found = compare(*(run.folder for run in runs))

    assert found.title == "run-00000001 (A) and run-00000002 (B)"
    assert "A is run-00000001, 1 run of seed 3;" in markdown(found)
    settings = [[cell.text for cell in row] for row in the_table(found, "settings").rows]
    assert settings == [
        ["activation", "tanh", "iso_tanh"],
        ["model.widths", "[32]", "[64]"],
    ]
    row = next(r for r in the_table(found, "groups").rows if r[1].text == "test/accuracy")
    assert [cell.text for cell in row[2:]] == ["0.8\nn = 1", "0.91\nn = 1", "0.11", "1 seed", "–"]
    assert row[4].values == pytest.approx((0.11, -np.inf, np.inf))
    drawn = next(b for b in blocks(found) if isinstance(b, Figure))
    assert drawn.alt == "Curves. valid/loss of A ends at 1; valid/loss of B ends at 2."


def test_a_setting_that_one_of_them_lacks_is_a_dash(tmp_path: Path) -> None:
    a = finished(tmp_path, 1, 0, {"test/accuracy": 0.5}, ["optimizer.lr=0.1", "epochs=3"])
    b = finished(tmp_path, 2, 0, {"test/accuracy": 0.5}, ["optimizer.lr=0.2"])
    table = the_table(compare(a.folder, b.folder), "settings")

    assert [[cell.text for cell in row] for row in table.rows] == [
        ["optimizer.lr", "0.1", "0.2"],
        ["epochs", "3", "–"],
    ]
    other = finished(tmp_path, 3, 1, {"test/accuracy": 0.6}, ["optimizer.lr=0.2"])
    assert "A and B have the same settings." in markdown(compare(b.folder, other.folder))


def test_a_run_is_not_compared_with_itself(tmp_path: Path) -> None:
    run = finished(tmp_path / "study", 1, 0, {"test/accuracy": 0.5})

    for folder in (run.folder, run.folder.parent):
        with pytest.raises(UserError, match=f"got 1 run in both, {run.folder.name}"):
            compare(run.folder, folder)


def test_groups_alike_in_what_varies_are_compared(tmp_path: Path) -> None:
    """Each study is of one function and the same rates: the function is what is compared."""

    for name, shift in (("tanh", 0.0), ("relu", 0.1)):
        for number, (rate, seed) in enumerate([(r, s) for r in ("1", "2") for s in range(3)]):
            value = 0.5 + 0.01 * seed * (1 + shift) + shift * float(rate)
            finished(
                *(
                    tmp_path / name,
                    number,
                    seed,
                    {"test/accuracy": value},
                    [f"optimizer.lr={rate}"],
                ),
                activation=name,
            )
    found = compare(tmp_path / "tanh", tmp_path / "relu")
    rows = [row for row in the_table(found, "groups").rows if row[1].text == "test/accuracy"]

    assert [row[0].text for row in the_table(found, "settings").rows] == ["activation"]
    assert [(row[0].text, round(row[4].values[0], 3)) for row in rows] == [
        ("2", 0.201),
        ("1", 0.101),
    ]


def test_folders_with_nothing_in_common_are_a_mistake(tmp_path: Path) -> None:
    a = groups(tmp_path / "a", {"0.1": [0.5]})
    failed(tmp_path / "b", 1, 0, "diverged", activation="relu")

    with pytest.raises(UserError, match="in common"):
        compare(a, tmp_path / "b")
