"""Tests for isoexp figures, as it is typed, and for figures=."""

import subprocess
import sys
from pathlib import Path

import pytest

from isoexp import figures
from isoexp.store.lock import hold
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from ..commands import Command
from ..experiment.runs import TINY

PROBED = (*TINY, "epochs=1", "probe=[equivariance]", "probe.equivariance.draws=1")


def drawn() -> list[Path]:
    """The figures below runs/."""

    return sorted(Path("runs").glob("**/*.png"))


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
    (run.folder / "probes" / "mine.parquet").write_bytes(b"no table")

    with hold(Run(run.folder)):
        busy = isoexp("figures", "runs")
    assert busy.code == 1
    assert "not drawn: " in busy.err

    with monkeypatch.context() as patch:
        patch.setitem(figures.FIGURES, "equivariance", broken)
        failed = isoexp("figures", "runs")
    assert failed.code == 1
    assert "equivariance.parquet: RuntimeError: broke" in failed.err
    assert failed.err.count("\n") == 1
    assert "no figure is known of mine" in failed.out
    assert (run.folder / "probes" / "equivariance.figure-error.txt").exists()

    (run.folder / "probes" / "equivariance.parquet").write_bytes(b"no table")
    assert isoexp("show", str(run.folder)).code == 0
    unreadable = isoexp("figures", str(run.folder))
    assert unreadable.code == 1
    assert unreadable.err.count("\n") == 1


def test_help_and_a_run_that_was_not_probed(isoexp: Command) -> None:
    assert "--again" in isoexp("figures", "--help").out

    isoexp("train", *TINY, "epochs=1", "probe=none")
    outcome = isoexp("figures", "runs")
    assert outcome.code == 2
    assert "no probe has measured it yet" in outcome.err
    assert outcome.err.count("\n") == 1
