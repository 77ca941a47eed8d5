"""The members of the families, found in the package: a new one is under the laws at once."""

import inspect
from collections.abc import Callable

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
    table: dict[str, Build] = {}
    for scale in ("unit", "sqrt_width"):
        for cls in members(Isotropic):
            if cls is not IsotropicOf:
                table[f"{cls.__name__}-{scale}"] = lambda n, c=cls, s=scale: c(n, scale=s)
        for sigma in PROFILES:
            table[f"{sigma.__name__}-{scale}"] = lambda n, p=sigma, s=scale: IsotropicOf(n, p, s)

    return table


ISOTROPIC = _isotropic()
ELEMENTWISE: dict[str, Build] = {cls.__name__: cls for cls in members(Elementwise)}
QUASI: dict[str, Build] = {cls.__name__: cls for cls in members(QuasiIsotropic)}
ALL: dict[str, Build] = {**ISOTROPIC, **ELEMENTWISE, **QUASI, "RadialBasis": RadialBasis}


def each(table: dict[str, Build]) -> pytest.MarkDecorator:
    """Runs a test for each member of a family, under its name."""

    return pytest.mark.parametrize("build", table.values(), ids=table.keys())
