"""Linear features: the direction of a layer along which a quantity t is read off by a linear probe.

    ŵ = w / ‖w‖,    w = (C + λ tr(C)/m · I)⁻¹ c,        (ridge regression of t on h)

C is the covariance of the vectors h ∈ R^m that a layer hands on, and c theirs with t. The feature
made s times as strong is

    h ↦ h + (s − 1)(h·ŵ) ŵ.

Of a sample that a layer meets at several places, positions or steps, h is the mean over these.
"""

__all__ = ["INPUT", "Learned", "Moments", "handed_on", "learned", "stretched"]

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ...training import rows_at_once
from ..layers import passed
from ..subject import Subject

INPUT = "input"
"""What the input is called among the layers; it has lengths only."""

RIDGE = 1e-2
"""λ, in units of the mean variance of a coordinate: dead units and collinear ones do no harm."""


class Moments:
    """The second moments of vectors h and quantities t, gathered some samples at a time."""

    def __init__(self) -> None:
        self.count = 0
        self.sums: tuple[Tensor, ...] = (torch.zeros(()),) * 5

    def add(self, h: Float[Tensor, "samples m"], t: Float[Tensor, "samples k"]) -> None:
        h, t = h.double(), t.double()
        new = (h.sum(dim=0), t.sum(dim=0), h.mT @ h, h.mT @ t, t.square().sum(dim=0))
        self.count += len(h)
        self.sums = tuple(a + b for a, b in zip(self.sums, new, strict=True))

    def directions(self, ridge: float = RIDGE) -> Float[Tensor, "m k"]:
        """Returns ŵ of each quantity; zero where h does not vary, or the quantity does not.

        Arguments:
            ridge: The penalty λ > 0.
        """

        h, t, hh, ht, tt = (total / self.count for total in self.sums)
        C, c = hh - torch.outer(h, h), ht - torch.outer(h, t)
        power, variance = hh.diagonal().mean(), C.diagonal().mean()
        varies = (tt - t.square() > 1e-12 * tt) & (variance > 1e-12 * power)  # and not by rounding

        ridged = C + ridge * variance * torch.eye(len(C)).to(C)
        w = torch.linalg.solve(ridged, c) if varies.any() else torch.zeros_like(c)
        length = torch.linalg.vector_norm(w, dim=0)

        return torch.where(varies & (length > 0), w / length, 0.0)


class Learned(NamedTuple):
    """What is known of a layer from the samples that its features were learnt from.

    Arguments:
        longest: The largest length of all that is handed on of a sample.
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
    """Returns what is known of each layer from samples and k quantities of theirs.

    Memory does not grow with the number of samples, which go through the network twice.
    """

    moments: dict[str, Moments] = {}
    longest: dict[str, float] = {}
    for rows, layers in handed_on(subject, x):
        for name, (lengths, h) in layers.items():
            longest[name] = max(longest.get(name, 0.0), lengths.max().item())
            if name != INPUT:
                moments.setdefault(name, Moments()).add(h, t[rows])

    directions = {name: each.directions() for name, each in moments.items()}
    directions[INPUT] = torch.zeros(0, 0, dtype=torch.float64)
    strongest = {
        name: torch.full_like(w[:1].sum(dim=0), -torch.inf) for name, w in directions.items()
    }
    for _, layers in handed_on(subject, x if t.shape[1] else x[:0]):
        for name, top in strongest.items():
            if name != INPUT:
                strongest[name] = top.maximum((layers[name][1] @ directions[name]).amax(dim=0))

    return {name: Learned(longest[name], directions[name], strongest[name]) for name in longest}


def handed_on(
    subject: Subject, x: Shaped[Tensor, " samples *inputs"]
) -> Iterator[tuple[slice, dict[str, tuple[Tensor, Tensor]]]]:
    """Yields some samples at a time, by layers: the length of what is handed on, and its mean h.

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
    h: Float[Tensor, "*batch m"], s: float, w: Float[Tensor, " m"] | None = None
) -> Float[Tensor, "*batch m"]:
    """Returns s h; or, along a unit vector ŵ alone, h + (s − 1)(h·ŵ) ŵ."""

    if w is None:
        return s * h
    w = w.to(h)

    return h + (s - 1) * (h @ w)[..., None] * w
