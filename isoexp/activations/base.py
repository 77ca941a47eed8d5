"""The contract between activations and the rest of the house."""

__all__ = ["Activation", "Profile", "Scale", "activations_of", "scale_of", "vanishing"]

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules import activation as torchs

Profile = Callable[[Tensor], Tensor]
"""A function σ of radii r > 0, elementwise."""

Scale = Literal["unit", "sqrt_width"]
"""The unit of length for radii: 1, or √n."""

ATTENTION = ("MultiheadAttention", "Softmax", "Softmax2d", "Softmin", "LogSoftmax")
"""Names in torch.nn.modules.activation that are no activation functions."""

TORCHS = tuple(getattr(torchs, name) for name in torchs.__all__ if name not in ATTENTION)


NAMED = re.compile(r"(\w+_)?act(ivation)?(_fn|_function)?\d*")
"""What models call their activations."""


class Activation(nn.Module, ABC):
    """Abstract map of a layer's n = width ≥ 1 features, along the last axis."""

    def __init__(self, width: int) -> None:
        super().__init__()

        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")

        self.width = width

    @property
    def out_width(self) -> int:
        """The number of features that come out; n again, except for radial basis functions."""

        return self.width

    def extra_repr(self) -> str:
        return f"{self.width}"

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]: ...


def activations_of(model: nn.Module) -> dict[str, nn.Module]:
    """Returns the activations of a network by their path in it, from input to output.

    They are the instances of Activation, torch's own (torch.nn.ReLU), and whatever a model keeps by
    the name `activation` or `act`, as of transformers (act_fn, intermediate_act_fn) and timm (act1)
    too; modules inside one of them are not listed.
    """

    found: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        inside = any(not outer or path.startswith(f"{outer}.") for outer in found)
        named = NAMED.fullmatch(path.rpartition(".")[2]) is not None
        if not inside and (named or isinstance(module, (Activation, *TORCHS))):
            found[path] = module

    return found


def scale_of(scale: Scale, width: int) -> float:
    """Returns the length in which radii are measured: 1, or √n, the typical norm of N(0, I_n)."""

    if scale not in ("unit", "sqrt_width"):
        raise ValueError(f"scale must be unit or sqrt_width, got {scale}")

    return 1.0 if scale == "unit" else width**0.5


def vanishing(profile: Profile) -> Profile:
    """Returns the profile σ it is given; raises ValueError unless σ(0) = 0."""

    at_zero = profile(torch.zeros(1, 1)).item()
    if at_zero != 0:
        raise ValueError(
            f"the profile must vanish at r = 0, got σ(0) = {at_zero:g}: f would tear at the "
            "origin; subtract σ(0) from it"
        )

    return profile
