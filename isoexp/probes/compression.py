"""Compression: how few features isotropic layers would do with, the function being the same.

    n'_i = rank [b_i  W_i U_{i−1}] ≤ min(n_i, n'_{i−1} + 1),        (reduction.py)

Layers that are wider are redundant, exactly, whatever was learnt; elementwise ones are not.
"""

__all__ = ["Compression"]

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ..store.tables import Rows, Schema
from .copies import ORTHOGONAL, preserves
from .reduction import Reduction, linear_maps, reduced, unrolled
from .rows import Columns
from .subject import Over, Subject, batches


@dataclass(frozen=True)
class Compression:
    """Measures how many features the layers need, and checks that the compressed network is equal.

    A row for each hidden layer and one for the outputs. effective_width is n'_i (the width, where f
    does not commute with O(n)); parameters are counted in the linear map before. relative_error is
    ‖U_i h'_i − h_i‖ / ‖h_i‖ over the samples, h_i the outputs of the layer; forced_error, the
    control, is the same if each layer is reduced whether it commutes or not. commutes says whether
    it does, in the row of the outputs whether all do.

    Cost: 0.02 s on the default network; singular values of each weight, and one pass.

    Arguments:
        tolerance: Singular values up to this share of the largest count as zero, and always up to
            rounding. Above rounding the compression is not exact, as the error shows.
    """

    tolerance: float = 0.0

    over: ClassVar[Over] = "ends"
    figure: ClassVar[str] = "isoexp.figures.compression:draw"
    schema: ClassVar[Schema] = {
        "layer": str,
        "width": int,
        "effective_width": int,
        "parameters": int,
        "compressed_parameters": int,
        "relative_error": float,
        "forced_error": float,
        "commutes": bool,
        "n": int,
    }

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance must be at least 0 and below 1, got {self.tolerance:g}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        junctions, row = unrolled(subject)
        free = [preserves(subject, each, ORTHOGONAL) for each in junctions]

        kept = reduced(row, free, self.tolerance)
        forced = reduced(row, [True] * len(free), self.tolerance)
        before, after = linear_maps(row), linear_maps(kept.network)

        rows = Columns(self.schema)
        rows.extend(
            layer=[*(each.layer.name for each in junctions), "outputs"],
            width=[each.out_features for each in before],
            effective_width=[each.out_features for each in after],
            parameters=[_parameters(each) for each in before],
            compressed_parameters=[_parameters(each) for each in after],
            relative_error=_errors(row, kept, subject.x),
            forced_error=_errors(row, forced, subject.x),
            commutes=[*free, all(free)],
            n=len(subject.x),
        )

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the share of parameters that is kept, and the errors of the outputs."""

        return {
            "parameters_kept": sum(rows["compressed_parameters"]) / sum(rows["parameters"]),
            "relative_error": rows["relative_error"][-1],
            "forced_error": rows["forced_error"][-1],
        }


def _parameters(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def _errors(
    row: nn.Sequential, reduction: Reduction, x: Shaped[Tensor, " samples *inputs"]
) -> list[float]:
    """Returns ‖U_i h'_i − h_i‖ / ‖h_i‖ over all samples for each hidden layer, then the outputs."""

    outputs = linear_maps(row)[-1].out_features
    bases = [*reduction.bases, torch.eye(outputs, dtype=torch.float64)]
    lost, whole = (torch.zeros(len(bases), dtype=torch.float64) for _ in range(2))
    for (part,) in batches(x):
        given = zip(_given(row, part), _given(reduction.network, part), bases, strict=True)
        for i, (h, h_, U) in enumerate(given):
            h, h_ = h.cpu().double(), h_.cpu().double()
            lost[i] += (h_ @ U.mT - h).square().sum()
            whole[i] += h.square().sum()

    return (lost / whole).sqrt().tolist()


def _given(row: nn.Sequential, x: Tensor) -> list[Tensor]:
    """Returns the outputs of each activation in a row, then of the row."""

    given = []
    for i, module in enumerate(row):
        x = module(x)
        if i and i % 2 == 0:
            given.append(x)

    return [*given, x]
