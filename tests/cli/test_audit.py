"""Tests for isoexp audit, as a user types it."""

from pathlib import Path

import pandas as pd
import pytest

from ..commands import Command


@pytest.mark.slow
def test_a_table_and_a_file(isoexp: Command, folder: Path) -> None:
    outcome = isoexp("audit", "clip", "activation=tanh,iso_tanh", "--out", "runs")

    assert outcome.code == 0, outcome
    lines = [line.split("  ") for line in outcome.out.splitlines() if line]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert ["clip", "commutes with", "O(n)", "signed", "permut.", "diagonal", "up to"] in cells
    assert [row[1] for row in cells if row[0] in ("norm", "tanh", "iso_tanh")] == [
        "O(n)",
        "signed permutations",
        "O(n)",
    ]
    assert cells[-1] == ["results", "runs/audit.parquet"]

    table = pd.read_parquet(folder / "runs" / "audit.parquet")
    assert set(table["form"]) == {"none", "norm", "value", "tanh", "iso_tanh"}
    tanh = table[table["form"] == "tanh"].set_index("group")
    assert not tanh.loc["O(n)", "commutes"]
    assert tanh.loc["O(n)", "error"] > 0.1
    assert tanh.loc["permutations", "error"] == 0
    assert set(tanh["symmetry"]) == {"signed permutations"}
    assert set(table["n"]) == {8}


def test_width_seed_and_place_are_as_asked(isoexp: Command, folder: Path) -> None:
    words = ("activation=tanh", "--width", "5", "--seed", "3", "--out", "elsewhere")
    assert isoexp("audit", *words).code == 0

    table = pd.read_parquet(folder / "elsewhere" / "audit.parquet")
    assert set(table["n"]) == {5}
    assert set(table["seed"]) == {3}
    assert not (folder / "runs").exists()


def test_both_faces_of_a_form_with_parameters(isoexp: Command) -> None:
    out = isoexp("audit", "norm=rms_gain").out

    assert "rms_gain                   trivial " in out
    assert "with parameters  signed permutations" in out


@pytest.mark.slow
def test_choices_of_ones_own(isoexp: Command, folder: Path) -> None:
    (folder / "own" / "norm").mkdir(parents=True)
    (folder / "own" / "norm" / "mine.yaml").write_text(
        "_target_: torch.nn.RMSNorm\n_partial_: true\n"
    )
    (folder / "own" / "norm" / "broken.yaml").write_text("_target_: torch.nn.Bilinear\n")

    outcome = isoexp("audit", "norm", "--config-dir", "own", "--out", "runs")
    assert "not measured: norm broken: " in outcome.err
    assert outcome.code == 1
    assert "mine" in outcome.out
    assert "rms_gain" in outcome.out
    assert (folder / "runs" / "audit.parquet").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("audit activatoin", "did you mean activation?"),
        ("audit torch.nn:Bilinear", "cannot measure map Bilinear"),
        ("audit nowhere:A", "goes on PYTHONPATH"),
        ("audit torch:tanh --as foo", "--as must be one of"),
        ("audit --width 1", "--width must be at least 2"),
        ("audit --width abc", "invalid int value"),
        ("audit --seed -1", "--seed must not be negative"),
        ("audit --widht 4", "did you mean --width?"),
        ("audit data=digits", "got data="),
        ("audit model=mlpp", "did you mean mlp?"),
        ("audit model=mlp dta=digits", "did you mean data?"),
        ("audit model._target_=broken:Net data=digits", "broken"),
        ("audit attention=softmax", "isoexp audit attention"),
        ("audit activation=tanh activation=relu", "activation is given twice"),
        ("audit activation --as init", "name one as module:object"),
        ("audit broken:A", "invalid syntax"),
    ],
)
def test_one_clear_line(
    line: str,
    message: str,
    isoexp: Command,
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    modules = tmp_path_factory.mktemp("modules")
    (modules / "broken.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(modules)

    outcome = isoexp(*line.split())

    assert outcome.code == 2, outcome
    assert outcome.err.startswith("isoexp: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert message in outcome.err
    assert list(folder.iterdir()) == []


def test_some_forms_are_written_only_where_asked(isoexp: Command, folder: Path) -> None:
    """They would take the place of the audit of everything."""

    assert "results" not in isoexp("audit", "attention").out
    assert list(folder.iterdir()) == []


def test_what_is_no_number_is_not_shown_as_zero(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "lab_of_nan.py").write_text("def f(x):\n    return x / 0 * 0\n")
    monkeypatch.syspath_prepend(folder)

    row = isoexp("audit", "lab_of_nan:f").out.splitlines()[1].split()
    assert row == ["f", "none", "nan", "nan", "nan", "nan", "1e-09"]


NET = """
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.a, self.norm = nn.Linear(64, 5), nn.BatchNorm1d(5)
        self.c, self.spare = nn.Linear(5, outputs), nn.Linear(2, 2, bias=False)

    def forward(self, x):
        return self.c(self.norm(self.a(x.flatten(1))).relu())

class Exits(Net):
    def forward(self, x):
        if self.training and len(x) > 2:
            raise SystemExit("by myself")
        return super().forward(x)
"""


def test_what_of_a_model_is_idle(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line each, with what to do; and none of isoexp's own."""

    (folder / "lab_of_idle.py").write_text(NET)
    monkeypatch.syspath_prepend(folder)
    before = sorted(folder.iterdir())

    def cells(*words: str) -> list[list[str]]:
        outcome = isoexp("audit", *words, "data=digits", "--allow", "lab_of_idle")
        assert outcome.code == 0, outcome
        rows = [line.split("  ") for line in outcome.out.splitlines() if line]
        return [[cell.strip() for cell in row if cell.strip()] for row in rows]

    header, *rows = cells("model._target_=lab_of_idle.Net")
    assert header == ["model", "idle", "what to do"]
    assert rows == [
        [
            "model._target_=lab_of_idle.Net data=digits", "a.bias",
            "its gradient is rounding: leave it out, as by bias=False",
        ],
        ["spare.weight", "no output depends on it: leave it out"],
    ]  # fmt: skip
    assert [row[1] for row in cells("model=mlp", "norm=none,batch")[1::2]] == ["none", "none"]

    outcome = isoexp(
        "audit", "model._target_=lab_of_idle.Exits", "data=digits", "--allow", "lab_of_idle"
    )
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before


def test_help(isoexp: Command) -> None:
    assert "isoexp audit optimizer norm" in isoexp("audit", "--help").out
