"""Connectivity: whether networks that are copies of each other, or were trained alike, lie in one
valley of the loss, without a barrier between them (landscape.py).

Symmetry paths turn a hidden layer into another basis, and back out of it (Bird 2025, Eqn 15):

    V R(t)ᵀ f( R(t) W x + R(t) b ),    R(t) = exp(t log R),    R ∈ SO(n).

If f is isotropic the function stays all the way. If f is elementwise the copies are finitely many,
and the way from one to another leads over a barrier (Sec. 2.2). Straight paths lead to a network
trained from another seed: as it is, and after alignments that leave its function.
"""

__all__ = ["Connectivity"]

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from ...store.tables import Rows, Schema
from ...training import Objective
from ..arguments import check_least
from ..copies import turned
from ..hidden import find_spaces
from ..junctions import agree, answers, relative_error, rounding
from ..landscape import barrier, between, state_of
from ..layers import Layer, conjugated, passed
from ..rows import Columns, cells
from ..spaces import State
from ..statistics import mean
from ..subject import Over, Subject, Unsuitable, batches, in_batches
from .bases import ALIGNMENTS, DRAWN, Geodesic, Turn, cross_moments, weight_matching

Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Connectivity:
    """Measures loss and accuracy along paths of weights, on the test and the training split.

    Symmetry paths: `geodesic`, to a Haar-random R, and `permutation geodesic`, to a permutation of
    determinant 1; of each layer alone, and of all at once. The activation acts in another basis,
    which is the same function where linear maps are next to it, and so goes with any network. The
    ends of a permutation geodesic agree for elementwise functions too; of a geodesic they do not,
    so that there the curve says more than its barrier.

    Straight paths, if there is a twin: to it as it is, `raw`, and after the best `permutation`,
    `signed` permutation or `orthogonal` map of those hidden spaces that may be turned so, as a
    trial on samples decides; of the others, after the best of a smaller group. A space is all that
    is added together, as a residual stream; in heads of attention Q and K are turned together, V
    and O, and the heads. Gains and running moments turn along. What is read of spaces on the
    training split is matched first, then weights from there: weights alone find worse maxima.

    bound says that modules of other hands hide features that were not aligned, or may: the barrier
    after the best alignment is then no greater than what is found, and may be smaller.

    layers is the number of layers, or hidden spaces, turned. preserved_error is the relative error
    of the outputs at t = 1 against those of the network, or of the twin: an alignment that changes
    them by more than rounding × 1e3 is not quoted, and its barriers are NaN. error_barrier is the
    barrier of 1 − accuracy; it and accuracy are NaN where there are no classes.

    Cost: 0.8 s on the default network; (4 + 2 draws (layers + 1)) points passes over the data.

    Arguments:
        draws: The number of rotations, and of permutations.
        points: The number of points of a path, both ends included.
    """

    draws: int = 2
    points: int = 21

    over: ClassVar[Over] = "trained"
    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    figure: ClassVar[str] = "isoexp.figures.connectivity:draw"
    schema: ClassVar[Schema] = {
        "path": str, "layer": str, "layers": int, "draw": int, "split": str, "t": float,
        "loss": float, "accuracy": float, "barrier": float, "error_barrier": float,
        "preserved_error": float, "bound": bool, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_least(self, draws=1)
        if self.points < 3:
            raise ValueError(f"points must be at least 3, one between the ends, got {self.points}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        y, objective = subject.task
        answers(subject.model, subject.x[:64])
        splits = {"test": (subject.x, y)} | ({"train": subject.train} if subject.train else {})
        t = torch.linspace(0, 1, self.points, dtype=torch.float64)

        rows = Columns(self.schema)
        for path in (*symmetry_paths(subject, self.draws), *straight_paths(subject)):
            outputs = in_batches(path.at(1.0), subject.x)
            changed = relative_error(outputs, path.end.outputs(subject.x))
            quoted = path.name not in ALIGNMENTS or changed <= rounding(outputs)

            for split, (x, y) in splits.items():
                scored = [_scored(path.at(at), objective, x, y) for at in t.tolist()]
                losses, accuracies = torch.tensor(scored, dtype=torch.float64).unbind(dim=1)
                found = {"loss": losses, "accuracy": accuracies, "preserved_error": changed}
                if quoted:
                    found["barrier"] = barrier(t, losses)
                    found["error_barrier"] = barrier(t, 1 - accuracies)
                of = {"path": path.name, "layer": path.layer, "layers": path.layers}
                of |= {"draw": path.draw, "bound": path.bound}
                rows.extend(**of, split=split, t=t, n=len(x), **found)

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the barriers of the test loss, all layers moved, by the kind of path: means over
        draws, NaN where there is no such path.

        What is only an upper bound of a barrier is called so, barrier_…_at_most.
        """

        found = {}
        for path in (*DRAWN, "raw", *ALIGNMENTS):
            name, of = f"barrier_{path.replace(' ', '_')}", {"path": path, "layer": "all"}
            exact, most = (cells(rows, "barrier", **of, split="test", bound=b) for b in (0, 1))
            found |= {name: mean(exact)} | ({f"{name}_at_most": mean(most)} if most else {})

        return found


class WeightPath(NamedTuple):
    """A path of networks from one to another; `draw` is its number among those of its kind.

    at(1) should have the outputs of `end`; `layers` of its layers, or spaces, are turned. `bound`
    says that there may be more to turn.
    """

    name: str
    layer: str
    layers: int
    draw: int
    at: Callable[[float], Network]
    end: Subject
    bound: bool = False


def symmetry_paths(subject: Subject, draws: int) -> Iterator[WeightPath]:
    """Yields the geodesics to a network's copies in other bases of its layers."""

    _, pairs = passed(subject.model, subject.layers, subject.x[:2])
    same = [k for k, (x, y) in pairs.items() if x.shape == y.shape]  # a basis to share
    layers = [subject.layers[k] for k in same]

    for name, drawn in DRAWN.items():
        for draw in range(draws if layers else 0):
            ways = [Geodesic(drawn(layer.width, subject.generator)) for layer in layers]
            at = partial(_in_bases, subject, layers, ways)
            yield WeightPath(name, "all", len(layers), draw, at, subject)
            for layer, way in zip(layers, ways, strict=True):
                at = partial(_in_bases, subject, [layer], [way])
                yield WeightPath(name, layer.name, 1, draw, at, subject)


def straight_paths(subject: Subject) -> Iterator[WeightPath]:
    """Yields the segments to the twin, as it is and in bases nearer to the network's."""

    twin = subject.twin
    if twin is None:
        return
    ours, theirs = (  # parameters, and buffers that are not counts
        {name: t for name, t in state_of(each.model).items() if t.is_floating_point()}
        for each in (subject, twin)
    )
    if {k: v.shape for k, v in ours.items()} != {k: v.shape for k, v in theirs.items()}:
        raise Unsuitable("the twin must have weights of the same names and shapes: train it alike")
    x = twin.x[:64]
    if not agree(functional_call(subject.model, theirs, (x,)), answers(twin.model, x)):
        raise Unsuitable("the twin must differ in its weights alone, not in its functions")

    yield WeightPath("raw", "all", 0, 0, partial(_segment, subject, ours, theirs), twin)

    found, whole = find_spaces(twin, [each.group for each in ALIGNMENTS.values()])
    moments: dict[str, Tensor] = {}
    turns: dict[str, Turn] = {}
    for name, matcher in ALIGNMENTS.items():
        own = {k: by[matcher.group.name] for k, by in found.items() if matcher.group.name in by}
        if not own:
            continue
        turns |= {k: Turn(space, matcher) for k, space in own.items()}
        spaces = {k: turn.space for k, turn in turns.items()}
        if moments.keys() != spaces.keys():
            x = subject.train[0] if subject.train else subject.x
            moments = cross_moments(subject, twin, spaces, x)
        start = {k: turn.nearest(moments[k]) for k, turn in turns.items()}
        end = turned(theirs, spaces, weight_matching(ours, theirs, turns, start))
        at = partial(_segment, subject, ours, end)
        yield WeightPath(name, "all", len(turns), 0, at, twin, bound=not whole)


def _in_bases(subject: Subject, layers: list[Layer], ways: list[Geodesic], t: float) -> Network:
    matrices = [way(t) for way in ways]

    def network(x: Tensor) -> Tensor:
        with conjugated(layers, matrices):
            return subject.model(x)

    return network


def _segment(subject: Subject, state: State, end: State, t: float) -> Network:
    inner = between(state, end, t)

    return lambda x: functional_call(subject.model, inner, (x,))


def _scored(network: Network, objective: Objective, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Returns the mean loss, and the accuracy; NaN where there are no classes."""

    loss = right = 0.0
    for a, b in batches(x, y):
        outputs = network(a)[None]
        loss += objective.losses(outputs, a[None], b[None]).cpu().double().sum().item()
        right += objective.scores(outputs, a[None], b[None]).cpu().double().sum().item()

    return loss / len(x), right / len(x) if objective.score == "accuracy" else nan
