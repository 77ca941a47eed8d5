"""The values that a claim asks of runs: rows that count, and the number that they become."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from isoexp.claims import Metric
from isoexp.claims.values import matching, number_of, results
from isoexp.store.run import Run
from isoexp.store.tables import write_table

ROWS: dict[str, list] = {
    "site": ["input", "input", "hidden", "hidden"],
    "scale": [1.0, 9.999999, 1.0, 10.0],
    "n": [5, 5, 7, 7],
    "accuracy": [0.9, 0.5, 0.8, float("nan")],
}


def frame() -> pd.DataFrame:
    return pd.DataFrame(ROWS)


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({}, [0, 1, 2, 3]),
        ({"site": "input"}, [0, 1]),
        ({"site": "!= input"}, [2, 3]),
        ({"scale": 10}, [1, 3]),
        ({"scale": [1, 10], "site": "hidden"}, [2, 3]),
        ({"scale": "> 1"}, [1, 3]),
        ({"n": ">= 7"}, [2, 3]),
        ({"n": 7, "scale": "< 2"}, [2]),
        ({"site": "output"}, []),
        ({"nothing": 1}, []),
    ],
    ids=str,
)
def test_rows_are_found_by_values_lists_and_conditions(where: dict, rows: list[int]) -> None:
    assert list(matching(frame(), where).index) == rows


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    (run.folder / "probes").mkdir(parents=True)
    schema = {"site": str, "scale": float, "n": int, "accuracy": float}
    write_table(run.folder / "probes" / "ood.parquet", ROWS, schema, {"seed": 0}, {})

    return run


def number(run: Run, **fields: Any) -> float | None:
    node = {"of": "ood", "column": "accuracy", **fields}
    metric = Metric.read(node, "m", "c")

    return number_of(results(run, metric.of), metric)


def test_rows_become_one_number_and_what_is_not_there_counts_for_nothing(run: Run) -> None:
    assert number(run) == pytest.approx((0.9 + 0.5 + 0.8) / 3)
    assert number(run, take="max") == 0.9
    assert number(run, take="last") == 0.8
    assert number(run, take="first", where={"site": "hidden"}) == 0.8
    assert number(run, where={"site": "hidden", "scale": 10}) is None
    assert number(run, column="nothing") is None
    assert number(run, of="alignment") is None


def test_a_loss_is_the_difference_of_two_rows(run: Run) -> None:
    where = {"site": "input", "scale": 1}

    assert number(run, where=where, minus={"scale": 10}) == pytest.approx(0.4)
    assert number(run, where={"site": "hidden", "scale": 1}, minus={"scale": 10}) is None
