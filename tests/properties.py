"""The laws that whole families must obey, as assertions to be shared; each names the culprit."""

import os
from collections.abc import Callable, Iterable, Mapping

import pytest
import torch
from torch import Tensor

from isoexp.errors import UserError
from isoexp.geometry import random_orthogonal

Map = Callable[[Tensor], Tensor]

MAGNITUDES = (1e-6, 1e-3, 1.0, 1e3, 1e6)

ROUNDING = 1e-13
"""The relative error allowed in float64, about 450 eps: a product with a rotation of R^64 rounds
64 times in each coordinate, and the radius once more."""


def quarter(draws: Iterable[int]) -> list[int]:
    """Returns the draws of this commit's quarter, or all of them in `make long`."""

    now = os.environ.get("QUARTER", "0")

    return [n for n in draws if now == "all" or n % 4 == int(now)]


needs_muon = pytest.mark.skipif(
    not hasattr(torch.optim, "Muon"), reason="torch.optim has no Muon before 2.9"
)


def commutator(f: Map, x: Tensor, g: Tensor, h: Tensor | None = None) -> float:
    """Returns E‖f(g x) − h f(x)‖ / E‖f(x)‖ over the batch, with h = g unless given.

    A mean over the batch, so that a sample at the edge of a ball that f sends to zero, where the
    quotient is rounding over nothing, does not count alone.
    """

    y = f(x)
    error = (f(x @ g.T) - y @ (g if h is None else h).T).norm(dim=-1).mean()

    return (error / y.norm(dim=-1).mean()).item() if error != 0 else 0.0


def permutation(n: int) -> Tensor:
    return torch.eye(n)[torch.randperm(n)]


def signed_permutation(n: int) -> Tensor:
    return permutation(n) * (2.0 * torch.randint(2, (n,)) - 1)


def positive_diagonal(n: int) -> Tensor:
    return torch.diag(0.5 + torch.rand(n))


def assert_commutes(f: Map, n: int, draw: Callable[[int], Tensor], what: str) -> None:
    """Asserts that f commutes with the matrices that are drawn, at small and large magnitudes."""

    __tracebackhide__ = True

    for magnitude in MAGNITUDES:
        x = magnitude * torch.randn(32, n)
        error = commutator(f, x, draw(n))
        assert error < ROUNDING, (
            f"{f} and {what} of R^{n} do not commute: off by {error:.1e} at magnitude {magnitude:g}"
        )


def assert_rotation_equivariant(f: Map, n: int) -> None:
    """Asserts f(Rx) = R f(x) over O(n), both parts of it."""

    __tracebackhide__ = True

    def rotation(n: int) -> Tensor:
        R = random_orthogonal(n)
        R[:, 0] *= R.det().sign()

        return R

    def reflection(n: int) -> Tensor:
        R = rotation(n)
        R[:, 0] *= -1

        return R

    assert_commutes(f, n, rotation, "rotations")
    assert_commutes(f, n, reflection, "reflections")


def assert_finite(what: str, **tensors: Tensor) -> None:
    __tracebackhide__ = True

    for name, tensor in tensors.items():
        assert tensor.isfinite().all(), f"{what}: {name} is {tensor.detach().flatten()[:4]}…"


def assert_states_equal(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Asserts that two networks have the same weights, bit by bit."""

    __tracebackhide__ = True

    assert actual.keys() == expected.keys()
    for name, tensor in actual.items():
        # As bytes, so that NaN equals NaN.
        a, b = (t.flatten().view(torch.uint8) for t in (tensor, expected[name]))
        same = torch.equal(a, b)
        assert same, f"{name} differs by {(tensor - expected[name]).abs().max():.1e}"


def assert_states_close(
    actual: Mapping[str, Tensor], expected: Mapping[str, Tensor], tolerance: float
) -> None:
    """Asserts that two networks have the same weights, up to a share of the largest of each."""

    __tracebackhide__ = True

    assert actual.keys() == expected.keys()
    for name, tensor in actual.items():
        scale = expected[name].abs().max().double().clamp_min(1e-300)
        error = ((tensor - expected[name]).abs().max() / scale).item()
        assert error <= tolerance, f"{name} is off by {error:.1e} of its largest weight"


def refusal(use: Callable[[], object]) -> str:
    """Returns the one line with which something is refused."""

    with pytest.raises(UserError) as caught:
        use()
    assert "\n" not in str(caught.value)

    return str(caught.value)
