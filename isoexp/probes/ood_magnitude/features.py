"""Linear features: the direction of a layer along which a quantity t is read off by a linear probe.

    ŵ = w / ‖w‖,    w = (C + λ tr(C)/m · I)⁻¹ c,        (ridge regression of t on h)

C is the covariance of a layer's outputs h ∈ R^m, and c their covariance with t. The feature made s
times as strong is

    h ↦ h + (s − 1)(h·ŵ) ŵ.

Where a sample has several places, positions or steps, h is the mean over them.
"""

__all__ = ["INPUT", "Learned", "directions", "handed_on", "learned", "stretched"]

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ...training import rows_at_once
from ..layers import passed
from ..statistics import Moments
from ..subject import Subject

INPUT = "input"
"""The name of the input among the layers; it has lengths only."""

RIDGE = 1e-2
"""λ, in units of the mean variance of a coordinate: dead units and collinear ones do no harm."""


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


class Learned(NamedTuple):
    """The outputs of a layer, or the input, on the samples that its features were learnt from.

    Arguments:
        longest: The largest length of the outputs for a sample, all places together.
        directions: ŵ of each quantity, in float64; zero where there is none; none of the input.
        strongest: The largest h·ŵ of each.
    """

    longest: float
    directions: Float[Tensor, "m k"]
    strongest: Float[Tensor, " k"]


@torch.no_grad()
def learned(
    subject: Subject, x: Shaped[Tensor, " samples *inputs"], t: Float[Tensor, "samples k"]
) -> dict[str, Learned]:
    """Returns lengths and features of each layer from samples and k quantities of theirs.

    Memory does not grow with the number of samples, which go through the network twice.
    """

    moments: dict[str, Moments] = {}
    longest: dict[str, float] = {}
    for rows, layers in handed_on(subject, x):
        for name, (lengths, h) in layers.items():
            longest[name] = max(longest.get(name, 0.0), lengths.max().item())
            if name != INPUT:
                moments.setdefault(name, Moments()).add(torch.cat([h, t[rows]], dim=1))

    found = {name: directions(each, t.shape[1]) for name, each in moments.items()}
    found[INPUT] = torch.zeros(0, 0, dtype=torch.float64)
    strongest = {name: torch.full_like(w[:1].sum(dim=0), -torch.inf) for name, w in found.items()}
    for _, layers in handed_on(subject, x if t.shape[1] else x[:0]):
        for name, top in strongest.items():
            if name != INPUT:
                strongest[name] = top.maximum((layers[name][1] @ found[name]).amax(dim=0))

    return {name: Learned(longest[name], found[name], strongest[name]) for name in longest}


def handed_on(
    subject: Subject, x: Shaped[Tensor, " samples *inputs"]
) -> Iterator[tuple[slice, dict[str, tuple[Tensor, Tensor]]]]:
    """Yields batches of samples, with the lengths of each layer's outputs and their means h.

    Both are in float64 on the CPU. Left out are tensors that cannot be told apart by samples.
    """

    at_once = rows_at_once(x)
    for start in range(0, len(x), at_once):
        part = x[start : start + at_once]
        pairs = passed(subject.model, subject.layers, part)[1]
        found = {INPUT: part.flatten(1)[:, None]} | {k: pair.outputs for k, pair in pairs.items()}
        yield (
            slice(start, start + len(part)),
            {
                name: (
                    torch.linalg.vector_norm(z.flatten(1).cpu().double(), dim=1),
                    z.mean(dim=1).cpu().double(),
                )
                for name, z in found.items()
                if len(z) == len(part) and z.is_floating_point()
            },
        )


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
