"""Small experiments, and what they leave."""

from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import isoexp
from isoexp.config.compose import compose
from isoexp.experiment.job import prepare
from isoexp.experiment.run import execute
from isoexp.store.run import Run

TINY = ("data=spheres", "data.train=64", "data.valid=16", "data.test=16", "batch_size=24")
"""Three updates an epoch, in milliseconds."""


BRIEF = (
    "probe.refraction.points=2", "probe.refraction.rays=4", "probe.ood_magnitude.points=2",
    "probe.ood_magnitude.features=1", "probe.alignment.bases=2", "probe.alignment.angles=5",
    "probe.alignment.planes=4",
)  # fmt: skip
"""The usual probes, in a moment."""


composed = cache(compose)
"""Composes a command line once: a tenth of a second that tests need not pay again."""


def run(*words: str) -> list[Any]:
    """Does an experiment and returns what happened."""

    return list(execute([prepare(composed(words))]))


def seed_of(run: Run) -> int:
    """Returns the seed of a run, by the name of its folder."""

    return int(run.folder.name.rpartition("seed-")[2].partition("-")[0])


def left(root: Path, probe: str | None = None) -> tuple[Any, dict[int, dict]]:
    """The rows and the final weights of the runs below a folder, by seed; times aside."""

    rows = isoexp.read(root, probe or "metrics").drop(columns="time_s", errors="ignore")
    rows = rows.sort_values(["seed", "step"] if probe is None else "seed", kind="stable")
    weights = {}
    for path in root.glob("**/checkpoint.pt"):
        weights[seed_of(Run(path.parent))] = torch.load(path, weights_only=True)["model"]

    return rows.reset_index(drop=True), weights


def assert_equal(a: Path, b: Path) -> None:
    """Two folders hold the same runs, to the last bit."""

    (rows_a, weights_a), (rows_b, weights_b) = left(a), left(b)

    pd.testing.assert_frame_equal(rows_a, rows_b, check_exact=True)
    assert weights_a.keys() == weights_b.keys()
    for seed, weights in weights_a.items():
        for name, w in weights.items():
            assert torch.equal(w, weights_b[seed][name]), (seed, name)
