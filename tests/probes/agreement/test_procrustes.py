"""Tests for isoexp.probes.agreement.procrustes."""

from itertools import permutations, product
from math import isnan

import numpy as np
import pytest
import scipy
import torch
from torch import Generator, Tensor

from isoexp.geometry import random_orthogonal
from isoexp.probes.agreement.procrustes import (
    Fit,
    _doubly_stochastic,
    centred,
    cka,
    cosine,
    identity,
    matching,
    orthogonal,
    padded,
    permutation,
    residual,
    retrieval,
    scale,
    signed,
    starts,
)

pytestmark = pytest.mark.usefixtures("float64")

FITS = [orthogonal, signed, permutation, identity]
"""From the largest group to the smallest."""


def left(A: Tensor, B: Tensor, Q: Tensor) -> float:
    """What Q and the best scale leave unexplained."""

    return residual(A, scale(A, B @ Q) * B @ Q)


def element(fit: Fit, n: int) -> Tensor:
    """Some element of the group."""

    P = torch.eye(n)[torch.randperm(n)]
    some: dict[Fit, Tensor] = {
        orthogonal: random_orthogonal(n),
        signed: P * torch.randn(n).sign(),
        permutation: P,
        identity: torch.eye(n),
    }

    return some[fit]


# --- maps -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_an_element_of_the_group_is_found_again(fit, n: int) -> None:
    A = torch.randn(50, n)
    Q = element(fit, n)

    torch.testing.assert_close(fit(A, 3 * A @ Q.mT), Q)
    assert left(A, 3 * A @ Q.mT, fit(A, 3 * A @ Q.mT)) < 1e-20


@pytest.mark.parametrize("larger", range(3))
def test_that_of_a_larger_group_is_not(larger: int) -> None:
    """The control: a permutation does not undo a rotation, nor a sign."""

    A = torch.randn(50, 7)
    B = A @ element(FITS[larger], 7).mT

    for fit in FITS[larger + 1 :]:
        assert left(A, B, fit(A, B)) > 0.05, fit


@pytest.mark.parametrize("seed", range(20))
def test_a_larger_group_leaves_less(seed: int) -> None:
    torch.manual_seed(seed)
    A, B = torch.randn(2, 9, 5)
    each = [left(A, B, fit(A, B)) for fit in FITS]

    assert each == sorted(each)


@pytest.mark.parametrize("fit", FITS)
def test_maps_are_orthogonal(fit) -> None:
    Q = fit(torch.randn(9, 5), torch.randn(9, 5))

    torch.testing.assert_close(Q @ Q.mT, torch.eye(5))


@pytest.mark.parametrize("seed", range(5))
def test_permutations_are_the_best_of_all(seed: int) -> None:
    torch.manual_seed(seed)
    A, B = torch.randn(2, 9, 4)
    plain = [torch.eye(4)[list(order)] for order in permutations(range(4))]
    flipped = [P * torch.tensor(s) for P in plain for s in product([1.0, -1.0], repeat=4)]

    for fit, group in ((permutation, plain), (signed, flipped)):
        best = min((A - B @ Q).norm().item() for Q in group)
        assert (A - B @ fit(A, B)).norm().item() == pytest.approx(best), fit


def test_rotations_are_those_of_scipy() -> None:
    A, B = torch.randn(2, 20, 6)
    R, _ = scipy.linalg.orthogonal_procrustes(B.numpy(), A.numpy())

    np.testing.assert_allclose(orthogonal(A, B).numpy(), R, atol=1e-12)


def test_the_residual_is_scipys_disparity() -> None:
    A, B = (centred(torch.randn(20, 6)) for _ in range(2))
    _, _, disparity = scipy.spatial.procrustes(A.numpy(), B.numpy())

    assert left(A, B, orthogonal(A, B)) == pytest.approx(disparity)


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


# --- measures -------------------------------------------------------------------------------


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
    assert isnan(left(zero, A, orthogonal(zero, A)))
    assert isnan(left(A, zero, orthogonal(A, zero)))
    assert isnan(cka(zero, A))


# --- matching -------------------------------------------------------------------------------


def found(A: Tensor, B: Tensor, seed: int, fit=orthogonal) -> float:
    """The share of rows that are matched rightly, once those of B are in another order."""

    generator = Generator().manual_seed(seed)
    order = torch.randperm(len(B), generator=generator)
    B = B[order]
    pi = matching(A, B, fit, starts(A, B, 3, generator))

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


@pytest.mark.parametrize("fit", [signed, permutation])
def test_maps_are_found_with_the_matching(fit) -> None:
    A = torch.randn(48, 16)
    B = A @ element(fit, 16)

    assert found(A, B, 0, fit) == 1


def test_a_wrong_start_is_mended() -> None:
    """The two in turn: of 48 rows a third are matched wrongly at first."""

    A = torch.randn(48, 8)
    B = A @ random_orthogonal(8)
    start = torch.cat([torch.arange(16).roll(1), torch.arange(16, 48)])

    torch.testing.assert_close(matching(A, B, orthogonal, [start]), torch.arange(48))
    worse = torch.arange(48).roll(1)
    torch.testing.assert_close(matching(A, B, orthogonal, [worse, start]), torch.arange(48))


@pytest.mark.parametrize("seed", range(10))
def test_a_matching_is_where_neither_changes(seed: int) -> None:
    """With 30 of 48 rows matched wrongly at first, one turn would seldom be enough."""

    torch.manual_seed(seed)
    A = torch.randn(48, 8)
    B = A @ random_orthogonal(8)
    pi = matching(A, B, orthogonal, [torch.cat([torch.arange(30).roll(1), torch.arange(30, 48)])])

    assert torch.equal(matching(A, B, orthogonal, [pi]), pi)


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

    assert sorted(matching(A, A, orthogonal, [pi]).tolist()) == list(range(6))


@pytest.mark.parametrize("spread", [0.0, 1.0, 30.0, 1000.0])
def test_soft_matchings_are_doubly_stochastic(spread: float) -> None:
    P = _doubly_stochastic(spread * torch.randn(9, 9))

    assert P.min() >= 0
    torch.testing.assert_close(P.sum(dim=0), torch.ones(9))
    torch.testing.assert_close(P.sum(dim=1), torch.ones(9))
