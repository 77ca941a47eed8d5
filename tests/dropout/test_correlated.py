"""Tests for CorrelatedDropout of isoexp.dropout: a walk of the basis, a chain of the mask."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.stats import binom, kstest
from torch import Tensor
from torch.func import functional_call, vmap

from isoexp.dropout import CorrelatedDropout, _rates
from isoexp.noise import KEY, haar, uniform

from ..test_geometry import moments_off
from .families import standard_errors


class Chains(NamedTuple):
    """The bases and masks of many walks, step by step."""

    bases: Tensor
    masks: Tensor


def walk(module: CorrelatedDropout, count: int, steps: int) -> Chains:
    n = module.width
    keys = torch.randint(KEY, (count,))
    state = {
        "key": keys.clone(),
        "basis": vmap(lambda k: haar(k ^ 1, n))(keys),
        "mask": vmap(lambda k: (uniform(k ^ 2, (n,)) < module.keep).float())(keys),
    }
    forward = vmap(lambda s, x: functional_call(module, s, (x,)))
    x, bases, masks = torch.zeros(count, n), [], []
    for _ in range(steps + 1):
        bases.append(state["basis"].clone())
        masks.append(state["mask"].clone())
        forward(state, x)

    return Chains(torch.stack(bases), torch.stack(masks))


# --- the basis ------------------------------------------------------------------------------


def test_the_basis_stays_orthogonal() -> None:
    """To rounding, in float32, in its half of O(n), as many steps as it may make: were it off by
    δ it would be off by ¾ δ² after a step, and products alone leave it at δ."""

    off = lambda B: (B.mT @ B - torch.eye(6)).abs().max().item()
    eps = torch.finfo(torch.float32).eps
    module = CorrelatedDropout(6, step=0.05)
    sign = torch.linalg.det(module.basis)
    module.basis.mul_(1 + 1e-2)
    for bound in (1e-3, 1e-6, *[8 * eps] * 300):
        module.walk()
        assert off(module.basis) < bound

    torch.testing.assert_close(torch.linalg.det(module.basis), sign)


def test_without_a_step_the_basis_stays() -> None:
    module = CorrelatedDropout(6, step=0.0)
    before = module.basis.clone()
    for _ in range(100):
        module.walk()

    torch.testing.assert_close(module.basis, before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("step", [0.01, 0.1])
def test_each_plane_turns_by_angles_of_deviation_s(step: float) -> None:
    """log Bᵀ B′ is τ·n: its entries, some 6,000 of independent walks, are normal."""

    B, after = walk(CorrelatedDropout(4, step=step), 1000, 1).bases.double()
    turn = B.mT @ after
    skew = (turn - turn.mT) / 2  # sinh of it, to third order in s

    angles = skew[:, *torch.triu_indices(4, 4, 1)].flatten() / step
    assert kstest(angles.numpy(), "norm").pvalue > 1e-3
    assert kstest((1.2 * angles).numpy(), "norm").pvalue < 1e-3  # the control


def test_the_walk_keeps_the_law_of_haar() -> None:
    bases = walk(CorrelatedDropout(3, step=0.5), 4000, 3).bases[-1].double()

    assert moments_off(bases) < 5


def test_the_mean_is_x_all_along() -> None:
    module, x = CorrelatedDropout(5, 0.6, step=0.2), torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0])
    bases, masks = (t[-1] for t in walk(module, 4000, 3))
    found = ((masks[:, None] * (x @ bases)[:, None, :]) @ bases.mT)[:, 0] / 0.6

    assert standard_errors(found, x) < 5


def test_is_its_formula() -> None:
    """x' = S B diag(D) Bᵀ x, with the basis and the mask after the step, for all vectors."""

    module, x = CorrelatedDropout(5, 0.5), torch.randn(3, 2, 5)
    y = module(x)
    B, D = module.basis, module.mask

    torch.testing.assert_close(y, x @ (B @ torch.diag(D) @ B.T).T / 0.5)


def test_calls_remember() -> None:
    """What is kept at one call is mostly kept at the next; with Γ = λ and large steps it is not."""

    x = torch.randn(64)

    def likeness(module: CorrelatedDropout) -> float:
        a, b = (module(x) - x for _ in range(2))

        return torch.cosine_similarity(a, b, dim=0).item()

    assert likeness(CorrelatedDropout(64, 0.5, overlap=0.01, step=0.001)) > 0.6
    assert abs(likeness(CorrelatedDropout(64, 0.5, overlap=0.5, step=10.0))) < 0.4


def test_gradients_of_a_sequence_of_calls() -> None:
    """A step of the walk leaves what the backward pass of the last needs."""

    module = CorrelatedDropout(5, 0.5, step=0.3)
    x = torch.randn(5, requires_grad=True)
    P = torch.eye(5)
    y = x
    for _ in range(3):
        y = module(y)
        P = module.basis @ torch.diag(module.mask) @ module.basis.T @ P / 0.5
    (gradient,) = torch.autograd.grad(y[0], x)

    torch.testing.assert_close(gradient, P[0])


# --- the mask -------------------------------------------------------------------------------


def slow_rates(A: int, n: int, lam: float, gamma: float) -> tuple[float, float]:
    """Returns q and Γ of Eqn 28, case by case."""

    I = n - A  # noqa: E741
    if A == 0 or I == 0:
        return lam, lam
    low, high = max(0.0, lam + A / I * (lam - 1)), min(1.0, lam + A / I * lam)
    gamma = min(max(gamma, low), high)

    return lam + I / A * (lam - gamma), gamma


CHAINS = [(0.9, 0.5), (0.9, 0.0), (0.5, 0.5), (0.5, 0.1), (0.3, 1.0), (0.3, 0.2), (0.9, 1.0)]


@pytest.mark.parametrize(("keep", "overlap"), CHAINS)
def test_rates_are_probabilities_that_keep_the_share(keep: float, overlap: float) -> None:
    n = 40
    for A in range(n + 1):
        q, gamma = (t.item() for t in _rates((torch.arange(n) < A).double(), keep, overlap))

        assert (q, gamma) == pytest.approx(slow_rates(A, n, keep, overlap), abs=1e-12)
        assert -1e-12 <= q <= 1 + 1e-12
        assert 0 <= gamma <= 1
        assert A * q + (n - A) * gamma == pytest.approx(n * keep)


@pytest.mark.parametrize(("keep", "overlap"), CHAINS)
def test_the_mask_is_the_chain(keep: float, overlap: float) -> None:
    """The share kept, and how many stay and return given the mask before, by slow numpy: their
    sums over some 50,000 draws are martingales, and normal."""

    masks = walk(CorrelatedDropout(32, keep, overlap), 64, 25).masks.double().numpy()
    before, after = masks[:-1], masks[1:]
    rates = np.array([slow_rates(A, 32, keep, overlap) for A in range(33)])
    q, gamma = rates[before.sum(axis=-1).astype(int)].transpose(2, 0, 1)[..., None]

    for chosen, p in [(before, q), (1 - before, gamma)]:
        variance = (chosen * p * (1 - p)).clip(0).sum()
        off = (chosen * (after - p)).sum()
        assert abs(off) <= 4 * np.sqrt(variance) + 1e-9
    # A mask that lasts says the same many times over: its samples count for fewer.
    lasting = 2 / max(overlap, 0.02)
    assert abs(masks.mean() - keep) < 4 * np.sqrt(keep * (1 - keep) * lasting / masks.size)


@pytest.mark.parametrize(
    ("keep", "overlap", "correlation"),
    [
        (0.9, 0.5, 4 / 9),
        (0.9, 0.9, 0.0),
        (0.5, 0.5, 0.0),
        (0.5, 0.25, 0.5),
        (0.5, 0.75, -0.5),
        (0.3, 0.2, 1 / 3),
        # Clamped, for there are not as many that could go: (λ − Γ)/λ at Γ = λ/(1 − λ).
        (0.3, 1.0, -0.3 / 0.7),
    ],
)
def test_correlation_of_successive_masks(keep: float, overlap: float, correlation: float) -> None:
    """(λ − Γ)/λ, to five standard errors of 48 walks."""

    masks = walk(CorrelatedDropout(32, keep, overlap), 48, 30).masks.double() - keep
    found = (masks[:-1] * masks[1:]).mean(dim=(0, 2)) / (keep * (1 - keep))

    assert standard_errors(found[:, None], torch.tensor([correlation])) < 5


def test_narrow_layers_remember_less() -> None:
    """At λ = 0.9 and Γ = 0, where (λ − Γ)/λ = 1: exactly, from the law of the number |A| kept."""

    def correlation(n: int) -> float:
        rates = [slow_rates(A, n, 0.9, 0.0) for A in range(n + 1)]
        moves = np.array([
            np.convolve(
                binom.pmf(range(A + 1), A, min(q, 1)), binom.pmf(range(n - A + 1), n - A, gamma)
            )
            for A, (q, gamma) in enumerate(rates)
        ])  # fmt: skip
        law = np.linalg.matrix_power(moves, 2000)[n]
        both = sum(law[A] * A * q for A, (q, _) in enumerate(rates)) / n

        return (both - 0.81) / 0.09

    found = [correlation(n) for n in (8, 32, 128)]
    assert found[0] < found[1] < found[2] < 1
    assert found[1] == pytest.approx(0.92, abs=0.01)


def test_a_mask_of_one_kind_is_drawn_anew() -> None:
    """Where nothing is kept, or everything, |I|/|A| says nothing: each is kept with λ."""

    for value in (0.0, 1.0):
        module = CorrelatedDropout(400, 0.3, overlap=0.9, step=0.0)
        module.basis.copy_(torch.eye(400))
        module.mask.fill_(value)
        module.walk()
        assert abs(module.mask.mean().item() - 0.3) < 4 * (0.21 / 400) ** 0.5


def test_refuses() -> None:
    for overlap in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"overlap must lie in \[0, 1\], got "):
            CorrelatedDropout(4, overlap=overlap)
    for step in (-0.1, float("nan")):
        with pytest.raises(ValueError, match="step must not be negative, got "):
            CorrelatedDropout(4, step=step)
