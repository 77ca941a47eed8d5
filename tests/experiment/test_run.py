"""Tests for isoexp.experiment: runs that are whole, and that are done once."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

import isoexp
from isoexp.config.compose import compose
from isoexp.errors import UserError
from isoexp.experiment.job import Ended, prepare
from isoexp.experiment.run import AlreadyDone, HeldElsewhere, execute
from isoexp.store.identity import NUMBERS
from isoexp.store.study import runs_below

from .runs import BRIEF, TINY, assert_equal, left, run, seed_of

pytestmark = pytest.mark.usefixtures("folder", "undrawn")


GOLDEN = [1.1101987456942695, 1.0730709744835623, 1.0611590968219313]
"""Validation losses after 0, 3 and 6 updates."""


def test_a_run_leaves_all_that_it_promises() -> None:
    run(*TINY, "epochs=2", "activation=iso_tanh", "seed=3", *BRIEF)
    (it,) = runs_below(Path("runs"))

    assert {str(p.relative_to(it.folder)) for p in it.folder.rglob("*") if p.is_file()} == {
        ".lock",
        "config.yaml",
        "provenance.json",
        "history.jsonl",
        "state.json",
        "metrics.parquet",
        "summary.json",
        "checkpoint.pt",
        *(
            f"probes/{n}.{e}"
            for n in ("refraction", "ood_magnitude", "alignment")
            for e in ("parquet", "png")
        ),
    }
    assert it.status == "completed"
    assert it.folder.parent == Path("runs/main")
    assert it.folder.name.endswith(f",seed-3-{it.state['identity'][:8]}")

    config = yaml.safe_load((it.folder / "config.yaml").read_text())
    assert config["seed"] == 3
    assert config["activation"]["_target_"] == "isoexp.activations.IsoTanh"

    facts = json.loads((it.folder / "provenance.json").read_text())
    assert {"command", "versions", "host", "device", "threads", "seeds", "code"} <= facts.keys()
    assert facts["versions"]["torch"] == torch.__version__.split("+")[0]

    rows = isoexp.read("runs")
    assert rows["step"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert rows["train/loss"].isna().tolist() == [True] + [False] * 6
    assert set(rows["activation"]) == {"iso_tanh"}
    assert set(rows["activation.scale"]) == {"unit"}

    for probe in ("refraction", "ood_magnitude", "alignment"):
        assert set(isoexp.read("runs", probe)["network"]) == {"trained", "untrained"}
    assert it.summary["probe/refraction/theta_max_rad"] <= 1e-6
    assert it.summary["steps"] == 6
    assert it.summary["parameters"] == 2 * 32 + 32 + 32 * 32 + 32 + 32 * 3 + 3


def test_the_config_of_a_run_runs_again() -> None:
    """A member's config.yaml, as a study of its own, has the identity of the member."""

    run(*TINY, "epochs=1", "probe=none", "seeds=[5,7]", "model.widths=[4]")
    by_seed = {it.state["columns"]["seed"]: it for it in runs_below(Path("runs"))}

    events = run(*TINY, "epochs=1", "probe=none", "seed=7", "model.widths=[4]")
    assert events == [AlreadyDone(by_seed[7])]


def test_summary_agrees_with_the_weights_that_are_kept() -> None:
    run(*TINY, "epochs=3", "probe=none", "activation=tanh")
    (it,) = runs_below(Path("runs"))

    from isoexp.data import Spheres

    splits = Spheres(train=64, valid=16, test=16).load().standardized()
    w = torch.load(it.folder / "checkpoint.pt", weights_only=True)["model"]
    h = torch.from_numpy(splits.test.x)
    for k in range(2):
        h = torch.tanh(h @ w[f"hidden.{k}.linear.weight"].T + w[f"hidden.{k}.linear.bias"])
    logits = h @ w["readout.weight"].T + w["readout.bias"]
    y = torch.from_numpy(splits.test.y)

    assert it.summary["test/accuracy"] == pytest.approx(
        (logits.argmax(1) == y).float().mean().item()
    )
    assert it.summary["test/loss"] == pytest.approx(
        torch.nn.functional.cross_entropy(logits, y).item(), rel=1e-5
    )


def test_a_completed_run_is_not_run_again_unless_forced() -> None:
    first = run(*TINY, "epochs=1", "probe=none")
    (it,) = runs_below(Path("runs"))
    before = (it.folder / "metrics.parquet").stat().st_mtime_ns

    assert isinstance(first[-1], Ended)
    assert run(*TINY, "epochs=1", "probe=none") == [AlreadyDone(it)]
    assert (it.folder / "metrics.parquet").stat().st_mtime_ns == before

    assert isinstance(run(*TINY, "epochs=1", "probe=none", "force=true")[-1], Ended)
    assert (it.folder / "metrics.parquet").stat().st_mtime_ns > before
    assert it.state["attempt"] == 2


def test_only_missing_members_are_trained() -> None:
    run(*TINY, "epochs=1", "probe=none", "seed=1")
    events = run(*TINY, "epochs=1", "probe=none", "seeds=3")

    assert sum(isinstance(e, AlreadyDone) for e in events) == 1
    assert sorted(seed_of(e.run) for e in events if isinstance(e, Ended)) == [0, 2]


@pytest.mark.parametrize("activation", ["tanh", "iso_tanh", "quasi_isotropic"])
def test_a_member_is_the_solo_run_of_its_seed(activation: str) -> None:
    words = (*TINY, "epochs=4", "probe=none", "precision=float64", f"activation={activation}")
    run(*words, "seeds=3", "out=together")
    for seed in range(3):
        run(*words, f"seed={seed}", "out=alone")

    (a, weights_a), (b, weights_b) = left(Path("together")), left(Path("alone"))

    pd.testing.assert_frame_equal(a, b, rtol=1e-12)
    for seed, weights in weights_a.items():
        for name, w in weights.items():
            torch.testing.assert_close(w, weights_b[seed][name], rtol=1e-11, atol=1e-13)


def test_the_same_command_gives_the_same_bits() -> None:
    for out in ("a", "b"):
        run(*TINY, "epochs=3", "probe=none", "seeds=2", f"out={out}")

    assert_equal(Path("a"), Path("b"))


def test_probes_change_nothing_in_training() -> None:
    run(*TINY, "epochs=2", "probe=none", "out=a")
    run(*TINY, "epochs=2", "probe=[refraction,alignment]", *BRIEF[:2], *BRIEF[4:], "out=b")

    (_, a), (_, b) = left(Path("a")), left(Path("b"))
    assert all(torch.equal(w, b[0][name]) for name, w in a[0].items())


def test_flat_targets_are_one_value_a_sample(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """y of shape (n,) is y of shape (n, 1); subtracted as it is, it would broadcast to (n, n)."""

    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "flat")
    (folder / "flat.py").write_text(
        "from isoexp.data import Teacher\n\n\n"
        "class Flat(Teacher):\n"
        "    def draw(self, rng, count):\n"
        "        x, y = super().draw(rng, count)\n"
        "        return x, y[:, 0]\n"
    )
    words = ("data=teacher", "data.train=64", *TINY[2:], "data.values=1", "epochs=3", "probe=none")
    run(*words, "out=column")
    run(*words, "data._target_=flat.Flat", "out=flat")
    (column,), (flat,) = runs_below(Path("column")), runs_below(Path("flat"))

    assert flat.summary["test/loss"] == column.summary["test/loss"]
    with pytest.raises(UserError, match="targets have 1 values, outputs says 4"):
        run(*words, "data._target_=flat.Flat", "data.values=4")


def test_what_is_typed_goes_before_what_an_experiment_says(folder: Path) -> None:
    (folder / "own" / "experiment").mkdir(parents=True)
    yaml = folder / "own" / "experiment" / "short.yaml"
    yaml.write_text("# @package _global_\nsteps: 2\n")

    def steps(*words: str) -> int:
        job = prepare(compose([*TINY, "experiment=short", *words], [folder / "own"]))
        return job.lab().steps

    assert steps() == 2
    assert steps("epochs=2") == 6
    assert steps("steps=5") == 5

    yaml.write_text("steps: 2\n")
    with pytest.raises(UserError, match="must begin with: # @package _global_"):
        steps()


def test_r2_is_that_of_the_split() -> None:
    run("model=autoencoder", "data=digits", "epochs=1", "probe=none", "batch_size=200")
    (it,) = runs_below(Path("runs"))

    from isoexp.data import Digits

    x = torch.from_numpy(Digits().load().standardized().test.x).flatten(1).double()
    variance = (x - x.mean(0)).square().mean()
    assert it.summary["test/r2"] == pytest.approx(1 - it.summary["test/loss"] / variance.item())


def test_the_logged_gradient_is_that_before_clipping() -> None:
    run(*TINY, "steps=1", "probe=none", "out=free")
    run(*TINY, "steps=1", "probe=none", "clip=norm", "clip.limit=1e-3", "out=clipped")
    norms = [isoexp.read(out)["grad_norm"].tolist()[-1] for out in ("free", "clipped")]

    assert norms[0] == pytest.approx(norms[1], rel=1e-6)
    assert norms[0] > 1e-2


def test_the_numbers_of_a_configuration_are_those_of_this_version() -> None:
    """If this fails on purpose, raise NUMBERS in identity.py: old runs are other runs then."""

    assert NUMBERS == 3
    run(*TINY, "epochs=2", "probe=none", "precision=float64", "activation=iso_tanh")
    losses = isoexp.read("runs")["valid/loss"].tolist()

    assert losses[::3] == pytest.approx(GOLDEN, rel=1e-7)


def test_two_at_once_one_runs_and_the_other_says_so() -> None:
    words = [*TINY, "epochs=1", "probe=none"]
    one = execute([prepare(compose(words))])
    next(one)

    (held,) = run(*words)
    assert isinstance(held, HeldElsewhere)
    assert f"process {os.getpid()}" in held.message

    assert isinstance(list(one)[-1], Ended)


@pytest.mark.parametrize(
    ("words", "score"),
    [
        (("model=autoencoder", "data=digits", "batch_size=500"), "r2"),
        (("data=teacher",), "r2"),
        (("model=linear",), "accuracy"),
        (("precision=bfloat16",), "accuracy"),
        (("norm=layer", "init=orthogonal", "clip=norm", "optimizer=adamw"), "accuracy"),
        (("optimizer=sgd", "clip=value", "schedule=constant", "model.bias=false"), "accuracy"),
    ],
)
def test_every_kind_of_task(words: tuple[str, ...], score: str) -> None:
    data = () if "data=teacher" in words or "data=digits" in words else TINY
    run(*data, "epochs=1", *words, "probe=ood_magnitude", *BRIEF[2:4])
    (it,) = runs_below(Path("runs"))

    assert it.status == "completed", it.state
    assert f"test/{score}" in it.summary
    assert not left(Path("runs"))[0][f"valid/{score}"].isna().any()
