"""Decisions: whether a network decides otherwise than the linear map of its weights would.

Let L = W_L … W_1. An isotropic function multiplies a vector by a number, σ(r)/r. Without biases the
logits are therefore

    y(x) = s(x) L x,    s(x) = ∏ᵢ σᵢ(rᵢ) / rᵢ,                          (from Bird 2025, Eqn 11)

and, where s > 0, the class of x is that of the linear classifier L: depth and functions do nothing
for it. Where s = 0, as inside the ball of iso_relu, there is no decision; s < 0 takes a profile of
negative values (iso_sinusoid with λ > 4.6 or λ < −1). Biases, and functions applied coordinate by
coordinate, leave y no multiple of L x: they are the controls.
"""

__all__ = ["Decisions"]

from dataclasses import dataclass
from math import nan
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...geometry import angle
from ...store.tables import Rows, Schema
from ..compression.reduction import linear_maps, unrolled
from ..subject import Subject, Unsuitable
from .linear import chain_outputs, linear_part


@dataclass(frozen=True)
class Decisions:
    """Compares the outputs of a classifier with those of the product of its weights, in float64.

    A row a number, `what`, with its `value`:

        accuracy            the share of samples of which the network says the class that they have
        linear_accuracy     the same of L; both are absent where targets are not known
        agreement           the share of decided samples that both say the same class of
        undecided           the share of samples of which y or L x is zero, or not finite
        angle_mean_rad      the angle between y and L x, the mean over decided samples
        angle_max_rad       the largest

    n is how many samples it rests on.

    Cost: 0.01 s on the default network; one pass over the samples.
    """

    over: ClassVar[Literal["training", "ends", "trained"]] = "ends"
    needs: ClassVar[frozenset[str]] = frozenset()
    schema: ClassVar[Schema] = {"what": str, "value": float, "n": int}

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        junctions, row = unrolled(subject)
        maps = linear_maps(row)
        if (
            maps[-1].out_features < 2
            or getattr(subject.objective, "score", "accuracy") != "accuracy"
        ):
            raise Unsuitable(
                "the network must be a classifier of two classes at least: a decision is the "
                "largest of several logits"
            )

        x = subject.x.flatten(1)
        y = chain_outputs(maps, [each.layer for each in junctions], x)
        linear = x.cpu().double() @ linear_part(maps).mT
        theta = angle(y, linear)
        decided = ~theta.isnan()
        same, theta = (y.argmax(dim=-1) == linear.argmax(dim=-1))[decided], theta[decided]

        found = [
            ("accuracy", _accuracy(subject, y), len(x)),
            ("linear_accuracy", _accuracy(subject, linear), len(x)),
            ("agreement", same.double().mean().item(), len(same)),
            ("undecided", (~decided).double().mean().item(), len(x)),
            ("angle_mean_rad", theta.mean().item(), len(theta)),
            ("angle_max_rad", theta.max().item() if len(theta) else nan, len(theta)),
        ]
        columns = zip(*(each for each in found if each[1] is not None), strict=True)

        return dict(zip(self.schema, map(list, columns), strict=True))

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns how far it is a linear classifier, and how good each is."""

        value = dict(zip(rows["what"], rows["value"], strict=True))
        names = ("agreement", "angle_max_rad", "accuracy", "linear_accuracy")

        return {name: value.get(name, nan) for name in names}


def _accuracy(subject: Subject, outputs: Float[Tensor, "samples classes"]) -> float | None:
    """Returns the share of samples that outputs say the class of; None if that is not known."""

    if subject.y is None or subject.objective is None:
        return None
    x, y = subject.x.cpu()[None], subject.y.cpu()[None]

    return subject.objective.scores(outputs[None], x, y).mean().item()
