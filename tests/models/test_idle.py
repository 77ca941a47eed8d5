"""Tests that models make no parameter on which their function cannot depend, and that those of any
network are found."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from isoexp.dropout import ElementwiseDropout
from isoexp.models import flaws
from isoexp.models.blocks import Build, Forms
from isoexp.norms import AffineLike, BatchNorm, ChiNorm, IsotropicBatchNorm, L2Norm, Whitening

from .tiny import MODELS, forms, identity

pytestmark = pytest.mark.usefixtures("float64")

CENTRING: dict[str, Build] = {
    "batch": BatchNorm,
    "batch-plain": partial(BatchNorm, affine=False),
    "torch": nn.BatchNorm1d,
    "iso_batch": IsotropicBatchNorm,
    "zca": Whitening,
}
OTHERS: dict[str, Build] = {
    "none": identity, "layer": nn.LayerNorm, "rms": nn.RMSNorm, "l2": L2Norm, "chi": ChiNorm,
    "affine_like": AffineLike,
}  # fmt: skip


def idle(name: str, form: Forms) -> list[str]:
    """Returns the parameters whose gradient, of a loss that sees all outputs, is rounding."""

    torch.manual_seed(0)
    model, x = MODELS[name].build(form), MODELS[name].batch(16)
    for p in model.parameters():
        p.data.add_(0.3 * torch.randn_like(p))  # gains of zero and biases of zero are no values

    y = model(x)
    (y * torch.randn_like(y)).sum().add(y.square().sum()).backward()
    norms = {
        key: 0.0 if p.grad is None else p.grad.norm().item() for key, p in model.named_parameters()
    }

    return [key for key, norm in norms.items() if norm < 1e-10 * max(norms.values())]


# An nn.BatchNorm1d takes no steps: torch's has channels on the second axis.
FLAT = ("mlp", "autoencoder", "rnn", "rnn-each")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("norm", CENTRING | OTHERS)
def test_no_parameter_is_idle(name: str, norm: str) -> None:
    if norm == "torch" and name not in FLAT:
        pytest.skip("torch's batch norm has its channels on the second axis")

    assert idle(name, forms(norm=(CENTRING | OTHERS)[norm])) == []


@pytest.mark.parametrize("name", ["transformer", "transformer-tanh", "mlp", "cnn"])
def test_dropout_behind_a_bias_makes_it_count(name: str) -> None:
    dropped = forms(norm=BatchNorm, dropout=partial(ElementwiseDropout, keep=0.5))
    biases = {key for key, _ in MODELS[name].build(dropped).named_parameters() if "bias" in key}

    assert idle(name, dropped) == []
    assert ("layers.0.down.bias" in biases) == ("transformer" in name)


@pytest.mark.parametrize("norm", OTHERS)
@pytest.mark.parametrize("name", MODELS)
def test_all_other_biases_are_made(name: str, norm: str) -> None:
    """The control: what has no bias is a recurrence, and the keys under softmax."""

    model = MODELS[name].build(forms(norm=OTHERS[norm]))
    without = [
        k
        for k, m in model.named_modules()
        if isinstance(m, nn.Linear | nn.Conv2d) and m.bias is None
    ]

    softmax = name in ("transformer", "transformer-softmax-each")
    assert all("recurrent" in k or (softmax and k.endswith("key")) for k in without)
    assert any(k.endswith("key") for k in without) == softmax


# Networks of other hands.


class Attending(nn.Module):
    """torch's attention, with the biases of queries, keys and values in one."""

    def __init__(self) -> None:
        super().__init__()

        self.attention, self.readout = (
            nn.MultiheadAttention(6, 2, batch_first=True),
            nn.Linear(6, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.readout((x + self.attention(x, x, x)[0]).mean(dim=1))


class Spare(nn.Module):
    """With a parameter that is not used, one that is frozen, and a branch that starts at zero."""

    def __init__(self) -> None:
        super().__init__()

        self.a, self.b, self.spare = nn.Linear(4, 6), nn.Linear(6, 3), nn.Linear(2, 2)
        self.gain = nn.Parameter(torch.zeros(()))
        self.spare.bias.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(x @ self.a.weight.mT) + self.gain * torch.tanh(self.a(x)))


class Dying(nn.Module):
    """Its first unit is dead at any weights."""

    def __init__(self) -> None:
        super().__init__()

        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        dead = torch.tensor([1e6, 0, 0, 0, 0, 0])

        return self.b(torch.relu(self.a(x) - dead))


def normed(norm: nn.Module, *between: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), *between, norm, nn.ReLU(), nn.Linear(5, 3))


def picture(norm: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))


rows, pictures = torch.Size([32, 4]), torch.Size([32, 2, 6, 6])
NETWORKS = {
    "batch norm": (normed(nn.BatchNorm1d(5)), rows, {"0.bias": 5}),
    "two in a row": (normed(nn.BatchNorm1d(5), nn.Linear(5, 5)), rows, {"0.bias": 5, "1.bias": 5}),
    "batch norm of pictures": (picture(nn.BatchNorm2d(4)), pictures, {"0.bias": 4}),
    "instance norm": (picture(nn.InstanceNorm2d(4)), pictures, {"0.bias": 4}),
    "groups of one channel": (picture(nn.GroupNorm(4, 4)), pictures, {"0.bias": 4}),
    "groups of two": (picture(nn.GroupNorm(2, 4)), pictures, {}),
    "layer norm": (normed(nn.LayerNorm(5)), rows, {}),
    "dropout between": (normed(nn.BatchNorm1d(5), nn.Dropout(0.5)), rows, {}),
    "keys of attention": (Attending(), torch.Size([32, 5, 6]), {"attention.in_proj_bias": 6}),
    "spare": (Spare(), rows, {"spare.weight": 4}),
    "dead": (Dying(), rows, {}),
}
"""Networks, the shape of samples, and how many entries of which parameters are idle."""


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_idle_of_any_network(name: str) -> None:
    network, shape, expected = NETWORKS[name]
    before, state = deepcopy(network.state_dict()), torch.get_rng_state()

    found = list(flaws.idle(network, torch.zeros(shape)))

    assert {each.name: int(each.entries.sum()) for each in found} == expected
    assert torch.equal(state, torch.get_rng_state())
    for key, t in network.state_dict().items():
        assert torch.equal(t, before[key]), key
    for each in found:
        assert each.rounds == (name != "spare")
        whole = each.entries.all()
        assert str(each).endswith("leave it out, as by bias=False" if whole and each.rounds else
                                  "leave it out" if whole else "and leave that out")  # fmt: skip


def test_entries_are_told_by_their_place() -> None:
    (found,) = flaws.idle(Attending(), torch.zeros(32, 5, 6))

    assert found.entries.nonzero().flatten().tolist() == [6, 7, 8, 9, 10, 11]
    assert "6 of its 18 entries (6 to 11)" in str(found)


def test_words_that_do_not_occur_are_not_idle() -> None:
    model = nn.Sequential(nn.Embedding(50, 4), nn.Flatten(), nn.Linear(12, 3))

    assert not list(flaws.idle(model, torch.randint(9, (32, 3))))


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("name", MODELS)
def test_none_is_found_in_any_model(name: str, norm: str) -> None:
    model = MODELS[name].build(forms(norm=(CENTRING | OTHERS)[norm]))

    assert not list(flaws.idle(model, MODELS[name].batch(32)))


def test_gradients_that_are_not_finite_tell_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    for p in model.parameters():
        p.data.fill_(1e200)

    with pytest.raises(ValueError, match="must be finite"):
        list(flaws.idle(model, torch.zeros(8, 4)))
