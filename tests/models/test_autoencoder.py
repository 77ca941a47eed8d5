"""Tests for isoexp.models.autoencoder."""

import pytest
import torch
from torch import nn

from isoexp.activations import IsoTanh
from isoexp.inits import Default
from isoexp.models import Autoencoder


def autoencoder(inputs, widths, code, bias=True) -> Autoencoder:
    return Autoencoder(inputs, 10, widths, code, IsoTanh, lambda n: nn.Identity(), Default(), bias)


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
    J = torch.autograd.functional.jacobian(lambda x: model(x)[0], x)[:, 0]
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
