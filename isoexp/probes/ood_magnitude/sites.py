"""Sites: the input, a layer, or a linear feature of a layer, which are to be scaled.

A feature stands for a quantity of the samples: a class, a factor behind the data, or a target.
"""

__all__ = ["Quantities", "Site", "quantities", "sites"]

from collections.abc import Mapping
from math import nan, pi
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ..layers import Layer
from ..subject import Subject
from .features import INPUT, Learned, handed_on

WHOLE = "whole"
"""The name of the feature that is all of a vector."""


class Quantities(NamedTuple):
    """Some quantities, the samples to learn their features from, and the samples to measure on.

    Arguments:
        names: The names of the quantities.
        x: The samples to learn from.
        t: Their quantities.
        own: The quantities of the subject's samples.
        apart: A mask of the subject's samples that are not learnt from.
        of: A mask for each feature, of the samples, or of their answers, to measure it on.
    """

    names: list[str]
    x: Shaped[Tensor, " samples *inputs"]
    t: Float[Tensor, "samples k"]
    own: Float[Tensor, "subjects k"]
    apart: Bool[Tensor, " subjects"]
    of: list[Bool[Tensor, " subjects *steps"]]

    def at(self, rows: Int[Tensor, " rows"]) -> "Quantities":
        """Returns the quantities with some of the subject's samples alone."""

        own, apart, of = self.own[rows], self.apart[rows], [mask[rows] for mask in self.of]

        return self._replace(own=own, apart=apart, of=of)


class Site(NamedTuple):
    """All of the input or of a layer, or a feature of a layer.

    Arguments:
        name: The name of the layer.
        layer: The layer; None for the input.
        feature: The name of the feature; whole for all of a vector.
        direction: ŵ of the feature; None for all of a vector.
        size: Its length, or h·ŵ, in each sample; NaN where samples cannot be told apart.
        most: The largest size among the samples that features were learnt from.
        r2: The share of the variance of the feature's quantity that h·ŵ explains.
        of: A mask of the samples, or of their steps, that count.
    """

    name: str
    layer: Layer | None
    feature: str
    direction: Float[Tensor, " m"] | None
    size: Float[Tensor, " samples"]
    most: float
    r2: float
    of: Bool[Tensor, " samples *steps"]


def quantities(subject: Subject, most: int) -> Quantities:
    """Returns the first `most` quantities of a subject's samples.

    They are the classes; where there are none, the factors behind the samples, as cosine and sine
    if periodic; or else the values of the target. A class is learnt as its indicator (the share of
    the steps that have it) and measured on samples, or steps, that have it.
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


def sites(subject: Subject, found: Quantities, known: Mapping[str, Learned]) -> list[Site]:
    """Returns all sites: the input, layers, and the features learnt of the subject's quantities."""

    seen = list(handed_on(subject, subject.x))
    y, _ = subject.task
    every = torch.ones(y.shape[:1] if y.is_floating_point() else y.shape, dtype=torch.bool)

    made = []
    for name, layer in {INPUT: None, **subject.layers}.items():
        if name == INPUT and not subject.x.is_floating_point():
            continue
        parts = [layers[name] for _, layers in seen if name in layers]
        size = torch.cat([a for a, _ in parts]) if parts else torch.full((len(y),), nan)
        most = known[name].longest if name in known else nan
        made.append(Site(name, layer, WHOLE, None, size, most, nan, every))
        if layer is None or not parts or name not in known:
            continue
        h, (_, W, strongest) = torch.cat([h for _, h in parts]), known[name]
        for k, feature in enumerate(found.names):
            if W[:, k].any() and found.of[k].any():
                size = h @ W[:, k]
                r2 = _r2(size[found.apart], found.own[found.apart, k])
                most = strongest[k].item()
                made.append(Site(name, layer, feature, W[:, k], size, most, r2, found.of[k]))

    return made


def _factors(subject: Subject) -> dict[str, Float[Tensor, " samples"]]:
    """Returns the factors behind samples in float64, periodic ones as cosine and sine."""

    found = {}
    for name, (values, period) in subject.factors.items():
        v = torch.as_tensor(values, dtype=torch.float64)
        if period is None:
            found[name] = v
        else:
            found[f"cos {name}"] = (2 * pi * v / period).cos()
            found[f"sin {name}"] = (2 * pi * v / period).sin()

    return found


def _r2(h: Float[Tensor, " samples"], t: Float[Tensor, " samples"]) -> float:
    """Returns the square of the correlation; NaN where one of the two is constant."""

    h, t = h - h.mean(), t - t.mean()
    power = h.square().sum() * t.square().sum()

    return ((h @ t) ** 2 / power).item() if power > 0 else nan
