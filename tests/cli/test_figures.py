"""Tests for isoexp figures, as it is typed, and for figures=."""

import subprocess
import sys
from pathlib import Path

import pytest

from isoexp.figures import equivariance
from isoexp.store.lock import hold
from isoexp.store.run import Run
from isoexp.store.study import runs_below
from isoexp.store.tables import write_table

from ..commands import Command
from ..experiment.runs import TINY

PROBED = (*TINY, "epochs=1", "probe=[equivariance]", "probe.equivariance.draws=1")

MINE = """\
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Lengths:
    schema: ClassVar[dict] = {"length": float, "n": int}

    def __call__(self, subject):
        x = subject.x
        return {"length": x.norm(dim=-1).tolist(), "n": [len(x)] * len(x)}

    def summary(self, rows):
        return {"length": rows["length"][0]}


class Drawn(Lengths):
    figure: ClassVar[str] = "mylab.drawing:histogram"
"""

DRAWING = """\
def histogram(table, figure):
    figure.subplots().hist(table["length"])
"""

OWN = (*TINY, "epochs=1", "--config-dir", "myconf", "--allow", "mylab")


@pytest.fixture
def mine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe of one's own, lengths without a figure and drawn with one, in a package beside."""

    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))  # for the workers of a sweep
    for name in [name for name in sys.modules if name.partition(".")[0] == "mylab"]:
        monkeypatch.delitem(sys.modules, name)
    (folder / "mylab").mkdir()
    (folder / "mylab" / "__init__.py").write_text(MINE)
    (folder / "mylab" / "drawing.py").write_text(DRAWING)
    (folder / "myconf" / "probe").mkdir(parents=True)
    for name, kind in (("lengths", "Lengths"), ("drawn", "Drawn")):
        (folder / "myconf" / "probe" / f"{name}.yaml").write_text(
            f"# the lengths of samples\n{name}:\n  _target_: mylab.{kind}\n"
        )


def drawn() -> list[Path]:
    """The figures below runs/."""

    return sorted(Path("runs").glob("**/*.png"))


@pytest.mark.slow
def test_what_is_drawn_afterwards_is_what_is_drawn_at_once(isoexp: Command) -> None:
    isoexp("train", *PROBED)
    (path,) = drawn()
    at_once = path.read_bytes()
    path.unlink()

    assert isoexp("figures", "runs").out.splitlines()[0] == str(path)
    assert path.read_bytes() == at_once


def test_figures_are_no_part_of_the_identity_of_a_run(isoexp: Command) -> None:
    isoexp("train", *PROBED, "figures=false")

    assert drawn() == []
    assert "done before" in isoexp("train", *PROBED, "figures=true").out


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_is_drawn_and_all_of_it_again(isoexp: Command) -> None:
    isoexp("train", *PROBED, "figures=false", "seeds=2")
    first, second = runs_below(Path("runs"))
    name = first.folder.name[-8:]
    assert f"no figures yet of equivariance: isoexp figures {name} draws them" in (
        isoexp("show", name).out
    )

    assert isoexp("figures", name).out.splitlines()[-1] == "1 drawn"
    assert [path.parent.parent for path in drawn()] == [first.folder]
    assert "no figures yet" not in isoexp("show", name).out

    both = isoexp("figures", "runs", str(second.folder))
    assert both.out.splitlines() == [f"{second.folder}/probes/equivariance.png", "1 drawn"]
    assert "--again" in isoexp("figures", "runs").out
    assert isoexp("figures", "--again", "runs").out.splitlines()[-1] == "2 drawn"


@pytest.mark.usefixtures("undrawn")
def test_a_run_probed_later_is_drawn_whatever_it_was_trained_with(isoexp: Command) -> None:
    isoexp("train", *TINY, "epochs=1", "probe=none", "figures=false")
    isoexp("probe", "runs", "probe=[equivariance]", "probe.equivariance.draws=1")

    assert len(drawn()) == 1


@pytest.mark.slow
def test_torch_is_not_needed(isoexp: Command) -> None:
    isoexp("train", *PROBED, "figures=false")
    code = (
        "import sys; from isoexp.cli import main; code = main(['figures', 'runs'])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    assert drawn()[0].read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_code_1(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("broke")

    isoexp("train", *PROBED, "figures=false")
    (run,) = runs_below(Path("runs"))
    write_table(run.folder / "probes" / "mine.parquet", {"n": [1]}, {"n": int}, {}, {})

    with hold(Run(run.folder)):
        busy = isoexp("figures", "runs")
    assert busy.code == 1
    assert "not drawn: " in busy.err

    with monkeypatch.context() as patch:
        patch.setattr(equivariance, "draw", broken)
        failed = isoexp("figures", "runs")
    assert failed.code == 1
    assert "equivariance.parquet: RuntimeError: broke" in failed.err
    assert failed.err.count("\n") == 1
    assert failed.out.splitlines() == [
        "no figure is known of mine: its class names none; add figure = 'module:function'",
        "0 drawn, 1 failed, 1 without figure",
    ]
    assert (run.folder / "probes" / "equivariance.figure-error.txt").exists()

    (run.folder / "probes" / "equivariance.parquet").write_bytes(b"no table")
    assert isoexp("show", str(run.folder)).code == 0
    (run.folder / "probes" / "mine.parquet").write_bytes(b"no table")
    unreadable = isoexp("figures", str(run.folder))
    assert unreadable.code == 1
    assert unreadable.err.count("\n") == 2
    assert unreadable.out == "0 drawn, 2 failed\n"


def test_help_and_a_run_that_was_not_probed(isoexp: Command) -> None:
    assert "--again" in isoexp("figures", "--help").out

    isoexp("train", *TINY, "epochs=1", "probe=none")
    outcome = isoexp("figures", "runs")
    assert outcome.code == 2
    assert "no probe has measured it yet" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.usefixtures("mine")
def test_a_probe_of_ones_own_is_drawn_by_every_command(
    isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isoexp("train", *OWN, "probe=[drawn]").code == 0
    (path,) = drawn()
    at_once = path.read_bytes()

    monkeypatch.delenv("ISOEXP_ALLOW")
    path.unlink()
    refused = isoexp("figures", "runs")
    assert refused.code == 1
    assert refused.err == (
        "not drawn: drawn of 1 run: drawing needs mylab.drawing:histogram, of a package that may "
        "not run: --allow mylab permits it, if you trust it\n"
    )
    assert refused.out == "0 drawn, 1 failed\n"

    assert isoexp("figures", "runs", "--allow", "mylab").out.splitlines() == [str(path), "1 drawn"]
    assert path.read_bytes() == at_once
    assert "all were drawn before" in isoexp("figures", "runs").out

    path.unlink()
    again = isoexp("probe", "runs", "probe=[drawn]", "force=true", *OWN[-4:])
    assert again.code == 0
    assert drawn() == [path]


@pytest.mark.slow
@pytest.mark.usefixtures("mine")
def test_a_probe_of_ones_own_is_drawn_in_a_sweep(
    isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "-m", *OWN, "probe=[drawn,equivariance]", "probe.equivariance.draws=1")
    assert isoexp(*words, "name=at_once", "seed=0,1", "figures=true").code == 0
    assert [path.stem for path in drawn()] == ["drawn", "equivariance"] * 2

    assert isoexp(*words, "name=later", "seed=0,1").code == 0
    monkeypatch.delenv("ISOEXP_ALLOW")
    refused = isoexp("figures", "runs/later")
    assert refused.err.count("\n") == 1
    assert "not drawn: drawn of 2 runs: " in refused.err
    assert refused.out.splitlines()[-1] == "2 drawn, 2 failed"
    assert isoexp("figures", "runs/later", "--allow", "mylab").out.splitlines()[-1] == "2 drawn"
    assert len(drawn()) == 8


@pytest.mark.usefixtures("mine", "undrawn")
def test_a_probe_may_have_no_figure(isoexp: Command, folder: Path) -> None:
    isoexp("train", *OWN, "probe=[lengths]")
    assert drawn() == []
    assert "no figures yet" not in isoexp("show", next(Path("runs").glob("*/*")).name[-8:]).out

    outcome = isoexp("figures", "runs")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "no figure is known of lengths: its class names none; add figure = 'module:function'",
        "0 drawn, 1 without figure",
    ]

    # What the advice leads to: the class names a figure, and the table need not be measured anew.
    (folder / "myconf" / "probe" / "lengths.yaml").write_text("lengths:\n  _target_: mylab.Drawn\n")
    named = isoexp("figures", "runs", *OWN[-4:])
    assert named.out.splitlines()[-1] == "1 drawn"
    assert isoexp("figures", "runs", "--config-dir", "nowhere").code == 2


@pytest.mark.usefixtures("mine")
def test_a_figure_that_cannot_be_had_loses_nothing(isoexp: Command, folder: Path) -> None:
    (folder / "mylab" / "drawing.py").write_text("import nothing_like_it\n")

    trained = isoexp("train", *OWN, "probe=[drawn]")
    assert trained.code == 0
    (error,) = Path("runs").glob("*/*/probes/drawn.figure-error.txt")
    says = "drawing needs mylab.drawing:histogram, which fails to import: ModuleNotFoundError: No"
    assert says in error.read_text()
    assert f"figure of drawn not drawn: {says}" in trained.err
    assert f"isoexp figures {error.parents[1]} draws it" in trained.err
    assert trained.err.count("\n") == 1

    outcome = isoexp("figures", "runs", "--allow", "mylab")
    assert outcome.code == 1
    assert says in outcome.err
    assert outcome.err.count("\n") == 1

    probed = isoexp("probe", "runs", *OWN[-4:], "probe=[drawn]", "force=true")
    assert probed.code == 0
    assert f"figure of drawn not drawn: {says}" in probed.err


@pytest.mark.slow
@pytest.mark.usefixtures("mine")
def test_a_sweep_says_which_figures_could_not_be_had(isoexp: Command, folder: Path) -> None:
    (folder / "mylab" / "drawing.py").write_text("import nothing_like_it\n")
    swept = isoexp("train", "-m", *OWN, "probe=[drawn]", "seed=0,1", "figures=true")

    assert swept.code == 0
    assert "2 runs without the figure of drawn: isoexp figures says why" in swept.err
