"""Tests for isoexp.norms.vector."""

import pytest
import torch
from torch import nn

from isoexp.norms import AffineLike, L2Norm

from ..properties import assert_finite
from .families import VECTOR, Build, random_affine

pytestmark = pytest.mark.usefixtures("float64")

vector = pytest.mark.parametrize("build", VECTOR.values(), ids=VECTOR.keys())


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("magnitude", [1e-12, 1.0, 1e150, 1e300])
def test_l2_is_the_direction(n: int, magnitude: float) -> None:
    x = torch.randn(5, n)
    expected = nn.functional.normalize(x, dim=-1)

    torch.testing.assert_close(L2Norm(n)(magnitude * x), expected)


def test_l2_at_the_origin() -> None:
    """0 goes to 0; there and within eps of it the map is x / eps."""

    eps = torch.finfo(torch.float64).eps
    J = torch.autograd.functional.jacobian(L2Norm(4), torch.zeros(4))

    assert torch.equal(L2Norm(4)(torch.zeros(2, 4)), torch.zeros(2, 4))
    torch.testing.assert_close(J, torch.eye(4) / eps)


def test_l2_jacobian_is_tangential() -> None:
    """J = (I − x̂x̂ᵀ) / ‖x‖."""

    x = torch.randn(6)
    u = x / x.norm()
    J = torch.autograd.functional.jacobian(L2Norm(6), x)

    torch.testing.assert_close(J, (torch.eye(6) - torch.outer(u, u)) / x.norm())


def test_affine_like_is_the_affine_map_of_a_point_on_the_sphere() -> None:
    norm, x = random_affine(5), 3 * torch.randn(8, 5)
    lifted = torch.cat([x, torch.ones(8, 1)], dim=1)
    on_sphere = lifted / lifted.norm(dim=1, keepdim=True)
    weight = torch.cat([norm.weight, norm.bias[:, None]], dim=1)

    torch.testing.assert_close(norm(x), on_sphere @ weight.T)


def test_affine_like_starts_as_a_soft_projection() -> None:
    """W = I, b = 0: x / √(‖x‖² + 1), the identity near the origin."""

    norm, x = AffineLike(5), torch.randn(8, 5)

    torch.testing.assert_close(norm(x), x / (x.square().sum(dim=1, keepdim=True) + 1).sqrt())
    J = torch.autograd.functional.jacobian(norm, torch.zeros(5))
    torch.testing.assert_close(J, torch.eye(5), rtol=0, atol=0)
    assert all(p.requires_grad for p in norm.parameters())
    assert len(list(norm.parameters())) == 2


@pytest.mark.parametrize("radius", [1e-3, 1.0, 50.0])
def test_affine_like_gradients(radius: float) -> None:
    norm = random_affine(3)
    x = (radius * nn.functional.normalize(torch.randn(2, 3), dim=1)).requires_grad_()

    def f(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(f, (x, norm.weight, norm.bias))


def test_affine_like_far_out_is_a_linear_map_of_the_direction() -> None:
    """At the largest norms of float32, ‖x‖² of which is infinite."""

    norm, u = random_affine(6), nn.functional.normalize(torch.randn(4, 6), dim=1)
    y = norm.float()(3e38 * u.float())

    torch.testing.assert_close(y, u.float() @ norm.weight.T)


@pytest.mark.parametrize("magnitude", [0.0, 1e-300, 1e-20, 1e18, 1e307])
@vector
def test_finite_at_every_magnitude(build: Build, magnitude: float) -> None:
    norm, x = build(4), (magnitude * torch.randn(3, 4)).requires_grad_()
    y = norm(x)
    y.sum().backward()

    assert x.grad is not None
    assert_finite(f"{norm} at {magnitude:g}", value=y, gradient=x.grad)


@vector
def test_vectors_do_not_see_each_other(build: Build) -> None:
    norm, x = build(4), torch.randn(3, 4)

    torch.testing.assert_close(torch.stack([norm(v) for v in x]), norm(x))
    torch.testing.assert_close(norm.train()(x), norm.eval()(x), rtol=0, atol=0)
