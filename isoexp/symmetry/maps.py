"""The symmetry of maps of vectors: activations, norms, dropout, attention weights, a user's own.

The error is the size of the commutator, corrected from Eqn 12, which vanishes as it is printed:

    E‖f(gx; θ) − g f(x; θ)‖ / max(E‖f(gx; θ)‖, E‖g f(x; θ)‖).

A form with parameters is a family of maps. It is measured at one θ, away from its first value since
a gain of ones is no gain, and as a family, with θ turned along: E‖f(gx; g·θ) − g f(x; θ)‖.
"""

__all__ = ["FAMILY", "MAP", "measure_gradient_map", "measure_map"]

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..noise import KEY, Noisy
from ..streams import seeded, stream
from .groups import GROUPS, MatrixGroup, Measured
from .laws import measure_law

Map = Callable[[Tensor], Tensor]

MAP, FAMILY = "features", "features and parameters"
"""The objects of a group's action."""

ROUNDING = 1e-9
"""In float64: rounding is far below it, through an eigendecomposition too, and failures above."""

SAMPLES = 64
DRAWS = 4
MAGNITUDES = (0.1, 1.0, 10.0)
"""Of a coordinate: inside the unit ball, at the scale of N(0, I), and far out."""


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Map) -> None:
        super().__init__()

        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def measure_map(build: Callable[[int], Map], n: int = 8, seed: int = 0) -> list[Measured]:
    """Measures a map of R^n in training and in evaluation; a random map by its law instead."""

    def made() -> nn.Module:
        form = build(n)
        module = form if isinstance(form, nn.Module) else Function(form)

        return copy.deepcopy(module).double()

    with seeded(seed, "audit"), torch.no_grad():
        form = made()
        for p in form.parameters():
            if p.dim() > 0:
                p.add_(0.3 * torch.randn_like(p))

        x = torch.randn(2, SAMPLES, n, dtype=torch.float64)
        y, z = _with_noise(form, x[0], 0), _with_noise(form, x[0], 1)
        if not torch.allclose(y, z, rtol=0.0, atol=0.0, equal_nan=True):
            return measure_law(made, x[0, 0], seed)

        families = [MAP, FAMILY] if any(p.dim() for p in form.parameters()) else [MAP]

        return [_commutator(form, group, on, x, seed) for group in GROUPS for on in families]


def measure_gradient_map(
    clip: Callable[[Sequence[Tensor]], object], n: int = 8, seed: int = 0
) -> list[Measured]:
    """Measures a clip, in place, on gradients of length 10² √n to 10⁴ √n."""

    def clipped(x: Tensor) -> Tensor:
        rows = [1e3 * row[None] for row in x]
        for row in rows:
            clip([row])

        return torch.cat(rows)

    return measure_map(lambda n: clipped, n, seed)


def _with_noise(form: nn.Module, x: Tensor, seed: int) -> Tensor:
    """Returns the outputs of a fresh copy in training, with noise drawn from a seed."""

    form = copy.deepcopy(form).train()
    for module in form.modules():
        if isinstance(module, Noisy):
            module.key.copy_((module.key + seed) & KEY)
    with seeded(seed, "noise"):
        return form(x.clone())


def _commutator(
    form: nn.Module, group: MatrixGroup, on: str, x: Float[Tensor, "2 samples n"], seed: int
) -> Measured:
    """Measures the mean error over matrices of a group, at the worst of the magnitudes."""

    generator = stream(seed, "audit", group.name)
    errors = torch.zeros(len(MAGNITUDES), dtype=torch.float64)
    for g in group.drawn(DRAWS, x.shape[-1], generator):
        found = [_error(form, g, on, magnitude * x) for magnitude in MAGNITUDES]
        errors += torch.tensor(found, dtype=torch.float64) / DRAWS

    return Measured(group.name, on, errors.max().item(), ROUNDING)


def _error(
    form: nn.Module, g: Float[Tensor, "n n"], on: str, x: Float[Tensor, "2 samples n"]
) -> float:
    """Returns the error for one matrix; for a family, the smallest over all ways to turn θ."""

    y = _answers(form, x)
    if y.shape != x.shape:
        # Outputs in another space: only the identity acts on both.
        return 0.0 if torch.equal(g, torch.eye(len(g)).to(g)) else torch.inf

    forms = [form] if on == MAP else _turned(form, g)
    found = [_relative(_answers(f, x @ g.mT), y @ g.mT) for f in forms]

    return min((e for e in found if e == e), default=torch.nan)


def _relative(a: Float[Tensor, "*batch n"], b: Float[Tensor, "*batch n"]) -> float:
    """Returns E‖a − b‖ / max(E‖a‖, E‖b‖); 0 where both are 0."""

    size = torch.maximum(a.norm(dim=-1).mean(), b.norm(dim=-1).mean())

    return ((a - b).norm(dim=-1).mean() / size).item() if size != 0 else 0.0


def _answers(form: nn.Module, x: Float[Tensor, "2 samples n"]) -> Float[Tensor, "2 samples m"]:
    """Returns the outputs of a fresh copy on one batch in training, then on one in evaluation."""

    form, x = copy.deepcopy(form), x.clone()  # some of torch's modules work in place

    return torch.stack([form.train()(x[0]), form.eval()(x[1])])


def _turned(form: nn.Module, g: Float[Tensor, "n n"]) -> Iterator[nn.Module]:
    """Yields the form with its parameters moved by g, in every way that their shapes allow."""

    for choice in itertools.product(*(_actions(p, g) for p in form.parameters())):
        turned = copy.deepcopy(form)
        for p, moved in zip(turned.parameters(), choice, strict=True):
            p.copy_(moved)
        yield turned


def _actions(p: Tensor, g: Float[Tensor, "n n"]) -> list[Tensor]:
    """Returns the images of a parameter under g, by each action that its shape allows.

    A gain γ stands for the matrix diag γ, of which g diag(γ) g⁻¹ keeps the diagonal alone.
    """

    n, inverse = len(g), torch.linalg.inv(g)
    if p.shape == (n,):
        return [g @ p, (g * inverse.mT) @ p]
    if p.shape == (n, n):
        return [g @ p @ inverse, p @ g.mT, g @ p]
    if p.dim() == 2 and n in p.shape:
        return [p @ g.mT] if p.shape[1] == n else [g @ p]

    return [p]
