"""Tests for isoexp.probes.procrustes."""

from itertools import permutations, product

import numpy as np
import pytest
import scipy
import torch
from torch import Generator, Tensor

from isoexp.probes.copies import ORTHOGONAL, PERMUTATIONS, SIGNED
from isoexp.probes.procrustes import (
    Nearest,
    assignment,
    nearest_orthogonal,
    nearest_permutation,
    nearest_signed,
)
from isoexp.symmetry import MatrixGroup

pytestmark = pytest.mark.usefixtures("float64")

CASES = [
    (ORTHOGONAL, nearest_orthogonal),
    (SIGNED, nearest_signed),
    (PERMUTATIONS, nearest_permutation),
]
"""From the largest group to the smallest."""


def element(group: MatrixGroup, n: int) -> Tensor:
    return group.draw(n, Generator().manual_seed(n))


def every_permutation(n: int) -> list[Tensor]:
    return [torch.eye(n)[list(order)] for order in permutations(range(n))]


def every_signed(n: int) -> list[Tensor]:
    signs = [torch.tensor(s) for s in product([1.0, -1.0], repeat=n)]

    return [P * s for P in every_permutation(n) for s in signs]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("nearest", "group"),
    [(nearest_permutation, every_permutation(4)), (nearest_signed, every_signed(4))],
)
def test_permutations_are_the_best_of_all(nearest: Nearest, group: list[Tensor], seed: int) -> None:
    torch.manual_seed(seed)
    G = torch.randn(4, 4)

    torch.testing.assert_close((nearest(G) * G).sum(), max((P * G).sum() for P in group))


def test_rotations_are_those_of_scipy() -> None:
    A, B = torch.randn(2, 20, 6)
    R, _ = scipy.linalg.orthogonal_procrustes(B.numpy(), A.numpy())

    np.testing.assert_allclose(nearest_orthogonal(B.mT @ A).numpy(), R, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize(("group", "nearest"), CASES)
def test_a_member_of_the_group_is_nearest_to_itself(
    group: MatrixGroup, nearest: Nearest, n: int
) -> None:
    P = element(group, n)

    torch.testing.assert_close(nearest(3 * P), P)
    assert nearest(torch.zeros(n, n)).det().abs() == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize(("group", "nearest"), CASES)
def test_a_member_of_the_group_is_found_again_from_vectors(
    group: MatrixGroup, nearest: Nearest, n: int
) -> None:
    A, P = torch.randn(50, n), element(group, n)

    torch.testing.assert_close(nearest((3 * A @ P.mT).mT @ A), P)


@pytest.mark.parametrize("larger", range(2))
def test_that_of_a_larger_group_is_not(larger: int) -> None:
    """The control: a permutation does not undo a rotation, nor a sign."""

    A = torch.randn(50, 7)
    B = A @ element(CASES[larger][0], 7).mT

    for _, nearest in CASES[larger + 1 :]:
        assert (A - B @ nearest(B.mT @ A)).norm() > 0.2 * A.norm(), nearest


@pytest.mark.parametrize("seed", range(20))
def test_a_larger_group_comes_nearer(seed: int) -> None:
    torch.manual_seed(seed)
    G = torch.randn(5, 5)
    found = [nearest(G) for _, nearest in CASES]

    reached = [(P * G).sum().item() for P in found]
    assert reached == sorted(reached, reverse=True)
    for P in found:
        torch.testing.assert_close(P @ P.mT, torch.eye(5))


def test_an_assignment_takes_each_column_once() -> None:
    G = torch.tensor([[5.0, 4.0, 0.0], [5.0, 1.0, 0.0], [0.0, 0.0, 1.0]])

    assert assignment(G).tolist() == [1, 0, 2]
