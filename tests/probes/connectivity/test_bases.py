"""Tests for isoexp.probes.connectivity.bases."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoexp.activations import IsoTanh, ReLU, Tanh
from isoexp.geometry import random_orthogonal
from isoexp.probes import Subject, find_junctions
from isoexp.probes.connectivity.bases import (
    ALIGNMENTS,
    Geodesic,
    Turn,
    cross_moments,
    random_even_permutation,
    random_rotation,
    weight_matching,
)
from isoexp.probes.copies import turned
from isoexp.probes.spaces import Space

from ..subjects import subject

pytestmark = pytest.mark.usefixtures("float64")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spaces_of(it: Subject) -> dict[str, Space]:
    """Those of the junctions, by their layers."""

    return {name: junction.space for name, junction in find_junctions(it).items()}


def turns(spaces: dict[str, Space], name: str) -> dict[str, Turn]:
    return {layer: Turn(space, ALIGNMENTS[name]) for layer, space in spaces.items()}


def copied(it: Subject, name: str, seed: int) -> tuple[Subject, dict[str, Tensor]]:
    """A network with its hidden layers in other bases, and the bases that turn it back."""

    state, spaces = dict(it.model.named_parameters()), spaces_of(it)
    drawn = {
        layer: ALIGNMENTS[name].group.draw(space.width, generator(seed + i))
        for i, (layer, space) in enumerate(spaces.items())
    }
    twin = deepcopy(it.model)
    twin.load_state_dict(turned(state, spaces, drawn))

    return replace(it, model=twin), {layer: P.mT for layer, P in drawn.items()}


CASES = [("permutation", ReLU), ("permutation", Tanh), ("signed", Tanh), ("orthogonal", IsoTanh)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("name", "F"), CASES)
def test_a_copy_is_matched_back(name: str, F: type, seed: int) -> None:
    """What layers give, by that alone; and from there the weights, which know all axes of them.

    The first layer gives vectors of fewer dimensions than it has features: of the rotations only
    that part is known from them which acts there.
    """

    it = subject(F, seed=seed)
    it = replace(it, model=it.model.double(), x=it.x.double())
    twin, expected = copied(it, name, seed)
    spaces, nearest = spaces_of(it), ALIGNMENTS[name].nearest
    state, other = (dict(each.model.named_parameters()) for each in (it, twin))

    moments = cross_moments(it, twin, spaces, it.x)
    start = {layer: nearest(G) for layer, G in moments.items()}
    found = weight_matching(state, other, turns(spaces, name), start)

    for layer, P in expected.items():
        h, h_ = (next(each.stream())[layer].outputs for each in (it, twin))
        torch.testing.assert_close(h_ @ start[layer].mT, h, atol=1e-8, rtol=0)
        torch.testing.assert_close(found[layer], P, atol=1e-8, rtol=0)
    for key, weight in turned(other, spaces, found).items():
        torch.testing.assert_close(weight, state[key], atol=1e-8, rtol=0)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_one_layer_is_matched_from_any_start(name: str) -> None:
    """With a single junction the inner product is linear in P: what is found is the best."""

    group = ALIGNMENTS[name].group
    for seed in range(5):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(5, 7), Tanh(7), nn.Linear(7, 3))
        it = Subject(model.eval(), torch.randn(20, 5), None, None, generator())
        spaces, state = spaces_of(it), dict(model.named_parameters())
        P = group.draw(7, generator(seed))
        other = turned(state, spaces, {"1": P})

        bad = {"1": group.draw(7, generator(seed + 100))}
        found = weight_matching(state, other, turns(spaces, name), bad)

        torch.testing.assert_close(found["1"], P.mT, atol=1e-8, rtol=0)


def test_biases_alone_tell_features_apart() -> None:
    model = nn.Sequential(nn.Linear(5, 7), Tanh(7), nn.Linear(7, 3))
    it = Subject(model.eval(), torch.randn(20, 5), None, None, generator())
    spaces = spaces_of(it)
    state = {name: torch.zeros_like(w) for name, w in model.named_parameters()}
    state["0.bias"] = torch.randn(7)
    P = ALIGNMENTS["permutation"].group.draw(7, generator())
    other = turned(state, spaces, {"1": P})

    found = weight_matching(state, other, turns(spaces, "permutation"), {})

    torch.testing.assert_close(found["1"], P.mT)


def closeness(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    return sum((a[key] * b[key]).sum().item() for key in a)


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_matching_weights_never_takes_networks_apart(name: str) -> None:
    group = ALIGNMENTS[name].group
    for seed in range(5):
        ours, theirs = (subject(seed=s).model.double() for s in (seed, seed + 50))
        state, other = (
            {key: w.detach() for key, w in m.named_parameters()} for m in (ours, theirs)
        )
        it = subject(seed=seed)
        spaces = spaces_of(it)
        start = {layer: group.draw(each.width, generator(seed)) for layer, each in spaces.items()}

        found = weight_matching(state, other, turns(spaces, name), start)

        before = closeness(state, turned(other, spaces, start))
        after = closeness(state, turned(other, spaces, found))
        assert after > before
        for P in found.values():
            torch.testing.assert_close(P @ P.mT, torch.eye(len(P)))


def test_convolutions_are_matched_too() -> None:
    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.ReLU(), nn.Conv2d(5, 3, 3), nn.Flatten())
    it = Subject(model.eval(), torch.randn(20, 2, 6, 6), None, None, generator())
    spaces, state = spaces_of(it), dict(model.named_parameters())
    P = ALIGNMENTS["permutation"].group.draw(5, generator())
    other = turned(state, spaces, {"1": P})

    found = weight_matching(state, other, turns(spaces, "permutation"), {})

    torch.testing.assert_close(found["1"], P.mT)


# Geodesics.


def flipped(n: int) -> Tensor:
    """A rotation with as many eigenvalues −1 as there can be."""

    Q = random_orthogonal(n, generator(n))

    return Q @ torch.diag(torch.tensor([-1.0] * (n - n % 2) + [1.0] * (n % 2))) @ Q.mT


def shifted(n: int) -> Tensor:
    """The cycle of an odd number of axes."""

    return torch.eye(n - 1 + n % 2).roll(1, dims=0)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 33])
@pytest.mark.parametrize(
    "drawn",
    [
        lambda n: random_rotation(n, generator(n)),
        lambda n: random_even_permutation(n, generator(n)),
        flipped,
        shifted,
        torch.eye,
        lambda n: -torch.eye(n) if n % 2 == 0 else torch.eye(n),
    ],
    ids=["rotation", "permutation", "flipped", "cycle", "identity", "minus identity"],
)
def test_a_geodesic_leads_from_the_identity_to_the_rotation(
    drawn: Callable[[int], Tensor], n: int
) -> None:
    R = drawn(n)
    path, eye = Geodesic(R), torch.eye(len(R))

    torch.testing.assert_close(path(1.0), R, atol=1e-12, rtol=0)
    assert torch.equal(path(0.0), eye)
    for t in (0.1, 0.5):
        torch.testing.assert_close(path(t) @ path(t).mT, eye, atol=1e-12, rtol=0)
        assert torch.linalg.det(path(t)) == pytest.approx(1)
    torch.testing.assert_close(path(0.3) @ path(0.7), R, atol=1e-12, rtol=0)  # a group


def test_a_geodesic_is_that_of_the_principal_logarithm() -> None:
    from scipy.linalg import expm, logm

    for seed in range(5):
        R = random_rotation(9, generator(seed))
        expected = expm(0.4 * np.real(logm(R.numpy())))
        np.testing.assert_allclose(Geodesic(R)(0.4).numpy(), expected, atol=1e-10)


def test_only_rotations_have_geodesics() -> None:
    with pytest.raises(ValueError, match="det R must be 1"):
        Geodesic(torch.diag(torch.tensor([1.0, -1.0])))
    with pytest.raises(ValueError, match="orthogonal"):
        Geodesic(2 * torch.eye(3))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8])
def test_rotations_and_even_permutations_are_what_they_are_called(n: int) -> None:
    for seed in range(20):
        R, P = (draw(n, generator(seed)) for draw in (random_rotation, random_even_permutation))
        assert torch.linalg.det(R) == pytest.approx(1)
        torch.testing.assert_close(R @ R.mT, torch.eye(n), atol=1e-12, rtol=0)
        assert torch.linalg.det(P) == pytest.approx(1)
        assert set(P.flatten().tolist()) <= {0.0, 1.0}
        assert n < 3 or not torch.equal(P, torch.eye(n))
