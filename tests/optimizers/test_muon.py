"""Tests for isoexp.optimizers.muon."""

import math

import pytest
import torch
from torch import Tensor, nn

from isoexp.optimizers import Muon
from isoexp.optimizers.muon import A, B, C, orthogonalized

from ..properties import needs_muon

pytestmark = pytest.mark.usefixtures("float64")

SHAPES = [(4, 7), (7, 4), (5, 5), (1, 6), (6, 1), (1, 1)]


def with_singular_values(values: Tensor, rows: int, columns: int) -> Tensor:
    U, _ = torch.linalg.qr(torch.randn(rows, len(values)))
    V, _ = torch.linalg.qr(torch.randn(columns, len(values)))

    return U * values @ V.T


@pytest.mark.parametrize("steps", [1, 5, 8])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_acts_on_singular_values_alone(shape: tuple[int, int], steps: int) -> None:
    """U p(…p(S / ‖S‖)) Vᵀ with p(s) = a s + b s³ + c s⁵, by a decomposition that it never makes."""

    m = torch.randn(3, *shape)
    found = orthogonalized(m, steps)

    for k in range(3):
        U, s, V = torch.linalg.svd(m[k], full_matrices=False)
        s = s / s.norm()
        for _ in range(steps):
            s = A * s + B * s**3 + C * s**5
        torch.testing.assert_close(found[k], U * s @ V, rtol=1e-11, atol=1e-12)


def test_makes_singular_values_one_to_a_third() -> None:
    """Those that are at least 1/200 of the Frobenius norm; below, a step grows them a-fold."""

    s = torch.logspace(math.log10(0.005), 0, 2001)
    for _ in range(5):
        s = A * s + B * s**3 + C * s**5
    assert s.min() > 0.67
    assert s.max() < 1.21

    values = torch.tensor([1.0, 0.3, 0.1, 0.02])
    found = torch.linalg.svdvals(orthogonalized(with_singular_values(values, 8, 6)[None], 5))[0]
    assert found[:4].min() > 0.67
    assert found[:4].max() < 1.21
    assert found[4:].max() < 1e-10  # and what is zero stays zero


@needs_muon
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_is_pytorchs_muon_to_bfloat16(shape: tuple[int, int]) -> None:
    start = torch.randn(shape)
    p, q = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    ours = Muon([p], lr=0.1, momentum=0.9, weight_decay=0.1)
    peer = torch.optim.Muon([q], lr=0.1, momentum=0.9, weight_decay=0.1)

    for _ in range(4):
        p.grad = torch.randn(shape)
        q.grad = p.grad.clone()
        ours.step()
        peer.step()

    # Its iteration grows the rounding of 2⁻⁹ by some tens.
    assert (p - q).norm() < 0.05 * (q - start).norm()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precisions_iterate_in_float32(dtype: torch.dtype) -> None:
    g = torch.randn(4, 6, dtype=dtype)
    low, high = nn.Parameter(torch.zeros(4, 6, dtype=dtype)), nn.Parameter(torch.zeros(4, 6))
    low.grad, high.grad = g, g.double()
    for p in (low, high):
        Muon([p], lr=1.0, momentum=0.0).step()

    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(low.double(), high.detach(), rtol=2 * eps, atol=2 * eps)


def test_a_kernel_is_the_matrix_of_its_outputs() -> None:
    g = torch.randn(4, 3, 2, 2)
    kernel, matrix = nn.Parameter(torch.zeros(4, 3, 2, 2)), nn.Parameter(torch.zeros(4, 12))
    kernel.grad, matrix.grad = g, g.flatten(1)
    for p in (kernel, matrix):
        Muon([p]).step()

    assert torch.equal(kernel.flatten(1), matrix)


def test_a_bias_is_a_matrix_of_one_column() -> None:
    """It goes against m / ‖m‖, by the factor of the iteration at 1 and √n of a tall matrix."""

    p, q = nn.Parameter(torch.zeros(9)), nn.Parameter(torch.zeros(9, 1))
    p.grad = torch.randn(9)
    q.grad = p.grad[:, None].clone()
    for each in (p, q):
        Muon([each], lr=0.1).step()

    assert torch.equal(p, q[:, 0])
    cosine = torch.cosine_similarity(p, -p.grad, dim=0).item()
    assert cosine == pytest.approx(1, abs=1e-14)
    assert p.norm().item() == pytest.approx(0.1 * 3 * 0.6964, rel=1e-3)


def test_refuses_no_steps() -> None:
    with pytest.raises(ValueError, match="ns_steps must be 1 or more, got 0"):
        Muon([nn.Parameter(torch.ones(3))], ns_steps=0)
