"""Tests for what training makes of data of the user's own: faults named, targets in their units."""

from pathlib import Path

import numpy as np
import pytest
import torch

import isoexp
from isoexp.config.compose import compose
from isoexp.errors import UserError
from isoexp.experiment.job import prepare
from isoexp.experiment.run import execute
from isoexp.store.study import runs_below

from .runs import run

SOURCES = """
from dataclasses import dataclass

import numpy as np
from isoexp.data import Source, Split, Splits


@dataclass(frozen=True)
class Lines(Source):
    "y = B x + 300, in units of 1000 and of 1; scale changes the units alone."

    scale: float = 1.0
    level: float | None = None
    hole: int = -1

    def fingerprint(self):
        return f"lines {self.scale} {self.level} {self.hole}"

    def load(self):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((240, 3)).astype(np.float32)
        noise = rng.standard_normal((240, 2))
        y = (x @ rng.standard_normal((3, 2)) + 0.3 * noise) * [1000, 1] + 300
        parts = [Split(x[i : i + 80], y[i : i + 80] * self.scale) for i in (0, 80, 160)]
        if self.hole >= 0:
            parts[0].x[self.hole] = np.nan
        if self.level is not None:
            parts[2] = Split(parts[2].x, np.full((80, 2), self.level))

        return Splits(*parts, outputs=2)


@dataclass(frozen=True)
class Diabetes(Source):
    def fingerprint(self):
        return "diabetes"

    def load(self):
        from sklearn.datasets import load_diabetes

        x, y = load_diabetes(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(x))
        parts = np.split(order, [300, 370])

        return Splits(*(Split(x[rows], y[rows]) for rows in parts), outputs=1)
"""

LINES = ("data._target_=sources.Lines", "model=linear", "epochs=20", "batch_size=20", "probe=none")


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "sources.py").write_text(SOURCES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "sources")
    monkeypatch.chdir(tmp_path)


def test_diabetes_is_learnt_in_milligrams() -> None:
    """Targets from 25 to 346: fitted as they are, most of a short training goes to their mean."""

    run("data._target_=sources.Diabetes", "epochs=20", "probe=none", "batch_size=50")
    (it,) = runs_below(Path("runs"))

    from sklearn.datasets import load_diabetes

    _, y = load_diabetes(return_X_y=True)
    test = np.asarray(y)[np.random.default_rng(0).permutation(442)[370:]]
    assert it.summary["test/r2"] > 0.2
    assert it.summary["test/loss"] == pytest.approx((1 - it.summary["test/r2"]) * test.var(), 1e-5)
    assert it.summary["valid/loss"] > 1000
    assert min(isoexp.read("runs")["train/loss"].dropna().tolist()) > 1000


def test_scores_are_in_the_units_of_the_targets() -> None:
    """A change of units changes the loss by its square, and R² and the weights not at all."""

    run(*LINES, "precision=float64", "out=a")
    run(*LINES, "precision=float64", "+data.scale=1000.0", "out=b")
    (a,), (b,) = runs_below(Path("a")), runs_below(Path("b"))
    for split in ("valid", "test"):
        assert b.summary[f"{split}/loss"] == pytest.approx(1e6 * a.summary[f"{split}/loss"], 1e-9)
        assert b.summary[f"{split}/r2"] == pytest.approx(a.summary[f"{split}/r2"], 1e-9)

    import sources  # pyright: ignore

    splits = sources.Lines().load()
    variance = splits.test.y.var(axis=0).mean()
    assert 1 - a.summary["test/loss"] / variance == pytest.approx(a.summary["test/r2"], 1e-9)

    # By hand: the outputs of the network, brought back to the units of the targets.
    state = torch.load(next(Path("a").glob("**/checkpoint.pt")), weights_only=True)["model"]
    W, c = (next(t.squeeze(0) for t in state.values() if t.squeeze(0).dim() == d) for d in (2, 1))
    x, mean, std = splits.standardized().test.x, splits.train.y.mean(0), splits.train.y.std(0)
    outputs = (x.astype(np.float64) @ W.double().numpy().T + c.double().numpy()) * std + mean
    error = ((outputs - splits.test.y) ** 2).mean()
    assert a.summary["test/loss"] == pytest.approx(error, rel=1e-5)
    assert ((outputs - splits.test.y).var(axis=0) < 0.5 * splits.test.y.var(axis=0)).all()


@pytest.mark.slow
def test_networks_of_other_units_train_as_one() -> None:
    """Each is told its own loss, as alone."""

    words = [(*LINES, f"+data.scale={scale}") for scale in (1.0, 10.0)]
    list(execute([prepare(compose([*own, "out=both"])) for own in words]))
    together = {it.state["identity"]: it for it in runs_below(Path("both"))}
    for k, own in enumerate(words):
        run(*own, f"out=alone{k}")
        (alone,) = runs_below(Path(f"alone{k}"))
        both = together[alone.state["identity"]]
        for key in ("test/loss", "test/r2", "valid/loss"):
            assert both.summary[key] == pytest.approx(alone.summary[key], rel=1e-5)


def test_r2_of_constant_targets_is_undefined() -> None:
    run(*LINES, "+data.level=0.1")
    (it,) = runs_below(Path("runs"))

    assert it.status == "completed"
    assert it.summary["test/r2"] is None or np.isnan(it.summary["test/r2"])
    assert np.isfinite(it.summary["test/loss"])
    assert np.isfinite(it.summary["valid/r2"])


def test_what_is_not_finite_is_named_by_its_row() -> None:
    with pytest.raises(UserError) as caught:
        run(*LINES, "+data.hole=17")

    assert str(caught.value) == "data: Lines, train split, row 17: inputs must be finite, got nan"
    assert not Path("runs").exists()
