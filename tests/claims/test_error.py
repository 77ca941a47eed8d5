"""The error of a contrast, of run folders made by hand: of seeds, of test items, of splits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isoexp.claims.decision import Answered, decided
from isoexp.claims.evidence import Evidence
from isoexp.claims.verdict import Question, decide
from isoexp.statistics import Student, clustered, mean, resampled
from isoexp.store.files import write_json
from isoexp.store.run import Run
from isoexp.store.tables import ITEMS, write_table

from .test_evidence import claim, planned

SEEDS, TESTED, POOL = 6, 40, 100

ASKED = [
    {"contrast": "a - b", "metric": "accuracy", "expects": "greater", "margin": 0.01},
    {"contrast": "a - b", "metric": "error", "expects": "less", "margin": 1.1},
    {"contrast": "a - b", "metric": "valid", "expects": "greater", "margin": 0.01},
    {"contrast": "a - b", "metric": "time", "expects": "less", "margin": 0.01},
    {"contrast": "a", "metric": "accuracy", "against": 0.5, "expects": "greater", "margin": 0.01},
    {"contrast": "a - b", "metric": "loss", "expects": "within", "margin": 5},
]

METRICS = {
    "accuracy": "test/accuracy",
    "error": {"of": "summary", "column": "test/loss", "log": True},
    "loss": "test/loss",
    "valid": "valid/accuracy",
    "time": "train_time_s",
}


class Studied:
    """A study of two arms, each seed of which is tested on items of its own."""

    def __init__(self, root: Path, resampled: float | None = 0.3, seeds: int = SEEDS) -> None:
        rng = np.random.default_rng(0)
        self.evidence = planned(root / "s", claim(seeds=seeds, metrics=METRICS, comparisons=ASKED))
        usual = rng.random((2, POOL)) < 0.8
        self.items = [rng.permutation(POOL)[:TESTED] for _ in range(seeds)]
        self.right: dict[str, list[np.ndarray]] = {"a": [], "b": []}
        arms: dict[str, Any] = {}
        for k, arm in enumerate("ab"):
            arms[arm] = {"words": [], "runs": {}}
            for seed, items in enumerate(self.items):
                right = usual[k, items] ^ (rng.random(TESTED) < 0.05)
                self.right[arm].append(right.astype(float))
                identity = f"{arm}{seed}".encode().hex().ljust(32, "0")
                arms[arm]["runs"][str(seed)] = identity
                run = self.run(arm, seed)
                run.folder.mkdir()
                write_json(run.folder / "summary.json", {
                    "test/accuracy": right.mean(), "test/loss": 2 - right.mean(),
                    "valid/accuracy": rng.random(), "train_time_s": rng.random(),
                })  # fmt: skip
                if resampled is not None:
                    write_json(run.folder / "provenance.json", {"resampled": resampled})
                self.write(arm, seed, items, right)
                run.write_state("completed", identity=identity)
        write_json(self.evidence.folder / "runs.json", {"tuned": {}, "arms": arms})

    def run(self, arm: str, seed: int) -> Run:
        identity = f"{arm}{seed}".encode().hex().ljust(32, "0")

        return Run(self.evidence.study / f"{arm}-{identity[:8]}")

    def write(self, arm: str, seed: int, items: np.ndarray, right: np.ndarray) -> None:
        rows = {"item": items.tolist(), "loss": (2.0 - right).tolist()}
        rows["score"] = right.astype(float).tolist()
        path = self.run(arm, seed).folder / "items.parquet"
        write_table(path, rows, ITEMS, {"seed": seed}, {})

    def contrasts(self) -> list[np.ndarray]:
        return [a - b for a, b in zip(self.right["a"], self.right["b"], strict=True)]

    def answers(self) -> Sequence[Answered]:
        return decided(Evidence(self.evidence.folder)).answers


def assert_is(found: Answered, student: Student) -> None:
    low, high = student.interval().triple[1:]
    assert (found.answer.low, found.answer.high) == pytest.approx((low, high), rel=1e-12)
    assert found.over == student.over == found.written["over"]
    if found.over != "seeds":
        assert f"95 % interval over {found.over}" in found.answer.words
        assert f"] over {found.over}, n = {SEEDS}" in found.line


def test_each_number_has_the_error_of_its_data(tmp_path: Path) -> None:
    made = Studied(tmp_path)
    accuracy, error, valid, time, alone, loss = made.answers()
    means = [each.mean() for each in made.contrasts()]

    assert_is(accuracy, clustered(made.contrasts(), made.items, 1.0))
    assert_is(alone, clustered([a - 0.5 for a in made.right["a"]], made.items, 1.0))
    assert_is(error, resampled(error.values, 0.3))  # ratios have no items
    assert_is(valid, resampled(valid.values, 0.3, 1.0))
    assert_is(time, mean(time.values, 1.0))  # no data move a clock
    assert loss.over == "seeds"  # mathematics: every value, and no interval
    assert accuracy.answer.estimate == pytest.approx(np.mean(means))
    assert accuracy.over == "seeds and test items"
    assert accuracy.answer.high - accuracy.answer.low > np.ptp(mean(means).interval().triple[1:])


def test_the_order_of_the_rows_is_of_no_account(tmp_path: Path) -> None:
    made = Studied(tmp_path)
    before = made.answers()[0].answer
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(TESTED)
        made.write("b", seed, made.items[seed][order], made.right["b"][seed][order])

    assert made.answers()[0].answer.low == pytest.approx(before.low, rel=1e-12)


def damage(made: Studied, how: str) -> None:
    run, items, right = made.run("b", 2), made.items[2], made.right["b"][2]
    if how == "none":
        (run.folder / "items.parquet").unlink()
    elif how == "cut short":
        content = (run.folder / "items.parquet").read_bytes()
        (run.folder / "items.parquet").write_bytes(content[:-20])
    elif how == "others":
        made.write("b", 2, (items + 1) % POOL, right)
    else:
        made.write("b", 2, items, 1 - right)


@pytest.mark.parametrize("how", ["none", "cut short", "others", "another training"])
def test_items_that_not_all_runs_have_alike_are_no_evidence(tmp_path: Path, how: str) -> None:
    """Then it is as of a number without items; and as of today, where splits are not resampled."""

    made, plain = Studied(tmp_path / "a"), Studied(tmp_path / "b", resampled=None)
    for each in (made, plain):
        damage(each, how)

    assert made.answers()[0].over == "seeds, resampled splits (Nadeau–Bengio)"
    assert plain.answers()[0].over == "seeds"
    assert_is(plain.answers()[0], mean([each.mean() for each in plain.contrasts()], 1.0))


def test_without_outcomes_and_resampling_it_is_as_ever(tmp_path: Path) -> None:
    made = Studied(tmp_path, resampled=None)
    for arm in "ab":
        for seed in range(SEEDS):
            (made.run(arm, seed).folder / "items.parquet").unlink()

    assert {each.over for each in made.answers()} == {"seeds"}
    assert "interval over" not in made.answers()[0].answer.words


def test_a_missing_number_is_told_before_any_error(tmp_path: Path) -> None:
    made = Studied(tmp_path)
    made.run("a", 1).write_state("failed", reason="diverged")

    assert made.answers()[0].answer.verdict == "inconclusive"
    assert "missing" in made.answers()[0].answer.words


def test_seeds_that_would_decide_leave_what_they_share() -> None:
    """Of an error of 0.2, half of the variance is shared: more seeds are needed, or none help."""

    values = np.array([0.4, -0.3, 0.2, 0.1, -0.1, 0.3, -0.2, 0.2])
    plain = mean(values)

    def asked(floor: float, margin: float) -> Any:
        error = float(np.hypot(plain.error, floor))
        student = Student(8, plain.estimate, error, 7, plain.rarity, "by hand", floor, "all")
        (answer,), _ = decide([Question(values, "greater", margin, student=student)])
        return answer

    free, some, much = (asked(floor, 0.21) for floor in (0.0, 0.04, 0.2))
    assert free.seeds_needed < some.seeds_needed
    assert f"{some.seeds_needed} seeds would tell" in some.words
    assert much.seeds_needed is None
    assert "no number of seeds would tell: an error of 0.2 stays" in much.words
