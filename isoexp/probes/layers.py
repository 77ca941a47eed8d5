"""The layers of a network as probes see them: maps of vectors, wherever the vectors lie.

Every activation is a layer, ours or torch's. Its tensors are taken apart into vectors of features:
each position of a picture and each step of a sequence has a vector of its own.
"""

__all__ = ["Layer", "Pair", "conjugated", "find_layers", "hooked", "passed"]

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    """The inputs and the outputs of a layer, vectors along the last axis."""

    inputs: Float[Tensor, "*vectors n"]
    outputs: Float[Tensor, "*vectors m"]


@dataclass(frozen=True)
class Layer:
    """A module of a network as a map of vectors, R^n → R^m.

    Arguments:
        name: The path of the module. A module that is called with several widths is a layer for
            each, the others than the first by the name path:n.
        module: The module.
        axis: The axis of the features in its tensors, counted from the end.
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

    def meets(self, module: nn.Module, x: Shaped[Tensor, "*shape"]) -> bool:
        """Whether a call module(x) is one of this layer's: of its module, with its width."""

        return module is self.module and x.shape[self.axis] == self.width

    def turned(self, t: Shaped[Tensor, "*shape"], R: Float[Tensor, "n n"]) -> Tensor:
        """Returns a tensor of the layer with each of its vectors v replaced by R v."""

        return (t.movedim(self.axis, -1) @ R.to(t).mT).movedim(-1, self.axis)


@contextmanager
def hooked(
    modules: Iterable[nn.Module],
    before: Callable[..., Any] | None = None,
    after: Callable[..., Any] | None = None,
    **options: bool,
) -> Iterator[None]:
    """Registers forward hooks of modules while the context lasts, before and after their calls.

    The options are those with which PyTorch registers hooks, as with_kwargs.
    """

    with ExitStack() as stack:
        for module in modules:
            if before is not None:
                stack.callback(module.register_forward_pre_hook(before, **options).remove)
            if after is not None:
                stack.callback(module.register_forward_hook(after, **options).remove)
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

    Arguments:
        model: The network.
        x: A few samples to send through it.
        modules: The modules by name; the activations, unless given.
    """

    chosen = activations_of(model) if modules is None else modules
    look = _Look({module: name for name, module in chosen.items()})
    with hooked(model.modules(), after=look.after):
        model(x)

    return look.found


class _Look:
    """Finds the layers of named modules while a sample passes through the network."""

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
    """Sends samples through a network; returns its outputs, and the inputs and outputs of layers.

    The latter have the shape (samples, places, features): places are the positions of a picture,
    the steps of a sequence, and the calls of a module that is called several times.
    """

    record = _Record(layers, len(x))
    with hooked({layer.module for layer in layers.values()}, record.before, record.after):
        outputs = model(x)

    return outputs, {
        name: calls[0]
        if len(calls) == 1
        else Pair(*(torch.cat(t, dim=1) for t in zip(*calls, strict=True)))
        for name, calls in record.calls.items()
        if calls
    }


class _Record:
    """Keeps the inputs and outputs of layers while samples pass through the network."""

    def __init__(self, layers: Mapping[str, Layer], samples: int) -> None:
        self.layers, self.samples = layers, samples
        self.calls: dict[str, list[Pair]] = {name: [] for name in layers}
        self.taken: dict[nn.Module, Tensor] = {}

    def before(self, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.taken[module] = args[0].clone() if _in_place(module) else args[0]

    def after(self, module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        z = self.taken.pop(module)
        for name, layer in self.layers.items():
            if layer.meets(module, z):
                pair = (_vectors(t, layer.axis, self.samples) for t in (z, out.clone()))
                self.calls[name].append(Pair(*pair))


@contextmanager
def conjugated(layers: Sequence[Layer], matrices: Sequence[Float[Tensor, "_ _"]]) -> Iterator[None]:
    """Has layers act in another basis while the context lasts: f becomes R⁻¹ f(R ·).

    A layer that commutes with R stays as it is, and the network with it. The network is the one
    whose weights before and after the layer are turned by R instead (Eqn 15), whether or not there
    are such weights.
    """

    with ExitStack() as stack:
        for layer, R in zip(layers, matrices, strict=True):
            turn = _Turn(layer, R, torch.linalg.inv(R))
            stack.enter_context(hooked([layer.module], turn.before, turn.after))
        yield


class _Turn(NamedTuple):
    """R before a layer, and R⁻¹ behind it."""

    layer: Layer
    R: Float[Tensor, "n n"]
    inverse: Float[Tensor, "n n"]

    def before(self, module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if not self.layer.meets(module, args[0]):
            return args

        return self.layer.turned(args[0], self.R), *args[1:]

    def after(self, module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        return self.layer.turned(out, self.inverse) if self.layer.meets(module, args[0]) else out


def _axis(module: nn.Module) -> int | None:
    """Returns the axis, 1 or −1, along which a linear map or norm puts features; else None."""

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
