"""Tests for isoexp.experiment.dataset: each seed trains, and is tested, on splits of its own."""

import gc
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

import isoexp
from isoexp.config.compose import compose
from isoexp.config.settings import Settings
from isoexp.errors import UserError
from isoexp.experiment.batching import Training
from isoexp.experiment.dataset import load
from isoexp.experiment.job import AlreadyDone, prepare
from isoexp.experiment.lab import Lab
from isoexp.experiment.probing import Trained
from isoexp.samples import Subset, whole

from .runs import TINY, assert_equal, run
from .test_batching import assert_alike, do, jobs
from .test_resuming import checkpoints, killed_after  # noqa: F401  (a fixture)

SOURCES = """
from dataclasses import dataclass, replace

import numpy as np
from isoexp.data import Factor, Source, Split, Splits


@dataclass(frozen=True)
class Own(Source):
    "240 samples of 3 classes, or of 2 values far from 0; one feature is nearly constant."

    values: bool = False
    published: bool = False
    factors: bool = False

    def fingerprint(self):
        return f"own {self.values}"

    def load(self):
        rng = np.random.default_rng(0)
        x = (rng.standard_normal((240, 4)) * [1, 10, 0, 1] + [0, 100, 0, 0]).astype(np.float32)
        x[7, 2] = 0.5
        y = np.arange(240) % 3
        if self.values:
            y = 1e9 + np.stack([x[:, 0] + x[:, 1], 7 * x[:, 3]], 1).astype(float)
        parts = [Split(x[i:j], y[i:j]) for i, j in ((0, 120), (120, 160), (160, 240))]
        factors = {"t": Factor(np.arange(80.0))} if self.factors else {}

        return Splits(*parts, outputs=2 if self.values else 3, published=self.published,
                      factors=factors)


class Anew(Own):
    def redrawn(self, seed):
        made = self.load()
        return replace(made, test=Split(made.test.x + seed, made.test.y))


@dataclass(frozen=True)
class Taken(Source):
    split: str = "mine"
"""

OWN = ("data._target_=dealers.Own", "data.split=seed")

SHORT = (
    "batch_size=40", "epochs=3", "probe=none", "precision=float64", "model.widths=[6]",
)  # fmt: skip
"""Nine updates."""


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch, folder: Path, undrawn: None) -> None:
    own = folder / "own"
    own.mkdir()
    (own / "dealers.py").write_text(SOURCES)
    monkeypatch.syspath_prepend(str(own))
    monkeypatch.setenv("ISOEXP_ALLOW", "dealers")


def lab(*words: str) -> Any:
    return prepare(compose((*SHORT, *words))).lab()


def test_members_hold_places_in_one_pool() -> None:
    """No copy of it is made for a seed, nor for them all; and the class counts are kept."""

    training = Training([lab(*OWN)] * 3, [0, 1, 5])
    x, y = cast("tuple[Subset, Subset]", training.data("train"))
    labs: Any = training.labs
    pools = {own.splits[name][0].pool.data_ptr() for own in labs for name in own.splits}

    assert isinstance(x, Subset)
    assert pools == {x.pool.data_ptr()}
    assert x.pool.shape == (240, 4)
    assert x.rows.shape == (3, 120)
    assert y.taken(y.rows).eq(0).sum(dim=1).tolist() == [40, 40, 40]
    for own in labs:
        parts = [own.splits[name][0].rows.flatten() for name in ("train", "valid", "test")]
        assert torch.cat(parts).sort().values.tolist() == list(range(240))
        assert parts[2].tolist() == own.dataset.items.tolist()


def test_a_seed_has_one_split_in_all_arms() -> None:
    one, other = lab(*OWN), lab(*OWN, "activation=tanh", "seed=3")

    assert one.at(3).splits["test"][0] is other.splits["test"][0]
    assert one.at(3).at(0).dataset is one.dataset
    assert not np.array_equal(one.dataset.items, other.dataset.items)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("more", [(), ("+data.values=true",)], ids=["classes", "values"])
def test_each_is_standardised_by_its_own_training_part(more: Sequence[str], precision: str) -> None:
    """Features of mean 0 and variance 1 there, and targets far from 0, in units of their own."""

    found = lab(*OWN, *more, f"precision={precision}").at(4)
    x, y = (whole(each).double() for each in found.splits["train"])
    eps = 40 * torch.finfo(getattr(torch, precision)).eps + 40 * torch.finfo(torch.float32).eps

    assert x.mean(dim=0).abs().max() < eps
    assert (x[:, [0, 1, 3]].std(dim=0, correction=0) - 1).abs().max() < eps
    if more:
        assert y.mean(dim=0).abs().max() < eps
        assert (y.std(dim=0, correction=0) - 1).abs().max() < eps
        made = prepare(compose((*SHORT, *OWN, *more))).config["data"]
        raw = np.concatenate([part.y for part in _loaded(values=True)])
        train = raw[found.splits["train"][0].rows[0]]
        np.testing.assert_allclose(found.dataset.units, train.std(axis=0), rtol=1e-6)
        assert made["split"] == "seed"


def _loaded(**settings: Any) -> tuple[Any, Any, Any]:
    own: Any = import_module("dealers")
    made = own.Own(**settings).load()

    return made.train, made.valid, made.test


def test_a_feature_that_is_constant_in_training_keeps_its_scale() -> None:
    """Sample 7 alone has ½ there: where it is tested on it stays ½, and not thousands of units."""

    own = next(each for s in range(20) if 7 in (each := lab(*OWN).at(s)).dataset.items)
    x = whole(own.splits["test"][0])[:, 2]

    assert not whole(own.splits["train"][0])[:, 2].any()
    assert x.max().item() == pytest.approx(0.5, rel=1e-6)


def test_a_published_test_part_and_one_drawn_anew() -> None:
    kept = lab(*OWN, "+data.published=true", "+data.factors=true")
    anew = lab("data._target_=dealers.Anew", "data.split=seed")

    for seed in (0, 1):
        assert kept.at(seed).dataset.items.tolist() == list(range(160, 240))
        assert kept.at(seed).factors["t"].values.tolist() == list(range(80))
        assert anew.at(seed).dataset.items.tolist() == list(
            range(240 * seed + 160, 240 * seed + 240)
        )
    assert not torch.equal(kept.at(0).splits["train"][0].rows, kept.at(1).splits["train"][0].rows)
    with pytest.raises(UserError, match="data: split=seed cannot be: factors are known of"):
        lab(*OWN, "+data.factors=true")
    with pytest.raises(UserError, match="seed must be below"):
        anew.at(2**60)


def test_a_fixed_split_is_that_of_all_seeds_and_tells_its_items() -> None:
    found = lab("data._target_=dealers.Own")

    assert found.at(3) is found
    assert found.dataset.items.tolist() == list(range(160, 240))
    assert found.dataset.bytes == 0


def test_splits_are_let_go_with_the_last_that_has_them() -> None:
    words = (*SHORT, *OWN)
    config = compose(words).config
    found = Lab.of(prepare(compose(words)).config, Settings.of(config))
    gc.collect()
    known: Any = found.dataset.anew
    kept = [found.at(seed) for seed in range(5)]
    assert len(known.known) == 5
    del kept
    gc.collect()

    assert len(known.known) == 1
    assert load.cache_info().maxsize == 2


SWEEPS = {
    "a pool": (OWN, [("seeds=2", "optimizer.lr=1e-2"), ("seed=5",)]),
    "values": ((*OWN, "+data.values=true", "model=linear"), [("seeds=2",), ("seed=5",)]),
    "codes": ((*OWN, "model=autoencoder", "model.code=2"), [("seeds=2",)]),
    "anew": ((*TINY, "data.split=seed"), [("seeds=2",), ("seed=5", "optimizer.lr=1e-2")]),
}


@pytest.mark.parametrize("name", SWEEPS)
def test_each_is_its_solo_run(name: str) -> None:
    base, words = SWEEPS[name]
    base = (*base, *SHORT) if name != "codes" else (*base, *(w for w in SHORT if "widths" not in w))
    do(jobs("together", *words, base=base))
    alone = [(*each, f"seeds=[{s}]") for each in words for s in _seeds(each)]
    for job in jobs("alone", *alone, base=base):
        do([job], most=1)

    assert_alike("together", "alone", 1e-9)
    pd.testing.assert_frame_equal(summaries("together"), summaries("alone"), rtol=1e-9)


def _seeds(words: Sequence[str]) -> list[int]:
    return [0, 1] if "seeds=2" in words else [5]


def summaries(root: str) -> pd.DataFrame:
    from isoexp.store.study import runs_below

    rows = {it.folder.name: it.summary for it in runs_below(Path(root))}

    return pd.DataFrame(rows).T.drop(columns="train_time_s").sort_index()


def test_the_split_tells_runs_apart_only_where_it_is_not_the_fixed_one() -> None:
    def identity(*words: str) -> str:
        return prepare(compose((*TINY, *words))).identity(0)

    assert identity() == identity("data.split=fixed") == identity("data.items=true")
    assert identity() != identity("data.split=seed")


@pytest.mark.parametrize("seeds", ["seeds=1", "seeds=2"])
def test_killed_it_goes_on_to_the_same_bits(seeds: str, checkpoints: None) -> None:  # noqa: F811
    words = (*OWN, *SHORT, seeds)
    run(*words, "out=whole")
    with killed_after(4):
        run(*words, "out=killed")
    run(*words, "out=killed")

    assert_equal(Path("killed"), Path("whole"))


def test_probes_see_the_splits_of_the_run_and_a_twin_the_same_test_samples() -> None:
    """A stored run is probed on its own, too; the twin on its own training part."""

    run(*TINY, "data.split=seed", "epochs=1", "seeds=2", "probe=none")
    run(*TINY, "data.split=seed", "epochs=1", "seeds=2", "probe=spectrum")
    again = run(*TINY, "data.split=seed", "epochs=1", "seeds=2", "probe=spectrum")
    found = isoexp.read("runs", "spectrum")

    assert [type(event) for event in again] == [AlreadyDone] * 2
    assert set(found["seed"]) == {0, 1}

    base = lab(*TINY, "data.split=seed")
    subject, twin = (Trained(base, seed, base.network(seed)) for seed in (0, 1))
    noise = torch.Generator()
    a, b = subject.subject(subject.network, noise), twin.subject(twin.network, noise, tested=0)
    assert torch.equal(a.x, b.x)
    assert a.train is not None
    assert b.train is not None
    assert not torch.equal(a.train[0], b.train[0])
    assert not torch.equal(b.x, twin.subject(twin.network, noise).x)


def test_what_is_measured_of_untrained_networks_is_of_the_seed_s_samples() -> None:
    base, other = lab(*OWN), lab(*OWN, "optimizer.lr=0.1")
    one = Trained(base, 0, base.network(0))

    assert one.untrained is Trained(other, 0, base.network(0)).untrained
    assert one.untrained is not Trained(base, 1, base.network(1)).untrained


MISTAKES = {
    "data.split=sed": "data.split must be fixed or seed, got 'sed'",
    "data.split=null": "data.split must be fixed or seed, got None",
    "data.items=1": "data.items must be null or true or false, got 1",
    "data.spilt=seed": "there is no setting data.spilt; did you mean data.split",
    "data._target_=dealers.Taken": "data.split is isoexp's own: dealers.Taken must call its",
}


@pytest.mark.parametrize("word", MISTAKES)
def test_another_value_is_refused(word: str) -> None:
    with pytest.raises(UserError, match=MISTAKES[word]):
        prepare(compose([word]))


def test_a_text_is_refused_before_anything_is_written() -> None:
    with pytest.raises(UserError, match="data: split=seed cannot be: neighbouring windows"):
        run("data=text", "model=transformer", "data.split=seed", "probe=none")

    assert not Path("runs").exists()
