"""Tests in a python of their own, which test_unhooked starts: no shapes are checked here.

The hook that checks shapes breaks torch.compile, and answers a wrong word before we can.
"""

import copy
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.func import vmap

from isoexp.activations import (
    IsoHardThreshold,
    IsoSmoothReLU,
    IsoTanh,
    NormalizedQuasiIsotropic,
    QuasiIsotropic,
    RadialBasis,
    Tanh,
)
from isoexp.data import XOR, Teacher
from isoexp.dropout import (
    CorrelatedDropout,
    ElementwiseDropout,
    HaarDropout,
    IsotropicDropout,
)
from isoexp.ensemble import Ensemble
from isoexp.models import CNN, MLP, Transformer
from isoexp.models.blocks import Build, Forms
from isoexp.noise import KEY, uniform
from isoexp.norms import BatchNorm, ChiNorm
from isoexp.stochastic import Stochastic

from .experiment.runs import TINY, left, run
from .models.tiny import MODELS, Tiny, forms, identity

# Where a fused kernel may round apart: at the origin, and in a table. (The compiled erf of PyTorch
# is no profile: exact to 1e-7 of one, not of itself, it has no slope at 0.)
COMPILED: dict[str, Build] = {"iso_tanh": IsoTanh, "smooth": IsoSmoothReLU}

TRACED: dict[str, Build] = {
    "threshold": lambda n: IsoHardThreshold(n, scale="sqrt_width"),
    "quasi": lambda n: NormalizedQuasiIsotropic(n, learn_alpha=True),
    "radial": RadialBasis,
}
"""The other ways that ours are computed, traced but not compiled, for time."""


class Everything(nn.Module):
    """Activations side by side, on what one layer gives."""

    def __init__(self, builds: dict[str, Build] = COMPILED) -> None:
        super().__init__()

        self.linear = nn.Linear(6, 6)
        self.activations = nn.ModuleList(build(6) for build in builds.values())

    def forward(self, x: Tensor) -> Tensor:
        h = self.linear(x)

        return torch.stack([f(h) for f in self.activations], dim=1)


def test_compiled_networks_give_the_same_numbers() -> None:
    """Batched by vmap and compiled: values and gradients, at the origin too."""

    torch.manual_seed(0)
    members = [Everything() for _ in range(2)]
    for member in members:
        nn.init.zeros_(member.linear.bias)
    plain, compiled = (
        Ensemble(copy.deepcopy(members), compile=compile) for compile in (False, True)
    )

    x = torch.randn(2, 12, 6) * torch.logspace(-6, 2, 12)[:, None]
    x[:, 0] = 0
    weights = torch.randn(len(COMPILED), 6)
    outputs = []
    for ensemble in (plain, compiled):
        y = ensemble(x)
        (y * weights).sum().backward()
        outputs.append(y.detach())

    # A fused kernel rounds elsewhere: some eps of a value, and of what it is a function of.
    eps = torch.finfo(torch.float32).eps
    for i, name in enumerate(COMPILED):
        off = (outputs[0][:, :, i] - outputs[1][:, :, i]).abs()
        allowed = 32 * eps * (outputs[0][:, :, i].abs() + x.norm(dim=-1, keepdim=True).clamp_max(1))
        assert (off <= allowed).all(), f"{name} is off by {(off / allowed).max():.1f} of its due"
    for a, b in zip(plain.gradients(), compiled.gradients(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * a.abs().max().item())


def test_compiled_noise_has_the_same_bits() -> None:
    draw = vmap(partial(uniform, shape=(9,)))
    keys = torch.tensor([0, 1 << 32, KEY])

    assert torch.equal(torch.compile(draw)(keys), draw(keys))


DROPOUTS: list[Build] = [
    partial(ElementwiseDropout, keep=0.6),
    partial(IsotropicDropout, keep=0.6),
    partial(HaarDropout, keep=0.6),
    partial(CorrelatedDropout, keep=0.6, overlap=0.3, step=0.3),
]


def every_dropout(n: int) -> nn.Module:
    return nn.Sequential(*(build(n) for build in DROPOUTS))


def others(inputs: object, outputs: object, forms: Forms, bias: bool) -> nn.Module:
    return Everything(TRACED)


ONE_LAYER = Tiny(partial(MLP, widths=[5]), (6,), 3)


ONE_STAGE = Tiny(partial(CNN, widths=[4], blocks=1), (2, 5, 4), 3)

NETWORKS: dict[str, tuple[Tiny, Forms]] = {
    "others": (Tiny(others, (6,), (3, 6)), forms()),
    "mlp": (ONE_LAYER, forms(partial(Stochastic, form=Tanh), ChiNorm, dropout=every_dropout)),
    "alone": (ONE_LAYER, forms(IsoTanh, identity, dropout=DROPOUTS[0])),
    "cnn": (ONE_STAGE, forms(IsoTanh, BatchNorm)),
    "rnn": (MODELS["rnn-each"]._replace(inputs=(2,), outputs=(2, 3)), forms(Tanh, BatchNorm)),
    "softmax": (MODELS["transformer"], forms(Tanh, nn.RMSNorm)),
    "iso_tanh": (MODELS["transformer-each"], forms(IsoTanh, nn.LayerNorm)),
}


@pytest.mark.parametrize(
    ("name", "members"), [(name, 1 if name == "alone" else 2) for name in NETWORKS]
)
def test_traced_networks_are_the_same(
    name: str, members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs, what is observed, gradients, keys and running moments, at two updates in a row.

    Traced and run by PyTorch's own kernels, whose numbers are equal: compiling takes its time.
    """

    torch._dynamo.reset()  # it compiles one line of code for eight ensembles, and no more
    torch.manual_seed(0)
    tiny, form = NETWORKS[name]
    networks = [tiny.build(form) for _ in range(members)]
    plain = Ensemble(copy.deepcopy(networks), observe=True)
    monkeypatch.setattr(
        torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True)
    )
    traced = Ensemble(copy.deepcopy(networks), compile=True, observe=True)

    for update in range(2):
        x, found = torch.randn(members, 7, *tiny.inputs), []
        for ensemble in (plain, traced):
            ensemble.train()
            ensemble.zero_grad()
            ensemble.seed_noise(list(range(update, update + members)))
            y = ensemble(x)
            seen = list(ensemble.activations)
            (y.square().sum() + sum(h.square().sum() for h in seen)).backward()
            found.append([y, *seen, *ensemble.gradients(), *ensemble.buffers.values()])

        assert len(found[0]) == len(found[1])
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_compiled_runs_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of compile=true, traced as above."""

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True)
    )
    words = [*TINY, "steps=4", "probe=none", "seeds=2", "precision=float64", "model.widths=[8]"]
    run(*words, "out=plain")
    run(*words, "compile=true", "out=compiled")

    (a, _), (b, _) = left(Path("plain")), left(Path("compiled"))
    pd.testing.assert_frame_equal(a, b, rtol=1e-9)


def test_attention_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="attention must be one of softmax, iso_tanh, got odd"):
        Transformer(
            (4, 2),
            3,
            forms(),
            width=6,
            depth=1,
            heads=2,
            hidden=5,
            patch=1,
            attention="odd",  # pyright: ignore[reportArgumentType]
        )


@pytest.mark.parametrize("cls", [IsoTanh, QuasiIsotropic, RadialBasis])
def test_a_scale_is_one_of_two(cls) -> None:
    with pytest.raises(ValueError, match="scale must be unit or sqrt_width, got width"):
        cls(4, scale="width")


def test_words_of_generated_sets_are_known() -> None:
    with pytest.raises(ValueError, match="basis must be standard or random, got odd"):
        XOR(basis="odd")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="form must be elementwise or isotropic, got odd"):
        Teacher(form="odd")  # pyright: ignore[reportArgumentType]
