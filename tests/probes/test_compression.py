"""Tests for isoexp.probes.compression."""

import inspect
from copy import deepcopy
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from isoexp import activations
from isoexp.activations import (
    Activation,
    Identity,
    IsoTanh,
    Isotropic,
    IsotropicOf,
    QuasiIsotropic,
    RadialBasis,
    ReLU,
    Tanh,
)  # fmt: skip
from isoexp.figures.compression import draw
from isoexp.inits import Default
from isoexp.models import CNN, MLP, Autoencoder
from isoexp.models.blocks import Forms
from isoexp.probes import Compression, Subject, Unsuitable, compressed
from isoexp.streams import stream

pytestmark = pytest.mark.usefixtures("float64")

ISOTROPIC = [
    F
    for _, F in inspect.getmembers(activations, inspect.isclass)
    if issubclass(F, Isotropic) and not inspect.isabstract(F) and F is not IsotropicOf
]


def chain(F: Any, widths: list[int], bias: bool = True, seed: int = 0) -> nn.Module:
    """A perceptron with biases at random: those of first weights are small."""

    torch.manual_seed(seed)
    model = MLP(widths[:1], widths[-1], Forms(F, nn.Identity, Default()), widths[1:-1], bias=bias)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)

    return model.eval()


def subject(model: nn.Module, *inputs: int) -> Subject:
    return Subject(model, torch.randn(100, *inputs), None, None, stream(0))


def measured(model: nn.Module, *inputs: int, probe: Compression = Compression()) -> Any:  # noqa: B008
    return pd.DataFrame(probe(subject(model, *inputs)))


@pytest.mark.parametrize("F", ISOTROPIC)
@pytest.mark.parametrize("scale", ["unit", "sqrt_width"])
def test_an_isotropic_network_needs_one_feature_more_a_layer(F: type, scale: str) -> None:
    """Far from the samples too; and by the profile of the width that it had."""

    model = chain(partial(F, scale=scale), [2, 64, 64, 128, 3])
    table = measured(model, 2)

    assert table["effective_width"].tolist() == [3, 4, 5, 3]
    assert table["width"].tolist() == [64, 64, 128, 3]
    assert table["relative_error"].max() <= 1e-12
    assert table["commutes"].all()
    x = 10 * torch.randn(500, 2)
    y = compressed(subject(model, 2))(x)
    torch.testing.assert_close(y, model(x), rtol=1e-12, atol=1e-11)


def test_the_family_is_not_empty() -> None:
    assert len(ISOTROPIC) >= 9


WIDTHS = [[1, 1, 1], [3, 8, 2, 9, 9, 4], [5, 2, 7, 1, 6, 2], [4, 5, 6, 7, 2], [2, 1, 8, 3]]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("widths", WIDTHS)
def test_widths_follow_the_law_of_the_paper(widths: list[int], bias: bool) -> None:
    """n'_i = min(n_i, n'_{i−1} + 1), without biases min(n_i, n'_{i−1})."""

    expected = widths[:1]
    for n in widths[1:-1]:
        expected.append(min(n, expected[-1] + bias))
    table = measured(chain(IsoTanh, widths, bias), widths[0])

    assert table["effective_width"].tolist() == [*expected[1:], widths[-1]]
    assert table["relative_error"].max() <= 1e-12
    for column, n in (("parameters", widths), ("compressed_parameters", [*expected, widths[-1]])):
        assert table[column].tolist() == [a * b + b * bias for a, b in pairwise(n)]


def test_the_function_is_that_of_the_qr_algorithm() -> None:
    """Ganev, van Laarhoven and Walters reduce [b W] by QR, layer by layer."""

    model = chain(IsoTanh, [3, 10, 12, 20, 2])
    x = torch.randn(30, 3)
    maps = [m for m in model.modules() if isinstance(m, nn.Linear)]

    Q, h, widths = np.eye(3), x.numpy(), []
    for A in maps[:-1]:
        W, b = (t.detach().numpy() for t in (A.weight, A.bias))
        Q, R = np.linalg.qr(np.column_stack([b, W @ Q]))
        h = IsoTanh(len(R))(torch.from_numpy(h @ R[:, 1:].T + R[:, 0])).numpy()
        widths.append(len(R))
    W, b = (t.detach().numpy() for t in (maps[-1].weight, maps[-1].bias))
    y = h @ (W @ Q).T + b

    np.testing.assert_allclose(model(x).detach().numpy(), y, atol=1e-12)
    found = compressed(subject(model, 3))
    np.testing.assert_allclose(found(x).detach().numpy(), y, atol=1e-12)
    assert [m.out_features for m in found if isinstance(m, nn.Linear)] == [*widths, 2]


@pytest.mark.parametrize("F", [Tanh, ReLU, QuasiIsotropic])
@pytest.mark.parametrize("widths", [[2, 16, 16, 3], [16, 8, 8, 3]])
def test_what_does_not_commute_stays_and_would_not_bear_it(F: type, widths: list[int]) -> None:
    """The control: reduced all the same, or only brought to another basis, it is not equal."""

    model = chain(F, widths)
    table = measured(model, widths[0])

    assert table["effective_width"].tolist() == widths[1:]
    assert not table["commutes"].any()
    assert table["relative_error"].max() <= 1e-12
    assert table["forced_error"].min() > 1e-3
    x = torch.randn(20, widths[0])
    torch.testing.assert_close(compressed(subject(model, widths[0]))(x), model(x))


def test_layers_are_reduced_each_by_what_it_is() -> None:
    model = nn.Sequential(
        nn.Linear(2, 9), Tanh(9), nn.Linear(9, 20), IsoTanh(20), nn.Linear(20, 30), IsoTanh(30),
        nn.Linear(30, 7), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(7, 3),
    ).eval()  # fmt: skip
    table = measured(model, 2)

    assert table["layer"].tolist() == ["1", "3", "5", "7", "outputs"]
    assert table["effective_width"].tolist() == [9, 10, 11, 7, 3]
    assert table["commutes"].tolist() == [False, True, True, False, False]
    assert table["relative_error"].max() <= 1e-12
    assert table["forced_error"].iloc[-1] > 0.01


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_rank_of_the_weights_is_what_counts(rank: int) -> None:
    """A bias outside the range of W takes one dimension more; one inside, none."""

    model = chain(IsoTanh, [6, 12, 3])
    linear = next(m for m in model.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        linear.weight.copy_(torch.randn(12, rank) @ torch.randn(rank, 6))
        assert measured(model, 6)["effective_width"].tolist() == [rank + 1, 3]
        linear.bias.copy_(linear.weight @ torch.randn(6))

    table = measured(model, 6)
    assert table["effective_width"].tolist() == [rank, 3]
    assert table["relative_error"].max() <= 1e-12


@pytest.mark.slow(6)
def test_wide_layers_keep_every_direction() -> None:
    """min(n, n' + 1) of each, though float32's eps times 786 exceeds a singular value of W."""

    model = chain(IsoTanh, [784, 785, 786, 3]).float()
    it = Subject(model, torch.randn(8, 784, dtype=torch.float32), None, None, stream(0))

    assert [m.out_features for m in compressed(it) if isinstance(m, nn.Linear)] == [785, 786, 3]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("least", [1e-6, 1e-7, 0.0])
def test_weights_are_the_numbers_that_they_are(least: float, dtype: torch.dtype) -> None:
    """In float32 as well a direction that is small is one, and only one of length 0 is none."""

    model = chain(IsoTanh, [16, 16, 3], bias=False)
    with torch.no_grad():
        linear = next(m for m in model.modules() if isinstance(m, nn.Linear))
        linear.weight.copy_(torch.eye(16)).mul_(
            torch.ones(16).index_fill(0, torch.tensor(3), least)
        )
    it = Subject(model.to(dtype), torch.randn(8, 16, dtype=dtype), None, None, stream(0))

    assert Compression()(it)["effective_width"] == [16 if least else 15, 3]


def test_a_layer_of_zeros_keeps_one_feature() -> None:
    model = chain(IsoTanh, [4, 5, 3])
    linear = next(m for m in model.modules() if isinstance(m, nn.Linear))
    for parameter in linear.parameters():
        nn.init.zeros_(parameter)
    found = compressed(subject(model, 4))

    x = torch.randn(10, 4)
    torch.testing.assert_close(found(x), model(x))
    assert next(m for m in found if isinstance(m, nn.Linear)).out_features == 1


def test_a_tolerance_drops_what_is_small_and_says_what_it_costs() -> None:
    model = chain(IsoTanh, [6, 6, 3])
    linear = next(m for m in model.modules() if isinstance(m, nn.Linear))
    scales = torch.tensor([1.0, 1.0, 1.0, 1e-3, 1e-3, 1e-3])
    with torch.no_grad():
        Q, _ = torch.linalg.qr(torch.randn(6, 6))
        linear.weight.copy_(Q * scales)
        linear.bias.zero_()

    exact, lossy = (measured(model, 6, probe=Compression(t)) for t in (0.0, 1e-2))
    assert exact["effective_width"].tolist() == [6, 3]
    assert exact["relative_error"].max() <= 1e-12
    assert lossy["effective_width"].tolist() == [3, 3]
    assert 1e-5 < lossy["relative_error"].iloc[-1] < 1e-2


def test_compressing_again_changes_nothing() -> None:
    first = compressed(subject(chain(IsoTanh, [3, 16, 16, 2]), 3))
    table = measured(first, 3)

    assert table["effective_width"].tolist() == table["width"].tolist() == [4, 5, 2]
    assert table["layer"].tolist() == ["2", "4", "outputs"]


class Learnt(Activation):
    """f(x) = tanh(a ‖x‖) x̂, a learnt: not one of the package's isotropic functions."""

    def __init__(self, width: int) -> None:
        super().__init__(width)

        self.a = nn.Parameter(torch.tensor(1.7))

    def forward(self, x: Tensor) -> Tensor:
        r = x.norm(dim=-1, keepdim=True) + 1e-30

        return torch.tanh(self.a * r) * x / r


class Own(nn.Module):
    """A network of a user, with no Sequential in it."""

    def __init__(self) -> None:
        super().__init__()

        self.first, self.last = nn.Linear(12, 30), nn.Linear(30, 4)
        self.activation = Learnt(30)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.activation(self.first(x.flatten(1))))


def test_a_network_of_a_user() -> None:
    """Pictures, flattened; and what the activation has learnt."""

    model = Own().eval()
    table = measured(model, 3, 2, 2)
    found, x = compressed(subject(model, 3, 2, 2)), torch.randn(9, 3, 2, 2)

    assert table["effective_width"].tolist() == [13, 4]
    assert table["relative_error"].max() <= 1e-12
    torch.testing.assert_close(found(x), model(x))


def test_a_linear_network_is_compressed_too() -> None:
    assert measured(chain(Identity, [3, 8, 8, 2]), 3)["effective_width"].tolist() == [4, 5, 2]


def residual() -> nn.Module:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.f, self.b = nn.Linear(6, 6), IsoTanh(6), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.b(self.f(self.a(x)))

    return Residual()


def normalised(n: int) -> nn.Module:
    norm = nn.LayerNorm(n)
    nn.init.normal_(norm.weight)

    return norm


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (residual(), (6,)),
        (MLP((6,), 3, Forms(IsoTanh, normalised, Default()), (8, 8)), (6,)),
        (MLP((6,), 3, Forms(IsoTanh, nn.LayerNorm, Default()), (8, 8)), (6,)),
        (MLP((6,), 3, Forms(partial(RadialBasis, centres=9), nn.Identity, Default()), (8,)), (6,)),
        (Autoencoder((6,), 3, Forms(IsoTanh, nn.Identity, Default()), [8], 2), (6,)),
        (CNN((1, 6, 6), 3, Forms(IsoTanh, nn.Identity, Default()), [4], 1), (1, 6, 6)),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)), (1, 6, 6)),
        (nn.Sequential(nn.Linear(6, 5), IsoTanh(5)), (6,)),
    ],
)
def test_what_is_no_row_of_linear_maps_is_refused(model: nn.Module, inputs: tuple) -> None:
    with pytest.raises(Unsuitable, match="linear maps and activations in a row"):
        Compression()(subject(model.double().eval(), *inputs))


def test_the_network_is_left_as_it_was() -> None:
    model = chain(Learnt, [3, 16, 2, 2])
    it, before = subject(model, 3), deepcopy(model.state_dict())
    state = torch.get_rng_state()

    first, second = Compression()(it), Compression()(it)
    found = compressed(it)

    assert first == second
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(w, before[key]) for key, w in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not {p.data_ptr() for p in found.parameters()} & {
        p.data_ptr() for p in model.parameters()
    }
    assert not found.training


def test_float32_is_kept() -> None:
    model = chain(partial(IsoTanh, scale="sqrt_width"), [3, 40, 40, 2]).float()
    it = subject(model, 3)
    it = Subject(model, it.x.float(), None, None, stream(0))
    rows, found = Compression()(it), compressed(it)

    assert rows["effective_width"] == [4, 5, 2]
    assert max(rows["relative_error"]) <= 1e-5
    assert {p.dtype for p in found.parameters()} == {torch.float32}


def test_the_summary_is_that_of_the_outputs() -> None:
    probe, model = Compression(), chain(Tanh, [2, 16, 3])
    rows = probe(subject(model, 2))

    assert probe.summary(rows) == {
        "parameters_kept": 1.0,
        "relative_error": rows["relative_error"][1],
        "forced_error": rows["forced_error"][1],
    }
    rows = probe(subject(chain(IsoTanh, [2, 16, 3]), 2))
    assert probe.summary(rows)["parameters_kept"] == (9 + 12) / (48 + 51)


@pytest.mark.parametrize("tolerance", [-0.1, 1.0])
def test_settings_that_cannot_be(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance must be at least 0"):
        Compression(tolerance)


def test_the_figure_shows_widths_and_errors() -> None:
    trained, untrained = (
        measured(chain(F, [2, 16, 16, 3]), 2).assign(network=name)
        for F, name in ((IsoTanh, "trained"), (Tanh, "untrained"))
    )
    figure = Figure()
    draw(pd.concat([untrained, trained]), figure)
    widths, errors = figure.axes
    bars: Any = widths.patches

    assert [bar.get_height() for bar in bars] == [16, 16, 3, 3, 4, 3]
    shown = {str(line.get_label()): np.asarray(line.get_ydata()) for line in errors.lines}
    np.testing.assert_array_equal(shown["every layer reduced"], trained["forced_error"])
    np.testing.assert_array_equal(
        shown["every layer reduced, untrained"], untrained["forced_error"]
    )
    assert "100 samples" in figure.get_suptitle()
