"""What a probe is given, and what it gives back."""

__all__ = ["Probe", "Refit", "Subject", "Unsuitable"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Generator, Tensor, nn

from ..data import Factor
from ..errors import UserError
from ..store.tables import Rows, Schema
from ..training import Objective, rows_at_once
from .layers import Layer, Pair, find_layers, passed

Refit = Callable[[Sequence[nn.Module], int, float], list[nn.Module]]
"""Trains copies of networks as one: so many updates more, at that share of the learning rate."""


class Unsuitable(UserError):
    """A network, or what is known of it, is not what a probe can measure."""


@dataclass(frozen=True)
class Subject:
    """A network in evaluation mode, samples to put to it, and the randomness a probe may use.

    Arguments:
        model: The network.
        x: Inputs that it was not trained on.
        y: Their targets, if they are known.
        objective: What it was trained for, if that is known.
        generator: A CPU generator of the probe's own.
        name: What it is called where networks are told apart.
        train: Inputs and targets that it was trained on.
        factors: The continuous factors behind x, by name.
        twin: A network trained alike from another seed, with samples of its own.
        refit: Trains copies of the network on.
        modules: The modules to be looked at, by name; the activations, unless given.
        seen: What the layers take and give of x, as `passed`, where that is known already.
    """

    model: nn.Module
    x: Shaped[Tensor, " samples *inputs"]
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
        """The layers to be measured by name, in the order in which a sample meets them.

        Raises:
            Unsuitable: If there are none.
        """

        found = find_layers(self.model, self.x[:2], self.modules)
        if not found:
            raise Unsuitable(
                "there is no activation among the modules of the network (a function called in "
                "forward cannot be seen): name modules to look at"
            )

        return found

    @property
    def task(self) -> tuple[Tensor, Objective]:
        """The targets, and what the network was trained for.

        Raises:
            Unsuitable: If they are not known.
        """

        if self.y is None or self.objective is None:
            raise Unsuitable("targets must be given: answers are compared with them")

        return self.y, self.objective

    def outputs(self, x: Shaped[Tensor, " samples *inputs"]) -> Tensor:
        """Returns what the network gives for samples, sent through it some at a time."""

        return torch.cat([self.model(part) for part in x.split(rows_at_once(x))])

    def stream(
        self, x: Shaped[Tensor, " samples *inputs"] | None = None
    ) -> Iterator[dict[str, Pair]]:
        """Yields the vectors that layers take and give, (vectors, features), some at a time.

        Memory does not grow with the number of samples.

        Arguments:
            x: The inputs; those of the subject, unless given.
        """

        for pairs in self._passes(x):
            yield {name: Pair(*(t.flatten(0, 1) for t in pair)) for name, pair in pairs.items()}

    def vectors(
        self, most: int, x: Shaped[Tensor, " samples *inputs"] | None = None
    ) -> dict[str, Pair]:
        """Returns the vectors that layers take and give: all of them, or so many drawn evenly.

        Arguments:
            most: The largest number of vectors of a layer.
            x: The inputs; those of the subject, unless given.
        """

        kept: dict[str, Pair] = {}
        keys: dict[str, Tensor] = {}
        for pairs in self.stream(x):
            for name, pair in pairs.items():
                key = torch.rand(len(pair.inputs), generator=self.generator)
                if name in kept:
                    pair = Pair(*map(torch.cat, zip(kept[name], pair, strict=True)))
                    key = torch.cat([keys[name], key])
                chosen = key.argsort(descending=True)[:most].sort().values
                keys[name] = key[chosen]
                kept[name] = Pair(*(t[chosen.to(t.device)] for t in pair))

        return kept

    def embeddings(
        self, x: Shaped[Tensor, " samples *inputs"] | None = None
    ) -> dict[str, Float[Tensor, "samples m"]]:
        """Returns what layers give of each sample, the mean over positions or steps.

        Arguments:
            x: The inputs; those of the subject, unless given.
        """

        parts: dict[str, list[Tensor]] = {}
        for pairs in self._passes(x):
            for name, pair in pairs.items():
                parts.setdefault(name, []).append(pair.outputs.mean(dim=1))

        return {name: torch.cat(each) for name, each in parts.items()}

    def _passes(self, x: Shaped[Tensor, " samples *inputs"] | None) -> Iterator[Mapping[str, Pair]]:
        """Yields what layers take and give of samples, some at a time."""

        if x is None and self.seen is not None:
            yield self.seen
            return

        x = self.x if x is None else x
        for part in x.split(rows_at_once(x)):
            yield passed(self.model, self.layers, part)[1]


@runtime_checkable
class Probe(Protocol):
    """A frozen dataclass whose fields are its settings and whose call is the measurement.

    It may say `over`, the networks of a run that it is put to: "training" for the untrained one,
    the snapshots and the trained one, "ends" (without the snapshots) unless it says so, "trained"
    for that alone; `needs`, what is made for it only: frozenset({"twin"}); and have draw(table,
    figure), its figure.
    """

    schema: ClassVar[Schema]
    """The columns of the rows, and their types."""

    def __call__(self, subject: Subject) -> Rows:
        """Measures a network.

        Raises:
            Unsuitable: If it cannot be measured so.
        """
        ...

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the few numbers of the rows that a table of runs should show."""
        ...
