"""Tests for isoexp.probes.locking.perturbations."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from isoexp.activations import GELU, IsoLeakyReLU, IsoSinusoid, IsoTanh, ReLU, Tanh
from isoexp.geometry import random_orthogonal
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.probes import Junction, Subject
from isoexp.probes.junctions import find_junctions
from isoexp.probes.locking.perturbations import (
    across,
    aligned,
    random_skew,
    rotated,
    size,
    velocity,
    ways,
)
from isoexp.probes.spaces import State

from ..subjects import subject

pytestmark = pytest.mark.usefixtures("float64")

ISOTROPIC = [IsoTanh, IsoSinusoid, partial(IsoLeakyReLU, R0=0.5)]
ELEMENTWISE = [Tanh, ReLU, GELU]


def pictures() -> Subject:
    """Convolutions around an activation, and a dense layer behind them."""

    model = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.Tanh(), nn.Conv2d(5, 4, 2, bias=False), nn.ReLU(), nn.Conv2d(4, 3, 1)
    ).eval()
    x = torch.randn(6, 2, 5, 5)

    return Subject(model, x, None, None, torch.Generator().manual_seed(0))


def parts(it: Subject) -> tuple[list[Junction], dict[str, Tensor]]:
    return list(find_junctions(it).values()), {
        name: p.detach().clone() for name, p in it.model.named_parameters()
    }


def skews(it: Subject, junctions: list[Junction]) -> list[Tensor]:
    return [random_skew(junction.width, it.generator) for junction in junctions]


def outputs(it: Subject, state: State) -> Tensor:
    return functional_call(it.model, dict(state), (it.x,)).detach()


def flat(state: State) -> Tensor:
    return torch.cat([t.flatten() for t in state.values()])


def tangents(junctions: list[Junction], state: State) -> Tensor:
    """The tangents of all elementary skew matrices, one a row: slow and obvious."""

    rows = []
    for k, junction in enumerate(junctions):
        for i in range(junction.width):
            for j in range(i):
                A = [torch.zeros(each.width, each.width) for each in junctions]
                A[k][i, j], A[k][j, i] = 1.0, -1.0
                rows.append(flat(velocity(junctions, state, A)))

    return torch.stack(rows)


@pytest.mark.parametrize("length", [0.01, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("activation", [*ISOTROPIC, *ELEMENTWISE])
def test_rotations_leave_isotropic_networks_alone(activation: type, length: float) -> None:
    it = subject(activation)
    junctions, state = parts(it)
    moved = rotated(junctions, state, [length * A for A in skews(it, junctions)])
    error = (outputs(it, moved) - outputs(it, state)).norm() / outputs(it, state).norm()

    assert error < 1e-12 if activation in ISOTROPIC else error > 1e-4
    assert size({k: moved[k] - state[k] for k in state}) > 1e-3 * size(state)


@pytest.mark.parametrize("made", [subject, pictures])
def test_the_velocity_is_that_of_the_rotation(made: type) -> None:
    it = made()
    junctions, state = parts(it)
    A = skews(it, junctions)
    v, h = velocity(junctions, state, A), 1e-5
    ahead, behind = (rotated(junctions, state, [t * B for B in A]) for t in (h, -h))

    torch.testing.assert_close((flat(ahead) - flat(behind)) / (2 * h), flat(v), rtol=0, atol=1e-7)
    later = velocity(junctions, rotated(junctions, state, A), A)
    assert size(later) == pytest.approx(size(v), rel=1e-12)
    assert size(rotated(junctions, state, A)) == pytest.approx(size(state), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("case", ["mlp", "pictures", "dead units", "empty layer"])
def test_across_is_what_a_projection_leaves(case: str, seed: int) -> None:
    torch.manual_seed(seed)
    it = pictures() if case == "pictures" else subject(seed=seed)
    junctions, state = parts(it)
    if case == "dead units":  # turning them among themselves moves nothing
        W, b, V = junctions[0].weights
        state[W][:3] = state[b][:3] = 0.0
        state[V][:, :3] = 0.0
    if case == "empty layer":
        for name in junctions[0].weights:
            state[name].zero_()

    d = {name: torch.randn_like(t) for name, t in state.items()}
    found, T = flat(across(junctions, state, d)), tangents(junctions, state)
    cosines = T @ found / found.norm()
    assert cosines.abs().max() < 1e-10 * T.norm(dim=1).max()
    assert (T @ flat(d)).abs().max() > 1e-2  # it was not orthogonal before

    solution = torch.linalg.lstsq(T.mT, flat(d)[:, None], driver="gelsd").solution
    torch.testing.assert_close(found, flat(d) - T.mT @ solution[:, 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_a_rotated_copy_is_turned_back(seed: int) -> None:
    torch.manual_seed(seed)
    model = MLP((10,), 4, Forms(IsoTanh, nn.Identity, Default()), (11, 9, 9)).eval()
    it = subject(model=model, seed=seed)
    junctions, state = parts(it)
    copy = dict(state)
    for junction in junctions:
        copy |= junction.turned(copy, random_orthogonal(junction.width, it.generator))

    back = aligned(junctions, copy, state)
    torch.testing.assert_close(flat(back), flat(state), rtol=0, atol=1e-10)
    torch.testing.assert_close(outputs(it, back), outputs(it, state))


@pytest.mark.parametrize("seed", range(20))
def test_a_rotated_copy_of_wider_layers_comes_near(seed: int) -> None:
    """Half-way between the two the outputs are those of both, but for a little."""

    it = subject(seed=seed)  # of 10 features, 16, 12
    junctions, state = parts(it)
    copy = dict(state)
    for junction in junctions:
        copy |= junction.turned(copy, random_orthogonal(junction.width, it.generator))

    def error(other: State) -> float:
        y = outputs(it, {name: (t + other[name]) / 2 for name, t in state.items()})
        return ((y - outputs(it, state)).norm() / outputs(it, state).norm()).item()

    assert error(aligned(junctions, copy, state)) < error(copy) / 5


def test_aligning_leaves_the_function() -> None:
    it = subject(seed=1)
    junctions, state = parts(it)
    other = {name: torch.randn_like(t) for name, t in state.items()}
    found = aligned(junctions, other, state)

    torch.testing.assert_close(outputs(it, found), outputs(it, other))
    far, near = (size({k: s[k] - state[k] for k in s}) for s in (other, found))
    assert near < far
    assert size({k: found[k] - state[k] for k in found}) > 1.0  # another network stays another
    first = junctions[0].weights[0]
    broken = aligned(junctions, other | {first: torch.full_like(other[first], torch.nan)}, state)
    assert all(torch.equal(broken[name], other[name]) for name in other if name != first)


def test_ways_have_the_lengths_that_are_asked_for() -> None:
    it = subject()
    junctions, state = parts(it)
    found = list(ways(junctions, state, 2, it.generator))
    assert [(way.kind, way.draw) for way in found] == [
        (kind, draw) for draw in range(2) for kind in ("random", "across", "tangent", "orbit")
    ]

    for way in found:
        moved = {k: t - state[k] for k, t in way.at(0.7).items()}
        assert size(way.motion.v) == pytest.approx(1.0)
        if way.kind != "orbit":
            assert size(moved) == pytest.approx(0.7)
            assert not way.motion.a
        else:  # the chord is shorter than the way, by its cube
            assert size(moved) < 0.7
            short = {k: t - state[k] for k, t in way.at(1e-3).items()}
            assert size(short) == pytest.approx(1e-3, rel=1e-4)
        if way.kind == "random":
            shares = [moved[k].norm() / state[k].norm() for k in state]
            torch.testing.assert_close(torch.stack(shares), shares[0].expand(len(shares)))

    tangent, orbit = found[2].motion.v, found[3].motion.v
    torch.testing.assert_close(flat(tangent), flat(orbit))


def test_without_junctions_all_ways_are_random() -> None:
    state = {"weight": torch.randn(3, 2), "bias": torch.zeros(3)}
    found = list(ways([], state, 3, torch.Generator().manual_seed(0)))

    assert [way.kind for way in found] == ["random"] * 3
    assert not found[0].at(5.0)["bias"].any()  # what is zero has no size to be moved by
    nothing = {name: torch.zeros_like(t) for name, t in state.items()}
    (way,) = ways([], nothing, 1, torch.Generator())
    assert size(way.at(1.0)) == 0.0


def test_a_layer_of_one_feature_has_no_orbit() -> None:
    model = MLP((3,), 2, Forms(IsoTanh, nn.Identity, Default()), (1,)).eval()
    it = Subject(model, torch.randn(9, 3), None, None, torch.Generator().manual_seed(0))
    junctions, state = parts(it)
    assert size(velocity(junctions, state, [random_skew(1, it.generator)])) == 0.0
