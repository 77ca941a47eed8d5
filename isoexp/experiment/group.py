"""A group: networks that are trained as one, each by the bench of its own configuration."""

__all__ = ["Group"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..ensemble import Ensemble, clip_of, differences, objective_of, regularizer_of, schedule_of
from ..parallel import shares
from ..training import Objective, Samples, Step, batches, fit
from .bench import Bench


@dataclass(frozen=True)
class Group:
    """K networks.

    Raises ValueError if their benches ask for trainings of different lengths.

    Arguments:
        benches: The bench of each.
        seeds: The seed of each.
    """

    benches: Sequence[Bench]
    seeds: Sequence[int]

    def __post_init__(self) -> None:
        sizes = [
            (bench.steps, bench.per_epoch, {name: len(x) for name, (x, _) in bench.splits.items()})
            for bench in self.benches
        ]
        if any(size != sizes[0] for size in sizes):
            raise ValueError("networks trained as one must have as many samples and updates")

    @property
    def first(self) -> Bench:
        """Any of the benches, for what they share."""

        return self.benches[0]

    def ensemble(self) -> Ensemble:
        """Returns the untrained networks, as one."""

        if self.first.settings.compile:
            torch.compiler.reset()  # or a process compiles eight shapes, and no more after them
        networks = [bench.network(s) for bench, s in zip(self.benches, self.seeds, strict=True)]

        return self.first.as_one(networks, self.first.settings.compile)

    def optimizers(self, ensemble: Ensemble) -> list[Optimizer]:
        """Returns the optimizers of the networks."""

        own_rates = bool(differences([bench.schedule for bench in self.benches]))

        return ensemble.optimizers([bench.build_optimizer for bench in self.benches], own_rates)

    def restore(
        self,
        ensemble: Ensemble,
        optimizers: Sequence[Optimizer],
        found: Sequence[Mapping[str, Any]],
    ) -> None:
        """Sets weights and optimizers to those of a checkpoint of each network."""

        for k, content in enumerate(found):
            ensemble.load(k, content["model"])
        ensemble.load_optimizer(optimizers, [content["optimizer"] for content in found])

    def data(self, split: str) -> tuple[Samples, Samples]:
        """Returns the data of a split: one for all, or each network's own."""

        found = [bench.splits[split] for bench in self.benches]
        if all(each is found[0] for each in found):
            return found[0]

        return [x for x, _ in found], [y for _, y in found]

    def objective(self, split: str) -> Objective:
        """Returns what the networks are trained for, scored on a split."""

        return self._objectives[split]

    @cached_property
    def _objectives(self) -> dict[str, Objective]:
        return {split: self._objective(split) for split in self.first.splits}

    def _objective(self, split: str) -> Objective:
        if isinstance(self.data(split)[0], Tensor):
            return self.first.objective(split)

        return objective_of([bench.objective(split) for bench in self.benches])

    def fit(
        self,
        ensemble: Ensemble,
        optimizers: Sequence[Optimizer],
        start: int = 0,
        shared: bool = False,
    ) -> Iterator[Step]:
        """Trains the networks in place from an update on, and yields after every update.

        Arguments:
            ensemble: The networks.
            optimizers: Their optimizers.
            start: The number of updates made before.
            shared: Whether all processes do so at once, each with its share of every batch.
        """

        bench, steps = self.first, self.first.steps
        size = bench.settings.batch_size
        order = batches(*self.data("train"), self.seeds, size, steps, start)

        return fit(
            ensemble,
            shares(order) if shared else order,
            optimizers,
            self.objective("train"),
            schedule_of([bench.schedule for bench in self.benches]),
            clip_of([bench.clip for bench in self.benches]),
            steps,
            start,
            self.seeds,
            regularizer_of([bench.regularizer for bench in self.benches]),
        )
