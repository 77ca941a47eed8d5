"""Tests for what a network has no part of: it is neither identity, nor name, nor column."""

import os
from pathlib import Path

import pytest

import isoexp as package
from isoexp.config.compose import compose
from isoexp.experiment.job import prepare, refuse_idle
from isoexp.experiment.run import execute
from isoexp.store.study import held as remembered
from isoexp.store.study import remember, runs_below
from isoexp.sweep import plan

from ..commands import Command
from .runs import TINY

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

BRIEF = (*TINY, "probe=none", "steps=1")

MODULE = """
from torch import nn


class Tanh(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(nn.Linear(inputs[0], 8), nn.Tanh(), nn.Linear(8, outputs))


class Named(nn.Sequential):
    def __init__(self, inputs, outputs, activation):
        super().__init__(nn.Linear(inputs[0], 8), activation(8), nn.Linear(8, outputs))


class Forgetful(Tanh):
    def __init__(self, inputs, outputs, forms):
        forms.activation(8)
        super().__init__(inputs, outputs)
"""


@pytest.fixture
def mine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "nets.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "nets")


def held(*words: str) -> set[str]:
    return set(prepare(compose([*BRIEF, *words])).held)


def test_a_network_tells_of_what_it_is_made() -> None:
    every = {"activation", "norm", "init", "dropout"}

    assert held() == held("model=transformer") == held("model=autoencoder") == every
    assert held("model=rnn") == every
    assert held("model=linear") == held("model.widths=[]") == {"init"}


@pytest.mark.usefixtures("mine")
def test_a_network_of_a_user_is_not_called_by_what_it_does_not_have() -> None:
    assert held("model._target_=nets.Tanh") == set()
    assert held("model._target_=nets.Named") == {"activation"}
    assert held("model._target_=nets.Forgetful") == set()

    list(execute([prepare(compose([*BRIEF, "model._target_=nets.Tanh"]))]))
    (run,) = runs_below(Path("runs"))
    assert "tanh" not in run.folder.name.lower().replace("nets.tanh", "")
    assert set(package.read("runs")["activation"]) == {""}
    assert "activation:" not in (run.folder / "config.yaml").read_text()


def test_one_network_is_one_run() -> None:
    first, other, plain = (
        prepare(compose([*BRIEF, "model=linear", *word]))
        for word in (["activation=tanh"], ["activation=iso_relu", "activation.R0=0.5"], [])
    )

    assert first.identities == other.identities == plain.identities
    assert first.label(0) == other.label(0) == plain.label(0)
    assert prepare(compose([*BRIEF, "model=linear", "init=orthogonal"])).identities != (
        plain.identities
    )
    assert prepare(compose([*BRIEF, "activation=tanh"])).identities != (
        prepare(compose([*BRIEF, "activation=relu"])).identities
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("model=linear", "activation=tanh"), "takes no activation: leave activation=tanh out"),
        (("model=linear", "activation.scale=unit"), "leave activation.scale=unit out"),
        (("model=linear", "dropout=isotropic"), "takes no dropout"),
        (("model.widths=[]", "norm=rms"), "model=mlp takes no norm"),
    ],
)
def test_to_set_it_is_refused(words: tuple[str, ...], said: str, isoexp: Command) -> None:
    for more in ((), ("-m",), ("-m", "--dry-run")):
        outcome = isoexp("train", *more, *BRIEF, *words)
        assert outcome.code == 2
        assert said in outcome.err
        assert outcome.err.count("\n") == 1
    assert not os.listdir()

    assert isoexp("train", "--cfg", *BRIEF, *words).code == 0


@pytest.mark.slow
def test_what_another_job_of_the_sweep_has_is_not_refused(isoexp: Command) -> None:
    words = (*BRIEF, "model=linear,mlp", "activation=tanh,relu,elu")
    found = plan(words)

    assert len(found.jobs) == 4
    assert set(found.idle) == {"activation=relu", "activation=elu"}
    said = isoexp("train", "-m", *words, "--dry-run").out
    assert "4 jobs, 4 runs, 0 done before" in said
    assert "models have no part of it: activation=relu, activation=elu" in said


def test_an_experiment_may_choose_it_for_other_models(folder: Path) -> None:
    (folder / "own" / "experiment").mkdir(parents=True)
    (folder / "own" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /activation: tanh\n"
    )
    words = [*BRIEF, "experiment=mine", "model=linear"]
    job = prepare(compose(words, [folder / "own"]))

    refuse_idle([job])
    assert "activation" not in job.config
    assert "activation" not in job.choices


def test_a_finished_run_is_recognised_without_building_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from isoexp.experiment import lab

    words = [*BRIEF, "model=linear"]
    list(execute([prepare(compose(words))]))
    asked = []
    monkeypatch.setattr(lab, "held", lambda config: asked.append(config) or ("init",))

    assert prepare(compose(words)).held == ("init",)
    assert not asked
    prepare(compose([*words, "out=elsewhere"]))
    assert len(asked) == 1


def test_what_cannot_be_built_is_refused_for_its_own_reason(isoexp: Command) -> None:
    outcome = isoexp("train", *BRIEF, "model.widths=[0]", "activation=tanh")

    assert outcome.code == 2
    assert "widths must be positive" in outcome.err


@pytest.mark.parametrize("spoilt", ["", "{", "[1]\n", '{"x": 1}\n', '{"network": 3, "held": 4}\n'])
def test_what_the_study_remembers_survives_a_kill_and_garbage(spoilt: str, folder: Path) -> None:
    remember(folder, "one", ["init"])
    with (folder / "networks.jsonl").open("a") as file:
        file.write(spoilt or '{"network": "tw')
    assert remembered(folder, "one") == ("init",)

    remember(folder, "three", ["norm"])
    if not spoilt.endswith("\n"):
        assert remembered(folder, "three") == ("norm",)
