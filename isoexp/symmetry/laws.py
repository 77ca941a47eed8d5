"""Laws: of forms that draw random numbers, dropout or first weights, in distribution.

f commutes with g in law if g⁻¹ f(gx) is distributed as f(x), and a law of W is isotropic if that of
g W h is the same. Two samples are compared by Kolmogorov and Smirnov's distance between
the distributions of each of their coordinates, of their length and of how it lies along the axes:
max |y_i|, min |y_i| and Σ y_i⁴, which a rotation changes where the axes are special.
"""

__all__ = ["measure_init", "measure_law"]

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ..noise import Noisy
from ..streams import seeded, stream
from .groups import GROUPS, Measured

DRAWS = 1000

LEVEL = 1e-4
"""The chance that a law which is the same is taken for another."""

SHAPE = (6, 5)
"""Of the weights that first weights are drawn for: outputs and inputs."""


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


def measure_init(init: Callable[[nn.Module], object], seed: int = 0) -> list[Measured]:
    """Measures first weights by the laws of W, g W and W g⁻¹."""

    def drawn() -> Tensor:
        layer = nn.Linear(SHAPE[1], SHAPE[0]).double()
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
        for on, n in zip(("outputs", "inputs"), SHAPE, strict=True):
            g = group.draw(n, stream(seed, "audit", group.name, on))
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

    a, b = _statistics(a), _statistics(b)
    distance = max(_distance(s, t) for s, t in zip(a.unbind(1), b.unbind(1), strict=True))
    threshold = float(kolmogi(LEVEL / a.shape[1])) * (2 / DRAWS) ** 0.5

    return Measured(group, on, distance, threshold)


def _statistics(y: Float[Tensor, "draws n"]) -> Float[Tensor, "draws n+4"]:
    size = y.abs()
    along = [size.amax(1), size.amin(1), y.pow(4).sum(1), y.norm(dim=1)]

    return torch.cat([y, torch.stack(along, dim=1)], dim=1)


def _distance(s: Float[Tensor, " draws"], t: Float[Tensor, " draws"]) -> float:
    """Returns the largest difference of two distribution functions, equal to rounding being equal.

    Coordinates that are zero, or those of an x that nothing was dropped of, come as atoms.
    """

    places = torch.cat([s, t]).unique()
    if not places.isfinite().all():
        return torch.nan

    scale = 1e-9 * places.abs().max()
    places = places[places.diff(append=places[-1:] + torch.inf) > scale]  # the last of each atom
    below = [torch.searchsorted(v.sort().values, places + scale, right=True) for v in (s, t)]

    return ((below[0] - below[1]).abs().max() / len(s)).item()
