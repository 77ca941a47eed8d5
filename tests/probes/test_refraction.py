"""Tests for isoexp.probes.refraction and derivatives."""

import inspect
from collections.abc import Callable
from itertools import permutations, product
from math import e, pi
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.integrate import trapezoid
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from isoexp import activations
from isoexp.activations import Activation, Isotropic, IsotropicOf, ReLU, Sigmoid, Tanh
from isoexp.figures import refraction as drawing
from isoexp.geometry import angle, unit
from isoexp.probes import Refraction, Subject, Unsuitable, deflection
from isoexp.probes.derivatives import pushforward
from isoexp.probes.refraction import companions, distinct, turning
from isoexp.stochastic import Stochastic

from .subjects import measure, subject

ISOTROPIC = [
    F
    for _, F in inspect.getmembers(activations, inspect.isclass)
    if issubclass(F, Isotropic) and not inspect.isabstract(F) and F is not IsotropicOf
]


HOMOGENEOUS = [activations.Identity, ReLU, activations.LeakyReLU, activations.Abs]
BENT = [
    Tanh,
    Sigmoid,
    *(getattr(activations, name) for name in ("GELU", "SiLU", "Softplus", "ELU")),
]


def of(f: nn.Module, x: Tensor) -> Subject:
    """A function alone as the network, and what it is given."""

    generator = torch.Generator().manual_seed(0)

    return Subject(nn.Sequential(f).eval(), x, None, None, generator, modules={"f": f})


def separated(n: int) -> Tensor:
    """Vectors of every orthant, whose coordinates lie apart from one another and from zero."""

    signs = torch.tensor(list(product((-1.0, 1.0), repeat=n)))
    sizes = torch.tensor(list(permutations(range(1, n + 1)))).float()

    return (signs[:, None] * sizes).flatten(0, 1)


def gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def turning_of(f: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return turning(*pushforward(f, x, x))


def measured(activation: type[Activation], **settings: Any) -> Any:
    return measure(Refraction(**settings), subject(activation))


@pytest.mark.parametrize("F", ISOTROPIC)
def test_isotropic_activations_turn_nothing(F: type[Activation]) -> None:
    """Neither statically nor dynamically, nor towards one another, wherever f ≠ 0."""

    table = measured(F, points=8, rays=48, alpha_min=0.1)
    defined = table[table["undefined_fraction"] < 1]
    pairs = defined["pair_mean_rad"].dropna()

    assert table["theta_max_rad"].max() <= 1e-14, F
    assert table["dynamic_max_rad"].max() <= 1e-14, F
    assert table["turn_max_rad"].max() <= 1e-12, F
    assert (pairs - 0.5).abs().max() <= 1e-14, F
    assert (defined["pair_collapsed_fraction"].dropna() == 0).all()
    assert set(table["rays"]) == {"random", "data", "data_own"}
    assert len(pairs) > 8


@pytest.mark.parametrize("F", HOMOGENEOUS)
def test_homogeneous_functions_turn_alike_at_every_magnitude(F: type[Activation]) -> None:
    """Eqns 3 and 4 do not hold for them; Eqn 5 does, of all but the identity."""

    table = measured(F, points=5)

    assert table["dynamic_max_rad"].max() <= 1e-14
    assert table["turn_max_rad"].max() <= 1e-12
    assert (table["theta_max_rad"].min() > 0.01) == (F is not activations.Identity)
    for _, rows in table[table["rays"] == "random"].groupby("layer"):
        assert np.ptp(rows["theta_mean_rad"]) <= 1e-14


@pytest.mark.parametrize("F", BENT)
def test_the_other_elementwise_functions_refract_in_every_way(F: type[Activation]) -> None:
    """The control of both."""

    random = measured(F, points=11).query("rays == 'random'")

    assert random["theta_max_rad"].max() > 0.5, F
    assert random["dynamic_max_rad"].max() > 0.5, F
    assert random["turn_max_rad"].max() > 0.1, F
    assert random["pair_mean_rad"].max() - random["pair_mean_rad"].min() > 0.02, F


def test_quasi_isotropic_functions_refract_statically_alone() -> None:
    table = measured(activations.QuasiIsotropic, points=5)

    assert table["theta_max_rad"].min() > 1e-3
    assert table["dynamic_max_rad"].max() <= 1e-6  # rounding to a grid may fall either way
    assert table["turn_max_rad"].max() <= 1e-12


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
    for _ in it.layers:
        torch.rand(len(it.x), generator=again)
    x = unit(torch.randn(64, 16, generator=again, dtype=torch.float64))
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


@pytest.mark.parametrize("n", [2, 3, 4])
def test_sigmoid_ends_in_the_corners_of_the_unit_cube_but_the_origin(n: int) -> None:
    """Where every coordinate is negative, the direction is that of the largest one."""

    x = unit(separated(n).double())
    theta = deflection(Sigmoid(n), x, torch.tensor([500.0], dtype=torch.float64))[0]

    up = (x > 0).double()
    largest = nn.functional.one_hot(x.argmax(dim=-1), n).double()
    limit = unit(torch.where(up.any(dim=-1, keepdim=True), up, largest))

    torch.testing.assert_close(theta, angle(limit, x))


@pytest.mark.parametrize("F", [activations.GELU, activations.SiLU])
def test_smooth_relus_end_where_relu_does(F: type[Activation]) -> None:
    x = unit(gaussian(256, 8))
    x = x[(x > 0).any(dim=-1)]
    theta = deflection(F(8), x, torch.tensor([1e-9, 1e12], dtype=torch.float64))

    assert theta[0].max() < 1e-8  # a half of the identity
    torch.testing.assert_close(theta[1], deflection(torch.relu, x, torch.ones(1).double())[0])


def test_the_turning_of_a_known_curve() -> None:
    """f(x) = (x₁, x₂‖x‖) sends the ray of slope c to the angle arctan αc: αc / (1 + α²c²)."""

    x = gaussian(64, 2).exp()
    ac = torch.linalg.vector_norm(x, dim=-1) * x[:, 1] / x[:, 0]

    def f(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], x[:, 1] * torch.linalg.vector_norm(x, dim=-1)], dim=1)

    torch.testing.assert_close(turning_of(f, x), ac / (1 + ac**2))


@pytest.mark.parametrize("F", BENT)
def test_turning_is_the_slope_of_the_direction(F: type[Activation]) -> None:
    """Against the slow reference, a central difference."""

    f, x, h = F(5), gaussian(64, 5), 1e-4
    reference = angle(f(x * e**h), f(x * e**-h)) / (2 * h)

    torch.testing.assert_close(turning_of(f, x), reference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_turning_at_any_scale_of_the_image(scale: float) -> None:
    x = gaussian(16, 4)
    turn = turning_of(lambda v: scale * v.tanh(), x)

    torch.testing.assert_close(turn, turning_of(torch.tanh, x))


@pytest.mark.parametrize("beyond", [1e-3, 1e-9, 1e-15])
def test_turning_is_not_the_rounding_of_a_small_image(beyond: float) -> None:
    """Just outside its ball ‖J x‖ / ‖f‖ of iso_relu is 1 / beyond, and all of it radial."""

    x = (1 + beyond) * unit(gaussian(64, 5))
    turn = turning_of(activations.IsoReLU(5), x)

    assert (turn[~turn.isnan()] == 0).all()
    assert not turn.isnan().all()


def test_the_pushforward_is_the_jacobian_times_the_direction() -> None:
    """Of f(x) = W x² from R⁴ to R³, J v = W (2 x v), at points in an array."""

    W, x, v = gaussian(3, 4), gaussian(2, 5, 4), gaussian(2, 5, 4)
    y, t = pushforward(lambda x: x**2 @ W.mT, x, v)

    torch.testing.assert_close(y, x**2 @ W.mT)
    torch.testing.assert_close(t, (2 * x * v) @ W.mT)
    assert not any(each.requires_grad for each in (x, y, t))


@pytest.mark.parametrize("f", [torch.sign, torch.ones_like, lambda x: x.detach() ** 2])
def test_what_stands_still_is_pushed_nowhere(f: Callable[[Tensor], Tensor]) -> None:
    y, t = pushforward(f, gaussian(5, 4), gaussian(5, 4))

    assert t.shape == y.shape
    assert not t.any()


def test_turning_adds_up_to_the_dynamic_angle() -> None:
    """In the plane tanh turns each ray one way, so ∫ ‖dŷ / d log α‖ is the angle of Eqn 3."""

    probe = Refraction(rays=1, points=201, alpha_min=1e-3, alpha_max=1e3)
    rows = measure(probe, of(Tanh(2), torch.tensor([[1.0, 2.0]]))).query("rays == 'random'")
    total = trapezoid(rows["turn_mean_rad"], np.log(rows["alpha"]))

    assert rows["dynamic_mean_rad"].iloc[0] == 0
    assert total == pytest.approx(rows["dynamic_mean_rad"].iloc[-1], rel=1e-3)
    assert rows["dynamic_mean_rad"].iloc[-1] > 0.01


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(("F", "missing"), [(Tanh, 0), (Sigmoid, 1)])
def test_how_many_limit_points_there_are(F: type[Activation], missing: int, n: int) -> None:
    """2ⁿ for tanh; for sigmoid one less, and one alone where α is small."""

    probe = Refraction(alpha_min=1e-3, alpha_max=500.0, points=2)
    data = measure(probe, of(F(n), separated(n))).query("rays == 'data'")

    assert data["images"].iloc[1] == 2**n - missing
    assert data["images"].iloc[0] == (1 if F is Sigmoid else len(unit(separated(n)).unique(dim=0)))


def test_random_rays_reach_every_corner_by_tanh() -> None:
    random = measure(Refraction(alpha_max=1e9, points=2), of(Tanh(3), torch.ones(1, 3)))

    assert random.query("rays == 'random'")["images"].iloc[-1] == 8


def test_relu_keeps_all_rays_apart_that_have_two_coordinates_left() -> None:
    x = torch.randn(200, 5)
    left = (x > 0).sum(dim=1)
    table = measure(Refraction(points=2, tolerance_rad=1e-6), of(ReLU(5), x))
    data = table[table["rays"] == "data"]

    ends = len(x[left == 1].argmax(dim=1).unique())
    assert set(data["images"]) == {int((left > 1).sum()) + ends}
    vanished = (left == 0).double().mean().item()
    assert data["undefined_fraction"].tolist() == pytest.approx([vanished] * 2)


def test_distinct_directions_are_clusters_where_they_are_well_separated() -> None:
    """Against scipy's single linkage: groups 1e-4 wide and more than 0.1 apart."""

    for count in (1, 2, 17, 40):
        centres = unit(gaussian(count, 8))
        x = unit(centres.repeat(5, 1) + 1e-5 * gaussian(5 * count, 8))
        x = x[torch.randperm(len(x))]
        labels = fcluster(linkage(x.numpy(), "single"), 1e-3, "distance")

        assert distinct(x, 1e-3) == labels.max() == count
    assert distinct(torch.full((3, 2), torch.nan), 0.1) == 0


def test_distinct_directions_of_many_sets_at_once() -> None:
    x = unit(torch.stack([gaussian(40, 3), gaussian(40, 3).sign(), gaussian(40, 3).relu()]))
    alone = [distinct(each, 0.1).item() for each in x]

    assert distinct(x, 0.1).tolist() == alone
    assert alone[1] == 8


def test_distinct_directions_cover_a_circle_where_they_are_not() -> None:
    t = torch.arange(1000, dtype=torch.float64) * 2 * pi / 1000

    u = torch.stack([t.cos(), t.sin()], dim=1)

    assert distinct(u, 10.5 * 2 * pi / 1000) == 1000 // 11
    assert distinct(u, 0.5 * 2 * pi / 1000) == 1000


@pytest.mark.parametrize("apart", [1e-6, 0.5, pi / 2, pi])
def test_companions_are_exactly_so_far_away(apart: float) -> None:
    u = unit(gaussian(64, 7))
    w = companions(u, apart, torch.Generator().manual_seed(10**6))

    expected = torch.full((64,), apart, dtype=torch.float64)
    torch.testing.assert_close(angle(u, w), expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(w.norm(dim=1), torch.ones(64).double())


def test_tanh_collapses_the_pairs_of_an_orthant() -> None:
    """The rest ends 2 arcsin √(k/n) apart, k the number of coordinates whose signs differ."""

    probe, x = Refraction(rays=64, alpha_min=1e9, alpha_max=1e9, points=1), torch.ones(1, 6)
    row = measure(probe, of(Tanh(6), x)).query("rays == 'random'").iloc[0]

    again = torch.Generator().manual_seed(0)
    torch.rand(1, generator=again)
    u = unit(torch.randn(64, 6, generator=again, dtype=torch.float64))
    k = (u.sign() != companions(u, 0.5, again).sign()).sum(dim=1)

    assert 0 < row["pair_collapsed_fraction"] == (k == 0).double().mean().item() < 1
    limit = 2 * (k / 6).sqrt().arcsin()
    assert row["pair_mean_rad"] == pytest.approx(limit.mean().item(), rel=1e-6)


def test_sigmoid_collapses_every_pair_near_the_origin() -> None:
    rows = measured(Sigmoid, points=3).query("rays != 'data_own'")
    least = rows[rows["alpha"] == rows["alpha"].min()]

    assert set(least["pair_collapsed_fraction"]) == {1.0}
    assert set(least["images"]) == {1}


def test_the_dynamic_angle_starts_where_there_is_an_image() -> None:
    """Inside its ball iso_relu has none; a step there of elementwise tanh would turn rays."""

    class Late(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x.norm(dim=-1, keepdim=True) > 0.9, x.tanh(), 0.0)

    random = measure(Refraction(points=31), of(Late(), torch.randn(20, 4))).query(
        "rays == 'random'"
    )
    inside, outside = (random[(random["alpha"] > 0.9) == b] for b in (False, True))

    assert inside["dynamic_max_rad"].isna().all()
    assert outside["dynamic_max_rad"].iloc[0] == 0
    assert outside["dynamic_max_rad"].iloc[-1] > 0.1


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
    with pytest.raises(Unsuitable, match="must give as many features"):
        Refraction()(subject(activations.RadialBasis, centres=20))


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


def test_a_stochastically_isotropic_layer_can_be_measured() -> None:
    """In evaluation its basis stays, in which ReLU is homogeneous."""

    table = measure(Refraction(points=3), of(Stochastic(4, ReLU), torch.randn(9, 4)))

    assert table["theta_max_rad"].min() > 0.01
    assert table["turn_max_rad"].max() <= 1e-6


def test_the_data_at_their_own_place_are_rays_of_that_length() -> None:
    x = 3 * unit(torch.randn(30, 4))
    table = measure(Refraction(alpha_min=3.0, alpha_max=3.0, points=1), of(Tanh(4), x))
    (data,), (own,) = (
        table.loc[table["rays"] == kind, table.columns[2:]].to_numpy()
        for kind in ("data", "data_own")
    )

    np.testing.assert_allclose(own, data, rtol=1e-6, atol=1e-7)  # x is in float32


def test_channels_of_pictures_are_vectors() -> None:
    """Behind torch's convolutions: each position is one, and ReLU may work in place."""

    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.Flatten())
    x = torch.randn(7, 2, 5, 5)
    z = model[0](x).movedim(1, -1).reshape(-1, 3).detach().double()
    it = Subject(model.eval(), x, None, None, torch.Generator().manual_seed(0))
    own = measure(Refraction(points=2), it).query("rays == 'data_own'").iloc[0]
    theta = angle(z.relu(), z)

    assert own["n"] == 7 * 9
    assert own["undefined_fraction"] == pytest.approx(theta.isnan().double().mean().item())
    assert own["theta_mean_rad"] == pytest.approx(theta.nanmean().item(), rel=1e-6)


class Float32(nn.Module):
    """Answers in float32, whatever it is asked."""

    def forward(self, x: Tensor) -> Tensor:
        return x.float().tanh()


class Refusing(nn.Module):
    """Has no float64."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.float64:
            raise RuntimeError("expected float32")
        return x.tanh()


@pytest.mark.parametrize("module", [Float32(), Refusing()])
def test_a_module_without_float64_is_measured_as_it_is(module: nn.Module) -> None:
    x = torch.randn(30, 4)
    theirs, ours = (measure(Refraction(points=5), of(f, x)) for f in (module, Tanh(4)))

    np.testing.assert_allclose(theirs.iloc[:, 3:], ours.iloc[:, 3:], atol=1e-5)


class Underived(torch.autograd.Function):
    """Has no derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.tanh()


class Once(Underived):
    """Has one that is no function of PyTorch's."""

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # pyright: ignore
        return grads[0]


@pytest.mark.parametrize("custom", [Underived, Once])
def test_a_function_without_derivative_is_measured_but_for_its_turning(
    custom: type[torch.autograd.Function],
) -> None:
    class Wrapped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return custom.apply(x)  # pyright: ignore[reportReturnType]

    x = torch.randn(30, 4)
    theirs, ours = (measure(Refraction(points=5), of(f, x)) for f in (Wrapped(), Tanh(4)))

    assert theirs[["turn_mean_rad", "turn_max_rad"]].isna().all(axis=None)
    rest = [name for name in Refraction.schema if not name.startswith(("turn", "layer", "rays"))]
    np.testing.assert_array_equal(theirs[rest], ours[rest])


@pytest.mark.parametrize("x", [torch.zeros(3, 4), torch.ones(1, 4), torch.randn(5, 1)])
def test_zero_vectors_one_sample_and_one_feature(x: Tensor) -> None:
    table = measure(Refraction(points=3), of(Tanh(x.shape[1]), x))
    data = table[table["rays"] != "random"]

    assert set(data["n"]) == {len(x)}
    assert set(data["undefined_fraction"]) == {float(not x.any())}
    assert table.loc[table["rays"] == "random", "theta_max_rad"].notna().all()
    assert table["pair_mean_rad"].isna().all() == (x.shape[1] == 1)


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(10, 6), nn.PReLU(6), nn.Linear(6, 4), nn.ReLU(inplace=True))
    model(torch.randn(3, 10)).sum().backward()
    model.eval()
    before = {k: (p.detach().clone(), p.grad.clone()) for k, p in model.named_parameters()}  # pyright: ignore
    x = torch.randn(50, 10)
    outputs = model(x)
    Refraction(points=3)(Subject(model, x, None, None, torch.Generator()))

    for name, p in model.named_parameters():
        assert p.dtype == torch.float32
        assert p.requires_grad
        assert torch.equal(p, before[name][0])
        assert torch.equal(p.grad, before[name][1])  # pyright: ignore[reportArgumentType]
    assert torch.equal(model(x), outputs)
    assert not any(m.training or m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_same_subject_gives_the_same_bits() -> None:
    first, second = (measured(Tanh, points=3) for _ in range(2))

    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert list(first.columns) == list(Refraction.schema)


@pytest.mark.parametrize("F", [Tanh, activations.IsoReLU])
def test_how_much_is_held_at_once_changes_nothing(
    F: type[Activation], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measured(F, points=7)
    monkeypatch.setattr("isoexp.probes.refraction.NUMBERS", 1)
    singly = measured(F, points=7)

    pd.testing.assert_frame_equal(singly, whole, rtol=1e-12, atol=1e-14)


def test_rays_are_bounded_by_the_setting() -> None:
    assert set(measured(Tanh, rays=50, points=2)["n"]) == {50}


def test_the_summary_is_of_the_rows() -> None:
    probe = Refraction(points=5)
    rows = probe(subject(Tanh))
    table = pd.DataFrame(rows)
    random, own = (table[table["rays"] == kind] for kind in ("random", "data_own"))

    assert probe.summary(rows) == pytest.approx(
        {
            "theta_max_rad": random["theta_max_rad"].max(),
            "dynamic_max_rad": random["dynamic_max_rad"].max(),
            "theta_data_mean_rad": own["theta_mean_rad"].mean(),
            "pair_data_mean_rad": own["pair_mean_rad"].mean(),
        }
    )


def test_the_figure_shows_the_numbers_of_the_table() -> None:
    table, figure = measured(Tanh, points=5), Figure()
    drawing.draw(table, figure)
    columns = ("theta_mean_rad", "dynamic_mean_rad", "turn_mean_rad", "pair_mean_rad")

    for axes, column in zip(figure.axes, columns, strict=True):
        shown = [line.get_ydata() for line in axes.lines]
        for (layer, kind), rows in table.groupby(["layer", "rays"]):
            drawn = [np.array_equal(y, rows[column]) for y in shown]
            assert any(drawn), (column, layer, kind)
    assert "256 rays a point" in figure.get_suptitle()


@pytest.mark.parametrize(
    "settings",
    [
        {"rays": 0},
        {"points": 0},
        {"alpha_min": 0.0},
        {"alpha_min": 2.0, "alpha_max": 1.0},
        {"pair_rad": 4.0},
        {"tolerance_rad": 0.0},
        {"tolerance_rad": 0.5},
    ],
)
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        Refraction(**settings)
