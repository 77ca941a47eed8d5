"""Tests for isoexp.experiment: runs that are whole, that resume, that are done once."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

import isoexp
from isoexp import records
from isoexp.errors import UserError
from isoexp.experiment import trial
from isoexp.experiment.composition import compose
from isoexp.experiment.execution import (
    Aborted,
    AlreadyDone,
    HeldElsewhere,
    execute,
    prepare,
)
from isoexp.experiment.record import Record
from isoexp.experiment.trial import Ended
from isoexp.identity import NUMBERS
from isoexp.runs import runs_below

from .runs import BRIEF, TINY, assert_equal, left, run

pytestmark = pytest.mark.usefixtures("folder", "undrawn")


GOLDEN = [1.1101987456942695, 1.0730709744835623, 1.0611590968219313]
"""Validation losses after 0, 3 and 6 updates."""


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and the kernel frees the locks."""


def test_a_run_leaves_all_that_it_promises() -> None:
    run(*TINY, "epochs=2", "activation=iso_tanh", "seed=3", *BRIEF)
    (it,) = runs_below(Path("runs"))

    assert {str(p.relative_to(it.folder)) for p in it.folder.rglob("*") if p.is_file()} == {
        ".lock",
        "config.yaml",
        "provenance.json",
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
    assert sorted(e.record.seed for e in events if isinstance(e, Ended)) == [0, 2]


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


@pytest.mark.parametrize("seeds", ["seeds=1", "seeds=2"])
def test_killed_at_any_write_it_ends_with_the_same_bits(
    seeds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every move of a file into place and every line appended, one after the other."""

    words = (*TINY, "batch_size=32", "steps=2", "probe=none", seeds)
    run(*words, "out=whole")
    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))

    replace, append, n = os.replace, records.append_line, 0
    for n in count():
        left_to_do = n

        def write(do, *args: object) -> None:
            nonlocal left_to_do
            if left_to_do == 0:
                left_to_do = -1
                raise Killed
            left_to_do -= left_to_do > 0
            do(*args)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", lambda *args: write(replace, *args))
            patch.setattr(
                "isoexp.experiment.record.append_line", lambda *args: write(append, *args)
            )
            try:
                run(*words, "out=killed")
            except Killed:
                pass
            else:
                break

        run(*words, "out=killed")
        assert {it.status for it in runs_below(Path("killed"))} == {"completed"}, n
        assert_equal(Path("killed"), Path("whole"))
        Path("killed").rename(f"killed-at-{n}")

    assert n > 15, "the writes were not found"


def test_it_resumes_rather_than_starting_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: updates before the checkpoint are not made again."""

    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    saved = []

    def save(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        saved.append(args[5])
        if len(saved) == 3:
            raise Killed

    real = trial._save
    monkeypatch.setattr(trial, "_save", save)
    words = (*TINY, "epochs=3", "probe=none")
    with pytest.raises(Killed):
        run(*words)
    monkeypatch.setattr(trial, "_save", real)

    first = next(e for e in run(*words) if isinstance(e, trial.Advance))
    assert first.step == saved[-1] + 1 > 1


@pytest.mark.slow
def test_kill_9_and_the_same_command_again(folder: Path) -> None:
    """A real SIGKILL of a real process, once it has made a checkpoint."""

    words = ["epochs=100", "probe=none", "model.widths=[8]"]
    command = [sys.executable, "-m", "isoexp", "train", *words, "out=killed"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not list(folder.glob("killed/**/checkpoint.pt")):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)

    (it,) = runs_below(Path("killed"))
    assert it.state["state"] == "running"
    assert it.status == "interrupted"

    run(*words, "out=killed")
    run(*words, "out=whole")
    assert_equal(Path("killed"), Path("whole"))


def test_a_diverging_member_fails_alone() -> None:
    """Its weights are made NaN; the others end as if it had never been there."""

    words = (*TINY, "epochs=3", "probe=none", "precision=float64", "activation=tanh")
    run(*words, "seeds=[0,2]", "out=without")

    build = torch.nn.Linear.reset_parameters
    broken = 0

    def reset(layer: torch.nn.Linear) -> None:
        nonlocal broken
        build(layer)
        if layer.out_features == 3:
            broken += 1
            if broken == 3:  # one network is tried out first, then seeds 0, 1
                layer.weight.data.fill_(float("nan"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Linear, "reset_parameters", reset)
        events = run(*words, "seeds=3", "out=with")

    ended = {e.record.seed: e for e in events if isinstance(e, Ended)}
    assert {seed: e.status for seed, e in ended.items()} == {
        0: "completed",
        1: "failed",
        2: "completed",
    }
    assert "diverged at update 1 of 9" in str(ended[1].reason)

    failed = ended[1].record.run
    assert failed.state["state"] == "failed"
    assert len(pd.read_parquet(failed.folder / "metrics.parquet")) == 1

    (rows, weights), (expected, others) = left(Path("with")), left(Path("without"))
    rows = rows.loc[rows["seed"] != 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, expected, rtol=1e-12)
    assert weights.keys() == others.keys()


def test_networks_trained_apart_go_on_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined by new seeds, an interrupted run keeps the updates that it has made."""

    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    words = (*TINY, "epochs=3", "probe=none", "precision=float64")

    def stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        raise Killed

    save = trial._save
    with monkeypatch.context() as patch:
        patch.setattr(trial, "_save", stop)
        with pytest.raises(Killed):
            run(*words, "seed=1", "out=joined")

    events = run(*words, "seeds=3", "out=joined")
    run(*words, "seeds=3", "out=whole")

    starts = [e.step for e in events if isinstance(e, trial.Advance)]
    assert len(starts) == 8 + 9  # seed 1 from its first checkpoint on, seeds 0 and 2 as one
    (a, _), (b, _) = left(Path("joined")), left(Path("whole"))
    pd.testing.assert_frame_equal(a, b, rtol=1e-12)


def test_a_failed_run_is_run_again() -> None:
    words = (
        *TINY,
        "steps=6",
        "probe=none",
        "activation=relu",
        "optimizer=sgd",
        "optimizer.lr=1e30",
    )
    for _ in range(2):
        (ended,) = [e for e in run(*words) if isinstance(e, Ended)]
        assert ended.status == "failed"
        assert "not finite" in str(ended.reason)


def test_an_exception_fails_the_run_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the end\nbroke")

    with monkeypatch.context() as patch:
        patch.setattr(Record, "summarize", broken)
        events = run(*TINY, "epochs=1", "probe=none")
    (it,) = runs_below(Path("runs"))

    assert isinstance(events[-1], Ended)
    assert (events[-1].status, events[-1].reason) == ("failed", "RuntimeError: the end broke")
    assert it.state["state"] == "failed"
    assert "broke" in (it.folder / "error.txt").read_text()
    assert len(pd.read_parquet(it.folder / "metrics.parquet")) == 4

    # What was trained is not trained again.
    assert not any(isinstance(e, trial.Advance) for e in run(*TINY, "epochs=1", "probe=none"))
    assert it.status == "completed"
    assert not (it.folder / "error.txt").exists()


def test_an_exception_in_one_network_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(record: Record, *args: object) -> None:
        if record.seed == 0:
            raise RuntimeError("broke")
        complete(record)

    complete = Record.complete
    monkeypatch.setattr(Record, "complete", broken)
    ended = [e for e in run(*TINY, "epochs=1", "probe=none", "seeds=3") if isinstance(e, Ended)]

    assert [e.status for e in ended] == ["failed", "completed", "completed"]


def test_an_exception_in_training_fails_all_with_one_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("…")

    with monkeypatch.context() as patch:
        patch.setattr(trial, "fit", broken)
        events = run(*TINY, "epochs=1", "probe=none", "seeds=2")

    assert isinstance(events[-1], Aborted)
    assert "lower batch_size" in events[-1].reason
    assert {it.status for it in runs_below(Path("runs"))} == {"failed"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_is_completed_stays_completed(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """An interruption after the last write, before anyone is told."""

    def late() -> None:
        raise error

    finish = Record.finish

    with monkeypatch.context() as patch:
        patch.setattr(Record, "finish", lambda *args: (finish(*args), late()))
        with contextlib.suppress(KeyboardInterrupt):
            run(*TINY, "epochs=1", "probe=none")
    (it,) = runs_below(Path("runs"))

    assert it.status == "completed"
    assert len(pd.read_parquet(it.folder / "metrics.parquet")) == 4


def test_noise_of_the_forward_pass_is_that_of_the_seed_and_the_update(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A network with dropout: the same bits whatever was drawn before, killed or not."""

    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("ISOEXP_ALLOW", "noisy")
    (folder / "noisy.py").write_text(
        "from torch import nn\nfrom isoexp.activations import Tanh\n\n\n"
        "class Noisy(Tanh):\n"
        "    def scalar(self, x):\n"
        "        return nn.functional.dropout(x.tanh(), 0.5, self.training)\n"
    )
    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    words = (*TINY, "epochs=2", "probe=none", "activation=tanh", "activation._target_=noisy.Noisy")

    def stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        raise Killed

    save = trial._save
    run(*words, "out=whole")
    torch.rand(7)
    with monkeypatch.context() as patch:
        patch.setattr(trial, "_save", stop)
        with pytest.raises(Killed):
            run(*words, "out=killed")
    run(*words, "out=killed")
    assert_equal(Path("killed"), Path("whole"))

    with pytest.raises(UserError, match="trained one by one"):
        run(*words, "seeds=2", "out=together")


def test_a_diverged_member_does_not_hold_the_others_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed after one of two has diverged, the other goes on from its checkpoint."""

    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    words = (*TINY, "epochs=3", "probe=none")

    def stop(ensemble: object, optimizers: object, meter: object, k: int, *rest: object) -> None:
        save(ensemble, optimizers, meter, k, *rest)  # type: ignore[arg-type]
        if rest[1] == 5:
            raise Killed

    save = trial._save
    with monkeypatch.context() as patch:
        patch.setattr(trial, "_save", stop)
        with pytest.raises(Killed):
            run(*words, "seeds=2")
    first, second = runs_below(Path("runs"))
    first.write_state("failed", reason="diverged at update 3 of 9: …")

    steps = [e.step for e in run(*words, "seeds=2") if isinstance(e, trial.Advance)]
    # One goes on from update 4 or 5 of 9, the other starts afresh.
    assert len(steps) in (4 + 9, 5 + 9)
    assert {it.status for it in (first, second)} == {"completed"}


def test_forcing_repeats_what_is_completed_and_resumes_what_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    words = (*TINY, "epochs=3", "probe=none", "force=true")
    run(*words)

    def stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        raise Killed

    save = trial._save
    with monkeypatch.context() as patch:
        patch.setattr(trial, "_save", stop)
        with pytest.raises(Killed):
            run(*words)

    assert [e.step for e in run(*words) if isinstance(e, trial.Advance)] == list(range(2, 10))


def test_rows_that_are_lost_are_had_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint without the rows before it is not gone on from."""

    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    words = (*TINY, "epochs=3", "probe=none")

    def stop(*args: object) -> None:
        save(*args)  # type: ignore[arg-type]
        if args[5] == 5:
            raise Killed

    save = trial._save
    run(*words, "out=whole")
    harms = {"lost": lambda path: path.unlink(), "cut": lambda path: path.write_text("{broken}\n")}
    for out, harm in harms.items():
        with monkeypatch.context() as patch:
            patch.setattr(trial, "_save", stop)
            with pytest.raises(Killed):
                run(*words, f"out={out}")
        (it,) = runs_below(Path(out))
        harm(it.lines)

        run(*words, f"out={out}")
        assert_equal(Path(out), Path("whole"))


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
    words = ("data=teacher", "data.values=1", "epochs=3", "probe=none")
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
        return job.bench().steps

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

    assert NUMBERS == 1
    run(*TINY, "epochs=2", "probe=none", "precision=float64", "activation=iso_tanh")
    losses = isoexp.read("runs")["valid/loss"].tolist()

    assert losses[::3] == pytest.approx(GOLDEN, rel=1e-7)


def test_stopping_to_listen_interrupts_and_the_same_command_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trial, "SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(trial, "SAVE_SHARE", float("inf"))
    words = (*TINY, "epochs=3", "probe=none")

    events = execute(prepare(compose([*words, "out=stopped"])))
    for event in events:
        if isinstance(event, trial.Advance) and event.step == 5:
            break
    events.close()

    (it,) = runs_below(Path("stopped"))
    assert it.status == "interrupted"

    run(*words, "out=stopped")
    run(*words, "out=whole")
    assert_equal(Path("stopped"), Path("whole"))


def test_two_at_once_one_runs_and_the_other_says_so() -> None:
    words = [*TINY, "epochs=1", "probe=none"]
    one = execute(prepare(compose(words)))
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


@pytest.mark.slow
def test_compiled_runs_agree(folder: Path) -> None:
    """In a process of its own: the checks of shapes and torch.compile exclude each other."""

    # Two updates: each size of batch, the last of an epoch too, would be compiled by itself.
    words = [*TINY, "steps=2", "probe=none", "seeds=2", "precision=float64", "model.widths=[8]"]
    run(*words, "out=plain")
    command = [sys.executable, "-m", "isoexp", "train", *words, "compile=true", "out=compiled"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    (a, _), (b, _) = left(Path("plain")), left(Path("compiled"))
    pd.testing.assert_frame_equal(a, b, rtol=1e-9)
