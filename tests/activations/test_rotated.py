"""Tests for Rotated of isoexp.activations.elementwise."""

from functools import partial

import pytest
import torch
from scipy.stats import kstest

from isoexp.activations import Activation, IsoTanh, RadialBasis, ReLU, Rotated, Sigmoid, Tanh
from isoexp.ensemble import Ensemble
from isoexp.geometry import coordinate_cdf
from isoexp.streams import seeded
from isoexp.training import Classification, batches, fit

from ..models.tiny import MODELS, forms
from ..properties import ROUNDING, assert_states_close, commutator, permutation

pytestmark = pytest.mark.usefixtures("float64")

ELEMENTWISE: list[type[Activation]] = [Tanh, ReLU, Sigmoid]


@pytest.mark.parametrize("form", ELEMENTWISE)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_is_the_form_in_another_basis(form: type[Activation], n: int) -> None:
    """f_B(x) = B f(Bᵀx), with B orthogonal, vector by vector."""

    f, x = Rotated(n, form), torch.randn(2, 3, n)
    B = f.basis

    torch.testing.assert_close(B @ B.mT, torch.eye(n), rtol=0, atol=ROUNDING)
    y = f(x)
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(y[i, j], B @ form(n)(B.mT @ x[i, j]))


@pytest.mark.parametrize("form", ELEMENTWISE)
def test_permutes_its_own_basis_and_no_other(form: type[Activation]) -> None:
    """It commutes with B P Bᵀ, no longer with P: the control, which the form itself passes."""

    f, x, P = Rotated(6, form), torch.randn(32, 6), permutation(6)
    B = f.basis

    assert commutator(f, x, B @ P @ B.mT) < ROUNDING
    assert commutator(f, x, P) > 1e-2
    assert commutator(form(6), x, P) < ROUNDING


def test_what_is_isotropic_stays() -> None:
    x = torch.randn(5, 4)

    torch.testing.assert_close(Rotated(4, IsoTanh)(x), IsoTanh(4)(x), rtol=0, atol=1e-14)


def test_the_basis_is_haar() -> None:
    """A coordinate of a column has the law of one of a uniform unit vector."""

    entries = torch.stack([Rotated(3, Tanh).basis for _ in range(400)])

    for i, j in ((0, 0), (2, 1)):
        assert kstest(entries[:, i, j].numpy(), partial(coordinate_cdf, n=3)).pvalue > 1e-3


def test_the_basis_comes_from_the_global_generator_and_stays() -> None:
    with seeded(3, "weights"):
        f = Rotated(4, Tanh)
    with seeded(3, "weights"):
        again = Rotated(4, Tanh)
    other = Rotated(4, Tanh)
    basis = f.basis.clone()
    f(torch.randn(5, 4)).sum()
    f.eval()

    assert torch.equal(basis, again.basis)
    assert torch.equal(basis, f.basis)
    assert not torch.allclose(basis, other.basis)
    assert not list(f.parameters())

    other.load_state_dict(f.state_dict())
    assert torch.equal(other.basis, basis)


def test_float32_keeps_the_basis_to_its_rounding() -> None:
    torch.set_default_dtype(torch.float32)
    f = Rotated(64, Tanh)

    assert f.basis.dtype == torch.float32
    assert (f.basis @ f.basis.mT - torch.eye(64)).abs().max() < 64 * torch.finfo(torch.float32).eps
    assert f(torch.randn(3, 64, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_trains_in_an_ensemble_as_alone() -> None:
    """Each network has a basis of its own; four updates by SGD."""

    seeds = [4, 7]
    x, y = torch.randn(40, *MODELS["mlp"].inputs), torch.randint(3, (40,))

    def train(seeds: list[int]) -> Ensemble:
        networks = []
        for seed in seeds:
            with seeded(seed, "weights"):
                networks.append(MODELS["mlp"].build(forms(partial(Rotated, form=Tanh))))
        ensemble = Ensemble(networks)
        optimizers = ensemble.optimizers(partial(torch.optim.SGD, lr=0.1))
        order = batches(x, y, seeds, 16, 4)
        for _ in fit(ensemble, order, optimizers, Classification(), constant, no_clip, 4):
            pass
        return ensemble

    together = train(seeds)
    states = [together.state(k) for k in range(2)]
    name = next(name for name in states[0] if name.endswith("basis"))
    assert not torch.allclose(states[0][name], states[1][name])
    for state, seed in zip(states, seeds, strict=True):
        assert_states_close(state, train([seed]).state(0), 1e-10)


def constant(index: int, steps: int) -> float:
    return 1.0


def no_clip(gradients: object) -> None:
    return None


def test_weights_of_the_form_are_trained() -> None:
    f = Rotated(4, RadialBasis)
    f(torch.randn(5, 4)).sum().backward()

    centres = f.get_parameter("form.centres")
    assert centres.grad is not None
    assert centres.grad.any()


def test_refuses_what_changes_the_width() -> None:
    with pytest.raises(ValueError, match=r"form must map .* got one from 4 to 7 features"):
        Rotated(4, partial(RadialBasis, centres=7))
