"""The groups of matrices that a functional form may commute with, and the result of a measurement.

O(n) ⊃ signed permutations ⊃ permutations,    and beside them the positive diagonals.
"""

__all__ = ["GROUPS", "MatrixGroup", "Measured", "acted", "drawn", "largest"]

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ..geometry import random_orthogonal
from ..streams import stream

TRIES = 64
"""The most draws until a member tells: of O(1) and of two coordinates a half do, of others more."""


@dataclass(frozen=True)
class MatrixGroup:
    """A group of n × n matrices, of which `draw` draws one evenly, in float64, for a given n.

    `tells` says whether a member is in no smaller group: only such a one tells the groups apart.
    """

    name: str
    draw: Callable[[int, Generator], Float[Tensor, "n n"]]
    tells: Callable[[Float[Tensor, "n n"]], bool] = lambda g: True

    def drawn(self, count: int, n: int, generator: Generator) -> list[Float[Tensor, "n n"]]:
        """Draws several members evenly, all anew until one of them tells.

        There may be none that does, as of the permutations of one coordinate.
        """

        members: list[Tensor] = []
        for _ in range(TRIES):
            members = [self.draw(n, generator) for _ in range(count)]
            if any(map(self.tells, members)):
                break

        return members


@dataclass(frozen=True)
class Measured:
    """How far a form is from commuting with a group, as the measure defines the error.

    Arguments:
        on: The object of the group's action: the features; the features and the parameters of the
            form; the outputs or the inputs of a weight.
        threshold: The largest error that rounding or the noise of sampling explains.
    """

    group: str
    on: str
    error: float
    threshold: float

    @property
    def commutes(self) -> bool:
        return self.error <= self.threshold  # and so not where it is NaN


def _permutation(n: int, generator: Generator) -> Tensor:
    return torch.eye(n, dtype=torch.float64)[torch.randperm(n, generator=generator)]


def _signed(n: int, generator: Generator) -> Tensor:
    signs = 2 * torch.randint(2, (n,), generator=generator) - 1

    return _permutation(n, generator) * signs


def _signs(g: Float[Tensor, "n n"]) -> bool:
    """Whether an orthogonal matrix has a negative entry, and so is no permutation."""

    return bool((g < 0).any())


def _moves(g: Float[Tensor, "n n"]) -> bool:
    return not torch.equal(g, torch.eye(len(g)).to(g))


def _diagonal(n: int, generator: Generator) -> Tensor:
    return torch.diag(3 ** (2 * torch.rand(n, generator=generator, dtype=torch.float64) - 1))


def _identity(n: int, generator: Generator) -> Tensor:
    return torch.eye(n, dtype=torch.float64)


GROUPS = (
    MatrixGroup("O(n)", random_orthogonal, _signs),
    MatrixGroup("signed permutations", _signed, _signs),
    MatrixGroup("permutations", _permutation, _moves),
    MatrixGroup("positive diagonal", _diagonal),
    MatrixGroup("trivial", _identity),
)
"""From the largest down; the identity last: a form that fails there does not give numbers."""


def drawn(sides: Mapping[str, int], seed: int) -> Iterator[tuple[str, str, Float[Tensor, "n n"]]]:
    """Yields (group, side, g) for each group and side, with g drawn for the size of the side."""

    for group in GROUPS:
        for on, n in sides.items():
            (g,) = group.drawn(1, n, stream(seed, "audit", group.name, on))
            yield group.name, on, g


def acted(
    W: Float[Tensor, "*batch m n"], g: Float[Tensor, "k k"], on: str
) -> Float[Tensor, "*batch m n"]:
    """Returns gW for g on the outputs, W g⁻¹ for g on the inputs."""

    return g @ W if on == "outputs" else W @ torch.linalg.inv(g)


def largest(measured: Iterable[Measured]) -> str:
    """Returns the largest group of the chain that a form commutes with.

    Positive diagonals are not in the chain: they are added where a form commutes with them.
    """

    passed = {each.group for each in measured if each.commutes}
    *chain, diagonal, trivial = [group.name for group in GROUPS]
    first = [name for name in chain if name in passed][:1]
    found = [*first, *([diagonal] if diagonal in passed else [])]

    return ", ".join(found) or (trivial if trivial in passed else "none")
