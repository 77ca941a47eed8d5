"""Lumps: the rows on how a continuous factor is represented at a place of a network."""

__all__ = ["Reader", "clumps", "decoding", "interpolation", "path"]

from collections.abc import Callable, Mapping
from math import log, nan, pi
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ..rows import Columns
from ..statistics import NORMAL_95
from ..subject import Subject
from .circular import (
    centre,
    clusters,
    difference,
    gap_mean,
    gap_quantile,
    gaps,
    moments,
    probabilities,
)
from .decoding import Decoder, Track, mixed
from .paths import STUDENT, FactorPath, limit_angle, random_bases

DEALS = 32
"""The number of times that errors are dealt to other samples."""

Vectors = Float[np.ndarray, "samples n"]


class Reader(NamedTuple):
    """A decoder, its R² on other samples, and whether that is clearly above 0."""

    decoder: Decoder
    r2: float
    decodes: bool


def decoding(add: Callable[..., None], decoder: Decoder, h: Vectors, factor: Track) -> Reader:
    """Measures how well a factor is decoded, on samples that the decoder was not fitted to."""

    errors = ((decoder.targets(h) - factor.targets) ** 2).sum(axis=1)
    spread = ((factor.targets - factor.targets.mean(axis=0)) ** 2).sum(axis=1)
    r2 = 1 - errors.mean() / spread.mean()
    around = _mean((1 - r2) * spread - errors)  # R² is a ratio of means: to first order
    found = {key: r2 + value / spread.mean() for key, value in around.items()}
    add(measure="decode_r2", n=len(h), null=0.0, **found)

    off = abs(difference(decoder(h), factor.t, factor.periodic)) / _chance(factor)
    add(measure="decode_error", n=len(h), null=1.0, **_mean(off))

    return Reader(decoder, found["value"], found["low"] > 0)


def clumps(
    add: Callable[..., None],
    reader: Reader,
    h: Vectors,
    factor: Track,
    levels: int,
    rng: np.random.Generator,
) -> None:
    """Measures whether decoded values are spread as the factor is, or in lumps."""

    t, periodic, n = factor.t, factor.periodic, len(h)
    null, null_high = gap_mean(n + (not periodic)), gap_quantile(0.05, n + (not periodic))
    gap, count, rho, around = nan, nan, np.full(levels, nan), np.full(levels, nan)

    if reader.r2 > 0.5:  # or the angles of noise, which is not round, would be taken for lumps
        found = reader.decoder(h)
        line = t if periodic else np.polyval(np.polyfit(t, found, 3), t)
        errors = difference(found, line, periodic)
        dealt = line + rng.permuted(np.tile(errors, (DEALS, 1)), axis=1)

        u = probabilities(found, (dealt % 1 if periodic else dealt).ravel(), rng)
        gap, count = gaps(u, periodic).max(), clusters(u, periodic)
        at_random = moments(dealt, levels)
        rho = abs(moments(found, levels) - at_random.mean(axis=1))
        around = at_random.std(axis=1, ddof=1)

    add(measure="gap", n=n, value=gap / null, null=1.0, null_high=null_high / null)
    add(measure="clusters", n=n, value=count, null=1.0, null_high=1.0)
    for m, (value, spread) in enumerate(zip(rho, around, strict=True), start=1):
        # The square of the modulus of a complex normal error is exponential.
        null, null_high = spread * (pi / 4) ** 0.5, spread * log(20) ** 0.5
        add(measure="levels", n=n, at=m, value=value, null=null, null_high=null_high)


def path(
    add: Callable[..., None],
    h: Vectors,
    factor: Track,
    bins: int,
    bases: int,
    rng: np.random.Generator,
) -> None:
    """Measures the path of a factor through the vectors of a place."""

    from scipy.special import ndtri  # a third of a second to import: for those who ask

    share, around, jump, error, steps = nan, nan, nan, nan, bins
    angle, random = nan, np.full(bases, nan)

    path = FactorPath.of(
        h, np.minimum(factor.t * bins, bins - 1).astype(int), factor.periodic, bins
    )
    if path is not None:
        share, around = path.share()
        if share > STUDENT * around:
            steps = bins if factor.periodic else bins - 1
            jump, error = path.jump()
            angle = limit_angle(path.deviations).mean()
            random = limit_angle(random_bases(path.deviations, bases, rng)).mean(axis=1)

    low, high = share - STUDENT * around, share + STUDENT * around
    add(measure="path_share", n=len(h), value=share, low=low, high=high, null=0.0)
    at_random = {
        name: 1 + error * float(ndtri(p ** (1 / steps)))
        for name, p in (("null", 0.5), ("null_high", 0.95))
    }  # quantiles of the largest of so many normal errors
    add(measure="jump", n=len(h), value=jump, **at_random)

    null, spread = random.mean(), NORMAL_95 * random.std(ddof=1)
    add(measure="limit_angle_rad", n=len(h), basis="standard", value=angle, null=null)
    add(measure="limit_angle_rad", n=len(h), basis="random", value=null,
        low=null - spread, high=null + spread, null=null,
    )  # fmt: skip


def _chance(factor: Track) -> float:
    """Returns the mean distance from the best constant."""

    middle = centre(factor.t, factor.periodic)

    return float(abs(difference(factor.t, middle, factor.periodic)).mean())


def _mean(values: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Returns value, low and high: the mean of independent values with its 95 % interval."""

    mean = float(values.mean())
    around = NORMAL_95 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else nan

    return {"value": mean, "low": mean - around, "high": mean + around}


def interpolation(
    rows: Columns,
    subject: Subject,
    x: Shaped[Tensor, " samples *inputs"],
    vectors: Mapping[str, Vectors],
    factors: Mapping[str, Track],
    readers: Mapping[str, Mapping[str, Reader]],
    pairs: tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]],
    separation: float,
    steps: int,
) -> None:
    """Measures what decoders behind a place read, if the network goes on from between two samples.

    The same pairs serve all factors; for each factor those count that are far enough apart in it.
    """

    a, b = pairs
    first, last = (x[torch.from_numpy(index).to(x.device)] for index in pairs)
    ends = [{place: h[index] for place, h in vectors.items()} for index in pairs]
    apart = {name: difference(f.t[b], f.t[a], f.periodic) for name, f in factors.items()}
    places = list(readers)

    for i, place in enumerate(places[:-1]):
        inner = [mixed(subject, place, first, last, k / steps) for k in range(1, steps)]
        passes = [ends[0], *inner, ends[1]]
        for name, factor in factors.items():
            read = max(places[i + 1 :], key=lambda later: readers[later][name].r2)
            reader, chance = readers[read][name], _chance(factor)
            of = abs(abs(apart[name]) / separation - 1) <= 1 / 3

            off = np.full((steps + 1, max(1, of.sum())), nan)
            for k in range(steps + 1) if of.any() and reader.decodes else ():
                expected = factor.t[a][of] + k / steps * apart[name][of]
                found = reader.decoder(passes[k][read][of])
                off[k] = abs(difference(found, expected, factor.periodic)) / chance

            null = float(off[[0, -1]].mean())
            for k in range(1, steps):
                rows.add(
                    layer=place,
                    factor=name,
                    basis="any",
                    read=read,
                    **{"measure": "interpolation_error", "at": k / steps, **_mean(off[k])},
                    null=null,
                    n=of.sum(),
                )
