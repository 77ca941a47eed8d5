"""Tests for isoexp.activations.quasi_isotropic: Eqns 23 and 24."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from isoexp.activations import IsoTanh, NormalizedQuasiIsotropic, QuasiIsotropic
from isoexp.geometry import angle, random_orthogonal

from .. import references
from ..properties import assert_commutes, commutator, permutation, signed_permutation
from .families import QUASI, Build, each

pytestmark = pytest.mark.usefixtures("float64")

EPS = torch.finfo(torch.float64).eps


def rays(n: int, count: int = 32) -> Tensor:
    x = torch.randn(count, n)

    return x / x.norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_is_its_formula(beta: float) -> None:
    """f(x) = tanh(‖x‖) Φ(x̂), with the α of the unit scale as it is given."""

    x = 2 * torch.randn(50, 6)
    f = QuasiIsotropic(6, alpha=3.7, beta=beta, scale="unit")

    for v, y in zip(x, f(x), strict=True):
        r = v.norm()
        phi = torch.as_tensor(references.quasi_direction((v / r).numpy(), 3.7, beta))
        torch.testing.assert_close(y, r.tanh() * phi, rtol=20 * EPS, atol=20 * EPS)


@each(QUASI)
@pytest.mark.parametrize("n", [1, 2, 64])
def test_commutes_with_signed_permutations(build: Build, n: int) -> None:
    """Rounding half to even is odd, and treats every coordinate alike."""

    assert_commutes(build(n), n, permutation, "permutations")
    assert_commutes(build(n), n, signed_permutation, "signed permutations")


@each(QUASI)
@pytest.mark.parametrize("n", [2, 64])
def test_does_not_commute_with_rotations(build: Build, n: int) -> None:
    """The control: the grid of directions is fixed to the standard basis."""

    assert commutator(build(n), torch.randn(64, n), random_orthogonal(n)) > 1e-2


@pytest.mark.parametrize("cls", [QuasiIsotropic, NormalizedQuasiIsotropic])
def test_tends_to_isotropy(cls: type[QuasiIsotropic]) -> None:
    """A coordinate of x̂ is moved by at most (1 − β)/2α√n, a direction by (1 − β)/2α, and the
    commutator by twice that, four times where the result is normalised."""

    x, R = torch.randn(64, 16), random_orthogonal(16)

    for alpha in (10.0, 1e2, 1e4, 1e6):
        error = commutator(cls(16, alpha=alpha), x, R)
        assert 1e-2 * 0.5 / alpha < error < 4 * 0.5 / (2 * alpha), f"{error:.1e} at α = {alpha:g}"


@pytest.mark.parametrize("cls", [QuasiIsotropic, NormalizedQuasiIsotropic])
def test_beta_one_is_isotropic(cls: type[QuasiIsotropic]) -> None:
    x = torch.logspace(-12, 3, 64)[:, None] * torch.randn(64, 5)

    torch.testing.assert_close(cls(5, beta=1.0)(x), IsoTanh(5)(x), rtol=8 * EPS, atol=0)


def test_refraction_is_static() -> None:
    """The direction of f(r x̂) is Φ(x̂) at every radius, and is not x̂."""

    f, u = QuasiIsotropic(8), rays(8)

    assert angle(f(0.1 * u), f(30 * u)).max() < 10 * EPS
    assert angle(f(u), u).mean() > 1e-2


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_normalised_has_the_norm_of_the_profile(beta: float) -> None:
    r = torch.logspace(-6, 3, 40)[:, None]
    # α = 4√n leaves no direction that rounds to zero altogether.
    y = NormalizedQuasiIsotropic(8, beta=beta)(r * rays(8, 40))

    torch.testing.assert_close(y.norm(dim=-1, keepdim=True), r.tanh(), rtol=10 * EPS, atol=0)


def test_plain_has_it_only_about() -> None:
    """The control of the above, and why the normalised class exists."""

    norms = QuasiIsotropic(8, beta=0.0)(100 * rays(8)).norm(dim=-1)

    assert (norms - 1).abs().max() > 1e-3


@pytest.mark.parametrize("r", [1e-3, 0.7, 3.0])
@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
def test_jacobian_has_slope_beta(beta: float, r: float) -> None:
    """J = σ′(r) Φ x̂ᵀ + β σ(r)/r (I − x̂x̂ᵀ): rounding passes no gradient, by itself."""

    f = QuasiIsotropic(5, beta=beta)
    u = rays(5, 1)[0]
    J = torch.autograd.functional.jacobian(f, r * u)

    radial = torch.outer(f.direction(u), u) / torch.tensor(r).cosh() ** 2
    tangential = beta * torch.tensor(r).tanh() / r * (torch.eye(5) - torch.outer(u, u))
    torch.testing.assert_close(J, radial + tangential, rtol=0, atol=40 * EPS)


def test_jacobian_at_the_origin() -> None:
    """Directions are of no account there, so what is left is β I, and I once normalised."""

    zero = torch.zeros(4)
    for f, slope in ((QuasiIsotropic(4), 0.5), (NormalizedQuasiIsotropic(4), 1.0)):
        assert not f(zero).any()
        J = torch.autograd.functional.jacobian(f, zero)
        torch.testing.assert_close(J, slope * torch.eye(4), rtol=0, atol=4 * EPS)


@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_alpha_learns_when_asked(beta: float) -> None:
    """∂f/∂log α = σ(r) (1 − β) (α x̂ − round(α x̂)) / α, rounding taken for straight-through."""

    f = QuasiIsotropic(6, alpha=3.0, beta=beta, learn_alpha=True, scale="unit")
    x = torch.randn(6)
    (gradient,) = torch.autograd.grad(f(x)[2], f.log_alpha)

    q = 3.0 * x / x.norm()
    expected = x.norm().tanh() * (1 - beta) * (q - q.round())[2] / 3.0
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=10 * EPS)
    assert gradient != 0


def test_alpha_is_fixed_otherwise() -> None:
    f = QuasiIsotropic(6)

    assert not [p for p in f.parameters() if p.requires_grad]
    assert "log_alpha" in f.state_dict()


def test_a_learnt_alpha_moves_the_grid() -> None:
    f = NormalizedQuasiIsotropic(6, learn_alpha=True)
    x = torch.randn(200, 6)
    before = f(x).detach()

    optimizer = torch.optim.SGD(f.parameters(), 1.0)
    for _ in range(3):
        optimizer.zero_grad()
        (f(x) - IsoTanh(6)(x)).square().sum().backward()
        optimizer.step()

    assert not torch.equal(f(x), before)


def test_the_grid_of_sqrt_width_acts_alike_at_every_width() -> None:
    """The share of coordinates that round to zero, P(|x̂_i| < 1/2α√n), is about that of
    |N(0, 1)| < 1/2α at every width; an α of its own rounds all of them to zero once n > 4α²."""

    shares = []
    for n in (64, 4096):
        f = QuasiIsotropic(n, alpha=1.0, beta=0.0, scale="sqrt_width")
        shares.append((f(torch.randn(64, n)) == 0).double().mean().item())

    # erf(1/2√2) = 0.3829, its standard error here below 0.008, its bias O(1/n).
    assert shares == pytest.approx([0.3829, 0.3829], abs=0.04)

    blind = QuasiIsotropic(4096, alpha=1.0, beta=0.5, scale="unit")
    x = torch.randn(8, 4096)
    torch.testing.assert_close(blind(x), 0.5 * IsoTanh(4096)(x), rtol=8 * EPS, atol=0)


def test_takes_any_profile() -> None:
    x = torch.randn(10, 4)
    f = NormalizedQuasiIsotropic(4, profile=lambda r: 3 * r)

    torch.testing.assert_close(f(x).norm(dim=-1), 3 * x.norm(dim=-1), rtol=10 * EPS, atol=0)


def test_half_precision_rounds_once() -> None:
    x = torch.randn(16, 300).bfloat16()
    f = QuasiIsotropic(300)

    assert torch.equal(f(x), f(x.float()).bfloat16())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuasiIsotropic(4, alpha=0.0), "alpha must be positive, got 0"),
        (lambda: QuasiIsotropic(4, beta=1.5), "beta must lie between 0 and 1, got 1.5"),
        (lambda: NormalizedQuasiIsotropic(4, beta=-0.5), "beta must lie between 0 and 1"),
        (lambda: QuasiIsotropic(4, profile=torch.cos), "the profile must vanish at r = 0"),
    ],
)
def test_refuses_what_is_no_such_activation(
    make: Callable[[], QuasiIsotropic], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()
