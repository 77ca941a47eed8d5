"""Tests for isoexp.ensemble: what happens to one network never touches another."""

import io
import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Muon, Optimizer, Rprop

from isoexp import ensemble as module
from isoexp.activations import (
    ELU,
    Activation,
    IsoReLU,
    IsoSinusoid,
    IsoSmoothReLU,
    IsoTanh,
    NormalizedQuasiIsotropic,
    QuasiIsotropic,
    RadialBasis,
    ReLU,
    Tanh,
)
from isoexp.ensemble import ELEMENTWISE, BuildOptimizer, Ensemble
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.optimizers import (
    ClipNorm,
    ClipValue,
    Cosine,
    IsotropicAdam,
    NoClip,
    Shampoo,
    SignSGD,
)
from isoexp.optimizers import Muon as IsotropicMuon
from isoexp.optimizers import NormalizedSGD as NormalizedMomentum
from isoexp.streams import seeded, stream
from isoexp.training import Classification, Step, batches, fit

from .properties import assert_states_close, assert_states_equal

pytestmark = pytest.mark.usefixtures("float64")

SEEDS = [0, 1, 2]
STEPS = 18
HALF = 7
"""Where trainings are cut: in the midst of an epoch of four updates, and of the three for which
Shampoo keeps its roots."""
BATCH = 16  # of 50 samples: the last batch of an epoch has 2


def identity(n: int) -> nn.Module:
    return nn.Identity()


learnt = partial(QuasiIsotropic, learn_alpha=True)
"""An activation with a parameter of no axis, which an ensemble stacks into one of one axis."""


class NormalizedSGD(Optimizer):
    """p ← p − lr g / ‖g‖: it mixes the coordinates of a tensor, and remembers how often."""

    def __init__(self, params, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].setdefault("calls", torch.zeros(()))
                self.state[p]["calls"] += 1
                p -= group["lr"] / self.state[p]["calls"].sqrt() * p.grad / p.grad.norm()


class Counting(NormalizedSGD):
    """It counts updates once for a group of parameters, as optimizers from elsewhere do."""

    @torch.no_grad()
    def step(self, closure=None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            group["updates"] = group.get("updates", 0) + 1
            for p in group["params"]:
                self.state[p]["last"] = p.grad.clone()
                p -= group["lr"] / group["updates"] * p.grad


class Case(NamedTuple):
    activation: Callable[[int], Activation] = IsoTanh
    norm: Callable[[int], nn.Module] = identity
    optimizer: Callable[[Any], Optimizer] = partial(Adam, lr=1e-2)
    clip: Callable[[Sequence[Tensor]], Tensor | None] = NoClip()
    bias: bool = True


CASES = {
    "iso_tanh": Case(),
    "tanh-layer-adamw-norm": Case(Tanh, nn.LayerNorm, partial(AdamW, lr=1e-2), ClipNorm(0.1)),
    "iso_relu-rms-value": Case(IsoReLU, nn.RMSNorm, clip=ClipValue(0.01)),
    "relu-momentum-norm": Case(
        ReLU, optimizer=partial(SGD, lr=0.1, momentum=0.9), clip=ClipNorm(0.5)
    ),
    "sinusoid-nesterov": Case(
        IsoSinusoid,
        nn.RMSNorm,
        partial(SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-2),
    ),
    "elu-layer": Case(ELU, nn.LayerNorm),
    "smooth-sgd": Case(IsoSmoothReLU, optimizer=partial(SGD, lr=0.5)),
    "quasi": Case(NormalizedQuasiIsotropic),
    "learnt-norm": Case(learnt, clip=ClipNorm(0.3)),
    "radial": Case(partial(RadialBasis, centres=5)),
    "mixing": Case(optimizer=NormalizedSGD, clip=ClipNorm(0.1)),
    "mixing-learnt": Case(learnt, nn.LayerNorm, NormalizedSGD),
    # Its running moments are buffers. It takes biases out again: their gradient is rounding alone,
    # which Adam would blow up.
    "batch": Case(norm=nn.BatchNorm1d, optimizer=partial(SGD, lr=0.1)),
    "rprop": Case(optimizer=partial(Rprop, lr=1e-3)),
    "sign": Case(optimizer=partial(SignSGD, lr=1e-3), clip=ClipNorm(0.1)),
    "normalized-learnt": Case(learnt, optimizer=partial(NormalizedMomentum, lr=1e-2)),
    "iso_adam-learnt": Case(learnt, optimizer=partial(IsotropicAdam, lr=1e-2, weight_decay=0.1)),
    "iso_adam_vector": Case(
        norm=nn.LayerNorm, optimizer=partial(IsotropicAdam, lr=1e-2, per="vector")
    ),
    "muon-learnt": Case(learnt, nn.LayerNorm, partial(IsotropicMuon, lr=1e-2), ClipNorm(0.1)),
    "shampoo-learnt": Case(learnt, optimizer=partial(Shampoo, every=3), clip=ClipNorm(0.1)),
    "counting": Case(optimizer=Counting),
}

each = pytest.mark.parametrize("name", CASES)


def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(50, 6, generator=generator)

    return x, torch.randint(3, (50,), generator=generator)


def networks(case: Case, seeds: Sequence[int]) -> list[nn.Module]:
    """Returns the untrained network of each seed."""

    made: list[nn.Module] = []
    for seed in seeds:
        with seeded(seed, "weights"):
            bias = case.bias
            made.append(MLP((6,), 3, [8, 7], case.activation, case.norm, Default(), bias=bias))

    return made


def train(
    case: Case,
    ensemble: Ensemble,
    optimizers: list[Optimizer],
    seeds: Sequence[int],
    start: int = 0,
    end: int = STEPS,
) -> list[Step]:
    """Makes the updates start + 1 … end of a training of 18 in all."""

    order = batches(*samples(), seeds, BATCH, end, start)

    return list(
        fit(ensemble, order, optimizers, Classification(), Cosine(), case.clip, STEPS, start)
    )


def trained(case: Case, seeds: Sequence[int]) -> tuple[Ensemble, list[Step]]:
    ensemble = Ensemble(networks(case, seeds))

    return ensemble, train(case, ensemble, ensemble.optimizers(case.optimizer), seeds)


@cache
def outcome(name: str, *seeds: int) -> tuple[list[dict[str, Tensor]], list[Step]]:
    """Returns the last state of each network, and the steps; to be looked at only."""

    ensemble, steps = trained(CASES[name], seeds)

    return [ensemble.state(k) for k in range(len(seeds))], steps


# --- a member is a solo run -----------------------------------------------------------------


@each
def test_a_member_is_the_solo_run_of_its_seed(name: str) -> None:
    together, steps = outcome(name, *SEEDS)

    for k, seed in enumerate(SEEDS):
        (alone,), alone_steps = outcome(name, seed)
        assert_states_close(together[k], alone, 1e-12)
        for a, b in zip(steps, alone_steps, strict=True):
            torch.testing.assert_close(a.losses[k], b.losses[0], rtol=1e-12, atol=0)
            assert a.scores[k] == b.scores[0]


@pytest.mark.parametrize("name", ["iso_tanh", "tanh-layer-adamw-norm", "relu-momentum-norm"])
def test_a_member_is_the_solo_run_in_float32(name: str) -> None:
    """To rounding: the batched product sums in another order, and 18 updates of a network this
    small multiply an eps by no more than some thousands."""

    torch.set_default_dtype(torch.float32)
    together, _ = trained(CASES[name], SEEDS)

    for k, seed in enumerate(SEEDS):
        alone, _ = trained(CASES[name], [seed])
        tolerance = 2000 * torch.finfo(torch.float32).eps
        assert_states_close(together.state(k), alone.state(0), tolerance)


def test_seeds_differ() -> None:
    """The control of the above: a member is not the solo run of another seed."""

    together, steps = outcome("iso_tanh", *SEEDS)

    with pytest.raises(AssertionError, match="is off by"):
        assert_states_close(together[0], together[1], 1e-2)
    assert len(set(steps[0].losses.tolist())) == 3


@pytest.mark.parametrize("build", ELEMENTWISE, ids=lambda cls: cls.__name__)
def test_elementwise_optimizers_may_be_stacked(build: BuildOptimizer) -> None:
    case = Case(learnt, optimizer=build)
    together, _ = trained(case, SEEDS)
    alone, _ = trained(case, [1])

    assert len(together.optimizers(build)) == 1
    assert_states_close(together.state(1), alone.state(0), 1e-12)


def test_others_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an optimizer that mixes coordinates goes wrong on stacked weights."""

    case, ((alone,), _) = CASES["mixing"], outcome("mixing", 1)
    assert len(Ensemble(networks(case, SEEDS)).optimizers(NormalizedSGD)) == 3

    monkeypatch.setattr(module, "ELEMENTWISE", (NormalizedSGD,))
    together, _ = trained(case, SEEDS)
    with pytest.raises(AssertionError, match="is off by"):
        assert_states_close(together.state(1), alone, 1e-2)


def test_muon_takes_matrices_one_by_one() -> None:
    """Muon refuses what is not a matrix, stacked matrices too. It orthogonalises in bfloat16, so
    that a gradient off by an eps may move an update by 2⁻⁸ of itself."""

    case = Case(optimizer=partial(Muon, lr=2e-3), bias=False)
    together, _ = trained(case, SEEDS)

    for k, seed in enumerate(SEEDS):
        start = Ensemble(networks(case, [seed])).state(0)
        alone, _ = trained(case, [seed])
        end = alone.state(0)
        assert_states_close(together.state(k), end, 1e-2)
        assert (end["readout.weight"] - start["readout.weight"]).norm() > 1e-2


def test_seeds_of_an_ensemble_are_those_of_its_batches() -> None:
    x, y = samples()
    together = next(batches(x, y, SEEDS, BATCH, 1))[0]

    for k, seed in enumerate(SEEDS):
        order = torch.randperm(50, generator=stream(seed, "order", 0))
        assert torch.equal(together[k], x[order[:BATCH]])


# --- no member touches another --------------------------------------------------------------


@pytest.mark.parametrize("name", ["iso_tanh", "tanh-layer-adamw-norm", "iso_relu-rms-value"])
def test_a_broken_member_breaks_no_other(name: str) -> None:
    """NaN in one leaves the others as they would have been, bit by bit."""

    case, (healthy, _) = CASES[name], outcome(name, *SEEDS)

    ensemble = Ensemble(networks(case, SEEDS))
    state = ensemble.state(1)
    state["hidden.0.linear.weight"][0, 0] = math.nan
    ensemble.load(1, state)
    steps = train(case, ensemble, ensemble.optimizers(case.optimizer), SEEDS)

    assert steps[-1].losses.isnan().tolist() == [False, True, False]
    for k in (0, 2):
        assert_states_equal(ensemble.state(k), healthy[k])


def test_noise_in_an_ensemble_is_refused_rather_than_other_than_alone() -> None:
    def network() -> nn.Module:
        torch.manual_seed(3)

        return nn.Sequential(nn.Linear(6, 64), nn.Dropout(0.5), nn.Linear(64, 2))

    ensemble = Ensemble([network(), network()])
    x = torch.randn(1, 4, 6).expand(2, 4, 6)

    ensemble.train()
    with pytest.raises(RuntimeError, match="randomness"):
        ensemble(x)
    ensemble.train(False)
    a, b = ensemble(x)
    assert torch.equal(a, b)


def test_frozen_weights_stay() -> None:
    """The α of a quasi-isotropic activation is a parameter, and not trained unless asked."""

    ensemble, _ = trained(CASES["quasi"], SEEDS)
    before = Ensemble(networks(CASES["quasi"], SEEDS))

    for k in range(3):
        a, b = (e.state(k)["hidden.0.activation.log_alpha"] for e in (ensemble, before))
        assert torch.equal(a, b)


# --- states ---------------------------------------------------------------------------------


def through_a_file(value: Any) -> Any:
    """Writes and reads a checkpoint as one is: weights only, no code."""

    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)

    return torch.load(file, weights_only=True)


@each
@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_a_resumed_training_is_the_uninterrupted_one(name: str, seeds: list[int]) -> None:
    """Bit by bit, after 7 of 18 updates, in the midst of an epoch."""

    case, (whole, _) = CASES[name], outcome(name, *seeds)

    first = Ensemble(networks(case, seeds))
    optimizers = first.optimizers(case.optimizer)
    train(case, first, optimizers, seeds, end=HALF)
    states = through_a_file([first.state(k) for k in range(len(seeds))])
    remembered = through_a_file(
        [first.optimizer_state(optimizers, k) for k in range(len(seeds))],
    )

    second = Ensemble(networks(case, [s + 100 for s in seeds]))
    for k, state in enumerate(states):
        second.load(k, state)
    fresh = second.optimizers(case.optimizer)
    second.load_optimizer(fresh, remembered)
    train(case, second, fresh, seeds, start=HALF)

    for k in range(len(seeds)):
        assert_states_equal(second.state(k), whole[k])


@pytest.mark.parametrize("build", ELEMENTWISE, ids=lambda cls: cls.__name__)
def test_every_elementwise_memory_is_restored(build: BuildOptimizer) -> None:
    """For weights of two, of one and of no axis; what is kept once for all is not dealt out."""

    case = Case(learnt, optimizer=build)
    ensemble = Ensemble(networks(case, SEEDS))
    optimizers = ensemble.optimizers(build)
    train(case, ensemble, optimizers, SEEDS, end=5)

    fresh = ensemble.optimizers(build)
    remembered = [ensemble.optimizer_state(optimizers, k) for k in range(3)]
    ensemble.load_optimizer(fresh, remembered)

    parameters = [p for p in ensemble.parameters.values() if p.requires_grad]
    for i, p in enumerate(parameters):
        before, after = optimizers[0].state[p], fresh[0].state[p]
        assert before.keys() == after.keys() == remembered[0][i].keys()
        for key, value in before.items():
            assert torch.equal(after[key], value), f"{key} of a weight {tuple(p.shape)}"
            assert after[key] is not value
            if key not in module.SHARED:
                assert remembered[2][i][key].shape == p.shape[1:]
                assert torch.equal(remembered[2][i][key], value[2])


@pytest.mark.parametrize("name", ["iso_tanh", "learnt-norm", "relu-momentum-norm", "mixing"])
def test_a_member_goes_on_alone(name: str) -> None:
    """The checkpoint of a member is that of a solo run, and the other way round."""

    case, (whole, _) = CASES[name], outcome(name, *SEEDS)

    ensemble = Ensemble(networks(case, SEEDS))
    optimizers = ensemble.optimizers(case.optimizer)
    train(case, ensemble, optimizers, SEEDS, end=HALF)

    solos, memories = [], []
    for k, seed in enumerate(SEEDS):
        solo = Ensemble(networks(case, [77]))
        solo.load(0, ensemble.state(k))
        alone = solo.optimizers(case.optimizer)
        solo.load_optimizer(alone, [ensemble.optimizer_state(optimizers, k)])
        train(case, solo, alone, [seed], start=HALF, end=13)
        solos.append(solo.state(0))
        memories.append(solo.optimizer_state(alone, 0))

    again = Ensemble(networks(case, [7, 8, 9]))
    for k, state in enumerate(solos):
        again.load(k, state)
    optimizers = again.optimizers(case.optimizer)
    again.load_optimizer(optimizers, memories)
    train(case, again, optimizers, SEEDS, start=13)

    for k in range(3):
        assert_states_close(again.state(k), whole[k], 1e-12)


def test_restored_memories_are_where_the_weights_are() -> None:
    """A checkpoint is read on the CPU; the device here is meta, for want of another."""

    for seeds in (SEEDS, [1]):
        ensemble, _ = trained(CASES["iso_tanh"], seeds)
        optimizers = ensemble.optimizers(Adam)
        for p in ensemble.parameters.values():
            p.grad = torch.ones_like(p)
        optimizers[0].step()
        remembered = [ensemble.optimizer_state(optimizers, k) for k in range(len(seeds))]

        with torch.device("meta"):
            elsewhere = Ensemble(networks(CASES["iso_tanh"], seeds))
        optimizers = elsewhere.optimizers(Adam)
        elsewhere.load_optimizer(optimizers, remembered)

        assert elsewhere.device.type == "meta"
        for p, memory in optimizers[0].state.items():
            assert memory["exp_avg"].device.type == "meta"
            assert memory["exp_avg"].shape == p.shape


@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_a_member_is_a_network_of_its_own(seeds: list[int]) -> None:
    ensemble, _ = trained(CASES["tanh-layer-adamw-norm"], seeds)
    x = torch.randn(5, 6)
    outputs = ensemble(x.expand(len(seeds), 5, 6))

    for k in range(len(seeds)):
        member = ensemble.member(k)
        assert isinstance(member, MLP)
        assert not member.training
        torch.testing.assert_close(member(x), outputs[k], rtol=1e-13, atol=1e-13)
        with torch.no_grad():
            for p in member.parameters():
                p.zero_()

    assert torch.equal(ensemble(x.expand(len(seeds), 5, 6)), outputs)


@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_states_are_copies(seeds: list[int]) -> None:
    ensemble = Ensemble(networks(CASES["iso_tanh"], seeds))
    state = ensemble.state(0)
    before = {name: tensor.clone() for name, tensor in state.items()}
    for tensor in state.values():
        tensor.zero_()

    assert_states_equal(ensemble.state(0), before)


@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_memories_are_copies(seeds: list[int]) -> None:
    """What was saved stays as it was while the training goes on, of which it was saved or into
    which it was loaded."""

    case = CASES["iso_tanh"]
    ensemble = Ensemble(networks(case, seeds))
    optimizers = ensemble.optimizers(case.optimizer)
    train(case, ensemble, optimizers, seeds, end=3)
    remembered = [ensemble.optimizer_state(optimizers, k) for k in range(len(seeds))]
    before = through_a_file(remembered)

    train(case, ensemble, optimizers, seeds, start=3, end=6)
    ensemble.load_optimizer(optimizers, remembered)
    train(case, ensemble, optimizers, seeds, start=3, end=6)

    for mine, theirs in zip(remembered, before, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert_states_equal(a, b)


def test_loading_one_leaves_the_others() -> None:
    ensemble = Ensemble(networks(CASES["iso_tanh"], SEEDS))
    before = [ensemble.state(k) for k in range(3)]
    ensemble.load(1, before[2])

    for k, expected in enumerate([before[0], before[2], before[2]]):
        assert_states_equal(ensemble.state(k), expected)


def test_one_network_is_trained_where_it_is() -> None:
    (network,) = networks(CASES["iso_tanh"], [1])
    ensemble = Ensemble([network])
    train(CASES["iso_tanh"], ensemble, ensemble.optimizers(Adam), [1])

    assert_states_equal(dict(network.state_dict()), ensemble.state(0))
    assert_states_close(ensemble.state(0), network.state_dict(), 0.0)


# --- gradients and precision ----------------------------------------------------------------


@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_gradients_have_the_networks_along_the_first_axis(seeds: list[int]) -> None:
    ensemble = Ensemble(networks(CASES["learnt-norm"], seeds))
    x, y = next(batches(*samples(), seeds, BATCH, 1))
    Classification().losses(ensemble(x), x, y).mean(dim=1).sum().backward()

    found = ensemble.gradients()
    expected = []
    for k in range(len(seeds)):
        member = ensemble.member(k)
        nn.functional.cross_entropy(member(x[k]), y[k]).backward()
        mine = [p.grad for p in member.parameters() if p.grad is not None]
        for g, h in zip(found, mine, strict=True):
            assert len(g) == len(seeds)
            torch.testing.assert_close(g[k], h, rtol=1e-12, atol=1e-15)
        expected.append(torch.cat([g.flatten() for g in mine]).norm())

    torch.testing.assert_close(ensemble.grad_norm(), torch.stack(expected))
    ensemble.zero_grad()
    assert not any(g.any() for g in ensemble.gradients())


@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_mixed_precision_comes_back_as_float32(seeds: list[int]) -> None:
    torch.set_default_dtype(torch.float32)
    x = torch.randn(len(seeds), 5, 6)
    plain = Ensemble(networks(CASES["iso_tanh"], seeds))(x)
    mixed = Ensemble(networks(CASES["iso_tanh"], seeds), autocast=torch.bfloat16)(x)

    assert mixed.dtype == torch.float32
    assert not torch.equal(plain, mixed)
    # Three layers of products in bfloat16, eps = 2⁻⁷, of outputs below 1.
    torch.testing.assert_close(mixed, plain, rtol=0, atol=3 * 2**-7)


def test_modes() -> None:
    ensemble = Ensemble(networks(CASES["iso_tanh"], SEEDS))
    ensemble.train(False)
    assert not ensemble.template.training
    ensemble.train()
    assert ensemble.template.training
