"""The members of the families, found in the package: a new one is under the laws at once."""

import inspect
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from isoexp.activations import (
    Activation,
    Elementwise,
    Isotropic,
    IsotropicOf,
    QuasiIsotropic,
    RadialBasis,
    Rotated,
    Tanh,
    softplus_profile,
)

Build = Callable[[int], Activation]


def members(base: type[Activation]) -> list[type[Activation]]:
    """Returns the concrete classes of the package that are a base, or stand below it."""

    found = [] if inspect.isabstract(base) else [base]
    for child in base.__subclasses__():
        found += members(child)

    return [cls for cls in found if cls.__module__.startswith("isoexp.")]


def identity(r: Tensor) -> Tensor:
    return r


PROFILES = [F.gelu, F.silu, softplus_profile, F.softsign, torch.erf, identity]


def _isotropic() -> dict[str, Build]:
    named: dict[str, Callable[..., Activation]] = {
        cls.__name__: cls for cls in members(Isotropic) if cls is not IsotropicOf
    }
    named |= {sigma.__name__: partial(IsotropicOf, profile=sigma) for sigma in PROFILES}

    return {
        f"{name}-{scale}": partial(build, scale=scale)
        for scale in ("unit", "sqrt_width")
        for name, build in named.items()
    }


ISOTROPIC = _isotropic()
ELEMENTWISE: dict[str, Build] = {cls.__name__: cls for cls in members(Elementwise)}
QUASI: dict[str, Build] = {cls.__name__: cls for cls in members(QuasiIsotropic)}
ALL: dict[str, Build] = {
    **ISOTROPIC,
    **ELEMENTWISE,
    **QUASI,
    "RadialBasis": RadialBasis,
    "Rotated": partial(Rotated, form=Tanh),
}


def each(table: dict[str, Build]) -> pytest.MarkDecorator:
    """Runs a test for each member of a family, under its name."""

    return pytest.mark.parametrize("build", table.values(), ids=table.keys())
