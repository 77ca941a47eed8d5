"""Sites: the input, a layer, or a linear feature of a layer, which are to be scaled.

A feature stands for a quantity t of the samples: a class, a factor behind the data, or a target. It
is the direction along which a linear probe reads t off the outputs h ∈ R^m of the layer,

    ŵ = w / ‖w‖,    w = (C + λ tr(C)/m · I)⁻¹ c,        (ridge regression of t on h)

C being the covariance of h, and c their covariance with t. Where a sample has several places,
positions or steps, h is the mean over them.
"""

__all__ = ["INPUT", "WHOLE", "Quantities", "Site", "directions", "quantities", "sites"]

from collections.abc import Iterator
from math import inf, nan, pi
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ..layers import Layer, passed
from ..statistics import Moments
from ..subject import Subject, batches

INPUT = "input"
"""The name of the input among the layers; it has lengths only."""

WHOLE = "whole"
"""The name of the feature that is all of a vector."""

RIDGE = 1e-2
"""λ, in units of the mean variance of a coordinate: dead units and collinear ones do no harm."""


class Quantities(NamedTuple):
    """Some quantities, the samples to learn their features from, and the samples to measure on.

    Arguments:
        x, t: The samples to learn from, and their quantities.
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


class Site(NamedTuple):
    """All of the input or of a layer, or a feature of a layer.

    Arguments:
        layer: The layer; None for the input.
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


def _factors(subject: Subject) -> dict[str, Float[Tensor, " samples"]]:
    found = {}
    for name, (values, period) in subject.factors.items():
        v = torch.as_tensor(values, dtype=torch.float64)
        if period is None:
            found[name] = v
        else:
            found[f"cos {name}"] = (2 * pi * v / period).cos()
            found[f"sin {name}"] = (2 * pi * v / period).sin()

    return found


def sites(subject: Subject, found: Quantities, rows: Int[Tensor, " samples"]) -> list[Site]:
    """Returns all sites: the input, layers, and the features learnt of quantities.

    The subject's samples are the given rows of those that the quantities were found of.
    """

    longest, W, strongest = _learned(subject, found.x, found.t)
    seen = list(_handed_on(subject, subject.x))
    y, _ = subject.task
    every = torch.ones(y.shape[:1] if y.is_floating_point() else y.shape, dtype=torch.bool)
    own, apart = found.own[rows], found.apart[rows]

    made = []
    for name, layer in {INPUT: None, **subject.layers}.items():
        if name == INPUT and not subject.x.is_floating_point():
            continue
        parts = [layers[name] for layers in seen if name in layers]
        size = torch.cat([a for a, _ in parts]) if parts else torch.full((len(y),), nan)
        most = longest.get(name, nan)
        made.append(Site(name, layer, WHOLE, None, size, most, nan, every))
        if not parts or name not in W:
            continue
        h = torch.cat([h for _, h in parts])
        for k, (feature, of) in enumerate(zip(found.names, found.of, strict=True)):
            w, of = W[name][:, k], of[rows]
            if w.any() and of.any():
                size, most = h @ w, strongest[name][k].item()
                r2 = _r2(size[apart], own[apart, k])
                made.append(Site(name, layer, feature, w, size, most, r2, of))

    return made


@torch.no_grad()
def _learned(
    subject: Subject, x: Shaped[Tensor, " samples *inputs"], t: Float[Tensor, "samples k"]
) -> tuple[dict[str, float], dict[str, Float[Tensor, "m k"]], dict[str, Float[Tensor, " k"]]]:
    """Returns the largest length of each layer's outputs, ŵ of k quantities, the largest h·ŵ.

    Memory does not grow with the number of samples, which go through the network twice.
    """

    moments: dict[str, Moments] = {}
    longest: dict[str, float] = {}
    for (_, part), layers in zip(batches(x, t), _handed_on(subject, x), strict=False):
        for name, (lengths, h) in layers.items():
            longest[name] = float(np.maximum(longest.get(name, 0.0), lengths.max().item()))
            if name != INPUT:
                moments.setdefault(name, Moments()).add(torch.cat([h, part], dim=1))

    W = {name: directions(each, t.shape[1]) for name, each in moments.items()}
    strongest = {name: torch.full_like(w[0], -inf) for name, w in W.items()}
    for layers in _handed_on(subject, x) if t.shape[1] else ():
        for name, top in strongest.items():
            strongest[name] = top.maximum((layers[name][1] @ W[name]).amax(dim=0))

    return longest, W, strongest


def _handed_on(
    subject: Subject, x: Shaped[Tensor, " samples *inputs"]
) -> Iterator[dict[str, tuple[Float[Tensor, " batch"], Float[Tensor, "batch m"]]]]:
    """Yields the lengths of each layer's outputs and their means h, batch by batch.

    Both are in float64 on the CPU. Left out are tensors that cannot be told apart by samples.
    """

    for (part,) in batches(x) if len(x) else ():  # of a single sample there is no half
        pairs = passed(subject.model, subject.layers, part)[1]
        found = {INPUT: part.flatten(1)[:, None]} | {k: pair.outputs for k, pair in pairs.items()}
        yield {
            name: (
                torch.linalg.vector_norm(z.flatten(1).cpu().double(), dim=1),
                z.mean(dim=1).cpu().double(),
            )
            for name, z in found.items()
            if len(z) == len(part) and z.is_floating_point()
        }


def directions(moments: Moments, k: int, ridge: float = RIDGE) -> Float[Tensor, "m {k}"]:
    """Returns ŵ of each of k quantities; zero where h does not vary, or the quantity does not.

    The moments are of (h, t), vectors and quantities side by side; `ridge` is the penalty λ > 0.
    """

    S, m = moments.covariance, len(moments.mean) - k
    C, c = S[:m, :m], S[:m, m:]
    power, of_t = (S.diagonal() + moments.mean.square()).split([m, k])
    variance, tt = C.diagonal().mean(), S.diagonal()[m:]
    varies = (tt > 1e-12 * of_t) & (variance > 1e-12 * power.mean())  # and not by rounding

    ridged = C + ridge * variance * torch.eye(m).to(C)
    w = torch.linalg.solve(ridged, c) if varies.any() else torch.zeros_like(c)
    length = torch.linalg.vector_norm(w, dim=0)

    return torch.where(varies & (length > 0), w / length, 0.0)


def _r2(h: Float[Tensor, " samples"], t: Float[Tensor, " samples"]) -> float:
    """Returns the square of the correlation; NaN where one of the two is constant."""

    h, t = h - h.mean(), t - t.mean()
    power = h.square().sum() * t.square().sum()

    return ((h @ t) ** 2 / power).item() if power > 0 else nan
