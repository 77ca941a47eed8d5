"""Tests for isoexp.ensemble: what happens to one network never touches another."""

import math
from functools import partial

import pytest
import torch
from torch import nn

from isoexp.ensemble import ELEMENTWISE, BuildOptimizer, Ensemble
from isoexp.ensemble import states as module
from isoexp.streams import stream
from isoexp.training import Classification, batches

from .ensembles import (
    BATCH,
    CASES,
    SEEDS,
    Case,
    NormalizedSGD,
    each,
    learnt,
    networks,
    outcome,
    samples,
    train,
    trained,
)
from .properties import assert_states_close, assert_states_equal, needs_muon

pytestmark = pytest.mark.usefixtures("float64")


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
    """To rounding: the batched product sums in another order, and 12 updates of a network this
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


@needs_muon
def test_muon_takes_matrices_one_by_one() -> None:
    """Muon refuses what is not a matrix, stacked matrices too. It orthogonalises in bfloat16, so
    that a gradient off by an eps may move an update by 2⁻⁸ of itself."""

    case = Case(optimizer=partial(torch.optim.Muon, lr=2e-3), bias=False)
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
