"""Tests for isoexp.training."""

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam

from isoexp import training
from isoexp.activations import IsoTanh
from isoexp.dropout import ElementwiseDropout
from isoexp.ensemble import Ensemble
from isoexp.inits import Default
from isoexp.models import MLP, Autoencoder
from isoexp.models.blocks import Forms
from isoexp.optimizers import ClipNorm, ClipValue, Constant, Cosine, NoClip
from isoexp.regularizers import L2, NoRegularizer
from isoexp.streams import seeded
from isoexp.training import (
    Classification,
    Objective,
    Reconstruction,
    Regression,
    batches,
    evaluate,
    fit,
)

from . import references

pytestmark = pytest.mark.usefixtures("float64")


def identity(n: int) -> nn.Module:
    return nn.Identity()


def mlp(seed: int, outputs: int = 3) -> MLP:
    with seeded(seed, "weights"):
        return MLP((6,), outputs, Forms(IsoTanh, identity, Default()), [8])


# --- batches --------------------------------------------------------------------------------

ROWS = torch.arange(10)
"""Samples that are their own numbers."""


def order(seeds: list[int], batch_size: int, steps: int, start: int = 0) -> list[list[list[int]]]:
    """Returns which samples each network is given at each update."""

    return [x.tolist() for x, _ in batches(ROWS, ROWS, seeds, batch_size, steps, start)]


@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 64])
def test_every_epoch_sees_each_sample_once(batch_size: int) -> None:
    per_epoch = -(-10 // batch_size)
    found = order([0, 1], batch_size, 3 * per_epoch)

    epochs = []
    for k in range(2):
        for e in range(3):
            seen = [i for b in found[e * per_epoch : (e + 1) * per_epoch] for i in b[k]]
            assert sorted(seen) == ROWS.tolist()
            epochs.append(tuple(seen))
    assert len(set(epochs)) == 6, "an order came twice"

    # All batches are full but the last of an epoch.
    sizes = [len(b[0]) for b in found[:per_epoch]]
    assert sizes == [min(batch_size, 10)] * (per_epoch - 1) + [10 - (per_epoch - 1) * batch_size]


def test_the_order_is_a_function_of_the_seed_alone() -> None:
    """Not of the company, of what was drawn elsewhere, or of the number of updates."""

    together = order([4, 7], 3, 9)
    torch.rand(11)
    alone = order([7], 3, 20)

    assert [b[1] for b in together] == [b[0] for b in alone[:9]]
    assert [b[0] for b in together] != [b[1] for b in together]


def test_the_order_is_frozen() -> None:
    """Another order would be another experiment: old runs could not be repeated."""

    assert order([0], 5, 3) == [[[5, 1, 0, 6, 3]], [[9, 7, 2, 8, 4]], [[6, 7, 5, 9, 1]]]


@pytest.mark.parametrize("start", [1, 3, 4, 7, 8, 12])
def test_a_later_start_goes_on_exactly(start: int) -> None:
    assert order([0, 1], 3, 12, start) == order([0, 1], 3, 12)[start:]


def test_inputs_and_targets_stay_together() -> None:
    x = torch.randn(10, 2, 3)
    for a, b in batches(x, ROWS, [0, 1], 4, 6):
        assert a.shape == (2, len(b[0]), 2, 3)
        assert torch.equal(a, x[b])


# --- objectives -----------------------------------------------------------------------------


def test_classification_is_its_formula() -> None:
    logits, y = torch.randn(2, 5, 4), torch.randint(4, (2, 5))
    objective = Classification()

    losses = objective.losses(logits, logits, y)
    scores = objective.scores(logits, logits, y)

    for k in range(2):
        for i in range(5):
            expected = references.softmax_cross_entropy(logits[k, i].numpy(), int(y[k, i]))
            assert losses[k, i].item() == pytest.approx(expected, rel=1e-13)
            assert scores[k, i] == (int(np.argmax(logits[k, i].numpy())) == y[k, i])
        torch.testing.assert_close(losses[k].mean(), F.cross_entropy(logits[k], y[k]))


@pytest.mark.parametrize("lost", [torch.nan, torch.inf, -torch.inf])
def test_outputs_that_are_not_finite_have_no_accuracy(lost: float) -> None:
    """The argmax of NaN is the class of its place; each sample and step by itself."""

    logits, y = torch.randn(2, 5, 3, 4), torch.zeros(2, 5, 3, dtype=torch.long)
    logits[1, 2, 1, 0] = lost
    scores = Classification().scores(logits, logits, y)

    assert scores[1, 2].isnan()
    assert scores.isnan().sum() == 1


def test_a_network_of_nan_has_no_accuracy() -> None:
    network = mlp(0)
    nn.init.constant_(network.readout.weight, torch.nan)
    x = torch.randn(9, 6)
    found = evaluate(Ensemble([network]), x, torch.zeros(9, dtype=torch.long), Classification())

    assert all(each.isnan().all() for each in found)


def test_classification_at_each_step_is_the_mean_over_the_steps() -> None:
    """A sample of T answers counts once, as one of one answer does."""

    logits, y = torch.randn(2, 5, 7, 4), torch.randint(4, (2, 5, 7))
    objective = Classification()

    losses = objective.losses(logits, logits, y)
    scores = objective.scores(logits, logits, y)

    assert losses.shape == scores.shape == (2, 5)
    for k in range(2):
        for i in range(5):
            row = [
                references.softmax_cross_entropy(logits[k, i, t].numpy(), int(y[k, i, t]))
                for t in range(7)
            ]
            right = [int(logits[k, i, t].argmax()) == int(y[k, i, t]) for t in range(7)]
            assert losses[k, i].item() == pytest.approx(sum(row) / 7, rel=1e-13)
            assert scores[k, i].item() == pytest.approx(sum(right) / 7, rel=1e-13)

    once = objective.losses(logits[:, :, 0], logits, y[:, :, 0])
    assert torch.equal(objective.losses(logits[:, :, :1], logits, y[:, :, :1]), once)


def test_regression_is_its_formula() -> None:
    outputs, y, x = torch.randn(2, 5, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 6)
    objective = Regression()

    for k in range(2):
        expected = F.mse_loss(outputs[k], y[k])
        torch.testing.assert_close(objective.losses(outputs, x, y)[k].mean(), expected)
        torch.testing.assert_close(objective.scores(outputs, x, y)[k].mean(), 1 - expected)


def test_regression_is_told_in_the_units_of_the_targets() -> None:
    """Minimised where each value counts alike; R² is that of the targets as they were."""

    units, raw = torch.tensor([3.0, 0.1]), torch.randn(40, 2) * torch.tensor([3.0, 0.1])
    y, outputs, x = raw / units, torch.randn(1, 40, 2), torch.randn(1, 40, 6)
    objective = Regression.on(x[0], y, units.tolist())
    losses = objective.losses(outputs, x, y[None])
    error = F.mse_loss(units * outputs[0], raw)

    torch.testing.assert_close(losses.mean(), F.mse_loss(outputs[0], y))
    torch.testing.assert_close(objective.in_units(losses, outputs, x, y[None]).mean(), error)
    expected = 1 - error / raw.var(dim=0, correction=0).mean()
    torch.testing.assert_close(objective.scores(outputs, x, y[None]).mean(), expected)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e7])
@pytest.mark.parametrize("samples", [1, 3, 10])
def test_r2_of_a_constant_target_is_undefined(level: float, samples: int) -> None:
    """Its variance is 0, or what the mean was rounded by."""

    x, y = torch.randn(1, samples, 2), torch.full((1, samples, 2), level, dtype=torch.float64)
    for outputs in (y, y + 1):
        assert Regression.on(x[0], y[0]).scores(outputs, x, y).isnan().all()

    y[0, 0, 0] += 1  # the control: one value varies
    assert samples == 1 or Regression.on(x[0], y[0]).scores(y, x, y).eq(1).all()


def test_reconstruction_is_of_the_input() -> None:
    x, y = torch.randn(2, 5, 1, 4, 4), torch.randint(4, (2, 5))
    outputs = torch.randn(2, 5, 1, 4, 4)
    objective = Reconstruction()

    losses = objective.losses(outputs, x, y)
    assert losses.shape == (2, 5)
    torch.testing.assert_close(losses.mean(), F.mse_loss(outputs, x))
    assert objective.losses(x, x, y).eq(0).all()
    assert objective.scores(x, x, y).eq(1).all()


@pytest.mark.parametrize("objective", [Classification(), Regression(), Reconstruction()])
def test_objectives_name_their_score(objective: Objective) -> None:
    assert isinstance(objective, Objective)
    assert objective.score in {"accuracy", "r2"}


# --- fit ------------------------------------------------------------------------------------


def samples() -> tuple[Tensor, Tensor]:
    return torch.randn(50, 6), torch.randint(3, (50,))


@pytest.mark.parametrize("clip", ["none", "norm", "value"])
def test_fit_is_the_loop_that_everybody_writes(clip: str) -> None:
    """Against plain PyTorch: one network, its optimizer, its clipping, LambdaLR."""

    x, y = samples()
    model, plain = mlp(3), mlp(3)
    schedule = Cosine(warmup=0.2)

    ensemble = Ensemble([model])
    clips = {"none": NoClip(), "norm": ClipNorm(0.3), "value": ClipValue(0.02)}
    optimizers = ensemble.optimizers(lambda p: Adam(p, 0.02))
    order = batches(x, y, [3], 16, 20)
    steps = list(fit(ensemble, order, optimizers, Classification(), schedule, clips[clip], 20))

    optimizer = Adam(plain.parameters(), 0.02)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: schedule(i + 1, 20))
    for step, (a, b) in zip(steps, batches(x, y, [3], 16, 20), strict=True):
        optimizer.zero_grad()
        outputs = plain(a[0])
        loss = F.cross_entropy(outputs, b[0])
        loss.backward()
        if clip == "norm":
            nn.utils.clip_grad_norm_(plain.parameters(), 0.3)
        elif clip == "value":
            nn.utils.clip_grad_value_(plain.parameters(), 0.02)
        optimizer.step()
        scheduler.step()

        # clip_grad_norm_ adds 1e-6 to the norm it divides by.
        torch.testing.assert_close(step.losses[0], loss.detach(), rtol=1e-5, atol=0)
        assert step.scores[0] == (outputs.argmax(dim=1) == b[0]).double().mean()

    for p, q in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)
    assert [step.index for step in steps] == list(range(1, 21))


def test_a_step_holds_what_was_before_the_update() -> None:
    x, y = samples()
    ensemble = Ensemble([mlp(0), mlp(1)])
    before = [evaluate(Ensemble([mlp(k)]), x, y, Classification()) for k in range(2)]

    optimizers = ensemble.optimizers(lambda p: SGD(p, 0.1))
    order = batches(x, y, [0, 1], 50, 1)  # one batch of all
    (step,) = fit(ensemble, order, optimizers, Classification(), Constant(), NoClip(), 1)

    for k, (loss, score) in enumerate(before):
        torch.testing.assert_close(step.losses[k], loss[0])
        torch.testing.assert_close(step.scores[k], score[0])
    assert not step.losses.requires_grad


def test_the_rate_follows_the_schedule_from_where_it_starts() -> None:
    """Resumed, or told of the optimizers twice, it is the same function of the update."""

    x, y = samples()
    ensemble = Ensemble([mlp(0)])
    schedule = Cosine(warmup=0.3, floor=0.1)

    def rates(start: int, end: int, optimizers) -> list[float]:
        order = batches(x, y, [0], 16, end, start)
        steps = fit(ensemble, order, optimizers, Classification(), schedule, NoClip(), 12, start)

        return [optimizers[0].param_groups[0]["lr"] for _ in steps]

    expected = [0.5 * schedule(i, 12) for i in range(1, 13)]
    build = lambda: ensemble.optimizers(lambda p: SGD(p, 0.5))
    optimizers = build()

    assert rates(0, 12, optimizers) == pytest.approx(expected)
    assert rates(5, 12, optimizers) == pytest.approx(expected[5:])
    assert rates(5, 12, build()) == pytest.approx(expected[5:])


def test_the_caller_may_evaluate_and_stop_between_updates() -> None:
    """Dropout is on again at the next update, and nothing is trained that is not asked for."""

    x, y = samples()
    model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    ensemble = Ensemble([model])
    optimizers = ensemble.optimizers(lambda p: SGD(p, 0.1))
    modes = []
    model[1].register_forward_hook(lambda module, *_: modes.append(module.training))

    order = batches(x, y, [0], 16, 100)
    for step in fit(ensemble, order, optimizers, Classification(), Constant(), NoClip(), 100):
        evaluate(ensemble, x, y, Classification())
        if step.index == 2:
            break

    assert modes == [True, False, True, False]


@pytest.mark.parametrize("seeds", [[0], [0, 1, 2]], ids=["alone", "together"])
def test_training_is_deterministic(seeds: list[int]) -> None:
    """Same seeds, same bits."""

    x, y = samples()

    def run() -> list[list[float]]:
        ensemble = Ensemble([mlp(s) for s in seeds])
        optimizers = ensemble.optimizers(lambda p: Adam(p, 0.01))
        order = batches(x, y, seeds, 16, 15)
        steps = fit(ensemble, order, optimizers, Classification(), Cosine(), ClipNorm(1.0), 15)

        return [step.losses.tolist() for step in steps]

    first = run()
    torch.rand(7)

    assert first == run()


def test_it_learns() -> None:
    """The sanity of the whole: labels that a line tells apart are learnt, noise is not known."""

    x = torch.randn(200, 6)
    y = (x[:, 0] > 0).long()
    ensemble = Ensemble([mlp(0, outputs=2), mlp(1, outputs=2)])
    optimizers = ensemble.optimizers(lambda p: Adam(p, 0.02))
    for _ in fit(
        ensemble,
        batches(x, y, [0, 1], 50, 150),
        optimizers,
        Classification(),
        Constant(),
        NoClip(),
        150,
    ):
        pass

    loss, accuracy = evaluate(ensemble, x, y, Classification())
    assert (accuracy > 0.97).all()
    assert (loss < 0.15).all()


def test_an_autoencoder_is_trained_to_reconstruct() -> None:
    x = torch.randn(40, 1, 2, 3)
    model = Autoencoder((1, 2, 3), 0, Forms(IsoTanh, identity, Default()), [8], 6)
    ensemble = Ensemble([model])
    optimizers = ensemble.optimizers(lambda p: Adam(p, 0.02))
    order = batches(x, torch.zeros(40, dtype=torch.long), [0], 20, 200)
    steps = list(fit(ensemble, order, optimizers, Reconstruction(), Constant(), NoClip(), 200))

    assert steps[-1].losses.item() < 0.3 * steps[0].losses.item()


def noisy(seed: int) -> MLP:
    with seeded(seed, "weights"):
        return MLP(
            (6,), 3, Forms(IsoTanh, identity, Default(), partial(ElementwiseDropout, keep=0.5)), [8]
        )


def test_noise_is_of_the_seed_and_of_the_update() -> None:
    """Not of the company, of how many updates were made here, or of the global generator."""

    x, y = samples()

    def drawn(seeds: list[int] | None, members: int, start: int = 0) -> list[Tensor]:
        ensemble = Ensemble([noisy(3) for _ in range(members)])
        optimizers = ensemble.optimizers(lambda p: SGD(p, 0.0))
        order = batches(x, y, [3] * members, 50, 4, start)
        objective = Classification()
        steps = fit(
            ensemble, order, optimizers, objective, Constant(), NoClip(), 4, start, seeds=seeds
        )

        return [step.losses for step in steps]

    together = drawn([5, 9], 2)
    torch.rand(11)
    for k, seed in enumerate([5, 9]):
        for a, b in zip(together, drawn([seed], 1), strict=True):
            torch.testing.assert_close(a[k], b[0], rtol=1e-13, atol=0)
    later = drawn([5, 9], 2, start=2)
    assert all(torch.equal(a, b) for a, b in zip(later, together[2:], strict=True))

    assert len({float(v) for step in together for v in step}) == 8, "some noise came twice"
    default = zip(drawn(None, 2), drawn([0, 1], 2), strict=True)
    assert all(torch.equal(a, b) for a, b in default)


def test_penalties_are_apart_from_losses() -> None:
    """What is logged as the loss is that of the data; what is minimised is the sum."""

    x, y = samples()
    plain, penalised = Ensemble([mlp(0), mlp(1)]), Ensemble([mlp(0), mlp(1)])
    steps = []
    for ensemble, regularizer in [(plain, NoRegularizer()), (penalised, L2(strength=0.5))]:
        optimizers = ensemble.optimizers(lambda p: SGD(p, 0.1))
        order = batches(x, y, [0, 1], 50, 1)
        objective = Classification()
        (step,) = fit(
            ensemble,
            order,
            optimizers,
            objective,
            Constant(),
            NoClip(),
            1,
            regularizer=regularizer,
        )
        steps.append(step)

    assert steps[0].penalties is None
    assert steps[1].penalties is not None
    assert not steps[1].penalties.requires_grad
    assert torch.equal(steps[0].losses, steps[1].losses)
    for k in range(2):
        start = mlp(k)
        matrices = [p for p in start.parameters() if p.dim() > 1]
        expected = 0.25 * sum(p.square().sum().item() for p in matrices)
        assert steps[1].penalties[k].item() == pytest.approx(expected)
        for name, p in start.named_parameters():
            # W ← W − lr (g + λ W); biases are not penalised.
            decay = 0.05 * p if p.dim() > 1 else 0 * p
            torch.testing.assert_close(
                penalised.state(k)[name], (plain.state(k)[name] - decay).detach()
            )


# --- evaluate -------------------------------------------------------------------------------


def test_evaluate_is_the_plain_mean() -> None:
    x, y = samples()
    ensemble = Ensemble([mlp(0), mlp(1)])
    losses, scores = evaluate(ensemble, x, y, Classification())

    for k in range(2):
        outputs = mlp(k)(x)
        torch.testing.assert_close(losses[k], F.cross_entropy(outputs, y).detach())
        assert scores[k] == (outputs.argmax(dim=1) == y).double().mean()
    assert losses.dtype == scores.dtype == torch.float64
    assert not losses.requires_grad


@pytest.mark.parametrize("rows", [1, 14, 100, 10**6])
def test_the_size_of_the_pieces_has_no_effect(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    x, y = samples()
    ensemble = Ensemble([mlp(0), mlp(1)])
    expected = evaluate(ensemble, x, y, Classification())
    monkeypatch.setattr(training, "AT_ONCE", rows * x[0].numel())

    torch.testing.assert_close(
        evaluate(ensemble, x, y, Classification()), expected, rtol=1e-14, atol=0
    )


def test_evaluate_sums_in_float64() -> None:
    """4,096 losses in float32, in one piece: their sum is exact to far less than their eps."""

    torch.set_default_dtype(torch.float32)
    x, y = torch.randn(4096, 6), torch.randint(3, (4096,))
    losses, _ = evaluate(Ensemble([mlp(0)]), x, y, Classification())
    # Of the same product: one network alone may be multiplied in another order.
    each = F.cross_entropy(Ensemble([mlp(0)])(x[None])[0], y, reduction="none").detach()

    torch.testing.assert_close(losses, each.double().mean()[None], rtol=1e-14, atol=0)


def test_evaluate_turns_dropout_off() -> None:
    x, y = samples()
    ensemble = Ensemble([nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3))])
    ensemble.train()
    first = evaluate(ensemble, x, y, Classification())

    assert torch.equal(first[0], evaluate(ensemble, x, y, Classification())[0])
