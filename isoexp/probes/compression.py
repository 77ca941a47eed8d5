"""Compression: an isotropic layer has no use for more features than the layer before can fill.

If f is isotropic, f(U z) = U f(z) for a U of orthonormal columns. Layer i therefore needs the range
of its affine map alone: with singular vectors U_i of that range,

    [b_i  W_i U_{i−1}] = U_i [b'_i  W'_i],    n'_i = rank ≤ min(n_i, n'_{i−1} + 1),

and U_i f(W'_i z + b'_i) is the output of layer i; the readout is W_L U_{L−1}. The function is the
same, exactly, whatever was learnt. Without biases n'_i ≤ min(n_i, n'_{i−1}). A layer that does not
commute with O(n) cannot be reduced so: the network would be another function.

Source: Ganev, van Laarhoven, Walters, Universal Approximation and Model Compression for Radial
Neural Networks (2021); their U comes from a QR decomposition, which does not see lower ranks.
"""

__all__ = ["Compression", "Restricted", "compressed", "linear_maps", "unrolled"]

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..activations import Activation
from ..store.tables import Rows, Schema
from .copies import ORTHOGONAL, preserves
from .junctions import Junction, agree, answers, find_junctions
from .rows import Columns
from .subject import Over, Subject, Unsuitable, batches


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
            float64's rounding. Above it the compression is not exact, as the error shows.
    """

    tolerance: float = 0.0

    over: ClassVar[Over] = "ends"
    figure: ClassVar[str] = "isoexp.figures.compression:draw"
    schema: ClassVar[Schema] = {
        "layer": str, "width": int, "effective_width": int,
        "parameters": int, "compressed_parameters": int,
        "relative_error": float, "forced_error": float, "commutes": bool, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < 1:
            raise ValueError(f"tolerance must be at least 0 and below 1, got {self.tolerance:g}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        junctions, row = unrolled(subject)
        free = [preserves(subject, each.space, ORTHOGONAL) for each in junctions]
        kept, bases = _reduced(row, free, self.tolerance)
        forced = _reduced(row, [True] * len(free), self.tolerance)
        before, after = linear_maps(row), linear_maps(kept)

        def parameters(maps: Sequence[nn.Linear]) -> list[int]:
            return [sum(p.numel() for p in each.parameters()) for each in maps]

        rows = Columns(self.schema)
        rows.extend(
            layer=[*(each.layer.name for each in junctions), "outputs"],
            width=[each.out_features for each in before],
            effective_width=[each.out_features for each in after],
            parameters=parameters(before),
            compressed_parameters=parameters(after),
            relative_error=_errors(row, kept, bases, subject.x),
            forced_error=_errors(row, *forced, subject.x),
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


@torch.no_grad()
def compressed(subject: Subject, tolerance: float = 0.0) -> nn.Sequential:
    """Returns the network with no more features than it needs, its layers in a row.

    Layers that do not commute with rotations on the subject's samples stay as they are. Singular
    values up to the share `tolerance` of the largest count as zero, and always up to rounding.

    Raises:
        Unsuitable: If the network is not linear maps and activations in a row.
    """

    junctions, row = unrolled(subject)
    free = [preserves(subject, each.space, ORTHOGONAL) for each in junctions]

    return _reduced(row, free, tolerance)[0]


def unrolled(subject: Subject) -> tuple[list[Junction], nn.Sequential]:
    """Returns the junctions of a network that is a row of maps and activations, and that row."""

    model, x = subject.model, subject.x[:64]
    junctions = list(find_junctions(subject).values())
    ends = [(each.before, each.after) for each in junctions]
    chained = all(a[1] == b[0] for a, b in pairwise(ends))

    if chained and len(junctions) == len(subject.layers):
        maps = [model.get_submodule(path) for path in (*(a for a, _ in ends), ends[-1][1])]
        inner = [m for f, A in zip(junctions, maps[1:], strict=True) for m in (f.layer.module, A)]
        row = nn.Sequential(nn.Flatten(), maps[0], *inner)
        linear = linear_maps(row)
        if len(linear) == len(maps) and linear[0].in_features == x[0].numel():
            y = answers(model, x)
            if agree(row(x).reshape(y.shape), y):
                return junctions, row

    raise Unsuitable(
        "the network must be linear maps and activations in a row, without norms between them: "
        "model=mlp norm=none, or a Sequential of Linear and activations"
    )


def linear_maps(row: nn.Sequential) -> list[nn.Linear]:
    """Returns the linear maps of a row, the readout last."""

    return [each for each in row if isinstance(each, nn.Linear)]


@torch.no_grad()
def _reduced(
    row: nn.Sequential, free: Sequence[bool], tolerance: float
) -> tuple[nn.Sequential, list[Float[Tensor, "_ _"]]]:
    """Returns the network of a row with its free hidden layers reduced, and U_i on the CPU."""

    maps = linear_maps(row)
    forms = [row[i] for i in range(2, len(row), 2)]
    eps = torch.finfo(torch.float64).eps  # weights are numbers as they are, whatever their dtype

    U = torch.eye(maps[0].in_features, dtype=torch.float64)
    modules, bases = [row[0]], []
    for A, f, reducible in zip(maps, forms, free, strict=False):
        W = A.weight.cpu().double() @ U
        b = W.new_zeros(len(W), 0) if A.bias is None else A.bias.cpu().double()[:, None]
        M = torch.cat([b, W], dim=1)
        U = _range(M, max(tolerance, eps * max(M.shape))) if reducible else torch.eye(len(M)).to(M)
        k = U.shape[1]
        form = deepcopy(f) if k == len(U) else Restricted(k, deepcopy(f), len(U))
        modules += [_linear(U.mT @ W, None if A.bias is None else (U.mT @ b)[:, 0], A), form]
        bases.append(U)
    modules.append(_linear(maps[-1].weight.cpu().double() @ U, maps[-1].bias, maps[-1]))

    return nn.Sequential(*modules).eval(), bases


def _range(M: Float[Tensor, "n m"], tolerance: float) -> Float[Tensor, "n k"]:
    """Returns an orthonormal basis of the range of a matrix, one vector at least."""

    U, s, _ = torch.linalg.svd(M, full_matrices=False)

    return U[:, : max(1, int((s > tolerance * s[0]).sum()))]


def _linear(W: Float[Tensor, "n m"], b: Float[Tensor, " n"] | None, like: nn.Linear) -> nn.Linear:
    # meta: no first weights, which would draw random numbers
    linear = nn.Linear(W.shape[1], len(W), b is not None, device="meta")
    linear.weight = nn.Parameter(W.to(like.weight, copy=True))
    if b is not None:
        linear.bias = nn.Parameter(b.to(like.weight, copy=True))

    return linear


class Restricted(Activation):
    """A function of R^n on the span of its first k axes, which it must not leave.

    Its width is k; `form` is the function and `form_width` n, on which its profile may depend.
    """

    def __init__(self, width: int, form: nn.Module, form_width: int) -> None:
        super().__init__(width)

        self.form = form
        self.form_width = form_width

    def forward(self, x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch k"]:
        return self.form(F.pad(x, (0, self.form_width - self.width)))[..., : self.width]


def _errors(
    row: nn.Sequential, reduced: nn.Sequential, bases: Sequence[Tensor], x: Tensor
) -> list[float]:
    """Returns ‖U_i h'_i − h_i‖ / ‖h_i‖ over all samples for each hidden layer, then the outputs."""

    bases = [*bases, torch.eye(linear_maps(row)[-1].out_features, dtype=torch.float64)]
    lost, whole = (torch.zeros(len(bases), dtype=torch.float64) for _ in range(2))
    for (part,) in batches(x):
        given = zip(_given(row, part), _given(reduced, part), bases, strict=True)
        for i, (h, h_, U) in enumerate(given):
            h, h_ = h.cpu().double(), h_.cpu().double()
            lost[i] += (h_ @ U.mT - h).square().sum()
            whole[i] += h.square().sum()

    return torch.where(lost == 0, 0.0, (lost / whole).sqrt()).tolist()


def _given(row: nn.Sequential, x: Tensor) -> list[Tensor]:
    """Returns the outputs of each activation in a row, then of the row."""

    outputs = list(accumulate(row, lambda h, module: module(h), initial=x))

    return [*outputs[3::2], outputs[-1]]
