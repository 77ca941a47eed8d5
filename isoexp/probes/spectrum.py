"""Spectrum: how many directions representations and weights take up, and whether layers can learn.

Of the centred activations of a layer, and of every matrix of weights: the singular values
σ₁ ≥ σ₂ ≥ …, and two numbers that are k for k equal ones. With p_k = σ_k / Σ σ:

    effective rank = exp( −Σ p_k ln p_k ),      participation ratio = (Σ σ_k²)² / Σ σ_k⁴.

Of each layer f with Jacobian J:

    gain         g(x) = ‖J(x)‖_F / √n, the root mean square of ‖J v‖ over unit vectors v
    saturation   the share of directions that f all but flattens: singular values of J below 0.1
    gradient     ‖∂L/∂h‖, of the loss L of a sample over the outputs h of the layer

Saturation generalises σ′ ≈ 0. For an elementwise function the singular values are |σ′(x_i)|, and it
is the share of saturated units. For an isotropic function they are |σ′(r)| along x and |σ(r)| / r
across: where iso_tanh is saturated in the radius alone, it is 1/n.

Sources: Roy and Vetterli, The effective rank: a measure of effective dimensionality (2007); Gao et
al., A theory of multineuronal dimensionality, dynamics and measurement (2017), for the ratio.
"""

__all__ = ["Spectrum", "deviations", "effective_rank", "matrices", "participation_ratio"]

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from ..geometry import eigenvalues, singular_values
from ..store.tables import Rows, Schema
from .arguments import check_least
from .derivatives import check_vectors, exact, gradient_norms, jacobian
from .layers import Layer
from .rows import Columns, cells
from .statistics import Moments, mean
from .subject import Over, Subject, Unsuitable

ENTRIES = 2**22
"""The most numbers in the Jacobians of a layer: 4 for 1,024 features, 16 for 512."""


@dataclass(frozen=True)
class Spectrum:
    """Measures the spectra of activations and weights, and gains and gradients of layers.

    A row a number. `of` is activations or weights; `layer` is the path of the activation or of the
    weight; `width` the largest possible rank; `index` k for the k-th singular value, else 0; `n`
    the number of vectors, samples or rows of the matrix behind it. The measures:

        singular_value        of a matrix of weights; of activations the standard deviations along
                              the principal axes
        effective_rank, participation_ratio
        dead_fraction         the share of units that give the same for all samples
        gain                  the mean over vectors
        saturated_fraction    the share of directions, over vectors
        gradient_norm         the mean over samples; absent where targets are not known

    Cost: 0.1 s for two layers of 32, and some 5 s more for each of 3,072. Two passes forward and
    one back over the samples, and the spectrum of every matrix; memory n² for a layer of n.

    Arguments:
        saturated_gain: The gain below which f is saturated in a direction.
        vectors: The largest number of vectors of a layer, drawn evenly, for its Jacobian; fewer
            for layers of more than 128 features.
    """

    saturated_gain: float = 0.1
    vectors: int = 256

    over: ClassVar[Over] = "training"
    figure: ClassVar[str] = "isoexp.figures.spectrum:draw"
    schema: ClassVar[Schema] = {
        "of": str, "layer": str, "width": int, "measure": str, "index": int, "value": float,
        "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        if not self.saturated_gain >= 1e-6:  # its square is compared with rounding
            raise ValueError(f"saturated_gain must be at least 1e-6, got {self.saturated_gain:g}")
        check_least(self, vectors=1)

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        moments: dict[str, Moments] = {}
        for pairs in subject.stream():
            for name, pair in pairs.items():
                moments.setdefault(name, Moments()).add(pair.outputs)
        if min(each.count for each in moments.values()) < 2:
            raise Unsuitable("there must be two samples at least: one vector has no spread")
        seen = subject.vectors(self.vectors)
        known = subject.y is not None and subject.objective is not None
        gradients = gradient_norms(subject) if known else {}

        rows = Columns(self.schema)
        for name, layer in subject.layers.items():
            sigma, n = deviations(moments[name]), moments[name].count
            add = partial(rows.add, of="activations", layer=name, width=len(sigma), index=0)
            _add_ranks(add, sigma, n)
            spread = moments[name].high - moments[name].low
            dead = torch.where(spread.isnan(), nan, (spread == 0).double())
            add(measure="dead_fraction", value=dead.mean(), n=n)

            x, y = seen[name]
            every = -(-len(x) // max(1, ENTRIES // x.shape[1] ** 2))
            check_vectors(layer, x, y)
            f, x = exact(layer, x[::every])
            gain, saturated = self._stretch(f, x)
            add(measure="gain", value=gain, n=len(x))
            add(measure="saturated_fraction", value=saturated, n=len(x))
            if known:
                add(measure="gradient_norm", value=gradients[name], n=len(subject.x))

        for name, W in matrices(subject.model):
            sigma = singular_values(W.cpu().double())
            add = partial(rows.add, of="weights", layer=name, width=len(sigma), index=0)
            _add_ranks(add, sigma, len(W))

        return rows

    def _stretch(self, f: Layer, x: Float[Tensor, "vectors n"]) -> tuple[Tensor, Tensor]:
        """Returns the gain and the saturation, from the eigenvalues of JᵀJ."""

        J = jacobian(f, x).cpu().double()
        squares = eigenvalues(J.mT @ J)
        flat = torch.where(squares.isnan(), nan, (squares < self.saturated_gain**2).double())

        return squares.mean(dim=-1).clamp_min(0).sqrt().nanmean(), flat.nanmean()

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns means over layers, and the first layer's gradient over the last layer's."""

        found = {
            name: cells(rows, "value", of="activations", measure=name)
            for name in ("effective_rank", "dead_fraction", "saturated_fraction", "gradient_norm")
        }
        norms = found.pop("gradient_norm")

        return {
            **{name: mean(values) for name, values in found.items()},
            "gradient_ratio": norms[0] / norms[-1] if norms and norms[-1] > 0 else nan,
        }


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


def _add_ranks(add: Callable[..., None], sigma: Float[Tensor, " rank"], n: int) -> None:
    for k, value in enumerate(sigma.tolist(), start=1):
        add(measure="singular_value", index=k, value=value, n=n)
    add(measure="effective_rank", value=effective_rank(sigma), n=n)
    add(measure="participation_ratio", value=participation_ratio(sigma), n=n)
