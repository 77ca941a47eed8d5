"""Linear decoders of continuous factors: how well they read, at a place and between samples."""

__all__ = [
    "Decoder", "Track", "decoders", "difference", "interval", "mixed", "scored", "seen", "tracks",
]  # fmt: skip

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from math import nan, pi
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ...training import rows_at_once
from ..layers import Call, hooked, passed
from ..statistics import NORMAL_95
from ..subject import Subject, Unsuitable, batches

MOST_FEATURES = 4096
"""Inputs and outputs of more values are left out: a decoder of them takes minutes."""

Add = Callable[..., None]
Rng = np.random.Generator
Inputs = Shaped[Tensor, " samples *inputs"]
Points = Float[np.ndarray, "*points"]
Vectors = Float[np.ndarray, "samples n"]


class Track(NamedTuple):
    """A factor as a place t on a circle of length 1, if it is periodic, or on a line: a share of
    its period, or of its range."""

    t: Float[np.ndarray, " samples"]
    periodic: bool

    @property
    def targets(self) -> Float[np.ndarray, "samples values"]:
        """(cos 2πt, sin 2πt), or t."""

        turn = 2 * pi * self.t

        return np.stack([np.cos(turn), np.sin(turn)] if self.periodic else [self.t], axis=1)

    @property
    def chance(self) -> float:
        """The mean distance from the best constant."""

        middle = centre(self.t, self.periodic)

        return float(abs(difference(self.t, middle, self.periodic)).mean())


def tracks(subject: Subject, chosen: Shaped[Tensor, " samples"]) -> dict[str, Track]:
    """Returns the factors of some of the samples, by name.

    Raises:
        Unsuitable: If there are none, or they are not a changing number a sample.
    """

    if not subject.factors:
        raise Unsuitable(
            "the continuous factors behind the samples must be known: use data=shapes, or give "
            "factors= from Python"
        )
    if len(chosen) < 16:
        raise Unsuitable(f"there must be at least 16 samples, there are {len(chosen)}")

    found = {}
    for name, (values, period) in subject.factors.items():
        z = np.asarray(values, dtype=np.float64)
        if z.shape != (len(subject.x),) or not np.isfinite(z).all():
            raise Unsuitable(
                f"the factor {name} must be a finite number for each of the {len(subject.x)} "
                f"samples, got an array of shape {z.shape}"
            )
        z = z[chosen.numpy()]
        if z.min() == z.max():
            raise Unsuitable(f"the factor {name} must vary, it is {z.min():g} everywhere")
        t = z % period / period if period else (z - z.min()) / np.ptp(z)
        found[name] = Track(t, period is not None)

    return found


class Decoder(NamedTuple):
    """A linear map of vectors to a factor's targets, A h + a, a cosine and a sine if periodic.

    r2 is its R² on other samples, and `decodes` whether that is clearly above 0, once measured.
    """

    weight: Float[np.ndarray, "n values"]
    bias: Float[np.ndarray, " values"]
    periodic: bool
    r2: float = nan
    decodes: bool = False

    def targets(self, h: Vectors) -> Float[np.ndarray, "samples values"]:
        return h @ self.weight + self.bias

    def __call__(self, h: Vectors) -> Float[np.ndarray, " samples"]:
        """Returns t̂, in [0, 1) on a circle."""

        y = self.targets(h)

        return np.arctan2(y[:, 1], y[:, 0]) / (2 * pi) % 1 if self.periodic else y[:, 0]


def decoders(h: Vectors, factors: Mapping[str, Track]) -> dict[str, Decoder]:
    """Returns the ridge regression of each factor, its penalty chosen by leaving out one sample."""

    from sklearn.linear_model import RidgeCV  # takes a second to import: for those who ask

    scale = h.var(axis=0).sum() ** 0.5 or 1.0
    targets = [each.targets for each in factors.values()]
    penalties = len(h) * np.logspace(-8, 1, 10)  # for a total variance of 1
    ridge = RidgeCV(penalties, gcv_mode="svd", alpha_per_target=True)
    ridge.fit(h / scale, np.concatenate(targets, axis=1))

    weights = np.reshape(np.asarray(ridge.coef_), (-1, h.shape[1]))
    ends = np.cumsum([y.shape[1] for y in targets])[:-1]
    maps = zip(np.split(weights, ends), np.split(ridge.intercept_, ends), strict=True)

    return {
        name: Decoder(W.T / scale, b, each.periodic)
        for (name, each), (W, b) in zip(factors.items(), maps, strict=True)
    }


def scored(add: Add, decoder: Decoder, h: Vectors, factor: Track) -> Decoder:
    """Measures how well a factor is decoded, on samples that the decoder was not fitted to."""

    errors = ((decoder.targets(h) - factor.targets) ** 2).sum(axis=1)
    spread = ((factor.targets - factor.targets.mean(axis=0)) ** 2).sum(axis=1)
    r2 = 1 - errors.mean() / spread.mean()
    around = interval((1 - r2) * spread - errors)  # R² is a ratio of means: to first order
    found = {key: r2 + value / spread.mean() for key, value in around.items()}
    add(measure="decode_r2", n=len(h), null=0.0, **found)

    off = abs(difference(decoder(h), factor.t, factor.periodic)) / factor.chance
    add(measure="decode_error", n=len(h), null=1.0, **interval(off))

    return decoder._replace(r2=found["value"], decodes=found["low"] > 0)


def seen(subject: Subject, x: Inputs) -> dict[str, Vectors]:
    """Returns the vectors of samples at each place of a network: inputs, layers, outputs."""

    return _joined([_passed(subject, part) for (part,) in batches(x)])


def mixed(subject: Subject, place: str, a: Inputs, b: Inputs, share: float) -> dict[str, Vectors]:
    """Returns the vectors of samples a, as of `seen`, if at one place they are (1 − λ) a + λ b."""

    layer = None if place == "inputs" else subject.layers[place]

    def mix(call: Call) -> Tensor | None:
        if layer is None or not layer.meets(call.module, call.x):
            return None  # the same module, met with another width
        first, second = call.y.chunk(2)

        return torch.cat([torch.lerp(first, second, share)] * 2)

    rows = max(1, rows_at_once(a) // 2)
    parts = []
    with nullcontext() if layer is None else hooked([layer.module], after=mix):
        for one, other in zip(a.split(rows), b.split(rows), strict=True):
            x = torch.lerp(one, other, share) if layer is None else torch.cat([one, other])
            parts.append({name: h[: len(one)] for name, h in _passed(subject, x).items()})

    return _joined(parts)


def _passed(subject: Subject, x: Inputs) -> dict[str, Tensor]:
    outputs, pairs = passed(subject.model, subject.layers, x)
    found = {name: pair.outputs.mean(dim=1) for name, pair in pairs.items()}
    if x.is_floating_point() and x[0].numel() <= MOST_FEATURES:
        found = {"inputs": x.flatten(1), **found}
    if outputs[0].numel() <= MOST_FEATURES:
        found["outputs"] = outputs.flatten(1)

    return found


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Vectors]:
    found = {}
    for name in parts[0]:
        found[name] = torch.cat([part[name] for part in parts]).cpu().double().numpy()
        if not np.isfinite(found[name]).all():
            raise Unsuitable(
                f"what {name} gives must be finite, it is not: train with a lower rate"
            )

    return found


def difference(t: Points, s: Points | float, periodic: bool) -> Points:
    """Returns t − s, on a circle of length 1 the short way round, in [−½, ½)."""

    d = np.asarray(t - s)

    return (d + 0.5) % 1 - 0.5 if periodic else d


def centre(t: Float[np.ndarray, " n"], periodic: bool) -> float:
    """Returns the mean direction of points on a circle of length 1; the median on a line."""

    return float(np.angle(np.exp(2j * pi * t).mean()) / (2 * pi) if periodic else np.median(t))


def interval(values: Float[np.ndarray, " n"]) -> dict[str, float]:
    """Returns value, low and high: the mean of independent values with its 95 % interval."""

    mean = float(values.mean())
    around = NORMAL_95 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else nan

    return {"value": mean, "low": mean - around, "high": mean + around}
