"""Commutators [g, f](x) = f(gx) − g f(x) of the layers of a network, on their own inputs x."""

__all__ = ["Action", "commutator", "errors", "norms_of", "there_and_back"]

from collections.abc import Callable, Mapping
from functools import partial
from math import nan
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ...geometry import full
from ..layers import Layer, hooked
from ..subject import Subject, batches

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
"""torch's; batch and instance norms are of the first kind."""

Map = Callable[[Float[Tensor, "*shape"]], Float[Tensor, "*shape"]]

Action = Callable[[Map, Map, Map, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From f, x ↦ gx, x ↦ g⁻¹x, x and f(x), two tensors to compare."""


def commutator(f: Map, g: Map, inverse: Map, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns f(gx) and g f(x)."""

    return f(g(x)), g(y)


def there_and_back(f: Map, g: Map, inverse: Map, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns g⁻¹g f(g⁻¹gx) and f(x), which nothing but rounding tells apart."""

    return inverse(g(f(inverse(g(x))))), y


def errors(
    subject: Subject,
    layers: Mapping[str, Layer],
    matrices: Mapping[str, Float[Tensor, "_ _"]],
    action: Action = commutator,
) -> dict[str, tuple[float, int]]:
    """Returns E‖a − b‖ / max(E‖a‖, E‖b‖) for the vectors a, b that an action makes in each layer,
    and their number; NaN where both are zero.

    The layers go from R^n to R^n; each has an orthogonal matrix g by its name.
    """

    sums = {name: torch.zeros(4, dtype=torch.float64) for name in layers}
    taken: dict[nn.Module, Tensor] = {}

    def before(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        taken[module] = args[0].clone()  # some work in place

    def after(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], y: Tensor) -> None:
        x = taken.pop(module)

        f = partial(_called, module, args[1:], named)
        for name, layer in layers.items():
            if layer.meets(module, x):
                R = matrices[name]
                g, inverse = (partial(layer.turned, R=M) for M in (R, R.mT))
                sums[name] += _compared(*action(f, g, inverse, x, y), layer.axis)

    modules = {layer.module for layer in layers.values()}
    with hooked(modules, before, after, with_kwargs=True):
        for (part,) in batches(subject.x):
            subject.model(part)

    found = {}
    for name, (difference, a, b, count) in ((k, v.tolist()) for k, v in sums.items()):
        found[name] = difference / max(a, b) if max(a, b) > 0 else nan, int(count)

    return found


def norms_of(model: nn.Module) -> dict[str, nn.Module]:
    """Returns the norms of a network by their paths: torch's, and modules named norm or …_norm.

    A norm that is the identity is left out.
    """

    found: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{outer}.") for outer in found)
        last = path.rpartition(".")[2]
        named = last == "norm" or last.endswith("_norm")
        if not inside and (named or isinstance(module, NORMS)):
            found[path] = module

    return {path: m for path, m in found.items() if not isinstance(m, nn.Identity)}


def _called(module: nn.Module, others: tuple[Any, ...], named: dict[str, Any], t: Tensor) -> Tensor:
    """Returns a module's outputs; not by module(t), which would call the hooks again."""

    return module.forward(t.clone(), *others, **named)


def _compared(a: Tensor, b: Tensor, axis: int) -> Float[Tensor, "4"]:
    """Returns Σ‖a − b‖, Σ‖a‖, Σ‖b‖ over vectors, and how many there are."""

    lengths = [torch.linalg.vector_norm(full(t), dim=axis).cpu().double() for t in (a - b, a, b)]

    return torch.stack(
        [*(each.sum() for each in lengths), torch.tensor(lengths[0].numel()).double()]
    )
