"""Networks of one architecture given by their weights: losses, answers, barriers, training on."""

__all__ = ["Sample", "state_of", "trained_on"]

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import nan

import torch
from jaxtyping import Float, Shaped
from torch import Generator, Tensor, nn
from torch.func import functional_call

from ...training import Objective, rows_at_once
from ..barriers import barrier, between
from ..junctions import State
from ..subject import Subject
from .curvature import Curve, second_derivatives


@dataclass(frozen=True)
class Sample:
    """Samples, a network to send them through with other weights than its own, and its objective.

    Arguments:
        model: The network, left as it is; weights that are not given are its own.
        x: The inputs.
        y: Their targets.
        objective: What the network was trained for.
    """

    model: nn.Module
    x: Shaped[Tensor, " samples *inputs"]
    y: Shaped[Tensor, " samples *outputs"]
    objective: Objective

    def drawn(self, most: int, generator: Generator) -> "Sample":
        """Returns all of it, or so many samples drawn evenly."""

        order = torch.randperm(len(self.x), generator=generator)[:most].sort().values
        order = order.to(self.x.device)

        return Sample(self.model, self.x[order], self.y[order], self.objective)

    @torch.no_grad()
    def outputs(self, state: State) -> Shaped[Tensor, " samples *outputs"]:
        rows = rows_at_once(self.x)

        return torch.cat([self._call(state, x) for x in self.x.split(rows)])

    def loss(self, state: State) -> float:
        return self._mean(self.objective.losses, self.outputs(state))

    def guess(self) -> float:
        """Returns the loss of answering zero: log C for C classes."""

        return self._mean(self.objective.losses, torch.zeros_like(self.outputs({})))

    def accuracy(self, outputs: Shaped[Tensor, " samples *outputs"]) -> float:
        """Returns the accuracy of outputs, NaN where there are no classes."""

        return self._mean(self.objective.scores, outputs) if self._classes else nan

    def agreement(
        self,
        outputs: Shaped[Tensor, " samples *outputs"],
        others: Shaped[Tensor, " samples *outputs"],
    ) -> float:
        """Returns the share of answers that are the same class, NaN where there are no classes."""

        same = outputs.argmax(dim=-1) == others.argmax(dim=-1)
        finite = (outputs.isfinite() & others.isfinite()).all(dim=-1)

        return (same & finite).cpu().double().mean().item() if self._classes else nan

    def barrier(self, state: State, other: State, ends: tuple[float, float], points: int) -> float:
        """Returns the barrier on a straight segment.

        Arguments:
            state: The weights at t = 0.
            other: The weights at t = 1.
            ends: L(0) and L(1).
            points: The number of t, both ends included.
        """

        t = torch.linspace(0, 1, points, dtype=torch.float64)
        inner = [self.loss(between(state, other, at)) for at in t[1:-1].tolist()]

        return barrier(t, torch.tensor([ends[0], *inner, ends[1]], dtype=torch.float64))

    def second_derivatives(self, state: State, curves: Sequence[Curve]) -> Float[Tensor, " curves"]:
        """Returns d²L/dt² along curves of weights."""

        total = torch.zeros(len(curves), dtype=torch.float64)
        rows = rows_at_once(self.x)
        for x, y in zip(self.x.split(rows), self.y.split(rows), strict=True):

            def loss(theta: State, x: Tensor = x, y: Tensor = y) -> Float[Tensor, ""]:
                return self.objective.losses(self._call(theta, x)[None], x[None], y[None]).sum()

            total += second_derivatives(loss, state, curves)

        return total / len(self.x)

    def _call(self, state: State, x: Tensor) -> Tensor:
        return functional_call(self.model, dict(state), (x,))

    def _mean(self, measure: Callable[..., Tensor], outputs: Tensor) -> float:
        return measure(outputs[None], self.x[None], self.y[None]).cpu().double().mean().item()

    @property
    def _classes(self) -> bool:
        return self.objective.score == "accuracy" and not self.y.is_floating_point()


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Returns a copy of a network's weights and buffers."""

    named = (*model.named_parameters(), *model.named_buffers())

    return {name: t.detach().clone() for name, t in named}


def trained_on(
    subject: Subject, states: Sequence[State], steps: int, rate: float
) -> list[dict[str, Tensor]]:
    """Returns what weights come to, all trained on as one; nothing where that cannot be done.

    Arguments:
        subject: The network that they are weights of.
        states: The weights and buffers.
        steps: The number of updates.
        rate: The learning rate, as a share of the run's own.
    """

    if subject.refit is None:
        return []

    networks = []
    for state in states:
        network = deepcopy(subject.model)
        network.load_state_dict(state, strict=False)
        networks.append(network)
    with torch.enable_grad():
        trained = subject.refit(networks, steps, rate)

    return [state_of(network) for network in trained]
