"""Perturbations: ways to leave the weights θ of a network, straight ones and along its orbit."""

__all__ = ["Move", "Way", "moves", "size", "ways"]

from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import NamedTuple

import torch
from torch import Generator

from ..junctions import Junction, State
from .curvature import Curve
from .orbit import across, random_skew, rotated, velocity
from .weights import Sample


class Move(NamedTuple):
    """A network that is to be trained on, and what it has been moved by."""

    kind: str
    size: float
    draw: int
    curvature: float
    state: State


class Way(NamedTuple):
    """A way that leads away from θ.

    Arguments:
        kind: random, across, tangent or orbit.
        draw: Its number among those drawn alike.
        at: Returns the weights after a length ℓ of it.
        curve: dθ/dℓ, of norm 1, and d²θ/dℓ² at θ.
    """

    kind: str
    draw: int
    at: Callable[[float], State]
    curve: Curve


def size(state: State) -> float:
    """Returns ‖θ‖ over all tensors."""

    return sum(t.square().sum().item() for t in state.values()) ** 0.5


def moves(
    train: Sample,
    start: State,
    junctions: Sequence[Junction],
    sizes: Sequence[float],
    draws: int,
    generator: Generator,
) -> list[Move]:
    """Returns the perturbed networks, after the unperturbed one.

    Arguments:
        train: What curvatures are measured on.
        start: The weights and buffers of the network.
        junctions: The junctions that are turned, and whose weights move; all, if there are none.
        sizes: The lengths of the ways, as shares of ‖θ‖.
        draws: The number of ways of a kind.
        generator: A CPU generator.
    """

    names = [name for junction in junctions for name in junction.weights if name in start]
    names = names or [name for name, _ in train.model.named_parameters()]
    own = {name: start[name] for name in names}
    theta = {name: t.cpu().double() for name, t in own.items()}

    leaving = list(ways(junctions, theta, draws, generator))
    curvatures = train.second_derivatives(own, [way.curve for way in leaving]).tolist()

    found = [Move("none", 0.0, 0, nan, start)]
    for way, curvature in zip(leaving, curvatures, strict=True):
        for s in sizes:
            moved = {n: t.to(own[n]) for n, t in way.at(s * size(theta)).items()}
            found.append(Move(way.kind, s, way.draw, curvature, {**start, **moved}))

    return found


def ways(
    junctions: Sequence[Junction], theta: State, draws: int, generator: Generator
) -> Iterator[Way]:
    """Yields ways of each kind; only random ones where there is nothing to turn.

    Of one draw, the way across is the random one without its part along the orbit, and the tangent
    is that of the rotation.

    Arguments:
        junctions: The junctions that are turned.
        theta: θ, in float64 on the CPU.
        draws: The number of ways of a kind.
        generator: A CPU generator.
    """

    for draw in range(draws):
        random = {}
        for name, t in theta.items():
            g = torch.randn(t.shape, generator=generator, dtype=torch.float64)
            random[name] = g * (t.norm() / g.norm())
        yield _straight("random", draw, theta, random)
        if not junctions:
            continue

        yield _straight("across", draw, theta, across(junctions, theta, random))
        skews = [random_skew(junction.width, generator) for junction in junctions]
        v = velocity(junctions, theta, skews)
        yield _straight("tangent", draw, theta, v)
        speed = size(v) or 1.0
        skews = [A / speed for A in skews]
        v = velocity(junctions, theta, skews)

        def turned(length: float, skews: Sequence = skews) -> State:
            return rotated(junctions, theta, [length * A for A in skews])

        yield Way("orbit", draw, turned, Curve(v, velocity(junctions, v, skews)))


def _straight(kind: str, draw: int, theta: State, direction: State) -> Way:
    length = size(direction) or 1.0  # what has no length does not move
    v = {name: t / length for name, t in direction.items()}

    def moved(length: float) -> State:
        return {name: t + length * v[name] for name, t in theta.items()}

    return Way(kind, draw, moved, Curve(v, {}))
