"""Trying: which configurations of one structure can be trained as one.

They differ in real numbers only: rates, radii, strengths, noise. That their networks, if of one
kind, can be trained as one is tried rather than believed: two of them make a few updates as one and
alone, and must agree. What needs its numbers as numbers, to branch on, cannot.
"""

__all__ = ["divided", "kinds", "shared_alike"]

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ..ensemble import differences
from ..processes import size
from ..store.identity import NOT_NUMBERS
from .bench import Bench
from .configuration import Config
from .group import Group

UPDATES = 3
"""Updates of a try: the losses before the second and the third say what the first ones did."""

FEW = 8
"""Samples of a try."""

AGREE = 1e-9
"""How far losses may be apart, relative to the larger: rounding, of which float64 has 1e-16."""


def kinds(benches: Sequence[Bench]) -> list[list[int]]:
    """Returns which benches, of one structure, make objects of one kind, by their indices.

    A number may decide of what kind they are: dropout that keeps all drops nothing.
    """

    found: list[list[int]] = []
    for i, bench in enumerate(benches):
        mates = next((kind for kind in found if _alike(benches[kind[0]], bench)), None)
        if mates is None:
            found.append([i])
        else:
            mates.append(i)

    return found


def _alike(a: Bench, b: Bench) -> bool:
    networks = [a.network(0), b.network(0)]
    shapes = [{name: p.shape for name, p in net.state_dict().items()} for net in networks]
    try:
        Group([a, b], [0, 0])
        differences(networks)
        differences([a.regularizer, b.regularizer])
        differences([a.clip, b.clip])
    except ValueError:
        return False

    return shapes[0] == shapes[1]


def divided(configs: Sequence[Config], bench: Callable[[int], Bench]) -> list[list[int]]:
    """Returns which configurations of one structure can be trained as one, by their indices.

    Where not all can, those stay together that share what is at fault, found by trying one number
    at a time; where that does not help, only those that share everything.

    Arguments:
        configs: The configurations, few or thousands.
        bench: Builds the bench of the configuration of an index; asked for a few.
    """

    bench = cache(bench)

    every = list(range(len(configs)))
    factors = _factors(configs)
    if _tried(every, factors, bench):
        return [every]

    faulty = []
    for factor in factors:
        other = next(i for i in every if factor.values[i] != factor.values[0])
        changed = Bench.of(factor.into(configs[0], other), bench(0).settings)
        if not _agree(bench(0), changed):
            faulty.append(factor)

    found = []
    for part in _sharing(every, faulty):
        if faulty and _tried(part, factors, bench):
            found.append(part)
        else:
            found += _sharing(part, factors)

    return found


@dataclass(frozen=True)
class _Factor:
    """Numbers of a configuration that vary as one: a model repeats the R0 of its activation.

    Arguments:
        paths: Where they are.
        values: Their value in each configuration.
    """

    paths: Sequence[tuple[str | int, ...]]
    values: tuple[float, ...]

    def into(self, config: Config, index: int) -> Config:
        """Returns a configuration with the value of the configuration of an index."""

        def changed(node: Any, path: tuple[str | int, ...]) -> Any:
            if path in self.paths:
                return self.values[index]
            if isinstance(node, Mapping):
                return {key: changed(value, (*path, key)) for key, value in node.items()}
            if isinstance(node, list):
                return [changed(value, (*path, i)) for i, value in enumerate(node)]
            return node

        return changed(config, ())


def _factors(configs: Sequence[Config]) -> list[_Factor]:
    """Returns what varies among configurations of one structure."""

    reals = [dict(_reals(config, ())) for config in configs]
    columns: dict[tuple[float, ...], list[tuple[str | int, ...]]] = {}
    for path in reals[0]:
        values = tuple(each[path] for each in reals)
        if len(set(values)) > 1:
            columns.setdefault(values, []).append(path)

    return [_Factor(paths, values) for values, paths in columns.items()]


def _reals(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], float]]:
    """Yields the real numbers that networks are made and trained by, and where they are."""

    if isinstance(node, float):
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if path or key not in NOT_NUMBERS:
                yield from _reals(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _reals(value, (*path, i))


def _sharing(indices: Sequence[int], factors: Sequence[_Factor]) -> list[list[int]]:
    """Returns the indices of configurations that share the values of all factors."""

    parts: dict[tuple[float, ...], list[int]] = {}
    for i in indices:
        parts.setdefault(tuple(factor.values[i] for factor in factors), []).append(i)

    return list(parts.values())


def _tried(
    indices: Sequence[int], factors: Sequence[_Factor], bench: Callable[[int], Bench]
) -> bool:
    """Whether the first agrees with others that differ from it in all that varies."""

    first, *others = indices
    left = [f for f in factors if len({f.values[i] for i in indices}) > 1]

    def told(i: int) -> list[_Factor]:
        return [factor for factor in left if factor.values[i] != factor.values[first]]

    while left:
        other = max(others, key=lambda i: len(told(i)))
        if not _agree(bench(first), bench(other)):
            return False
        found = told(other)
        left = [factor for factor in left if factor not in found]

    return True


def _agree(a: Bench, b: Bench) -> bool:
    """Whether two networks are trained as one as they are alone, on a few samples in float64."""

    few = [_small(a), _small(b)]
    try:
        with torch.random.fork_rng(devices=[]):
            together = _losses(Group(few, [0, 1]))
            alone = torch.cat([_losses(Group([few[k]], [k])) for k in (0, 1)], dim=1)
    except Exception:  # of any kind: a user's class asks for a number, and is given a tensor
        return False

    return torch.allclose(together, alone, rtol=AGREE, atol=0, equal_nan=True)


def shared_alike(bench: Bench, seed: int) -> bool:
    """Whether processes that share batches train a network as this one does alone.

    All of them try, on the same few samples in float64: shares of them of unlike sizes.
    """

    group = Group([_small(bench, max(FEW, 2 * size()) + 1)], [seed])
    try:
        with torch.random.fork_rng(devices=[]):
            alone, shared = _losses(group), _losses(group, shared=True)
    except Exception:  # as above
        return False

    return torch.allclose(shared, alone, rtol=AGREE, atol=0, equal_nan=True)


def _losses(group: Group, shared: bool = False) -> Tensor:
    """Returns the losses before each update, (updates, K)."""

    ensemble = group.ensemble()
    steps = group.fit(ensemble, group.optimizers(ensemble), shared=shared)

    return torch.stack([step.losses for step in steps])


def _small(bench: Bench, few: int = FEW) -> Bench:
    """Returns a bench for a try: on the CPU, which has float64."""

    settings = replace(
        bench.settings,
        precision="float64",
        compile=False,
        epochs=None,
        steps=UPDATES,
        batch_size=few,
    )
    x, y = (t[:few].cpu() for t in bench.splits["train"])
    y = y.double() if y.is_floating_point() else y

    return replace(
        bench, settings=settings, splits={"train": (x.double(), y)}, device=torch.device("cpu")
    )
