"""Sites: what is scaled of a network, its input, what a layer hands on, or a feature of that."""

__all__ = ["Site", "sites"]

from collections.abc import Mapping
from math import nan
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..layers import Layer
from ..subject import Subject
from .features import INPUT, Learned, handed_on
from .quantities import Quantities

WHOLE = "whole"
"""What the feature is called that is all of a vector."""


class Site(NamedTuple):
    """Something to be scaled: all of the input or of a layer, or a feature of a layer.

    Arguments:
        name: The name of the layer.
        layer: The layer; None for the input.
        feature: The name of the feature; whole, if it is all.
        direction: ŵ of the feature; None, if it is all.
        size: How large it is in each sample, its length or h·ŵ; NaN where that cannot be told.
        most: How large it was at most where features were learnt.
        r2: The share of the variance of the feature's quantity that h·ŵ tells.
        of: The samples, or the steps of samples, that count.
    """

    name: str
    layer: Layer | None
    feature: str
    direction: Float[Tensor, " m"] | None
    size: Float[Tensor, " samples"]
    most: float
    r2: float
    of: Bool[Tensor, " samples *steps"]


def sites(subject: Subject, found: Quantities, known: Mapping[str, Learned]) -> list[Site]:
    """Returns all that is to be scaled: the input, layers, and the features that layers have.

    Arguments:
        subject: The samples to be measured on, those that the quantities are of.
        found: The quantities.
        known: What was learnt of them.
    """

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


def _r2(h: Float[Tensor, " samples"], t: Float[Tensor, " samples"]) -> float:
    """Returns the square of the correlation; NaN where one of the two is constant."""

    h, t = h - h.mean(), t - t.mean()
    power = h.square().sum() * t.square().sum()

    return ((h @ t) ** 2 / power).item() if power > 0 else nan
