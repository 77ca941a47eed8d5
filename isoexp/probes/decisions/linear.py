"""The linear map in a chain of layers, and what the chain gives, in float64.

h_i = f_i(W_i h_{i−1} + b_i),    y = W_L h_{L−1} + b_L,    L = W_L … W_1
"""

__all__ = ["chain_outputs", "linear_part"]

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ...training import rows_at_once
from ..jacobian import exact
from ..layers import Layer


def linear_part(maps: Sequence[nn.Linear]) -> Float[Tensor, "outputs inputs"]:
    """Returns the product of the weights, the last on the left, on the CPU."""

    L = torch.eye(maps[0].in_features, dtype=torch.float64)
    for A in maps:
        L = A.weight.cpu().double() @ L

    return L


def chain_outputs(
    maps: Sequence[nn.Linear],
    functions: Sequence[Layer],
    x: Shaped[Tensor, " samples *inputs"],
) -> Float[Tensor, "samples outputs"]:
    """Returns what a chain gives of samples, on the CPU.

    Arguments:
        maps: The linear maps, W_i and b_i.
        functions: The functions between them, one fewer.
        x: The samples, flattened on the way in.
    """

    return torch.cat([_given(maps, functions, part) for part in x.split(rows_at_once(x))])


def _given(maps: Sequence[nn.Linear], functions: Sequence[Layer], x: Tensor) -> Tensor:
    h = _affine(maps[0], x.flatten(1).cpu().double())
    for layer, A in zip(functions, maps[1:], strict=True):
        f, z = exact(layer, h)
        h = _affine(A, f(z))

    return h


def _affine(A: nn.Linear, h: Float[Tensor, "samples n"]) -> Float[Tensor, "samples m"]:
    y = h @ A.weight.cpu().double().mT

    return y if A.bias is None else y + A.bias.cpu().double()
