"""Tests for isoexp.stochastic."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import ks_2samp
from torch import Tensor, nn
from torch.func import functional_call, vmap

from isoexp.activations import Activation, IsoTanh, RadialBasis, ReLU, Sigmoid, Tanh
from isoexp.geometry import random_orthogonal
from isoexp.noise import KEY, haar
from isoexp.stochastic import Stochastic

from .dropout.families import draws, standard_errors

pytestmark = pytest.mark.usefixtures("float64")

COUNT = 4000
X = 3 * torch.tensor([1.0, -0.5, 0.2, 0.0], dtype=torch.float64)


def pvalue(a: Tensor, b: Tensor) -> float:
    """Returns the least of the coordinates', by Kolmogorov and Smirnov.

    Rounded first: where Bᵀx ≥ 0, as happens often, relu gives x back to rounding.
    """

    pairs = zip(a.T.numpy().round(9), b.T.numpy().round(9), strict=True)

    found: list[Any] = [ks_2samp(u, v, method="asymp") for u, v in pairs]

    return min(result.pvalue for result in found)


@pytest.mark.parametrize("form", [Tanh, ReLU, Sigmoid])
def test_no_basis_is_special(form: type[Activation]) -> None:
    """Rᵀ f_B(Rx) and f_B(x) have one law; with f alone they differ."""

    f, R = Stochastic(4, form), random_orthogonal(4)

    assert pvalue(draws(f, X, COUNT), draws(f, X @ R.T, COUNT) @ R) > 1e-3
    alone = form(4)
    assert (alone(X @ R.T) @ R - alone(X)).norm() > 0.1


def test_rotations_do_as_well_as_all_of_the_group() -> None:
    """The paper's SO(n) is half of O(n), and its law is the same: tanh knows no orientation."""

    f, keys = Stochastic(4, Tanh), torch.randint(KEY, (COUNT,))
    rotation = torch.linalg.det(vmap(lambda k: haar(k, 4, torch.float64))(keys)) > 0
    found = vmap(lambda k: functional_call(f, {"key": k}, (X,)))(keys)

    assert pvalue(found[rotation], found[~rotation]) > 1e-3


def test_is_its_formula() -> None:
    """B f(Bᵀ x), one B for all vectors of a call."""

    f, x = Stochastic(4, Tanh), torch.randn(2, 3, 4)
    (key,) = f.eval().draw(1)
    B = haar(key, 4, torch.float64)
    y = f.train()(x)

    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(y[i, j], B @ (B.T @ x[i, j]).tanh())


@pytest.mark.parametrize("n", [1, 2, 5])
def test_mean_in_closed_form(n: int) -> None:
    """E f_B(x) = n E[u₁ tanh(r u₁)] x̂, u uniform on the sphere: along x, and no other way."""

    x = torch.linspace(-1, 2, n) + 0.3
    r = x.norm().item()
    if n == 1:
        gain = np.tanh(r)
    elif n == 2:
        gain = 2 * quad(lambda t: np.cos(t) * np.tanh(r * np.cos(t)), 0, np.pi)[0] / np.pi
    else:
        density = lambda t: (1 - t * t) ** ((n - 3) / 2)
        whole = quad(density, -1, 1)[0]
        gain = n * quad(lambda t: t * np.tanh(r * t) * density(t), -1, 1)[0] / whole

    samples = draws(Stochastic(n, Tanh), x, COUNT)
    assert standard_errors(samples, gain * x / r) < 5


@pytest.mark.parametrize("form", [nn.Identity, IsoTanh, lambda n: Scale()])
def test_what_commutes_with_rotations_stays(form: Callable[[int], nn.Module]) -> None:
    x = torch.randn(5, 4)

    torch.testing.assert_close(Stochastic(4, form)(x), form(4)(x), rtol=0, atol=1e-14)


class Scale(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return -2 * x


def test_in_one_dimension_an_odd_function_stays() -> None:
    x = torch.linspace(-3, 3, 7)[:, None]

    torch.testing.assert_close(Stochastic(1, Tanh)(x), x.tanh())


def test_calls_differ_in_training_and_repeat_in_evaluation() -> None:
    f, x = Stochastic(4, Tanh), torch.randn(5, 4)

    assert not torch.equal(f(x), f(x))
    f.eval()
    assert torch.equal(f(x), f(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_gives_back_the_dtype(dtype: torch.dtype) -> None:
    for shape in [(3,), (0, 3), (2, 5, 3)]:
        y = Stochastic(3, Tanh)(torch.randn(shape, dtype=dtype))
        assert y.dtype == dtype
        assert y.shape == shape


def test_weights_of_the_form_are_trained() -> None:
    f = Stochastic(4, RadialBasis)
    f(torch.randn(5, 4)).sum().backward()

    centres = f.get_parameter("form.centres")
    assert centres.grad is not None
    assert centres.grad.any()


def test_refuses_what_changes_the_width() -> None:
    with pytest.raises(ValueError, match=r"form must map .* got one from 4 to 7 features"):
        Stochastic(4, partial(RadialBasis, centres=7))
