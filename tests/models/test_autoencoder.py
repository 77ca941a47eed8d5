"""Tests for isoexp.models.autoencoder."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isoexp.activations import IsoTanh, RadialBasis
from isoexp.inits import Default
from isoexp.models import Autoencoder, ConvolutionalAutoencoder
from isoexp.models.blocks import Build, Forms


def autoencoder(inputs, widths, code, bias=True) -> Autoencoder:
    return Autoencoder(
        inputs, 10, Forms(IsoTanh, lambda n: nn.Identity(), Default()), widths, code, bias=bias
    )


def convolutional(inputs, widths, code, activation: Build = IsoTanh) -> Any:
    return ConvolutionalAutoencoder(
        inputs, 10, Forms(activation, lambda n: nn.Identity(), Default()), widths, code
    )


def test_gives_back_the_shape_it_is_given() -> None:
    model = autoencoder((1, 4, 5), [8, 6], 3)
    x = torch.randn(7, 1, 4, 5)

    assert model(x).shape == x.shape
    assert model.reconstructs


def test_the_decoder_mirrors_the_encoder() -> None:
    model = autoencoder((20,), [8, 6], 3)

    shapes = [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Linear)]
    assert shapes == [(8, 20), (6, 8), (3, 6), (6, 3), (8, 6), (20, 8)]


def test_everything_passes_through_the_code() -> None:
    """Two inputs of one code come out as one: the rank of the Jacobian is that of the code."""

    model = autoencoder((20,), [8, 6], 2)
    x = torch.randn(1, 20)

    torch.testing.assert_close(model(x), model.decoder(model.encoder(x)))
    J: Any = torch.autograd.functional.jacobian(lambda x: model(x)[0], x)
    J = J[:, 0]
    values = torch.linalg.svdvals(J)
    assert (values > 1e-6 * values[0]).sum() == 2


def test_every_weight_is_trained() -> None:
    model = autoencoder((20,), [8], 2, bias=False)
    model(torch.randn(5, 20)).square().sum().backward()

    assert all(p.grad is not None and p.grad.any() for p in model.parameters())
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]


def test_refuses_an_empty_code() -> None:
    with pytest.raises(ValueError, match="code must be at least 1, got 0"):
        autoencoder((20,), [8], 0)


# --- of convolutions ------------------------------------------------------------------------

SHAPES = [(1, 7, 7), (1, 28, 28), (3, 8, 8), (2, 5, 3), (1, 1, 1), (1, 1, 6)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("widths", [[4], [4, 5], [3, 4, 5]], ids=str)
def test_pictures_come_back_in_their_shape(shape: tuple[int, int, int], widths: list[int]) -> None:
    for activation in (IsoTanh, partial(RadialBasis, centres=2)):
        model = convolutional(shape, widths, 3, activation)
        x = torch.randn(2, *shape)

        assert model(x).shape == x.shape
        assert model.reconstructs


def test_each_layer_of_the_encoder_halves() -> None:
    model = convolutional((1, 28, 27), [4, 5, 6], 3)

    assert model.sizes == [(28, 27), (14, 14), (7, 7), (4, 4)]
    assert model.encoder(torch.randn(1, 28, 27, 1)).shape == (1, 4, 4, 6)
    kernels = [tuple(m.weight.shape[:2]) for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(4, 1), (5, 4), (6, 5), (5, 6), (4, 5), (1, 4)]
    assert model.to_code.weight.shape == (3, 4 * 4 * 6)


def test_pictures_pass_through_the_code() -> None:
    """The rank of the Jacobian is that of the code."""

    model, x = convolutional((1, 5, 6), [4, 5], 2), torch.randn(1, 1, 5, 6)
    J: Any = torch.autograd.functional.jacobian(lambda x: model(x).flatten(), x)
    values = torch.linalg.svdvals(J.flatten(1))

    assert (values > 1e-5 * values[0]).sum() == 2


def test_is_its_formula_in_channels_first() -> None:
    """By F.conv2d and F.interpolate, channels first; tanh knows no axis."""

    model, x = convolutional((2, 5, 6), [4, 3], 3, lambda n: nn.Tanh()), torch.randn(4, 2, 5, 6)
    w = dict(model.named_parameters())

    h = x
    for i in range(2):
        weight, bias = w[f"encoder.{i}.linear.weight"], w[f"encoder.{i}.linear.bias"]
        h = F.conv2d(h, weight, bias, stride=2, padding=1).tanh()
    code = model.to_code(h.movedim(1, -1).flatten(1))
    h = model.from_code(code).view(4, 2, 2, 3).movedim(-1, 1)
    h = F.interpolate(h, scale_factor=2, mode="nearest")[:, :, :3, :3]
    h = F.conv2d(h, w["decoder.0.linear.weight"], w["decoder.0.linear.bias"], padding=1).tanh()
    h = F.interpolate(h, scale_factor=2, mode="nearest")[:, :, :5, :6]
    h = F.conv2d(h, w["decoder.1.weight"], w["decoder.1.bias"], padding=1)

    torch.testing.assert_close(model(x), h)


def test_refuses_what_is_no_picture() -> None:
    for inputs in [(20,), (4, 5)]:
        with pytest.raises(ValueError, match=r"pictures .* got .*: use model=autoencoder"):
            convolutional(inputs, [4], 3)
    with pytest.raises(ValueError, match="widths must name a layer, got none: give one, as in"):
        convolutional((1, 4, 5), [], 3)
    with pytest.raises(ValueError, match="widths must be positive, got 0 in"):
        convolutional((1, 4, 5), [0], 3)
    with pytest.raises(ValueError, match="code must be at least 1, got 0"):
        convolutional((1, 4, 5), [4], 0)
