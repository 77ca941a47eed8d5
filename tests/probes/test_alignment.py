"""Tests for isoexp.probes.alignment."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from isoexp.activations import Identity, ReLU, Tanh
from isoexp.geometry import coordinate_cdf, random_orthogonal
from isoexp.probes import Alignment

from .subjects import measure, subject


class Rotated(Tanh):
    """Tanh in a rotated basis B: f_B(x) = B f(Bᵀ x)."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        generator = torch.Generator().manual_seed(1)
        self.B = random_orthogonal(width, generator).float()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x @ self.B) @ self.B.T


def probed(model: nn.Module, n: int, samples: int = 4000, gain: float = 1.0) -> Any:
    """The alignment of a network on isotropic Gaussian samples."""

    it = subject(model=model)
    it = replace(it, x=gain * torch.randn(samples, n), y=torch.zeros(samples, dtype=torch.long))

    return measure(Alignment(), it)


def distance(table: Any, basis: str) -> float:
    rows = table[table["basis"] == basis]

    return float((rows["fraction"] - rows["null_fraction"]).abs().sum() / 2)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 64])
def test_isotropic_data_is_at_the_null(n: int) -> None:
    """In both bases, within what 4,000 samples scatter: E ½Σ|p̂ − p| ≤ ½ √(bins / samples)."""

    table = probed(Identity(n), n)

    assert distance(table, "standard") < 0.5 * (61 / 4000) ** 0.5
    assert distance(table, "random") < 0.5 * (61 / 4000) ** 0.5


@pytest.mark.parametrize("n", [1, 2, 5, 200])
def test_fractions_add_up(n: int) -> None:
    table = probed(Identity(n), n, samples=50)

    sums = table.groupby("basis")[["fraction", "null_fraction"]].sum()
    np.testing.assert_allclose(sums, 1.0)


def test_saturated_tanh_leans_on_the_standard_basis() -> None:
    """The control: its corners are no isotropic data, and a random basis hides them."""

    table = probed(Tanh(8), 8, gain=10.0)

    assert distance(table, "standard") > 0.5
    assert distance(table, "standard") > 3 * distance(table, "random")


def test_tanh_in_another_basis_leaves_the_standard_one() -> None:
    """The causal test: the pattern goes with the basis of the function."""

    table = probed(Rotated(8), 8, gain=10.0)

    assert distance(table, "standard") < 0.3


def test_the_null_is_that_of_the_sphere() -> None:
    table = probed(Identity(6), 6, samples=10)
    rows = table[table["basis"] == "standard"]
    expected = coordinate_cdf(np.asarray(rows["bin_right"]), 6) - coordinate_cdf(
        np.asarray(rows["bin_left"]), 6
    )

    np.testing.assert_allclose(rows["null_fraction"], expected)


def test_zero_vectors_are_counted_and_left_out() -> None:
    it = subject(model=nn.Sequential(ReLU(10)), samples=40)
    it = replace(it, x=torch.cat([-torch.ones(30, 10), torch.ones(10, 10)]))
    table = measure(Alignment(), it)

    assert set(table["undefined_fraction"]) == {0.75}
    assert table["fraction"].notna().all()


def test_nothing_but_zeros_is_no_error() -> None:
    it = subject(model=nn.Sequential(ReLU(10)), samples=5)
    table = measure(Alignment(), replace(it, x=-torch.ones(5, 10)))

    assert set(table["undefined_fraction"]) == {1.0}
    assert set(table["fraction"]) == {0.0}


def test_summary_is_the_mean_distance_of_layers() -> None:
    it = subject(Tanh)
    rows = Alignment()(it)
    table: Any = pd.DataFrame(rows)
    by_layer = [distance(part, "standard") for _, part in table.groupby("layer")]

    assert Alignment().summary(rows)["distance_standard"] == pytest.approx(np.mean(by_layer))


@pytest.mark.parametrize("settings", [{"bins": 1}, {"bases": 1}])
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        Alignment(**settings)
