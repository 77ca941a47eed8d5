"""Alignment: whether representations lean on the axes of their layer.

For x̂ uniform on the unit sphere of R^n a coordinate x̂·ê_i has the density

    p(t) = (1 − t²)^((n − 3)/2) / B(½, (n − 1)/2),

the exact null. Representations are never uniform, so the departure from it in the standard basis
is read against that of the same data in Haar-random bases: only a difference between the two
speaks of the axes (Bird 2025, Secs. 1 and 2.3).

The optimizer is a confounder: Adam and its kin normalise each coordinate and leave an imprint of
the standard basis on exactly isotropic networks; SGD does not.
"""

__all__ = ["Alignment"]

from dataclasses import dataclass
from math import nan
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float

from ..geometry import coordinate_cdf, random_orthogonal, unit
from ..records import Rows, Schema
from .subject import Subject, recorded


@dataclass(frozen=True)
class Alignment:
    """Histograms of the coordinates x̂·ê_i of what each activation hands on, against the null.

    In the `random` basis the fraction is the mean over Haar-random bases and fraction_sd its
    standard deviation over them. Zero vectors have no direction: they are left out and counted.

    Arguments:
        bins: The number of bins of [−1, 1].
        bases: The number of random bases.
    """

    bins: int = 61
    bases: int = 8

    schema: ClassVar[Schema] = {
        "layer": str,
        "width": int,
        "basis": str,
        "bin_left": float,
        "bin_right": float,
        "fraction": float,
        "fraction_sd": float,
        "null_fraction": float,
        "undefined_fraction": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if self.bins < 2 or self.bases < 2:
            raise ValueError(f"bins and bases must be at least 2, got {self.bins} and {self.bases}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        edges = np.linspace(-1, 1, self.bins + 1)
        with recorded(subject.activations) as seen:
            subject.outputs(subject.x)

        rows: Rows = {name: [] for name in self.schema}
        for layer in subject.activations:
            x = seen[layer][1].double().cpu().flatten(0, -2)
            directions = unit(x[x.abs().amax(dim=-1) > 0]).numpy()
            n = directions.shape[1]

            null = np.diff(coordinate_cdf(edges, n))
            null[0] += coordinate_cdf(edges[:1], n)[0]  # n = 1 puts a point on the left edge
            rotated = np.stack(
                [
                    _fractions(directions @ random_orthogonal(n, subject.generator).numpy(), edges)
                    for _ in range(self.bases)
                ]
            )
            by_basis = {
                "standard": (_fractions(directions, edges), np.full(self.bins, nan)),
                "random": (rotated.mean(axis=0), rotated.std(axis=0, ddof=1)),
            }

            for basis, (fraction, sd) in by_basis.items():
                rows["layer"] += [layer] * self.bins
                rows["width"] += [n] * self.bins
                rows["basis"] += [basis] * self.bins
                rows["bin_left"] += edges[:-1].tolist()
                rows["bin_right"] += edges[1:].tolist()
                rows["fraction"] += fraction.tolist()
                rows["fraction_sd"] += sd.tolist()
                rows["null_fraction"] += null.tolist()
                rows["undefined_fraction"] += [1 - len(directions) / max(len(x), 1)] * self.bins
                rows["n"] += [len(x)] * self.bins

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the total variation distance to the null, in both bases, mean over layers.

        It is ½ Σ |fraction − null|, between 0 and 1.
        """

        layers = len(set(rows["layer"]))
        distance = {"standard": 0.0, "random": 0.0} if layers else {"standard": nan, "random": nan}
        for basis, p, q in zip(rows["basis"], rows["fraction"], rows["null_fraction"], strict=True):
            distance[basis] += abs(p - q) / 2 / layers

        return {f"distance_{basis}": value for basis, value in distance.items()}


def _fractions(
    directions: Float[np.ndarray, "samples n"], edges: Float[np.ndarray, " edges"]
) -> Float[np.ndarray, " bins"]:
    """Returns the share of all coordinates that fall in each bin."""

    counts, _ = np.histogram(np.clip(directions, -1, 1), edges)

    return counts / max(directions.size, 1)
