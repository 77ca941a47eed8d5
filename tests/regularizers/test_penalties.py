"""Tests for isoexp.regularizers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoexp.geometry import random_orthogonal
from isoexp.regularizers import (
    L1,
    L2,
    ActivationNorm,
    NoRegularizer,
    Nuclear,
    Penalty,
    Spectral,
)

from ..properties import assert_finite, signed_permutation

pytestmark = pytest.mark.usefixtures("float64")

ISOTROPIC = [L2, Nuclear, Spectral]
WEIGHTS = [*ISOTROPIC, L1]
FAMILY = [*WEIGHTS, ActivationNorm]

SHAPES = [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1), (1, 1), (4, 3, 3, 3)]
"""Of matrices wide, tall and square, of one row, one column and one entry, and of a kernel."""

REFERENCES: dict[type[Penalty], Callable[[np.ndarray], Any]] = {
    L2: lambda W: np.linalg.norm(W, "fro") ** 2 / 2,
    L1: lambda W: np.abs(W).sum(),
    Nuclear: lambda W: np.linalg.norm(W, "nuc"),
    Spectral: lambda W: np.linalg.norm(W, 2) ** 2 / 2,
}


def penalty(cls: type[Penalty], *tensors: Tensor, strength: float = 1.0) -> Tensor:
    """Returns the penalty of weights, or of activations where it sees them."""

    seen = cls.sees_activations
    value = cls(strength)([] if seen else tensors, tensors if seen else [])
    assert value is not None

    return value


def gradient(cls: type[Penalty], W: Tensor) -> Tensor:
    W = W.detach().clone().requires_grad_()
    (g,) = torch.autograd.grad(penalty(cls, W).sum(), W)

    return g


def turned(W: Tensor, R: Tensor, Q: Tensor) -> Tensor:
    """Returns R W Q, of kernels as matrices."""

    return (R @ W.flatten(2) @ Q).view_as(W)


def off(a: Tensor, b: Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


# --- values ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", WEIGHTS)
def test_is_the_norm_of_numpy_for_each_network(cls: type[Penalty]) -> None:
    weights = [torch.randn(3, *shape) for shape in SHAPES]
    values = penalty(cls, *weights, strength=0.3)

    for k in range(3):
        each = [REFERENCES[cls](W[k].flatten(1).numpy()) for W in weights]
        assert values[k].item() == pytest.approx(0.3 * sum(each), rel=1e-12)


def test_activation_norm_is_the_mean_of_squares_over_samples_positions_and_features() -> None:
    layers = [torch.randn(2, 7, 5), torch.randn(2, 7, 4, 4, 3)]
    values = penalty(ActivationNorm, *layers, strength=0.3)

    for k in range(2):
        each = [(h[k].norm(dim=-1) ** 2 / h.shape[-1]).mean().item() for h in layers]
        assert values[k].item() == pytest.approx(0.3 * sum(each), rel=1e-12)


def test_l2_is_weight_decay_in_plain_gradient_descent() -> None:
    """One step of the one and of the other, on a loss of its own."""

    penalised, decayed = (nn.Parameter(torch.ones(3, 4) + torch.arange(4)) for _ in range(2))
    x = torch.randn(4)

    for p, decay in ((penalised, 0.0), (decayed, 0.1)):
        loss = (p @ x).tanh().sum()
        if not decay:
            loss = loss + penalty(L2, p[None], strength=0.1).sum()
        loss.backward()
        torch.optim.SGD([p], lr=0.5, weight_decay=decay).step()

    torch.testing.assert_close(penalised, decayed, rtol=1e-14, atol=0)


def test_none_is_none() -> None:
    assert NoRegularizer()([torch.ones(2, 3, 3)], []) is None


@pytest.mark.parametrize("cls", FAMILY)
def test_nothing_to_penalise_is_none(cls: type[Penalty]) -> None:
    assert cls(1.0)([], []) is None


def test_only_the_norm_of_activations_sees_them() -> None:
    assert [cls for cls in FAMILY if cls.sees_activations] == [ActivationNorm]
    assert not NoRegularizer.sees_activations


# --- symmetry -------------------------------------------------------------------------------


@pytest.mark.parametrize("magnitude", [1e-50, 1e-3, 1.0, 1e3, 1e50])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cls", ISOTROPIC)
def test_rotations_leave_it(cls: type[Penalty], shape: tuple[int, ...], magnitude: float) -> None:
    """Its value is that of RWQ, and its gradient turns along."""

    W = magnitude * torch.randn(2, *shape)
    R, Q = random_orthogonal(shape[0]), random_orthogonal(math.prod(shape[1:]))

    assert off(penalty(cls, turned(W, R, Q)), penalty(cls, W)) < 1e-13
    # A singular vector is known to eps over the relative gap of the singular values.
    assert off(gradient(cls, turned(W, R, Q)), turned(gradient(cls, W), R, Q)) < 1e-11


def test_a_null_space_adds_nothing_of_its_own() -> None:
    """Where singular values are zero, U Vᵀ of the whole depends on LAPACK's choice: ours does not,
    and of W = 0 it is 0."""

    W = torch.randn(2, 6, 2) @ torch.randn(2, 2, 5)
    R, Q = random_orthogonal(6), random_orthogonal(5)

    assert off(gradient(Nuclear, turned(W, R, Q)), turned(gradient(Nuclear, W), R, Q)) < 1e-12
    assert torch.linalg.matrix_rank(gradient(Nuclear, W)).tolist() == [2, 2]

    def whole(W: Tensor) -> Tensor:
        U, _, V = torch.linalg.svd(W, full_matrices=False)

        return U @ V

    assert off(whole(turned(W, R, Q)), turned(whole(W), R, Q)) > 0.1  # the control


def test_activation_norm_sees_no_basis() -> None:
    h, R = torch.randn(2, 9, 5), random_orthogonal(5)

    assert off(penalty(ActivationNorm, h @ R.T), penalty(ActivationNorm, h)) < 1e-14


def test_l1_sees_signed_permutations_as_the_same_and_rotations_as_others() -> None:
    """The control of the laws above."""

    W = torch.randn(2, 6, 5)
    P, S = signed_permutation(6), signed_permutation(5)
    assert off(penalty(L1, P @ W @ S), penalty(L1, W)) < 1e-14

    R, Q = random_orthogonal(6), random_orthogonal(5)
    assert off(penalty(L1, turned(W, R, Q)), penalty(L1, W)) > 1e-2
    assert off(gradient(L1, turned(W, R, Q)), turned(gradient(L1, W), R, Q)) > 0.1


# --- singular points ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cls", WEIGHTS)
def test_is_finite_at_zero_and_at_repeated_singular_values(
    cls: type[Penalty], dtype: torch.dtype
) -> None:
    zero = torch.zeros(2, 4, 3, dtype=dtype)
    equal = torch.eye(4, dtype=dtype)[:, :3].expand(2, 4, 3)
    twins = torch.diag(torch.tensor([2.0, 2.0, 1.0], dtype=dtype)).expand(2, 3, 3)

    for W in (zero, equal, twins):
        g = gradient(cls, W)
        assert_finite(f"{cls.__name__} at {W[0].tolist()}", gradient=g, value=penalty(cls, W))
    assert not gradient(cls, zero).any()


@pytest.mark.parametrize("cls", WEIGHTS)
def test_gradients_are_those_of_finite_differences(cls: type[Penalty]) -> None:
    W = torch.randn(2, 4, 3, requires_grad=True)

    assert torch.autograd.gradcheck(lambda W: penalty(cls, W, strength=0.7), W)


def test_the_gradient_of_the_spectral_is_a_matrix_of_rank_one() -> None:
    """σ u vᵀ, as Yoshida and Miyato have it."""

    W = torch.randn(1, 5, 4)
    U, S, V = torch.linalg.svd(W[0], full_matrices=False)

    torch.testing.assert_close(gradient(Spectral, W)[0], S[0] * torch.outer(U[:, 0], V[0]))


# --- networks apart -------------------------------------------------------------------------


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("cls", FAMILY)
def test_a_broken_network_breaks_no_other(cls: type[Penalty], poison: float) -> None:
    t = torch.randn(3, 5, 4)
    broken = t.clone()
    broken[1, 2, 2] = poison

    def run(t: Tensor) -> tuple[Tensor, Tensor]:
        t = t.requires_grad_()
        value = penalty(cls, t)

        return value.detach(), torch.autograd.grad(value.sum(), t)[0]

    values, gradients = run(t)
    others, broken_gradients = run(broken)

    assert not others[1].isfinite()
    for k in (0, 2):
        assert torch.equal(values[k], others[k])
        assert torch.equal(gradients[k], broken_gradients[k])


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", FAMILY)
@pytest.mark.parametrize("strength", [-1e-3, math.nan, math.inf])
def test_refuses_no_strength(cls: type[Penalty], strength: float) -> None:
    with pytest.raises(ValueError, match="strength must be 0 or more, and finite, got"):
        cls(strength)


@pytest.mark.parametrize("cls", WEIGHTS)
def test_a_strength_of_zero_is_no_penalty(cls: type[Penalty]) -> None:
    assert penalty(cls, torch.randn(2, 3, 3), strength=0.0).tolist() == [0, 0]
