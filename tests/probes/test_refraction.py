"""Tests for isoexp.probes.refraction."""

import inspect
from typing import Any

import pytest
import torch

from isoexp import activations
from isoexp.activations import Activation, Isotropic, IsotropicOf, ReLU, Sigmoid, Tanh
from isoexp.geometry import unit
from isoexp.probes import Refraction, deflection

from .subjects import measure, subject

ISOTROPIC = [
    F
    for _, F in inspect.getmembers(activations, inspect.isclass)
    if issubclass(F, Isotropic) and not inspect.isabstract(F) and F is not IsotropicOf
]


def measured(activation: type[Activation], **settings: Any) -> Any:
    return measure(Refraction(**settings), subject(activation))


@pytest.mark.parametrize("F", ISOTROPIC)
def test_isotropic_activations_turn_nothing(F: type[Activation]) -> None:
    """In float32, on random rays and on the data's own, wherever f ≠ 0."""

    table = measured(F)

    assert table["theta_max_rad"].max() <= 1e-6, F
    assert set(table["rays"]) == {"random", "data", "data_own"}


def test_the_family_is_not_empty() -> None:
    assert len(ISOTROPIC) >= 9


def test_tanh_turns_rays_to_the_nearest_corner() -> None:
    """As α → ∞, cos θ → ‖x̂‖₁ / √n, in closed form."""

    x = unit(torch.randn(256, 16, dtype=torch.float64))
    theta = deflection(Tanh(16), x, torch.tensor([1e12], dtype=torch.float64))[0]

    torch.testing.assert_close(theta.cos(), x.abs().sum(dim=-1) / 4)


def test_the_probe_reports_that_limit() -> None:
    """The mean over the same rays, drawn again from the probe's stream."""

    probe, it = Refraction(rays=64, alpha_min=1.0, alpha_max=1e8, points=9), subject(Tanh)
    table = measure(probe, it)
    last = table[(table["rays"] == "random") & (table["alpha"] > 9e7)].iloc[0]

    again = torch.Generator().manual_seed(0)
    torch.randperm(len(it.x), generator=again)
    x = unit(torch.randn(64, 16, generator=again))
    limit = torch.arccos((x.abs().sum(dim=-1) / 4).clamp(max=1))

    assert last["layer"] == "hidden.0.activation"
    assert last["theta_mean_rad"] == pytest.approx(limit.mean().item(), abs=1e-4)
    assert last["theta_max_rad"] == pytest.approx(limit.max().item(), abs=1e-3)


def test_relu_turns_alike_at_every_magnitude() -> None:
    """Static refraction without dynamic one: cos θ = ‖relu(x̂)‖ whatever α."""

    x = unit(torch.randn(64, 16, dtype=torch.float64))
    theta = deflection(torch.relu, x, torch.logspace(-6, 6, 7, dtype=torch.float64))

    torch.testing.assert_close(theta.cos(), x.relu().norm(dim=-1).expand(7, -1))


def test_sigmoid_collapses_small_inputs_too() -> None:
    """σ(0) = ½: as α → 0 every ray ends on the diagonal."""

    x = unit(torch.randn(64, 8, dtype=torch.float64))
    theta = deflection(Sigmoid(8), x, torch.tensor([1e-9], dtype=torch.float64))[0]

    torch.testing.assert_close(theta.cos(), x.sum(dim=-1) / 8**0.5)


def test_small_angles_survive_float32() -> None:
    x = torch.tensor([[1.0, 0.0]])

    theta = deflection(lambda v: v + 1e-5 * v.flip(-1), x, torch.tensor([1.0]))

    torch.testing.assert_close(theta, torch.full_like(theta, 1e-5), rtol=1e-3, atol=0)


def test_no_direction_is_counted_not_measured() -> None:
    """iso_relu sends the ball r < R0 to zero; ReLU sends the negative orthant there."""

    table = measured(activations.IsoReLU, alpha_min=0.5, alpha_max=2.0, points=2)
    inside = table[(table["rays"] == "random") & (table["alpha"] < 1)]
    outside = table[(table["rays"] == "random") & (table["alpha"] > 1)]

    assert set(inside["undefined_fraction"]) == {1.0}
    assert inside["theta_max_rad"].isna().all()
    assert set(outside["undefined_fraction"]) == {0.0}
    assert deflection(torch.relu, -torch.ones(1, 3), torch.ones(1)).isnan().all()


def test_an_activation_between_two_spaces_has_no_angle() -> None:
    it = subject(activations.RadialBasis, centres=20)

    assert Refraction()(it)["layer"] == []


def test_the_data_rays_are_what_the_activation_is_given() -> None:
    """For ReLU the deflection at the data's own place is that of the pre-activations."""

    it = subject(ReLU, samples=50)
    rows = Refraction(rays=50)(it)
    own = rows["theta_mean_rad"][rows["rays"].index("data_own")]

    z = it.model.get_submodule("hidden.0.linear")(it.x)
    theta = 2 * torch.atan2(
        (unit(z) - unit(z.relu())).norm(dim=-1), (unit(z) + unit(z.relu())).norm(dim=-1)
    )

    assert own == pytest.approx(theta.mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{"rays": 0}, {"points": 0}, {"alpha_min": 0.0}, {"alpha_min": 2.0, "alpha_max": 1.0}],
)
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        Refraction(**settings)
