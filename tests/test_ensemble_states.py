"""Tests for isoexp.ensemble: what is kept of a training, and goes on as if it had not stopped."""

import io
from typing import Any

import pytest
import torch
from torch.optim import Adam

from isoexp.ensemble import ELEMENTWISE, BuildOptimizer, Ensemble
from isoexp.ensemble import states as module
from isoexp.models import MLP

from .ensembles import CASES, HALF, SEEDS, Case, each, learnt, networks, outcome, train, trained
from .properties import assert_states_close, assert_states_equal

pytestmark = pytest.mark.usefixtures("float64")


def through_a_file(value: Any) -> Any:
    """Writes and reads a checkpoint as one is: weights only, no code."""

    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)

    return torch.load(file, weights_only=True)


@each
@pytest.mark.parametrize("seeds", [SEEDS, [1]], ids=["together", "alone"])
def test_a_resumed_training_is_the_uninterrupted_one(name: str, seeds: list[int]) -> None:
    """Bit by bit, after 7 of 12 updates, in the midst of an epoch."""

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
        train(case, solo, alone, [seed], start=HALF, end=10)
        solos.append(solo.state(0))
        memories.append(solo.optimizer_state(alone, 0))

    again = Ensemble(networks(case, [7, 8, 9]))
    for k, state in enumerate(solos):
        again.load(k, state)
    optimizers = again.optimizers(case.optimizer)
    again.load_optimizer(optimizers, memories)
    train(case, again, optimizers, SEEDS, start=10)

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
