"""Trainings of small networks as one and alone, as cases to be shared."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, Rprop

from isoexp.activations import (
    ELU,
    Activation,
    IsoReLU,
    IsoSinusoid,
    IsoSmoothReLU,
    IsoTanh,
    NormalizedQuasiIsotropic,
    QuasiIsotropic,
    RadialBasis,
    ReLU,
    Tanh,
)
from isoexp.ensemble import Ensemble
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.optimizers import (
    ClipNorm,
    ClipValue,
    Cosine,
    IsotropicAdam,
    NoClip,
    Shampoo,
    SignSGD,
)
from isoexp.optimizers import Muon as IsotropicMuon
from isoexp.optimizers import NormalizedSGD as NormalizedMomentum
from isoexp.streams import seeded
from isoexp.training import Classification, Step, batches, fit

SEEDS = [0, 1, 2]
STEPS = 12
HALF = 7
"""Where trainings are cut: in the midst of an epoch of four updates, and of the three for which
Shampoo keeps its roots."""
BATCH = 16  # of 50 samples: the last batch of an epoch has 2


def identity(n: int) -> nn.Module:
    return nn.Identity()


learnt = partial(QuasiIsotropic, learn_alpha=True)
"""An activation with a parameter of no axis, which an ensemble stacks into one of one axis."""


class NormalizedSGD(Optimizer):
    """p ← p − lr g / ‖g‖: it mixes the coordinates of a tensor, and remembers how often."""

    def __init__(self, params, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].setdefault("calls", torch.zeros(()))
                self.state[p]["calls"] += 1
                p -= group["lr"] / self.state[p]["calls"].sqrt() * p.grad / p.grad.norm()


class Counting(NormalizedSGD):
    """It counts updates once for a group of parameters, as optimizers from elsewhere do."""

    @torch.no_grad()
    def step(self, closure=None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            group["updates"] = group.get("updates", 0) + 1
            for p in group["params"]:
                self.state[p]["last"] = p.grad.clone()
                p -= group["lr"] / group["updates"] * p.grad


class Case(NamedTuple):
    activation: Callable[[int], Activation] = IsoTanh
    norm: Callable[[int], nn.Module] = identity
    optimizer: Callable[[Any], Optimizer] = partial(Adam, lr=1e-2)
    clip: Callable[[Sequence[Tensor]], Tensor | None] = NoClip()
    bias: bool = True


CASES = {
    "iso_tanh": Case(),
    "tanh-layer-adamw-norm": Case(Tanh, nn.LayerNorm, partial(AdamW, lr=1e-2), ClipNorm(0.1)),
    "iso_relu-rms-value": Case(IsoReLU, nn.RMSNorm, clip=ClipValue(0.01)),
    "relu-momentum-norm": Case(
        ReLU, optimizer=partial(SGD, lr=0.1, momentum=0.9), clip=ClipNorm(0.5)
    ),
    "sinusoid-nesterov": Case(
        IsoSinusoid,
        nn.RMSNorm,
        partial(SGD, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-2),
    ),
    "elu-layer": Case(ELU, nn.LayerNorm),
    "smooth-sgd": Case(IsoSmoothReLU, optimizer=partial(SGD, lr=0.5)),
    "quasi": Case(NormalizedQuasiIsotropic),
    "learnt-norm": Case(learnt, clip=ClipNorm(0.3)),
    "radial": Case(partial(RadialBasis, centres=5)),
    "mixing": Case(optimizer=NormalizedSGD, clip=ClipNorm(0.1)),
    "mixing-learnt": Case(learnt, nn.LayerNorm, NormalizedSGD),
    # Its running moments are buffers. It takes biases out again: their gradient is rounding alone,
    # which Adam would blow up.
    "batch": Case(norm=nn.BatchNorm1d, optimizer=partial(SGD, lr=0.1)),
    "rprop": Case(optimizer=partial(Rprop, lr=1e-3)),
    "sign": Case(optimizer=partial(SignSGD, lr=1e-3), clip=ClipNorm(0.1)),
    "normalized-learnt": Case(learnt, optimizer=partial(NormalizedMomentum, lr=1e-2)),
    "iso_adam-learnt": Case(learnt, optimizer=partial(IsotropicAdam, lr=1e-2, weight_decay=0.1)),
    "iso_adam_vector": Case(
        norm=nn.LayerNorm, optimizer=partial(IsotropicAdam, lr=1e-2, per="vector")
    ),
    "muon-learnt": Case(learnt, nn.LayerNorm, partial(IsotropicMuon, lr=1e-2), ClipNorm(0.1)),
    "shampoo-learnt": Case(learnt, optimizer=partial(Shampoo, every=3), clip=ClipNorm(0.1)),
    "counting": Case(optimizer=Counting),
}

each = pytest.mark.parametrize("name", CASES)


def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(50, 6, generator=generator)

    return x, torch.randint(3, (50,), generator=generator)


def networks(case: Case, seeds: Sequence[int]) -> list[nn.Module]:
    """Returns the untrained network of each seed."""

    made: list[nn.Module] = []
    for seed in seeds:
        with seeded(seed, "weights"):
            bias = case.bias
            made.append(
                MLP((6,), 3, Forms(case.activation, case.norm, Default()), [8, 7], bias=bias)
            )

    return made


def train(
    case: Case,
    ensemble: Ensemble,
    optimizers: list[Optimizer],
    seeds: Sequence[int],
    start: int = 0,
    end: int = STEPS,
) -> list[Step]:
    """Makes the updates start + 1 … end of a training of 12 in all."""

    order = batches(*samples(), seeds, BATCH, end, start)

    return list(
        fit(ensemble, order, optimizers, Classification(), Cosine(), case.clip, STEPS, start)
    )


def trained(case: Case, seeds: Sequence[int]) -> tuple[Ensemble, list[Step]]:
    ensemble = Ensemble(networks(case, seeds))

    return ensemble, train(case, ensemble, ensemble.optimizers(case.optimizer), seeds)


@cache
def outcome(name: str, *seeds: int) -> tuple[list[dict[str, Tensor]], list[Step]]:
    """Returns the last state of each network, and the steps; to be looked at only."""

    ensemble, steps = trained(CASES[name], seeds)

    return [ensemble.state(k) for k in range(len(seeds))], steps
