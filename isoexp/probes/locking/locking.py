"""Locking: whether a trained network is held where it is, and only large perturbations move it.

The weights θ around hidden layers are moved by δ, ‖δ‖ = s ‖θ‖, and trained on. The paper expects
elementwise activations to lock them in false minima, which small perturbations do not leave, and
isotropic ones to join these minima by rotations (Bird 2025, Sec. 2.2, Eqn 15).

Without a perturbation training leads on to θ₀, with one to θ₁. The network has returned if its loss
has, and no barrier lies between the two,

    L(θ₁) − L(θ₀) ≤ ε,    max_t [ L((1 − t) θ₀ + t θ₁) − (1 − t) L(θ₀) − t L(θ₁) ] ≤ ε,

where θ₁ may first be turned to the nearest copy of the same function, and ε is a share of the loss
of a guess. A network that is still on its way back after so many updates counts as escaped.
"""

__all__ = ["Locking"]

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite, log10, nan
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ...store.tables import Rows, Schema
from ..arguments import check_ascending, check_least
from ..copies import ORTHOGONAL, preserves
from ..junctions import Junction, answers, find_junctions
from ..landscape import Landscape, state_of
from ..rows import Columns, cells
from ..spaces import State
from ..statistics import mean
from ..subject import Over, Subject, Unsuitable
from .perturbations import aligned, moves


class End(NamedTuple):
    """A network that has been trained on: its weights, training loss, and outputs on the test."""

    state: State
    loss: float
    outputs: Tensor


@dataclass(frozen=True)
class Locking:
    """Perturbs a trained network, trains it on, and looks whether it returns.

    Kinds of perturbation: `random`, Gaussian, of the same relative size in each weight tensor;
    `across`, the same less its part along the orbit of rotations; `tangent`, straight along a
    random rotation of all hidden layers; `orbit`, by the rotation itself, s ‖θ‖ being the length of
    the way. `none` is the network trained on as it was, the control of all others. θ are the
    weights before and after the hidden layers that can be turned; if there are none, all weights,
    and `random` is the only kind.

    loss_… and barriers are of n samples of the training split, or of the subject's if there is
    none; accuracy_… and agreement, the share put into the same class as by `none`, of n_test of the
    subject's. barrier lies on the straight segment to `none`; barrier_aligned on the segment after
    layers that commute with rotations have been turned, NaN where there are none. Permutations are
    not tried. returned is 1 or 0, NaN where `none` has diverged. Columns that need training are NaN
    where there is no refit. curvature is d²L/dℓ² at θ along the way, ℓ its length: vᵀHv on the
    straight ones.

    Cost: 2 s on the default run; 4 × sizes × draws + 1 copies of the network are trained on.

    Arguments:
        size_min, size_max, sizes: The relative sizes s, so many, evenly spaced in log s.
        draws: The number of directions of each kind, the same for all sizes.
        steps: The number of updates that follow.
        rate: Their learning rate, as a share of the run's own.
        points: The number of points of a segment, both ends included.
        tolerance: The largest barrier within a basin, as a share of the loss of a guess.
        samples: The most samples of each split, drawn evenly.
    """

    size_min: float = 0.03
    size_max: float = 3.0
    sizes: int = 6
    draws: int = 4
    steps: int = 100
    rate: float = 0.5
    points: int = 7
    tolerance: float = 0.02
    samples: int = 512

    over: ClassVar[Over] = "trained"
    figure: ClassVar[str] = "isoexp.figures.locking:draw"
    schema: ClassVar[Schema] = {
        "kind": str, "size": float, "draw": int,
        "loss_guess": float, "loss_before": float, "loss_after": float, "loss_retrained": float,
        "barrier": float, "barrier_aligned": float, "returned": float, "agreement": float,
        "accuracy_after": float, "accuracy_retrained": float, "curvature": float,
        "n": int, "n_test": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_ascending(self, "size_min", "size_max")
        check_least(self, sizes=1, draws=1, steps=1, samples=1)
        if self.points < 3:
            raise ValueError(f"points must be at least 3, one between the ends, got {self.points}")
        if not (self.rate > 0 and self.tolerance > 0):
            raise ValueError(
                f"rate and tolerance must be positive, got {self.rate:g}, {self.tolerance:g}"
            )

    def __call__(self, subject: Subject) -> Rows:
        y, objective = subject.task

        def drawn(x: Tensor, y: Tensor) -> Landscape:
            whole = Landscape(subject.model, x, y, objective)
            return whole.drawn(self.samples, subject.generator)

        answers(subject.model, subject.x[:64])
        test = drawn(subject.x, y)
        train = test if subject.train is None else drawn(*subject.train)
        start = state_of(subject.model)
        junctions = _turnable(subject)
        sizes = torch.logspace(log10(self.size_min), log10(self.size_max), self.sizes).tolist()
        moved = moves(train, start, junctions, sizes, self.draws, subject.generator)
        trained = self._trained_on(subject, [move.state for move in moved])
        ends = [End(state, train.loss(state), test.outputs(state)) for state in trained]
        free = [each for each in junctions if preserves(subject, each.space, ORTHOGONAL)]
        guess, before = train.guess(), train.loss(start)
        most = self.tolerance * guess

        rows = Columns(self.schema)
        for i, (kind, size, draw, curvature, state) in enumerate(moved):
            found = {"loss_guess": guess, "loss_before": before, "loss_after": train.loss(state)}
            found |= {"accuracy_after": test.accuracy(test.outputs(state)), "curvature": curvature}
            if ends:
                outputs, control = ends[i].outputs, ends[0].outputs
                found |= self._compared(train, free, ends[0], ends[i], most)
                found["agreement"] = test.agreement(outputs, control)
                found["accuracy_retrained"] = test.accuracy(outputs)
            rows.add(kind=kind, size=size, draw=draw, n=len(train.x), n_test=len(test.x), **found)

        return rows

    def _trained_on(self, subject: Subject, states: Sequence[State]) -> list[dict[str, Tensor]]:
        """Returns weights after more training, all as one; none where there is no refit."""

        if subject.refit is None:
            return []

        networks = [deepcopy(subject.model) for _ in states]
        for network, state in zip(networks, states, strict=True):
            network.load_state_dict(state, strict=False)
        with torch.enable_grad():
            return [state_of(each) for each in subject.refit(networks, self.steps, self.rate)]

    def _compared(
        self, train: Landscape, free: Sequence[Junction], control: End, end: End, most: float
    ) -> dict[str, float]:
        """Compares a network with the unperturbed one; the junctions in `free` may be turned."""

        losses = control.loss, end.loss
        straight, turned = train.barrier(control.state, end.state, losses, self.points), nan
        if free:
            nearest = aligned(free, end.state, control.state)
            turned = train.barrier(control.state, nearest, losses, self.points)
        returned = (straight <= most or turned <= most) and end.loss - control.loss <= most

        found = {"loss_retrained": end.loss, "barrier": straight, "barrier_aligned": turned}

        return {**found, "returned": float(returned) if isfinite(control.loss) else nan}

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the sizes of escape, and the increase of the loss along the orbit.

        escape_size is the smallest size at which fewer than half of the networks return, NaN if
        there is none; return_rate is the share that return, over all sizes; loss_increase_orbit is
        the mean over draws just after the largest rotation; curvatures are means over draws.
        """

        found = {}
        for kind in ("random", "across", "orbit"):
            sizes = _grouped(rows, kind, "returned")
            escaped = [s for s, each in sizes.items() if sum(each) < len(each) / 2]
            found[f"escape_size_{kind}"] = min(escaped, default=nan)
            found[f"return_rate_{kind}"] = mean(cells(rows, "returned", kind=kind))

        largest = max(cells(rows, "size", kind="orbit"), default=nan)
        after, before = (
            mean(cells(rows, f"loss_{when}", kind="orbit", size=largest))
            for when in ("after", "before")
        )
        found["loss_increase_orbit"] = after - before
        for kind in ("orbit", "across"):
            each = next(iter(_grouped(rows, kind, "curvature").values()), [])
            found[f"curvature_{kind}"] = mean(each)

        return found


def _grouped(rows: Rows, kind: str, column: str) -> dict[float, list[float]]:
    """Returns a column of one kind of perturbation by its size."""

    sizes = dict.fromkeys(cells(rows, "size", kind=kind))

    return {size: cells(rows, column, kind=kind, size=size) for size in sizes}


def _turnable(subject: Subject) -> list[Junction]:
    try:
        found = find_junctions(subject)
    except Unsuitable:  # there are no layers at all, as in a linear model
        return []

    return [junction for junction in found.values() if junction.width > 1]
