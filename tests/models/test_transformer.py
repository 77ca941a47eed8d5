"""Tests for isoexp.models.transformer."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isoexp.activations import IsoTanh
from isoexp.models import Transformer

from .tiny import forms

pytestmark = pytest.mark.usefixtures("float64")

SETTINGS: dict[str, Any] = {
    "width": 6,
    "depth": 2,
    "heads": 2,
    "hidden": 5,
    "patch": 2,
    "attention": "softmax",
}

each_attention = pytest.mark.parametrize("attention", ["softmax", "iso_tanh"])


def transformer(inputs: tuple[int, ...], outputs: Any = 3, **settings: Any) -> Transformer:
    given = {key: settings.pop(key) for key in ("activation", "norm") if key in settings}

    return Transformer(inputs, outputs, forms(**given), **{**SETTINGS, **settings})


@each_attention
@pytest.mark.parametrize("outputs", [3, (4, 3)], ids=["one", "each"])
def test_is_its_formula(attention: str, outputs: Any) -> None:
    """x ← x + A(norm x), x ← x + W₂ f(W₁ norm x + b₁) + b₂, twice, on embedded steps."""

    model = transformer((4, 2), outputs, attention=attention, norm=nn.LayerNorm)
    x = torch.randn(7, 4, 2)
    w = dict(model.named_parameters())
    norm = lambda h, name: F.layer_norm(h, (6,), w[f"{name}.weight"], w[f"{name}.bias"])
    affine = lambda h, name: F.linear(h, w[f"{name}.weight"], w[f"{name}.bias"])

    h = affine(x, "embedding") + w["position"]
    for i in range(2):
        layer = model.get_submodule(f"layers.{i}")
        h = h + layer.get_submodule("attention")(norm(h, f"layers.{i}.attention_norm"))
        up = affine(norm(h, f"layers.{i}.norm"), f"layers.{i}.up")
        h = h + affine(up.tanh(), f"layers.{i}.down")
    h = norm(h, "norm")
    h = affine(h if isinstance(outputs, tuple) else h.mean(dim=1), "readout")

    torch.testing.assert_close(model(x), h)


@each_attention
def test_answers_come_before_what_follows(attention: str) -> None:
    """Asked at each step, it answers from the steps so far, bit by bit; asked once, from all."""

    x = torch.randn(7, 4, 2)
    other = x.clone()
    other[:, 2:] = 10 * torch.randn(7, 2, 2)
    model = transformer((4, 2), (4, 3), attention=attention, activation=IsoTanh)

    assert model(x).shape == (7, 4, 3)
    assert torch.equal(model(x)[:, :2], model(other)[:, :2])
    assert not torch.equal(model(x)[:, 2:], model(other)[:, 2:])
    once = transformer((4, 2), 3, attention=attention)
    assert not torch.equal(once(x), once(other))
    assert not any(m.causal for m in once.modules() if hasattr(m, "causal"))


def test_steps_have_positions() -> None:
    """Without them the answer to a whole sample does not depend on the order of its patches."""

    model, x = transformer((4, 2)), torch.randn(7, 4, 2)
    assert (model(x.flip(1)) - model(x)).norm() > 1e-2
    nn.init.zeros_(model.position)
    torch.testing.assert_close(model(x.flip(1)), model(x))


@pytest.mark.parametrize(
    ("inputs", "steps", "features"),
    [((1, 4, 6), 6, 4), ((3, 4, 4), 4, 12), ((5, 2), 5, 2), ((5,), 5, 1)],
)
def test_samples_of_any_shape(inputs: tuple[int, ...], steps: int, features: int) -> None:
    model = transformer(inputs)

    assert model.position.shape == (steps, 6)
    assert model.embedding.in_features == features
    assert model(torch.randn(2, *inputs)).shape == (2, 3)
    assert model(torch.randn(0, *inputs)).shape == (0, 3)


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"patch must divide .* 6×9 pixels, got 2: one of 1, 3$"):
        transformer((1, 6, 9))
    for name in ("width", "depth", "hidden"):
        with pytest.raises(ValueError, match="width, depth and hidden must be positive"):
            transformer((4, 2), **{name: 0})
    with pytest.raises(ValueError, match="heads must divide the width 6, got 4"):
        transformer((4, 2), heads=4)
    with pytest.raises(ValueError, match=r"a sequence .* is needed"):
        transformer((1, 2, 3, 4))


@pytest.mark.parametrize(
    ("inputs", "patch"),
    [
        ((1, 8, 8), 2),
        ((1, 28, 28), 4),
        ((3, 32, 32), 4),
        ((1, 6, 9), 3),
        ((1, 7, 7), 7),
        ((1, 1, 1), 1),
    ],
)
def test_patches_are_few_unless_asked(inputs: tuple[int, int, int], patch: int) -> None:
    model = transformer(inputs, patch=None)

    assert model.patch == patch
    assert model(torch.randn(2, *inputs)).shape == (2, 3)
