"""What a probe is given, and what it gives back."""

__all__ = ["Probe", "Subject", "recorded"]

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from jaxtyping import Shaped
from torch import Generator, Tensor, nn

from ..activations import activations_of
from ..records import Rows, Schema
from ..training import Objective, rows_at_once


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, samples to put to it, and the randomness a probe may use.

    Arguments:
        model: The network.
        x: Inputs that it was not trained on.
        y: Their targets.
        objective: What it was trained for.
        generator: A CPU generator of the probe's own.
    """

    model: nn.Module
    x: Shaped[Tensor, " samples *inputs"]
    y: Shaped[Tensor, " samples *outputs"]
    objective: Objective
    generator: Generator

    @property
    def activations(self) -> dict[str, nn.Module]:
        """The activations of the network by their path in it, from input to output."""

        return activations_of(self.model)

    def outputs(self, x: Shaped[Tensor, " samples *inputs"]) -> Tensor:
        """Returns what the network gives for samples, sent through it some at a time."""

        return torch.cat([self.model(part) for part in x.split(rows_at_once(x))])


class Probe(Protocol):
    """A frozen dataclass whose fields are its settings and whose call is the measurement."""

    schema: ClassVar[Schema]
    """The columns of the rows, and their types."""

    def __call__(self, subject: Subject) -> Rows:
        """Measures a network."""
        ...

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the few numbers of the rows that a table of runs should show."""
        ...


@contextmanager
def recorded(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, tuple[Tensor, Tensor]]]:
    """Records what goes into and out of modules while the context lasts, by their names.

    Of a module that is called several times, as a recurrent one at each step, all calls come one
    after the other along the first axis.
    """

    seen: dict[str, tuple[Tensor, Tensor]] = {}

    def keep(name: str):
        def hook(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
            new = (args[0], out)
            before = seen.get(name)
            seen[name] = (
                new if before is None else (_after(before[0], new[0]), _after(before[1], new[1]))
            )

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        with torch.no_grad():
            yield seen
    finally:
        for handle in handles:
            handle.remove()


def _after(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a, b])
