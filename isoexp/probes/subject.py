"""The contract of a probe: the subject that it is given, and the rows that it gives back."""

__all__ = ["Over", "Probe", "Refit", "Subject", "Unsuitable", "batches", "chosen", "in_batches"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Generator, Tensor, nn

from ..data import Factor
from ..errors import UserError
from ..store.tables import Rows, Schema
from ..training import Objective, rows_at_once
from .layers import Layer, Pair, find_layers, passed

Inputs = Shaped[Tensor, " samples *inputs"]

Refit = Callable[[Sequence[nn.Module], int, float], list[nn.Module]]
"""Trains copies of networks as one: so many updates more, at that share of the learning rate."""

Over = Literal["training", "ends", "trained"]
"""The networks of a run that a probe measures, see `Probe`."""


class Unsuitable(UserError):
    """A probe cannot measure this network, or not from what is known of it."""


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, samples to put to it, and the randomness a probe may use.

    Arguments:
        x, y: Inputs that it was not trained on, and their targets, if known.
        objective: The objective that it was trained for, if known.
        generator: A CPU generator of the probe's own.
        name: Its name, where networks are told apart.
        train: Inputs and targets that it was trained on.
        factors: The continuous factors behind x, by name.
        twin: A network trained alike from another seed, with samples of its own.
        modules: The modules to look at, by name; the activations, unless given.
        seen: The inputs and outputs of layers for x, as of `passed`, if they are known already.
    """

    model: nn.Module
    x: Inputs
    y: Shaped[Tensor, " samples *outputs"] | None
    objective: Objective | None
    generator: Generator
    name: str = ""
    train: tuple[Tensor, Tensor] | None = None
    factors: Mapping[str, Factor] = field(default_factory=dict)
    twin: "Subject | None" = None
    refit: Refit | None = None
    modules: Mapping[str, nn.Module] | None = None
    seen: Mapping[str, Pair] | None = None

    @cached_property
    def layers(self) -> dict[str, Layer]:
        """The layers by name, in the order in which a sample meets them; Unsuitable if none."""

        found = find_layers(self.model, self.x[:2], self.modules)
        if not found and self.modules is not None:
            raise Unsuitable(
                f"{', '.join(self.modules) or 'a module'} must be called by the network, with a "
                "tensor and for a tensor: name other modules"
            )
        if not found:
            raise Unsuitable(
                "there is no activation among the modules of the network (a function called in "
                "forward cannot be seen): name modules to look at"
            )

        return found

    @property
    def task(self) -> tuple[Tensor, Objective]:
        """The targets and the objective of the network; Unsuitable if they are not known."""

        if self.y is None or self.objective is None:
            raise Unsuitable("targets must be given: answers are compared with them")

        return self.y, self.objective

    def outputs(self, x: Inputs) -> Tensor:
        return in_batches(self.model, x)

    def stream(self, x: Inputs | None = None) -> Iterator[dict[str, Pair]]:
        """Yields the inputs and outputs of layers, (vectors, features), batch by batch.

        Memory does not grow with the number of samples. The samples are x, if given, else the
        subject's own; so in `vectors` and `embeddings`.
        """

        for pairs in self._passes(x):
            yield {name: Pair(*(t.flatten(0, 1) for t in pair)) for name, pair in pairs.items()}

    def vectors(self, most: int, x: Inputs | None = None) -> dict[str, Pair]:
        """Returns the inputs and outputs of each layer, or an even draw of `most` vectors."""

        kept: dict[str, Pair] = {}
        keys: dict[str, Tensor] = {}
        for pairs in self.stream(x):
            for name, pair in pairs.items():
                if len(pair.inputs) != len(pair.outputs):
                    raise Unsuitable(
                        f"{name} must give a vector for each that it takes, "
                        f"got {len(pair.outputs)} for {len(pair.inputs)}"
                    )
                key = torch.rand(len(pair.inputs), generator=self.generator)
                if name in kept:
                    pair = Pair(*map(torch.cat, zip(kept[name], pair, strict=True)))
                    key = torch.cat([keys[name], key])
                first = key.argsort(descending=True)[:most].sort().values
                keys[name] = key[first]
                kept[name] = Pair(*(t[first.to(t.device)] for t in pair))

        return kept

    def embeddings(self, x: Inputs | None = None) -> dict[str, Float[Tensor, "samples m"]]:
        """Returns the outputs of each layer, the mean over the positions or steps of a sample."""

        parts: dict[str, list[Tensor]] = {}
        for pairs in self._passes(x):
            for name, pair in pairs.items():
                parts.setdefault(name, []).append(pair.outputs.mean(dim=1))

        return {name: torch.cat(each) for name, each in parts.items()}

    def _passes(self, x: Inputs | None) -> Iterator[Mapping[str, Pair]]:
        if x is None and self.seen is not None:
            yield self.seen
            return

        for (part,) in batches(self.x if x is None else x):
            yield passed(self.model, self.layers, part)[1]


def batches(*tensors: Shaped[Tensor, "samples ..."]) -> Iterator[tuple[Tensor, ...]]:
    """Yields the same samples of several tensors, as many at a time as the first should be sent."""

    rows = rows_at_once(tensors[0])

    return zip(*(t.split(rows) for t in tensors), strict=True)


def in_batches(f: Callable[[Tensor], Tensor], x: Inputs) -> Shaped[Tensor, " samples *outputs"]:
    return torch.cat([f(part) for (part,) in batches(x)])


def chosen(count: int, most: int, generator: Generator) -> Int[Tensor, " chosen"]:
    """Returns the ordered indices of all of `count` samples, or of an even draw of `most`."""

    return torch.randperm(count, generator=generator)[:most].sort().values


@runtime_checkable
class Probe(Protocol):
    """A frozen dataclass whose fields are its settings and whose call is the measurement.

    Three class attributes may be added. `over` says which networks of a run it measures: "training"
    for the untrained one, the snapshots and the trained one, "ends" for the first and the last
    (unless it says so), "trained" for the last alone. `needs` says what must be made for it:
    frozenset({"twin"}). `figure` names its drawer, a function draw(table, figure) in a module that
    imports no torch: "isoexp.figures.refraction:draw".
    """

    schema: ClassVar[Schema]
    """The columns of the rows, and their types."""

    def __call__(self, subject: Subject) -> Rows:
        """Measures a network; raises Unsuitable if it cannot."""
        ...

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the few numbers of the rows that a table of runs should show."""
        ...
