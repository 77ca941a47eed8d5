"""Tests for probes of networks that are written otherwise than ours, and of what is no network."""

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import isoexp
from isoexp import probes
from isoexp.activations import activations_of
from isoexp.probes import Alignment, Equivariance, Refraction, Spectrum, Unsuitable
from isoexp.probes.layers import replaced, tensor_of

probe: Any = isoexp.probe  # Any: the types of a table are those of its columns

QUICK: list[Any] = [
    probes.Agreement(halves=1, starts=1),
    Alignment(bins=3, planes=8),
    probes.Compression(),
    probes.Connectivity(draws=1, points=3),
    probes.Continuity(pairs=8, bases=2),
    probes.Cost(vectors=8, repeats=1),
    probes.Decisions(),
    Equivariance(draws=1),
    probes.Locking(sizes=1, draws=1, points=3),
    probes.OODMagnitude(points=2),
    Refraction(points=2, rays=8),
    Spectrum(vectors=8),
]


class Curved(nn.Module):
    """An activation of nobody's family, as transformers' NewGELUActivation."""

    def forward(self, input: Tensor) -> Tensor:
        return input * torch.sigmoid(1.7 * input)


class Output(NamedTuple):
    logits: Tensor
    hidden: Tensor


class Plain(nn.Module):
    """GPT-2's perceptron, on six features and steps: (samples, 6) in, (samples, 4) out."""

    def __init__(self) -> None:
        super().__init__()
        self.c_fc, self.act, self.c_proj = nn.Linear(6, 8), Curved(), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Any:
        return self.c_proj(self.act(self.c_fc(x)))


class Keyword(Plain):
    def forward(self, x: Tensor) -> Any:
        return self.c_proj(input=self.act(input=self.c_fc(input=x)))


class Tuples(Plain):
    def forward(self, x: Tensor) -> Any:
        h = self.act(self.c_fc(x))
        return Output(self.c_proj(h), h)


class Mapped(Plain):
    """As transformers' outputs are: a mapping, whose first is None where there is no loss."""

    def forward(self, x: Tensor) -> Any:
        return OrderedDict(loss=None, logits=self.c_proj(self.act(self.c_fc(x))))


class Recurrent(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 6, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        return super().forward(self.lstm(x.view(-1, 3, 2))[0][:, -1])


class Attending(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x: Tensor) -> Any:
        h, _ = self.attention(query=x[:, None], key=x[:, None], value=x[:, None])
        return super().forward(h[:, 0])


class Scaled(Plain):
    """Calls an activation for a number, beside vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature, self.act = nn.Parameter(torch.ones(())), nn.Softplus()

    def forward(self, x: Tensor) -> Any:
        return super().forward(x) * self.act(self.temperature)


class Scripted(nn.Module):
    """A part that is compiled for another interpreter, in a network that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.part: Any = torch.jit.trace(
            nn.Sequential(nn.Linear(6, 4), nn.Tanh()), torch.randn(2, 6)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.part(x)


def compiled() -> nn.Module:
    return torch.compile(Plain(), backend="eager")  # pyright: ignore[reportReturnType]


def compiled_in_place() -> nn.Module:
    net = Plain()
    net.compile(backend="eager")

    return net


MEASURED: dict[str, Callable[[], nn.Module]] = {
    each.__name__: each
    for each in (Keyword, Tuples, Mapped, Recurrent, Attending, Scaled, compiled, compiled_in_place)
}


def given(net: nn.Module, how: Any, **more: Any) -> Any:
    torch.manual_seed(1)
    x, y = torch.randn(40, 6), torch.randint(4, (40,))
    hue = {"hue": np.linspace(0, 1, 40)}

    return probe(net, x, how, y, train=(x, y), factors=hue, refit=lambda nets, *_: nets, **more)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("how", QUICK, ids=lambda how: type(how).__name__)
@pytest.mark.parametrize("name", [*MEASURED, "meta", "scripted"])
def test_every_probe_measures_or_says_why_not(name: str, how: Any) -> None:
    torch.manual_seed(0)
    build = MEASURED.get(name)
    net = build() if build else Scripted() if name == "scripted" else Plain().to("meta")

    try:
        table = given(net, how, twin=net)
    except Unsuitable as error:
        found = str(error).splitlines()
    else:
        found = [*table.columns[:1]] if len(table) and name in MEASURED else []
    assert len(found) == 1


@pytest.mark.parametrize("name", ["Keyword", "Tuples", "Mapped", "compiled", "compiled_in_place"])
@pytest.mark.parametrize("how", [Refraction(points=2), Equivariance(draws=1), Spectrum()], ids=str)
def test_how_it_is_written_changes_no_number(name: str, how: Any) -> None:
    torch.manual_seed(0)
    plain, net = Plain(), MEASURED[name]()
    getattr(net, "_orig_mod", net).load_state_dict(plain.state_dict())

    pd.testing.assert_frame_equal(given(net, how), given(plain, how))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in plain.modules())


@pytest.mark.parametrize("build", [Recurrent, Attending])
def test_modules_that_give_tuples_are_looked_at(build: type[nn.Module]) -> None:
    """By what they give, of which nothing is asked; not as maps of single vectors, which they are
    not."""

    net, x = build(), torch.randn(40, 6)
    (name,) = {"lstm", "attention"} & set(dict(net.named_children()))

    assert set(probe(net, x, Alignment(bins=3), modules=[name])["width"]) == {6}
    with pytest.raises(Unsuitable, match=f"{name} must be a map of single vectors"):
        probe(net, x, Spectrum(), modules=[name])


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_what_cannot_be_looked_into_is_told() -> None:
    with pytest.raises(Unsuitable, match="got a ScriptModule"):
        given(Scripted(), Refraction())
    with pytest.raises(Unsuitable, match="on the meta device"):
        given(Plain().to("meta"), Refraction())
    with pytest.raises(Unsuitable, match="on the meta device"):
        given(Plain(), Refraction(), twin=Plain().to("meta"))
    with pytest.raises(isoexp.errors.UserError, match="samples must be numbers"):
        probe(Plain(), ["a", "b"], Refraction())


def test_modules_that_are_never_called_are_named() -> None:
    net = Plain()
    net.spare = nn.ReLU()

    with pytest.raises(Unsuitable, match="spare must be called by the network"):
        probe(net, torch.randn(9, 6), Alignment(), modules=["spare"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        *[(name, True) for name in ("act", "activation", "act_fn", "activation_fn", "act1")],
        *[(name, True) for name in ("intermediate_act_fn", "activation_function", "hidden_act")],
        *[(name, False) for name in ("action", "fact", "activations", "act_dropout", "compact")],
    ],
)
def test_activations_are_known_by_what_models_call_them(name: str, found: bool) -> None:
    net = nn.Module()
    net.add_module(name, Curved())

    assert list(activations_of(net)) == ([name] if found else [])


def test_a_tensor_is_put_where_it_was_found() -> None:
    a, b, t = torch.zeros(1), torch.ones(1), torch.full((1,), 2.0)
    for whole, where in (
        (a, lambda w: w),
        ((None, a, b), lambda w: w[1]),
        ([3, (a, b)], lambda w: w[1][0]),
        (Output(a, b), lambda w: w.logits),
        (OrderedDict(loss=None, logits=a), lambda w: w["logits"]),
    ):
        before = deepcopy(whole)
        put = replaced(whole, t)
        assert tensor_of(whole) is a
        assert where(put) is t
        assert type(put) is type(whole)
        assert str(whole) == str(before), "what was given has changed"
    assert tensor_of({"a": None, "b": "word"}) is None
