"""Tests that models make no parameter on which their function cannot depend."""

from functools import partial

import pytest
import torch
from torch import nn

from isoexp.dropout import ElementwiseDropout
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
