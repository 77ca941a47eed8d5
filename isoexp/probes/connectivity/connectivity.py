"""Connectivity: whether networks that are copies of each other, or were trained alike, lie in one
valley of the loss, without a barrier between them (barriers.py).

Symmetry paths turn a hidden layer into another basis, and back out of it (Bird 2025, Eqn 15):

    V R(t)ᵀ f( R(t) W x + R(t) b ),    R(t) = exp(t log R),    R ∈ SO(n).

If f is isotropic the function stays all the way. If f is elementwise the copies are finitely many,
and the way from one to another leads over a barrier (Sec. 2.2). Straight paths lead to a network
trained from another seed: as it is, and after alignments that leave its function.
"""

__all__ = ["Connectivity"]

from dataclasses import dataclass
from math import nan
from typing import ClassVar, Literal

import torch
from jaxtyping import Shaped
from torch import Tensor

from ...store.tables import Rows, Schema
from ...training import Objective, rows_at_once
from ..barriers import barrier
from ..copies import rounding
from ..junctions import relative_error
from ..subject import Subject
from .matching import ALIGNMENTS
from .weight_paths import DRAWN, Network, straight_paths, symmetry_paths


@dataclass(frozen=True)
class Connectivity:
    """Measures loss and accuracy along paths of weights, on the test and the training split.

    Symmetry paths: `geodesic`, to a Haar-random R, and `permutation geodesic`, to a permutation of
    determinant 1; of each layer alone, and of all at once. It is the activation that acts in
    another basis, which is the same function where linear maps are next to it, and so goes with any
    network. The ends of a permutation geodesic agree for elementwise functions too; those of a
    geodesic do not, so that there the curve says more than its barrier.

    Straight paths, if there is a twin: to it as it is, `raw`, and after the best `permutation`,
    `signed` permutation or `orthogonal` map of those hidden layers that may be so turned, as trying
    it on samples decides. What layers give on the training split is matched first, then weights
    from there: in stacked layers weights alone find worse maxima.

    layers says how many layers are turned. preserved_error is the relative error of the outputs at
    t = 1 against those of the network, or of the twin: an alignment that changes them by more than
    rounding × 1e3 is not quoted, and its barriers are NaN. error_barrier is the barrier of
    1 − accuracy; it and accuracy are NaN where there are no classes.

    Cost: 0.8 s on the default network; (4 + 2 draws (layers + 1)) points passes over the data.

    Arguments:
        draws: The number of rotations, and of permutations.
        points: The number of points of a path, both ends included.
    """

    draws: int = 2
    points: int = 21

    over: ClassVar[Literal["training", "ends", "trained"]] = "trained"
    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    schema: ClassVar[Schema] = {
        "path": str,
        "layer": str,
        "layers": int,
        "draw": int,
        "split": str,
        "t": float,
        "loss": float,
        "accuracy": float,
        "barrier": float,
        "error_barrier": float,
        "preserved_error": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1, got {self.draws}")
        if self.points < 3:
            raise ValueError(f"points must be at least 3, one between the ends, got {self.points}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        y, objective = subject.task
        splits = {"test": (subject.x, y)} | ({"train": subject.train} if subject.train else {})
        whole = rows_at_once(subject.x)
        t = torch.linspace(0, 1, self.points, dtype=torch.float64)

        rows: Rows = {name: [] for name in self.schema}
        for path in (*symmetry_paths(subject, self.draws), *straight_paths(subject)):
            outputs = torch.cat([path.at(1.0)(part) for part in subject.x.split(whole)])
            changed = relative_error(outputs, path.end.outputs(subject.x))
            quoted = path.name not in ALIGNMENTS or changed <= rounding(outputs)

            for split, (x, y) in splits.items():
                scored = [_scored(path.at(at), objective, x, y) for at in t.tolist()]
                losses, accuracies = torch.tensor(scored, dtype=torch.float64).unbind(dim=1)
                over = (barrier(t, losses), barrier(t, 1 - accuracies)) if quoted else (nan, nan)
                for at, (loss, accuracy) in zip(t.tolist(), scored, strict=True):
                    row = (*path[:4], split, at, loss, accuracy, *over, changed, len(x))
                    for column, value in zip(self.schema, row, strict=True):
                        rows[column].append(value)

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the barriers of the test loss, all layers moved, by the kind of path.

        Means over draws; NaN where there is no such path.
        """

        found: dict[str, list[float]] = {path: [] for path in (*DRAWN, "raw", *ALIGNMENTS)}
        columns = (rows[name] for name in ("path", "layer", "split", "barrier"))
        for path, layer, split, value in zip(*columns, strict=True):
            if (layer, split) == ("all", "test"):
                found[path].append(value)

        return {
            f"barrier_{path.replace(' ', '_')}": sum(each) / len(each) if each else nan
            for path, each in found.items()
        }


def _scored(
    network: Network,
    objective: Objective,
    x: Shaped[Tensor, " samples *inputs"],
    y: Shaped[Tensor, " samples *outputs"],
) -> tuple[float, float]:
    """Returns the mean loss, and the accuracy if that is the score."""

    loss = right = 0.0
    for a, b in zip(x.split(rows_at_once(x)), y.split(rows_at_once(x)), strict=True):
        outputs = network(a)[None]
        loss += objective.losses(outputs, a[None], b[None]).cpu().double().sum().item()
        right += objective.scores(outputs, a[None], b[None]).cpu().double().sum().item()

    return loss / len(x), right / len(x) if objective.score == "accuracy" else nan
