"""Equivariance: which changes of basis the functions of a network commute with, and it with them.

    [g, f](x) = f(gx) − g f(x)

vanishes for all g ∈ O(n) if f is isotropic. (As printed, Rf − Rf in Bird 2025, Eqn 12, it vanishes
for every f.) Elementwise functions commute with permutations, odd ones with changes of sign too.
The error of a layer, on the vectors x that it is really given, is

    E‖f(gx) − g f(x)‖ / max( E‖f(gx)‖, E‖g f(x)‖ ).

The error of the network: with f ↦ g⁻¹ f(g ·) in its layers, as with turned weights (Eqn 15), the
outputs y become y′, and the error is E‖y′ − y‖ / E‖y − E y‖.
"""

__all__ = ["Equivariance"]

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import nan
from typing import ClassVar

import torch
from jaxtyping import Shaped
from torch import Tensor

from ...activations import activations_of
from ...store.tables import Rows, Schema
from ...symmetry import GROUPS, Group
from ..arguments import check_least
from ..layers import conjugated, passed
from ..rows import Columns
from ..subject import Over, Subject, chosen
from .commutators import Action, commutator, errors, norms_of, there_and_back

CHAIN = tuple(g for g in GROUPS if g.name not in ("positive diagonal", "trivial"))
"""O(n), signed permutations, permutations."""

ALL = "all"
"""The name of all layers, turned at once."""

LAYER, NETWORK = "layer", "network"
"""Errors are of a layer or of the network."""

Error = tuple[float, int]
"""An error, the mean over vectors or samples, and their number."""

NOTHING: Error = (nan, 0)


@dataclass(frozen=True)
class Equivariance:
    """Measures how far activations and norms, and the network by them, are from commuting with g.

    Rows are `of` a layer, or of the network with one layer in another basis, or with `all` of
    them, each in its own. g is drawn from O(n), signed permutations and permutations of features;
    error_mean, error_sd and error_max are over draws. `rounding` is the largest error of turning
    there and back, g⁻¹g f(g⁻¹gx) against f(x), in the same precision: an error that is not well
    above it is rounding. n counts vectors of a layer, and samples of the network. Errors are NaN
    where widths in and out differ, or all outputs are zero. Gains, centres and running means stay
    as they are: a norm that commutes only if these are turned along, as batch norm with
    permutations, does not commute here (`isoexp audit` measures such families).

    Cost: 4 draws · (2 + layers) passes of at most `samples` samples; 0.1 s for an MLP on digits.

    Arguments:
        draws: The number of matrices of each group.
        samples: The largest number of samples, drawn evenly from x.
    """

    draws: int = 8
    samples: int = 256

    over: ClassVar[Over] = "training"
    figure: ClassVar[str] = "isoexp.figures.equivariance:draw"
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
        check_least(self, draws=1, samples=1)

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        norms = norms_of(subject.model)
        modules = subject.modules
        if modules is None:
            modules = activations_of(subject.model) | norms
        at = chosen(len(subject.x), self.samples, subject.generator)
        x = subject.x[at.to(subject.x.device)]
        subject = replace(subject, x=x, y=None, modules=modules)

        bench = _Bench(subject)
        trips = [bench.errors(CHAIN[0], there_and_back) for _ in range(self.draws)]
        forms = {
            name: "norm" if layer.module in norms.values() else "activation"
            for name, layer in subject.layers.items()
        }
        keys = [(LAYER, name) for name in forms] + [(NETWORK, name) for name in (*forms, ALL)]

        rows = Columns(self.schema)
        for group in CHAIN:
            draws = [bench.errors(group, commutator) for _ in range(self.draws)]
            for of, name in keys:
                found, rounding = (
                    torch.tensor([draw.get((of, name), NOTHING)[0] for draw in each]).double()
                    for each in (draws, trips)
                )
                rows.add(
                    of=of,
                    layer=name,
                    form=forms.get(name, ALL),
                    group=group.name,
                    error_mean=found.mean(),
                    error_sd=found.std() if self.draws > 1 else nan,
                    error_max=found.max(),
                    rounding=rounding.max() + bench.eps,
                    draws=self.draws,
                    n=trips[0].get((of, name), NOTHING)[1],
                )

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the errors under O(n): the largest of activations, the largest of norms, and the
        network's with all layers in other bases at once."""

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
    """A network whose layers can be put into other bases, and its outputs when they are not."""

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
        """Returns the error of the outputs as layers act in other bases, or there and back."""

        layers, matrices = [self.layers[k] for k in names], [g[k] for k in names]
        if action is there_and_back:
            layers, matrices = layers * 2, matrices + [R.mT for R in matrices]
        with conjugated(layers, matrices):
            moved = _mean_length(self.subject.outputs(self.subject.x) - self.outputs)

        return moved / self.spread if self.spread > 0 else nan


def _mean_length(y: Shaped[Tensor, " samples *outputs"]) -> float:
    return torch.linalg.vector_norm(y.flatten(1).cpu().double(), dim=1).mean().item()
