"""The layers of a network as probes see them: maps of vectors, wherever the vectors lie.

Every activation is a layer, ours or torch's. Its tensors are taken apart into vectors of features:
each position of a picture and each step of a sequence has a vector of its own.
"""

__all__ = [
    "Call", "Layer", "Pair", "conjugated", "find_layers", "hooked", "passed", "replaced",
    "tensor_of",
]  # fmt: skip

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from ..activations import Activation, activations_of
from ..models.blocks import Convolution


class Pair(NamedTuple):
    """The inputs and the outputs of a layer, vectors along the last axis."""

    inputs: Float[Tensor, "*vectors n"]
    outputs: Float[Tensor, "*vectors m"]


@dataclass(frozen=True)
class Layer:
    """A module of a network as a map of vectors, R^n → R^m.

    Arguments:
        name: The path of the module. A module that is called with several widths is a layer for
            each, the others than the first by the name path:n.
        axis: The axis of the features in its tensors, counted from the end.
        width: The number n of features that go in.
    """

    name: str
    module: nn.Module
    axis: int
    width: int

    def __call__(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        rows = x.reshape(-1, x.shape[-1])
        y = tensor_of(self.module(rows.clone() if _in_place(self.module) else rows))
        if y is None or y.shape[:1] != rows.shape[:1]:
            raise TypeError("it gives no vector for each that it takes")

        return y.reshape(*x.shape[:-1], y.shape[-1])

    def meets(self, module: nn.Module, x: Shaped[Tensor, "*shape"]) -> bool:
        """Whether a call module(x) is one of this layer's: of its module, with its width."""

        return module is self.module and x.dim() >= -self.axis and x.shape[self.axis] == self.width

    def turned(self, t: Shaped[Tensor, "*shape"], R: Float[Tensor, "n n"]) -> Tensor:
        """Returns a tensor of the layer with each of its vectors v replaced by R v."""

        return (t.movedim(self.axis, -1) @ R.to(t).mT).movedim(-1, self.axis)


class Call(NamedTuple):
    """A call of a module, by one tensor that it takes and one that it gives, however it does so.

    x is the first tensor among its arguments, those by name included, and y the first of its
    output, which may be a tuple, as of nn.LSTM, or a mapping, as of transformers.
    """

    module: nn.Module
    args: tuple[Any, ...]
    named: dict[str, Any]
    x: Tensor
    y: Tensor

    def given(self, t: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the arguments with t in the place of x."""

        if tensor_of(self.args) is not None:
            return replaced(self.args, t), self.named

        return self.args, replaced(self.named, t)

    def again(self, t: Tensor) -> Tensor:
        """Returns what the module gives for t in the place of x; no hook is called."""

        args, named = self.given(t)
        y = tensor_of(self.module.forward(*args, **named))

        return self.y if y is None else y


def tensor_of(given: Any) -> Tensor | None:
    """Returns a tensor, or the first in a tuple, list or mapping; None if there is none."""

    if isinstance(given, Tensor):
        return given
    if not isinstance(given, tuple | list | Mapping):
        return None
    parts = given.values() if isinstance(given, Mapping) else given
    found = (tensor_of(part) for part in parts)

    return next((t for t in found if t is not None), None)


def replaced(given: Any, t: Tensor) -> Any:
    """Returns what is given with t in the place of `tensor_of`."""

    if isinstance(given, Tensor):
        return t
    parts: Any = copy(given) if isinstance(given, Mapping) else list(given)
    keys = given if isinstance(given, Mapping) else range(len(given))
    key = next(key for key in keys if tensor_of(given[key]) is not None)
    parts[key] = replaced(given[key], t)
    if isinstance(given, Mapping):
        return parts

    kind: Any = type(given)

    return kind(*parts) if hasattr(given, "_fields") else kind(parts)


@contextmanager
def hooked(
    modules: Iterable[nn.Module],
    before: Callable[[Call], Tensor | None] | None = None,
    after: Callable[[Call], Tensor | None] | None = None,
) -> Iterator[None]:
    """Has calls of modules seen while the context lasts, and x or y replaced by what is returned.

    Calls that take or give no tensor are not seen; `before` is given x in the place of y.
    """

    def enter(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        x = tensor_of((args, named))
        if x is None or before is None:
            return None
        call = Call(module, args, named, x, x)
        t = before(call)

        return None if t is None else call.given(t)

    def leave(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], out: Any) -> Any:
        x, y = tensor_of((args, named)), tensor_of(out)
        if x is None or y is None or after is None:
            return None
        t = after(Call(module, args, named, x, y))

        return None if t is None else replaced(out, t)

    with ExitStack() as stack:
        for module in modules:
            if before is not None:
                stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
            if after is not None:
                stack.callback(module.register_forward_hook(leave, with_kwargs=True).remove)
        yield


@torch.no_grad()
def find_layers(
    model: nn.Module,
    x: Shaped[Tensor, " samples *inputs"],
    modules: Mapping[str, nn.Module] | None = None,
) -> dict[str, Layer]:
    """Returns the layers of a network by name, in the order in which a sample meets them.

    Samples lie along the first axis, features along the last. Behind torch's own convolutions and
    batch norms features lie where those put them, as channels. A module that is called several
    times with one width is one layer, of all its calls.

    `x` are a few samples to send through it; the modules are its activations, unless given.
    """

    chosen = activations_of(model) if modules is None else modules
    names = {module: name for name, module in chosen.items()}
    found: dict[str, Layer] = {}
    last_axis = -1

    def look(call: Call) -> None:
        nonlocal last_axis
        module, x = call.module, call.x
        if isinstance(module, Convolution | nn.Linear | nn.LayerNorm):
            last_axis = -1
        elif isinstance(module, _ConvNd | _BatchNorm):
            last_axis = 1
        if module not in names or not x.dim():
            return

        plain = isinstance(module, Activation) or x.dim() < 3 or last_axis == -1
        axis = -1 if plain else 1 - x.dim()
        name, width = names[module], x.shape[axis]
        if name in found and found[name].width != width:
            name = f"{name}:{width}"
        found.setdefault(name, Layer(name, module, axis, width))

    with hooked(model.modules(), after=look):
        model(x)

    return found


@torch.no_grad()
def passed(
    model: Callable[[Tensor], Tensor],
    layers: Mapping[str, Layer],
    x: Shaped[Tensor, " samples *inputs"],
) -> tuple[Shaped[Tensor, " samples *outputs"], dict[str, Pair]]:
    """Sends samples through a network; returns its outputs, and the inputs and outputs of layers.

    The latter have the shape (samples, places, features): places are the positions of a picture,
    the steps of a sequence, and the calls of a module that is called several times.
    """

    calls: dict[str, list[Pair]] = {name: [] for name in layers}
    taken: dict[nn.Module, Tensor] = {}

    def before(call: Call) -> None:
        taken[call.module] = call.x.clone() if _in_place(call.module) else call.x

    def after(call: Call) -> None:
        z = taken.pop(call.module)
        for name, layer in layers.items():
            if layer.meets(call.module, z):
                pair = (_vectors(t, layer.axis, len(x)) for t in (z, call.y.clone()))
                calls[name].append(Pair(*pair))

    with hooked({layer.module for layer in layers.values()}, before, after):
        outputs = model(x)

    return outputs, {
        name: pairs[0]
        if len(pairs) == 1
        else Pair(*(torch.cat(t, dim=1) for t in zip(*pairs, strict=True)))
        for name, pairs in calls.items()
        if pairs
    }


@contextmanager
def conjugated(layers: Sequence[Layer], matrices: Sequence[Float[Tensor, "_ _"]]) -> Iterator[None]:
    """Has layers act in another basis while the context lasts: f becomes R⁻¹ f(R ·).

    A layer that commutes with R stays as it is. The network becomes the one whose weights before
    and after the layer are turned by R instead (Eqn 15), whether or not there are such weights.
    """

    with ExitStack() as stack:
        for layer, R in zip(layers, matrices, strict=True):
            stack.enter_context(_conjugated(layer, R))
        yield


def _conjugated(layer: Layer, R: Float[Tensor, "n n"]) -> AbstractContextManager[None]:
    inverse = torch.linalg.inv(R)

    def before(call: Call) -> Tensor | None:
        return layer.turned(call.x, R) if layer.meets(call.module, call.x) else None

    def after(call: Call) -> Tensor | None:
        return layer.turned(call.y, inverse) if layer.meets(call.module, call.x) else None

    return hooked([layer.module], before, after)


def _in_place(module: nn.Module) -> bool:
    return bool(getattr(module, "inplace", False))


def _vectors(t: Float[Tensor, "..."], axis: int, samples: int) -> Float[Tensor, "samples places n"]:
    t = t.movedim(axis, -1)

    return t.reshape(samples if t.shape[0] % samples == 0 else 1, -1, t.shape[-1])
