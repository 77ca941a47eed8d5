"""Tests for isoexp.config.compose: copies of templates are what Hydra itself composes."""

import json
import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from isoexp.config import composition
from isoexp.config.build import check, with_targets
from isoexp.config.compose import compose, expand
from isoexp.config.document import Config, parse, to_yaml
from isoexp.config.settings import Settings
from isoexp.errors import UserError
from isoexp.store.identity import flat

from ..properties import quarter

CHOICES = (
    "activation=iso_relu", "activation=rotated", "model=cnn", "optimizer=sgd", "clip=norm",
    "experiment=smoke", "experiment=causal_alignment", "experiment=mine", "probe=none",
    "probe=[refraction,spectrum]", "data=image_folder", "init=gaussian", "data=own",
)  # fmt: skip
VALUES = (
    "optimizer.lr=1e-3", "optimizer.lr=1", "optimizer.lr=${seed}", "optimizer.lr=abc",
    "optimizer.betas=[0.5,0.9]", "optimizer.betas=null", "optimizer.fused=false", "seed=7",
    "seeds=[1,2]", "epochs=3", "steps=10", "epochs=null", "steps=null", "name=2026",
    "name='a, b'", 'name="x\\"y"', "model.widths=[8,8]", "model.widths=[]", "model.widths=8",
    "model.bias=off", "activation.R0=2", "activation.scale=sqrt_width", "compile=true",
    "activation.form._target_=isoexp.activations.ReLU", "model.activation.scale=unit",
    "probe.refraction.rays=3", "data.root=/here", "init.gain=.5", "+optimizer.foo=1",
    "optimizer.foo=2", "++optimizer.lr=3", "~model.bias", "device=cpu", "clip.limit=inf",
    "batch_size=1_000", "precision=float64", "sweep.workers=3", "nowhere=1", "regularizer=l2",
    "schedule.warmup=0.0", "out=a/../b", "model={widths:[3]}", "data.path=1", "seed=???",
)  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user's own, with all that OmegaConf can say."""

    folder = tmp_path_factory.mktemp("own")
    files = {
        "experiment/mine.yaml": (
            "# @package _global_\ndefaults:\n  - override /optimizer: sgd\n"
            "name: study_${seed}\nsteps: 5\nmodel: {widths: [4]}\noptimizer: {lr: 0.5}\n"
        ),
        "clip/pair.yaml": "# @package _global_\nclip: {_target_: mine.A}\nbatch_size: 9\n",
        "data/own.yaml": "_target_: mine.Data\npath: ${oc.env:HOME}\nseed: ${seed}\nroot: ???\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)

    return folder


WAYS = {
    "hydra": composition._whole,
    "filled": composition.composition,
    "mixed": partial(composition.composition, composed=composition.mixed),
}


def outcome(words: Sequence[str], folder: Path, way: str) -> tuple[object, ...]:
    """What comes of words: their job, or the line that refuses them."""

    try:
        job = WAYS[way](words, composition.Files.of([folder]))
    except UserError as error:
        return (str(error),)

    return json.dumps(flat(job.config, 0)), job.config, job.choices, job.overrides


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.slow) for n in quarter(range(8, 40)))]
)
def test_a_filled_template_is_what_hydra_composes(seed: int, own: Path) -> None:
    draw = random.Random(seed)
    words = draw.sample(CHOICES, draw.randrange(3)) + draw.sample(VALUES, draw.randrange(1, 5))
    words = words if seed % 2 else [w for w in words if w.partition("=")[0] in EVERYWHERE]
    draw.shuffle(words)

    expected = outcome(words, own, "hydra")
    assert outcome(words, own, "filled") == expected, words
    assert outcome(words, own, "mixed") == expected, words


@pytest.mark.parametrize(
    "line",
    [
        "++optimizer.lr=3 optimizer.lr=1",
        "optimizer.lr=1 ++optimizer.lr=3",
        "+optimizer.foo=1 optimizer.foo=2",
        "optimizer.lr=1 optimizer.lr=2",
        "~model.bias model.bias=false",
        "optimizer.lr=${schedule.warmup} schedule.warmup=0.5",
        "experiment=mine seed=3 model.widths=[5]",
        "experiment=smoke experiment=mine",
        "activation.scale=sqrt_width",
        "epochs=3 ++steps=null",
    ],
)
def test_words_that_touch_each_other(line: str, own: Path) -> None:
    expected = outcome(line.split(), own, "hydra")

    assert outcome(line.split(), own, "filled") == outcome(line.split(), own, "mixed") == expected


EVERYWHERE = {
    "activation", "optimizer", "experiment", "model", "optimizer.lr", "seed", "seeds", "epochs",
    "steps", "name", "model.bias", "init", "compile", "batch_size", "device", "precision", "out",
}  # fmt: skip
"""Keys that go with each other: random words are seldom all right."""


def test_hydra_composes_once_for_each_combination_of_choices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = []

    def counted(words: tuple[str, ...], files: object, real=composition.by_hydra) -> object:
        called.append(words)
        return real(words, files)

    monkeypatch.setattr(composition, "by_hydra", counted)
    composition.template.cache_clear()
    composition.mixed.cache_clear()
    words = ["activation=tanh,elu", "optimizer.lr=1e-3,1e-2", "seed=range(0,25)", "steps=3"]
    jobs = expand(words)

    assert sorted(called) == [("activation=elu",), ("activation=tanh",)]
    assert len(jobs) == 100
    assert jobs[-1].overrides == ("activation=elu", "optimizer.lr=0.01", "seed=24", "steps=3")
    assert jobs[-1].choices["activation"] == "elu"
    assert jobs[-1].config["activation"]["_target_"] == "isoexp.activations.ELU"
    assert (jobs[0].config["steps"], jobs[0].config["epochs"]) == (3, None)


@pytest.mark.slow
def test_many_choices_are_composed_one_by_one(monkeypatch: pytest.MonkeyPatch, own: Path) -> None:
    """Not in all their combinations: pair alone says something of another part."""

    called = []

    def counted(words: tuple[str, ...], files: object, real=composition.by_hydra) -> object:
        called.append(words)
        return real(words, files)

    words = ["norm=none,rms,batch", "optimizer=sgd,adagrad,muon", "clip=none,pair"]
    monkeypatch.setattr(composition, "by_hydra", counted)
    composition.template.cache_clear()
    composition.mixed.cache_clear()
    jobs = expand([*words, "experiment=mine"], [own])

    assert len(called) == 1 + (1 + 3 + 3 + 1) + (1 + 3 + 3) < len(jobs)
    files = composition.Files.of([own])
    for job in jobs[::5]:
        assert job == composition._whole(job.overrides, files)


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "experiment" / "mine.yaml"
    path.parent.mkdir()

    for steps in (5, 17):
        path.write_text(f"# @package _global_\nsteps: {steps}\n")
        assert compose(["experiment=mine"], [tmp_path]).config["steps"] == steps


def test_jobs_do_not_share_what_differs() -> None:
    first, second = expand(["activation.scale=unit,sqrt_width", "optimizer.lr=1e-3"])

    assert first.config["activation"]["scale"] == "unit"
    assert second.config["activation"]["scale"] == "sqrt_width"
    assert first.config["data"] is second.config["data"]


def test_a_configuration_survives_being_written() -> None:
    config: Config = {
        "floats": [1e-3, 1e-10, 1e20, -0.5, 1.0, float("inf")],
        "texts": ["1e-3", "12", "true", "null", "", "a: b", "2020-01-01", "ü", "x\ny", "~", ".5"],
        "rest": {"none": None, "bool": True, "int": 3, "empty": {}, "list": []},
    }
    config = {**config, "again": config["floats"]}

    assert parse(to_yaml(config)) == config
    assert "&" not in to_yaml(config)
    assert parse("lr: 1e-3\nmore: {x: 2.e5}") == {"lr": 0.001, "more": {"x": 2e5}}
    for text in ("a: [", "3", ""):
        with pytest.raises(UserError):
            parse(text)


@pytest.mark.parametrize(
    "name",
    ["123E456", "1e3", "007", "1_000", "0x10", "1.50", "true", "inf", "nan", "2026", "a/1e3"],
)
def test_a_name_is_the_text_that_was_typed(name: str) -> None:
    for given in (name, f"'{name}'"):
        assert Settings.of(compose([f"name={given}"]).config).name == name
    swept = expand([f"name={name},other", f"out={name}"])
    assert [each.config["name"] for each in swept] == [name, "other"]
    assert {each.config["out"] for each in swept} == {name}
    zipped = expand([f"sweep.union=['name={name} seed=1','seed=2']", "out=007"])
    assert [each.config["name"] for each in zipped] == [name, "main"]


def test_so_is_any_other_text_and_no_number_is() -> None:
    config = compose(["data=mnist", "data.root=1e3", "optimizer.lr=1e3"]).config
    assert config["data"]["root"] == "1e3"
    assert config["optimizer"]["lr"] == 1000.0
    with pytest.raises(UserError, match=r"name must be a text, got 1000\.0"):
        Settings.of({**compose([]).config, "name": 1e3})  # of a file, where it can be quoted


def test_a_study_that_sets_a_probe_may_go_without_it() -> None:
    words = ("experiment=causal_alignment", "probe=none")
    config = with_targets(compose(words).config, words)
    assert config["probe"] == {}
    check(config)


@pytest.mark.parametrize("part", ["activation", "model", "data", "optimizer", "schedule", "clip",
                                  "regularizer", "init", "norm", "dropout", "logger"])  # fmt: skip
@pytest.mark.parametrize("node", [{}, {"width": 3}, None, 5, "tanh", []], ids=str)
def test_a_part_without_a_target_is_refused(part: str, node: object) -> None:
    with pytest.raises(UserError, match=rf"{part} must be chosen, {part}=…, or have a _target_"):
        check({**compose([]).config, part: node})


@pytest.mark.parametrize("node", [{}, {"bases": 3}, None, 5], ids=str)
def test_so_is_a_probe(node: object) -> None:
    told = r"probe\.alignment must be chosen, probe=\[alignment\], or have a _target_"
    with pytest.raises(UserError, match=told):
        check({**compose([]).config, "probe": {"alignment": node}})
