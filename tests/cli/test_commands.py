"""Tests for the commands that only look, and for what train prints."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest

import isoexp as package
from isoexp.cli import main
from isoexp.cli.table import say_unsent
from isoexp.config.groups import choices, describe
from isoexp.store.history import starts
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from ..commands import Command
from ..experiment.runs import TINY
from ..wandb_stub import WandBStub

QUICK = (*TINY, "epochs=1", "probe=none")


def test_help_and_version(isoexp: Command) -> None:
    for words in ((), ("--help",), ("-h",), ("train", "--help")):
        outcome = isoexp(*words)
        assert outcome.code == 0
        assert "isoexp train activation=iso_tanh model=mlp" in outcome.out

    assert isoexp("--version").out == f"isoexp {package.__version__}\n"


def test_list_shows_every_choice_with_a_line(isoexp: Command) -> None:
    outcome = isoexp("list")

    for group, files in choices().items():
        for name, path in files.items():
            assert describe(path), path
            assert f"  {name} " in outcome.out, (group, name)

    assert "f(x) = tanh(‖x‖) x̂  (Eqn 16)" in isoexp("list", "activation").out
    assert "tanh" not in isoexp("list", "data").out.replace("A tanh", "")


def test_list_shows_choices_of_ones_own(isoexp: Command, folder: Path) -> None:
    own = folder / "own" / "activation"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# f(x) = mine\n_target_: a.B\n")

    assert "mine" in isoexp("list", "activation", "--config-dir", "own").out


@pytest.mark.parametrize("words", [["--help"], ["list"], ["ls"], ["_complete", "train", ""]])
def test_looking_imports_nothing_heavy(words: list[str], folder: Path) -> None:
    code = (
        "import sys; from isoexp.cli import main; code = main(sys.argv[1:])\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'pandas', 'pyarrow', 'matplotlib', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); sys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True)


@pytest.mark.slow
def test_a_finished_run_is_recognised_without_torch(isoexp: Command) -> None:
    isoexp("train", *QUICK)
    code = (
        "import sys; from isoexp.cli import main; code = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "train", *QUICK], check=True, capture_output=True, text=True
    )

    assert "done before: runs/main/" in done.stdout


@pytest.mark.slow
def test_training_spares_the_compiler_and_needs_no_output(folder: Path) -> None:
    """torch._dynamo takes longer to import than torch; nothing here needs it."""

    (folder / "train.py").write_text(
        "import sys; from isoexp.cli import main; code = main(sys.argv[1:])\n"
        "assert 'torch._dynamo' not in sys.modules; sys.exit(code)"
    )
    shell = f"{sys.executable} train.py train {' '.join(QUICK)} seeds=2 >&-"
    subprocess.run(["bash", "-c", shell], check=True, capture_output=True)

    assert [run.status for run in runs_below(Path("runs"))] == ["completed"] * 2


def test_train_ends_with_a_table_and_the_paths(isoexp: Command) -> None:
    outcome = isoexp("train", *QUICK, "seeds=2")
    names = [run.folder.name for run in runs_below(Path("runs"))]

    assert outcome.code == 0
    assert outcome.err == ""
    assert all(name in outcome.out for name in names)
    assert "test/accuracy" in outcome.out
    assert "results  runs/main/*/" in outcome.out
    assert len(outcome.out.splitlines()) <= 18


def test_a_failed_run_ends_with_code_1(isoexp: Command) -> None:
    overrides = ("activation=relu", "optimizer=sgd", "optimizer.lr=1e30")
    outcome = isoexp("train", *QUICK, *overrides)

    assert outcome.code == 1
    assert "diverged at update" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.slow
def test_a_sweep_survives_a_job_that_fails(isoexp: Command) -> None:
    overrides = ("activation=relu,tanh", "optimizer=sgd", "optimizer.lr=1e30,0.1")
    outcome = isoexp("train", "-m", *QUICK, *overrides)
    states = {run.folder.name: run.status for run in runs_below(Path("runs"))}

    assert outcome.code == 1
    assert sorted(states.values()) == ["completed", "completed", "completed", "failed"]
    assert "1 of 4 runs not completed" in outcome.out

    again = isoexp("train", "-m", *QUICK, *overrides)
    assert "4 jobs, 4 runs, 3 done before" in again.out


@pytest.mark.slow
def test_a_sweep_by_a_launcher_of_hydra(isoexp: Command) -> None:
    outcome = isoexp("train", "-m", "hydra/launcher=basic", *QUICK, "seed=0,1", "name=study")

    assert outcome.code == 0
    assert [run.status for run in runs_below(Path("runs/study"))] == ["completed"] * 2

    overrides = ("activation=relu", "optimizer=sgd", "optimizer.lr=1e30,0.1")
    failing = isoexp("train", "-m", "hydra/launcher=basic", *QUICK, *overrides)
    assert failing.code == 1
    assert "diverged" in failing.err


@pytest.mark.slow
def test_sweeps_take_ranges_globs_and_lists(isoexp: Command) -> None:
    outcome = isoexp(
        "train", "-m", *QUICK, "seed=range(0,2)", "model.widths=[4],[4,4]", "init=glob(g*)"
    )

    assert outcome.code == 0
    assert len(runs_below(Path("runs"))) == 4


def test_cfg_prints_what_would_run(isoexp: Command, folder: Path) -> None:
    outcome = isoexp("train", "--cfg", "activation=tanh", "optimizer.lr=0.5")

    assert "lr: 0.5" in outcome.out
    assert "isoexp.activations.Tanh" in outcome.out
    assert list(folder.iterdir()) == []


def test_ls_and_show(isoexp: Command) -> None:
    assert "no runs here yet" in isoexp("ls").out

    isoexp("train", *QUICK, "activation=tanh", "optimizer.lr=0.02")
    isoexp("train", *QUICK, "activation=relu", "optimizer=sgd", "optimizer.lr=1e30")
    listed = isoexp("ls").out.splitlines()
    (row,) = [line for line in listed if "completed" in line]

    assert listed[0].split()[:2] == ["run", "state"]
    assert "tanh" in row
    assert "optimizer.lr=0.02" in row
    assert any(
        "failed 1/3" in line or "failed 3/3" in line or "failed 0/3" in line for line in listed
    )

    (run,) = [run for run in runs_below(Path("runs")) if run.status == "completed"]
    for name in (str(run.folder), run.folder.name[-8:]):
        shown = isoexp("show", name).out
        assert f"{run.folder}\n" in shown
        assert "test/accuracy" in shown
        assert "lr: 0.02" in shown
        assert "metrics.parquet" in shown


def test_show_tells_the_history_of_a_run(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoexp.cli.progress import RunProgress
    from isoexp.experiment import train

    def interrupt(progress: object, step: int, steps: int) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "SAVE_EVERY_S", 0.0)
        patch.setattr(train, "SAVE_SHARE", float("inf"))
        patch.setattr(RunProgress, "_advance", interrupt)
        assert isoexp("train", *QUICK, "activation=tanh").code == 130
    assert isoexp("train", *QUICK, "activation=tanh").code == 0

    (run,) = runs_below(Path("runs"))
    first, second = starts(run.folder)
    shown = isoexp("show", str(run.folder)).out.partition("\nhistory\n")[2].splitlines()[:3]
    assert shown[0].endswith(", 1 thread, cpu, from update 0")
    assert second["step"] > 0
    went_on = f"from update {second['step']}; before: interrupted at {second['before']['step']}"
    assert shown[1].endswith(f", 1 thread, cpu, {went_on}")
    assert shown[2] == ""
    for start, line in zip((first, second), shown, strict=False):
        when = datetime.fromtimestamp(start["time"]).strftime("%Y-%m-%d %H:%M")
        assert line.startswith(f"  {when}  {start['host']}, ")
        assert not start["commit"] or f", commit {start['commit'][:7]}" in line
        assert (" (changed), " in line) == bool(start["diff"])


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"columns": null, "words": null}'])
def test_broken_files_among_the_runs_break_nothing(
    content: str, isoexp: Command, folder: Path
) -> None:
    broken = folder / "runs" / "main" / "x-01234567"
    broken.mkdir(parents=True)
    for name in ("state.json", "summary.json", "provenance.json"):
        (broken / name).write_text(content)

    assert isoexp("train", *QUICK).code == 0
    assert "completed" in isoexp("ls").out
    assert isoexp("show", str(broken)).code == 0


def test_any_terminal_will_do(folder: Path) -> None:
    """A locale without the letters of the equations."""

    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "isoexp", "list", "activation"]
    done = subprocess.run(command, env=old, check=True, capture_output=True)
    assert b"(Eqn 16)" in done.stdout


def test_ls_tells_the_dead_from_the_living(isoexp: Command, folder: Path) -> None:
    run = Run(folder / "runs" / "main" / "x-01234567")
    run.folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    import socket

    run.write_state("running", pid=process.pid, host=socket.gethostname(), step=3, steps=9)

    assert "interrupted 3/9" in isoexp("ls").out


def test_classes_of_ones_own(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README's way to add an activation; its source is part of the identity of a run."""

    monkeypatch.syspath_prepend(str(folder))
    source = (
        "from isoexp.activations import Isotropic\n\n"
        "class IsoSoftsign(Isotropic):\n"
        "    def profile(self, r):\n"
        "        return r / (1 + r)\n"
    )
    (folder / "mylab.py").write_text(source)
    (folder / "myconf" / "activation").mkdir(parents=True)
    (folder / "myconf" / "activation" / "iso_softsign.yaml").write_text(
        "# f(x) = x / (1 + ‖x‖)\n_target_: mylab.IsoSoftsign\n_partial_: true\n"
    )
    words = ("train", "--config-dir", "myconf", *QUICK, "activation=iso_softsign")

    refused = isoexp(*words)
    assert refused.code == 2
    assert "--allow mylab" in refused.err

    assert isoexp(*words, "--allow", "mylab").code == 0
    assert "done before" in isoexp(*words, "--allow", "mylab").out

    (folder / "mylab.py").write_text(source + "        # changed\n")
    assert "done before" not in isoexp(*words, "--allow", "mylab").out


@pytest.mark.slow
def test_wandb_mirrors_offline(isoexp: Command) -> None:
    outcome = isoexp("train", *QUICK, "logger=wandb", "seeds=2")

    assert outcome.code == 0, outcome
    files = []
    for run in runs_below(Path("runs")):
        (file,) = run.folder.glob("wandb/offline-run-*/run-*.wandb")
        assert run.state["identity"][:16] in file.name
        files.append(file)
    assert outcome.out.count("wandb sync") == 1
    (told,) = [line for line in outcome.out.splitlines() if "wandb sync" in line]
    paths = told.removeprefix("W&B      wandb sync ")
    assert paths == "runs/main/*/wandb/offline-run-*"

    with WandBStub() as stub:
        environment = {**os.environ, "WANDB_BASE_URL": stub.url, "WANDB_API_KEY": "a" * 40}
        wandb = Path(sys.executable).with_name("wandb")
        command = f"{shlex.quote(str(wandb))} sync {paths}"
        subprocess.run(command, shell=True, check=True, env=environment, capture_output=True)
    assert len(stub.variables("UpsertBucket")) >= 2
    assert all(file.with_name(f"{file.name}.synced").exists() for file in files)
    assert "wandb sync" not in isoexp("train", *QUICK, "logger=wandb", "seeds=2").out


def test_what_w_and_b_lacks_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = [folder / "my runs" / "study" / name for name in ("a", "b", "online", "sent")]
    for each, kind in zip(own, ("offline-", "offline-", "", "offline-"), strict=True):
        (each / "wandb" / f"{kind}run-1").mkdir(parents=True)
    (own[-1] / "wandb" / "offline-run-1" / "run-1.wandb.synced").touch()

    for chosen, told in (
        (own, "W&B      wandb sync 'my runs/study'/*/wandb/offline-run-*\n"),
        (own[1:], "W&B      wandb sync 'my runs/study/b'/wandb/offline-run-*\n"),
        (own[2:], ""),
    ):
        say_unsent(each.relative_to(folder) for each in chosen)
        assert capsys.readouterr().out == told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("tr", "train"),
        ("train activ", "activation="),
        ("train activation=iso_t", "activation=iso_tanh"),
        ("train activation=tanh,iso_t", "activation=tanh,iso_tanh"),
        ("train activation=iso_relu activation.R", "activation.R0="),
        ("train optimizer=sgd optimizer.m", "optimizer.momentum="),
        ("train --conf", "--config-dir"),
        ("train see", "seeds="),
        ("list mod", "model"),
        ("completion z", "zsh"),
        ("audit opt", "optimizer="),
        ("fig", "figures"),
        ("figures --a", "--again"),
        ("figures runs --con", "--config-dir"),
        ("figures --al", "--allow"),
        ("train --dr", "--dry-run"),
        ("train fig", "figures="),
        ("audit optimizer=m", "optimizer=muon"),
    ],
)
def test_completion(isoexp: Command, words: str, expected: str) -> None:
    assert expected in isoexp("_complete", *words.split()).out.splitlines()


def test_completion_in_a_real_bash(isoexp: Command, folder: Path) -> None:
    script = isoexp("completion", "bash").out
    bin = Path(sys.executable).parent
    line = "isoexp train activation=iso_ta"
    ask = f"{script}\nCOMP_LINE='{line}'; COMP_POINT={len(line)}; _isoexp; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(
        ["bash", "-c", ask], env={"PATH": f"{bin}:/usr/bin:/bin"}, capture_output=True, text=True
    )

    assert done.stdout.strip() == "iso_tanh"


def test_interrupted_by_ctrl_c(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoexp.cli.progress import RunProgress

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunProgress, "_advance", interrupt)
        outcome = isoexp("train", *QUICK)
    (run,) = runs_below(Path("runs"))

    assert outcome.code == 130
    assert "the same command goes on" in outcome.err
    assert json.loads((run.folder / "state.json").read_text())["state"] == "interrupted"
    assert isoexp("train", *QUICK).code == 0


def test_a_terminal_gets_a_bar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    shown = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # what Linux says when the other side is closed
            while data := os.read(ours, 4096):
                shown.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    with open(theirs, "w", encoding="utf-8") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        code = main(("train", *TINY, "probe=none", "steps=200"))
    reader.join()
    os.close(ours)

    text = shown.decode()
    assert code == 0, text
    assert "━" in text
    assert "/200" in text
    assert "valid/accuracy" in text
    assert "update 20 of 200" not in text


def test_runs_behind_links_are_seen_by_all(isoexp: Command, folder: Path) -> None:
    """Runs that were moved to another disk, behind a link to their study."""

    isoexp("train", *QUICK)
    (run,) = runs_below(folder / "runs")
    (folder / "runs/main").rename(folder / "disk")
    (folder / "runs/main").symlink_to(folder / "disk")
    (folder / "runs/main/self").symlink_to(folder / "runs")

    assert isoexp("ls").out.count("completed") == 1
    assert isoexp("show", run.folder.name[-8:]).code == 0
    assert isoexp("report").code == 0
    assert len(package.read("runs")) > 0
    assert "done before" in isoexp("train", *QUICK).out
