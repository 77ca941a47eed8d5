"""Spectra: the number of directions that vectors, or a matrix, take up.

Of singular values σ₁ ≥ σ₂ ≥ …, with p_k = σ_k / Σ σ:

    effective rank = exp( −Σ p_k ln p_k ),      participation ratio = (Σ σ_k²)² / Σ σ_k⁴.

Both are k for k equal values. Sources: Roy and Vetterli, The effective rank: a measure of
effective dimensionality (2007); the ratio is from Gao et al., A theory of multineuronal
dimensionality, dynamics and measurement (2017).
"""

__all__ = ["deviations", "effective_rank", "matrices", "participation_ratio"]

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ...geometry import eigenvalues
from ..statistics import Moments


def effective_rank(sigma: Float[Tensor, " rank"]) -> float:
    """Returns the effective rank of a matrix of these singular values; 0 if all are zero."""

    total = sigma.sum()
    if total == 0:
        return 0.0
    p = sigma / total

    return torch.special.entr(p).sum().exp().item()


def participation_ratio(sigma: Float[Tensor, " rank"]) -> float:
    """Returns the participation ratio of the squares of singular values; 0 if all are zero."""

    if not sigma.any():
        return 0.0
    share = (sigma / sigma.amax()).square()

    return (share.sum().square() / share.square().sum()).item()


def deviations(moments: Moments) -> Float[Tensor, " n"]:
    """Returns the standard deviations of vectors along their principal axes, the largest first.

    They are the singular values of the matrix of centred vectors over √count. Below 1e-8 of the
    largest they are rounding.
    """

    return eigenvalues(moments.covariance).clamp_min(0).sqrt().flip(0)


def matrices(model: nn.Module) -> Iterator[tuple[str, Float[Tensor, "out rest"]]]:
    """Yields every linear map of a network and its path, as a matrix from inputs to outputs.

    They are dense layers, convolutions, and the weights of other modules that are no vectors, as of
    recurrences, attention, embeddings.
    """

    for path, module in model.named_modules():
        weights = {k: p for k, p in module._parameters.items() if "weight" in k and p is not None}
        if isinstance(module, nn.Linear | _ConvNd):
            weights = {"weight": module.weight}  # it may be computed from what is trained
        for name, weight in weights.items():
            if weight.dim() > 1:
                W = weight.detach()
                W = W.transpose(0, 1) if isinstance(module, _ConvTransposeNd) else W
                yield f"{path}.{name}".removeprefix("."), W.flatten(1)
