"""Tests for isoexp.activations.elementwise."""

import numpy as np
import pytest
import torch
from scipy.special import expit, ndtr

from isoexp.activations import ELU, LeakyReLU
from isoexp.geometry import random_orthogonal

from ..properties import (
    ROUNDING,
    assert_commutes,
    commutator,
    permutation,
    positive_diagonal,
    signed_permutation,
)
from .families import ELEMENTWISE, Build, each

pytestmark = pytest.mark.usefixtures("float64")

ODD = {"Identity", "Tanh"}
HOMOGENEOUS = {"Identity", "ReLU", "LeakyReLU", "Abs"}

FORMULAS = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "ReLU": lambda x: np.maximum(x, 0),
    "LeakyReLU": lambda x: np.where(x >= 0, x, 0.01 * x),
    "GELU": lambda x: x * ndtr(x),
    "SiLU": lambda x: x * expit(x),
    "Softplus": lambda x: np.log1p(np.exp(x)),
    "ELU": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "Abs": np.abs,
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_is_its_formula(name: str) -> None:
    x = torch.linspace(-20, 20, 401)[:, None]
    expected = torch.as_tensor(FORMULAS[name](x.numpy()))

    # Softplus of PyTorch drops log1p(e^−x) beyond x = 20; GELU loses digits where it is nearly 0.
    torch.testing.assert_close(ELEMENTWISE[name](1)(x), expected, rtol=1e-14, atol=1e-14)


@each(ELEMENTWISE)
@pytest.mark.parametrize("n", [1, 2, 64])
def test_commutes_with_permutations(build: Build, n: int) -> None:
    assert_commutes(build(n), n, permutation, "permutations")


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("n", [2, 64])
def test_no_rotation_but_for_the_identity(name: str, n: int) -> None:
    """The control: the law of the isotropic can be broken, and the check sees it."""

    error = commutator(ELEMENTWISE[name](n), torch.randn(256, n), random_orthogonal(n))

    if name == "Identity":
        assert error < ROUNDING
    else:
        assert error > 1e-2, f"{name} passes for isotropic in R^{n}: {error:.1e}"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_odd_commute_with_signed_permutations(name: str) -> None:
    f = ELEMENTWISE[name](8)
    if name in ODD:
        assert_commutes(f, 8, signed_permutation, "signed permutations")
    else:
        flip = torch.diag(torch.tensor([-1.0] + 7 * [1.0]))
        assert commutator(f, torch.randn(64, 8), flip) > 1e-2, f"{name} passes for odd"


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_homogeneous_commute_with_positive_scalings(name: str) -> None:
    f = ELEMENTWISE[name](8)
    if name in HOMOGENEOUS:
        assert_commutes(f, 8, positive_diagonal, "positive scalings")
    else:
        error = commutator(f, torch.randn(64, 8), positive_diagonal(8))
        assert error > 1e-2, f"{name} passes for homogeneous"


def test_options() -> None:
    x = torch.tensor([[-2.0, 3.0]])

    assert LeakyReLU(2, slope=0.25)(x).tolist() == [[-0.5, 3.0]]
    torch.testing.assert_close(ELU(2, alpha=3.0)(x), torch.tensor([[3 * np.expm1(-2.0), 3.0]]))
    with pytest.raises(ValueError, match="alpha must be positive, got 0; alpha → 0 is activation="):
        ELU(2, alpha=0.0)
