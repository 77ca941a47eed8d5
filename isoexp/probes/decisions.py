"""Decisions: whether a network decides otherwise than the linear map of its weights would.

Let L = W_L … W_1. An isotropic function multiplies a vector by a number, σ(r)/r. Without biases the
logits are therefore

    y(x) = s(x) L x,    s(x) = ∏ᵢ σᵢ(rᵢ) / rᵢ,                          (from Bird 2025, Eqn 11)

and, where s > 0, the class of x is that of the linear classifier L: depth and functions do nothing
for it. Where s = 0, as inside the ball of iso_relu, there is no decision; s < 0 takes negative
profiles (iso_sinusoid with λ > 4.6 or λ < −1). Biases, and functions applied coordinate by
coordinate, leave y no multiple of L x: they are the controls.
"""

__all__ = ["Decisions", "linear_part"]

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ..geometry import angle
from ..store.tables import Rows, Schema
from .compression import linear_maps, unrolled
from .derivatives import exact
from .layers import Layer
from .rows import Columns
from .subject import Over, Subject, Unsuitable, in_batches


@dataclass(frozen=True)
class Decisions:
    """Compares the outputs of a classifier with those of the product of its weights, in float64.

    A row a number, `what`, with its `value`:

        accuracy            the share of samples that the network puts into their class
        linear_accuracy     the same for L; both are absent where targets are not known
        agreement           the share of decided samples that both put into the same class
        undecided           the share of samples whose y or L x is zero, or not finite
        angle_mean_rad      the angle between y and L x, the mean over decided samples
        angle_max_rad       the largest

    n is the number of samples behind a value.

    Cost: 0.01 s on the default network; one pass over the samples.
    """

    over: ClassVar[Over] = "ends"
    figure: ClassVar[str] = "isoexp.figures.decisions:draw"
    schema: ClassVar[Schema] = {"what": str, "value": float, "n": int}

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        junctions, row = unrolled(subject)
        maps = linear_maps(row)
        score = getattr(subject.objective, "score", "accuracy")
        if maps[-1].out_features < 2 or score != "accuracy":
            raise Unsuitable(
                "the network must be a classifier of two classes at least: a decision is the "
                "largest of several logits"
            )

        x = subject.x.flatten(1)
        y = in_batches(partial(_outputs, maps, [each.layer for each in junctions]), x)
        linear = x.cpu().double() @ linear_part(maps).mT
        theta = angle(y, linear)
        decided = ~theta.isnan()
        same, theta = (y.argmax(dim=-1) == linear.argmax(dim=-1))[decided], theta[decided]

        rows = Columns(self.schema)
        if subject.y is not None and subject.objective is not None:
            known = subject.x.cpu()[None], subject.y.cpu()[None]
            for what, logits in {"accuracy": y, "linear_accuracy": linear}.items():
                accuracy = subject.objective.scores(logits[None], *known).mean()
                rows.add(what=what, value=accuracy, n=len(x))
        rows.add(what="agreement", value=same.double().mean(), n=len(same))
        rows.add(what="undecided", value=(~decided).double().mean(), n=len(x))
        rows.add(what="angle_mean_rad", value=theta.mean(), n=len(theta))
        rows.add(what="angle_max_rad", value=theta.max() if len(theta) else nan, n=len(theta))

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the agreement, the largest angle, and both accuracies."""

        value = dict(zip(rows["what"], rows["value"], strict=True))
        names = ("agreement", "angle_max_rad", "accuracy", "linear_accuracy")

        return {name: value.get(name, nan) for name in names}


def linear_part(maps: Sequence[nn.Linear]) -> Float[Tensor, "outputs inputs"]:
    """Returns L = W_L … W_1, in float64 on the CPU."""

    L = torch.eye(maps[0].in_features, dtype=torch.float64)
    for A in maps:
        L = A.weight.cpu().double() @ L

    return L


def _outputs(
    maps: Sequence[nn.Linear], functions: Sequence[Layer], x: Shaped[Tensor, "samples n"]
) -> Float[Tensor, "samples outputs"]:
    """Returns W_L h_{L−1} + b_L, with h_i = f_i(W_i h_{i−1} + b_i), in float64 on the CPU."""

    h = _affine(maps[0], x.cpu().double())
    for layer, A in zip(functions, maps[1:], strict=True):
        f, z = exact(layer, h)
        h = _affine(A, f(z))

    return h


def _affine(A: nn.Linear, h: Float[Tensor, "samples n"]) -> Float[Tensor, "samples m"]:
    y = h @ A.weight.cpu().double().mT

    return y if A.bias is None else y + A.bias.cpu().double()
