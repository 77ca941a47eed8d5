"""Tests for isoexp.dropout of independent draws: one law, with a matrix and without."""

from typing import Any

import pytest
import torch
from scipy.stats import ks_2samp
from torch import Tensor

from isoexp.dropout import Dropout, ElementwiseDropout, HaarDropout, IsotropicDropout
from isoexp.geometry import random_orthogonal
from isoexp.noise import haar, uniform

from .families import draws, standard_errors

pytestmark = pytest.mark.usefixtures("float64")

COUNT = 6000
CASES = [(1, 0.5), (2, 0.3), (5, 0.7), (16, 0.9)]

each_case = pytest.mark.parametrize(("n", "q"), CASES)
each_isotropic = pytest.mark.parametrize("cls", [HaarDropout, IsotropicDropout])


def vector(n: int) -> Tensor:
    return torch.linspace(-1, 2, n) + 0.1


def covariance_errors(samples: Tensor, mean: Tensor, expected: Tensor) -> float:
    d = samples - mean

    return standard_errors((d[:, :, None] * d[:, None, :]).flatten(1), expected.flatten())


def covariance(x: Tensor, q: float) -> Tensor:
    """Cov x' in closed form, for x' = (r/q)(b x̂ + √(b(1 − b)) û) given k ~ Binomial(n, q).

    E b = k/n and E b² = k(k + 2)/n(n + 2) given k; û is uniform in the n − 1 directions across.
    """

    n, r2 = len(x), x.square().sum()
    k, k2 = n * q, n * q * (1 - q) + (n * q) ** 2
    b, b2 = k / n, (k2 + 2 * k) / (n * (n + 2))

    P = torch.outer(x, x) / r2
    across = (b - b2) / (n - 1) * (torch.eye(n) - P) if n > 1 else 0

    return r2 / q**2 * ((b2 - b**2) * P + across)


@each_case
@each_isotropic
def test_mean_and_covariance(cls: type[Dropout], n: int, q: float) -> None:
    """To five standard errors of 6,000 draws: the largest of some 200, of laws with tails."""

    x = vector(n)
    samples = draws(cls(n, q), x, COUNT)

    assert standard_errors(samples, x) < 5
    assert covariance_errors(samples, x, covariance(x, q)) < 5


@each_case
def test_elementwise_has_another_covariance(n: int, q: float) -> None:
    """The control: (1 − q)/q diag(x²), of the standard basis."""

    x = vector(n)
    samples = draws(ElementwiseDropout(n, q), x, COUNT)

    assert standard_errors(samples, x) < 5
    assert covariance_errors(samples, x, (1 - q) / q * torch.diag(x.square())) < 5
    if n > 1:
        assert covariance_errors(samples, x, covariance(x, q)) > 10


@each_case
def test_one_law_with_a_matrix_and_without(n: int, q: float) -> None:
    """Of the length, of the share along x, and of a coordinate across, by Kolmogorov-Smirnov."""

    x = vector(n)
    u = x / x.norm()
    a, b = (draws(cls(n, q), x, COUNT) for cls in (HaarDropout, IsotropicDropout))
    c = draws(ElementwiseDropout(n, q), x, COUNT)

    # k = 0 and k = n have lengths of their own, which rounding must not set apart.
    assert agree(a.norm(dim=1), b.norm(dim=1))
    assert agree(a @ u, b @ u)
    if n > 1:
        v = random_orthogonal(n)[0]
        v = v - (v @ u) * u
        assert agree(a @ v, b @ v)
        assert not agree(b @ u, c @ u)  # the control


@each_case
def test_moments_with_a_matrix_and_without(n: int, q: float) -> None:
    """Two samples' means and covariances, along x and across, within three standard errors of
    each other. (Of all entries at once, against the closed form, see above.)"""

    x = vector(n)
    u = x / x.norm()
    v = torch.eye(n)[0] - u[0] * u if n > 1 else torch.zeros(1)
    pairs = []
    for cls in (HaarDropout, IsotropicDropout):
        d = draws(cls(n, q), x, COUNT) - x
        along, across = d @ u, d @ v
        pairs.append(torch.stack([along, across, along**2, across**2, along * across]))

    for a, b in zip(*pairs, strict=True):
        error = ((a.var() + b.var()) / COUNT).sqrt()
        assert (a.mean() - b.mean()).abs() <= 3 * error


def agree(a: Tensor, b: Tensor) -> bool:
    found: Any = ks_2samp(a.numpy().round(9), b.numpy().round(9), method="asymp")

    return found.pvalue > 1e-3


@each_isotropic
def test_no_basis_is_special(cls: type[Dropout]) -> None:
    """Rᵀ f(Rx) and f(x) have one law; elementwise, the control, they have not."""

    x, R = vector(5), random_orthogonal(5)
    for build, same in [(cls, True), (ElementwiseDropout, False)]:
        module = build(5, 0.7)
        a, b = draws(module, x, COUNT), draws(module, x @ R.T, COUNT) @ R
        found = all(agree(a[:, i], b[:, i]) for i in range(5))
        assert found == same, f"{module}"


def test_the_equation_as_printed_has_no_mean() -> None:
    """x' = S (B M)∘x: a rotated mask is of mean 0, and leaves 0 of x on average."""

    n, q = 5, 0.7
    x = vector(n)
    B = torch.stack([random_orthogonal(n) for _ in range(COUNT)])
    M = (torch.rand(COUNT, n, 1) < q).double()
    samples = (B @ M).squeeze(-1) * x / q

    assert standard_errors(samples, torch.zeros(n)) < 5
    assert standard_errors(samples, x) > 10


# --- what is shared -------------------------------------------------------------------------


def test_elementwise_is_its_formula() -> None:
    module = ElementwiseDropout(5, 0.7)
    x = torch.randn(4, 3, 5)
    (key,) = module.eval().draw(1)
    y = module.train()(x)

    assert torch.equal(y, torch.where(uniform(key, x.shape) < 0.7, x / 0.7, 0.0))


def test_haar_is_its_formula() -> None:
    """One basis for all vectors of a call, a mask for each."""

    module = HaarDropout(5, 0.7)
    x = torch.randn(4, 3, 5)
    b, m = module.eval().draw(2)
    B, M = haar(b, 5, torch.float64), (uniform(m, x.shape) < 0.7).double()
    y = module.train()(x)

    for i in range(4):
        for j in range(3):
            expected = B @ torch.diag(M[i, j]) @ B.T @ x[i, j] / 0.7
            torch.testing.assert_close(y[i, j], expected)


@pytest.mark.parametrize("cls", [ElementwiseDropout, IsotropicDropout])
def test_vectors_of_a_call_are_dropped_apart(cls: type[Dropout]) -> None:
    """As many draws in one call as there are vectors, which know nothing of each other."""

    x = vector(4)
    samples = cls(4, 0.6)(x.expand(COUNT, 2, 4))

    assert standard_errors(samples[:, 0], x) < 5
    d = samples - x
    assert standard_errors((d[:, 0, :, None] * d[:, 1, None, :]).flatten(1), torch.zeros(16)) < 5


def test_share_kept() -> None:
    """As torch.nn.Dropout, whose p is the share that is dropped."""

    x = torch.ones(300, 100)
    ours = (ElementwiseDropout(100, 0.8)(x) != 0).double().mean().item()
    theirs = (torch.nn.Dropout(0.2)(x) != 0).double().mean().item()

    error = (0.16 / 30_000) ** 0.5
    assert abs(ours - 0.8) < 4 * error
    assert abs(ours - theirs) < 4 * 2**0.5 * error
