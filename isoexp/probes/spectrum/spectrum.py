"""Spectrum: how many directions representations and weights take up, and whether layers can learn.

Of the centred activations of a layer, and of every matrix of weights: the singular values, the
effective rank and the participation ratio (spectra.py). Of each layer f with Jacobian J:

    gain         g(x) = ‖J(x)‖_F / √n, the root mean square of ‖J v‖ over unit vectors v
    saturation   the share of directions that f all but flattens: singular values of J below 0.1
    gradient     ‖∂L/∂h‖, what reaches the layer of the loss L of a sample

Saturation asks of any function what σ′ ≈ 0 asks of an elementwise one. There the singular values
are |σ′(x_i)|, and it is the share of saturated units. Those of an isotropic function are |σ′(r)|
along x and |σ(r)| / r across: where iso_tanh is saturated in the radius alone, it is 1/n.
"""

__all__ = ["Spectrum"]

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import nan
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...geometry import eigenvalues, singular_values
from ...store.tables import Rows, Schema
from ..jacobian import exact, jacobian
from ..layers import Layer
from ..moments import Moments
from ..subject import Subject, Unsuitable
from .backward import gradient_norms
from .spectra import deviations, effective_rank, matrices, participation_ratio

ENTRIES = 2**22
"""The most numbers that the Jacobians of a layer are held in: 4 of 1,024 features, 16 of 512."""

Measured = tuple[str, int, float]
"""A measure, an index and a value."""


@dataclass(frozen=True)
class Spectrum:
    """Measures the spectra of activations and weights, and gains and gradients of layers.

    A row a number. `of` is activations or weights; `layer` is the path of the activation or of the
    weight; `width` the largest rank there could be; `index` k for the k-th singular value, else 0;
    `n` how many vectors, samples or rows of the matrix it rests on. The measures:

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
        vectors: The largest number of vectors of a layer, drawn evenly, at which its Jacobian is
            taken; there are fewer of layers of more than 128 features.
    """

    saturated_gain: float = 0.1
    vectors: int = 256

    over: ClassVar[Literal["training", "ends", "trained"]] = "training"
    needs: ClassVar[frozenset[str]] = frozenset()
    schema: ClassVar[Schema] = {
        "of": str,
        "layer": str,
        "width": int,
        "measure": str,
        "index": int,
        "value": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if not self.saturated_gain >= 1e-6:  # its square is compared with rounding
            raise ValueError(f"saturated_gain must be at least 1e-6, got {self.saturated_gain:g}")
        if self.vectors < 1:
            raise ValueError(f"vectors must be at least 1, got {self.vectors}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        rows: Rows = {name: [] for name in self.schema}

        moments: dict[str, Moments] = {}
        for pairs in subject.stream():
            for name, pair in pairs.items():
                moments.setdefault(name, Moments()).add(pair.outputs)
        if min(each.count for each in moments.values()) < 2:
            raise Unsuitable("there must be two samples at least: one vector has no spread")
        seen = subject.vectors(self.vectors)
        known = subject.y is not None and subject.objective is not None
        gradients = gradient_norms(subject) if known else {}

        for name, layer in subject.layers.items():
            sigma, n = deviations(moments[name]), moments[name].count
            _append(rows, "activations", name, len(sigma), _ranks(sigma), n)
            constant = moments[name].low == moments[name].high
            dead = [("dead_fraction", 0, constant.double().mean().item())]
            _append(rows, "activations", name, len(sigma), dead, n)

            f, x = exact(layer, _some(seen[name].inputs))
            _append(rows, "activations", name, len(sigma), self._stretch(f, x), len(x))
            if known:
                norm = [("gradient_norm", 0, gradients[name])]
                _append(rows, "activations", name, len(sigma), norm, len(subject.x))

        for name, W in matrices(subject.model):
            sigma = singular_values(W.cpu().double())
            _append(rows, "weights", name, len(sigma), _ranks(sigma), len(W))

        return rows

    def _stretch(self, f: Layer, x: Float[Tensor, "vectors n"]) -> Iterator[Measured]:
        """Yields the gain and the saturation, from the eigenvalues of JᵀJ."""

        J = jacobian(f, x).cpu().double()
        squares = eigenvalues(J.mT @ J)
        flat = torch.where(squares.isnan(), nan, (squares < self.saturated_gain**2).double())

        yield "gain", 0, squares.mean(dim=-1).clamp_min(0).sqrt().nanmean().item()
        yield "saturated_fraction", 0, flat.nanmean().item()

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns means over layers, and the first layer's gradient over the last layer's."""

        found: dict[str, list[float]] = {}
        columns = (rows[name] for name in ("of", "measure", "value"))
        for of, measure, value in zip(*columns, strict=True):
            if of == "activations":
                found.setdefault(measure, []).append(value)

        means = ("effective_rank", "dead_fraction", "saturated_fraction")
        norms = found.get("gradient_norm", [])

        return {
            **{name: sum(found[name]) / len(found[name]) for name in means},
            "gradient_ratio": norms[0] / norms[-1] if norms and norms[-1] > 0 else nan,
        }


def _some(x: Float[Tensor, "vectors n"]) -> Float[Tensor, "some n"]:
    """Returns vectors, evenly spaced among these, whose Jacobians are no more than ENTRIES."""

    most = max(1, ENTRIES // x.shape[1] ** 2)

    return x[:: -(-len(x) // most)]


def _ranks(sigma: Float[Tensor, " rank"]) -> Iterator[Measured]:
    for k, value in enumerate(sigma.tolist(), start=1):
        yield "singular_value", k, value
    yield "effective_rank", 0, effective_rank(sigma)
    yield "participation_ratio", 0, participation_ratio(sigma)


def _append(
    rows: Rows, of: str, layer: str, width: int, measured: Iterable[Measured], n: int
) -> None:
    for measure, index, value in measured:
        for column, entry in zip(rows, (of, layer, width, measure, index, value, n), strict=True):
            rows[column].append(entry)
