"""Laws of every model: any activation, norm and dropout meets it, and every weight is trained."""

from functools import partial

import pytest
import torch
from torch import nn

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.dropout import CorrelatedDropout, ElementwiseDropout, HaarDropout, IsotropicDropout
from isoexp.inits import Default, Gaussian, Orthogonal
from isoexp.models.blocks import Forms
from isoexp.norms import BatchNorm, ChiNorm, IsotropicBatchNorm, Whitening
from isoexp.stochastic import Stochastic

from .tiny import MODELS, Tiny, forms

FORMS: dict[str, Forms] = {
    "plain": forms(),
    "radial": forms(partial(RadialBasis, centres=7), nn.LayerNorm, dropout=ElementwiseDropout),
    "batch": forms(IsoTanh, BatchNorm, Orthogonal(), IsotropicDropout),
    "stochastic": forms(partial(Stochastic, form=Tanh), nn.RMSNorm, dropout=HaarDropout),
    "walk": forms(Tanh, IsotropicBatchNorm, Gaussian(), CorrelatedDropout, bias=False),
    "whitened": forms(IsoTanh, Whitening, dropout=partial(IsotropicDropout, keep=0.5)),
    "foreign": forms(lambda n: nn.SiLU(), ChiNorm, Default(), lambda n: nn.Dropout(0.2)),
}

each = pytest.mark.parametrize("tiny", MODELS.values(), ids=MODELS.keys())
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())


@each
@each_form
def test_any_form_meets_any_model(tiny: Tiny, form: Forms) -> None:
    model = tiny.build(form)
    y = model(tiny.batch(9))
    y.square().sum().backward()

    assert y.shape == (9, *tiny.answer)
    for name, p in model.named_parameters():
        assert p.grad is not None, f"{name} is not trained"
        assert p.grad.isfinite().all(), f"the gradient of {name} is not finite"
        assert form.bias or not name.endswith("linear.bias")

    model.eval()
    x = tiny.batch(5)
    assert torch.equal(model(x), model(x))
    assert model(x[:1]).shape == (1, *tiny.answer)
    torch.testing.assert_close(model(x)[:2], model(x[:2]), rtol=1e-4, atol=1e-5)


@each
def test_every_weight_moves_the_answer(tiny: Tiny) -> None:
    model = tiny.build(forms(IsoTanh, nn.RMSNorm))
    model(tiny.batch(9)).square().sum().backward()

    for name, p in model.named_parameters():
        assert p.grad is not None
        # A bias of all keys shifts all scores of a query alike, which softmax does not see.
        unseen = name.endswith("key.bias") and "softmax" in repr(tiny.model)
        assert unseen or p.grad.abs().max() > 1e-7, f"{name} changes nothing"


@each
def test_without_biases_there_is_none(tiny: Tiny) -> None:
    model = tiny.build(forms(bias=False))

    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]


@each
def test_the_init_reaches_every_layer(tiny: Tiny) -> None:
    seen: list[nn.Module] = []
    model = tiny.build(forms(init=seen.append))
    layers = [m for m in model.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]

    assert len(seen) == len(layers)
    assert {id(m) for m in seen} == {id(m) for m in layers}


@each
def test_dropout_reaches_every_model(tiny: Tiny) -> None:
    """In training two calls differ, in evaluation none do; without dropout none do at all."""

    x = tiny.batch(4)
    for dropout in (partial(IsotropicDropout, keep=0.5), partial(CorrelatedDropout, keep=0.5)):
        model = tiny.build(forms(Tanh, dropout=dropout))
        assert not torch.equal(model(x), model(x))
        model.eval()
        assert torch.equal(model(x), model(x))

    model = tiny.build(forms())
    assert torch.equal(model(x), model(x))


@each
def test_dropout_moves_no_weights(tiny: Tiny) -> None:
    def weights(dropout) -> list[torch.Tensor]:
        torch.manual_seed(3)

        return list(tiny.build(forms(dropout=dropout)).parameters())

    pairs = zip(weights(CorrelatedDropout), weights(nn.Identity), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@each
def test_walks_start_apart(tiny: Tiny) -> None:
    model = tiny.build(forms(dropout=CorrelatedDropout))
    walks = [m for m in model.modules() if isinstance(m, CorrelatedDropout)]

    assert walks
    assert len({int(m.key) for m in walks}) == len(walks)


@each
def test_who_answers_what(tiny: Tiny) -> None:
    model = tiny.build(forms())

    assert getattr(model, "reconstructs", False) == ("utoencoder" in repr(tiny.model))
    assert not isinstance(tiny.outputs, tuple) or getattr(model, "answers_each_step", False)
