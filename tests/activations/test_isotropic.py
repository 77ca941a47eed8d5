"""Tests for isoexp.activations.isotropic, and the laws of every isotropic activation."""

import math
import warnings
from collections.abc import Callable

import mpmath as mp
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from isoexp.activations import (
    Activation,
    IsoCappedReLU,
    IsoHardThreshold,
    IsoLeakyReLU,
    IsoReLU,
    IsoSinusoid,
    IsoTanh,
    Isotropic,
    IsotropicOf,
)
from isoexp.geometry import angle, random_orthogonal

from .. import references
from ..properties import ROUNDING, assert_rotation_equivariant, commutator
from .families import ISOTROPIC, each

pytestmark = pytest.mark.usefixtures("float64")

Build = Callable[[int], Isotropic]
EPS = torch.finfo(torch.float64).eps


def unit(n: int) -> Tensor:
    u = torch.randn(n, dtype=torch.float64)

    return u / u.norm()


def at_radii(rho: Tensor, f: Isotropic) -> Tensor:
    """Returns a vector at each radius, in the unit of length of f, in one direction."""

    return f.scale * rho[:, None] * unit(f.width)


def sigma(f: Isotropic, rho: Tensor) -> Tensor:
    """Returns σ at radii, with one axis."""

    return f.profile(rho[:, None])[:, 0]


# --- laws of the family ---------------------------------------------------------------------


@each(ISOTROPIC)
@pytest.mark.parametrize("n", [1, 2, 64])
def test_commutes_with_rotations(build: Build, n: int) -> None:
    assert_rotation_equivariant(build(n), n)


def test_the_check_sees_the_smallest_bend() -> None:
    """The control: one coordinate of 64 stretched by 1e-11 is no longer isotropic."""

    f = IsoTanh(64)
    stretch = torch.ones(64)
    stretch[0] += 1e-11
    x, R = torch.randn(32, 64), random_orthogonal(64)

    assert commutator(f, x, R) < ROUNDING < commutator(lambda x: stretch * f(x), x, R)


@each(ISOTROPIC)
def test_jacobian_is_radial_plus_tangential(build: Build) -> None:
    """J = σ′(r) x̂x̂ᵀ + σ(r)/r (I − x̂x̂ᵀ)."""

    f = build(6)
    for rho in (1e-20, 1e-12, 1e-8, 1e-3, 0.4, 0.9, 1.3, 3.0, 30.0, 1e3):
        u = unit(6)
        P = torch.outer(u, u)

        r = torch.tensor([[rho]], requires_grad=True)
        s = f.profile(r)
        slope = torch.autograd.grad(s.sum(), r)[0].item()
        gain = (s / r).item()

        J = torch.autograd.functional.jacobian(f, f.scale * rho * u)

        # σ′ is taken at a radius known to an eps or two, and sin wavers by ρ eps at ρ.
        error = (J - slope * P - gain * (torch.eye(6) - P)).abs().max().item()
        assert error < 50 * EPS * max(1.0, rho), f"{f}: J is off by {error:.1e} at r = {rho:g}"


@each(ISOTROPIC)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_origin_is_smooth(build: Build, dtype: torch.dtype) -> None:
    """f(0) = 0 and J(0) = σ′(0⁺) I."""

    f = build(4).to(dtype)
    zero = torch.zeros(4, dtype=dtype)
    r = torch.full((1, 1), 1e-6, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(f.profile(r).sum(), r)[0].item()

    assert torch.equal(f(zero), zero)
    J = torch.autograd.functional.jacobian(f, zero)
    # Over 1e-6 a slope moves by the second derivative, at most 2 among these profiles.
    torch.testing.assert_close(J, slope * torch.eye(4, dtype=dtype), rtol=0, atol=3e-6)
    assert torch.equal(J, J[0, 0] * torch.eye(4, dtype=dtype)), "J(0) is no multiple of I"


@each(ISOTROPIC)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_gain_is_exact_to_rounding(build: Build, dtype: torch.dtype, request) -> None:
    """f(x) = σ(r) x / r at every radius that the format has, the largest included.

    Allowed are 8 eps on the value and on the radius it is taken at: the scaled norm, the profile,
    the quotient and the product round once or twice each; 1/r is subnormal, two bits short, at
    the largest radii.
    """

    name = request.node.callspec.id.split("-")[-2]
    reference = references.PROFILES[name]
    limits = torch.finfo(dtype)
    f = build(5)
    scale = mp.mpf(f.scale)

    radii = [1e-30, 1e-20, 1e-10, limits.eps / 2, limits.eps, 2 * limits.eps, 1e-3, 0.1, 0.4]
    radii += [0.7, 1.2, 2.2, 6.5, 7.5, 30.0, 1e3, 1e6, 1e18]
    radii += [limits.max / 100, 0.4 * limits.max]
    for rho in radii:
        x = (rho * f.scale * unit(5)).to(dtype)
        with mp.workdps(25):
            x_exact = references.exact(x)
            r = references.norm(x_exact) / scale
            value = reference(r)
            slope = (reference(r * (1 + mp.mpf(1e-7))) - value) / (r * mp.mpf(1e-7))
            allowed = limits.eps * (abs(value) + r * abs(slope)) / r
            gains = [y / x_i for y, x_i in zip(references.exact(f(x)), x_exact, strict=True)]
            error = max(abs(gain - value / r) for gain in gains)

        assert error <= 8 * allowed, f"{f} at r = {rho:g}: off by {float(error / allowed):.1f} eps"


def second_derivative(f: Callable[[Tensor], Tensor], x: Tensor, v: Tensor) -> Tensor:
    """Returns the gradient of v·J(x)v, D²f(x)[v, v] where f is the gradient of something."""

    x = x.clone().requires_grad_()
    (first,) = torch.autograd.grad((f(x) * v).sum(), x, create_graph=True)

    return torch.autograd.grad((first * v).sum(), x, materialize_grads=True)[0]


@each(ISOTROPIC)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_second_derivatives_near_the_origin(build: Build, dtype: torch.dtype, request) -> None:
    """Of f = g x, g = σ(r)/r: (g″ a² + g′ (1 − a²)/r) x + 2 g′ a v with a = x̂·v.

    The quotient is off by u/r, which is 1e-3 at r = 1e-4 where iso_tanh has 1e-4. Series that end
    at eps^(1/6) leave u / r² ≤ eps^(2/3) of the value; a fit in float64, 1e-12.
    """

    reference = references.PROFILES[request.node.callspec.id.split("-")[-2]]
    f = build(4)
    u, v = unit(4), unit(4)
    a = (u @ v).item()

    for rho in (1e-6, 1e-4, 1e-3, 1e-2, 0.06, 0.2):
        x = (rho * f.scale * u).to(dtype)
        with mp.workdps(40):
            slope, bend = (
                float(mp.diff(lambda r: reference(r) / r, mp.mpf(rho), k)) / f.scale**k
                for k in (1, 2)
            )
        along = bend * a**2 + slope * (1 - a**2) / (rho * f.scale)
        expected = along * rho * f.scale * u + 2 * slope * a * v
        error = (second_derivative(f, x, v.to(dtype)) - expected).norm().item()
        eps = torch.finfo(dtype).eps
        allowed = 4 * eps ** (2 / 3) * expected.norm().item() + 1e-12
        allowed += eps / (rho * f.scale) if rho > 1 / 32 else 0.0  # where all series have ended
        assert error <= allowed, f"{f} at r = {rho:g}: {error:.1e} off {expected.norm():.1e}"


def test_profiles_without_a_series_are_quotients() -> None:
    """Not analytic at the origin, or learnt: what was fitted would not be them."""

    class Learnt(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = torch.nn.Parameter(torch.ones(()))

        def forward(self, r: Tensor) -> Tensor:
            return self.slope * torch.tanh(r)

    learnt = Learnt()
    for profile in (lambda r: r**1.5, lambda r: torch.relu(r - 1e-5), learnt):
        f, r = IsotropicOf(3, profile), torch.logspace(-7, 2, 40)[:, None]
        torch.testing.assert_close(f.gain(r), profile(r) / r, rtol=4 * EPS, atol=0)
        torch.nn.init.constant_(learnt.slope, 2.0)


@each(ISOTROPIC)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("n", [1, 3, 64])
def test_no_finite_norm_overflows(build: Build, dtype: torch.dtype, n: int) -> None:
    f = build(n)
    reach = 0.49 if type(f) is IsotropicOf else 0.99  # PyTorch's own GELU doubles r on its way
    x = (reach * torch.finfo(dtype).max * torch.stack([unit(n), torch.eye(n)[0]])).to(dtype)

    y = f(x)
    assert y.isfinite().all(), f"{f} overflows"
    assert torch.equal(y.sign(), x.sign()), f"{f} loses coordinates"


@each(ISOTROPIC)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_rounds_once(build: Build, dtype: torch.dtype) -> None:
    """The norm and the profile of half precisions are worked out in float32."""

    f = build(300)
    x = (torch.randn(16, 300) * torch.logspace(-3, 1, 16)[:, None]).to(dtype)

    assert torch.equal(f(x), f(x.float()).to(dtype))


@each(ISOTROPIC)
def test_derivatives_are_those_of_differences(build: Build) -> None:
    """First and second, by PyTorch's own finite differences, inside and outside of R0 = 1."""

    f = build(3)
    x = at_radii(torch.tensor([0.8, 2.2]), f).requires_grad_()

    assert torch.autograd.gradcheck(f, x, fast_mode=True)
    assert torch.autograd.gradgradcheck(f, x, fast_mode=True)


@each(ISOTROPIC)
def test_vmap_changes_nothing(build: Build) -> None:
    f = build(6)
    x = 2 * torch.randn(4, 5, 6)
    x[0, 0] = 0

    torch.testing.assert_close(torch.func.vmap(f)(x), f(x), rtol=4 * EPS, atol=0)
    J = torch.func.vmap(torch.func.jacrev(f))(x[0])
    one = torch.stack([torch.autograd.functional.jacobian(f, v) for v in x[0]])
    torch.testing.assert_close(J, one, rtol=0, atol=50 * EPS)


@pytest.mark.parametrize("n", [4, 400])
def test_sqrt_width_rescales_both_sides(n: int) -> None:
    """f(x) = √n σ(‖x‖/√n) x̂: the slope at 0 stays, and so does the look of N(0, I_n)."""

    x = torch.randn(8, n)
    wide, plain = IsoTanh(n, scale="sqrt_width"), IsoTanh(n)

    torch.testing.assert_close(wide(x), n**0.5 * plain(x / n**0.5))


# --- iso_tanh -------------------------------------------------------------------------------


def test_iso_tanh_is_tanh_in_one_dimension() -> None:
    x = torch.linspace(-5, 5, 101)[:, None]

    torch.testing.assert_close(IsoTanh(1)(x), x.tanh(), rtol=4 * EPS, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_iso_tanh_is_the_identity_at_the_origin(dtype: torch.dtype) -> None:
    J = torch.autograd.functional.jacobian(IsoTanh(4), torch.zeros(4, dtype=dtype))

    assert torch.equal(J, torch.eye(4, dtype=dtype))


@pytest.mark.parametrize("r", [1e-3, 1.0, 20.0])
def test_iso_tanh_eigenvalues(r: float) -> None:
    """sech²r once, tanh r / r the n − 1 other times."""

    J = torch.autograd.functional.jacobian(IsoTanh(5), r * unit(5))

    expected = torch.tensor([1 / math.cosh(r) ** 2] + 4 * [math.tanh(r) / r])
    torch.testing.assert_close(torch.linalg.eigvalsh(J), expected, rtol=0, atol=20 * EPS)


def test_iso_tanh_contracts() -> None:
    """‖f(x) − f(y)‖ ≤ ‖x − y‖, near and far, and ‖f‖ < 1 up to rounding."""

    f = IsoTanh(6)
    x = torch.logspace(-6, 3, 400)[:, None] * torch.randn(400, 6)
    for distance in (1e-6, 1e-2, 1.0, 1e2):
        y = x + distance * torch.randn(400, 6)
        contracted = (f(x) - f(y)).norm(dim=-1) - (x - y).norm(dim=-1)
        assert contracted.max() <= 4 * EPS, f"stretches by {contracted.max():.1e}"

    assert f(x).norm(dim=-1).max() <= 1 + 4 * EPS
    # The bound is attained at the origin: no smaller constant will do.
    assert (f(1e-9 * x[:1]).norm() / (1e-9 * x[:1]).norm()).item() == pytest.approx(1.0)


def test_e3nn_agrees() -> None:
    """A peer: the norm activation of e3nn on one vector of R³."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what e3nn's own imports are warned of is not ours
        from e3nn.nn import NormActivation

        peer = NormActivation("1x1o", torch.tanh, normalize=True, epsilon=1e-30)

    x = torch.logspace(-6, 3, 50)[:, None] * torch.randn(50, 3)

    torch.testing.assert_close(IsoTanh(3)(x), peer(x), rtol=20 * EPS, atol=0)


# --- thresholds -----------------------------------------------------------------------------


@pytest.mark.parametrize("r", [0.3, 0.69, 0.71, 1.5, 10.0])
def test_iso_relu_is_the_proximal_map_of_the_norm(r: float) -> None:
    """f(x) = argmin_z ½‖z − x‖² + R0‖z‖, found by a minimiser that knows nothing of it."""

    R0, x = 0.7, (r * unit(3)).numpy()

    def objective(z) -> float:
        return 0.5 * ((z - x) ** 2).sum() + R0 * (z**2).sum() ** 0.5

    options = {"xatol": 1e-10, "fatol": 1e-16, "maxiter": 4000, "maxfev": 4000}
    found = minimize(objective, x, method="Nelder-Mead", options=options)
    y = IsoReLU(3, R0=R0)(torch.as_tensor(x))

    # At its flat bottom the objective tells points √eps apart no more.
    torch.testing.assert_close(y, torch.as_tensor(found.x), rtol=0, atol=1e-7)
    assert objective(y.numpy()) <= found.fun + 4 * EPS * max(1.0, r**2)


def test_iso_relu_is_dead_inside_its_ball() -> None:
    x = (0.9 * unit(4)).requires_grad_()
    y = IsoReLU(4)(x)
    y.sum().backward()

    assert x.grad is not None
    assert not y.any()
    assert not x.grad.any()


@pytest.mark.parametrize("scale", ["unit", "sqrt_width"])
def test_the_cap_bounds_what_comes_out(scale) -> None:
    """Eqn 18 as printed: R∞ bounds the norm of the output, in the unit of length of radii."""

    f = IsoCappedReLU(9, R0=1.0, max_norm=2.0, scale=scale)
    rho = torch.tensor([0.5, 2.0, 2.5, 2.999, 3.0, 3.5, 1e3, 1e9])
    out = f(at_radii(rho, f)).norm(dim=-1) / f.scale

    # Between R∞ = 2 and R0 + R∞ = 3 the cap does not act yet: it is not on the input.
    expected = torch.tensor([0.0, 1.0, 1.5, 1.999, 2.0, 2.0, 2.0, 2.0])
    torch.testing.assert_close(out, expected, rtol=8 * EPS, atol=0)


def test_hard_threshold_jumps_by_r0() -> None:
    """Eqn 19: 0 below the sphere of radius R0, the identity on and beyond it."""

    f = IsoHardThreshold(2, R0=1.5)
    x = torch.tensor([[1.5, 0.0]])

    assert f(x * (1 - EPS)).tolist() == [[0.0, 0.0]]
    assert torch.equal(f(x), x)
    y = 7 * torch.randn(50, 2)
    y = y[y.norm(dim=-1) > 1.5]
    torch.testing.assert_close(f(y), y, rtol=4 * EPS, atol=0)


def test_leaky_relu_is_continuous() -> None:
    """Eqn 20: slope α inside, slope 1 outside, no jump at R0."""

    f = IsoLeakyReLU(3, alpha=0.2, R0=1.5)
    below, above = sigma(f, torch.tensor([1.5 * (1 - EPS), 1.5 * (1 + EPS)]))
    assert abs(above - below) <= 4 * EPS

    r = torch.tensor([0.1, 1.4, 1.6, 9.0], requires_grad=True)
    (slope,) = torch.autograd.grad(sigma(f, r).sum(), r)
    torch.testing.assert_close(slope, torch.tensor([0.2, 0.2, 1.0, 1.0]))
    torch.testing.assert_close(sigma(f, r.detach())[2:], torch.tensor([1.6, 9.0]) - 0.8 * 1.5)


# --- iso_sinusoid ---------------------------------------------------------------------------


@pytest.mark.parametrize("lambda_m", [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 7.0])
def test_sinusoid_jacobian_at_the_origin(lambda_m: float) -> None:
    J = torch.autograd.functional.jacobian(IsoSinusoid(3, lambda_m), torch.zeros(3))

    assert torch.equal(J, (1 + lambda_m) * torch.eye(3))


@pytest.mark.parametrize("lambda_m", [-5.0, -1.01, -1.0, -0.5, 0.0, 0.5, 1.0, 1.01, 5.0])
def test_sinusoid_is_injective_iff_shallow(lambda_m: float) -> None:
    """σ is increasing iff |λ| ≤ 1. A slope of −0.01 shows on this grid, and σ rises by (Δr)³/6
    at least where its slope vanishes, 1e-10, far above the rounding of r = 30."""

    r = torch.arange(1, 30_000) * 1e-3
    rises = sigma(IsoSinusoid(1, lambda_m), r).diff() > 0

    assert rises.all().item() == (abs(lambda_m) <= 1)


@pytest.mark.parametrize(
    ("lambda_m", "flips"),
    [(-1.01, True), (-1.0, False), (0.0, False), (4.6033, False), (4.6034, True), (9.0, True)],
)
def test_sinusoid_flips_directions_beyond_a_depth(lambda_m: float, flips: bool) -> None:
    """σ < 0 somewhere iff λ < −1 or λ > 4.6033…, the λ at which r + λ sin r touches zero."""

    f = IsoSinusoid(2, lambda_m)
    x = at_radii(torch.linspace(1e-3, 10, 200_001), f)
    theta = angle(f(x), x)

    assert (theta > 3).any().item() == flips
    assert ((theta < 1e-7) | (theta > math.pi - 1e-7)).all(), "neither kept nor flipped"


def test_the_depth_is_a_root() -> None:
    """At the touch tan r = r, so λ = −r / sin r: 4.60333… at r = 4.4934…"""

    r = float(mp.findroot(lambda r: mp.tan(r) - r, 4.49))

    assert 4.6033 < -r / math.sin(r) < 4.6034


# --- errors ---------------------------------------------------------------------------------

IDENTITY = "use activation=identity"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IsoReLU(4, R0=0.0), f"R0 must be positive, got 0: .* {IDENTITY}"),
        (lambda: IsoReLU(4, R0=math.nan), "R0 must be positive, got nan"),
        (lambda: IsoCappedReLU(4, R0=-1.0), "R0 must be positive, got -1"),
        (lambda: IsoCappedReLU(4, max_norm=0.0), "max_norm must be positive, got 0"),
        (lambda: IsoHardThreshold(4, R0=0.0), IDENTITY),
        (lambda: IsoLeakyReLU(4, R0=0.0), IDENTITY),
        (lambda: IsoLeakyReLU(4, alpha=0.0), "alpha must .* got 0: 0 is activation=iso_relu"),
        (lambda: IsoLeakyReLU(4, alpha=1.0), "1 is activation=identity"),
        (lambda: IsotropicOf(4, torch.cos), r"must vanish at r = 0, got σ\(0\) = 1"),
        (lambda: IsotropicOf(4, torch.nn.functional.softplus), "subtract σ"),
    ],
)
def test_refuses_what_is_no_such_activation(make: Callable[[], Activation], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
