"""Tests for isoexp.geometry."""

import math

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import kstest
from torch import Tensor
from torch.func import vmap

from isoexp.geometry import (
    angle,
    coordinate_cdf,
    eigenvalues,
    eigh,
    full,
    orthonormal,
    radius,
    random_orthogonal,
    singular_values,
    unit,
)

from . import references

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
DOUBLE_EPS = torch.finfo(torch.float64).eps


def direction(n: int) -> Tensor:
    u = torch.randn(n, dtype=torch.float64)

    return u / u.norm()


# --- radius ---------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("n", [1, 3, 1000])
def test_radius_is_the_norm_at_every_magnitude(dtype: torch.dtype, n: int) -> None:
    limits = torch.finfo(dtype)
    lowest = 2 * limits.eps
    for magnitude in (lowest, 1e-3, 1.0, 1e9, limits.max**0.5, limits.max / 100, 0.99 * limits.max):
        x = (magnitude * direction(n)).to(dtype)
        with mp.workdps(40):
            expected = references.norm(references.exact(x))
            error = abs(mp.mpf(radius(x).item()) - expected) / expected / limits.eps

        # n squares summed in pairs or vectors, whose relative errors the root halves.
        assert error < 4 + n**0.5 / 4, f"off by {float(error):.1f} eps at {magnitude:g}"


@DTYPES
def test_radius_in_the_ball_is_held(dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    for magnitude in (0.0, 1e-300, 1e-40, 1e-20, 0.4 * eps):
        x = (magnitude * direction(4)).to(dtype).requires_grad_()
        r = radius(x)
        (gradient,) = torch.autograd.grad(r.sum(), x, create_graph=True)

        assert r.item() == eps
        assert not gradient.any()


@DTYPES
@pytest.mark.parametrize("magnitude", [1e-6, 1.0, 1e18])
def test_radius_derivatives(dtype: torch.dtype, magnitude: float) -> None:
    """∇r = x̂ and ∇²r = (I − x̂x̂ᵀ) / r."""

    u = direction(5).to(dtype)
    x = magnitude * u
    f = lambda x: radius(x).squeeze(-1)
    eps = torch.finfo(dtype).eps

    gradient = torch.autograd.functional.jacobian(f, x)
    hessian = torch.func.jacrev(torch.func.jacrev(f))(x)

    torch.testing.assert_close(gradient, u, rtol=0, atol=8 * eps)
    projector = torch.eye(5, dtype=dtype) - torch.outer(u, u)
    torch.testing.assert_close(magnitude * hessian, projector, rtol=0, atol=8 * eps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_radius_of_half_precisions_is_float32(dtype: torch.dtype) -> None:
    """300² overflows float16, and a sum of 1000 squares loses every digit of bfloat16."""

    x = torch.full((2, 1000), 300.0, dtype=dtype)

    assert radius(x).dtype == torch.float32
    torch.testing.assert_close(radius(x), torch.full((2, 1), 300 * 1000**0.5))


def test_half_precisions_are_summed_in_float32() -> None:
    for dtype in (torch.bfloat16, torch.float16):
        assert full(torch.ones(2, dtype=dtype)).dtype == torch.float32
    for dtype in (torch.float32, torch.float64):
        x = torch.ones(2, dtype=dtype)
        assert full(x) is x


def test_radius_keeps_the_batch() -> None:
    assert radius(torch.randn(0, 3)).shape == (0, 1)
    assert radius(torch.randn(2, 5, 3)).shape == (2, 5, 1)
    assert radius(torch.randn(3)).shape == (1,)


def test_radius_lets_nan_and_inf_through() -> None:
    """So that a network that diverges is seen to."""

    assert radius(torch.tensor([math.nan, 1.0])).isnan().all()
    assert not radius(torch.tensor([math.inf, 1.0])).isfinite().any()


# --- unit -----------------------------------------------------------------------------------


@DTYPES
def test_unit_has_length_one_at_every_magnitude(dtype: torch.dtype) -> None:
    limits = torch.finfo(dtype)
    for magnitude in (limits.tiny, 1e-20, 1.0, 1e18, 0.99 * limits.max):
        u = direction(7).to(dtype)
        x = magnitude * u
        torch.testing.assert_close(unit(x), u, rtol=4 * limits.eps, atol=4 * limits.eps)
        assert unit(x).norm().item() == pytest.approx(1, abs=4 * limits.eps)


def test_zero_has_no_direction() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])

    assert unit(x)[0].isnan().all()
    torch.testing.assert_close(unit(x)[1], torch.tensor([0.6, 0.8]))


# --- angle ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 100])
def test_angle_is_its_formula(n: int) -> None:
    """Against arccos in fifty digits, from tiny to nearly flat, in float64."""

    for turn in (1e-12, 1e-6, 1e-2, 1.0, 1.57, 3.0, math.pi - 1e-6):
        u, v = direction(n), direction(n)
        v = v - (u @ v) * u
        x, y = 3.0 * u, 0.2 * (math.cos(turn) * u + math.sin(turn) * v / v.norm())

        assert angle(x, y).item() == pytest.approx(references.angle(x, y), abs=8 * DOUBLE_EPS)


@DTYPES
def test_angle_in_closed_form(dtype: torch.dtype) -> None:
    e = torch.eye(3, dtype=dtype)
    eps = torch.finfo(dtype).eps

    assert angle(e[0], e[0]).item() == 0
    assert angle(e[0], e[1]).item() == pytest.approx(math.pi / 2, rel=2 * eps)
    assert angle(e[0], -e[0]).item() == pytest.approx(math.pi, rel=2 * eps)
    assert angle(e[0], e[0] + e[1]).item() == pytest.approx(math.pi / 4, rel=4 * eps)


def test_small_angles_survive_float32() -> None:
    """The control: arccos of the cosine cannot tell them from zero, or from NaN."""

    x = torch.randn(1000, 64)
    x = x / x.norm(dim=-1, keepdim=True)
    naive = torch.arccos((x * x).sum(dim=-1) / (x.norm(dim=-1) * x.norm(dim=-1)))

    assert angle(x, 5 * x).max() < 4 * torch.finfo(torch.float32).eps
    assert naive.isnan().any() or naive.max() > 1e-4

    turn = torch.tensor([1e-3, 1e-5, 1e-6])
    axis = torch.tensor([1.0, 0.0])
    turned = torch.stack([turn.cos(), turn.sin()], dim=-1)
    torch.testing.assert_close(angle(turned, axis.expand(3, 2)), turn, rtol=1e-6, atol=0)


def test_angle_knows_no_length() -> None:
    x, y = torch.randn(20, 5), torch.randn(20, 5)

    for a, b in ((1e-30, 1e30), (1e30, 1e30), (1e-30, 1e-30)):
        # One rounding a coordinate by each factor.
        torch.testing.assert_close(angle(a * x, b * y), angle(x, y), rtol=0, atol=1e-6)


def test_angle_is_undefined_at_zero() -> None:
    x = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])

    assert angle(x, y).isnan().tolist() == [True, True, True, False]


# --- Haar rotations -------------------------------------------------------------------------

DRAWS = 4000


def moments_off(draws: Tensor) -> float:
    """Returns by how many standard errors the first two moments miss those of Haar on O(n).

    E R_ij = 0, E R_ij² = 1/n, E R_ij⁴ = 3/n(n + 2), E tr R = 0, E (tr R)² = E tr R² = 1, E det = 0.
    """

    n = draws.shape[-1]
    trace = draws.diagonal(dim1=1, dim2=2).sum(dim=1)
    off = []
    for values, mean in [
        (draws.flatten(1), 0),
        (draws.flatten(1) ** 2, 1 / n),
        (draws.flatten(1) ** 4, 3 / (n * (n + 2))),
        (trace[:, None], 0),
        (trace[:, None] ** 2, 1),
        ((draws @ draws).diagonal(dim1=1, dim2=2).sum(dim=1)[:, None], 1),
        (torch.linalg.det(draws)[:, None], 0),
    ]:
        error = values.std(dim=0) / len(values) ** 0.5
        off.append(((values.mean(dim=0) - mean).abs() / error).max().item())

    return max(off)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_random_orthogonal_is_haar(n: int) -> None:
    draws = torch.stack([random_orthogonal(n) for _ in range(DRAWS)])

    # The largest of some 80 standard normals passes 5 once in 20,000 seeds.
    assert moments_off(draws) < 5
    for row in draws[:, :, 0].T:  # a column is uniform on the sphere
        assert kstest(row.numpy(), lambda t: coordinate_cdf(t, n)).pvalue > 1e-4


def test_qr_alone_is_not_haar() -> None:
    """The control: without the signs of diag R the check fails, by far."""

    q, _ = torch.linalg.qr(torch.randn(DRAWS, 3, 3, dtype=torch.float64))

    assert moments_off(q) > 20


@DTYPES
@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_orthonormal_is_gram_and_schmidt(dtype: torch.dtype, n: int) -> None:
    """G = Q R with R upper triangular and positive on its diagonal, of which there is one."""

    G = torch.randn(n, n, dtype=dtype)
    Q = orthonormal(G)
    R = Q.T @ G
    eps = torch.finfo(dtype).eps

    assert Q.dtype == dtype
    torch.testing.assert_close(Q.T @ Q, torch.eye(n, dtype=dtype), rtol=0, atol=20 * eps)
    assert (R.diagonal() > 0).all()
    assert R.tril(-1).abs().max() < 20 * n**0.5 * eps
    torch.testing.assert_close(orthonormal(Q), Q, rtol=0, atol=20 * eps)


def test_orthonormal_of_many_at_once() -> None:
    G = torch.randn(5, 4, 4, dtype=torch.float64)
    together = torch.func.vmap(orthonormal)(G)

    for g, q in zip(G, together, strict=True):
        torch.testing.assert_close(q, orthonormal(g), rtol=0, atol=8 * DOUBLE_EPS)


def test_orthonormal_of_what_has_no_directions_is_orthogonal_still() -> None:
    """No sign is zero, whatever the diagonal of R."""

    Q = orthonormal(torch.zeros(3, 3))

    torch.testing.assert_close(Q.T @ Q, torch.eye(3))


@pytest.mark.parametrize("n", [1, 2, 64])
def test_random_orthogonal_is_orthogonal(n: int) -> None:
    R = random_orthogonal(n)

    assert R.dtype == torch.float64
    identity = torch.eye(n, dtype=torch.float64)
    torch.testing.assert_close(R @ R.T, identity, rtol=0, atol=20 * DOUBLE_EPS)


def test_both_parts_of_the_group_are_drawn() -> None:
    """O(n), not SO(n): half of the determinants are −1, in one dimension too."""

    for n in (1, 4):
        signs = torch.stack([torch.linalg.det(random_orthogonal(n)).sign() for _ in range(200)])
        assert abs(signs.mean().item()) < 5 / 200**0.5


def test_random_orthogonal_follows_its_generator() -> None:
    first, again = (random_orthogonal(4, torch.Generator().manual_seed(3)) for _ in range(2))

    assert torch.equal(first, again)
    assert not torch.equal(first, random_orthogonal(4, torch.Generator().manual_seed(4)))


# --- decompositions of many matrices ---------------------------------------------------------


def spectrum(A: Tensor) -> Tensor:
    return eigh(A)[0]


def eigenvectors(A: Tensor) -> Tensor:
    return eigh(A)[1]


DECOMPOSITIONS = [
    (spectrum, lambda A: torch.linalg.eigh(A)[0]),
    (eigenvectors, lambda A: torch.linalg.eigh(A)[1]),
    (eigenvalues, torch.linalg.eigvalsh),
    (singular_values, torch.linalg.svdvals),
]


@pytest.mark.parametrize("n", [1, 8, 32])
@pytest.mark.parametrize(("ours", "theirs"), DECOMPOSITIONS)
def test_decompositions_are_those_of_torch(ours, theirs, n: int) -> None:
    """With any leading axes, bit by bit, and so are their derivatives."""

    A = torch.randn(2, 3, n, n, dtype=torch.float64, requires_grad=True)
    found = []
    for f in (ours, theirs):
        y = f(A + A.mT)
        weights = torch.arange(y.numel()).view_as(y) % 7
        found.append((y, *torch.autograd.grad((weights * y.square()).sum(), A)))

    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("n", [1, 2, 8, 32])
@pytest.mark.parametrize("f", [ours for ours, _ in DECOMPOSITIONS])
def test_one_broken_matrix_breaks_no_other(f, n: int, poison: float) -> None:
    A = torch.randn(3, n, n, dtype=torch.float64)
    whole = A + A.mT
    broken = whole.clone()
    broken[1, 0, -1] = poison

    for each in (f, vmap(f)):
        assert each(broken)[1].isnan().all()
        assert torch.equal(each(broken)[[0, 2]], each(whole)[[0, 2]])


def test_without_the_guard_it_breaks_all() -> None:
    """The control."""

    S = torch.eye(8).repeat(2, 1, 1)
    S[1] = math.nan

    with pytest.raises(torch.linalg.LinAlgError):
        torch.linalg.eigh(S)


# --- coordinate_cdf -------------------------------------------------------------------------

GRID = np.linspace(-1, 1, 41)


def test_coordinate_cdf_in_known_cases() -> None:
    """Two points, the arcsine law, the uniform law, and the semicircle."""

    assert coordinate_cdf(np.array([-2.0, -1.0, 0.0, 0.9, 1.0, 2.0]), 1).tolist() == [
        0.0,
        0.5,
        0.5,
        0.5,
        1.0,
        1.0,
    ]
    for n, expected in (
        (2, 1 - np.arccos(GRID) / np.pi),
        (3, (1 + GRID) / 2),
        (4, 0.5 + (GRID * np.sqrt(1 - GRID**2) + np.arcsin(GRID)) / np.pi),
    ):
        np.testing.assert_allclose(coordinate_cdf(GRID, n), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("n", [5, 17, 512])
def test_coordinate_cdf_is_the_integral_of_its_density(n: int) -> None:
    def density(t: float) -> float:
        return (1 - t * t) ** ((n - 3) / 2)

    whole, _ = quad(density, -1, 1, points=[-0.1, 0.1], epsabs=1e-14)
    for t in (-0.3, -0.05, 0.0, 0.02, 0.4):
        part, _ = quad(density, -1, t, points=[-0.1], epsabs=1e-14)
        assert coordinate_cdf(np.array([t]), n)[0] == pytest.approx(part / whole, abs=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 100])
def test_coordinate_cdf_is_that_of_samples(n: int) -> None:
    coordinate = unit(torch.randn(5000, n, dtype=torch.float64))[:, 0].numpy()

    if n == 1:
        assert set(coordinate) == {-1.0, 1.0}
    else:
        assert kstest(coordinate, lambda t: coordinate_cdf(t, n)).pvalue > 1e-4
        # The control: the law of another dimension does not pass.
        assert kstest(coordinate, lambda t: coordinate_cdf(t, 2 * n)).pvalue < 1e-6


def test_coordinate_cdf_beyond_the_sphere() -> None:
    for n in (1, 2, 3, 50):
        assert coordinate_cdf(np.array([-7.0, -1.5, 1.5, 7.0]), n).tolist() == [0, 0, 1, 1]
