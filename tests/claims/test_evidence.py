"""Evidence: metrics of tables and summaries, contrasts by seed, and what is missing of them."""

from pathlib import Path
from time import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from isoexp.claims import Claim, Metric
from isoexp.claims.chain import Line, add
from isoexp.claims.decision import decided
from isoexp.claims.evidence import (
    Evidence,
    earlier,
    find_evidence,
    matching,
    number_of,
    register,
    results,
)
from isoexp.store.files import write_json
from isoexp.store.run import Run
from isoexp.store.tables import write_table

from .test_claim import NODE

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


def claim(**changes: Any) -> Claim:
    return Claim.at("mine", NODE | {"seeds": 3, "tuning": None} | changes, "laptop")


def planned(study: Path, claim: Claim) -> Evidence:
    """Writes a plan down."""

    with add(study) as (there, append):
        line = Line(0, claim.name, claim.scale, claim.identity, registered=time()).follows(there)
        append(line)

    return register(study, claim, line, {"claim": claim.identity}, {})


def study(root: Path, a: list[float], b: list[float], losses: list[float]) -> Evidence:
    """A study whose runs have these numbers."""

    evidence = planned(root / "study", claim())
    arms: dict[str, dict] = {}
    for arm, accuracies in (("a", a), ("b", b)):
        arms[arm] = {"words": [], "runs": {}}
        for seed, accuracy in enumerate(accuracies):
            identity = f"{arm}{seed}".encode().hex().ljust(32, "0")
            run = Run(root / "study" / f"{arm}-{identity[:8]}")
            run.folder.mkdir()
            write_json(run.folder / "summary.json", {
                "test/accuracy": accuracy, "test/loss": losses[seed] * (2 if arm == "a" else 1),
            })  # fmt: skip
            run.write_state("completed", identity=identity)
            arms[arm]["runs"][str(seed)] = identity
    write_json(evidence.folder / "runs.json", {"tuned": {}, "arms": arms})

    return Evidence(evidence.folder)


def test_contrasts_are_taken_seed_by_seed_and_ratios_as_logarithms(tmp_path: Path) -> None:
    evidence = study(tmp_path, [0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.4])
    accuracy, error = evidence.claim.comparisons

    difference, scale, missing = evidence.contrast(accuracy)
    ratio = evidence.contrast(error)[0]

    np.testing.assert_allclose(difference, [0.4, 0.2, 0.0], atol=1e-15)
    np.testing.assert_allclose(ratio, [np.log(2)] * 3)
    assert scale == 0.9
    assert missing == []
    assert decided(evidence).answers[1].interval[0] == pytest.approx(2)


def test_what_it_is_compared_with_is_subtracted_or_divided_by(tmp_path: Path) -> None:
    asked = [
        {"contrast": "a", "metric": "accuracy", "against": 0.5, "expects": "less", "margin": 0.1},
        {"contrast": "a", "metric": "error", "against": 0.5, "expects": "less", "margin": 1.1},
    ]
    evidence = study(tmp_path, [0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.4])
    one, other = claim(comparisons=asked).comparisons

    np.testing.assert_allclose(evidence.contrast(one)[0], [0.4, 0.3, 0.2], atol=1e-15)
    np.testing.assert_allclose(evidence.contrast(other)[0], np.log([0.4, 0.8, 1.6]))


def test_of_a_claim_that_was_changed_the_last_registration_counts(tmp_path: Path) -> None:
    first = study(tmp_path, [0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.4])
    second = planned(tmp_path / "study", claim(seeds=4))

    assert [each.folder for each in find_evidence(tmp_path)] == [second.folder]
    assert [each.folder for each in earlier(tmp_path, second)] == [first.folder]
    assert decided(second).missing
    assert decided(second).verdict.verdict == "inconclusive"
