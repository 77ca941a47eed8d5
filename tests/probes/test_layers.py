"""Tests for isoexp.probes.layers, and for what subjects make of them."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from isoexp import training
from isoexp.activations import Activation, IsoTanh, ReLU, Tanh
from isoexp.geometry import random_orthogonal
from isoexp.probes import Pair, Subject, Unsuitable, conjugated
from isoexp.probes.layers import passed

from ..models.tiny import MODELS, forms
from .subjects import subject


def looked_at(model: nn.Module, x: Tensor) -> Subject:
    return Subject(model.eval(), x, None, None, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", MODELS)
def test_layers_take_and_give_what_their_modules_do(name: str) -> None:
    """Of every model of ours: all activations, features last, f(z) = h for each vector."""

    it = looked_at(MODELS[name].build(forms(Tanh)), MODELS[name].batch(5))
    outputs, pairs = passed(it.model, it.layers, it.x)

    tanhs = [path for path, module in it.model.named_modules() if isinstance(module, Tanh)]
    assert sorted(it.layers) == sorted(tanhs)
    assert torch.equal(outputs, it.model(it.x))
    for path, (z, h) in pairs.items():
        assert z.shape[0] == 5
        assert z.shape[2] == it.layers[path].width
        torch.testing.assert_close(it.layers[path](z), h)


def test_a_recurrent_layer_has_a_place_for_each_step() -> None:
    it = looked_at(MODELS["rnn"].build(forms(Tanh)), MODELS["rnn"].batch(5))

    assert {pair.inputs.shape[1] for pair in passed(it.model, it.layers, it.x)[1].values()} == {4}


class Bottleneck(nn.Module):
    """Another's network: channels on the second axis, one ReLU called with two widths, in place."""

    def __init__(self) -> None:
        super().__init__()

        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 5)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.second(self.relu(self.first(x))))

        return self.gelu(self.head(x.mean(dim=(2, 3))))


def test_channels_are_found_on_their_axis() -> None:
    """Also where height, width and channels are as many."""

    it = looked_at(Bottleneck(), torch.randn(2, 3, 8, 8))

    assert {name: (each.width, each.axis) for name, each in it.layers.items()} == {
        "relu": (4, -3),
        "relu:6": (6, -3),
        "gelu": (5, -1),
    }


class Patches(nn.Module):
    """As in a vision transformer: channels become tokens of features before a norm."""

    def __init__(self) -> None:
        super().__init__()

        self.patch, self.norm, self.head = nn.Conv2d(3, 8, 2), nn.LayerNorm(8), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.patch(x).flatten(2).transpose(1, 2)).mean(dim=1))


def test_a_module_that_is_looked_at_tells_its_own_axis() -> None:
    it = looked_at(Patches(), torch.randn(2, 3, 6, 6))
    it = replace(it, modules={"norm": it.model.get_submodule("norm")})

    assert [(each.width, each.axis) for each in it.layers.values()] == [(8, -1)]


def test_what_works_in_place_is_seen_before_it_works() -> None:
    it = looked_at(Bottleneck(), torch.randn(2, 3, 8, 8))
    _, pairs = passed(it.model, it.layers, it.x)
    z = it.model.get_submodule("first")(it.x).movedim(1, -1).reshape(2, 36, 4)

    torch.testing.assert_close(pairs["relu"], Pair(z, z.relu()))
    given = z.flatten(0, 1)
    before = given.clone()
    torch.testing.assert_close(it.layers["relu"](given), z.relu().flatten(0, 1))
    assert torch.equal(given, before)


def test_torchvisions_networks_are_seen_as_they_are() -> None:
    import torchvision

    it = looked_at(torchvision.models.resnet18(num_classes=4), torch.randn(2, 3, 32, 32))

    assert len(it.layers) == 9
    assert {each.axis for each in it.layers.values()} == {-3}
    assert it.embeddings()["layer4.1.relu"].shape == (2, 512)


def test_a_network_without_activations_says_so() -> None:
    with pytest.raises(Unsuitable, match="name modules"):
        _ = looked_at(nn.Linear(3, 3), torch.randn(2, 3)).layers


def test_any_module_may_be_looked_at() -> None:
    it = subject(Tanh)
    named = {"logits": it.model.get_submodule("readout")}

    assert list(replace(it, modules=named).layers) == ["logits"]


def test_a_stream_gives_all_vectors_whatever_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    it = subject(Tanh, samples=50)
    (whole,) = it.stream()
    monkeypatch.setattr(training, "AT_ONCE", 70)  # seven samples
    pieces = list(it.stream())

    assert len(pieces) == 8
    for name, pair in whole.items():
        for i in (0, 1):
            torch.testing.assert_close(torch.cat([piece[name][i] for piece in pieces]), pair[i])
    torch.testing.assert_close(
        it.embeddings(), {name: pair.outputs for name, pair in whole.items()}
    )


def test_vectors_are_all_there_are_or_an_even_share(monkeypatch: pytest.MonkeyPatch) -> None:
    it = subject(Tanh, samples=50)
    (whole,) = it.stream()
    torch.testing.assert_close(it.vectors(1000), whole)

    monkeypatch.setattr(training, "AT_ONCE", 200)
    counts = torch.zeros(50)
    for seed in range(60):
        again = replace(it, generator=torch.Generator().manual_seed(seed))
        z = again.vectors(10)["hidden.0.activation"].inputs
        assert len(z) == 10
        near = (z[:, None] - whole["hidden.0.activation"].inputs).abs().amax(dim=2) < 1e-4
        counts += near.any(dim=0)

    assert counts.sum() == 600
    # Binomial of 60 draws with share 1/5: 12 ± 3.1.
    assert counts.min() > 0
    assert counts.max() < 28


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("activation", "error"), [(IsoTanh, 0.0), (Tanh, 0.01), (ReLU, 0.01)])
def test_conjugation_leaves_what_commutes(activation: type[Activation], error: float) -> None:
    """R⁻¹ f(R ·) is f for every R in O(n) if f is isotropic, and only then."""

    it = subject(activation)
    layers = list(it.layers.values())
    before = it.model(it.x)
    with conjugated(layers, [random_orthogonal(layer.width) for layer in layers]):
        turned = it.model(it.x)

    assert torch.equal(it.model(it.x), before)
    difference = (turned - before).norm() / before.norm()
    assert difference < 1e-13 if error == 0 else difference > error


def test_conjugation_finds_channels() -> None:
    """A permutation of channels, under a ReLU called with two widths: of one of them."""

    it = looked_at(Bottleneck(), torch.randn(2, 3, 8, 8))
    before = it.model(it.x)
    for name, n in (("relu", 4), ("relu:6", 6)):
        P = torch.eye(n).roll(1, dims=0)
        with conjugated([it.layers[name]], [P]):
            torch.testing.assert_close(it.model(it.x), before)
        with conjugated([it.layers[name]], [-torch.eye(n)]):
            assert not torch.allclose(it.model(it.x), before)
