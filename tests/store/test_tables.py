"""Tests for isoexp.store.tables and files."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import isoexp
from isoexp.store.files import (
    append_line,
    files_below,
    read_json,
    read_lines,
    write_bytes,
    write_json,
    write_lines,
)
from isoexp.store.tables import METRICS, Schema, write_table

SCHEMA: Schema = {"step": int, "loss": float, "layer": str}


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for step in range(3):
        append_line(path, {"step": step, "loss": step / 3})
    with path.open("a") as file:
        file.write('{"step": 3, "lo')

    assert read_lines(path) == [{"step": s, "loss": s / 3} for s in range(3)]


def test_floats_survive_the_lines_to_the_last_bit(tmp_path: Path) -> None:
    values = [0.1, 1e-308, 5e-324, 1.7976931348623157e308, float("inf")]
    write_lines(tmp_path / "rows.jsonl", [{"x": value} for value in values])

    assert [row["x"] for row in read_lines(tmp_path / "rows.jsonl")] == values


def test_undefined_numbers_are_null_in_json(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    numbers = {"a": math.nan, "b": -math.inf, "c": [math.inf, 1.5], "d": {"e": (math.nan, 2)}}
    write_json(path, numbers)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found = json.loads(path.read_text(), parse_constant=refuse)
    assert found == {"a": None, "b": None, "c": [None, 1.5], "d": {"e": [None, 2]}}
    assert read_json(path) == found
    path.write_text('{"a": NaN, "b": -Infinity}')  # as older versions wrote it
    assert read_json(path, {str: (float, None)}) == {"a": None, "b": None}


def test_missing_files_read_as_nothing(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none") == []
    assert read_json(tmp_path / "none") == {}


def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between writing and moving leaves what was there."""

    write_json(tmp_path / "state.json", {"state": "running"})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "state.json", b"half")

    assert read_json(tmp_path / "state.json") == {"state": "running"}


def test_types_are_declared_not_inferred(tmp_path: Path) -> None:
    """One run's loss 1 and another's 0.5, or none at all, make one column."""

    for name, losses in {"a": [1, 2], "b": [0.5, None], "c": [None, None]}.items():
        rows = {"step": [0, 1], "loss": losses}
        (tmp_path / name).mkdir()
        write_table(tmp_path / name / "metrics.parquet", rows, SCHEMA, {"run": name}, {})

    schemas = [pq.read_schema(p).remove_metadata() for p in sorted(tmp_path.glob("*/*.parquet"))]

    assert schemas[0] == schemas[1] == schemas[2]
    assert schemas[0].field("loss").type == pa.float64()
    assert schemas[0].field("layer").type == pa.string()


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two runs whose configurations differ in keys and in types."""

    configs = [
        {"optimizer.lr": 1, "model.widths": [32, 32], "model.bias": True, "seed": 0},
        {"optimizer.lr": 0.1, "model.widths": [], "activation.R0": 0.5, "steps": None},
    ]
    for k, config in enumerate(configs):
        folder = tmp_path / "main" / f"activation-x,seed-{k}-0000000{k}"
        rows = {"step": [0, 1], "valid/loss": [1.0, 0.5]}
        constants = {"run": f"0000000{k}", "activation": "x", "seed": k}
        folder.mkdir(parents=True)
        write_table(folder / "metrics.parquet", rows, METRICS, constants, config)
        write_json(folder / "state.json", {})

    return tmp_path


def test_a_study_reads_as_one_table_with_its_configuration(study: Path) -> None:
    table = isoexp.read(study)

    assert len(table) == 4
    assert table["optimizer.lr"].tolist() == [1.0, 1.0, 0.1, 0.1]
    assert table["model.widths"].tolist() == ["[32, 32]", "[32, 32]", "[]", "[]"]
    assert table["activation.R0"].isna().tolist() == [True, True, False, False]
    assert table["seed"].tolist() == [0, 0, 1, 1]
    assert "steps" not in table


def test_pandas_reads_all_metrics_in_one_call(study: Path) -> None:
    """Without isoexp too: the names of folders are no partitions."""

    paths: Any = list(study.glob("**/metrics.parquet"))
    table = pd.read_parquet(paths)

    assert sorted(table["seed"]) == [0, 0, 1, 1]
    assert set(table["activation"]) == {"x"}


def test_a_setting_of_two_kinds_is_read_as_text(tmp_path: Path) -> None:
    for name, mode in {"a": 0.5, "b": "auto", "c": True}.items():
        rows = {"step": [0]}
        (tmp_path / name).mkdir()
        write_table(tmp_path / name / "metrics.parquet", rows, METRICS, {}, {"x.mode": mode})

    assert isoexp.read(tmp_path)["x.mode"].tolist() == ["0.5", "auto", "true"]


def test_what_is_a_column_here_and_a_setting_there_is_one_column(tmp_path: Path) -> None:
    with_twin: Schema = {"step": int, "twin": str}
    for name in "abc":
        (tmp_path / name).mkdir()
    write_table(tmp_path / "a" / "metrics.parquet", {"step": [0], "twin": ["x"]}, with_twin, {}, {})
    write_table(tmp_path / "b" / "metrics.parquet", {"step": [0]}, {"step": int}, {}, {"twin": 0.5})
    nothing = {"step": [0], "twin": [None]}
    write_table(tmp_path / "c" / "metrics.parquet", nothing, with_twin, {}, {"twin": "unread"})

    assert isoexp.read(tmp_path)["twin"].fillna("none").tolist() == ["x", "0.5", "none"]


def test_files_are_found_in_the_order_of_their_paths_and_not_in_runs(tmp_path: Path) -> None:
    for name in ("b/x", "a-b/x", "a/z", "a/y", "a/y/probes", ".hidden/x", "deep/er/x"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "state.json").touch()
    (tmp_path / "link").symlink_to(tmp_path)

    found = [str(p.parent.relative_to(tmp_path)) for p in files_below(tmp_path, "state.json")]

    assert found == ["a/y", "a/z", "a-b/x", "b/x", "deep/er/x"]
    assert list(files_below(tmp_path / "a" / "y", "state.json")) == [tmp_path / "a/y/state.json"]
    assert list(files_below(tmp_path / "none", "state.json")) == []


def test_links_are_followed_and_what_they_lead_to_is_found_once(tmp_path: Path) -> None:
    """The disk that runs were moved to, a link to the last run, a cycle, a link to nothing."""

    disk, runs = tmp_path / "disk", tmp_path / "runs"
    for folder in (disk / "study/a", disk / "study/b", runs / "main/c"):
        folder.mkdir(parents=True)
        write_json(folder / "state.json", {})
    (runs / "elsewhere").symlink_to(disk)
    (runs / "another").symlink_to(disk / "study")
    (runs / "latest").symlink_to("main/c")
    (runs / "main/up").symlink_to("..")
    (disk / "study/back").symlink_to(runs)
    (runs / "loop").symlink_to("loop")
    (runs / "nowhere").symlink_to("gone")

    found = [str(p.parent.relative_to(runs)) for p in files_below(runs, "state.json")]
    assert found == ["another/a", "another/b", "main/c"]
    linked = tmp_path / "linked"
    linked.symlink_to(runs / "main")
    assert linked / "c/state.json" in files_below(linked, "state.json")


def test_an_unreadable_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics.parquet").write_bytes(b"nonsense")

    with pytest.raises(ValueError, match=r"cannot read .*metrics\.parquet"):
        isoexp.read(tmp_path)


def test_reading_where_nothing_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no probes/refraction\.parquet below"):
        isoexp.read(tmp_path, "refraction")
