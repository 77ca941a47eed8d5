"""Tests for isoexp.inits."""

from collections.abc import Callable
from math import sqrt

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from isoexp.geometry import random_orthogonal
from isoexp.inits import (
    Default,
    Gaussian,
    KaimingNormal,
    KaimingUniform,
    Orthogonal,
    Sparse,
    XavierNormal,
    XavierUniform,
)

Init = Callable[[nn.Module], None]

DRAWS = 2000

ISOTROPIC: list[Init] = [Gaussian(), KaimingNormal(), XavierNormal(), Orthogonal()]
UNIFORM: list[Init] = [Default(), KaimingUniform(), XavierUniform()]
SPARSE = Sparse(sparsity=0.6)  # two of three zeros a column
SET: list[Init] = [*ISOTROPIC, KaimingUniform(), XavierUniform(), SPARSE]
"""All that set the weights."""

LAYERS: dict[str, Callable[[], nn.Linear | nn.Conv2d]] = {
    "linear": lambda: nn.Linear(4, 3),
    "convolution": lambda: nn.Conv2d(1, 3, 2),  # the kernel is 3 × 4
}

each_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())


def name(init: Init) -> str:
    return type(init).__name__


def draws(init: Init, build: Callable[[], nn.Linear | nn.Conv2d]) -> Tensor:
    """Returns many first weights of one layer, as matrices."""

    layer, found = build(), []
    for _ in range(DRAWS):
        if isinstance(init, Default):
            layer.reset_parameters()
        init(layer)
        found.append(layer.weight.detach().flatten(1).clone())

    return torch.stack(found)


def linear(inputs: int, outputs: int) -> Callable[[], nn.Linear]:
    return lambda: nn.Linear(inputs, outputs)


def kurtosis(values: Tensor) -> float:
    return (values**4).mean().item() / (values**2).mean().item() ** 2


# --- isotropy -------------------------------------------------------------------------------


@each_layer
@pytest.mark.parametrize("init", ISOTROPIC, ids=name)
def test_no_basis_is_special(init: Init, layer: Callable[[], nn.Linear]) -> None:
    """W and R W Q have one law: a coordinate of one and of the other are told apart by no test."""

    R, Q = random_orthogonal(3).float(), random_orthogonal(4).float()
    W, turned = draws(init, layer), R @ draws(init, layer) @ Q

    assert kstest(W[:, 0, 0].numpy(), turned[:, 0, 0].numpy()).pvalue > 1e-3
    assert kurtosis(W[:, 0, 0]) == pytest.approx(kurtosis(turned[:, 0, 0]), rel=0.2)


@each_layer
@pytest.mark.parametrize("init", UNIFORM, ids=name)
def test_the_uniform_have_a_basis(init: Init, layer: Callable[[], nn.Linear]) -> None:
    """The control: uniform coordinates are of kurtosis 1.8, their mixtures are not."""

    R, Q = random_orthogonal(3).float(), random_orthogonal(4).float()
    W = draws(init, layer)

    assert kurtosis(W) == pytest.approx(1.8, abs=0.03)
    assert kurtosis(R @ W @ Q) > 2.2


@each_layer
def test_the_sparse_has_a_basis(layer: Callable[[], nn.Linear]) -> None:
    """The control: a third of normal weights has kurtosis 9, their mixtures have less; a
    coordinate of W is 0 mostly, one of R W Q never."""

    R, Q = random_orthogonal(3).float(), random_orthogonal(4).float()
    W = draws(SPARSE, layer)
    turned = R @ W @ Q

    # kurtosis of 24,000: five standard errors, Var w⁸ / (E w²)⁴ = 105 · 27 at most.
    assert kurtosis(W) == pytest.approx(9, abs=5 * sqrt(105 * 27 / 24_000))
    assert kurtosis(turned) < 6
    assert kstest(W[:, 0, 0].numpy(), turned[:, 0, 0].numpy()).pvalue < 1e-9


# --- scales ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "linear", "convolution"),
    [
        # of 40 inputs and 60 outputs; of 4 · 9 inputs and 10 outputs, fan_out 10 · 9
        (Gaussian(), 1 / 40, 1 / 36),
        (Gaussian(gain=3.0), 9 / 40, 9 / 36),
        (KaimingNormal(), 2 / 40, 2 / 36),
        (KaimingNormal(gain=3.0), 9 / 40, 9 / 36),
        (KaimingUniform(), 2 / 40, 2 / 36),
        (KaimingUniform(gain=3.0), 9 / 40, 9 / 36),
        (XavierNormal(), 2 / 100, 2 / 126),
        (XavierNormal(gain=3.0), 18 / 100, 18 / 126),
        (XavierUniform(), 2 / 100, 2 / 126),
        (XavierUniform(gain=3.0), 18 / 100, 18 / 126),
        (Sparse(), 1 / 40, 1 / 36),
        (Sparse(gain=3.0, sparsity=0.5), 9 / 40, 9 / 36),
        (Orthogonal(gain=3.0), 9 / 60, 9 / 36),
    ],
    ids=repr,
)
def test_variances(init: Init, linear: float, convolution: float) -> None:
    """Of 24,000 weights or more each: five standard errors, of a tenth of normal weights the
    largest, √(29 / 24,000)."""

    for build, count, expected in [
        (lambda: nn.Linear(40, 60), 10, linear),
        (lambda: nn.Conv2d(4, 10, 3), 67, convolution),
    ]:
        layers = [build() for _ in range(count)]
        for layer in layers:
            init(layer)
        W = torch.cat([layer.weight.detach().flatten() for layer in layers])

        assert W.square().mean().item() == pytest.approx(expected, rel=5 * sqrt(29 / 24_000))
        assert W.mean().item() == pytest.approx(0, abs=5 * sqrt(expected / 24_000))


@pytest.mark.parametrize(
    ("init", "bound"),
    [
        (KaimingUniform(), sqrt(6 / 4)),
        (KaimingUniform(gain=1.0), sqrt(3 / 4)),
        (XavierUniform(), sqrt(6 / 7)),
        (XavierUniform(gain=2.0), 2 * sqrt(6 / 7)),
    ],
    ids=repr,
)
def test_uniform_up_to_the_bound(init: Init, bound: float) -> None:
    W = draws(init, linear(4, 3)).flatten().numpy()

    assert abs(W).max() <= bound
    assert kstest(W, "uniform", args=(-bound, 2 * bound)).pvalue > 1e-3


@each_layer
@pytest.mark.parametrize(
    ("init", "reference"),
    [
        (KaimingUniform(), lambda w: nn.init.kaiming_uniform_(w, nonlinearity="relu")),
        (KaimingNormal(), lambda w: nn.init.kaiming_normal_(w, nonlinearity="relu")),
        (XavierUniform(gain=2.0), lambda w: nn.init.xavier_uniform_(w, 2.0)),
        (XavierNormal(gain=2.0), lambda w: nn.init.xavier_normal_(w, 2.0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_same_as_torch(init: Init, reference: Callable, layer: Callable[[], nn.Linear]) -> None:
    ours, theirs = layer(), layer()
    torch.manual_seed(5)
    init(ours)
    torch.manual_seed(5)
    reference(theirs.weight)

    torch.testing.assert_close(ours.weight, theirs.weight)


def test_gaussian_moments() -> None:
    W = draws(Gaussian(gain=2.0), linear(4, 3))

    # 24,000 samples: five standard errors of the mean, the variance, and the kurtosis.
    assert W.mean().item() == pytest.approx(0, abs=5 / 24_000**0.5)
    assert W.var().item() == pytest.approx(4 / 4, abs=5 * (2 / 24_000) ** 0.5)
    assert kurtosis(W) == pytest.approx(3, abs=5 * (24 / 24_000) ** 0.5)


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 3), (3, 4), (5, 5), (1, 1)])
def test_orthogonal_singular_values(inputs: int, outputs: int) -> None:
    layer = nn.Linear(inputs, outputs)
    Orthogonal(gain=1.5)(layer)

    values = torch.linalg.svdvals(layer.weight)
    torch.testing.assert_close(values, torch.full_like(values, 1.5))


def test_orthogonal_is_haar() -> None:
    """E W_ij² = 1/n, and E tr W = 0, which QR without its signs misses."""

    W = draws(Orthogonal(), linear(4, 4))
    trace = W.diagonal(dim1=1, dim2=2).sum(dim=1)

    # (tr W)² is of mean 1 under Haar, so five standard errors of the mean are 5/√2000.
    assert abs(trace.mean().item()) < 5 / DRAWS**0.5
    torch.testing.assert_close((W**2).mean(dim=0), torch.full((4, 4), 0.25), rtol=0, atol=0.025)


# --- sparse ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sparsity", "outputs", "kept"),
    [
        (0.9, 100, 10),
        (0.9, 10, 1),
        (0.9, 3, 1),  # PyTorch would leave none
        (0.9, 1, 1),
        (0.5, 5, 2),
        (0.28, 25, 17),  # 0.28 · 25 is 7 and an eps: PyTorch rounds it up to 8, and so do we
        (0.5, 29, 14),  # 15 / 29 · 29 is 15 and an eps
        (0.0, 4, 4),
    ],
)
def test_zeros_of_each_column(sparsity: float, outputs: int, kept: int) -> None:
    for layer in (nn.Linear(7, outputs), nn.Conv2d(3, outputs, 2), nn.Linear(1, outputs)):
        Sparse(sparsity=sparsity)(layer)
        left = (layer.weight != 0).flatten(1).sum(dim=0)

        assert left.tolist() == [kept] * len(left)


@pytest.mark.parametrize("sparsity", [0.28, 0.5, 0.9])
def test_sparse_is_that_of_torch(sparsity: float) -> None:
    """With the scale kept; PyTorch's own is a constant, 0.01 unless set."""

    ours, theirs = nn.Linear(7, 25), nn.Linear(7, 25)
    torch.manual_seed(5)
    Sparse(sparsity=sparsity)(ours)
    torch.manual_seed(5)
    nn.init.sparse_(theirs.weight, sparsity)

    share = (theirs.weight != 0).float().mean().item()
    torch.testing.assert_close(ours.weight, theirs.weight * (100 / sqrt(7 * share)))


def test_zeros_are_anywhere() -> None:
    """Each weight is as likely to stay: 1/3 of 2,000 draws, to five standard errors."""

    share = (draws(SPARSE, linear(4, 3)) != 0).float().mean(dim=0)

    torch.testing.assert_close(
        share, torch.full((3, 4), 1 / 3), rtol=0, atol=5 * sqrt(2 / 9 / DRAWS)
    )


def test_sparse_keeps_the_layout_of_the_weights() -> None:
    layer = nn.Conv2d(4, 10, 3).to(memory_format=torch.channels_last)
    Sparse()(layer)

    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert (layer.weight != 0).flatten(1).sum(dim=0).tolist() == [1] * 36


# --- the contract ---------------------------------------------------------------------------


@pytest.mark.parametrize("init", SET, ids=name)
def test_biases_are_zero(init: Init) -> None:
    for layer in (nn.Linear(4, 3), nn.Conv2d(2, 3, 2)):
        assert layer.bias is not None
        init(layer)
        assert not layer.bias.any()
        assert layer.weight.any()
        assert layer.weight.requires_grad

    init(nn.Linear(4, 3, bias=False))  # and none is no error
    init(nn.Conv2d(2, 3, 2, bias=False))


def test_default_leaves_the_layer_as_it_is() -> None:
    for layer in (nn.Linear(4, 3), nn.Conv2d(2, 3, 2)):
        before = [p.detach().clone() for p in layer.parameters()]
        Default()(layer)

        assert all(torch.equal(a, b) for a, b in zip(layer.parameters(), before, strict=True))
        assert layer.bias is not None
        assert layer.bias.any()


@pytest.mark.parametrize("init", SET, ids=name)
def test_draws_from_the_global_generator(init: Init) -> None:
    for build in (linear(4, 3), lambda: nn.Conv2d(2, 3, 2)):
        layers = [build() for _ in range(3)]
        for layer, seed in zip(layers, (5, 5, 6), strict=True):
            torch.manual_seed(seed)
            init(layer)

        assert torch.equal(layers[0].weight, layers[1].weight)
        assert not torch.equal(layers[0].weight, layers[2].weight)


@pytest.mark.parametrize("init", SET, ids=name)
@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan")])
def test_refuses_no_gain(init: Init, gain: float) -> None:
    with pytest.raises(ValueError, match="gain must be positive, got "):
        type(init)(gain=gain)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("sparsity", [1.0, -0.1, 90.0, float("nan")])
def test_refuses_no_share(sparsity: float) -> None:
    with pytest.raises(ValueError, match="sparsity must be at least 0 and below 1, got "):
        Sparse(sparsity=sparsity)
