"""Scaling: the answers of a network while its input, a layer, or a feature is scaled."""

__all__ = ["Answers", "answered", "margin"]

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import nan
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...geometry import angle
from ...training import rows_at_once
from ..layers import Layer, Pair, hooked, passed
from ..subject import Subject
from .features import stretched
from .sites import Site

ROWS = 2**10
"""The most samples times factors that are sent through a network at once: more are slower."""

NUMBERS = 2**15
"""The most numbers in the vectors whose angles are taken at once: as many as a cache holds."""

UNSCALED = torch.ones(1, dtype=torch.float64)
"""The one factor of samples that are left as they are."""


class Answers(NamedTuple):
    """The answers of a network for some samples, scaled by several factors.

    Arguments:
        losses: The loss of each sample, in float64.
        loudest: The largest output of each sample, by absolute value.
        thetas: The deflection of each by layers, the mean over places; NaN where undefined.
        confidence: The largest probability of each answer that counts; none without classes.
        right: Whether that answer is right.
        margin: The right logit minus the largest other one.
    """

    losses: Float[Tensor, "scales samples"]
    loudest: Float[Tensor, "scales samples"]
    thetas: Float[Tensor, "scales samples layers"]
    confidence: Float[Tensor, "scales answers"]
    right: Bool[Tensor, "scales answers"]
    margin: Float[Tensor, "scales answers"]


@torch.no_grad()
def answered(
    subject: Subject,
    rows: Int[Tensor, " rows"],
    layers: Mapping[str, Layer],
    site: Site | None = None,
    scales: Float[Tensor, " scales"] = UNSCALED,
) -> Answers:
    """Returns the answers of a network for some of its samples while a site, if given, is scaled.

    Several factors go through it as one batch, unless the site mixes the samples. An autoencoder is
    to give back the input as it was scaled. Rows are the indices of the samples; the deflections
    are by the layers.
    """

    rows, at_once = rows.to(subject.x.device), min(ROWS, rows_at_once(subject.x))
    apart = site is not None and len(subject.x) > 1 and not site.size.isnan().all()
    factors = max(1, at_once // len(rows)) if apart else 1
    found = [
        _joined([_passed(subject, part, layers, site, some) for part in rows.split(at_once)], 1)
        for some in scales.split(factors)
    ]

    return _joined(found, 0)


def _passed(
    subject: Subject,
    part: Int[Tensor, " part"],
    layers: Mapping[str, Layer],
    site: Site | None,
    scales: Float[Tensor, " scales"],
) -> Answers:
    """Returns the answers for one batch: all samples by the first factor, then by the next."""

    y, objective = subject.task
    count, by_factor = len(scales), (len(scales), len(part))
    x, target = (t[part][None].expand(count, *[-1] * t.dim()) for t in (subject.x, y))
    if site and site.layer is None:
        x = stretched(x, scales)
    x, target = x.flatten(0, 1), target.flatten(0, 1)
    with _scaled(site, scales):
        out, pairs = passed(subject.model, layers, x)
    losses = objective.losses(out[None], x[None], target[None])[0]
    thetas = [_theta(pairs.get(name), len(x)) for name in layers]

    out = out.unflatten(0, by_factor)
    logits, classes = out.new_empty(count, 0, 1), y.flatten()[:0].long()
    if site and not y.is_floating_point() and objective.score == "accuracy":
        counts = site.of[part.cpu()].flatten().to(y.device)  # each step of a sequence is an answer
        logits, classes = out.flatten(1, -2)[:, counts], y[part].flatten()[counts]

    return Answers(
        losses.cpu().double().reshape(by_factor),
        out.abs().flatten(2).amax(dim=2).cpu(),
        torch.stack(thetas or [losses[:0].cpu().double()], dim=-1).view(*by_factor, len(layers)),
        logits.softmax(dim=-1).amax(dim=-1).cpu(),
        (logits.argmax(dim=-1) == classes).cpu(),
        margin(logits, classes).cpu(),
    )


def _joined(parts: Sequence[Answers], dim: int) -> Answers:
    return Answers(*(torch.cat(each, dim=dim) for each in zip(*parts, strict=True)))


def _theta(pair: Pair | None, samples: int) -> Float[Tensor, " samples"]:
    """Returns the angle between inputs and outputs, the mean over places."""

    if pair is None or pair.inputs.shape != pair.outputs.shape or len(pair.inputs) != samples:
        return torch.full((samples,), nan, dtype=torch.float64)
    shape, rows = pair.inputs.shape[:-1], max(1, NUMBERS // pair.inputs.shape[-1])
    vectors = (t.cpu().flatten(0, 1).contiguous().split(rows) for t in pair)
    thetas = [angle(fx.double(), x.double()) for x, fx in zip(*vectors, strict=True)]

    return torch.cat(thetas).view(shape).nanmean(dim=1)


def margin(
    logits: Float[Tensor, "*rows answers classes"], y: Int[Tensor, " answers"]
) -> Float[Tensor, "*rows answers"]:
    """Returns the right logit minus the largest other one."""

    own = y[:, None].expand(*logits.shape[:-1], 1)
    right = logits.gather(-1, own).squeeze(-1)

    return right - logits.scatter(-1, own, -torch.inf).amax(dim=-1)


def _scaled(site: Site | None, scales: Float[Tensor, " scales"]) -> AbstractContextManager[None]:
    """Has the layer of a site give scaled vectors, while the context lasts."""

    layer = site.layer if site else None
    if site is None or layer is None:
        return nullcontext()

    def scaled(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        if not layer.meets(module, args[0]):
            return out
        h = out.movedim(layer.axis, -1).unflatten(0, (len(scales), -1))

        return stretched(h, scales, site.direction).flatten(0, 1).movedim(-1, layer.axis)

    return hooked([layer.module], after=scaled)
