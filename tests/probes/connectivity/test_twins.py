"""Tests that exact twins, whose hidden features come in other bases, have no barrier once aligned.

Which tensors lie in which hidden space is written down here by hand, for every model.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from isoexp.activations import IsoTanh, RadialBasis, ReLU, Rotated, Tanh
from isoexp.figures.connectivity import draw
from isoexp.geometry import random_orthogonal
from isoexp.models import Transformer
from isoexp.models.blocks import Build
from isoexp.norms import AffineLike, BatchNorm, ChiNorm, IsotropicBatchNorm, L2Norm, Whitening
from isoexp.probes import Connectivity, Subject
from isoexp.training import Classification, Regression

from ...models.tiny import MODELS, forms, identity

pytestmark = pytest.mark.usefixtures("float64")

SMALL = Connectivity(draws=1, points=3)

NONE = ()


class Lying(NamedTuple):
    """What lies in one hidden space: modules that write to it and read from it, norms, tensors."""

    writers: tuple[str, ...]
    norms: tuple[str, ...]
    readers: tuple[str, ...]
    tensors: tuple[tuple[str, int], ...] = ()


def of_cnn(model: Any) -> list[Lying]:
    """Two stages of one block each."""

    a, b = "stages.0", "stages.1"
    into_b = f"{b}.shortcut", f"{b}.steps.0.linear"

    return [
        Lying(
            ("stem", f"{a}.steps.1.linear"),
            (f"{a}.steps.0.norm", f"{b}.steps.0.norm"),
            (f"{a}.steps.0.linear", *into_b),
        ),
        Lying((f"{a}.steps.0.linear",), (f"{a}.steps.1.norm",), (f"{a}.steps.1.linear",)),
        Lying((f"{b}.steps.0.linear",), (f"{b}.steps.1.norm",), (f"{b}.steps.1.linear",)),
        Lying((f"{b}.shortcut", f"{b}.steps.1.linear"), ("norm",), ("readout",)),
    ]


def of_transformer(model: Any) -> list[Lying]:
    layers = [f"layers.{i}" for i in range(len(model.layers))]
    inner = [Lying((f"{k}.up",), NONE, (f"{k}.down",)) for k in layers]
    stream = Lying(
        ("embedding", *(f"{k}.{end}" for k in layers for end in ("attention.out", "down"))),
        ("norm", *(f"{k}.{norm}" for k in layers for norm in ("attention_norm", "norm"))),
        (
            "readout",
            *(f"{k}.up" for k in layers),
            *(f"{k}.attention.{part}" for k in layers for part in ("query", "key", "value")),
        ),
        (("position", 1),),
    )

    return [stream, *inner]


def of_rnn(model: Any) -> list[Lying]:
    layers = [f"layers.{i}" for i in range(len(model.layers))]
    after = [*(f"{k}.linear" for k in layers[1:]), "readout"]

    return [
        Lying((f"{k}.linear", f"{k}.recurrent"), (f"{k}.norm",), (f"{k}.recurrent", then))
        for k, then in zip(layers, after, strict=True)
    ]


def row(*blocks: str, readout: str) -> list[Lying]:
    after = [*(f"{k}.linear" for k in blocks[1:]), readout]

    return [
        Lying((f"{k}.linear",), (f"{k}.norm",), (then,))
        for k, then in zip(blocks, after, strict=True)
    ]


def of_autoencoder(model: Any) -> list[Lying]:
    code = Lying(("encoder.readout",), NONE, ("decoder.hidden.0.linear",))

    return [
        *row("encoder.hidden.0", readout="encoder.readout"),
        code,
        *row("decoder.hidden.0", readout="decoder.readout"),
    ]


def of_conv_autoencoder(model: Any) -> list[Lying]:
    return [
        *row("encoder.0", "encoder.1", readout="to_code"),
        Lying(("to_code",), NONE, ("from_code",)),
        Lying(("from_code",), NONE, ("decoder.0.linear",)),
        *row("decoder.0", readout="decoder.1"),
    ]


SPACES: dict[str, Callable[[Any], list[Lying]]] = {
    "mlp": lambda model: row("hidden.0", "hidden.1", readout="readout"),
    "autoencoder": of_autoencoder,
    "cnn": of_cnn,
    "conv_autoencoder": of_conv_autoencoder,
    "rnn": of_rnn,
    "rnn-each": of_rnn,
    **dict.fromkeys([name for name in MODELS if "transformer" in name], of_transformer),
}

Draw = Callable[[int], Tensor]


def permutation(n: int) -> Tensor:
    """One that moves something."""

    P = torch.eye(n)[torch.randperm(n)]

    return permutation(n) if n > 1 and torch.equal(P, torch.eye(n)) else P


def signed(n: int) -> Tensor:
    return permutation(n) * (2.0 * torch.randint(2, (n,)) - 1)


def rotation(n: int) -> Tensor:
    return random_orthogonal(n, torch.Generator().manual_seed(int(torch.randint(1000, ()))))


def act(t: Tensor, M: Tensor, axis: int) -> None:
    """Turns the vectors of n features along an axis, which may hold several, one after another."""

    rows = t.movedim(axis, -1)
    t.copy_((rows.reshape(-1, len(M)) @ M.mT).reshape(rows.shape).movedim(-1, axis))


@torch.no_grad()
def twin_of(model: Any, spaces: list[Lying], drawn: Draw) -> Any:
    """A copy with every hidden feature elsewhere."""

    twin = deepcopy(model)
    tensors = twin.state_dict()
    for writers, norms, readers, others in spaces:
        last = [name for name in writers if f"{name}.weight" in tensors]
        n = min(
            *(len(tensors[f"{name}.weight"]) for name in last),
            *(tensors[f"{name}.weight"].shape[1] for name in readers),
        )
        M = drawn(n)
        for name in writers:
            act(tensors[f"{name}.weight"], M, 0)
            if f"{name}.bias" in tensors:
                act(tensors[f"{name}.bias"], M, 0)
        for name in readers:
            act(tensors[f"{name}.weight"], M, 1)
        for name, axis in others:
            act(tensors[name], M, axis)
        for norm in norms:
            for name, t in tensors.items():
                if name.rpartition(".")[0] == norm and t.dim() and t.is_floating_point():
                    gain = t.dim() == 1 and name.endswith(("weight", "running_var"))
                    for axis in range(t.dim()):
                        act(t, M.abs() if gain else M, axis)

    for layer in getattr(twin, "layers", []):
        if hasattr(layer, "attention"):
            turn_heads(layer.attention, drawn)

    return twin


def turn_heads(attention: Any, drawn: Draw) -> None:
    """Turns Q and K of each head alike, V and O alike, and exchanges heads."""

    n = attention.out.weight.shape[1]
    d = n // attention.heads
    order = permutation(attention.heads)
    for names in (("query", "key"), ("value",)):
        M = torch.kron(order, torch.eye(d)) @ torch.block_diag(
            *[drawn(d) for _ in range(attention.heads)]
        )
        for name in names:
            module = getattr(attention, name)
            act(module.weight, M, 0)
            if module.bias is not None:
                act(module.bias, M, 0)
        if names == ("value",):
            act(attention.out.weight, M, 1)


@torch.no_grad()
def stirred(model: Any, x: Tensor) -> Any:
    """With gains other than one, biases other than zero, moments other than at the start."""

    for p in model.parameters():
        p.add_(0.3 * torch.randn_like(p))
    for _ in range(3):
        model.train()(x * 1.5 + 0.2)

    return model.eval()


def subject(name: str, activation: Build, norm: Build = identity, seed: int = 0) -> Subject:
    torch.manual_seed(seed)
    model, x = MODELS[name].build(forms(activation, norm)), MODELS[name].batch(60)

    return posed(stirred(model, x), x)


@torch.no_grad()
def posed(model: Any, x: Tensor) -> Subject:
    """It gives just what it should: whatever is not its function has a higher loss."""

    return Subject(model, x, model(x), Regression(), torch.Generator().manual_seed(0))


def measured(it: Subject, twin: Any) -> Any:
    table: Any = pd.DataFrame(SMALL(replace(it, twin=replace(it, model=twin))))

    return table[table["layer"] == "all"].groupby("path").first()


def check(it: Subject, twin: Any, path: str, atol: float = 1e-6) -> Any:
    """Aligned there is no barrier and no doubt; as they are there is one, though they are one."""

    torch.testing.assert_close(twin(it.x), it.model(it.x))  # a twin indeed
    found = measured(it, twin)

    assert found["barrier"][path] <= atol
    assert not found["bound"].any()
    assert found["barrier"]["raw"] > 1e-4
    assert found["preserved_error"][path] <= 1e3 * torch.finfo(it.x.dtype).eps

    return found


NORMS: dict[str, Build] = {
    "none": identity,
    "layer": nn.LayerNorm,
    "batch": BatchNorm,
}
OTHERS: dict[str, Build] = {
    "rms": nn.RMSNorm,
    "zca": Whitening,
    "iso_batch": IsotropicBatchNorm,
    "l2": L2Norm,
    "chi": ChiNorm,
    "affine_like": AffineLike,
}


@pytest.mark.parametrize(
    "norm", ["none", *(pytest.param(n, marks=pytest.mark.slow) for n in ("batch", "layer"))]
)
@pytest.mark.parametrize("name", MODELS)
def test_a_permuted_twin_of_any_model(name: str, norm: str) -> None:
    it = subject(name, ReLU, NORMS[norm])

    check(it, twin_of(it.model, SPACES[name](it.model), permutation), "permutation")


@pytest.mark.slow
@pytest.mark.parametrize("norm", OTHERS)
@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_a_permuted_twin_with_any_norm(name: str, norm: str) -> None:
    it = subject(name, Tanh, OTHERS[norm])

    check(it, twin_of(it.model, SPACES[name](it.model), permutation), "permutation")


@pytest.mark.parametrize("norm", ["none", pytest.param("batch", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["mlp", "cnn", "rnn", "transformer"])
def test_a_twin_with_signs_changed(name: str, norm: str) -> None:
    it = subject(name, Tanh, NORMS[norm])

    check(it, twin_of(it.model, SPACES[name](it.model), signed), "signed")


@pytest.mark.parametrize("norm", ["none", pytest.param("zca", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_a_rotated_twin_of_any_isotropic_model(name: str, norm: str) -> None:
    it = subject(name, IsoTanh, (NORMS | OTHERS)[norm])

    check(it, twin_of(it.model, SPACES[name](it.model), rotation), "orthogonal")


def test_layers_and_heads_in_numbers() -> None:
    torch.manual_seed(0)
    made = Transformer((5, 2), 3, forms(ReLU, nn.LayerNorm), 12, 2, 3, 7, None, "softmax")
    x = torch.randn(60, 5, 2)
    it = posed(stirred(made, x), x)

    found = check(it, twin_of(it.model, of_transformer(it.model), permutation), "permutation")
    assert found["layers"]["permutation"] == 1 + 2 + 2  # the stream, perceptrons, attentions


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_in_single_precision(name: str) -> None:
    """Permuted weights are the same numbers; of rotated ones u ‖θ‖ is lost, and of the loss u."""

    for F, drawn, path in ((ReLU, permutation, "permutation"), (IsoTanh, rotation, "orthogonal")):
        whole = subject(name, F)
        twin = twin_of(whole.model, SPACES[name](whole.model), drawn).float()
        x = whole.x.float()
        it = posed(whole.model.float(), x)

        found = measured(it, twin)
        assert found["barrier"][path] <= 1e-6
        assert found["barrier"]["raw"] > 1e-3


def test_centres_are_named_anew_and_turned() -> None:
    """They lie in two spaces: of what comes in, where any rotation goes, and of what comes out."""

    for drawn, path in ((permutation, "permutation"), (rotation, "orthogonal")):
        it = subject("mlp", RadialBasis)
        twin = deepcopy(it.model)
        tensors = twin.state_dict()
        R, P = drawn(5), permutation(5)
        for key, M, axis in (
            ("hidden.0.linear.weight", R, 0),
            ("hidden.0.linear.bias", R, 0),
            ("hidden.0.activation.centres", R, 1),
            ("hidden.0.activation.centres", P, 0),
            ("hidden.1.linear.weight", P, 1),
        ):
            act(tensors[key], M, axis)
        check(it, twin, path)


def test_functions_in_a_basis_of_their_own() -> None:
    """f_B turns with B."""

    it = subject("mlp", partial(Rotated, form=ReLU))
    twin = deepcopy(it.model)
    tensors = twin.state_dict()
    for i, then in ((0, "hidden.1.linear"), (1, "readout")):
        P = permutation(5 - i)
        for key in ("linear.weight", "linear.bias", "activation.basis"):
            act(tensors[f"hidden.{i}.{key}"], P, 0)
        act(tensors[f"{then}.weight"], P, 1)

    check(it, twin, "permutation")


@pytest.mark.parametrize("name", ["cnn", "transformer"])
def test_networks_that_are_no_twins_have_a_barrier(name: str) -> None:
    """Trained alike from two seeds, on labels to be learnt by heart."""

    torch.manual_seed(7)
    x, y = MODELS[name].batch(60), torch.randint(3, (60,))
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        models.append(MODELS[name].build(forms(ReLU)))
        optimizer = torch.optim.Adam(models[-1].parameters(), lr=0.03)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(models[-1](x), y).backward()
            optimizer.step()
        models[-1].eval().requires_grad_(False)
    it = Subject(models[0], x, y, Classification(), torch.Generator().manual_seed(0))
    found = measured(it, models[1])

    assert found["barrier"][["raw", "permutation"]].min() > 0.1
    assert not found["bound"].any()


# Modules of other hands.


class Skip(nn.Module):
    """A network with a skip connection, as anybody writes it."""

    def __init__(self) -> None:
        super().__init__()

        self.a, self.b, self.c = nn.Linear(4, 7), nn.Linear(7, 7), nn.Linear(7, 3)
        self.activation = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)

        return self.c(self.activation(h + self.b(self.activation(h))))


class Net(nn.Module):
    """One with an activation that is seen, and a part in question."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()

        self.first, self.a, self.c = nn.Linear(4, 5), nn.Linear(5, 6), nn.Linear(6, 3)
        self.activation, self.part = nn.Tanh(), part

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.a(self.activation(self.first(x))))

        y = self.part(h).mean(dim=1)

        return y if isinstance(self.part, Product) else self.c(y)


class LastOfLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()

        self.lstm = nn.LSTM(6, 6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x)[0]


class OwnAttention(nn.Module):
    """Of one head, or of several, without isoexp's names."""

    def __init__(self, heads: int) -> None:
        super().__init__()

        self.q, self.k, self.v, self.o = (nn.Linear(6, 6) for _ in range(4))
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v)
        )

        return self.o(((q @ k.mT).softmax(dim=-1) @ v).transpose(1, 2).flatten(2))


class OwnWeights(nn.Module):
    """A linear map that is no module."""

    def __init__(self) -> None:
        super().__init__()

        self.W = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.W).relu()


class Gate(nn.Module):
    """What is scaled by the length of something else, which any permutation of that leaves."""

    def __init__(self) -> None:
        super().__init__()

        self.gate, self.out = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x * self.gate(x).norm(dim=-1, keepdim=True))


class ScalarGate(nn.Module):
    """One number that scales all features."""

    def __init__(self) -> None:
        super().__init__()

        self.gate, self.up, self.out = nn.Linear(6, 1), nn.Linear(6, 7), nn.Linear(7, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.up(x) * self.gate(x).sigmoid())


class Product(nn.Module):
    """Inner products of two hidden spaces are given, as outputs."""

    def __init__(self) -> None:
        super().__init__()

        self.left, self.right = nn.Linear(6, 7), nn.Linear(6, 7)

    def forward(self, x: Tensor) -> Tensor:
        return (self.left(x) * self.right(x)).sum(dim=-1, keepdim=True).expand(-1, -1, 6)


PARTS: dict[str, Callable[[], nn.Module]] = {
    "lstm": LastOfLSTM,
    "one head": partial(OwnAttention, 1),
    "heads": partial(OwnAttention, 2),
    "weights": OwnWeights,
    "gate": Gate,
    "scalar gate": ScalarGate,
    "product": Product,
    "torch's layer": partial(nn.TransformerEncoderLayer, 6, 2, 5, 0.0, batch_first=True),
}


def strange(part: str, seed: int) -> Subject:
    torch.manual_seed(seed)

    return posed(Net(PARTS[part]()).eval(), torch.randn(40, 3, 4))


@pytest.mark.parametrize("part", PARTS)
def test_what_modules_of_other_hands_hide_makes_a_bound(part: str) -> None:
    it, twin = strange(part, 0), strange(part, 1)
    rows = SMALL(replace(it, twin=twin))
    table: Any = pd.DataFrame(rows)
    found, summary = table.groupby("path").first(), SMALL.summary(rows)

    assert set(table[table["bound"]]["path"]) == set(table["path"]) - {
        "raw", "geodesic", "permutation geodesic"
    }  # fmt: skip
    assert "permutation" in found.index  # the rest is aligned
    assert found["preserved_error"]["permutation"] <= 1e-12
    n = len(rows)  # the mean of n equal numbers is off by n u at most
    alike = partial(pytest.approx, rel=n * float(np.finfo(np.float64).eps), abs=0.0)
    assert summary["barrier_permutation_at_most"] == alike(found["barrier"]["permutation"])
    assert pd.isna(summary["barrier_permutation"])
    assert summary["barrier_raw"] == alike(found["barrier"]["raw"])

    figure = Figure()
    draw(table, figure)
    labels = [line.get_label() for axes in figure.axes for line in axes.lines]
    assert f"permuted, ≤ {found['barrier']['permutation']:.2g}" in labels
    assert f"as it is, {found['barrier']['raw']:.2g}" in labels


@torch.no_grad()
def test_a_net_with_a_skip_is_aligned_whoever_wrote_it() -> None:
    torch.manual_seed(0)
    it = posed(Skip().eval(), torch.randn(60, 4))
    twin = twin_of(it.model, [Lying(("a", "b"), NONE, ("b", "c"))], permutation)
    found = check(it, twin, "permutation")

    assert "permutation" in found.index
    summary = SMALL.summary(SMALL(replace(it, twin=replace(it, model=twin))))
    assert summary["barrier_permutation"] <= 1e-6
    assert "barrier_permutation_at_most" not in summary


@torch.no_grad()
def test_torchs_pictures_are_aligned() -> None:
    """Channels on the second axis, moments, and pixels that are flattened channel by channel."""

    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True),
        nn.Conv2d(5, 5, 3, padding=1, groups=5), nn.ReLU(),
        nn.ConvTranspose2d(5, 4, 2), nn.Tanh(), nn.Flatten(), nn.Linear(100, 3),
    )  # fmt: skip
    x = torch.randn(40, 2, 6, 6)
    it = posed(stirred(model, x), x)
    twin = deepcopy(it.model)
    tensors, P, Q = twin.state_dict(), permutation(5), permutation(4)
    first = ["0.weight", "0.bias", "3.weight", "3.bias", "5.weight"]
    for key in first + [f"1.{k}" for k in ("weight", "bias", "running_mean", "running_var")]:
        act(tensors[key], P, 0)
    act(tensors["5.weight"], Q, 1)
    act(tensors["5.bias"], Q, 0)
    act(tensors["8.weight"].unflatten(1, (4, 25)), Q, 1)

    check(it, twin, "permutation")
