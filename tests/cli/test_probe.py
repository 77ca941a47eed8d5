"""Tests for isoexp probe, as it is typed."""

from pathlib import Path

import pytest
import yaml

from isoexp.config.groups import choices
from isoexp.store.study import runs_below

from ..commands import Command
from ..experiment.runs import TINY, run

pytestmark = pytest.mark.usefixtures("undrawn")

REFRACTION = ("probe=[refraction]", "probe.refraction.points=2", "probe.refraction.rays=4")


def test_a_folder_of_runs_is_probed(isoexp: Command) -> None:
    run(*TINY, "epochs=1", "probe=none", "seeds=2", "activation=tanh")
    first = isoexp("probe", "runs/main", *REFRACTION)
    second = isoexp("probe", "runs/main", *REFRACTION)

    assert (first.code, first.err) == (0, "")
    assert first.out.count("refraction: ") == 2
    assert "theta_max_rad 0." in first.out
    assert second.out.count("asked before: refraction") == 2
    assert len(list(Path("runs").glob("**/probes/refraction.png"))) == 2


def test_a_run_by_the_end_of_its_name(isoexp: Command) -> None:
    run(*TINY, "epochs=1", "probe=none")
    (it,) = runs_below(Path("runs"))
    done = isoexp("probe", it.folder.name[-8:], *REFRACTION, "force=true")

    assert done.code == 0
    assert str(it.folder) in done.out
    assert "probes    refraction" in isoexp("show", it.folder.name[-8:]).out


def test_a_probe_that_fails_is_code_1(isoexp: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from isoexp.probes import Refraction

    def broken(*_: object) -> None:
        raise RuntimeError("broke")

    run(*TINY, "epochs=1", "probe=none")
    monkeypatch.setattr(Refraction, "__call__", broken)
    failed = isoexp("probe", "runs", *REFRACTION)

    assert failed.code == 1
    assert "failed: refraction: RuntimeError: broke; see runs/" in failed.err
    trained = isoexp("train", *TINY, "epochs=1", *REFRACTION)
    assert trained.code == 1


def test_help_and_mistakes(isoexp: Command) -> None:
    run(*TINY, "epochs=1", "probe=none")

    assert "--twin RUN" in isoexp("probe", "--help").out
    for words, says in {
        "probe": "takes a run",
        "probe nowhere": "there is no run nowhere",
        "probe runs epochs=3": "epochs=3 cannot be set of a run that is trained",
        "probe runs probe=refractoin": "did you mean refraction?",
        "probe runs probe.refraction.ryas=3": "did you mean probe.refraction.rays?",
        "probe runs --twni runs": "did you mean --twin?",
        "probe runs --twin nowhere": "there is no run nowhere",
        "probe runs probe=[]": "probe=[] names no probe",
        "probe runs --twin runs": "must be another run than those probed",
        "probe runs probe.refraction.rays=0": "probe.refraction: rays and points must be at least",
    }.items():
        outcome = isoexp(*words.split())
        assert outcome.code == 2, words
        assert says in outcome.err, words
        assert outcome.err.count("\n") == 1, outcome.err


def test_all_is_all_that_can_be_had_again() -> None:
    """Times cannot."""

    found = yaml.safe_load(choices()["probe"]["all"].read_text())["defaults"]

    assert sorted(found) == sorted(set(choices()["probe"]) - {"all", "none", "cost"})
