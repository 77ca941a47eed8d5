"""Paths of weights: from a network to its copies in other bases, and to one trained like it.

A geodesic R(t) turns hidden layers into other bases and back (Bird 2025, Eqn 15); a segment

    θ(t) = (1 − t) θ + t P·θ'

leads to a twin, the bases of its layers chosen nearest to the network's (matching.py).
"""

__all__ = ["DRAWN", "Network", "WeightPath", "straight_paths", "symmetry_paths"]

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import Tensor
from torch.func import functional_call

from ..copies import preserves, turned
from ..junctions import State, agree, find_junctions
from ..landscape import between, state_of
from ..layers import Layer, conjugated, passed
from ..subject import Subject, Unsuitable
from .geodesics import Geodesic, random_even_permutation, random_rotation
from .matching import ALIGNMENTS, cross_moments, weight_matching

Network = Callable[[Tensor], Tensor]

DRAWN = {"geodesic": random_rotation, "permutation geodesic": random_even_permutation}
"""The kinds of symmetry paths, and the draws of their ends."""


class WeightPath(NamedTuple):
    """A path from a network to another.

    Arguments:
        name: The kind of path.
        layer: The layer that is moved, or all.
        layers: The number of layers that are turned.
        draw: Its number among the random paths of its kind.
        at: Returns the network at t.
        end: The subject whose outputs the network at t = 1 should have.
    """

    name: str
    layer: str
    layers: int
    draw: int
    at: Callable[[float], Network]
    end: Subject


def symmetry_paths(subject: Subject, draws: int) -> Iterator[WeightPath]:
    """Yields the geodesics to a network's copies in other bases of its layers."""

    _, pairs = passed(subject.model, subject.layers, subject.x[:2])
    same = {name for name, (x, y) in pairs.items() if x.shape == y.shape}  # a basis to share
    layers = [layer for name, layer in subject.layers.items() if name in same]

    def conjugate(layers: list[Layer], geodesics: list[Geodesic]) -> Callable[[float], Network]:
        def at(t: float) -> Network:
            matrices = [geodesic(t) for geodesic in geodesics]

            def network(x: Tensor) -> Tensor:
                with conjugated(layers, matrices):
                    return subject.model(x)

            return network

        return at

    for name, drawn in DRAWN.items():
        for draw in range(draws if layers else 0):
            ways = [Geodesic(drawn(layer.width, subject.generator)) for layer in layers]
            yield WeightPath(name, "all", len(layers), draw, conjugate(layers, ways), subject)
            for layer, way in zip(layers, ways, strict=True):
                yield WeightPath(name, layer.name, 1, draw, conjugate([layer], [way]), subject)


def straight_paths(subject: Subject) -> Iterator[WeightPath]:
    """Yields the segments to the twin, as it is and in bases nearer to the network's."""

    twin = subject.twin
    if twin is None:
        return
    ours, theirs = _weights(subject), _weights(twin)
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise Unsuitable("the twin must have weights of the same names and shapes: train it alike")
    x = twin.x[:64]
    if not agree(functional_call(subject.model, theirs, (x,)), twin.model(x)):
        raise Unsuitable("the twin must differ in its weights alone, not in its functions")

    def segment(end: State) -> Callable[[float], Network]:
        def at(t: float) -> Network:
            state = between(ours, end, t)

            return lambda x: functional_call(subject.model, state, (x,))

        return at

    yield WeightPath("raw", "all", 0, 0, segment(theirs), twin)

    junctions = find_junctions(subject)
    if not junctions:
        return
    x = subject.x if subject.train is None else subject.train[0]
    moments = cross_moments(subject, twin, x)
    for name, (group, nearest) in ALIGNMENTS.items():
        free = {layer: each for layer, each in junctions.items() if preserves(twin, each, group)}
        if free:
            start = {layer: nearest(moments[layer]) for layer in free}
            bases = weight_matching(ours, theirs, free, nearest, start)
            end = turned(theirs, free, bases)
            yield WeightPath(name, "all", len(free), 0, segment(end), twin)


def _weights(subject: Subject) -> dict[str, Tensor]:
    """Returns the weights on a straight path: parameters, and buffers that are not counts."""

    return {name: t for name, t in state_of(subject.model).items() if t.is_floating_point()}
