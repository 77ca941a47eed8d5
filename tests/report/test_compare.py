"""Two folders side by side."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from isoexp.errors import UserError
from isoexp.report.document import Document, Table, blocks
from isoexp.report.folders import compare
from isoexp.report.html import html
from isoexp.report.markdown import markdown

from .studies import claimed, failed, finished, two_arms

pytestmark = pytest.mark.usefixtures("sketched")

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)


def the_table(found: Document, name: str) -> Table:
    return next(b for b in blocks(found) if isinstance(b, Table) and b.name == name)


def groups(study: Path, values: dict[str, list[float]]) -> Path:
    number = 0
    for rate, own in values.items():
        for seed, value in enumerate(own):
            number += 1
            finished(study, number, seed, {"test/accuracy": value}, [f"optimizer.lr={rate}"])

    return study


def test_the_difference_of_groups_has_welchs_interval(tmp_path: Path) -> None:
    x, y = [0.5, 0.6, 0.7], [0.8, 0.85, 0.9, 0.7]
    a = groups(tmp_path / "a", {"0.1": x, "0.2": [0.5, 0.6]})
    b = groups(tmp_path / "b", {"0.1": y, "0.3": [0.5, 0.6]})
    found = compare(a, b)
    table = the_table(found, "groups")
    t = stats.ttest_ind(y, x, equal_var=False).confidence_interval()

    rows = {row[1].text: row for row in table.rows}
    assert [row[0].text for row in table.rows] == ["0.1"] * len(table.rows)
    assert rows["test/accuracy"][-1].values == pytest.approx((np.mean(y) - np.mean(x), *t))
    assert "1 only in A, 1 only in B" in markdown(found)


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


def test_folders_with_nothing_in_common_are_a_mistake(tmp_path: Path) -> None:
    a = groups(tmp_path / "a", {"0.1": [0.5]})
    failed(tmp_path / "b", 1, 0, "diverged", activation="relu")

    with pytest.raises(UserError, match="in common"):
        compare(a, tmp_path / "b")
