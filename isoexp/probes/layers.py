"""The layers of a network as probes see them: maps of vectors, wherever the vectors lie.

Every activation is one, ours or torch's. Its tensors are taken apart into vectors of features: of
the positions of a picture and the steps of a sequence, each is a vector of its own.
"""

__all__ = ["Layer", "Pair", "conjugated", "find_layers", "passed"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
    """What goes into a layer and what comes out, vectors along the last axis."""

    inputs: Float[Tensor, "*vectors n"]
    outputs: Float[Tensor, "*vectors m"]


@dataclass(frozen=True)
class Layer:
    """A module of a network as a map of vectors, R^n → R^m.

    Arguments:
        name: The path of the module. One that is met with several widths is a layer of each, the
            others than the first by the name path:n.
        module: The module.
        axis: Where the features lie in its tensors, counted from the end.
        width: The number n of features that go in.
    """

    name: str
    module: nn.Module
    axis: int
    width: int

    def __call__(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        rows = x.reshape(-1, x.shape[-1])
        y = self.module(rows.clone() if _in_place(self.module) else rows)

        return y.reshape(*x.shape[:-1], y.shape[-1])


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

    Arguments:
        model: The network.
        x: A few samples to send through it.
        modules: The modules by name; the activations, unless given.
    """

    chosen = activations_of(model) if modules is None else modules
    look = _Look({module: name for name, module in chosen.items()})
    handles = [module.register_forward_hook(look.after) for module in model.modules()]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()

    return look.found


class _Look:
    """What is seen of the modules by name as a sample passes through the network."""

    def __init__(self, names: Mapping[nn.Module, str]) -> None:
        self.names = names
        self.found: dict[str, Layer] = {}
        self.last_axis = -1

    def after(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        self.last_axis = _axis(module) or self.last_axis
        if module not in self.names:
            return

        plain = isinstance(module, Activation) or args[0].dim() < 3 or self.last_axis == -1
        axis = -1 if plain else 1 - args[0].dim()
        name, width = self.names[module], args[0].shape[axis]
        if name in self.found and self.found[name].width != width:
            name = f"{name}:{width}"
        self.found.setdefault(name, Layer(name, module, axis, width))


@torch.no_grad()
def passed(
    model: Callable[[Tensor], Tensor],
    layers: Mapping[str, Layer],
    x: Shaped[Tensor, " samples *inputs"],
) -> tuple[Shaped[Tensor, " samples *outputs"], dict[str, Pair]]:
    """Sends samples through a network; returns its outputs, and what its layers took and gave.

    Those have the shape (samples, places, features): the places are the positions of a picture,
    the steps of a sequence, and the calls of a module that is called several times.
    """

    record = _Record(layers, len(x))
    handles = []
    for module in {layer.module for layer in layers.values()}:
        handles.append(module.register_forward_pre_hook(record.before))
        handles.append(module.register_forward_hook(record.after))
    try:
        outputs = model(x)
    finally:
        for handle in handles:
            handle.remove()

    return outputs, {
        name: calls[0]
        if len(calls) == 1
        else Pair(*(torch.cat(t, dim=1) for t in zip(*calls, strict=True)))
        for name, calls in record.calls.items()
        if calls
    }


class _Record:
    """What layers take and give as samples pass through the network."""

    def __init__(self, layers: Mapping[str, Layer], samples: int) -> None:
        self.layers, self.samples = layers, samples
        self.calls: dict[str, list[Pair]] = {name: [] for name in layers}
        self.taken: dict[nn.Module, Tensor] = {}

    def before(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.taken[module] = args[0].clone() if _in_place(module) else args[0]

    def after(self, module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        z = self.taken.pop(module)
        for name, layer in self.layers.items():
            if layer.module is module and z.shape[layer.axis] == layer.width:
                pair = (_vectors(t, layer.axis, self.samples) for t in (z, out.clone()))
                self.calls[name].append(Pair(*pair))


@contextmanager
def conjugated(layers: Sequence[Layer], matrices: Sequence[Float[Tensor, "_ _"]]) -> Iterator[None]:
    """Has layers act in another basis while the context lasts: f becomes R⁻¹ f(R ·).

    What commutes with R is left as it is, and the network with it. So is the network whose weights
    before and after were turned by R instead (Eqn 15), without there being such weights.
    """

    with ExitStack() as stack:
        for layer, R in zip(layers, matrices, strict=True):
            turn = _Turn(layer, R, torch.linalg.inv(R))
            for handle in (
                layer.module.register_forward_pre_hook(turn.before),
                layer.module.register_forward_hook(turn.after),
            ):
                stack.callback(handle.remove)
        yield


class _Turn(NamedTuple):
    """R before a layer, and R⁻¹ behind it."""

    layer: Layer
    R: Float[Tensor, "n n"]
    inverse: Float[Tensor, "n n"]

    def before(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (self._turned(args[0], self.R), *args[1:]) if self._fits(args) else args

    def after(self, module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        return self._turned(out, self.inverse) if self._fits(args) else out

    def _fits(self, args: tuple[Tensor, ...]) -> bool:
        return args[0].shape[self.layer.axis] == self.layer.width

    def _turned(self, t: Tensor, matrix: Tensor) -> Tensor:
        axis = self.layer.axis

        return (t.movedim(axis, -1) @ matrix.to(t).mT).movedim(-1, axis)


def _axis(module: nn.Module) -> int | None:
    """Returns where a module puts features, 1 or −1, if it is one that decides."""

    if isinstance(module, Convolution | nn.Linear | nn.LayerNorm):
        return -1
    if isinstance(module, _ConvNd | _BatchNorm):
        return 1

    return None


def _in_place(module: nn.Module) -> bool:
    return bool(getattr(module, "inplace", False))


def _vectors(t: Float[Tensor, "..."], axis: int, samples: int) -> Float[Tensor, "samples places n"]:
    t = t.movedim(axis, -1)

    return t.reshape(samples if t.shape[0] % samples == 0 else 1, -1, t.shape[-1])
