"""Tests for isoexp.experiment.record: the outcome of each test sample, in items.parquet."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import isoexp
from isoexp.config.compose import compose
from isoexp.errors import UserError
from isoexp.experiment.job import Advance, AlreadyDone, Ended, prepare
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from .runs import TINY, run

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

SHORT = (*TINY, "epochs=1", "probe=none")


def only() -> Run:
    (found,) = runs_below(Path("runs"))

    return found


@pytest.mark.parametrize(
    ("words", "score"),
    [
        ((), "accuracy"),
        (("data=teacher", "data.dim=3", "model=linear"), "r2"),
        (("model=autoencoder", "model.code=2"), "r2"),
    ],
    ids=["classes", "values", "codes"],
)
@pytest.mark.parametrize("split", ["fixed", "seed"])
def test_means_are_the_numbers_of_the_summary(
    words: tuple[str, ...], score: str, split: str
) -> None:
    run(*SHORT, *words, "data.items=true", f"data.split={split}", "seed=2")
    found: Any = isoexp.read("runs", "items")
    summary = only().summary

    assert len(found) == 16
    assert found["item"].tolist() == [80 + i + (192 if split == "seed" else 0) for i in range(16)]
    assert found["loss"].mean() == pytest.approx(summary["test/loss"], rel=1e-12)
    assert found["score"].mean() == pytest.approx(summary[f"test/{score}"], rel=1e-12)
    if score == "accuracy":
        assert (found["label"] == found["predicted"]).mean() == summary["test/accuracy"]
    else:
        assert found["predicted"].isna().all()
    assert found["label"].isna().all() == ("data=teacher" in words)
    assert set(found["seed"]) == {2}
    assert set(found["data.split"]) == {split}


def test_they_are_kept_where_splits_are_of_the_seed_or_when_asked() -> None:
    kept = {}
    for split in ("fixed", "seed"):
        for items in ("null", "true", "false"):
            job = prepare(compose([*SHORT, f"data.split={split}", f"data.items={items}"]))
            kept[split, items] = job.items

    assert kept == {
        ("fixed", "null"): False, ("fixed", "true"): True, ("fixed", "false"): False,
        ("seed", "null"): True, ("seed", "true"): True, ("seed", "false"): False,
    }  # fmt: skip


def test_a_finished_run_that_lacks_them_is_evaluated_not_trained() -> None:
    """And one whose table is damaged, or gone; with the same numbers as at its completion."""

    run(*SHORT, "data.items=true", "out=whole")
    run(*SHORT)
    assert not (only().folder / "items.parquet").exists()

    events = run(*SHORT, "data.items=true")
    assert [type(event) for event in events] == [Ended]
    table = only().folder / "items.parquet"
    content = table.read_bytes()
    pd.testing.assert_frame_equal(isoexp.read("runs", "items"), isoexp.read("whole", "items"))

    for damage in (lambda: table.write_bytes(content[:-9]), table.unlink):
        assert only().damage is None
        damage()
        events = run(*SHORT, "data.items=true")
        assert not any(isinstance(event, Advance) for event in events)
        assert table.read_bytes() == content
    assert [type(event) for event in run(*SHORT, "data.items=true")] == [AlreadyDone]
    assert [type(event) for event in run(*SHORT)] == [AlreadyDone]


def test_they_are_of_the_last_training() -> None:
    run(*SHORT, "data.items=true")
    run(*SHORT, "force=true")

    assert not (only().folder / "items.parquet").exists()
    assert "items.parquet" not in only().state["files"]


def test_seeds_share_items_of_a_pool_and_none_of_what_is_drawn_anew() -> None:
    run(*SHORT, "data.split=seed", "seeds=3", "out=anew")
    run("data=digits", "data.split=seed", "steps=1", "probe=none", "seeds=2", "out=pool")
    anew, pool = (isoexp.read(root, "items").groupby("seed")["item"] for root in ("anew", "pool"))

    assert len(np.unique(np.concatenate([each.to_numpy() for _, each in anew]))) == 3 * 16
    a, b = (set(each) for _, each in pool)
    assert len(a) == len(b) == 360
    assert 0 < len(a & b) < 200


@pytest.mark.parametrize("name", ["items", "metrics"])
def test_no_probe_may_be_called_like_a_table_of_isoexp_s(name: str) -> None:
    words = [*SHORT[:-1], "probe=none", f"+probe.{name}._target_=isoexp.probes.Spectrum"]
    with pytest.raises(UserError, match=f"probe.{name} must have another name"):
        run(*words)
