"""Tests for the planning of sweeps: what is wrong is said before the first job, and once."""

import subprocess
import sys
from typing import Any

import pytest

from isoexp.config.build import check
from isoexp.config.compose import compose, expand
from isoexp.errors import UserError
from isoexp.experiment.job import prepare, prepare_all, undone, validate
from isoexp.experiment.lab import Lab
from isoexp.experiment.run import execute
from isoexp.sweep import plan

from .runs import TINY

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

WRONG = (
    ("optimizer.lr=0.1", "optimizer.lr=-0.1"),
    ("activation=iso_relu activation.R0=0.5", "activation=iso_relu activation.R0=0.0"),
    ("dropout=elementwise dropout.keep=0.5", "dropout=elementwise dropout.keep=1.5"),
    ("regularizer=l2 regularizer.strength=0.5", "regularizer=l2 regularizer.strength=-0.5"),
    ("clip=norm clip.limit=0.5", "clip=norm clip.limit=0.0"),
    ("schedule.warmup=0.5", "schedule.warmup=1.5"),
    ("init=gaussian init.gain=0.5", "init=gaussian init.gain=abc"),
    ("probe.refraction.rays=8", "probe.refraction.rays=0"),
    ("data.noise=0.5", "data.noise=-0.5"),
    ("model.widths=[8]", "model.widths=[0]"),
    ("norm=batch norm.eps=0.5", "norm=batch norm.eps=abc"),
)


def built(*words: str) -> Lab:
    """All that a single run would build before it starts."""

    job = prepare(compose(words))
    check(job.config)

    return job.lab()


@pytest.mark.parametrize(("right", "wrong"), WRONG, ids=[right for right, _ in WRONG])
def test_a_sweep_refuses_a_late_job_as_it_would_be_refused_alone(right: str, wrong: str) -> None:
    *chosen, setting = wrong.split()
    *_, first = right.split()
    key, _, value = first.partition("=")

    with pytest.raises(UserError) as alone:
        built(*TINY, *chosen, setting)
    with pytest.raises(UserError) as among:
        plan([*TINY, *chosen, "seed=0,1", f"{key}={value},{setting.partition('=')[2]}"])

    assert str(among.value) == str(alone.value)


def test_each_structure_is_built_once_and_each_content_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[Any] = []
    tried: list[set[str]] = []
    of, try_parts = Lab.of, Lab.try_parts

    def counted_of(config: Any, settings: Any) -> Lab:
        built.append(config["model"]["widths"])
        return of(config, settings)

    def counted_parts(self: Lab, config: Any, settings: Any, parts: Any) -> None:
        tried.append(set(parts))
        try_parts(self, config, settings, parts)

    monkeypatch.setattr(Lab, "of", counted_of)
    monkeypatch.setattr(Lab, "try_parts", counted_parts)
    words = ("seed=0,1", "model.widths=[4],[5]", "optimizer.lr=0.1,0.2,0.3", "init=gaussian")
    jobs = prepare_all(expand([*TINY, *words, "init.gain=0.5,0.6"]))
    validate(jobs)

    assert len(jobs) == 24
    assert len({job.structure for job in jobs}) == 2
    assert built == [[4], [5]]
    assert tried == [{"init"}, {"optimizer"}, {"optimizer"}]


def test_what_is_the_same_is_planned_once() -> None:
    same = plan(
        [*TINY, "optimizer.lr=0.01,1e-2,0.02", "activation=iso_tanh", "device=cpu,auto"]
    ).jobs
    apart = plan([*TINY, "probe=none,refraction", "name=a,b"]).jobs

    assert [job.config["optimizer"]["lr"] for job in same] == [0.01, 0.02]
    assert len(apart) == 4


@pytest.mark.slow
def test_a_finished_sweep_is_recognised_without_torch() -> None:
    words = [*TINY, "epochs=1", "probe=none", "seed=0,1"]
    jobs = plan(words).jobs
    assert undone(jobs) == [job.identities for job in jobs]
    for job in jobs:
        list(execute([job]))

    assert undone(jobs) == [{}, {}]
    code = (
        "import sys; from isoexp.sweep import plan; plan(sys.argv[1:])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, *words], check=True)
