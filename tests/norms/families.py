"""The normalisers, as cases to be shared."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
from torch import Tensor, nn

from isoexp.norms import AffineLike, BatchNorm, ChiNorm, IsotropicBatchNorm, L2Norm, Whitening

Build = Callable[[int], nn.Module]


def random_affine(n: int) -> AffineLike:
    """An affine-like norm somewhere in its training."""

    norm = AffineLike(n)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)

    return norm


def random_gain(build: Callable[[int], nn.Module]) -> Build:
    """Returns a builder of norms whose gain, one a coordinate, is not 1."""

    def built(n: int) -> nn.Module:
        norm = build(n)
        nn.init.uniform_(norm.get_parameter("weight"), 0.5, 1.5)

        return norm

    return built


ISOTROPIC: dict[str, Build] = {
    "l2": L2Norm,
    "chi": ChiNorm,
    "iso_batch": IsotropicBatchNorm,
    "zca": Whitening,
    "rms": partial(nn.RMSNorm, elementwise_affine=False),
    "affine_like": random_affine,
}
"""Those that commute with rotations, of their weights too if they have some."""

ANISOTROPIC: dict[str, Build] = {
    "layer": partial(nn.LayerNorm, elementwise_affine=False),
    "batch": partial(BatchNorm, affine=False),
    "rms_gain": random_gain(nn.RMSNorm),
    "batch_gain": random_gain(BatchNorm),
}
"""The controls."""

VECTOR = {name: ISOTROPIC[name] for name in ("l2", "affine_like")}
"""Ours that look at each vector by itself."""

BATCH: dict[str, Build] = {
    "iso_batch": IsotropicBatchNorm,
    "zca": Whitening,
    "batch": BatchNorm,
}
"""Ours that have a mean and a variance, and so need two vectors."""

OURS = {**VECTOR, **BATCH, "chi": ChiNorm}


def turned(norm: nn.Module, R: Tensor) -> nn.Module:
    """Returns a copy whose weights, if they are vectors of the layer's features, are rotated."""

    copy = deepcopy(norm)
    if isinstance(norm, AffineLike) and isinstance(copy, AffineLike):
        with torch.no_grad():
            copy.weight.copy_(R @ norm.weight @ R.T)
            copy.bias.copy_(R @ norm.bias)

    return copy
