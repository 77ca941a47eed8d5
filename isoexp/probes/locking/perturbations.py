"""Perturbations: ways to leave the weights θ of a network, and whether training leads back."""

__all__ = ["End", "Move", "Way", "compared", "moves", "size", "trained_on", "ways"]

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from math import nan
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from ..junctions import Junction, State
from ..landscape import Landscape, Motion, state_of
from ..subject import Subject
from .orbit import across, aligned, random_skew, rotated, velocity


class Move(NamedTuple):
    """A perturbed network: the kind, size and draw of the perturbation, and the weights."""

    kind: str
    size: float
    draw: int
    curvature: float
    state: State


class End(NamedTuple):
    """A network that has been trained on: its weights, training loss, and outputs on the test."""

    state: State
    loss: float
    outputs: Tensor


class Way(NamedTuple):
    """A way away from θ: the weights after a length ℓ of it, dθ/dℓ of norm 1 and d²θ/dℓ² at θ."""

    kind: str
    draw: int
    at: Callable[[float], State]
    motion: Motion


def size(state: State) -> float:
    """Returns ‖θ‖ over all tensors."""

    return sum(t.square().sum().item() for t in state.values()) ** 0.5


def moves(
    train: Landscape,
    start: State,
    junctions: Sequence[Junction],
    sizes: Sequence[float],
    draws: int,
    generator: Generator,
) -> list[Move]:
    """Returns the unperturbed network, then the perturbed ones; sizes are lengths over ‖θ‖.

    Weights of the junctions move; all weights, if there are none.
    """

    names = [name for junction in junctions for name in junction.weights if name in start]
    names = names or [name for name, _ in train.model.named_parameters()]
    own = {name: start[name] for name in names}
    theta = {name: t.cpu().double() for name, t in own.items()}

    leaving = list(ways(junctions, theta, draws, generator))
    curvatures = train.second_derivatives(own, [way.motion for way in leaving]).tolist()

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

    In each draw, the way across is the random one without its part along the orbit, and the tangent
    belongs to the rotation. θ is in float64 on the CPU.
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

        yield Way("orbit", draw, turned, Motion(v, velocity(junctions, v, skews)))


def _straight(kind: str, draw: int, theta: State, direction: State) -> Way:
    length = size(direction) or 1.0  # what has no length does not move
    v = {name: t / length for name, t in direction.items()}

    def moved(length: float) -> State:
        return {name: t + length * v[name] for name, t in theta.items()}

    return Way(kind, draw, moved, Motion(v, {}))


def trained_on(
    subject: Subject, states: Sequence[State], steps: int, rate: float
) -> list[dict[str, Tensor]]:
    """Returns weights after so many steps of training, all as one; none where there is no refit."""

    if subject.refit is None:
        return []

    networks = [deepcopy(subject.model) for _ in states]
    for network, state in zip(networks, states, strict=True):
        network.load_state_dict(state, strict=False)
    with torch.enable_grad():
        return [state_of(network) for network in subject.refit(networks, steps, rate)]


def compared(
    train: Landscape,
    test: Landscape,
    free: Sequence[Junction],
    control: End,
    end: End,
    most: float,
    points: int,
) -> dict[str, float]:
    """Returns the columns that compare a network, after training, with the unperturbed one.

    The junctions in `free` may be turned. `most` is the largest barrier within a basin, and the
    largest excess of the loss; segments have so many points, both ends included.
    """

    losses = control.loss, end.loss
    straight, turned = train.barrier(control.state, end.state, losses, points), nan
    if free:
        nearest = aligned(free, end.state, control.state)
        turned = train.barrier(control.state, nearest, losses, points)
    joined = straight <= most or turned <= most

    return {
        "loss_retrained": end.loss,
        "barrier": straight,
        "barrier_aligned": turned,
        "returned": float(joined and end.loss - control.loss <= most),
        "agreement": test.agreement(end.outputs, control.outputs),
        "accuracy_retrained": test.accuracy(end.outputs),
    }
