"""Tests for isoexp.symmetry.groups."""

from collections import Counter
from math import factorial

import pytest
import torch
from torch import Generator, Tensor

from isoexp.activations import ReLU
from isoexp.symmetry import GROUPS, MatrixGroup, largest, measure_map

ORTHOGONAL, SIGNED, PERMUTATIONS, DIAGONAL, TRIVIAL = GROUPS


def members(group: MatrixGroup, n: int, count: int) -> list[Tensor]:
    generator = Generator().manual_seed(n)

    return [group.draw(n, generator) for _ in range(count)]


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("group", [SIGNED, PERMUTATIONS], ids=lambda group: group.name)
def test_finite_groups_are_drawn_evenly(group: MatrixGroup, n: int) -> None:
    """Every member as often as any other, the identity too: 5 σ of 400 draws each."""

    size = factorial(n) * (2**n if group is SIGNED else 1)
    counts = Counter(tuple(g.flatten().tolist()) for g in members(group, n, 400 * size))

    assert len(counts) == size
    assert max(abs(count - 400) for count in counts.values()) < 5 * 20


def test_each_sign_is_even() -> None:
    """In the eight coordinates of an audit: 5 σ of 4,000 draws."""

    columns = torch.stack([g.sum(dim=0) for g in members(SIGNED, 8, 4000)])

    assert columns.abs().eq(1).all()
    assert columns.mean(dim=0).abs().max() < 5 / 4000**0.5


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("n", [1, 2, 8])
def test_one_of_several_tells(n: int, count: int) -> None:
    """A group is not taken for a smaller one, which all of a few members may happen to be in."""

    for group, within in (
        (ORTHOGONAL, PERMUTATIONS),
        (SIGNED, PERMUTATIONS),
        (PERMUTATIONS, TRIVIAL),
    ):
        for seed in range(50):
            drawn = group.drawn(count, n, Generator().manual_seed(seed))
            assert len(drawn) == count
            told = any(
                (g < 0).any()
                if within is PERMUTATIONS
                else not g.equal(drawn[0].new_ones(n).diag())
                for g in drawn
            )
            assert told or (group is PERMUTATIONS and n == 1)


@pytest.mark.parametrize("n", [1, 2])
def test_few_features_are_audited_rightly(n: int) -> None:
    found = {largest(measure_map(lambda n: ReLU(n), n, seed)) for seed in range(30)}

    assert found == {"permutations, positive diagonal"}
