"""Tests for isoexp.probes.landscape."""

from math import inf, isnan, nan
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.functional import hessian
from torch.func import functional_call

from isoexp.activations import GELU, Activation, IsoSinusoid, IsoTanh, Tanh
from isoexp.probes.junctions import find_junctions
from isoexp.probes.landscape import Motion, barrier, between, second_derivatives
from isoexp.probes.locking.perturbations import random_skew, rotated, velocity
from isoexp.probes.spaces import State

from .subjects import subject

pytestmark = pytest.mark.usefixtures("float64")


def gaussian(state: State) -> dict[str, Tensor]:
    return {name: torch.randn_like(t) for name, t in state.items()}


def flat(state: State) -> Tensor:
    return torch.cat([t.flatten() for t in state.values()])


def test_a_quadratic_has_its_matrix() -> None:
    """L = ½ θᵀHθ + c·θ: d²L = vᵀHv + (Hθ + c)·a."""

    H, c = torch.randn(5, 5), torch.randn(5)
    H = H + H.mT
    theta, v, a = torch.randn(3, 5).unbind()

    found = second_derivatives(
        lambda s: s["w"] @ H @ s["w"] / 2 + c @ s["w"],
        {"w": theta},
        [Motion({"w": v}, {}), Motion({"w": v}, {"w": a}), Motion({}, {"w": a})],
    )
    g = H @ theta + c
    torch.testing.assert_close(found, torch.stack([v @ H @ v, v @ H @ v + g @ a, g @ a]))


def test_a_circle_is_level_although_its_tangent_is_not() -> None:
    """L = ‖θ‖² on the circle: a = −θ undoes vᵀHv = 2."""

    theta, v = torch.tensor([3.0, 4.0]), torch.tensor([-4.0, 3.0])
    curves = [Motion({"w": v / 5}, {}), Motion({"w": v / 5}, {"w": -theta / 25})]
    found = second_derivatives(lambda s: s["w"] @ s["w"], {"w": theta}, curves)

    torch.testing.assert_close(found, torch.tensor([2.0, 0.0]))


def test_a_linear_loss_bends_with_the_curve_alone() -> None:
    state = {"w": torch.randn(3), "unused": torch.randn(2)}
    c, v, a = torch.randn(3, 3).unbind()
    found = second_derivatives(lambda s: c @ s["w"], state, [Motion({"w": v}, {"w": a})])

    torch.testing.assert_close(found, (c @ a)[None])


def test_no_curves_have_no_curvature() -> None:
    assert second_derivatives(lambda s: s["w"].sum(), {"w": torch.ones(2)}, []).shape == (0,)


@pytest.mark.parametrize("activation", [IsoTanh, Tanh, GELU])
def test_agrees_with_the_dense_hessian(activation: type[Activation]) -> None:
    it = subject(activation, samples=20)
    state = {name: p.detach() for name, p in it.model.named_parameters()}
    names = list(state)

    def loss(s: State) -> Tensor:
        return F.cross_entropy(functional_call(it.model, dict(s), (it.x,)), it.task[0])

    def of_flat(theta: Tensor) -> Tensor:
        parts = theta.split([state[name].numel() for name in names])
        pairs = zip(names, parts, strict=True)
        return loss({name: part.view_as(state[name]) for name, part in pairs})

    curves = [Motion(gaussian(state), gaussian(state)) for _ in range(3)]
    theta = flat(state).requires_grad_()
    H: Any = hessian(of_flat, theta)
    (g,) = torch.autograd.grad(of_flat(theta), theta)
    slow = [flat(c.v) @ H @ flat(c.v) + g @ flat(c.a) for c in curves]
    torch.testing.assert_close(second_derivatives(loss, state, curves), torch.stack(slow))
    assert all(p.grad is None and p.requires_grad for p in it.model.parameters())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("activation", [IsoTanh, IsoSinusoid, Tanh, GELU])
def test_the_orbit_of_isotropic_networks_is_level(activation: type[Activation], seed: int) -> None:
    """At weights that are no minimum vᵀHv is not zero, vᵀHv + g·a is; of tanh neither is."""

    it = subject(activation, samples=50, seed=seed)
    junctions = list(find_junctions(it).values())
    state = {name: p.detach() for name, p in it.model.named_parameters()}
    skews = [random_skew(junction.width, it.generator) for junction in junctions]
    v = velocity(junctions, state, skews)
    curve = Motion(v, velocity(junctions, v, skews))

    def loss(s: State) -> Tensor:
        return F.cross_entropy(functional_call(it.model, dict(s), (it.x,)), it.task[0])

    straight, bent = second_derivatives(loss, state, [Motion(v, {}), curve]).tolist()
    assert abs(straight) > 1e-3
    if activation in (Tanh, GELU):
        assert abs(bent) > 1e-3
    else:
        assert abs(bent) < 1e-12 * flat(v).square().sum()

    h = 1e-4  # the central difference is off by h² and by eps / h²
    losses = [loss(rotated(junctions, state, [t * A for A in skews])) for t in (-h, 0, h)]
    difference = (losses[0] - 2 * losses[1] + losses[2]) / h**2
    assert bent == pytest.approx(difference.item(), rel=1e-3, abs=1e-5)


def test_barriers_in_closed_form() -> None:
    t = torch.linspace(0, 1, 21)

    assert barrier(t, 4 * t * (1 - t) + 3 * t) == pytest.approx(1)
    assert barrier(t, 2 - 5 * t) == pytest.approx(0, abs=1e-15)
    assert barrier(t, (t - 0.5) ** 2) == 0.0  # a valley


@pytest.mark.parametrize("at", [0, 10, 20])
@pytest.mark.parametrize("lost", [nan, inf])
def test_there_is_no_barrier_to_what_has_diverged(at: int, lost: float) -> None:
    losses = torch.ones(21)
    losses[at] = lost

    assert isnan(barrier(torch.linspace(0, 1, 21), losses))


def test_weights_between_two_networks() -> None:
    one, other = ({"w": torch.randn(3), "count": torch.tensor(n)} for n in (4, 9))
    found = between(one, other, 0.25)

    torch.testing.assert_close(found["w"], 0.75 * one["w"] + 0.25 * other["w"])
    assert found["count"] == 4
    assert torch.equal(between(one, other, 0.0)["w"], one["w"])
    assert torch.equal(between(one, other, 1.0)["w"], other["w"])
