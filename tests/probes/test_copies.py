"""Tests for isoexp.probes.copies."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call

from isoexp.activations import GELU, IsoLeakyReLU, IsoSinusoid, IsoTanh, ReLU, Tanh
from isoexp.probes import Subject, find_junctions
from isoexp.probes.copies import (
    ORTHOGONAL,
    PERMUTATIONS,
    SIGNED,
    inner_products,
    preserves,
    turned,
)
from isoexp.probes.junctions import rounding
from isoexp.symmetry import MatrixGroup

from .subjects import subject

ISOTROPIC = [IsoTanh, IsoSinusoid, partial(IsoLeakyReLU, R0=0.5)]


def pictures() -> Subject:
    """Convolutions around an activation; the one behind has no bias."""

    model = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Tanh(), nn.Conv2d(5, 4, 2), nn.Tanh())
    model.append(nn.Conv2d(4, 3, 1, bias=False))

    return Subject(model.eval(), torch.randn(6, 2, 5, 5), None, None, torch.Generator())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    ("F", "expected"),
    [
        *[(F, [ORTHOGONAL, SIGNED, PERMUTATIONS]) for F in ISOTROPIC],
        (Tanh, [SIGNED, PERMUTATIONS]),
        (ReLU, [PERMUTATIONS]),
        (GELU, [PERMUTATIONS]),
    ],
)
@pytest.mark.usefixtures("float64")
def test_what_leaves_a_function_is_the_symmetry_of_its_activation(
    F: type, expected: list[MatrixGroup], dtype: torch.dtype
) -> None:
    torch.set_default_dtype(dtype)
    it = subject(F)

    for junction in find_junctions(it).values():
        groups = (ORTHOGONAL, SIGNED, PERMUTATIONS)
        assert [group for group in groups if preserves(it, junction.space, group)] == expected


def test_the_groups_are_what_they_are_called() -> None:
    """Not only by their place among all."""

    names = [group.name for group in (ORTHOGONAL, SIGNED, PERMUTATIONS)]

    assert names == ["O(n)", "signed permutations", "permutations"]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("made", [subject, pictures])
def test_inner_products_are_those_of_the_weights(made: type) -> None:
    """tr(Pᵀ G) = ⟨θ, P·θ'⟩ over the weights of a junction, for any P, biases or none."""

    it = made()
    state = {name: p.detach() for name, p in it.model.named_parameters()}
    other = {name: torch.randn_like(p) for name, p in state.items()}

    for junction in find_junctions(it).values():
        P = torch.randn(junction.width, junction.width)
        moved = junction.turned(other, P)
        expected = sum((state[name] * t).sum() for name, t in moved.items())
        G = inner_products(junction.space, state, other)
        torch.testing.assert_close((P * G).sum(), expected)


@pytest.mark.usefixtures("float64")
def test_all_junctions_are_turned_at_once() -> None:
    it = subject(IsoTanh)
    state, junctions = dict(it.model.named_parameters()), find_junctions(it)
    spaces = {k: junction.space for k, junction in junctions.items()}
    bases = {k: ORTHOGONAL.draw(each.width, it.generator) for k, each in spaces.items()}
    copy = turned(state, spaces, bases)

    y = functional_call(it.model, copy, (it.x,))
    assert (y - it.model(it.x)).norm() <= rounding(y) * y.norm()
    assert all(not torch.allclose(copy[n], state[n]) for n in copy if n.endswith("weight"))
    assert list(turned(state, spaces, {}).values()) == list(state.values())
