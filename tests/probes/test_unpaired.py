"""Tests for isoexp.probes.procrustes where it is not known which rows belong together."""

import pytest
import torch
from torch import Generator, Tensor

from isoexp.geometry import random_orthogonal
from isoexp.probes.copies import PERMUTATIONS, SIGNED
from isoexp.probes.procrustes import (
    Nearest,
    _doubly_stochastic,
    matching,
    nearest_orthogonal,
    nearest_permutation,
    nearest_signed,
    starts,
)
from isoexp.symmetry import MatrixGroup

pytestmark = pytest.mark.usefixtures("float64")


def found(A: Tensor, B: Tensor, seed: int, nearest: Nearest = nearest_orthogonal) -> float:
    """The share of rows that are matched rightly, once those of B are in another order."""

    generator = Generator().manual_seed(seed)
    order = torch.randperm(len(B), generator=generator)
    B = B[order]
    pi = matching(A, B, nearest, starts(A, B, 3, generator))

    return (order[pi] == torch.arange(len(A))).double().mean().item()


@pytest.mark.parametrize("seed", range(20))
def test_rotated_rows_are_matched_without_a_pair(seed: int) -> None:
    """With noise of a tenth of their length on both."""

    torch.manual_seed(seed)
    A = torch.randn(48, 16)
    B = A @ random_orthogonal(16) + 0.1 * torch.randn(48, 16)

    assert found(A, B, seed) > 0.95


def test_unrelated_rows_are_matched_by_chance() -> None:
    """One a set on average, so 20 in 20 sets: more than 50 have a probability of 1e-8."""

    right = 0.0
    for seed in range(20):
        torch.manual_seed(seed)
        right += 48 * found(torch.randn(48, 16), torch.randn(48, 16), seed)

    assert right <= 50


@pytest.mark.parametrize(
    ("group", "nearest"), [(SIGNED, nearest_signed), (PERMUTATIONS, nearest_permutation)]
)
def test_maps_are_found_with_the_matching(group: MatrixGroup, nearest: Nearest) -> None:
    A = torch.randn(48, 16)
    B = A @ group.draw(16, Generator().manual_seed(0))

    assert found(A, B, 0, nearest) == 1


def test_a_wrong_start_is_mended() -> None:
    """The two in turn: of 48 rows a third are matched wrongly at first."""

    A = torch.randn(48, 8)
    B = A @ random_orthogonal(8)
    start = torch.cat([torch.arange(16).roll(1), torch.arange(16, 48)])

    torch.testing.assert_close(matching(A, B, nearest_orthogonal, [start]), torch.arange(48))
    worse = torch.arange(48).roll(1)
    torch.testing.assert_close(matching(A, B, nearest_orthogonal, [worse, start]), torch.arange(48))


@pytest.mark.parametrize("seed", range(10))
def test_a_matching_is_where_neither_changes(seed: int) -> None:
    """With 30 of 48 rows matched wrongly at first, one turn would seldom be enough."""

    torch.manual_seed(seed)
    A = torch.randn(48, 8)
    B = A @ random_orthogonal(8)
    pi = matching(
        A, B, nearest_orthogonal, [torch.cat([torch.arange(30).roll(1), torch.arange(30, 48)])]
    )

    assert torch.equal(matching(A, B, nearest_orthogonal, [pi]), pi)


def test_starts_follow_the_generator_alone() -> None:
    A, B = torch.randn(2, 20, 5)
    one, two, other = (starts(A, B, 3, Generator().manual_seed(seed)) for seed in (0, 0, 1))

    assert torch.equal(torch.stack(one), torch.stack(two))
    assert not torch.equal(torch.stack(one), torch.stack(other))
    for pi in one:
        assert sorted(pi.tolist()) == list(range(20))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rows_without_a_difference_are_matched_somehow(value: float) -> None:
    A = torch.full((6, 3), value)
    (pi,) = starts(A, A, 1, Generator())

    assert sorted(matching(A, A, nearest_orthogonal, [pi]).tolist()) == list(range(6))


@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0, 1000.0])
def test_soft_matchings_are_doubly_stochastic(spread: float) -> None:
    P = _doubly_stochastic(spread * torch.randn(9, 9))

    assert P.min() >= 0
    torch.testing.assert_close(P.sum(dim=0), torch.ones(9))
    torch.testing.assert_close(P.sum(dim=1), torch.ones(9))
