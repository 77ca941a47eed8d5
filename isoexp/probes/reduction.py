"""Reduction: an isotropic layer has no use for more features than the layer before can fill.

If f is isotropic, f(U z) = U f(z) for a U of orthonormal columns. Layer i therefore needs the range
of its affine map alone: with singular vectors U_i of that range,

    [b_i  W_i U_{i−1}] = U_i [b'_i  W'_i],    n'_i = rank ≤ min(n_i, n'_{i−1} + 1),

and U_i f(W'_i z + b'_i) is the output of layer i; the readout is W_L U_{L−1}. The function is the
same, exactly. Without biases n'_i ≤ min(n_i, n'_{i−1}). A layer that does not commute with O(n)
cannot be reduced so: the network would be another function.

Source: Ganev, van Laarhoven, Walters, Universal Approximation and Model Compression for Radial
Neural Networks (2021); their U comes from a QR decomposition, which does not see lower ranks.
"""

__all__ = ["Reduction", "Restricted", "compressed", "linear_maps", "reduced", "unrolled"]

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..activations import Activation
from .copies import ORTHOGONAL, preserves
from .junctions import Junction, agree, find_junctions
from .subject import Subject, Unsuitable


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


@dataclass(frozen=True)
class Reduction:
    """A network with fewer features: itself, and U_i of each hidden layer, on the CPU."""

    network: nn.Sequential
    bases: list[Float[Tensor, "_ _"]]


@torch.no_grad()
def compressed(subject: Subject, tolerance: float = 0.0) -> nn.Sequential:
    """Returns the network with no more features than it needs, its layers in a row.

    Layers that do not commute with rotations on the subject's samples stay as they are.

    Arguments:
        subject: The network and samples.
        tolerance: Singular values up to this share of the largest count as zero, and always up to
            rounding.

    Raises:
        Unsuitable: If the network is not linear maps and activations in a row.
    """

    junctions, row = unrolled(subject)
    free = [preserves(subject, each, ORTHOGONAL) for each in junctions]

    return reduced(row, free, tolerance).network


def unrolled(subject: Subject) -> tuple[list[Junction], nn.Sequential]:
    """Returns the junctions of a network, and its linear maps and activations in a row.

    Raises:
        Unsuitable: If these in a row are not the network.
    """

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
            y = model(x)
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
def reduced(row: nn.Sequential, free: Sequence[bool], tolerance: float) -> Reduction:
    """Returns the network of a row, as of `unrolled`, with the free hidden layers reduced.

    Singular values up to a share `tolerance` of the largest count as zero.
    """

    maps = linear_maps(row)
    forms = [row[i] for i in range(2, len(row), 2)]
    eps = torch.finfo(maps[0].weight.dtype).eps

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

    return Reduction(nn.Sequential(*modules).eval(), bases)


def _range(M: Float[Tensor, "n m"], tolerance: float) -> Float[Tensor, "n k"]:
    """Returns an orthonormal basis of the range of a matrix, one vector at least."""

    U, s, _ = torch.linalg.svd(M, full_matrices=False)

    return U[:, : max(1, int((s > tolerance * s[0]).sum()))]


def _linear(W: Float[Tensor, "n m"], b: Float[Tensor, " n"] | None, like: nn.Linear) -> nn.Linear:
    """Returns x ↦ W x + b in the precision and on the device of another map."""

    # meta: no first weights, which would draw random numbers
    linear = nn.Linear(W.shape[1], len(W), b is not None, device="meta")
    linear.weight = nn.Parameter(W.to(like.weight, copy=True))
    if b is not None:
        linear.bias = nn.Parameter(b.to(like.weight, copy=True))

    return linear
