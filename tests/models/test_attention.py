"""Tests for isoexp.models.attention."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from isoexp.geometry import random_orthogonal
from isoexp.models.attention import WEIGHTS, Attention, Weights, iso_tanh, softmax

from ..properties import permutation
from .tiny import forms

pytestmark = pytest.mark.usefixtures("float64")

each = pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS.keys())
each_mask = pytest.mark.parametrize("causal", [False, True], ids=["whole", "causal"])


def attention(weights: Weights, causal: bool, width: int = 6, heads: int = 2) -> Attention:
    return Attention(width, heads, weights, causal, forms())


def seen(T: int, causal: bool = False) -> Tensor:
    visible = torch.ones(T, T, dtype=torch.bool)

    return visible.tril() if causal else visible


# --- weights --------------------------------------------------------------------------------


def slow(weights: Weights, s: list[float]) -> list[float]:
    """Returns the weights of a row of scores, all of them visible."""

    if weights is softmax:
        total = sum(math.exp(v) for v in s)

        return [math.exp(v) / total for v in s]

    r = math.sqrt(sum(v * v for v in s))

    return [math.tanh(r) / r * v / math.sqrt(len(s)) for v in s]


@each
@each_mask
def test_weights_are_their_formulas(weights: Weights, causal: bool) -> None:
    """What is masked has weight 0, and does not count: as if it were not there."""

    s = 2 * torch.randn(3, 2, 5, 5)
    w = weights(s, seen(5, causal))

    for i in range(3):
        for h in range(2):
            for t in range(5):
                count = t + 1 if causal else 5
                expected = slow(weights, s[i, h, t, :count].tolist())
                assert w[i, h, t].tolist() == pytest.approx(expected + [0.0] * (5 - count))
                assert not w[i, h, t, count:].any()


@each_mask
def test_iso_tanh_may_subtract_and_adds_up_to_less_than_one(causal: bool) -> None:
    """‖w‖₂ < 1/√T and Σ|w| < 1 over the T visible keys, at every size of the scores."""

    for size in (1e-6, 1.0, 1e6):
        visible = seen(9, causal)
        w = iso_tanh(size * torch.randn(50, 9, 9), visible)
        T = visible.sum(dim=1)

        assert (w.norm(dim=-1) <= (1 + 1e-15) / T.sqrt()).all()
        assert (w.abs().sum(dim=-1) <= 1 + 1e-14).all()
        assert (w < 0).any()

    assert torch.allclose(softmax(torch.randn(50, 9, 9), visible).sum(dim=-1), torch.ones(50, 9))


def test_iso_tanh_without_the_root_would_grow() -> None:
    """Σ|w| of large scores is √(2/π), whatever T; the equation as printed gives √(2T/π)."""

    for T in (16, 256):
        w = iso_tanh(100 * torch.randn(200, 1, T), torch.ones(1, T, dtype=torch.bool))
        assert w.abs().sum(dim=-1).mean().item() == pytest.approx(math.sqrt(2 / math.pi), rel=0.05)


@each
def test_weights_commute_with_permutations_of_the_keys(weights: Weights) -> None:
    s, P = torch.randn(4, 6, 6), permutation(6)

    torch.testing.assert_close(weights(s @ P.T, seen(6)), weights(s, seen(6)) @ P.T)


def test_iso_tanh_commutes_with_rotations_of_the_keys() -> None:
    s, R = torch.randn(4, 6, 6), random_orthogonal(6)

    torch.testing.assert_close(iso_tanh(s @ R.T, seen(6)), iso_tanh(s, seen(6)) @ R.T)
    # The control.
    assert (softmax(s @ R.T, seen(6)) - softmax(s, seen(6)) @ R.T).norm() > 0.1


@each
def test_weights_are_smooth_where_scores_are_zero_or_large(weights: Weights) -> None:
    for size in (0.0, 1e-30, 1.0, 1e4, 1e30):
        s = (size * torch.randn(2, 3, 3)).requires_grad_()
        w = weights(s, seen(3, causal=True))
        (gradient,) = torch.autograd.grad(w.square().sum(), s)

        assert w.isfinite().all()
        assert gradient.isfinite().all()


def test_iso_tanh_bends_near_zero_as_it_does() -> None:
    """In float32, where a quotient would be off by u/r: 1e-3 at scores of length 1e-4."""

    def bent(s: Tensor) -> Tensor:
        s = s.requires_grad_()
        w = iso_tanh(s, torch.ones(1, 5, dtype=torch.bool))
        (first,) = torch.autograd.grad((w * v.to(s)).sum(), s, create_graph=True)
        return torch.autograd.grad((first * v.to(s)).sum(), s)[0]

    s, v = torch.randn(2, 1, 5, dtype=torch.float64)
    s = 1e-4 * s / s.norm()
    torch.testing.assert_close(bent(s.float()).double(), bent(s), rtol=1e-4, atol=1e-9)


def test_weights_of_equal_scores() -> None:
    zero = torch.zeros(1, 4, 4)

    assert not iso_tanh(zero, seen(4)).any()
    assert torch.equal(softmax(zero, seen(4)), torch.full((1, 4, 4), 0.25))
    assert torch.equal(softmax(zero, seen(4, causal=True))[0, 1], torch.tensor([0.5, 0.5, 0, 0]))


@each
def test_weights_keep_the_dtype(weights: Weights) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        assert weights(torch.randn(2, 3, 3, dtype=dtype), seen(3)).dtype == dtype


# --- attention ------------------------------------------------------------------------------


@each
@each_mask
def test_is_its_formula(weights: Weights, causal: bool) -> None:
    """Step by step and head by head."""

    layer, x = attention(weights, causal), torch.randn(2, 5, 6)
    Q, K, V = layer.query(x), layer.key(x), layer.value(x)

    expected = torch.zeros(2, 5, 6)
    for i in range(2):
        for head in (slice(0, 3), slice(3, 6)):
            for t in range(5):
                keys = range(t + 1 if causal else 5)
                s = [(Q[i, t, head] @ K[i, j, head]).item() / math.sqrt(3) for j in keys]
                for j, w in zip(keys, slow(weights, s), strict=True):
                    expected[i, t, head] += w * V[i, j, head].detach()

    torch.testing.assert_close(layer(x), layer.out(expected))


@each_mask
def test_softmax_is_that_of_torch(causal: bool) -> None:
    layer, x = attention(softmax, causal, 12, 3), torch.randn(2, 7, 12)
    heads = [f(x).view(2, 7, 3, 4).transpose(1, 2) for f in (layer.query, layer.key, layer.value)]
    expected = F.scaled_dot_product_attention(*heads, is_causal=causal)

    torch.testing.assert_close(layer(x), layer.out(expected.transpose(1, 2).reshape(2, 7, 12)))


@each
def test_steps_have_no_order_of_their_own(weights: Weights) -> None:
    """Without a mask attention commutes with permutations of the steps; with one it does not."""

    x, P = torch.randn(2, 5, 6), permutation(5)
    for causal in (False, True):
        layer = attention(weights, causal)
        off = (layer(P @ x) - P @ layer(x)).norm()
        assert off > 1e-2 if causal else off < 1e-13


@each
def test_a_causal_step_knows_nothing_of_later_ones(weights: Weights) -> None:
    """Bit by bit; without the mask it does."""

    x = torch.randn(2, 5, 6)
    other = x.clone()
    other[:, 3:] = 100 * torch.randn(2, 2, 6)
    for causal in (True, False):
        layer = attention(weights, causal)
        assert torch.equal(layer(x)[:, :3], layer(other)[:, :3]) == causal


@each
def test_one_step(weights: Weights) -> None:
    """Softmax of one score is 1; tanh of one is tanh, as in one dimension."""

    layer, x = attention(weights, True, heads=1), torch.randn(3, 1, 6)
    s = (layer.query(x) * layer.key(x)).sum(dim=-1, keepdim=True) / math.sqrt(6)
    w = torch.ones_like(s) if weights is softmax else s.tanh()

    torch.testing.assert_close(layer(x), layer.out(w * layer.value(x)))


def test_refuses_heads_that_do_not_divide() -> None:
    for heads in (0, 4, -1):
        with pytest.raises(ValueError, match=f"heads must divide the width 6, got {heads}"):
            attention(softmax, False, 6, heads)
