"""Answers of a network while its input, a layer, or a feature is scaled, and what they are worth.

The expected calibration error is Σ_b (n_b / n) |accuracy_b − confidence_b|, over bins b of equal
width of the confidence, the largest softmax probability (Guo et al., On Calibration of Modern
Neural Networks, 2017). Spearman's ρ has the interval

    tanh( artanh ρ ± z √((1 + ρ²/2) / (n − 3)) )

of Bonett and Wright, Sample size requirements for estimating Pearson, Kendall and Spearman
correlations (2000).
"""

__all__ = [
    "Answers", "answered", "calibration_error", "confidence", "deflections", "margin",
    "rank_correlation", "stretched",
]  # fmt: skip

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from math import inf, nan
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ...geometry import angle
from ...training import correct, rows_at_once
from ..layers import Call, Layer, Pair, hooked, passed
from ..statistics import NORMAL_95
from ..subject import Subject
from .sites import Site

ROWS = 2**10
"""The most samples times factors that are sent through a network at once: more are slower."""

NUMBERS = 2**15
"""The most numbers in the vectors whose angles are taken at once: as many as a cache holds."""

ROUNDING = 32
"""Differences of so many units in the last place count as rounding, not as variation."""

UNSCALED = torch.ones(1, dtype=torch.float64)


class Answers(NamedTuple):
    """The answers of a network for some samples, scaled by several factors.

    Arguments:
        losses: The loss of each sample, in float64.
        loudest: The largest output of each sample, by absolute value.
        thetas: The deflection of each by layers, the mean over places; NaN where undefined.
        confidence: The largest probability of each answer that counts; none without classes.
        right: 1 if that answer is right, else 0.
        margin: The right logit minus the largest other one.

    The last three are NaN where logits are not finite.
    """

    losses: Float[Tensor, "scales samples"]
    loudest: Float[Tensor, "scales samples"]
    thetas: Float[Tensor, "scales samples layers"]
    confidence: Float[Tensor, "scales answers"]
    right: Float[Tensor, "scales answers"]
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
    to give back the input as it was scaled. The deflections are by the layers.
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
    subject: Subject, part: Tensor, layers: Mapping[str, Layer], site: Site | None, scales: Tensor
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
        confidence(logits).cpu(),
        correct(logits, classes.expand(count, -1)).cpu(),
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
    """Returns the right logit minus the largest other one; NaN where a logit is not finite."""

    logits = _finite(logits)
    own = y[:, None].expand(*logits.shape[:-1], 1)
    right = logits.gather(-1, own).squeeze(-1)

    return right - logits.scatter(-1, own, -torch.inf).amax(dim=-1)


def confidence(logits: Float[Tensor, "*answers classes"]) -> Float[Tensor, " *answers"]:
    """Returns the largest softmax probability; NaN where a logit is not finite."""

    return _finite(logits).softmax(dim=-1).amax(dim=-1)


def _finite(logits: Float[Tensor, "*answers classes"]) -> Float[Tensor, "*answers classes"]:
    """Returns logits, all of an answer NaN where one is not finite."""

    return torch.where(logits.isfinite().all(dim=-1, keepdim=True), logits, nan)


def _scaled(site: Site | None, scales: Float[Tensor, " scales"]) -> AbstractContextManager[None]:
    """Has the layer of a site give scaled vectors, while the context lasts."""

    if site is None or (layer := site.layer) is None:
        return nullcontext()

    def scaled(call: Call) -> Tensor | None:
        if not layer.meets(call.module, call.x):
            return None
        h = call.y.movedim(layer.axis, -1).unflatten(0, (len(scales), -1))

        return stretched(h, scales, site.direction).flatten(0, 1).movedim(-1, layer.axis)

    return hooked([layer.module], after=scaled)


def stretched(
    h: Float[Tensor, "scales *batch m"],
    scales: Float[Tensor, " scales"],
    w: Float[Tensor, " m"] | None = None,
) -> Float[Tensor, "scales *batch m"]:
    """Returns s h; or, along a unit vector ŵ alone, h + (s − 1)(h·ŵ) ŵ; each s has vectors h."""

    s = scales.reshape(-1, *[1] * (h.dim() - 1))
    if w is None:
        return s.to(h) * h
    w = w.to(h)

    return h + (s - 1).to(h) * (h @ w)[..., None] * w


def calibration_error(
    confidence: Float[Tensor, "*rows answers"], right: Shaped[Tensor, "*rows answers"], bins: int
) -> Float[Tensor, "*rows"]:
    """Returns the expected calibration error of each row, between 0 and 1.

    NaN of no answers, and where a confidence is NaN. `bins` is the number of bins of (0, 1].
    """

    p = confidence.cpu().double()
    bin = ((p * bins).ceil() - 1).clamp(0, bins - 1)  # NaN stays so, and is no index
    gaps = torch.zeros(*p.shape[:-1], bins, dtype=torch.float64)
    gaps.scatter_add_(-1, bin.nan_to_num(0).long(), right.cpu().double() - p)

    return gaps.abs().sum(dim=-1) / p.shape[-1]


def deflections(
    after: Answers, thetas: Float[Tensor, "1 samples layers"], losses: Float[Tensor, "1 samples"]
) -> dict[str, Shaped[np.ndarray, "scales layers"]]:
    """Returns the mean deflection by each layer, and ρ between its change and the loss's.

    The changes are from `thetas` and `losses`, of the same samples as they are.
    """

    eps = torch.finfo(after.loudest.dtype).eps * ROUNDING
    change, harm = after.thetas - thetas, (after.losses - losses)[..., None]
    defined = ~(change.isnan() | harm.isnan())
    change, harm = (torch.where(defined, t, nan).mT for t in (change, harm))
    loudest = after.loudest.double().maximum(after.losses.abs()).amax(dim=1, keepdim=True)
    varies = (_spread(change) > eps) & (_spread(harm) > eps * loudest)
    rho = rank_correlation(torch.where(varies[..., None], change, nan).numpy(), harm.numpy())

    return {
        "theta_mean_rad": torch.where(defined, after.thetas, nan).nanmean(dim=1).numpy(),
        "rho": rho.rho,
        "rho_low": rho.low,
        "rho_high": rho.high,
        "n": defined.sum(dim=1).numpy(),
    }


class Correlation(NamedTuple):
    """Spearman's ρ with its 95 % interval; NaN where there is none."""

    rho: Float[np.ndarray, "*rows"]
    low: Float[np.ndarray, "*rows"]
    high: Float[np.ndarray, "*rows"]


def rank_correlation(
    a: Float[np.ndarray, "*rows samples"], b: Float[np.ndarray, "*rows samples"]
) -> Correlation:
    """Returns Spearman's ρ of each row, over the samples with two numbers that are not NaN.

    It is NaN where one of the two is constant, or there are fewer than four samples.
    """

    both = ~(np.isnan(a) | np.isnan(b))
    n = both.sum(axis=-1)
    u, v = (np.where(both, _ranks(np.where(both, t, nan)) - (n + 1)[..., None], 0) for t in (a, b))
    power = (u * u).sum(axis=-1) * (v * v).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.clip((u * v).sum(axis=-1) / np.sqrt(power), -1, 1)
        rho = np.where((n >= 4) & (power > 0), rho, nan)
        half = NORMAL_95 * np.sqrt((1 + rho**2 / 2) / np.maximum(n - 3, 0))
        low, high = (np.tanh(np.arctanh(rho) + end) for end in (-half, half))

    return Correlation(rho, low, high)


def _ranks(t: Float[np.ndarray, "*rows samples"]) -> Float[np.ndarray, "*rows samples"]:
    """Returns twice the ranks from 1 on, NaN last; equal numbers have the mean of their ranks.

    The sum over n numbers is n(n + 1): less n + 1, they are whole and have no mean.
    """

    order = t.argsort(axis=-1)
    values, place = np.take_along_axis(t, order, axis=-1), np.arange(t.shape[-1])
    apart = values[..., 1:] != values[..., :-1]
    edge = np.ones_like(values[..., :1], dtype=bool)
    first = np.where(np.concatenate([edge, apart], axis=-1), place, 0)
    last = np.where(np.concatenate([apart, edge], axis=-1), place, t.shape[-1])
    first = np.maximum.accumulate(first, axis=-1)
    last = np.minimum.accumulate(last[..., ::-1], axis=-1)[..., ::-1]
    ranks = np.empty(t.shape)
    np.put_along_axis(ranks, order, first + last + 2.0, axis=-1)

    return ranks


def _spread(t: Float[Tensor, "*rows samples"]) -> Float[Tensor, "*rows"]:
    """Returns the range of each row, NaN left out; −∞ of no numbers."""

    none = t.isnan()

    return t.masked_fill(none, -inf).amax(dim=-1) - t.masked_fill(none, inf).amin(dim=-1)
