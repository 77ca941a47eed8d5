"""Connectivity: whether networks that are copies of each other, or were trained alike, lie in one
valley of the loss, without a barrier between them (landscape.py).

Symmetry paths turn a hidden layer into another basis, and back out of it (Bird 2025, Eqn 15):

    V R(t)ᵀ f( R(t) W x + R(t) b ),    R(t) = exp(t log R),    R ∈ SO(n).

If f is isotropic the function stays all the way. If f is elementwise the copies are finitely many,
and the way from one to another leads over a barrier (Sec. 2.2). Straight paths lead to a network
trained from another seed: as it is, and after alignments that leave its function.
"""

__all__ = ["Connectivity"]

from dataclasses import dataclass
from math import nan
from typing import ClassVar

import torch
from jaxtyping import Shaped
from torch import Tensor

from ...store.tables import Rows, Schema
from ...training import Objective
from ..arguments import check_least
from ..junctions import relative_error, rounding
from ..landscape import barrier
from ..rows import Columns, cells
from ..statistics import mean
from ..subject import Over, Subject, batches, in_batches
from .matching import ALIGNMENTS
from .weight_paths import DRAWN, Network, straight_paths, symmetry_paths


@dataclass(frozen=True)
class Connectivity:
    """Measures loss and accuracy along paths of weights, on the test and the training split.

    Symmetry paths: `geodesic`, to a Haar-random R, and `permutation geodesic`, to a permutation of
    determinant 1; of each layer alone, and of all at once. The activation acts in another basis,
    which is the same function where linear maps are next to it, and so goes with any network. The
    ends of a permutation geodesic agree for elementwise functions too; of a geodesic they do not,
    so that there the curve says more than its barrier.

    Straight paths, if there is a twin: to it as it is, `raw`, and after the best `permutation`,
    `signed` permutation or `orthogonal` map of those hidden layers that may be turned so, as a
    trial on samples decides. The outputs of layers on the training split are matched first, then
    weights from there: in stacked layers weights alone find worse maxima.

    layers is the number of layers turned. preserved_error is the relative error of the outputs at
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

    over: ClassVar[Over] = "trained"
    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    figure: ClassVar[str] = "isoexp.figures.connectivity:draw"
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
        check_least(self, draws=1)
        if self.points < 3:
            raise ValueError(f"points must be at least 3, one between the ends, got {self.points}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        y, objective = subject.task
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
                rows.extend(
                    path=path.name,
                    layer=path.layer,
                    layers=path.layers,
                    draw=path.draw,
                    split=split,
                    t=t,
                    loss=losses,
                    accuracy=accuracies,
                    barrier=barrier(t, losses) if quoted else nan,
                    error_barrier=barrier(t, 1 - accuracies) if quoted else nan,
                    preserved_error=changed,
                    n=len(x),
                )

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the barriers of the test loss, all layers moved, by the kind of path.

        Means over draws; NaN where there is no such path.
        """

        return {
            f"barrier_{path.replace(' ', '_')}": mean(
                cells(rows, "barrier", path=path, layer="all", split="test")
            )
            for path in (*DRAWN, "raw", *ALIGNMENTS)
        }


def _scored(
    network: Network,
    objective: Objective,
    x: Shaped[Tensor, " samples *inputs"],
    y: Shaped[Tensor, " samples *outputs"],
) -> tuple[float, float]:
    """Returns the mean loss, and the accuracy; NaN where there are no classes."""

    loss = right = 0.0
    for a, b in batches(x, y):
        outputs = network(a)[None]
        loss += objective.losses(outputs, a[None], b[None]).cpu().double().sum().item()
        right += objective.scores(outputs, a[None], b[None]).cpu().double().sum().item()

    return loss / len(x), right / len(x) if objective.score == "accuracy" else nan
