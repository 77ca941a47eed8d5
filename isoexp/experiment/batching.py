"""Batching: the training of many networks as one, and which networks can be.

Configurations of one structure differ in real numbers only: rates, radii, strengths, noise. Whether
their networks can be trained as one is tried rather than believed: two of them make a few updates
as one and alone, and must agree. A part that branches on its numbers cannot.
"""

__all__ = ["Training", "divided", "kinds", "shared_alike"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ..config.document import Config, Path, nodes, with_values
from ..config.groups import counts
from ..ensemble import (
    Ensemble,
    clip_of,
    differences,
    objective_of,
    regularizer_of,
    schedule_of,
)
from ..parallel import shares
from ..processes import size
from ..samples import Samples, joined
from ..training import Objective, Step, batches, fit
from .dataset import Dataset
from .lab import Lab

UPDATES = 3
"""Updates of a try: the losses before the second and the third say what the first ones did."""

FEW = 8
"""Samples of a try."""

AGREE = 1e-9
"""How far losses may be apart, relative to the larger: rounding, of which float64 has 1e-16."""


@dataclass(frozen=True)
class Training:
    """The training of K networks as one, each by the objects of its own lab, on its seed's splits.

    Raises ValueError if their labs ask for trainings of different lengths.
    """

    labs: Sequence[Lab]
    seeds: Sequence[int]

    def __post_init__(self) -> None:
        own = [lab.at(seed) for lab, seed in zip(self.labs, self.seeds, strict=True)]
        object.__setattr__(self, "labs", own)
        sizes = [
            (lab.steps, lab.per_epoch, {name: len(x) for name, (x, _) in lab.splits.items()})
            for lab in self.labs
        ]
        if any(size != sizes[0] for size in sizes):
            raise ValueError("networks trained as one must have as many samples and updates")

    @property
    def first(self) -> Lab:
        """Any of the labs, for what they share."""

        return self.labs[0]

    def ensemble(self) -> Ensemble:
        """Returns the untrained networks, as one."""

        if self.first.settings.compile:
            torch.compiler.reset()  # or a process compiles eight shapes, and no more after them
        networks = [lab.network(s) for lab, s in zip(self.labs, self.seeds, strict=True)]

        return self.first.as_one(networks, self.first.settings.compile)

    def optimizers(self, ensemble: Ensemble) -> list[Optimizer]:
        """Returns the optimizers of the networks."""

        own_rates = bool(differences([lab.schedule for lab in self.labs]))

        return ensemble.optimizers([lab.build_optimizer for lab in self.labs], own_rates)

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

        return self._data[split]

    @cached_property
    def _data(self) -> dict[str, tuple[Samples, Samples]]:
        pairs = {split: [lab.splits[split] for lab in self.labs] for split in self.first.splits}

        return {
            split: (joined([x for x, _ in own]), joined([y for _, y in own]))
            for split, own in pairs.items()
        }

    def objective(self, split: str) -> Objective:
        """Returns the objective of the networks, scored on a split."""

        return self._objectives[split]

    @cached_property
    def _objectives(self) -> dict[str, Objective]:
        return {split: self._objective(split) for split in self.first.splits}

    def _objective(self, split: str) -> Objective:
        if all(lab.dataset is self.first.dataset for lab in self.labs):
            return self.first.objective(split)

        return objective_of([lab.objective(split) for lab in self.labs])

    def fit(
        self,
        ensemble: Ensemble,
        optimizers: Sequence[Optimizer] | None = None,
        start: int = 0,
        stop: int | None = None,
        schedule: Callable[[int, int], float] | None = None,
        shared: bool = False,
    ) -> Iterator[Step]:
        """Trains the networks in place, and yields after every update.

        Arguments:
            optimizers: The optimizers; new ones unless given.
            start: The number of updates made before.
            stop: The number of updates after the last; of the whole training unless given.
            schedule: The factor of the learning rates, instead of the labs'.
            shared: Whether all processes train at once, each on its share of every batch.
        """

        lab, steps = self.first, self.first.steps if stop is None else stop
        order = batches(*self.data("train"), self.seeds, lab.settings.batch_size, steps, start)

        return fit(
            ensemble,
            shares(order) if shared else order,
            self.optimizers(ensemble) if optimizers is None else optimizers,
            self.objective("train"),
            schedule or schedule_of([lab.schedule for lab in self.labs]),
            clip_of([lab.clip for lab in self.labs]),
            steps,
            start,
            self.seeds,
            regularizer_of([lab.regularizer for lab in self.labs]),
        )


def kinds(labs: Sequence[Lab]) -> list[list[int]]:
    """Groups labs of one structure that build objects of one kind; returns their indices.

    A number may decide the kind: dropout that keeps all drops nothing.
    """

    found: list[list[int]] = []
    for i, lab in enumerate(labs):
        mates = next((kind for kind in found if _alike(labs[kind[0]], lab)), None)
        if mates is None:
            found.append([i])
        else:
            mates.append(i)

    return found


def _alike(a: Lab, b: Lab) -> bool:
    networks = [a.network(0), b.network(0)]
    shapes = [{name: p.shape for name, p in net.state_dict().items()} for net in networks]
    try:
        Training([a, b], [0, 0])
        differences(networks)
        differences([a.regularizer, b.regularizer])
        differences([a.clip, b.clip])
    except ValueError:
        return False

    return shapes[0] == shapes[1]


def divided(configs: Sequence[Config], lab: Callable[[int], Lab]) -> list[list[int]]:
    """Groups configurations of one structure that can be trained as one; returns their indices.

    Where not all can, those stay together that share the numbers at fault, found by trying one
    number at a time; where that does not help, only those that share all numbers.

    Arguments:
        configs: The configurations, few or thousands.
        lab: Builds the lab of the configuration of an index; called for a few.
    """

    lab = cache(lab)

    every = list(range(len(configs)))
    factors = _factors(configs)
    if _tried(every, factors, lab):
        return [every]

    faulty = []
    for factor in factors:
        other = next(i for i in every if factor.values[i] != factor.values[0])
        changed = Lab.of(factor.into(configs[0], other), lab(0).settings)
        if not _agree(lab(0), changed):
            faulty.append(factor)

    found = []
    for part in _sharing(every, faulty):
        if faulty and _tried(part, factors, lab):
            found.append(part)
        else:
            found += _sharing(part, factors)

    return found


@dataclass(frozen=True)
class _Factor:
    """Real numbers of a configuration that vary together, and their values by configuration."""

    paths: Sequence[Path]
    values: tuple[float, ...]

    def into(self, config: Config, index: int) -> Config:
        """Returns a configuration with the value of the configuration of an index."""

        return with_values(config, dict.fromkeys(self.paths, self.values[index]))


def _factors(configs: Sequence[Config]) -> list[_Factor]:
    reals = [
        {
            path: node
            for path, node in nodes(config)
            if isinstance(node, float) and counts(str(path[0]))
        }
        for config in configs
    ]
    columns: dict[tuple[float, ...], list[Path]] = {}
    for path in reals[0]:
        values = tuple(each[path] for each in reals)
        if len(set(values)) > 1:
            columns.setdefault(values, []).append(path)

    return [_Factor(paths, values) for values, paths in columns.items()]


def _sharing(indices: Sequence[int], factors: Sequence[_Factor]) -> list[list[int]]:
    """Groups configurations that share the values of all factors."""

    parts: dict[tuple[float, ...], list[int]] = {}
    for i in indices:
        parts.setdefault(tuple(factor.values[i] for factor in factors), []).append(i)

    return list(parts.values())


def _tried(indices: Sequence[int], factors: Sequence[_Factor], lab: Callable[[int], Lab]) -> bool:
    """Whether the first agrees with others that, together, differ from it in every factor."""

    first, *others = indices
    left = [f for f in factors if len({f.values[i] for i in indices}) > 1]

    def told(i: int) -> list[_Factor]:
        return [factor for factor in left if factor.values[i] != factor.values[first]]

    while left:
        other = max(others, key=lambda i: len(told(i)))
        if not _agree(lab(first), lab(other)):
            return False
        found = told(other)
        left = [factor for factor in left if factor not in found]

    return True


def _agree(a: Lab, b: Lab) -> bool:
    """Whether two networks are trained as one as they are alone, on a few samples in float64."""

    few = [_small(a), _small(b)]
    try:
        with torch.random.fork_rng(devices=[]):
            together = _losses(Training(few, [0, 1]))
            alone = torch.cat([_losses(Training([few[k]], [k])) for k in (0, 1)], dim=1)
    except Exception:  # of any kind: a user's class asks for a number, and is given a tensor
        return False

    return torch.allclose(together, alone, rtol=AGREE, atol=0, equal_nan=True)


def shared_alike(lab: Lab, seed: int) -> bool:
    """Whether processes that share batches train a network as this one does alone.

    All of them try, on the same few samples in float64: shares of them of unlike sizes.
    """

    training = Training([_small(lab, max(FEW, 2 * size()) + 1)], [seed])
    try:
        with torch.random.fork_rng(devices=[]):
            alone, shared = _losses(training), _losses(training, shared=True)
    except Exception:  # as above
        return False

    return torch.allclose(shared, alone, rtol=AGREE, atol=0, equal_nan=True)


def _losses(training: Training, shared: bool = False) -> Tensor:
    """Returns the losses before each update, (updates, K)."""

    ensemble = training.ensemble()
    steps = training.fit(ensemble, shared=shared)

    return torch.stack([step.losses for step in steps])


def _small(lab: Lab, few: int = FEW) -> Lab:
    """Returns a lab of few samples and updates in float64, on the CPU."""

    settings = replace(
        lab.settings,
        precision="float64",
        compile=False,
        epochs=None,
        steps=UPDATES,
        batch_size=few,
    )
    x, y = (t[:few].cpu() for t in lab.splits["train"])
    y = y.double() if y.is_floating_point() else y
    dataset = Dataset({"train": (x.double(), y)}, lab.shape, units=lab.dataset.units)

    return replace(lab, settings=settings, dataset=dataset, device=torch.device("cpu"))
