"""Quantities that a linear feature may stand for: classes, factors behind the data, or targets."""

__all__ = ["Quantities", "quantities"]

from math import pi
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ..subject import Subject


class Quantities(NamedTuple):
    """Some quantities, where their features are to be learnt, and where to be measured.

    Arguments:
        names: What they are.
        x: The samples to learn from.
        t: Their quantities.
        own: The quantities of the subject's samples.
        apart: Which of these are not learnt from.
        of: Which of these, or of the answers for them, each feature is to be measured on.
    """

    names: list[str]
    x: Shaped[Tensor, " samples *inputs"]
    t: Float[Tensor, "samples k"]
    own: Float[Tensor, "subjects k"]
    apart: Bool[Tensor, " subjects"]
    of: list[Bool[Tensor, " subjects *steps"]]

    def at(self, rows: Int[Tensor, " rows"]) -> "Quantities":
        """Returns the same with some of the subject's samples alone."""

        own, apart, of = self.own[rows], self.apart[rows], [mask[rows] for mask in self.of]

        return self._replace(own=own, apart=apart, of=of)


def quantities(subject: Subject, most: int) -> Quantities:
    """Returns at most so many quantities of a subject's samples.

    They are the first classes; where there are none, the factors behind the samples, of a periodic
    one cosine and sine; or else the first values of the target. A class is learnt as its indicator
    (the share of the steps that have it) and measured on samples, or steps, that have it.
    """

    y, _ = subject.task
    order = torch.randperm(len(y), generator=subject.generator)
    apart = torch.ones(len(y), dtype=torch.bool)
    classes = y.flatten().unique()[:most] if not y.is_floating_point() else y.new_empty(0)
    factors = {} if len(classes) else _factors(subject)

    def told(y: Tensor) -> Tensor:
        flat = y.reshape(len(y), -1)
        if y.is_floating_point():
            return flat[:, :most].cpu().double()
        return (flat[:, :, None] == classes).cpu().double().mean(dim=1)

    own = torch.stack(list(factors.values()), dim=1)[:, :most] if factors else told(y)
    if subject.train is not None and not factors:
        x, t = subject.train[0], told(subject.train[1])
    else:
        half = order[: len(y) // 2]
        x, t = subject.x[half.to(y.device)], own[half]
        apart[half] = False

    names = list(factors) or [f"target {j}" for j in range(own.shape[1])]
    of = [apart] * own.shape[1]
    if len(classes):
        names = [f"class {c}" for c in classes.tolist()]
        of = [(y == c).cpu() & apart.reshape(-1, *[1] * (y.dim() - 1)) for c in classes]

    return Quantities(names[:most], x, t, own, apart, of)


def _factors(subject: Subject) -> dict[str, Float[Tensor, " samples"]]:
    """Returns the factors behind samples, of periodic ones cosine and sine, in float64."""

    found = {}
    for name, (values, period) in subject.factors.items():
        v = torch.as_tensor(values, dtype=torch.float64)
        if period is None:
            found[name] = v
        else:
            found[f"cos {name}"] = (2 * pi * v / period).cos()
            found[f"sin {name}"] = (2 * pi * v / period).sin()

    return found
