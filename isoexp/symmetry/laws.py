"""Laws: of forms that draw random numbers, dropout or first weights, in distribution.

f commutes with g in law if g⁻¹ f(gx) is distributed as f(x), here at one x, and a law of W is
isotropic if those of g W and W g⁻¹ are the same. Samples of 3,000 are compared by Kolmogorov and
Smirnov's distance between the distributions of coordinates, of sums of these in random
directions, of their length, and of how it lies along the axes: max |y_i|, min |y_i| and Σ y_i⁴.

What is not told apart may still differ: a distance below the threshold, some 0.07, is not seen.
"""

__all__ = ["measure_init", "measure_law"]

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ..noise import Noisy
from ..streams import seeded, stream
from .groups import GROUPS, Measured

DRAWS = 3000

LEVEL = 1e-4
"""The chance that a law which is the same is taken for another."""

COORDINATES, DIRECTIONS = 16, 32
"""Coordinates alone would not see that two of them depend on each other."""


def measure_law(made: Callable[[], nn.Module], x: Float[Tensor, " n"], seed: int) -> list[Measured]:
    """Measures a random map by the laws of f(x) and g⁻¹ f(gx), in training.

    Arguments:
        made: Builds the map anew; what it draws then is part of the law.
        x: The vector that it is given.
        seed: The seed of all that is drawn.
    """

    first, second = Sample(made), Sample(made)
    y = first(x)

    found = []
    for group in GROUPS:
        g = group.draw(len(x), stream(seed, "audit", group.name))
        back = torch.linalg.inv(g)
        found.append(_compared(group.name, "features", y, second(g @ x) @ back.mT))

    return found


def measure_init(init: Callable[[nn.Module], object], n: int = 8, seed: int = 0) -> list[Measured]:
    """Measures first weights by the laws of W, g W and W g⁻¹, W of n outputs and n + 1 inputs."""

    def drawn() -> Tensor:
        layer = nn.Linear(n + 1, n).double()
        weights = []
        for _ in range(DRAWS):
            layer.reset_parameters()
            init(layer)
            weights.append(layer.weight.detach().clone())

        return torch.stack(weights)

    with seeded(seed, "audit"):
        W, V = drawn(), drawn()

    found = []
    for group in GROUPS:
        for on, m in zip(("outputs", "inputs"), (n, n + 1), strict=True):
            g = group.draw(m, stream(seed, "audit", group.name, on))
            moved = g @ V if on == "outputs" else V @ torch.linalg.inv(g)
            found.append(_compared(group.name, on, W.flatten(1), moved.flatten(1)))

    return found


class Sample:
    """Many independent random maps of one kind, called as one."""

    def __init__(self, made: Callable[[], nn.Module]) -> None:
        self.forms = []
        for _ in range(DRAWS):
            torch.rand(())  # a noisy module's key does not move the generator that it is read from
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
    """Returns the largest distance between two samples, and that which chance would exceed."""

    from scipy.special import kolmogi

    chosen = torch.linspace(0, a.shape[1] - 1, min(COORDINATES, a.shape[1])).long()
    directions = torch.randn(a.shape[1], DIRECTIONS, generator=stream(0, "directions")).to(a)
    a, b = _statistics(a, chosen, directions), _statistics(b, chosen, directions)
    threshold = float(kolmogi(LEVEL / a.shape[1])) * (2 / DRAWS) ** 0.5

    return Measured(
        group, on, _distances(a.T.contiguous(), b.T.contiguous()).max().item(), threshold
    )


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
    """Returns the largest differences of two distribution functions, NaN where a number is not one.

    What is equal to rounding is equal: coordinates that are zero, or those of an x that nothing was
    dropped of, come as atoms.
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
