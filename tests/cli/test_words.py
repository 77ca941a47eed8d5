"""Tests for isoexp.cli: help, names of runs, plans, hints, and paths that cannot be."""

import os
import shlex
from pathlib import Path

import pytest

from isoexp.store.study import runs_below

from ..commands import Command
from ..experiment.runs import TINY

QUICK = (*TINY, "epochs=1", "probe=none")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("list", ["[GROUP]", "--config-dir"]),
        ("ls", ["[DIR]"]),
        ("show", ["RUN", "STUDY/HASH"]),
        ("completion", ["bash|zsh|fish"]),
    ],
)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_each_command_has_a_help_with_its_arguments(
    command: str, arguments: list[str], flag: str, isoexp: Command
) -> None:
    outcome = isoexp(command, flag)

    assert outcome.code == 0
    assert outcome.out.startswith(f"isoexp {command} ")
    assert all(each in outcome.out for each in arguments)
    assert outcome.out.count("\n") > 3
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.fixture
def twins(isoexp: Command) -> str:
    """One run in two studies: the characters that end its name."""

    for name in ("a", "b"):
        assert isoexp("train", *QUICK, f"name={name}").code == 0
    one, other = runs_below(Path("runs"))
    assert one.folder.name == other.folder.name

    return one.folder.name[-8:]


@pytest.mark.usefixtures("undrawn")
def test_a_run_is_named_as_ls_prints_it(twins: str, isoexp: Command, folder: Path) -> None:
    assert [line.split()[0] for line in isoexp("ls").out.splitlines()[1:3]] == [
        f"a/{twins}",
        f"b/{twins}",
    ]
    (folder / "a").mkdir()  # a folder of that name is in nobody's way
    for name in ("a", "b"):
        for text in (f"{name}/{twins}", f"runs/{name}/{twins}", f"{folder}/runs/{name}/{twins}"):
            outcome = isoexp("show", text)
            assert outcome.code == 0, outcome
            assert f"runs/{name}/" in outcome.out.splitlines()[0]
    assert isoexp("probe", f"a/{twins}", "probe=[spectrum]").code == 0
    assert isoexp("figures", f"a/{twins}").code == 0
    assert isoexp("report", f"a/{twins}", "--out", "page").code == 0
    assert (folder / "page" / "index.html").exists()


def test_what_ends_several_runs_is_refused_with_their_names(
    twins: str, isoexp: Command, folder: Path
) -> None:
    for words in (["show"], ["probe"], ["figures"], ["report"], ["probe", f"a/{twins}", "--twin"]):
        outcome = isoexp(*words, twins)
        assert outcome.code == 2
        told = f"isoexp: {twins} ends 2 runs, name one: a/{twins}, b/{twins}\n"
        assert outcome.err == told

    for n in range(20):
        other = folder / "runs" / "c" / f"seed-{n}-{n:07x}0"
        other.mkdir(parents=True)
        (other / "state.json").write_text("{}")
    for each in ("c/1", "nothing/" + twins, ""):
        assert "there is no run" in isoexp("show", each).err
    outcome = isoexp("show", "c/")
    assert outcome.code == 2
    outcome = isoexp("show", "0")
    assert "and 12 more" in outcome.err
    assert outcome.err.count("c/") == 8


def test_a_dry_run_lists_its_runs(isoexp: Command, folder: Path) -> None:
    isoexp("train", *QUICK, "name=a/b", "seed=1")
    (done,) = runs_below(Path("runs"))
    listed = isoexp("train", "-m", *QUICK, "name=a/b", "seed=0,1,2", "--dry-run").out.splitlines()

    assert len(listed) == 5
    assert [line.split()[0] for line in listed[2:]] == ["pending", "done", "pending"]
    assert listed[3].split()[1] == f"a/b/{done.folder.name}"
    assert len({line.split()[1] for line in listed[2:]}) == 3

    listed = isoexp("train", "-m", *QUICK, "seed=range(0,45)", "--dry-run").out.splitlines()
    assert len(listed) == 2 + 40 + 1
    assert listed[-1] == "  … and 5 more"
    assert len(runs_below(Path("runs"))) == 1


def test_a_dry_run_through_a_launcher_of_hydras_trains_nothing(
    isoexp: Command, folder: Path
) -> None:
    outcome = isoexp("train", "-m", *QUICK, "seed=0,1", "hydra/launcher=basic", "--dry-run")

    assert outcome.code == 2
    assert "--dry-run shows a plan" in outcome.err
    assert list(folder.iterdir()) == []


UNIONS = {
    "activation=iso_relu,tanh activation.R0=0.5,1":
        ["activation=iso_relu activation.R0=0.5,1", "activation=tanh"],
    "optimizer=sgd,adam,adamw optimizer.momentum=0.9":
        ["optimizer=sgd optimizer.momentum=0.9", "optimizer=adam,adamw"],
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("line", UNIONS)
def test_settings_of_some_choices_name_the_union(line: str, isoexp: Command, folder: Path) -> None:
    outcome = isoexp("train", "-m", *line.split(), *QUICK)
    texts = ",".join(f'"{each}"' for each in UNIONS[line])
    union = f"sweep.union=[{texts}]"

    assert outcome.code == 2
    assert outcome.err.endswith(f"for some: sweep each with settings of its own, '{union}'\n")
    assert outcome.err.count("\n") == 1
    assert isoexp("train", "-m", *QUICK, union, "--dry-run").code == 0


def test_a_setting_of_no_choice_names_no_union(isoexp: Command) -> None:
    outcome = isoexp("train", "-m", "activation=relu,tanh", "activation.R00=1")

    assert outcome.code == 2
    assert "sweep.union" not in outcome.err


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        ("logger.project=a:b!", 'logger.project="a:b!"'),
        ("name=a=b", 'name="a=b"'),
        ("out=a;b", 'out="a;b"'),
        ("sweep.union=[activation=relu seed=0,1]", 'sweep.union=["activation=relu seed=0,1"]'),
    ],
)
def test_what_lacks_quotes_is_shown_as_it_is_to_be_typed(
    given: str, typed: str, isoexp: Command
) -> None:
    outcome = isoexp("train", "-m", given)

    assert outcome.code == 2
    assert outcome.err.endswith(f": {shlex.quote(typed)}\n")
    assert outcome.err.count("\n") == 1
    assert "Exception" not in outcome.err
    assert "quote special characters" not in isoexp("train", "-m", typed, "epochs=0").err


def test_words_that_are_shown_to_be_typed_are_quoted(isoexp: Command, folder: Path) -> None:
    assert "train -m 'seed=range(0,3)'\n" in isoexp("train", "seed=range(0,3)").err
    assert "isoexp ls 'my runs/main'" in isoexp("train", *QUICK, "out=my runs").out


LONG = "x" * 300


@pytest.mark.parametrize(
    "line",
    [
        f"train out={LONG}", f"train out=a/{LONG}/b", f"train name={LONG}", f"ls {LONG}",
        f"show {LONG}", f"report {LONG}", f"report runs --out {LONG}", f"probe {LONG}",
        f"figures {LONG}", f"train --config-dir {LONG}", f"train data=mnist data.root={LONG}",
        f"audit dropout --out {LONG}", f"report runs --readme {LONG}", f"reproduce all out={LONG}",
        f"search optimizer.lr=1,2 out={LONG}", f"train -m seed=0,1 out={LONG}",
        "train out=file", "train out=file/x", "train name=file/x out=.", "report runs --out file",
        "report runs --out file/x", "report file", "audit dropout --out file",
        "audit dropout --out file/x", "ls file", "ls file/x", "list --config-dir file",
        "train --config-dir file/x", "show file", "show file/x", "probe file/x",
        "figures file", "search optimizer.lr=1,2 out=file", "train -m seed=0,1 out=file/x",
        "train -m seed=0,1 out=/proc/isoexp", "train out=/proc/isoexp",
        "search optimizer.lr=1,2 out=/proc/isoexp", "report runs --out /proc/isoexp",
        pytest.param("audit dropout --out /proc/isoexp", marks=pytest.mark.slow),
        "train out=~nobody-at-all/x", "ls ~nobody-at-all/x",
        "train data=mnist data.root=~nobody-at-all/x",
    ],
)  # fmt: skip
def test_a_path_that_cannot_be_is_a_mistake(line: str, isoexp: Command, folder: Path) -> None:
    (folder / "file").write_text("")
    words = line.split()
    if words[0] == "report" and words[1] == "runs":
        (folder / "runs").mkdir()
    if words[0] in ("train", "search"):
        words += QUICK if "data=mnist" not in line else QUICK[5:]
    before = sorted(folder.rglob("*"))
    outcome = isoexp(*words)

    assert outcome.code == 2, outcome
    assert outcome.err.count("\n") == 1, outcome.err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_a_mistake(isoexp: Command, folder: Path) -> None:
    (folder / "runs").mkdir(mode=0o500)
    for words in (["train"], ["train", "-m", "seed=0,1"]):
        outcome = isoexp(*words, *QUICK)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1


@pytest.mark.slow
def test_home_is_expanded_wherever_a_path_is_given(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = folder / "home"
    (home / "own" / "experiment").mkdir(parents=True)
    (home / "own" / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n# mine\nout: ~/filed\nname: mine\n"
    )
    (home / "text.txt").write_text("to be or not to be " * 400)
    monkeypatch.setenv("HOME", str(home))

    assert isoexp("train", *QUICK, "out=~/typed").code == 0
    assert isoexp("train", *QUICK, "out='~/quoted'").code == 0
    assert isoexp("train", "--config-dir=~/own", "experiment=mine", *QUICK).code == 0
    assert isoexp("train", "data=text", "data.root=~/text.txt", "steps=1", "probe=none",
                  "model=transformer", "out=~/text").code == 0  # fmt: skip
    assert {path.name for path in home.iterdir()} == {
        "own", "text.txt", "typed", "quoted", "filed", "text",
    }  # fmt: skip

    (run,) = runs_below(home / "typed")
    assert isoexp("ls", "~/typed").out.count("completed") == 1
    assert isoexp("show", f"~/typed/main/{run.folder.name[-8:]}").code == 0
    assert isoexp("report", "~/typed", "--out=~/page").code == 0
    assert (home / "page" / "index.html").exists()
    assert isoexp("audit", "dropout", "--out=~/audited").code == 0
    assert (home / "audited" / "audit.parquet").exists()
    assert not list(folder.rglob("~*"))
