"""Tests for isoexp.config.groups: a group is a line of the table, a folder, and a module."""

from pathlib import Path

import pytest

import isoexp
from isoexp.config.compose import compose
from isoexp.config.groups import GROUPS, Group, choices, counts, defaults, is_neutral
from isoexp.experiment.job import prepare
from isoexp.experiment.run import execute
from isoexp.store.study import runs_below

from ..experiment.runs import TINY

MODULE = """
from torch import nn


class Gate(nn.Module):
    def __init__(self, width, factor, floor=0):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class Gated(nn.Sequential):
    def __init__(self, inputs, outputs, gate):
        super().__init__(nn.Flatten(), nn.Linear(inputs[0], 8), gate(8), nn.Linear(8, outputs))
"""


@pytest.fixture
def gate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up group, gate, with two choices, and a model that asks for it by name."""

    group = Group("gate", supplied=("width",), handed=True, required=False, neutral={"floor": 0})
    monkeypatch.setitem(GROUPS, "gate", group)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "gates")
    (folder / "gates.py").write_text(MODULE)
    files = {
        "gate/half": "_target_: gates.Gate\nfactor: 0.5\n",
        "gate/double": "_target_: gates.Gate\nfactor: 2.0\n",
        "model/gated": "_target_: gates.Gated\n",
    }
    for name, text in files.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return folder / "conf"


def test_a_group_is_trained_with_told_apart_and_shown(gate: Path) -> None:
    words = [*TINY, "epochs=1", "probe=none", "model=gated"]
    for choice in ("half", "double"):
        list(execute([prepare(compose([*words, f"+gate={choice}"], [gate]))]))

    found = runs_below(Path("runs"))
    rows = isoexp.read("runs").groupby("gate")["valid/loss"].last().to_dict()

    assert len({run.state["identity"] for run in found}) == 2
    assert all("gate-half" in run.folder.name or "gate-double" in run.folder.name for run in found)
    assert rows.keys() == {"half", "double"}
    assert rows["half"] != rows["double"]
    assert set(isoexp.read("runs")["gate.factor"]) == {0.5, 2.0}


def test_a_neutral_setting_of_it_is_no_setting(gate: Path) -> None:
    """So that one that is added later changes no identity of before."""

    def identity(*more: str) -> str:
        words = [*TINY, "model=gated", "+gate=half", *more]
        return prepare(compose(words, [gate])).identities[0]

    assert identity("+gate.floor=0") == identity() != identity("+gate.floor=1")


@pytest.mark.parametrize("name", [g.name for g in GROUPS.values() if g.neutral])
def test_neutral_settings_are_those_of_a_choice(name: str) -> None:
    """A typed value that is neutral leaves the identity as it is; another one does not."""

    assert name in choices()
    for key, value in GROUPS[name].neutral.items():
        assert is_neutral(f"{name}.{key}", value)
        assert not is_neutral(f"{name}.{key}", "another")


def test_every_group_that_a_run_needs_has_a_default() -> None:
    needed = {group.name for group in GROUPS.values() if group.required}

    assert needed <= set(defaults())
    assert set(choices()) <= set(GROUPS)
    assert not counts("probe.refraction.rays")
    assert not counts("sweep.workers")
    assert counts("optimizer.lr")
