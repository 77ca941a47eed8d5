"""Laws of every dropout: means, identities, singular points, refusals."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, vmap

from isoexp.activations import IsoTanh, Tanh
from isoexp.dropout import CorrelatedDropout, Dropout, IsotropicDropout
from isoexp.geometry import random_orthogonal
from isoexp.noise import KEY

from ..properties import assert_finite
from .families import ALL, draws, each, each_isotropic, standard_errors


@each
@pytest.mark.parametrize("q", [0.2, 0.9])
def test_of_mean_x(cls: type[Dropout], q: float) -> None:
    x = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0])

    assert standard_errors(draws(cls(5, q), x, 3000), x) < 5


@each
def test_the_identity_in_evaluation_and_where_all_is_kept(cls: type[Dropout]) -> None:
    x = torch.randn(3, 5)

    assert cls(5, 1.0)(x) is x
    assert cls(5, 0.5).eval()(x) is x
    assert not torch.equal(cls(5, 0.5)(x), x)


@each
def test_calls_differ(cls: type[Dropout]) -> None:
    module, x = cls(8, 0.5), torch.randn(3, 8)

    assert not torch.equal(module(x), module(x))


@each
def test_one_key_gives_one_answer(cls: type[Dropout]) -> None:
    first, second, x = cls(8, 0.5), cls(8, 0.5), torch.randn(3, 8)
    second.load_state_dict(first.state_dict())

    assert torch.equal(first(x), second(x))
    assert torch.equal(first(x), second(x))


@each
@pytest.mark.parametrize("n", [1, 2, 3, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_finite_at_every_length(cls: type[Dropout], n: int, dtype: torch.dtype) -> None:
    """Value and gradient, up to a millionth of the largest number: in the plane, the gradient is
    of r over the length of what is across, which may be small. The dtype comes back."""

    module = cls(n, 0.5)
    for length in (0.0, 1e-38, 1e-12, 1.0, 1e19, 1e-6 * torch.finfo(dtype).max):
        u = torch.randn(6, n, dtype=torch.float64)
        x = (length * u / u.norm(dim=1, keepdim=True)).to(dtype).requires_grad_()
        y = module(x)
        (gradient,) = torch.autograd.grad(y.sum(), x)

        assert y.dtype == dtype
        assert y.shape == x.shape
        assert_finite(f"{module} at {length:g}", y=y, gradient=gradient)
        if length == 0:
            assert not y.any()


@each
def test_one_feature_is_dropped_or_not(cls: type[Dropout]) -> None:
    x = torch.tensor([[3.0]])
    found = draws(cls(1, 0.75), x, 2000).flatten()

    assert found.sub(4.0).abs().minimum(found.abs()).max() < 1e-5
    assert abs((found > 2).float().mean().item() - 0.75) < 4 * (0.1875 / 2000) ** 0.5


@each
def test_keeps_the_batch(cls: type[Dropout]) -> None:
    for shape in [(3,), (1, 3), (0, 3), (2, 0, 3), (2, 5, 3)]:
        assert cls(3, 0.5)(torch.randn(shape)).shape == shape


@each
def test_homogeneous(cls: type[Dropout]) -> None:
    """f(αx) = α f(x) for the same numbers: what is dropped knows no length."""

    module, x = cls(5, 0.6), torch.randn(4, 5)
    state = {k: v.clone() for k, v in module.state_dict().items()}
    y = module(x)
    for alpha in (2.0**-20, 2.0**60):
        module.load_state_dict(state)
        torch.testing.assert_close(module(alpha * x), alpha * y, rtol=1e-6, atol=0)


@each
def test_gradient_is_of_mean_identity(cls: type[Dropout]) -> None:
    """E Jᵀ c = c, since E f(x) = x for every x."""

    module, c = cls(6, 0.7), torch.randn(6)
    x = torch.randn(6).expand(3000, 6).clone().requires_grad_()
    states = {
        k: v.expand(3000, *v.shape).clone() for k, v in module.state_dict().items() if k != "key"
    }
    states["key"] = torch.randint(KEY, (3000,))
    if isinstance(module, CorrelatedDropout):
        states["basis"] = torch.stack([random_orthogonal(6).float() for _ in range(3000)])
        states["mask"] = (torch.rand(3000, 6) < 0.7).float()
    y = vmap(lambda s, x: functional_call(module, s, (x,)))(states, x)
    (gradient,) = torch.autograd.grad((y * c).sum(), x)

    assert standard_errors(gradient, c) < 5


@each_isotropic
def test_gradient_at_the_origin(cls: type[Dropout]) -> None:
    """There too, where the map has no derivative but a linear one beside it stands in."""

    module, c = cls(6, 0.7), torch.ones(6)
    x = torch.zeros(3000, 6, requires_grad=True)
    (gradient,) = torch.autograd.grad((module(x) * c).sum(), x)

    assert gradient.isfinite().all()
    if cls is IsotropicDropout:  # the others share a basis, and a walk its mask
        assert standard_errors(gradient, c) < 5


@each
def test_refuses(cls: type[Dropout]) -> None:
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        cls(0)
    for keep in (0.0, -0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"keep must lie in \(0, 1\], got .*the share that is"):
            cls(4, keep)


@each
def test_says_its_settings(cls: type[Dropout]) -> None:
    assert repr(cls(7, 0.25)) == f"{cls.__name__}(7, keep=0.25)"


@pytest.mark.parametrize("activation", [IsoTanh, Tanh])
def test_isotropy_reaches_through_a_layer(activation) -> None:
    """f(drop(Wx)) with W → RW turns in law with R for an isotropic f, not for elementwise tanh."""

    x, R = torch.tensor([2.0, -1.0, 0.5]), random_orthogonal(3).float()
    f = nn.Sequential(IsotropicDropout(3, 0.6), activation(3))
    z = x.expand(20_000, 3)
    a, b = f(z), f(z @ R.T) @ R
    pooled = ((a.var(dim=0) + b.var(dim=0)) / 20_000) ** 0.5
    off = ((a.mean(dim=0) - b.mean(dim=0)).abs() / pooled).max()

    assert (off < 4) == (activation is IsoTanh)


def test_the_table_leaves_nobody_out() -> None:
    assert set(ALL) == set(Dropout.__subclasses__())
