"""Scaling: what a network makes of samples while its input, a layer, or a feature is scaled."""

__all__ = ["Answers", "Site", "answered", "sites"]

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import nan
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...geometry import angle
from ...training import rows_at_once
from ..layers import Layer, Pair, passed
from ..subject import Subject
from .features import INPUT, Learned, handed_on, stretched
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


class Answers(NamedTuple):
    """What a network makes of some samples.

    Arguments:
        outputs: What comes out.
        losses: The loss of each sample.
        thetas: The deflection of each sample by layers, the mean over places; NaN where undefined.
    """

    outputs: Tensor
    losses: Float[Tensor, " samples"]
    thetas: dict[str, Float[Tensor, " samples"]]


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


@torch.no_grad()
def answered(
    subject: Subject,
    rows: Int[Tensor, " rows"],
    layers: Mapping[str, Layer],
    site: Site | None = None,
    s: float = 1.0,
) -> Answers:
    """Returns what a network makes of some of its samples while a site is scaled.

    A network that gives back what went in is to give back the input as it was scaled.

    Arguments:
        subject: The network and its samples.
        rows: Which of these.
        layers: The layers whose deflection is measured.
        site: What is scaled.
        s: The factor.
    """

    y, objective = subject.task
    rows = rows.to(y.device)
    outputs, losses = [], []
    thetas: dict[str, list[Tensor]] = {name: [] for name in layers}
    with _scaled(site, s):
        for part in rows.split(rows_at_once(subject.x)):
            x = subject.x[part] * s if site and site.layer is None else subject.x[part]
            out, pairs = passed(subject.model, layers, x)
            outputs.append(out)
            losses.append(objective.losses(out[None], x[None], y[part][None])[0].cpu().double())
            for name in layers:
                thetas[name].append(_theta(pairs.get(name), len(x)))

    return Answers(
        torch.cat(outputs),
        torch.cat(losses),
        {name: torch.cat(each) for name, each in thetas.items()},
    )


def _theta(pair: Pair | None, samples: int) -> Float[Tensor, " samples"]:
    """Returns the angle between what goes in and what comes out, the mean over places."""

    if pair is None or pair.inputs.shape != pair.outputs.shape or len(pair.inputs) != samples:
        return torch.full((samples,), nan, dtype=torch.float64)
    x, fx = (t.cpu().double() for t in pair)

    return angle(fx, x).nanmean(dim=1)


@contextmanager
def _scaled(site: Site | None, s: float) -> Iterator[None]:
    """Has a layer hand on vectors that are scaled, while the context lasts."""

    layer = site.layer if site else None
    if site is None or layer is None:
        yield
        return

    def hook(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        if args[0].shape[layer.axis] != layer.width:
            return out  # another layer of the same module

        return stretched(out.movedim(layer.axis, -1), s, site.direction).movedim(-1, layer.axis)

    handle = layer.module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _r2(h: Float[Tensor, " samples"], t: Float[Tensor, " samples"]) -> float:
    """Returns the square of the correlation; NaN where one of the two is constant."""

    h, t = h - h.mean(), t - t.mean()
    power = h.square().sum() * t.square().sum()

    return ((h @ t) ** 2 / power).item() if power > 0 else nan
