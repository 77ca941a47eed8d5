"""Tests for isoexp.sweep.plan: from the overrides of a sweep to units."""

import subprocess
import sys
from pathlib import Path

import pytest

from isoexp.config.compose import compose
from isoexp.errors import UserError
from isoexp.experiment.job import prepare_all
from isoexp.sweep import plan, planned
from isoexp.sweep.pace import Pace

from .jobs import WORDS, jobs, seeds, written


def test_what_is_done_is_not_planned(tmp_path: Path) -> None:
    one, _, _ = jobs(tmp_path, 3)
    written(one, 0, "completed", probes={})
    found = plan([*WORDS, f"out={tmp_path}", "seed=0,1,2", "sweep.batch=1"])

    assert (found.runs, found.todo) == (3, 2)
    assert sorted(seed for unit in found.units for seed in seeds(unit)) == [1, 2]
    assert found.training_s > 0


@pytest.mark.slow
def test_where_all_is_done_torch_is_not_imported(tmp_path: Path) -> None:
    for job in jobs(tmp_path, 3):
        for seed in job.identities:
            written(job, seed, "completed", probes={})
    words = ["train", "-m", *WORDS, f"out={tmp_path}", "seed=range(0,3)"]
    code = (
        "import sys; from isoexp.cli import main; code = main(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "3 jobs, 3 runs, 3 done before" in done.stdout


def test_what_two_jobs_would_compute_is_planned_once(tmp_path: Path) -> None:
    found = plan([*WORDS, f"out={tmp_path}", "optimizer.lr=1e-3,0.001", "seed=0"])

    assert len(found.jobs) == found.runs == found.todo == 1


def test_nothing_has_started_when_a_job_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="R0"):
        plan([*WORDS, f"out={tmp_path}", "activation=iso_relu", "activation.R0=1,-1"])

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("word", "drawn"), [("seed=0", False), ("figures=true", True)])
def test_figures_are_drawn_where_they_are_asked_for(word: str, drawn: bool, tmp_path: Path) -> None:
    found = plan([*WORDS, f"out={tmp_path}", word])

    assert [job.settings.figures for unit in found.units for job in unit.jobs] == [drawn]


def test_there_are_no_more_workers_than_units(tmp_path: Path) -> None:
    words = [*WORDS, f"out={tmp_path}", "seed=range(0,3)", "sweep.batch=1"]

    assert plan([*words, "sweep.workers=2"]).workers == 2
    assert plan([*words, "sweep.workers=9"]).workers == 3
    assert plan(words, workers=9).workers == 3


def test_a_worker_has_one_thread_however_few_there_are(tmp_path: Path) -> None:
    """As a run by itself has: with more its last bits would be others."""

    found = plan([*WORDS, "seed=0,1", "sweep.batch=1", "sweep.workers=1", f"out={tmp_path}"])

    assert found.threads == 1


def test_units_have_processes_of_their_own_when_asked(tmp_path: Path) -> None:
    words = [*WORDS, "seed=0,1", "sweep.batch=1", f"out={tmp_path}"]

    for fresh in (False, True):
        found = plan([*words, f"sweep.fresh={fresh}"])
        assert [unit.fresh for unit in found.units] == [fresh] * 2


def test_every_structure_of_many_networks_is_measured_and_few_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[int] = []

    def measure(bench: object, networks: int, workers: int, most: int | None) -> Pace:
        measured.append(networks)
        return Pace(networks, training_s=1.0)

    module = sys.modules["isoexp.sweep.plan"]
    monkeypatch.setattr(module, "measure", measure)
    monkeypatch.setattr(module, "MEASURED", 2)
    some = "sweep.union=['seed=0,1,2,3 batch_size=20,30,40','seed=0 batch_size=50,60,70,80']"
    words = ["model.widths=[3]", "probe=none", "steps=9", f"out={tmp_path}", some]

    units = plan(words).units

    assert measured == [4, 4, 4]
    assert sum(unit.networks for unit in units) == 16
    assert all(unit.pace.most == 4 for unit in units), "the others are taken for alike"


@pytest.mark.parametrize(
    ("words", "probes"),
    [
        (["probe=[alignment]"], ["alignment"]),
        (["probe=none"], []),
        (["probe.refraction.rays=9"], ["refraction", "ood_magnitude", "alignment"]),
        (["experiment=causal_alignment"], ["alignment"]),
        ([], []),
    ],
    ids=str,
)
def test_probes_are_put_where_they_are_named(
    words: list[str], probes: list[str], tmp_path: Path
) -> None:
    (job,) = planned(
        prepare_all([compose(["steps=9", "seeds=null", f"out={tmp_path}", *words])])
    ).jobs

    assert list(job.probes) == probes
    assert list(job.config["probe"]) == probes
