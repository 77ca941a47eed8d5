"""What all normalisers obey: rotations, shapes, precisions, ensembles, refusals."""

import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from isoexp.activations import IsoReLU, IsoTanh
from isoexp.ensemble import Ensemble
from isoexp.geometry import random_orthogonal
from isoexp.norms import BatchNorm, ChiNorm, IsotropicBatchNorm, Norm, Whitening

from ..properties import (
    MAGNITUDES,
    ROUNDING,
    assert_finite,
    assert_states_close,
    assert_states_equal,
)
from .families import ANISOTROPIC, BATCH, ISOTROPIC, OURS, Build, turned

pytestmark = pytest.mark.usefixtures("float64")

NORMS = {**ISOTROPIC, **ANISOTROPIC}

each = pytest.mark.parametrize("build", NORMS.values(), ids=NORMS.keys())
ours = pytest.mark.parametrize("build", OURS.values(), ids=OURS.keys())
isotropic = pytest.mark.parametrize("build", ISOTROPIC.values(), ids=ISOTROPIC.keys())
anisotropic = pytest.mark.parametrize("build", ANISOTROPIC.values(), ids=ANISOTROPIC.keys())


def sample(n: int, magnitude: float = 1.0, count: int = 32) -> Tensor:
    """Returns vectors that favour some directions, around a mean that is not zero."""

    return magnitude * (torch.randn(count, n) @ torch.randn(n, n) / n**0.5 + torch.randn(n))


def trained(norm: nn.Module, batches: list[Tensor]) -> nn.Module:
    """Returns a copy that has seen these batches, in evaluation mode."""

    norm = deepcopy(norm).train()
    for x in batches:
        norm(x)

    return norm.eval()


def error(y: Tensor, expected: Tensor) -> float:
    return ((y - expected).norm(dim=-1).mean() / expected.norm(dim=-1).mean()).item()


def commutators(norm: nn.Module, n: int, magnitude: float) -> tuple[float, float]:
    """Returns how far f(Rx) is off R f(x) in training, and in evaluation of a norm whose past
    was rotated too."""

    R = random_orthogonal(n)
    past, x = [sample(n, magnitude) for _ in range(3)], sample(n, magnitude)
    twin = turned(norm, R)

    training = error(deepcopy(twin).train()(x @ R.T), deepcopy(norm).train()(x) @ R.T)
    twin, norm = trained(twin, [b @ R.T for b in past]), trained(norm, past)

    return training, error(twin(x @ R.T), norm(x) @ R.T)


# --- rotations ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 64])
@isotropic
def test_commutes_with_rotations(build: Build, n: int) -> None:
    """Whitening magnifies rounding with the rest where the data do not vary, and 32 vectors of
    R^64 leave half of it so: 1/√eps = 32 times."""

    norm = build(n)
    allowed = 32 * ROUNDING if isinstance(norm, Whitening) else ROUNDING
    for magnitude in MAGNITUDES:
        training, evaluation = commutators(norm, n, magnitude)
        off = f"off by {training:.1e} in training, {evaluation:.1e} in evaluation"
        assert max(training, evaluation) < allowed, f"{norm} at {magnitude:g}: {off}"


@anisotropic
def test_the_others_do_not_commute(build: Build) -> None:
    """The control: the same check sees a mean, a gain or a variance of each coordinate."""

    assert min(commutators(build(8), 8, 1.0)) > 1e-2


def test_weights_must_turn_along() -> None:
    """The control of the affine-like norm: R f(x) is not f(Rx) with W and b where they were."""

    norm, R, x = ISOTROPIC["affine_like"](8), random_orthogonal(8), sample(8)

    assert error(norm(x @ R.T), norm(x) @ R.T) > 1e-1


@pytest.mark.parametrize("n", [1, 8])
@pytest.mark.parametrize("f", [IsoTanh, IsoReLU])
@isotropic
def test_a_layer_of_both_commutes(build: Build, f: type[IsoTanh] | type[IsoReLU], n: int) -> None:
    """Norm and isotropic activation, one after the other, of one feature too."""

    norm, R, x = build(n), random_orthogonal(n), sample(n)
    y = f(n, scale="sqrt_width")(deepcopy(norm)(x))
    off = (f(n, scale="sqrt_width")(turned(norm, R)(x @ R.T)) - y @ R.T).norm(dim=-1).mean()

    assert off < 32 * ROUNDING


# --- shapes and precisions ------------------------------------------------------------------


@each
def test_leading_axes_are_one_batch(build: Build) -> None:
    norm, x = build(6), sample(6, count=24)
    flat, deep = deepcopy(norm), deepcopy(norm)

    torch.testing.assert_close(deep(x.view(2, 3, 4, 6)), flat(x).view(2, 3, 4, 6))
    assert_states_equal(deep.state_dict(), flat.state_dict())

    torch.testing.assert_close(deep.eval()(x.view(2, 12, 6)), flat.eval()(x).view(2, 12, 6))


@each
def test_one_vector_and_none_in_evaluation(build: Build) -> None:
    x = sample(6)
    norm = trained(build(6), [x])

    torch.testing.assert_close(norm(x[0]), norm(x)[0])
    torch.testing.assert_close(norm(x[:1]), norm(x)[:1])
    assert norm(x[:0]).shape == (0, 6)


@ours
def test_evaluation_is_frozen(build: Build) -> None:
    norm = trained(build(6), [sample(6)])
    before = deepcopy(norm.state_dict())
    norm(sample(6))

    assert_states_equal(norm.state_dict(), before)


@ours
def test_a_norm_may_be_used_twice_before_the_gradient(build: Build) -> None:
    """What is remembered in place is nothing that a derivative needs."""

    norm, x = build(6), sample(6).requires_grad_()
    (norm(x).square().sum() + norm(2 * x).sum()).backward()

    assert x.grad is not None
    assert_finite(repr(norm), gradient=x.grad)
    assert not any(b.requires_grad for b in norm.buffers())


@pytest.mark.parametrize("training", [True, False])
@ours
def test_mixed_precision(build: Build, training: bool) -> None:
    """Statistics are taken in float32, whatever comes in: half an eps of bfloat16 comes out."""

    torch.set_default_dtype(torch.float32)
    norm = trained(build(6), [sample(6)]).train(training)
    x = sample(6).bfloat16()
    plain = deepcopy(norm)(x.float())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = deepcopy(norm)(x)

    assert mixed.dtype == torch.bfloat16
    # The affine-like one has a product of 6 terms in half precision, which the others have not.
    allowed = 6 * 2**-7 if "AffineLike" in repr(norm) else 2**-8
    scale = plain.abs().max().item()
    torch.testing.assert_close(mixed.float(), plain, rtol=0, atol=allowed * scale)


@ours
def test_large_batches_of_float32(build: Build) -> None:
    """No eps lost on the way: float32 is float64 to rounding."""

    norm, x = build(16), sample(16, count=512)
    expected = deepcopy(norm)(x)
    y = deepcopy(norm).float()(x.float())

    assert y.dtype == torch.float32
    torch.testing.assert_close(
        y.double(), expected, rtol=0, atol=2e-5 * expected.abs().max().item()
    )


# --- ensembles ------------------------------------------------------------------------------


def network(build: Build, seed: int) -> nn.Module:
    torch.manual_seed(seed)

    return nn.Sequential(nn.Linear(6, 5), build(5), IsoTanh(5), nn.Linear(5, 2))


def updated(ensemble: Ensemble, seeds: list[int]) -> Ensemble:
    """Returns the ensemble after ten updates, network k on the data of its seed."""

    (optimizer,) = ensemble.optimizers(partial(torch.optim.SGD, lr=0.1))
    for step in range(10):
        x = torch.stack([sample_of(seed, step) for seed in seeds])
        ensemble.zero_grad()
        (ensemble(x) - x[..., :2]).square().mean(dim=(1, 2)).sum().backward()
        optimizer.step()

    return ensemble


def sample_of(seed: int, step: int) -> Tensor:
    return torch.randn(12, 6, generator=torch.Generator().manual_seed(100 * seed + step))


@each
def test_a_member_is_the_solo_run(build: Build) -> None:
    """Weights, buffers and outputs, in both modes, to rounding after ten updates."""

    seeds = [0, 1, 2]
    together = updated(Ensemble([network(build, s) for s in seeds]), seeds)

    solos = [updated(Ensemble([network(build, seed)]), [seed]) for seed in seeds]
    for k, alone in enumerate(solos):
        assert_states_close(together.state(k), alone.state(0), 1e-11)
        assert alone.buffers.keys() == together.buffers.keys()

    x = torch.stack([sample_of(s, 99) for s in seeds])
    for mode in (False, True):
        together.train(mode)
        y = together(x)
        for k, alone in enumerate(solos):
            alone.train(mode)
            torch.testing.assert_close(y[k], alone(x[k : k + 1])[0], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@ours
def test_a_broken_member_breaks_no_other(build: Build, poison: float) -> None:
    """Bit by bit, at n = 8: the decomposition of a batch, one of whose matrices is not finite, is
    refused by LAPACK at this size, and not at all others."""

    def end(weight: float | None) -> dict[str, Tensor]:
        members = [nn.Sequential(nn.Linear(6, 8), build(8), nn.Linear(8, 2)) for _ in range(2)]
        ensemble = Ensemble(members)
        if weight is not None:
            ensemble.parameters["0.weight"].data[1, 0, 0] = weight
        updated(ensemble, [0, 1])
        assert ensemble(torch.ones(2, 3, 6))[1].isfinite().all() == (weight is None)

        return ensemble.state(0)

    torch.manual_seed(0)
    healthy = end(None)
    torch.manual_seed(0)
    assert_states_equal(end(poison), healthy)


def test_members_differ() -> None:
    """The control of the above."""

    together = updated(Ensemble([network(ChiNorm, s) for s in (0, 1)]), [0, 1])

    with pytest.raises(AssertionError, match="is off by"):
        assert_states_close(together.state(0), together.state(1), 1e-3)


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("build", BATCH.values(), ids=BATCH.keys())
def test_one_vector_has_no_variance(build: Build) -> None:
    for x, got in [(torch.ones(1, 6), 1), (torch.ones(6), 1), (torch.ones(0, 6), 0)]:
        with pytest.raises(ValueError, match=f"more than one vector is needed .* got {got}"):
            build(6)(x)


def test_one_vector_has_a_norm() -> None:
    norm, x = ChiNorm(6), torch.randn(1, 6)

    torch.testing.assert_close(norm(x), x / x.norm())
    with pytest.raises(ValueError, match="one vector or more is needed in training, got none"):
        norm(x[:0])


@pytest.mark.parametrize("momentum", [0.0, -0.1, 1.1, float("nan")])
@pytest.mark.parametrize("cls", [ChiNorm, BatchNorm, IsotropicBatchNorm, Whitening])
def test_momentum_is_a_share(cls: type[ChiNorm], momentum: float) -> None:
    with pytest.raises(ValueError, match="momentum must be above 0 and at most 1, got "):
        cls(4, momentum=momentum)


def test_plain_averages_are_refused() -> None:
    with pytest.raises(ValueError, match="momentum must be above 0 and at most 1, got None"):
        BatchNorm(4, momentum=None)


@pytest.mark.parametrize("eps", [0.0, -1e-5, float("nan")])
@pytest.mark.parametrize("cls", [BatchNorm, IsotropicBatchNorm, Whitening])
def test_eps_is_positive(cls: type[Whitening], eps: float) -> None:
    with pytest.raises(ValueError, match="eps must be positive, got "):
        cls(4, eps=eps)


def test_what_is_printed() -> None:
    assert repr(ChiNorm(4)) == "ChiNorm(4)"
    assert isinstance(ChiNorm(4), Norm)
