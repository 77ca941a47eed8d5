"""Tests for the checker of annotations: what it must not let pass in any other test."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jaxtyping
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from .typecheck import SELDOM, check

checked = jaxtyping.jaxtyped(typechecker=check)
"""What the hook puts on classes and functions."""


@checked
def product(x: Float[Tensor, "m n"], y: Float[Tensor, "n k"]) -> Float[Tensor, "m k"]:
    return x @ y


@checked
def turned(x: Float[Tensor, "m n"]) -> Float[Tensor, "m n"]:
    return x.mT


@checked
def repeated(x: Float[Tensor, " m"], n: int, times: int = 1) -> Float[Tensor, "{n} m"]:
    return x.expand(n * times, -1)


@checked
def scaled(factor: float) -> float:
    return torch.ones(()) if factor == 0 else 2 * factor  # pyright: ignore[reportReturnType]


@checked
def walk(x: Float[Tensor, "m m"], n: int) -> Iterator[Float[Tensor, "m m"]]:
    for _ in range(n):
        yield x


@checked
@dataclass
class Sides:
    a: Float[Tensor, " n"]
    b: Float[Tensor, " n"]


def test_what_agrees_passes() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 4)

    assert product(a, b).shape == (2, 4)
    assert turned(torch.ones(2, 2)).shape == (2, 2)
    assert turned(product(a, b.new_ones(3, 2))).shape == (2, 2), "letters are those of one call"
    assert repeated(a[0], 5).shape == (5, 3)
    assert scaled(1) == 2.0
    assert len(list(walk(torch.ones(2, 2), 3))) == 3
    assert Sides(a[0], a[1]).a.shape == (3,)


@pytest.mark.parametrize(
    ("call", "given"),
    [
        (product, (torch.ones(2, 3), torch.ones(4, 2))),
        (product, (torch.ones(2, 3).int(), torch.ones(3, 2))),
        (product, (torch.ones(2, 3), [1.0])),
        (turned, (torch.ones(2, 3),)),
        (repeated, (torch.ones(3), 5, 2)),
        (repeated, (torch.ones(3), "5")),
        (scaled, ("1",)),
        (scaled, (0,)),
        (walk, (torch.ones(2, 3), 1)),
        (walk, (torch.ones(2, 2), "1")),
        (Sides, (torch.ones(2), torch.ones(3))),
    ],
)
def test_what_does_not_agree_is_refused(call: Any, given: tuple[object, ...]) -> None:
    with pytest.raises(Exception, match=r"type.?hint|[Tt]ype-?check"):
        call(*given)


def test_the_hook_checks_the_package() -> None:
    from isoexp.geometry import radius

    refused = []
    for _ in range(SELDOM):
        with pytest.raises(Exception) as caught:
            radius("x")  # pyright: ignore[reportArgumentType]
        refused.append(re.search(r"type.?hint|[Tt]ype-?check", str(caught.value)))

    assert any(refused)
