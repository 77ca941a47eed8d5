"""Tests for isoexp.ensemble with every model, every noise, and what is observed on the way."""

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.dropout import CorrelatedDropout, ElementwiseDropout, HaarDropout, IsotropicDropout
from isoexp.ensemble import Ensemble
from isoexp.models.blocks import Forms
from isoexp.noise import KEY
from isoexp.norms import BatchNorm, IsotropicBatchNorm
from isoexp.optimizers import Constant, NoClip
from isoexp.regularizers import L2, ActivationNorm, NoRegularizer, Regularizer
from isoexp.stochastic import Stochastic
from isoexp.streams import seeded, stream_seed
from isoexp.training import Classification, Reconstruction, Step, batches, evaluate, fit

from .models.tiny import MODELS, Tiny, forms
from .properties import assert_states_close, assert_states_equal

pytestmark = pytest.mark.usefixtures("float64")

SEEDS = [4, 7]
STEPS = 4
BATCH = 16  # of 40 samples: the last batch of an epoch has 8

SKEW = torch.logspace(-3, 0, 50)[:, None, None].double() * torch.tensor([[0, 1], [-1, 0]])

EXPONENTIAL = max(
    (torch.matrix_exp(A) - B).abs().max().item()
    for A, B in zip(SKEW, torch.matrix_exp(SKEW), strict=True)
)
"""The error of the exponential of one small matrix: 1e-10 in PyTorch 2.6, later rounding alone."""

TOLERANCE = max(1e-10, 100 * EXPONENTIAL)
"""Of the largest weight: batched products sum in another order, which four updates of slopes below
some hundreds multiply to no more than 10⁵ eps of float64. Steps of a basis are exponentials, whose
errors batch normalisation multiplies tenfold."""

NOISE: dict[str, Forms] = {
    "elementwise": forms(dropout=partial(ElementwiseDropout, keep=0.6)),
    "isotropic": forms(IsoTanh, dropout=partial(IsotropicDropout, keep=0.6)),
    "haar": forms(dropout=partial(HaarDropout, keep=0.6)),
    "walk": forms(dropout=partial(CorrelatedDropout, keep=0.6, step=0.3)),
    "stochastic": forms(partial(Stochastic, form=Tanh), IsotropicBatchNorm),
    "all": forms(
        partial(Stochastic, form=RadialBasis),
        BatchNorm,
        dropout=partial(CorrelatedDropout, keep=0.6),
    ),
}

PAIRS = [
    *(("mlp", noise) for noise in NOISE),
    *((model, "isotropic") for model in MODELS if model != "mlp"),
    ("cnn", "all"),
    ("rnn-each", "walk"),
    ("rnn", "all"),
    ("transformer", "walk"),
    ("transformer-each", "stochastic"),
]

each = pytest.mark.parametrize(("model", "noise"), PAIRS, ids=["-".join(pair) for pair in PAIRS])


def samples(tiny: Tiny) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(40, *tiny.inputs, generator=generator)

    return x, torch.randint(3, (40, *tiny.answer[:-1]), generator=generator)


def objective(tiny: Tiny) -> Any:
    return Reconstruction() if tiny.answer == tiny.inputs else Classification()


def networks(tiny: Tiny, form: Forms, seeds: Sequence[int]) -> list[nn.Module]:
    made = []
    for seed in seeds:
        with seeded(seed, "weights"):
            made.append(tiny.build(form))

    return made


def train(
    tiny: Tiny,
    ensemble: Ensemble,
    seeds: Sequence[int],
    start: int = 0,
    end: int = STEPS,
    optimizers: list[Optimizer] | None = None,
    regularizer: Regularizer = NoRegularizer(),  # noqa: B008  (it has no state)
) -> list[Step]:
    order = batches(*label_free(tiny), seeds, BATCH, end, start)
    given = optimizers or ensemble.optimizers(partial(SGD, lr=0.1))

    return list(
        fit(
            ensemble,
            order,
            given,
            objective(tiny),
            Constant(),
            NoClip(),
            STEPS,
            start,
            seeds,
            regularizer,
        )
    )


def label_free(tiny: Tiny) -> tuple[Tensor, Tensor]:
    x, y = samples(tiny)

    return x, (x if tiny.answer == tiny.inputs else y)


def trained(tiny: Tiny, form: Forms, seeds: Sequence[int], **given: Any) -> Ensemble:
    ensemble = Ensemble(networks(tiny, form, seeds), observe=bool(given))
    train(tiny, ensemble, seeds, **given)

    return ensemble


@cache
def outcome(model: str, noise: str, *seeds: int) -> list[dict[str, Tensor]]:
    """Returns the last state of each network; to be looked at only."""

    ensemble = trained(MODELS[model], NOISE[noise], seeds)

    return [ensemble.state(k) for k in range(len(seeds))]


# --- noise ----------------------------------------------------------------------------------


@each
def test_a_member_is_the_solo_run_of_its_seed(model: str, noise: str) -> None:
    for seed, state in zip(SEEDS, outcome(model, noise, *SEEDS), strict=True):
        (alone,) = outcome(model, noise, seed)
        assert_states_close(floats(state), floats(alone), TOLERANCE)
        for name, value in state.items():
            if not value.is_floating_point():
                assert torch.equal(value, alone[name]), name


def floats(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in state.items() if t.is_floating_point()}


@pytest.mark.parametrize(
    ("model", "noise"), [*(("mlp", noise) for noise in NOISE), ("rnn", "all"), ("cnn", "walk")]
)
@pytest.mark.parametrize("seeds", [SEEDS, [7]], ids=["together", "alone"])
def test_a_resumed_training_is_the_uninterrupted_one(
    model: str, noise: str, seeds: list[int]
) -> None:
    """Bit by bit, after 2 of 4 updates; evaluated in between, which draws nothing."""

    tiny, form, whole = MODELS[model], NOISE[noise], outcome(model, noise, *seeds)

    first = Ensemble(networks(tiny, form, seeds))
    train(tiny, first, seeds, end=2)
    evaluate(first, *label_free(tiny), objective(tiny))
    second = Ensemble(networks(tiny, form, [s + 100 for s in seeds]))
    for k in range(len(seeds)):
        second.load(k, first.state(k))
    torch.rand(11)
    train(tiny, second, seeds, start=2)

    for k in range(len(seeds)):
        assert_states_equal(second.state(k), whole[k])


@pytest.mark.parametrize("noise", NOISE)
def test_seeds_move_the_noise(noise: str) -> None:
    """The control: the same weights and batches, other seeds, another network."""

    tiny = MODELS["mlp"]
    found = []
    for seed in (0, 1, 0):
        ensemble = Ensemble(networks(tiny, NOISE[noise], [3]))
        ensemble.seed_noise([stream_seed(seed, "forward", 1)])
        ensemble.train()
        found.append(ensemble(samples(tiny)[0][None]))

    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])


def test_noisy_modules_have_keys_apart() -> None:
    """By path and by network; the seed of a network alone is that of the first."""

    tiny, form = MODELS["cnn"], NOISE["all"]
    ensemble = Ensemble(networks(tiny, form, SEEDS))
    ensemble.seed_noise([11, 12])
    keys = {n: b for n, b in ensemble.buffers.items() if n.endswith(".key")}

    assert len(keys) == 10  # an activation and a dropout before each of 4 convolutions, and last
    found = torch.stack(list(keys.values()))
    assert found.shape == (10, 2)
    assert len(found.unique()) == 20
    assert ((found >= 0) & (found <= KEY)).all()

    alone = Ensemble(networks(tiny, form, [4]))
    alone.seed_noise([12])
    for name, key in keys.items():
        assert alone.buffers[name] == key[1]


@pytest.mark.parametrize("seeds", [SEEDS, [7]], ids=["together", "alone"])
def test_evaluation_has_no_dropout_and_repeats(seeds: list[int]) -> None:
    tiny = MODELS["mlp"]
    for form in NOISE.values():
        ensemble = trained(tiny, form, seeds)
        before = [ensemble.state(k) for k in range(len(seeds))]
        first = evaluate(ensemble, *samples(tiny), Classification())
        again = evaluate(ensemble, *samples(tiny), Classification())

        assert torch.equal(first[0], again[0])
        for k, state in enumerate(before):
            assert_states_equal(ensemble.state(k), state)


def test_noise_without_keys_follows_its_seed_alone() -> None:
    """torch.nn.Dropout, in one network: the global generator is seeded at each update."""

    tiny, form = MODELS["mlp"], forms(dropout=lambda n: nn.Dropout(0.5))
    first = trained(tiny, form, [7])
    torch.rand(5)

    assert_states_equal(trained(tiny, form, [7]).state(0), first.state(0))


# --- what is observed -----------------------------------------------------------------------


def kept(network: nn.Module) -> list[list[Tensor]]:
    """Returns what will hold the outputs of each activation of a network, a list of its calls."""

    found: list[list[Tensor]] = []

    def keep(calls: list[Tensor], module: nn.Module, args: tuple[Any, ...], out: Tensor) -> None:
        calls.append(out)

    for module in network.modules():
        if isinstance(module, IsoTanh):
            found.append([])
            module.register_forward_hook(partial(keep, found[-1]))

    return found


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seeds", [SEEDS, [7]], ids=["together", "alone"])
def test_activations_are_those_of_a_plain_pass(model: str, seeds: list[int]) -> None:
    tiny, form = MODELS[model], forms(IsoTanh, nn.LayerNorm)
    ensemble = Ensemble(networks(tiny, form, seeds), observe=True)
    x = torch.randn(len(seeds), 6, *tiny.inputs)
    ensemble(x)
    outputs = ensemble(x)  # a second pass forgets the first

    for k, network in enumerate(networks(tiny, form, seeds)):
        expected = kept(network)
        torch.testing.assert_close(outputs[k], network(x[k]))
        assert len(ensemble.activations) == len(expected) > 0
        for a, calls in zip(ensemble.activations, expected, strict=True):
            # The calls of a recurrent network, one a step, are along an axis of their own.
            b = calls[0] if len(calls) == 1 else torch.stack(calls, dim=1)
            torch.testing.assert_close(a[k], b)


@pytest.mark.parametrize("seeds", [SEEDS, [7]], ids=["together", "alone"])
def test_a_member_is_not_observed(seeds: list[int]) -> None:
    tiny = MODELS["mlp"]
    ensemble = Ensemble(networks(tiny, forms(), seeds), observe=True)
    member, x = ensemble.member(0), tiny.batch(5)

    assert not any(m._forward_hooks for m in member.modules())
    member(x)
    ensemble(x.expand(len(seeds), *x.shape))
    assert [len(a) for a in ensemble.activations] == [len(seeds)] * 2


def test_nothing_is_kept_unless_asked() -> None:
    tiny = MODELS["mlp"]
    ensemble = Ensemble(networks(tiny, forms(), SEEDS))
    ensemble(torch.randn(2, 5, *tiny.inputs))

    assert not ensemble.activations


@pytest.mark.parametrize("seeds", [SEEDS, [7]], ids=["together", "alone"])
def test_weights_are_matrices_and_kernels(seeds: list[int]) -> None:
    ensemble = Ensemble(networks(MODELS["cnn"], forms(norm=nn.LayerNorm), seeds))
    expected = [(4, 2, 3, 3), (4, 4, 3, 3), (4, 4, 3, 3), (5, 4, 1, 1), (5, 4, 3, 3), (5, 5, 3, 3)]

    assert [tuple(w.shape) for w in ensemble.weights()] == [
        (len(seeds), *shape) for shape in [*expected, (3, 5)]
    ]
    names = [n for n, p in ensemble.member(0).named_parameters() if p.dim() > 1]
    for w, name in zip(ensemble.weights(), names, strict=True):
        for k in range(len(seeds)):
            assert torch.equal(w[k], ensemble.state(k)[name])


# --- penalties ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["mlp", "cnn", "rnn-each", "transformer"])
@pytest.mark.parametrize(
    "regularizer", [ActivationNorm(0.3), L2(0.2)], ids=lambda r: type(r).__name__
)
def test_penalties_enter_the_gradient_as_by_hand(model: str, regularizer: Regularizer) -> None:
    tiny, form = MODELS[model], forms(IsoTanh)
    ensemble = Ensemble(networks(tiny, form, SEEDS), observe=True)
    (step,) = train(tiny, ensemble, SEEDS, end=1, regularizer=regularizer)

    for k, network in enumerate(networks(tiny, form, SEEDS)):
        seen = kept(network)
        x, y = (t[k] for t in next(batches(*label_free(tiny), SEEDS, BATCH, 1)))
        loss = nn.functional.cross_entropy(network(x).flatten(0, -2), y.flatten())
        if isinstance(regularizer, ActivationNorm):
            penalty = 0.3 * sum(torch.stack(calls).square().mean() for calls in seen)
            assert isinstance(penalty, Tensor)
        else:
            named = [(n, p) for n, p in network.named_parameters() if p.dim() > 1]
            matrices = [p.square().sum() for n, p in named if n != "position"]
            penalty = 0.1 * torch.stack(matrices).sum()
        (loss + penalty).backward()
        with torch.no_grad():
            for p in network.parameters():
                assert p.grad is not None
                p -= 0.1 * p.grad

        assert step.penalties is not None
        torch.testing.assert_close(step.losses[k], loss.detach())
        torch.testing.assert_close(step.penalties[k], penalty.detach())
        assert_states_close(ensemble.state(k), network.state_dict(), TOLERANCE)


@pytest.mark.parametrize("noise", ["walk", "all"])
def test_a_penalised_member_is_the_solo_run_of_its_seed(noise: str) -> None:
    tiny, given = MODELS["mlp"], {"regularizer": ActivationNorm(0.3)}
    together = trained(tiny, NOISE[noise], SEEDS, **given)

    for k, seed in enumerate(SEEDS):
        alone = trained(tiny, NOISE[noise], [seed], **given)
        assert_states_close(floats(together.state(k)), floats(alone.state(0)), TOLERANCE)


def test_no_penalty_is_none() -> None:
    tiny = MODELS["mlp"]
    (step, *_) = train(tiny, Ensemble(networks(tiny, forms(), SEEDS)), SEEDS)

    assert step.penalties is None
