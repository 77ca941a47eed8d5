"""Tests in a python of their own, which test_unhooked starts: no shapes are checked here.

The hook that checks shapes breaks torch.compile, and answers a wrong word before we can.
"""

import copy

import pytest
import torch
from torch import Tensor, nn

from isoexp.activations import (
    IsoHardThreshold,
    IsoSmoothReLU,
    IsoTanh,
    NormalizedQuasiIsotropic,
    QuasiIsotropic,
    RadialBasis,
)
from isoexp.data import XOR, Teacher
from isoexp.ensemble import Ensemble

from .activations.families import Build

# One of each way that ours are computed, for time. (The compiled erf of PyTorch is no profile: it
# is exact to 1e-7 of one, not of itself, and so has no slope at 0.)
COMPILED: dict[str, Build] = {
    "iso_tanh": IsoTanh,
    "threshold": lambda n: IsoHardThreshold(n, scale="sqrt_width"),
    "smooth": IsoSmoothReLU,
    "quasi": lambda n: NormalizedQuasiIsotropic(n, learn_alpha=True),
    "radial": RadialBasis,
}


class Everything(nn.Module):
    """Activations side by side, on what one layer gives."""

    def __init__(self) -> None:
        super().__init__()

        self.linear = nn.Linear(6, 6)
        self.activations = nn.ModuleList(build(6) for build in COMPILED.values())

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


@pytest.mark.parametrize("cls", [IsoTanh, QuasiIsotropic, RadialBasis])
def test_a_scale_is_one_of_two(cls) -> None:
    with pytest.raises(ValueError, match="scale must be unit or sqrt_width, got width"):
        cls(4, scale="width")


def test_words_of_generated_sets_are_known() -> None:
    with pytest.raises(ValueError, match="basis must be standard or random, got odd"):
        XOR(basis="odd")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="form must be elementwise or isotropic, got odd"):
        Teacher(form="odd")  # pyright: ignore[reportArgumentType]
