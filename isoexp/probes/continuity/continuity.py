"""Continuity: whether a factor that varies continuously is represented so, or in lumps.

Anisotropic functions are expected to draw representations to a few directions and so to turn
continuous semantics into discrete ones; isotropic functions leave them be (Bird 2025, Sec. 2.3).
With t a factor in shares of its period, or of its range, a linear decoder is fitted at each place
of a network,

    A h + a  ≈  (cos 2πt, sin 2πt) or t,    t̂ = arg(ĉ + i ŝ) / 2π, or the value itself,

by ridge regression on half of the samples; every measure of t̂ is taken on the other half. Linear
decoders do not depend on the basis: the axes enter at the limit angle alone.
"""

__all__ = ["Continuity"]

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int

from ...store.tables import Rows, Schema
from ..arguments import check_least
from ..rows import Columns
from ..statistics import mean
from ..subject import Over, Subject
from . import decoding
from .decoding import Decoder, Track, Vectors
from .lumps import lumps
from .paths import path


@dataclass(frozen=True)
class Continuity:
    """Measures how each factor of the samples is represented at each place of a network.

    Places are the inputs, the outputs of each activation (the mean over positions or steps), and
    the outputs of the network. Beside the value of a measure stand null, its value where there is
    nothing to find, and null_high, which is exceeded in one case of twenty then. low and high are
    the 95 % interval of the value.

    - `decode_r2`: the R² of the decoder on samples that it was not fitted to; null 0.
    - `decode_error`: the mean |t̂ − t| over the same for the best constant; null 1.
    - `gap`: the largest gap between neighbouring t̂ over its mean for as many uniform points.
    - `clusters`: into how many t̂ fall, parted by gaps wider than chance has them; null 1.
    - `levels`: |E exp(2πi m t̂)|, at m, less its mean when errors are dealt to other samples: 1 if
      all t̂ are on m equal levels; the null is for one such deal.
    - `interpolation_error`: the network goes on from (1 − λ) h_a + λ h_b, for samples a and b that
      are `separation` apart, give or take a third. The mean distance of t̂ from
      t_a + λ (t_b − t_a), decoded at `read`, the later place with the best decoder, over the
      distance of the best constant, at λ; null: the same at λ = 0 and 1, of samples as they are.
    - `path_share`: the share of the variance of h along the path E[h | t]; null 0.
    - `jump`: the largest squared step of that path from bin to bin over their mean: 1 at constant
      speed, the steps over m if it rests on m levels.
    - `limit_angle_rad`: the mean angle of E[h | t] − E[h] to the nearest direction with entries
      −1, 0, 1, a limit point of an elementwise tanh (Eqn 6); null, and the rows of the random
      basis: in Haar-random bases. A path that leans on the axes is below the null.

    For gap and clusters t̂ is measured by the distribution it would have if its errors were dealt to
    other samples: the errors of a faithful t̂ do not depend on t. Measures are NaN where there is
    nothing to measure: lumps where R² is below ½, the way between samples where R² is not above 0,
    a path whose share is not above 0. Noise in t̂ hides fine levels: see decode_error beside them.

    Cost: 0.5 s for an MLP on 2,000 pictures of 16×16, most of it for the decoders of the inputs;
    otherwise two passes of `pairs` samples for each place and step.

    Arguments:
        samples: The largest number of samples, drawn evenly.
        levels: The largest number of levels m.
        pairs: The number of pairs of samples, before those too near or too far apart are left out.
        separation: The distance of the pairs, as a share of the period or the range.
        steps: The number of steps from λ = 0 to 1.
    """

    samples: int = 2000
    levels: int = 12
    bins: int = 12
    pairs: int = 1000
    separation: float = 0.25
    steps: int = 2
    bases: int = 32

    over: ClassVar[Over] = "ends"
    figure: ClassVar[str] = "isoexp.figures.continuity:draw"
    schema: ClassVar[Schema] = {
        "layer": str, "factor": str, "measure": str, "basis": str, "read": str, "at": float,
        "value": float, "low": float, "high": float, "null": float, "null_high": float, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_least(self, samples=16, levels=1, bins=3, pairs=1, steps=2, bases=2)
        if not 0 < self.separation <= 0.375:
            raise ValueError(
                f"separation must be positive and at most 3/8, got {self.separation:g}: with a "
                "third more, the way from a to b is half a turn"
            )

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        chosen = torch.randperm(len(subject.x), generator=subject.generator)[: self.samples]
        seed = torch.randint(2**62, (), generator=subject.generator)
        rng = np.random.default_rng(int(seed))

        factors = decoding.tracks(subject, chosen)
        x = subject.x[chosen.to(subject.x.device)]
        half = len(x) // 2
        places = decoding.seen(subject, x)

        rows = Columns(self.schema)
        first, rest = (
            {name: each._replace(t=each.t[part]) for name, each in factors.items()}
            for part in (slice(half), slice(half, None))
        )
        readers: dict[str, dict[str, Decoder]] = {place: {} for place in places}
        for place, h in places.items():
            for name, decoder in decoding.decoders(h[:half], first).items():
                add = partial(rows.add, layer=place, factor=name, basis="any", read=place)
                reader = decoding.scored(add, decoder, h[half:], rest[name])
                lumps(add, reader, h[half:], rest[name], self.levels, rng)
                path(add, h, factors[name], self.bins, self.bases, rng)
                readers[place][name] = reader

        pairs = [rng.integers(len(x) - half, size=self.pairs) for _ in range(2)]
        ends = [{place: h[half:][index] for place, h in places.items()} for index in pairs]
        samples = [x[half:][torch.from_numpy(index).to(x.device)] for index in pairs]
        for i, place in enumerate([*places][:-1]):
            mixed = partial(decoding.mixed, subject, place, *samples)
            passes = [ends[0], *(mixed(k / self.steps) for k in range(1, self.steps)), ends[1]]
            later = {k: readers[k] for k in [*places][i + 1 :]}
            self._interpolated(rows, place, passes, rest, later, pairs)

        return rows

    def _interpolated(
        self,
        rows: Columns,
        place: str,
        passes: Sequence[Mapping[str, Vectors]],
        factors: Mapping[str, Track],
        readers: Mapping[str, Mapping[str, Decoder]],
        pairs: Sequence[Int[np.ndarray, " pairs"]],
    ) -> None:
        """Adds what decoders behind a place read, as the network goes from one sample to another.

        The same pairs serve all factors; for each factor those count that are far enough apart.
        """

        a, b = pairs
        for name, (t, periodic) in factors.items():
            read = max(readers, key=lambda later: readers[later][name].r2)
            reader, chance = readers[read][name], factors[name].chance
            apart = decoding.difference(t[b], t[a], periodic)
            of = abs(abs(apart) / self.separation - 1) <= 1 / 3

            off = np.full((len(passes), max(1, of.sum())), nan)
            for k, h in enumerate(passes if of.any() and reader.decodes else ()):
                expected = t[a][of] + k / self.steps * apart[of]
                off[k] = abs(decoding.difference(reader(h[read][of]), expected, periodic)) / chance

            for k in range(1, self.steps):
                at, null = k / self.steps, off[[0, -1]].mean()
                where = {"layer": place, "factor": name, "basis": "any", "read": read, "at": at}
                found = {"measure": "interpolation_error", "null": null, "n": of.sum()}
                rows.add(**where, **found, **decoding.interval(off[k]))

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns means over hidden layers and factors, of the values that are not NaN.

        They are R², the largest ρ_m − null_high for m ≥ 2, the jump, the interpolation error half
        way over its null, and the limit angle less its null.
        """

        found = defaultdict(list)
        for each in zip(*rows.values(), strict=True):
            row = dict(zip(rows, each, strict=True))
            hidden = row["layer"] not in ("inputs", "outputs") and row["basis"] != "random"
            if hidden and row["value"] == row["value"]:
                found[row["measure"]].append(row)

        levels: dict[tuple[str, str], float] = {}
        for row in found["levels"]:
            if row["at"] >= 2:
                key = row["layer"], row["factor"]
                levels[key] = max(levels.get(key, 0.0), row["value"] - row["null_high"])
        ways = [r for r in found["interpolation_error"] if r["at"] == 0.5 and r["null"] > 0]
        angles = found["limit_angle_rad"]

        return {
            "decode_r2": mean([row["value"] for row in found["decode_r2"]]),
            "levels": mean(list(levels.values())),
            "jump": mean([row["value"] for row in found["jump"]]),
            "interpolation_ratio": mean([row["value"] / row["null"] for row in ways]),
            "limit_angle_rad_off_random": mean([row["value"] - row["null"] for row in angles]),
        }
