"""Equivariance: which changes of basis the functions of a network commute with, and it with them.

    [g, f](x) = f(gx) − g f(x)

vanishes for all g ∈ O(n) if f is isotropic. (As printed, Rf − Rf in Bird 2025, Eqn 12, it vanishes
for every f.) Elementwise functions commute with permutations, odd ones with changes of sign too.
The error of a layer, on the vectors x that it is really given, is

    E‖f(gx) − g f(x)‖ / max( E‖f(gx)‖, E‖g f(x)‖ ).

The error of the network: with f ↦ g⁻¹ f(g ·) in its layers, as with turned weights (Eqn 15), the
outputs y become y′, and the error is E‖y′ − y‖ / E‖y − E y‖.
"""

__all__ = ["Equivariance", "commutator", "errors", "norms_of"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import nan
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ..activations import activations_of
from ..geometry import full
from ..store.tables import Rows, Schema
from ..symmetry import MatrixGroup
from .arguments import check_least
from .copies import ORTHOGONAL, PERMUTATIONS, SIGNED
from .layers import Call, Layer, conjugated, hooked, passed
from .rows import Columns, cells
from .subject import Over, Subject, batches, chosen

NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.LocalResponseNorm)
"""torch's; batch and instance norms are of the first kind."""

Map = Callable[[Float[Tensor, "*shape"]], Float[Tensor, "*shape"]]

Action = Callable[[Map, Map, Map, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From f, x ↦ gx, x ↦ g⁻¹x, x and f(x), two tensors to compare."""

Error = tuple[float, int]
"""An error, the mean over vectors or samples, and their number."""


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
        "of": str, "layer": str, "form": str, "group": str, "error_mean": float, "error_sd": float,
        "error_max": float, "rounding": float, "draws": int, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_least(self, draws=1, samples=1)

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        model, norms = subject.model, norms_of(subject.model)
        modules = activations_of(model) | norms if subject.modules is None else subject.modules
        at = chosen(len(subject.x), self.samples, subject.generator)
        x = subject.x[at.to(subject.x.device)]

        bench = _Bench(replace(subject, x=x, y=None, modules=modules))
        trips = [bench.errors(ORTHOGONAL, there_and_back) for _ in range(self.draws)]
        forms = {
            name: "norm" if layer.module in norms.values() else "activation"
            for name, layer in bench.subject.layers.items()
        }
        keys = [("layer", name) for name in forms] + [("network", k) for k in (*forms, "all")]

        rows = Columns(self.schema)
        for group in (ORTHOGONAL, SIGNED, PERMUTATIONS):
            draws = [bench.errors(group, commutator) for _ in range(self.draws)]
            for of, name in keys:
                found, rounding = (
                    torch.tensor([draw.get((of, name), (nan, 0))[0] for draw in each]).double()
                    for each in (draws, trips)
                )
                rows.add(
                    of=of,
                    layer=name,
                    form=forms.get(name, "all"),
                    group=group.name,
                    error_mean=found.mean(),
                    error_sd=found.std() if self.draws > 1 else nan,
                    error_max=found.max(),
                    rounding=rounding.max() + bench.eps,
                    draws=self.draws,
                    n=trips[0].get((of, name), (nan, 0))[1],
                )

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the errors under O(n): the largest of activations, the largest of norms, and the
        network's with all layers in other bases at once."""

        def largest(**where: str) -> float:
            found = cells(rows, "error_mean", group=ORTHOGONAL.name, **where)

            return max((error for error in found if error == error), default=nan)

        return {
            "activation_error": largest(of="layer", form="activation"),
            "norm_error": largest(of="layer", form="norm"),
            "network_error": largest(form="all"),
        }


class _Bench:
    """A network whose layers can be put into other bases, and its outputs when they are not."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.outputs = subject.outputs(subject.x)
        self.spread = _mean_length(self.outputs - self.outputs.mean(dim=0))
        self.eps = torch.finfo(self.outputs.dtype).eps

        few = passed(subject.model, subject.layers, subject.x[:1])[1]
        self.layers = {k: subject.layers[k] for k, (x, y) in few.items() if x.shape == y.shape}

    def errors(self, group: MatrixGroup, action: Action) -> dict[tuple[str, str], Error]:
        """Returns the errors of layers, and of the network with one of them, or all, turned."""

        g = {k: group.draw(layer.width, self.subject.generator) for k, layer in self.layers.items()}
        found = {("layer", k): e for k, e in errors(self.subject, self.layers, g, action).items()}
        for name in [*g, "all"] if g else []:
            names = list(g) if name == "all" else [name]
            found["network", name] = self._moved(names, g, action), len(self.outputs)

        return found

    def _moved(self, names: list[str], g: Mapping[str, Tensor], action: Action) -> float:
        """Returns the error of the outputs as layers act in other bases, or there and back."""

        layers, matrices = [self.layers[k] for k in names], [g[k] for k in names]
        if action is there_and_back:
            layers, matrices = layers * 2, matrices + [R.mT for R in matrices]
        with conjugated(layers, matrices):
            moved = _mean_length(self.subject.outputs(self.subject.x) - self.outputs)

        return moved / self.spread if self.spread > 0 else nan


def errors(
    subject: Subject, layers: Mapping[str, Layer], matrices: Mapping[str, Tensor], action: Action
) -> dict[str, Error]:
    """Returns E‖a − b‖ / max(E‖a‖, E‖b‖) for the vectors a, b that an action makes in each layer,
    R^n → R^n, with its orthogonal matrix g; and their number. NaN where both are zero."""

    sums = {name: torch.zeros(4, dtype=torch.float64) for name in layers}
    taken: dict[nn.Module, Tensor] = {}

    def before(call: Call) -> None:
        taken[call.module] = call.x.clone()  # some work in place

    def after(call: Call) -> None:
        x, y = taken.pop(call.module), call.y

        def f(t: Tensor) -> Tensor:
            return call.again(t.clone())

        for name, layer in layers.items():
            if layer.meets(call.module, x):
                R = matrices[name]
                g, inverse = (partial(layer.turned, R=M) for M in (R, R.mT))
                a, b = action(f, g, inverse, x, y)
                lengths = [torch.linalg.vector_norm(full(t), dim=layer.axis) for t in (a - b, a, b)]
                totals = [each.cpu().double().sum().item() for each in lengths]
                sums[name] += torch.tensor([*totals, lengths[0].numel()], dtype=torch.float64)

    with hooked({layer.module for layer in layers.values()}, before, after):
        for (part,) in batches(subject.x):
            subject.model(part)

    return {
        name: (difference / max(a, b) if max(a, b) > 0 else nan, int(count))
        for name, (difference, a, b, count) in ((k, v.tolist()) for k, v in sums.items())
    }


def commutator(f: Map, g: Map, inverse: Map, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns f(gx) and g f(x)."""

    return f(g(x)), g(y)


def there_and_back(f: Map, g: Map, inverse: Map, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Returns g⁻¹g f(g⁻¹gx) and f(x), which nothing but rounding tells apart."""

    return inverse(g(f(inverse(g(x))))), y


def norms_of(model: nn.Module) -> dict[str, nn.Module]:
    """Returns the norms of a network by their paths: torch's, and modules named norm or …_norm.

    A norm that is the identity, or inside another, is left out.
    """

    found: dict[str, nn.Module] = {}
    for path, module in model.named_modules():
        inside = any(path.startswith(f"{outer}.") for outer in found)
        named = path.rpartition(".")[2] == "norm" or path.endswith("_norm")
        if not inside and (named or isinstance(module, NORMS)):
            found[path] = module

    return {path: m for path, m in found.items() if not isinstance(m, nn.Identity)}


def _mean_length(y: Shaped[Tensor, " samples *outputs"]) -> float:
    return torch.linalg.vector_norm(y.flatten(1).cpu().double(), dim=1).mean().item()
