"""Every mistake on a command line: one clear line, exit code 2, nothing written, no traceback."""

import os
import sys
from pathlib import Path

import pytest

from ..commands import Command

MISTAKES = {
    # words out of place
    "trian": "did you mean train?",
    "--foo": "no command --foo",
    "activation=tanh": "a command comes first: isoexp train activation=tanh",
    "activation=tanh train": "the command comes first: isoexp train activation=tanh",
    "train train": "the command comes first",
    "train activation": "activation=…",
    "train seed 3": "seed=…",
    "list activation model": "takes one group",
    "ls runs more": "takes one folder",
    "show": "takes one run",
    "completion": "bash, zsh, fish",
    # options
    "train --multirn": "did you mean --multirun?",
    "train -x": "no option -x",
    "train --config-dir": "expected one argument",
    "train --config-dir nowhere": "must be a folder, got nowhere",
    "list --config-dir nowhere": "must be a folder",
    "ls --all": "no option --all",
    "completion bsh": "did you mean bash?",
    # groups and choices
    "list activatoin": "did you mean activation?",
    "train activatoin=tanh": "did you mean activation?",
    "train activation=iso_thna": "did you mean iso_tanh?",
    "train activation=": "got nothing",
    "train activation=3": "got 3",
    "train model=null": "model must be one of its choices",
    "train ~model": "model may not be left out",
    "train probe=refractoin": "did you mean refraction?",
    "train probe=[refraction,alignmnt]": "did you mean alignment?",
    "train experiment=smoek": "did you mean smoke?",
    "train activation=tanh,relu": "sweep with isoexp train -m",
    "train -m activation=tanh,rellu": "did you mean relu?",
    "train -m hydra/launcher=basic activation=tanh,rellu": "did you mean relu?",
    "train activation=[tanh,relu]": "activation must be one choice",
    # keys
    "train optimizer.lrr=1": "did you mean optimizer.lr?",
    "train model.widhts=[3]": "did you mean model.widths?",
    "train activation.R0=1": "no setting activation.R0",
    "train +foo=1": "no setting foo",
    "train +optimizer.foo=1": "no setting optimizer.foo",
    "train model.activation.scale=unit": "set activation.scale",
    "train hydra.foo=1": "no setting hydra.foo",
    # types and missing values
    "train seed=abc": "seed must be a whole number, got 'abc'",
    "train seed=": "seed must be a whole number, got ''",
    "train batch_size=1.5": "whole number",
    "train batch_size=null": "whole number",
    "train force=maybe": "true or false",
    "train optimizer.lr=abc": "optimizer.lr must be a number, got 'abc'",
    "train model.widths=32": "a list of whole numbers, like [32,32]",
    "train model.widths=[8,a]": "a list of whole numbers",
    "train model.bias=3": "true or false",
    "train precision=float16": "float32, float64, bfloat16",
    "train data=image_folder": "data.root must be given",
    "train optimizer.lr=[1": "cannot read optimizer.lr=[1",
    "train -m optimizer.lr=interval(0,1)": "for isoexp search, not a sweep",
    # ranges
    "train epochs=0": "at least 1",
    "train epochs=1 steps=3": "exclude each other",
    "train epochs=null": "one of epochs and steps",
    "train batch_size=-4": "at least 1",
    "train seed=-1": "from 0 up",
    "train seed=18446744073709551616": "up to 2^63",
    "train ~seed": "seed may not be left out",
    f"train name={'n' * 300}": "at most 100 characters",
    "train seeds=0": "at least 1",
    "train seeds=[1,1]": "must differ",
    "train name=../up": "name must be made of",
    "train name=up/../..": "name must be made of",
    "train name=up//down": "name must be made of",
    "train name=/up": "name must be made of",
    "train name='up\\..\\..\\up'": "name must be made of",
    "train name=": "name must be made of",
    "train -m seed=0,1 name=../up": "name must be made of",
    "search optimizer.lr=0.1,1 name=../up": "name must be made of",
    "reproduce ../../static_refraction": "static_refraction",
    "train -m hydra/launcher=basic seed=0,1 hydra.output_subdir=../../x": "output_subdir must stay",
    "train -m hydra/launcher=basic seed=0,1 hydra.sweep.subdir=../x": "subdir must stay",
    "train hydra.run.dir=there": "hydra.run.dir is no folder of isoexp: out=, name=",
    "train -m seed=0,1 hydra.sweep.subdir=there": "hydra.sweep.subdir is no folder of isoexp",
    "train activation=iso_relu,tanh activation.R0=0.5": (
        "isoexp train -m activation=iso_relu,tanh activation.R0=0.5"
    ),
    "train logger=wandb logger.project=a/b": "logger.project=a/b: W&B refuses it: Invalid project",
    "train logger=wandb logger.project=": "logger.project must be a name, got ''",
    "train logger=wandb logger.tags=['']": "logger.tags must be texts of 1 to 64 characters",
    "train logger=wandb logger.entity=a/b": "logger.entity must be the name of a user or a team",
    "train logger=wandb logger.mode=on": "logger.mode must be one of",
    "train -m seed=0,1 logger=wandb logger.project=a%b": "logger.project=a%b: W&B refuses it",
    "train -m seed=0,1 logger=wandb logger.project=a/b,c": "logger.project=a/b: W&B refuses it",
    "train device=gpu": "auto, cpu, cuda",
    "train device=cuda:99": "not on this machine",
    "train model.widths=[-3]": "widths must be positive, got -3",
    "train activation=iso_relu activation.R0=0": "use activation=identity",
    "train activation=iso_leaky_relu activation.alpha=1": "between 0 and 1",
    "train activation=iso_soft_relu activation.delta=2": "between 0 and R0",
    "train activation.scale=width": "unit, sqrt_width",
    "train activation=isotropic activation.profile._target_=torch.cos": "vanish at r = 0",
    "train optimizer.lr=-1": "optimizer: Invalid learning rate: -1",
    "train schedule.warmup=2": "a share in [0, 1)",
    "train clip=norm clip.limit=0": "limit must be positive",
    "train probe.refraction.rays=0": "at least 1",
    "train data=xor data.dim=1": "at least 2",
    "train model=autoencoder model.code=0": "code must be at least 1",
    "train model=linear data=teacher data.values=0": "at least 1",
    "train out=": "got nothing",
    "train out=~nobodyatall/x": "must begin with a home folder that there is",
    "train name=.": "name must be made of",
    "train -m seed=range(0,0)": "no jobs",
    "train hydra/launcher=basic": "for sweeps",
    "train sweep.workers=2": "for sweeps",
    "train -m seed=0,1 sweep.wrokers=2": "did you mean workers?",
    "train -m seed=0,1 sweep.zip=[seed,steps]": "steps has no values to walk through",
    "train probe.refraction=3": "probe.refraction must have settings, got 3",
    # code that may not run
    "train model._target_=torchvision.models.resnet18": "a part of isoexp",
    "train model._target_=torch.nn.Linear": "model.in_features must be given",
    "train activation._target_=os.system": "--allow os",
    "train activation._target_=torch.os.system": "a part of torch",
    "train activation._target_=torch.hub.load": "a module or optimizer of torch",
    "train activation.scale={_target_:torchvision.models._api.load_state_dict_from_url,url:x}": (
        "a part of isoexp, a module"
    ),
    "train activation._target_=torch.nn.functional.handle_torch_function": "a module or optimizer",
    "train activation._target_=torch.serialization.load": "a module or optimizer of torch",
    "train activation._target_=isoexp.activations.IsoTanh.__dict__.get": "a part of isoexp",
    "train optimizer=sgd optimizer._target_=torch.optim.LBFGS ~optimizer.momentum "
    "~optimizer.weight_decay ~optimizer.nesterov": "optimizer: ",
    "train activation._target_=isoexp.cli.main": "a part of isoexp",
    "train activation._target_=isoexp.activations.IsoTahn": "did you mean IsoTanh?",
    "train activation._target_=IsoTanh": "a dotted name",
    "train --allow \x00os": "--allow must name a package, like mylab, got",
    "train --allow my-lab": "--allow must name a package, like mylab, got 'my-lab'",
    "train --allow nothere activation._target_=nothere.A": "No module named 'nothere'",
    # paths and data
    "train out=file": "out must be a folder",
    "train out=/proc/nowhere": "cannot write to /proc/nowhere",
    "train data=mnist data.root=nowhere": "data.root must be a folder",
    "train data=fashion_mnist data.root=empty": "holds no FashionMNIST files",
    "train data=image_folder data.root=empty": "holds no pictures",
    "train data=cifar10 data.root=empty": "holds no CIFAR10 files",
    "train data=fashion_mnist data.root=broken": "broken",
    "ls nowhere": "needs a folder, got nowhere",
    "show zzz": "there is no run zzz",
    "show .": "there is no run .",
    "show ..": "there is no run ..",
    "show ../../zzz": "there is no run ../../zzz",
    "figures": "takes a run, or a folder of runs",
    "figures zzz": "there is no run zzz",
    "figures empty": "no completed run below empty",
    "figures --agian": "did you mean --again?",
    "train figures=maybe": "figures must be true or false or null, got 'maybe'",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_one_clear_line(line: str, isoexp: Command, folder: Path) -> None:
    (folder / "file").touch()
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / "broken" / f"{part}-{kind}-ubyte.gz").write_bytes(b"not gzip")
    before = sorted(folder.rglob("*"))

    outcome = isoexp(*line.split())

    assert outcome.code == 2, outcome
    assert outcome.err.startswith("isoexp: ")
    assert outcome.err.count("\n") == 1, outcome.err
    assert MISTAKES[line] in outcome.err, outcome.err
    assert outcome.out == ""
    assert sorted(folder.rglob("*")) == before


def test_offline_data_names_what_else_to_do(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision import datasets

    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:")

    monkeypatch.setattr(datasets, "MNIST", unreachable)
    outcome = isoexp("train", "data=mnist")

    assert outcome.code == 2
    assert "data.root=" in outcome.err
    assert "data=digits" in outcome.err
    assert outcome.err.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_a_sweep_with_one_impossible_job_starts_none(isoexp: Command, folder: Path) -> None:
    outcome = isoexp("train", "-m", "experiment=smoke", "model.widths=[8],[0]")

    assert outcome.code == 2
    assert "widths must be positive" in outcome.err
    assert list(folder.iterdir()) == []


EXPLOITS = {
    "env_set": "hydra: {job: {env_set: {ISOEXP_ALLOW: subprocess}}}",
    "callbacks": "hydra: {callbacks: {x: {_target_: subprocess.getoutput, cmd: touch owned}}}",
    "job_logging": "hydra: {job_logging: {handlers: {x: {(): subprocess.getoutput}}}}",
}


@pytest.mark.slow
@pytest.mark.parametrize("key", EXPLOITS)
def test_a_configuration_sets_nothing_that_runs(key: str, isoexp: Command, folder: Path) -> None:
    """Refused where a launcher of Hydra's would obey it, without effect elsewhere."""

    (folder / "own" / "experiment").mkdir(parents=True)
    (folder / "own" / "experiment" / "evil.yaml").write_text(
        f"# @package _global_\n{EXPLOITS[key]}\nsteps: 1\n"
    )
    words = ("train", "-m", "--config-dir", "own", "experiment=evil", "probe=none")

    refused = isoexp(*words, "hydra/launcher=basic")
    assert refused.code == 2
    assert "may not be set" in refused.err
    assert refused.err.count("\n") == 1

    assert isoexp(*words).code == 0
    assert "ISOEXP_ALLOW" not in os.environ
    assert not (folder / "owned").exists()


def test_a_yaml_of_ones_own_may_not_hide_one_of_ours(isoexp: Command, folder: Path) -> None:
    (folder / "own" / "activation").mkdir(parents=True)
    (folder / "own" / "activation" / "iso_tanh.yaml").write_text("# mine\n_target_: a.B\n")

    for words in (("list",), ("train",)):
        outcome = isoexp(*words, "--config-dir", "own")
        assert outcome.code == 2
        assert "rename it" in outcome.err


def test_debugging_shows_the_traceback(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOEXP_DEBUG", "1")

    with pytest.raises(ValueError, match="epochs must be at least 1"):
        isoexp("train", "epochs=0")


BROKEN = {
    "activation": (
        "import sys\nclass Net:\n def __init__(self, width): sys.exit(3)\n",
        "activation",
    ),
    "model": ("import sys\nclass Net:\n def __init__(self): sys.exit('no')\n", "model"),
    "probe": ("class Net:\n def __init__(self): raise SystemExit\n", "+probe.net"),
    "data": ("class Net:\n def fingerprint(self): exit(0)\n", "data"),
    "loading": ("class Net:\n fingerprint = str\n def load(self): raise SystemExit(1)\n", "data"),
    "forward": (
        "from torch import nn\nclass Net(nn.Linear):\n"
        " def __init__(self): super().__init__(64, 10)\n"
        " def forward(self, x): raise SystemExit(4)\n",
        "model",
    ),
    "runtime": ("class Net:\n def __init__(self): raise RuntimeError('no\\nluck')\n", "+probe.net"),
    "importing": ("import sys\nsys.exit(5)\n", "model"),
    "reading": ("x = 1\ndef f(:\n", "model"),
    "reading_more": ("import broken_more\n", "model"),
}
TOLD = {
    "activation": "activation: it called sys.exit(3)",
    "model": "model: it called sys.exit('no')",
    "probe": "probe.net: it called sys.exit(None)",
    "data": "data: it called sys.exit(0)",
    "loading": "data: it called sys.exit(1)",
    "forward": "model: it called sys.exit(4)",
    "runtime": "probe.net: RuntimeError: no luck",
    "importing": "fails to import: SystemExit: it called sys.exit(5)",
    "reading": "broken_reading.py, line 2: invalid syntax",
    "reading_more": "broken_more.py, line 1: '(' was never closed",
}


@pytest.mark.parametrize("multirun", ["", "-m"])
@pytest.mark.parametrize("kind", BROKEN)
def test_code_that_exits_or_cannot_be_read_is_one_line_that_names_the_part(
    kind: str, multirun: str, isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    code, part = BROKEN[kind]
    name = f"broken_{kind}"
    (folder / f"{name}.py").write_text(code)
    (folder / "broken_more.py").write_text("f(\n")
    before = sorted(folder.rglob("*"))

    words = [f"{part}._target_={name}.Net", "probe=none", "epochs=1"]
    outcome = isoexp("train", *filter(None, [multirun]), "--allow", name, *words)

    assert outcome.code == 2, outcome
    assert outcome.err.startswith("isoexp: ")
    assert TOLD[kind] in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    assert "(<" not in outcome.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("package", [False, True])
def test_a_script_that_reads_its_command_line_is_named(
    package: bool, isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is imported with isoexp's words; argparse says its own before it exits."""

    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "argv", ["isoexp", "train", "seed=1"])
    name = f"script_{package}"
    path = folder / name / "net.py" if package else folder / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text("import argparse\nargparse.ArgumentParser().parse_args()\n")
    target = f"{name}.net" if package else name

    outcome = isoexp("train", "--allow", name, f"model._target_={target}.Net")

    assert outcome.code == 2
    last = outcome.err.splitlines()[-1]
    assert last.startswith(f"isoexp: model._target_ names {target}.Net, which fails to import")
    assert last.endswith("it called sys.exit(2)")


def test_code_that_exits_while_it_trains_is_named_by_its_place(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder))
    (folder / "leaving.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Linear):\n    def __init__(self):\n"
        "        super().__init__(64, 10)\n\n    def forward(self, x):\n"
        "        if len(x) > 2:\n            exit(0)\n"
        "        return super().forward(x.flatten(1))\n"
    )
    words = ("--allow", "leaving", "model._target_=leaving.Net", "probe=none", "epochs=1")
    outcome = isoexp("train", *words)

    assert outcome.code == 2
    assert outcome.err == f"isoexp: {folder / 'leaving.py'}, line 10: it called sys.exit(0)\n"
