"""conf/ and the package hold each other: every file builds, every public class has a file."""

import inspect
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from torch import nn
from torch.optim import Optimizer

from isoexp import (
    activations,
    data,
    dropout,
    inits,
    models,
    norms,
    optimizers,
    probes,
    regularizers,
)
from isoexp.activations import Activation
from isoexp.config.axes import SweepSettings
from isoexp.config.build import check
from isoexp.config.compose import compose
from isoexp.config.groups import CONF, GROUPS, choices, defaults, root_keys
from isoexp.config.settings import Settings
from isoexp.data import Source
from isoexp.errors import UserError
from isoexp.experiment.job import prepare

OFFLINE = {
    "digits", "mnist5k", "mnist1d", "spheres", "xor", "teacher", "modular", "text", "waveforms",
    "languages",
    "shapes",
}  # fmt: skip
ABSTRACT = {
    f"isoexp.probes.{name}"
    for name in ("Junction", "Layer", "Pair", "Probe", "Subject", "Unsuitable")
}
WHOLE = {"claim", "data", "experiment"}
"""What says more than one choice, or asks for others; claims are composed in tests/reproduce."""

CHOICES = {group: sorted(choices) for group, choices in choices().items() if group not in WHOLE}

TOGETHER = [
    [f"{group}={choices[k % len(choices)]}" for group, choices in CHOICES.items()]
    for k in range(max(map(len, CHOICES.values())))
]
"""Each choice at least once, of all groups at the same time: Hydra takes a tenth of a second."""

ALONE = [
    *([f"data={name}"] for name in sorted(OFFLINE - {"text", "languages"})),
    *([f"data={name}", "model=rnn"] for name in ("text", "languages")),
    *([f"experiment={name}"] for name in sorted(choices()["experiment"])),
]


@pytest.mark.parametrize(
    "words",
    [  # mnist1d is drawn anew
        pytest.param(each, id=" ".join(each), marks=[pytest.mark.slow] * ("data=mnist1d" in each))
        for each in (*TOGETHER, *ALONE)
    ],
)
def test_every_choice_builds(words: list[str]) -> None:
    job = compose(words)

    check(job.config)
    prepare(job).lab()


def test_no_choice_is_left_out() -> None:
    named = {word for words in (*TOGETHER, *ALONE) for word in words}
    every = {f"{group}={name}" for group, choices in choices().items() for name in choices}
    absent = {f"data={name}" for name in set(choices()["data"]) - OFFLINE}

    assert every - named == absent | {f"claim={name}" for name in choices()["claim"]}


@pytest.mark.parametrize("name", sorted(set(choices()["data"]) - OFFLINE))
def test_data_that_is_not_here_composes(name: str, tmp_path: Path) -> None:
    job = compose([f"data={name}", f"data.root={tmp_path}"])

    with pytest.raises(UserError, match="holds no"):
        prepare(job).lab()


def named(package: ModuleType, base: type) -> set[str]:
    """The public concrete classes of a package."""

    return {
        f"{package.__name__}.{name}"
        for name, each in vars(package).items()
        if inspect.isclass(each)
        and each.__module__.startswith(package.__name__)  # its own, and none that it imports
        and issubclass(each, base)
        and not inspect.isabstract(each)
    }


@pytest.mark.parametrize(
    ("package", "base", "group"),
    [
        (activations, Activation, "activation"),
        (data, Source, "data"),
        (models, object, "model"),
        (norms, nn.Module, "norm"),
        (inits, object, "init"),
        (dropout, dropout.Dropout, "dropout"),
        (optimizers, Optimizer, "optimizer"),
        (regularizers, object, "regularizer"),
        (probes, object, "probe"),
    ],
)
def test_every_class_has_a_file(package: ModuleType, base: type, group: str) -> None:
    texts = " ".join(path.read_text() for path in choices()[group].values())
    missing = {name for name in named(package, base) if f"_target_: {name}\n" not in texts}

    assert missing <= ABSTRACT, missing


def test_every_file_is_short_and_explains_itself() -> None:
    for path in CONF.glob("*/*.yaml"):
        lines = path.read_text().splitlines()
        assert len(lines) <= (64 if path.parent.name == "claim" else 16), path
        assert lines[0].startswith("#"), path
        assert isinstance(yaml.safe_load(path.read_text()), dict), path


def test_the_keys_read_as_text_are_the_keys() -> None:
    root = yaml.safe_load((CONF / "config.yaml").read_text())

    assert root_keys() == [key for key in root if key not in ("defaults", "hydra", *GROUPS)]
    assert set(root_keys()) == {*Settings.__dataclass_fields__, "search", "sweep"}
    assert set(root["sweep"]) == set(SweepSettings.__dataclass_fields__)
    assert defaults().keys() <= choices().keys()
