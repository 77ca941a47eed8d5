"""The kinds of dropout, as cases to be shared, and many draws of one at once."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from isoexp.dropout import (
    CorrelatedDropout,
    Dropout,
    ElementwiseDropout,
    HaarDropout,
    IsotropicDropout,
)
from isoexp.noise import KEY, haar, uniform

ALL: list[type[Dropout]] = [
    ElementwiseDropout,
    HaarDropout,
    IsotropicDropout,
    CorrelatedDropout,
]
ISOTROPIC: list[type[Dropout]] = [HaarDropout, IsotropicDropout, CorrelatedDropout]

each = pytest.mark.parametrize("cls", ALL)
each_isotropic = pytest.mark.parametrize("cls", ISOTROPIC)


def draws(module: nn.Module, x: Tensor, count: int) -> Tensor:
    """Returns what a module makes of x in as many calls, each of a key of its own.

    A walk's basis and mask are drawn anew for each call, too, as they are after many steps.
    """

    def state(key: Tensor) -> dict[str, Tensor]:
        if not isinstance(module, CorrelatedDropout):
            return {"key": key}
        n, dtype = module.width, module.basis.dtype
        mask = (uniform(key ^ 1, (n,)) < module.keep).to(dtype)

        return {"key": key, "basis": haar(key ^ 2, n, dtype), "mask": mask}

    states = vmap(state)(torch.randint(KEY, (count,)))

    return vmap(lambda s: functional_call(module, s, (x,)))(states)


def standard_errors(samples: Tensor, mean: Tensor) -> float:
    """Returns by how many standard errors the mean of samples misses, at most."""

    off = (samples.mean(dim=0) - mean).abs()
    error = samples.std(dim=0) / len(samples) ** 0.5

    return (off / error.clamp_min(1e-12 * samples.abs().amax())).max().item()


def law(build: Callable[[], nn.Module], x: Tensor, R: Tensor, count: int) -> Tensor:
    """Returns draws of Rᵀ f(Rx), whose law is that of f(x) where f knows no basis."""

    return draws(build(), x @ R.T, count) @ R
