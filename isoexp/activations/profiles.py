"""Profiles for isotropic(profile=…) that need care near r = 0."""

__all__ = ["softplus_profile"]

import torch
from jaxtyping import Float
from torch import Tensor


def softplus_profile(r: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Returns log(1 + e^r) − log 2, softplus minus its value at 0.

    Computed as r + log1p( (e^−r − 1) / 2 ), which keeps every digit of the small values that the
    plain difference loses.
    """

    return r + torch.log1p(torch.expm1(-r) / 2)
