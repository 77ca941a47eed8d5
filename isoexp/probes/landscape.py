"""The landscape of the loss L over the weights θ: its values, its barriers, its curvature.

Along a path θ(t), t ∈ [0, 1], with the loss L(t), the barrier is

    max_t [ L(t) − (1 − t) L(0) − t L(1) ].

Along a curve θ(t) = θ + t v + ½ t² a + … the second derivative is

    d²L/dt² = vᵀ H v + g·a    at t = 0,    g = ∇L(θ),    H = ∇²L(θ).

On a straight line a = 0. On the orbit of a rotation v = 𝒜θ and a = 𝒜²θ: along it the loss of an
isotropic network is constant and the sum zero at every θ, although vᵀHv alone is not where g ≠ 0,
since the orbit bends.

The product Hv is the gradient of g·v: H is never formed (Pearlmutter 1994).
"""

__all__ = ["Landscape", "Motion", "barrier", "between", "second_derivatives", "state_of"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..training import Objective
from .spaces import State
from .subject import batches, chosen, in_batches


class Motion(NamedTuple):
    """The velocity v and the acceleration a of weights, by their names; absent ones are zero."""

    v: Mapping[str, Tensor]
    a: Mapping[str, Tensor]


@dataclass(frozen=True)
class Landscape:
    """The loss of a network, on some samples, as a function of its weights.

    The network is left as it is; weights that a state lacks are its own.
    """

    model: nn.Module
    x: Shaped[Tensor, " samples *inputs"]
    y: Shaped[Tensor, " samples *outputs"]
    objective: Objective

    def drawn(self, most: int, generator: Generator) -> "Landscape":
        """Returns the landscape of all samples, or of an even draw of `most`."""

        order = chosen(len(self.x), most, generator).to(self.x.device)

        return replace(self, x=self.x[order], y=self.y[order])

    @torch.no_grad()
    def outputs(self, state: State) -> Shaped[Tensor, " samples *outputs"]:
        return in_batches(lambda x: self._call(state, x), self.x)

    def loss(self, state: State) -> float:
        return self._mean(self.objective.losses, self.outputs(state))

    def guess(self) -> float:
        """Returns the loss of answering zero: log C for C classes."""

        return self._mean(self.objective.losses, torch.zeros_like(self.outputs({})))

    def accuracy(self, outputs: Shaped[Tensor, " samples *outputs"]) -> float:
        """Returns the accuracy of outputs, NaN where they are not finite, or no classes."""

        return self._mean(self.objective.scores, outputs) if self._classes else nan

    def agreement(self, outputs: Tensor, others: Tensor) -> float:
        """Returns the share of answers that are the same class, NaN where there are no classes.

        Answers that are not finite are none of the same.
        """

        same = outputs.argmax(dim=-1) == others.argmax(dim=-1)
        finite = (outputs.isfinite() & others.isfinite()).all(dim=-1)

        return (same & finite).cpu().double().mean().item() if self._classes else nan

    def barrier(self, state: State, other: State, ends: tuple[float, float], points: int) -> float:
        """Returns the barrier on the straight segment between two weights, whose losses are `ends`.

        The points are evenly spaced, both ends included.
        """

        t = torch.linspace(0, 1, points, dtype=torch.float64)
        inner = [self.loss(between(state, other, at)) for at in t[1:-1].tolist()]

        return barrier(t, torch.tensor([ends[0], *inner, ends[1]], dtype=torch.float64))

    def second_derivatives(self, state: State, motions: Sequence[Motion]) -> Tensor:
        """Returns d²L/dt² along curves of weights at t = 0."""

        total = torch.zeros(len(motions), dtype=torch.float64)
        for x, y in batches(self.x, self.y):

            def loss(theta: State, x: Tensor = x, y: Tensor = y) -> Float[Tensor, ""]:
                return self.objective.losses(self._call(theta, x)[None], x[None], y[None]).sum()

            total += second_derivatives(loss, state, motions)

        return total / len(self.x)

    def _call(self, state: State, x: Tensor) -> Tensor:
        return functional_call(self.model, dict(state), (x,))

    def _mean(self, measure: Callable[..., Tensor], outputs: Tensor) -> float:
        return measure(outputs[None], self.x[None], self.y[None]).cpu().double().mean().item()

    @property
    def _classes(self) -> bool:
        return self.objective.score == "accuracy" and not self.y.is_floating_point()


def barrier(t: Float[Tensor, " points"], losses: Float[Tensor, " points"]) -> float:
    """Returns max_t [L(t) − (1 − t) L(0) − t L(1)] over points of [0, 1], ends included: ≥ 0.

    NaN where a loss is not finite.
    """

    if not losses.isfinite().all():
        return nan

    return (losses - (1 - t) * losses[0] - t * losses[-1]).max().item()


def between(state: State, other: State, t: float) -> dict[str, Tensor]:
    """Returns the weights (1 − t) θ + t θ'; buffers of integers are taken from θ."""

    return {
        name: torch.lerp(w, other[name], t) if w.is_floating_point() else w
        for name, w in state.items()
    }


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Returns a copy of a network's weights and buffers."""

    named = (*model.named_parameters(), *model.named_buffers())

    return {name: t.detach().clone() for name, t in named}


def second_derivatives(
    loss: Callable[[State], Float[Tensor, ""]], state: State, motions: Sequence[Motion]
) -> Float[Tensor, " motions"]:
    """Returns d²L/dt² along each curve at t = 0, summed in float64; L must have two derivatives."""

    theta = {name: t.detach().clone().requires_grad_() for name, t in state.items()}
    leaves = list(theta.values())
    # Attention and recurrent layers that are fused have one derivative only.
    whole = sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False)
    with torch.enable_grad(), whole[0], whole[1]:
        g = _gradient(loss(theta), leaves, create_graph=True)

        found = []
        for motion in motions:
            v, a = (
                [part[n].to(t) if n in part else torch.zeros_like(t) for n, t in theta.items()]
                for part in motion
            )
            Hv = _gradient(_dot(g, v), leaves)
            found.append(_dot64(Hv, v) + _dot64(g, a))

    return torch.stack(found) if found else torch.zeros(0, dtype=torch.float64)


def _gradient(
    value: Tensor, leaves: Sequence[Tensor], create_graph: bool = False
) -> Sequence[Tensor]:
    if not value.requires_grad:  # a gradient that is constant has no derivative of its own
        return [torch.zeros_like(t) for t in leaves]

    return torch.autograd.grad(
        value, leaves, create_graph=create_graph, retain_graph=True, materialize_grads=True
    )


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return torch.stack([(s * t).sum() for s, t in zip(a, b, strict=True)]).sum()


def _dot64(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return _dot([t.detach().cpu().double() for t in a], [t.cpu().double() for t in b])
