"""Tests for isoexp.probes.agreement.correspondence."""

from math import isnan

import pytest
import scipy
import torch
from torch import Tensor

from isoexp.geometry import random_orthogonal
from isoexp.probes.agreement.correspondence import (
    MAPS,
    centred,
    cka,
    cosine,
    padded,
    residual,
    retrieval,
    scale,
)

pytestmark = pytest.mark.usefixtures("float64")


def left(A: Tensor, B: Tensor, name: str = "orthogonal") -> float:
    """What the best map of a group and the best scale leave unexplained."""

    BQ = B @ MAPS[name](B.mT @ A)

    return residual(A, scale(A, BQ) * BQ)


def element(name: str, n: int) -> Tensor:
    """Some element of the group."""

    P = torch.eye(n)[torch.randperm(n)]

    return {
        "orthogonal": random_orthogonal(n),
        "signed": P * torch.randn(n).sign(),
        "permutation": P,
        "identity": torch.eye(n),
    }[name]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_an_element_of_the_group_leaves_nothing(name: str, n: int) -> None:
    A = torch.randn(50, n)
    Q = element(name, n)

    torch.testing.assert_close(MAPS[name]((3 * A @ Q.mT).mT @ A), Q)
    assert left(A, 3 * A @ Q.mT, name) < 1e-20


@pytest.mark.parametrize("larger", range(3))
def test_that_of_a_larger_group_leaves_much(larger: int) -> None:
    """The control: a permutation does not undo a rotation, nor a sign."""

    A, names = torch.randn(50, 7), list(MAPS)
    B = A @ element(names[larger], 7).mT

    for name in names[larger + 1 :]:
        assert left(A, B, name) > 0.05, name


@pytest.mark.parametrize("seed", range(20))
def test_a_larger_group_leaves_less(seed: int) -> None:
    torch.manual_seed(seed)
    A, B = torch.randn(2, 9, 5)
    each = [left(A, B, name) for name in MAPS]

    assert each == sorted(each)


def test_the_residual_is_scipys_disparity() -> None:
    A, B = (centred(torch.randn(20, 6)) for _ in range(2))
    _, _, disparity = scipy.spatial.procrustes(A.numpy(), B.numpy())

    assert left(A, B) == pytest.approx(disparity)


def test_the_scale_is_the_best_that_is_not_negative() -> None:
    A, B = torch.randn(2, 9, 5)
    B = B * (A * B).sum().sign()
    s = scale(A, B).item()

    least = residual(A, s * B)
    assert least < min(residual(A, (s + d) * B) for d in (-1e-3, 1e-3))
    assert scale(A, -B) == 0


def test_coordinates_that_one_lacks_are_zero() -> None:
    A, B = padded(torch.ones(3, 2), torch.ones(3, 4))

    assert A.tolist() == [[1, 1, 0, 0]] * 3
    assert B.tolist() == [[1] * 4] * 3


def test_what_does_not_vary_is_centred_to_zero() -> None:
    """Not to its rounding error, which would have a direction."""

    assert centred(torch.full((7, 3), 0.1)).count_nonzero() == 0
    A = torch.randn(7, 3)
    torch.testing.assert_close(centred(A + 5).mean(dim=0), torch.zeros(3))


def test_cosines_are_the_mean_over_what_has_a_direction() -> None:
    A = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    B = torch.tensor([[1.0, 1.0], [0.0, -1.0], [1.0, 0.0]])

    assert cosine(A, B) == pytest.approx((0.5**0.5 - 1) / 2)
    assert isnan(cosine(torch.zeros(3, 2), B))


def test_things_are_found_by_the_angle() -> None:
    A = torch.randn(30, 8)
    length = torch.rand(30, 1) + 0.1

    assert retrieval(A, length * A) == 1
    assert retrieval(A, -A) == 0
    assert retrieval(A, A.roll(1, dims=0)) == 0


@pytest.mark.parametrize("rows", [1, 2, 30])
def test_things_without_a_difference_are_found_by_chance(rows: int) -> None:
    for B in (torch.zeros(rows, 3), torch.ones(rows, 3)):
        assert retrieval(torch.randn(rows, 3), B) == pytest.approx(1 / rows)


def test_cka_is_that_of_gram_matrices() -> None:
    """The normalised trace of H K H L, as its source has it."""

    A, B = torch.randn(12, 5), torch.randn(12, 3)
    H = torch.eye(12) - 1 / 12
    hsic = lambda X, Y: torch.trace(H @ X @ X.mT @ H @ Y @ Y.mT)

    expected = hsic(A, B) / (hsic(A, A) * hsic(B, B)).sqrt()
    assert cka(A, B) == pytest.approx(expected.item())


def test_cka_sees_no_rotation_but_sees_a_stretch() -> None:
    A = torch.randn(12, 5)

    assert cka(A, 3 * A @ random_orthogonal(5) + 7) == pytest.approx(1)
    assert cka(A, A * torch.tensor([9.0, 1, 1, 1, 1])) < 0.95


def test_nothing_is_measured_of_nothing() -> None:
    zero, A = torch.zeros(4, 3), torch.randn(4, 3)

    assert isnan(residual(zero, A))
    assert isnan(left(zero, A))
    assert isnan(left(A, zero))
    assert isnan(cka(zero, A))
