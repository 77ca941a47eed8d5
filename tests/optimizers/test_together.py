"""Tests for the laws that all optimizers of isoexp.optimizers obey, PyTorch's as their controls."""

import math
from collections.abc import Callable, Iterable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from isoexp.geometry import random_orthogonal
from isoexp.optimizers import (
    IsotropicAdam,
    Muon,
    NormalizedSGD,
    Shampoo,
    SignSGD,
    Together,
    spare_the_compiler,
    step,
)

from ..properties import needs_muon, signed_permutation

pytestmark = pytest.mark.usefixtures("float64")

Build = Callable[[Iterable[Tensor]], Optimizer]

per_vector = partial(IsotropicAdam, lr=1e-2, per="vector")

OURS: dict[str, Callable[..., Together]] = {
    "sign": partial(SignSGD, lr=1e-2),
    "sign-plain": partial(SignSGD, lr=1e-2, momentum=0.0),
    "normalized": partial(NormalizedSGD, lr=1e-2),
    "normalized-plain": partial(NormalizedSGD, lr=1e-2, momentum=0.0),
    "iso_adam": partial(IsotropicAdam, lr=1e-2),
    "iso_adam_vector": per_vector,
    "muon": partial(Muon, lr=1e-2),
    "muon-plain": partial(Muon, lr=1e-2, momentum=0.0, nesterov=False),
    "shampoo": partial(Shampoo, lr=0.1),
    "shampoo-seldom": partial(Shampoo, lr=0.1, every=4),
}

ISOTROPIC: dict[str, Build] = {
    "sgd": partial(SGD, lr=0.1),
    "momentum": partial(SGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    **{k: partial(v, weight_decay=0.1) for k, v in OURS.items() if k.partition("-")[0] != "sign"},
}
del ISOTROPIC["iso_adam_vector"]

ANISOTROPIC: dict[str, Build] = {
    "sign": OURS["sign"],
    "adam": partial(Adam, lr=1e-2),
    "adamw": partial(AdamW, lr=1e-2),
    "rmsprop": partial(RMSprop, lr=1e-2),
    "adagrad": partial(Adagrad, lr=1e-2),
}

SHAPES = [(6, 4), (4, 6), (3, 2, 2, 2)]
"""Of a tall and a wide matrix, and of a kernel."""

STEPS = 30

ROUNDING = 1e-11
"""The share of its way by which rounding moves a weight. Muon magnifies u by 3.4⁵ = 454 and
Shampoo by 1/√ε = 1000, some fifty times over the steps; what has a basis goes 1e-2 elsewhere."""

SELDOM = 10 * torch.finfo(torch.float64).eps / 1e-6
"""The same, 10 u/ε, where Shampoo keeps its roots: they meet gradients in their null directions.

An eigenvalue of 0 is found as u ‖S‖, so that (0 + ε)^(−1/4) is off by u ‖S‖/4ε of itself, on
either side of G: a step there is off by u ‖S‖/2ε. Here ‖S‖ < 4, which leaves a factor of five
to the steps that follow. Fresh roots meet none: G lies in the range of its own Gram matrices.
"""


def rounding(name: str) -> float:
    return SELDOM if name == "shampoo-seldom" else ROUNDING


def moves(build: Build, shape: tuple[int, ...], R: Tensor, Q: Tensor) -> tuple[Tensor, Tensor]:
    """Returns how far a weight and a bias have gone, of a network seen in rotated coordinates.

    The weight that is trained is RWQ and the bias Rb, the loss that of W and b.
    """

    generator = torch.Generator().manual_seed(7)
    draw = partial(torch.randn, generator=generator)

    inputs = math.prod(shape[1:])
    W0, teacher = draw(shape[0], inputs), draw(shape[0], inputs)
    start = [(R @ W0 @ Q).view(shape), R @ draw(shape[0])]
    weight, bias = (nn.Parameter(t.clone()) for t in start)
    optimizer = build([weight, bias])

    for _ in range(STEPS):
        x = draw(3, inputs)  # fewer samples than features: the gradients have no full rank
        W, b = R.T @ weight.flatten(1) @ Q.T, R.T @ bias
        loss = ((x @ W.T + b).tanh() - (x @ teacher.T).sin()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        step(optimizer)

    with torch.no_grad():
        weight -= start[0]
        bias -= start[1]

        return R.T @ weight.flatten(1) @ Q.T, R.T @ bias


def commutator(build: Build, shape: tuple[int, ...], R: Tensor, Q: Tensor) -> tuple[float, float]:
    """Returns by what share of its way a rotated weight, and a bias, ends elsewhere."""

    spare_the_compiler()
    plain = moves(build, shape, torch.eye(len(R)), torch.eye(len(Q)))
    turned = moves(build, shape, R, Q)
    weight, bias = ((a - b).norm() / b.norm() for a, b in zip(turned, plain, strict=True))

    return weight.item(), bias.item()


def rotations(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    return (
        random_orthogonal(shape[0], generator),
        random_orthogonal(math.prod(shape[1:]), generator),
    )


# --- symmetry -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ISOTROPIC)
def test_commutes_with_rotations_of_outputs_and_inputs(name: str, shape: tuple[int, ...]) -> None:
    """W → RWQ, b → Rb, over a training of 30 updates."""

    weight, bias = commutator(ISOTROPIC[name], shape, *rotations(shape))
    assert max(weight, bias) < rounding(name), f"{name} is off by {weight:.1e} and {bias:.1e}"


@pytest.mark.parametrize("name", ANISOTROPIC)
def test_others_do_not(name: str) -> None:
    """The control: what normalises each coordinate does not."""

    weight, bias = commutator(ANISOTROPIC[name], (6, 4), *rotations((6, 4)))
    assert min(weight, bias) > 1e-2


@pytest.mark.parametrize("name", [*ISOTROPIC, "iso_adam_vector", *ANISOTROPIC])
def test_signed_permutations_are_of_every_optimizer(name: str) -> None:
    build = {**ANISOTROPIC, **OURS, **ISOTROPIC}[name]
    off = commutator(build, (6, 4), signed_permutation(6), signed_permutation(4))

    assert max(off) < rounding(name)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_per_vector_commutes_with_rotations_of_the_inputs_and_not_of_the_outputs(
    shape: tuple[int, ...],
) -> None:
    """W → WQ keeps the norms of the rows, W → RW does not; a bias is one vector either way."""

    R, Q = rotations(shape)
    weight, bias = commutator(per_vector, shape, torch.eye(len(R)), Q)
    assert max(weight, bias) < 1e-12

    weight, _ = commutator(per_vector, shape, R, torch.eye(len(Q)))
    assert weight > 1e-2


@needs_muon
def test_pytorchs_muon_does_not() -> None:
    """In bfloat16, of 2⁻⁸, its iteration has a basis; it takes no biases, so none moves here."""

    def matrices(params: Iterable[Tensor]) -> Optimizer:
        return torch.optim.Muon([p for p in params if p.dim() == 2], lr=1e-2, weight_decay=0.0)

    weight, _ = commutator(matrices, (6, 4), *rotations((6, 4)))
    assert 1e-4 < weight < 0.1


# --- of every one of ours -------------------------------------------------------------------


def train(build: Callable[..., Together], gradients: list[Tensor], start: Tensor) -> Tensor:
    p = nn.Parameter(start.clone())
    optimizer = build([p])
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()

    return p.detach()


@pytest.mark.parametrize("name", OURS)
def test_networks_together_are_networks_alone(name: str) -> None:
    """For weights of no, one, two and four axes, and what is remembered of each."""

    for shape in [(), (5,), (4, 3), (3, 4), (1, 1), (3, 2, 2, 2)]:
        stacked = nn.Parameter(torch.randn(3, *shape))
        alone = [nn.Parameter(t.clone()) for t in stacked.detach()]
        optimizer, solos = OURS[name]([stacked]), [OURS[name]([p]) for p in alone]
        optimizer.stacked = True

        for _ in range(5):
            sizes = torch.logspace(-3, 3, 3).view(-1, *[1] * len(shape))
            stacked.grad = sizes * torch.randn(3, *shape)
            for g, p in zip(stacked.grad, alone, strict=True):
                p.grad = g.clone()
            for each in (optimizer, *solos):
                each.step()

        # Products this small are PyTorch's own, so that Gram matrices have the same bits: else the
        # roots of Shampoo would part by u ‖S‖/ε, here 1e-3.
        for k, (p, solo) in enumerate(zip(alone, solos, strict=True)):
            torch.testing.assert_close(stacked[k], p, rtol=1e-12, atol=1e-12)
            mine, theirs = optimizer.state[stacked], solo.state[p]
            assert mine.keys() == theirs.keys()
            for key in mine.keys() - {"step"}:
                torch.testing.assert_close(mine[key][k], theirs[key], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("name", OURS)
def test_a_broken_network_breaks_no_other(name: str, poison: float) -> None:
    gradients = [torch.randn(3, 4, 5) for _ in range(3)]
    broken = [g.clone() for g in gradients]
    broken[1][1, 2, 2] = poison

    def together(params: list[nn.Parameter]) -> Together:
        optimizer = OURS[name](params)
        optimizer.stacked = True

        return optimizer

    start = torch.randn(3, 4, 5)
    a, b = train(together, gradients, start), train(together, broken, start)

    assert torch.equal(a[0], b[0])
    assert torch.equal(a[2], b[2])
    assert not torch.equal(a[1], b[1])


@pytest.mark.parametrize("name", OURS)
def test_a_gradient_of_nan_is_seen(name: str) -> None:
    """The sign of NaN is 0 in torch: a weight would stay, as if there were no gradient."""

    assert train(OURS[name], [torch.full((4, 3), math.nan)], torch.randn(4, 3)).isnan().all()


@pytest.mark.parametrize("shape", [(), (1,), (4,), (4, 3)], ids=str)
@pytest.mark.parametrize("name", OURS)
def test_no_gradient_no_move(name: str, shape: tuple[int, ...]) -> None:
    start = torch.randn(shape)

    assert torch.equal(train(OURS[name], [torch.zeros(shape)] * 3, start), start)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["sign", "normalized", "muon", "muon-plain"])
def test_the_scale_of_gradients_is_nothing(name: str, dtype: torch.dtype) -> None:
    """From the smallest normal number to the largest that a square root of the largest is not."""

    gradients = [torch.randn(4, 3, dtype=dtype) for _ in range(3)]
    start = torch.zeros(4, 3, dtype=dtype)
    expected = train(OURS[name], gradients, start)

    info = torch.finfo(dtype)
    for scale in (info.tiny * 2**20, info.tiny**0.5 / 2**20, info.max**0.5 * 2**20, info.max / 8):
        found = train(OURS[name], [scale * g for g in gradients], start)
        # The singular values of Muon's iteration grow rounding up to 485 times.
        torch.testing.assert_close(found, expected, rtol=2000 * info.eps, atol=20 * info.eps)


@pytest.mark.parametrize("name", OURS)
def test_weight_decay_is_decoupled(name: str) -> None:
    """Without a gradient, p ← (1 − η λ) p; beside one, it is added to the update."""

    start = torch.randn(4, 3)
    build = partial(OURS[name], lr=0.1, weight_decay=0.2)
    torch.testing.assert_close(train(build, [torch.zeros(4, 3)] * 2, start), 0.98**2 * start)

    g = torch.randn(4, 3)
    plain = train(partial(OURS[name], lr=0.1), [g], start)
    torch.testing.assert_close(train(build, [g], start), plain - 0.02 * start)


@pytest.mark.parametrize("name", OURS)
def test_a_state_dict_is_all_that_is_remembered(name: str) -> None:
    gradients = [torch.randn(4, 3) for _ in range(6)]
    start = torch.randn(4, 3)
    whole = train(OURS[name], gradients, start)

    p = nn.Parameter(start.clone())
    optimizer = OURS[name]([p])
    for i, g in enumerate(gradients):
        if i == 3:
            state = optimizer.state_dict()
            optimizer = OURS[name]([p])
            optimizer.load_state_dict(state)
        p.grad = g.clone()
        optimizer.step()

    assert torch.equal(p, whole)


def test_a_closure_is_called_once_with_gradients() -> None:
    p = nn.Parameter(torch.ones(3))
    optimizer = NormalizedSGD([p], lr=0.5, momentum=0.0)

    def closure() -> Tensor:
        loss = p.square().sum()
        loss.backward()

        return loss

    assert optimizer.step(closure).item() == 3
    torch.testing.assert_close(p.detach(), torch.ones(3) * (1 - 0.5 / 3**0.5))


def test_what_has_no_gradient_stays() -> None:
    used, unused = (nn.Parameter(torch.ones(3)) for _ in range(2))
    optimizer = SignSGD([used, unused])
    used.grad = torch.ones(3)
    optimizer.step()

    assert unused.tolist() == [1, 1, 1]
    assert unused not in optimizer.state


@pytest.mark.parametrize("name", OURS)
def test_refuses_rates_and_decays_below_zero(name: str) -> None:
    for setting in ("lr", "weight_decay"):
        for value in (-1.0, math.nan):
            with pytest.raises(ValueError, match=f"{setting} must be 0 or more, got"):
                OURS[name]([nn.Parameter(torch.ones(3))], **{setting: value})


@pytest.mark.parametrize("cls", [SignSGD, NormalizedSGD, Muon, Shampoo])
@pytest.mark.parametrize("momentum", [-0.1, 1.0, math.nan])
def test_refuses_what_is_no_momentum(cls: Callable[..., Together], momentum: float) -> None:
    with pytest.raises(ValueError, match=r"momentum must lie in \[0, 1\), got"):
        cls([nn.Parameter(torch.ones(3))], momentum=momentum)
