"""Equivariance: which changes of basis the functions of a network commute with, and it with them.

    [g, f](x) = f(gx) − g f(x)

vanishes for all g ∈ O(n) if f is isotropic. (As printed, Rf − Rf in Bird 2025, Eqn 12, it vanishes
for every f.) Elementwise functions commute with permutations, odd ones with changes of sign too.
The error of a layer, on the vectors x that it is really given, is

    E‖f(gx) − g f(x)‖ / max( E‖f(gx)‖, E‖g f(x)‖ ).

What the network makes of it: with f ↦ g⁻¹ f(g ·) in its layers, the outputs y become y′, and the
error is E‖y′ − y‖ / E‖y − E y‖. It is what turned weights (Eqn 15) would do.
"""

__all__ = ["Equivariance"]

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import ClassVar, Literal

import torch
from jaxtyping import Shaped
from torch import Tensor

from ...activations import activations_of
from ...store.tables import Rows, Schema
from ...symmetry import GROUPS, Group
from ..layers import conjugated, passed
from ..subject import Subject
from .commutators import Action, commutator, errors, norms_of, there_and_back

CHAIN = tuple(g for g in GROUPS if g.name not in ("positive diagonal", "trivial"))
"""O(n), signed permutations, permutations."""

ALL = "all"
"""What layers are called that are all turned at once."""

LAYER, NETWORK = "layer", "network"
"""What an error is of."""

Error = tuple[float, int]
"""An error, and of how many vectors, or samples, it is the mean."""

NOTHING: Error = (nan, 0)


@dataclass(frozen=True)
class Equivariance:
    """Measures how far activations and norms, and the network by them, are from commuting with g.

    Rows are `of` a layer, or of the network with one layer in another basis, or with `all` of
    them, each in its own. g is drawn from O(n), signed permutations and permutations of features;
    error_mean, error_sd and error_max are over draws. `rounding` is the largest error that turning
    there and back makes, g⁻¹g f(g⁻¹gx) against f(x), in the same precision: an error that is not
    well above it is none. n are vectors of a layer, and samples of the network.
    NaN where other features come out than go in, or nothing. Gains, centres and running means stay
    as they are: what commutes only with these turned along, as batch norm with permutations, does
    not commute here (`isoexp audit` measures such families).

    Cost: 4 draws · (2 + layers) passes of at most `samples` samples; 0.1 s for an MLP on digits.

    Arguments:
        draws: The number of matrices of each group.
        samples: The largest number of samples, drawn evenly from x.
    """

    draws: int = 8
    samples: int = 256

    over: ClassVar[Literal["training", "ends", "trained"]] = "training"
    needs: ClassVar[frozenset[str]] = frozenset()
    schema: ClassVar[Schema] = {
        "of": str,
        "layer": str,
        "form": str,
        "group": str,
        "error_mean": float,
        "error_sd": float,
        "error_max": float,
        "rounding": float,
        "draws": int,
        "n": int,
    }

    def __post_init__(self) -> None:
        if self.draws < 1 or self.samples < 1:
            raise ValueError(
                f"draws and samples must be at least 1, got {self.draws} and {self.samples}"
            )

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        norms = norms_of(subject.model)
        modules = subject.modules
        if modules is None:
            modules = activations_of(subject.model) | norms
        chosen = torch.randperm(len(subject.x), generator=subject.generator)[: self.samples]
        x = subject.x[chosen.sort().values.to(subject.x.device)]
        subject = replace(subject, x=x, y=None, modules=modules)

        bench = _Bench(subject)
        trips = [bench.errors(CHAIN[0], there_and_back) for _ in range(self.draws)]
        forms = {
            name: "norm" if layer.module in norms.values() else "activation"
            for name, layer in subject.layers.items()
        }
        keys = [(LAYER, name) for name in forms] + [(NETWORK, name) for name in (*forms, ALL)]

        rows: Rows = {name: [] for name in self.schema}
        for group in CHAIN:
            draws = [bench.errors(group, commutator) for _ in range(self.draws)]
            for of, name in keys:
                found, rounding = (
                    torch.tensor([draw.get((of, name), NOTHING)[0] for draw in each]).double()
                    for each in (draws, trips)
                )
                rows["of"].append(of)
                rows["layer"].append(name)
                rows["form"].append(forms.get(name, ALL))
                rows["group"].append(group.name)
                rows["error_mean"].append(found.mean().item())
                rows["error_sd"].append(found.std().item() if self.draws > 1 else nan)
                rows["error_max"].append(found.max().item())
                rows["rounding"].append(rounding.max().item() + bench.eps)
                rows["draws"].append(self.draws)
                rows["n"].append(trips[0].get((of, name), NOTHING)[1])

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the errors under O(n): the largest of activations and of norms, the network's.

        That is the one with all layers in other bases at once.
        """

        found: dict[str, list[float]] = {"activation": [], "norm": [], ALL: []}
        for i, error in enumerate(rows["error_mean"]):
            of, form, group = (rows[k][i] for k in ("of", "form", "group"))
            if group == CHAIN[0].name and error == error and (of == LAYER or form == ALL):
                found[form].append(error)

        return {
            "activation_error": max(found["activation"], default=nan),
            "norm_error": max(found["norm"], default=nan),
            "network_error": max(found[ALL], default=nan),
        }


class _Bench:
    """A network whose layers can be put into other bases, and what it gives when they are not."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.outputs = subject.outputs(subject.x)
        self.spread = _mean_length(self.outputs - self.outputs.mean(dim=0))
        self.eps = torch.finfo(self.outputs.dtype).eps

        few = passed(subject.model, subject.layers, subject.x[:1])[1]
        same = {name for name, (x, y) in few.items() if x.shape == y.shape}
        self.layers = {name: layer for name, layer in subject.layers.items() if name in same}

    def errors(self, group: Group, action: Action) -> dict[tuple[str, str], Error]:
        """Returns the errors of layers, and of the network with one of them, or all, turned."""

        g = {k: group.draw(layer.width, self.subject.generator) for k, layer in self.layers.items()}
        found = {(LAYER, k): e for k, e in errors(self.subject, self.layers, g, action).items()}
        turned = {k: [k] for k in self.layers} | ({ALL: list(self.layers)} if self.layers else {})
        for name, names in turned.items():
            found[NETWORK, name] = self._moved(names, g, action), len(self.outputs)

        return found

    def _moved(self, names: list[str], g: Mapping[str, Tensor], action: Action) -> float:
        """Returns how far outputs move as layers act in other bases; or by mere rounding."""

        layers, matrices = [self.layers[k] for k in names], [g[k] for k in names]
        if action is there_and_back:
            layers, matrices = layers * 2, matrices + [R.mT for R in matrices]
        with conjugated(layers, matrices):
            moved = _mean_length(self.subject.outputs(self.subject.x) - self.outputs)

        return moved / self.spread if self.spread > 0 else nan


def _mean_length(y: Shaped[Tensor, " samples *outputs"]) -> float:
    return torch.linalg.vector_norm(y.flatten(1).cpu().double(), dim=1).mean().item()
