"""The symmetry of forms that draw random numbers, dropout or first weights: equality in law.

f commutes with g in law if g⁻¹ f(gx) is distributed as f(x), here at one x. The law of W is
isotropic if g W and W g⁻¹ are distributed as W. Samples of 3,000 are compared by Kolmogorov and
Smirnov's distance between the distributions of coordinates, of sums of these in random
directions, of the length, and of its spread over the axes: max |y_i|, min |y_i| and Σ y_i⁴.

Laws that are closer than the threshold, a distance of some 0.07, are taken for the same.
"""

__all__ = ["measure_init", "measure_law"]

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ..noise import Noisy
from ..streams import seeded, stream
from .groups import GROUPS, Measured, acted, drawn

DRAWS = 3000

LEVEL = 1e-4
"""The probability that equal laws are told apart."""

COORDINATES, DIRECTIONS = 16, 32
"""Coordinates alone would not see that two of them depend on each other."""


def measure_law(made: Callable[[], nn.Module], x: Float[Tensor, " n"], seed: int) -> list[Measured]:
    """Measures a random map by the laws of f(x) and g⁻¹ f(gx), in training.

    The law includes the draws by which `made` builds the map anew.
    """

    first, second = RandomMaps(made), RandomMaps(made)
    y = first(x)

    found = []
    for group in GROUPS:
        (g,) = group.drawn(1, len(x), stream(seed, "audit", group.name))
        back = torch.linalg.inv(g)
        found.append(_compared(group.name, "features", y, second(g @ x) @ back.mT))

    return found


def measure_init(init: Callable[[nn.Module], object], n: int = 8, seed: int = 0) -> list[Measured]:
    """Measures first weights by the laws of W, g W and W g⁻¹, W of n outputs and n + 1 inputs."""

    def sample() -> Tensor:
        layer = nn.Linear(n + 1, n).double()
        weights = []
        for _ in range(DRAWS):
            layer.reset_parameters()
            init(layer)
            weights.append(layer.weight.detach().clone())

        return torch.stack(weights)

    with seeded(seed, "audit"):
        W, V = sample(), sample()

    return [
        _compared(group, on, W.flatten(1), acted(V, g, on).flatten(1))
        for group, on, g in drawn({"outputs": n, "inputs": n + 1}, seed)
    ]


class RandomMaps:
    """Many independent random maps of one kind, called as one."""

    def __init__(self, made: Callable[[], nn.Module]) -> None:
        self.forms = []
        for _ in range(DRAWS):
            torch.rand(())  # drawing a noisy module's key does not move the generator
            self.forms.append(made().train())

        keyed = any(isinstance(module, Noisy) for module in self.forms[0].modules())
        self.state = stack_module_state(self.forms) if keyed else None

    def __call__(self, x: Float[Tensor, " n"]) -> Float[Tensor, "draws n"]:
        if self.state is None:
            return torch.stack([form(x[None])[0] for form in self.forms])

        def call(*state: dict[str, Tensor]) -> Tensor:
            return functional_call(self.forms[0], state, (x[None],))[0]

        return vmap(call, randomness="different")(*self.state)


def _compared(
    group: str, on: str, a: Float[Tensor, "draws n"], b: Float[Tensor, "draws n"]
) -> Measured:
    """Measures the largest distance between two samples; the threshold has probability LEVEL."""

    from scipy.special import kolmogi

    chosen = torch.linspace(0, a.shape[1] - 1, min(COORDINATES, a.shape[1])).long()
    directions = torch.randn(a.shape[1], DIRECTIONS, generator=stream(0, "directions")).to(a)
    a, b = _statistics(a, chosen, directions), _statistics(b, chosen, directions)
    threshold = float(kolmogi(LEVEL / a.shape[1])) * (2 / DRAWS) ** 0.5

    error = _distances(a.T.contiguous(), b.T.contiguous()).max().item()

    return Measured(group, on, error, threshold)


def _statistics(
    y: Float[Tensor, "draws n"],
    chosen: Int[Tensor, " coordinates"],
    directions: Float[Tensor, "n directions"],
) -> Float[Tensor, "draws statistics"]:
    size = y.abs()
    along = [size.amax(1), size.amin(1), y.pow(4).sum(1), y.norm(dim=1)]

    return torch.cat([y[:, chosen], y @ directions, torch.stack(along, dim=1)], dim=1)


def _distances(
    s: Float[Tensor, "statistics draws"], t: Float[Tensor, "statistics draws"]
) -> Float[Tensor, " statistics"]:
    """Returns the largest differences between distribution functions; NaN if a number is not one.

    Numbers equal up to rounding count as equal: zeroed coordinates, or those of an x that kept all
    of its own, come as atoms.
    """

    places = torch.cat([s, t], dim=1).sort(dim=1).values
    scale = 1e-9 * places.abs().amax(dim=1, keepdim=True)
    last = places.diff(dim=1, append=places[:, -1:] + torch.inf) > scale  # of each atom
    s, t = (
        torch.searchsorted(v.sort(dim=1).values, places + scale, right=True).double() / v.shape[1]
        for v in (s, t)
    )
    distance = ((s - t).abs() * last).amax(dim=1)

    return torch.where(places.isfinite().all(dim=1), distance, torch.nan)
