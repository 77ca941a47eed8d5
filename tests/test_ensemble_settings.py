"""Tests for ensembles of networks that differ in real settings: each is its solo run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, NAdam, Optimizer, RAdam, Rprop

from isoexp.activations import (
    Activation,
    IsoCappedReLU,
    IsoHardThreshold,
    IsoLeakyReLU,
    IsoReLU,
    IsoSinusoid,
    IsoTanh,
    IsotropicOf,
    LeakyReLU,
    QuasiIsotropic,
    Tanh,
)
from isoexp.dropout import CorrelatedDropout, ElementwiseDropout, HaarDropout, IsotropicDropout
from isoexp.ensemble import (
    ELEMENTWISE,
    BuildOptimizer,
    Ensemble,
    clip_of,
    differences,
    objective_of,
    rates,
    regularizer_of,
    schedule_of,
)
from isoexp.ensemble.states import Rated
from isoexp.inits import Gaussian
from isoexp.models import CNN, MLP, RNN, Transformer
from isoexp.models.blocks import Forms
from isoexp.norms import ChiNorm
from isoexp.optimizers import (
    ClipNorm,
    ClipValue,
    Cosine,
    IsotropicAdam,
    Muon,
    NoClip,
    NormalizedSGD,
    Shampoo,
    SignSGD,
)
from isoexp.regularizers import L1, L2, ActivationNorm, NoRegularizer, Nuclear, Spectral
from isoexp.streams import seeded
from isoexp.training import Classification, Objective, Regression, Step, batches, evaluate, fit

from .properties import assert_states_close, assert_states_equal

pytestmark = pytest.mark.usefixtures("float64")

SEEDS = [0, 1, 2]
STEPS = 6
BATCH = 16  # of 40 samples: the last batch of an epoch has 8

OURS = (IsotropicAdam, Muon, NormalizedSGD, Shampoo, SignSGD)

CLOSE = 1e-10
"""Of the largest weight, after so few updates: half a million eps, of which the division by √v of
Adam takes most."""


@dataclass(frozen=True)
class Own:
    """All that one network is trained by."""

    activation: Callable[[int], nn.Module] = IsoTanh
    norm: Callable[[int], nn.Module] = nn.Identity
    dropout: Callable[[int], nn.Module] = nn.Identity
    gain: float = 1.0
    optimizer: BuildOptimizer = partial(Adam, lr=1e-2)  # noqa: RUF009
    schedule: Cosine = Cosine()  # noqa: RUF009
    clip: Any = NoClip()  # noqa: RUF009
    regularizer: Any = NoRegularizer()  # noqa: RUF009
    objective: Objective = field(default_factory=Classification)
    model: Callable[..., nn.Module] = partial(MLP, widths=[8, 7])  # noqa: RUF009
    inputs: tuple[int, ...] = (6,)
    noise: float = 0.0

    def network(self, seed: int) -> nn.Module:
        with seeded(seed, "weights"):
            forms = self.activation, self.norm, Gaussian(self.gain), self.dropout
            return self.model(self.inputs, 3, Forms(*forms))

    def samples(self) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(5)
        x = torch.randn(40, *self.inputs, generator=generator)
        y = torch.randint(3, (40,), generator=generator)
        if isinstance(self.objective, Regression):
            y = torch.randn(40, 3, generator=generator)

        return x + self.noise * torch.randn(x.shape, generator=generator), y


def trained(
    owns: Sequence[Own], seeds: Sequence[int], steps: int = STEPS
) -> tuple[Ensemble, list[Optimizer], list[Step]]:
    """Trains networks as one, each by its own."""

    networks = [own.network(seed) for own, seed in zip(owns, seeds, strict=True)]
    regularizer = regularizer_of([own.regularizer for own in owns])
    ensemble = Ensemble(networks, observe=regularizer.sees_activations)
    schedules = [own.schedule for own in owns]
    optimizers = ensemble.optimizers(
        [own.optimizer for own in owns], own_rates=len(set(schedules)) > 1
    )
    x, y = zip(*(own.samples() for own in owns), strict=True)
    if not any(own.noise for own in owns):
        x, y = x[0], y[0]
    found = fit(
        ensemble,
        batches(x, y, seeds, BATCH, steps),
        optimizers,
        objective_of([own.objective for own in owns]),
        schedule_of(schedules),
        clip_of([own.clip for own in owns]),
        STEPS,
        seeds=seeds,
        regularizer=regularizer,
    )

    return ensemble, optimizers, list(found)


def assert_solo(owns: Sequence[Own], tolerance: float = CLOSE) -> None:
    """Asserts that each is what it is alone, and that the settings are not one to them."""

    __tracebackhide__ = True

    together, optimizers, steps = trained(owns, SEEDS)
    for k, (own, seed) in enumerate(zip(owns, SEEDS, strict=True)):
        alone, theirs, alone_steps = trained([own], [seed])
        assert_states_close(together.state(k), alone.state(0), tolerance)
        for a, b in zip(steps, alone_steps, strict=True):
            for column in ("losses", "scores", "penalties", "grad_norms"):
                p, q = getattr(a, column), getattr(b, column)
                if q is None:
                    assert p is None
                else:
                    torch.testing.assert_close(p[k], q[0], rtol=tolerance, atol=tolerance)
        assert rates(optimizers, 3)[k] == rates(theirs, 1)[0]
        assert_memories_close(
            together.optimizer_state(optimizers, k), alone.optimizer_state(theirs, 0), tolerance
        )

    # The control: as the first, the last would be another.
    other, _, _ = trained([owns[0]], [SEEDS[2]])
    with pytest.raises(AssertionError, match="is off by"):
        assert_states_close(together.state(2), other.state(0), 1e-5)


def assert_memories_close(mine: list[Any], theirs: list[Any], tolerance: float) -> None:
    __tracebackhide__ = True

    for a, b in zip(mine, theirs, strict=True):
        assert a.keys() == b.keys()
        p, q = ({k: v for k, v in memory.items() if isinstance(v, Tensor)} for memory in (a, b))
        assert_states_close(p, q, tolerance)


def vary(base: Own, **settings: Sequence[Any]) -> list[Own]:
    """Returns three that differ in settings."""

    columns = zip(*settings.values(), strict=True)

    return [replace(base, **dict(zip(settings, column, strict=True))) for column in columns]


# --- optimizers -------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [*ELEMENTWISE, *OURS], ids=lambda cls: cls.__name__)
def test_rates_and_decays(build: Callable[..., Optimizer]) -> None:
    usual = build([nn.Parameter(torch.zeros(2, 2))]).defaults["lr"]
    optimizers = [
        partial(build, lr=usual * f, weight_decay=d)
        for f, d in ((0.3, 0.0), (1.0, 0.1), (2.0, 0.03))
    ]
    owns = vary(Own(), optimizer=optimizers)

    assert_solo(owns)
    assert len(trained(owns, SEEDS, 1)[1]) == 1, "one optimizer for all"


VARIANTS = {
    "decoupled-nadam": partial(NAdam, decoupled_weight_decay=True),
    "decoupled-radam": partial(RAdam, decoupled_weight_decay=True),
    "fused": partial(AdamW, fused=True),
    "nesterov": partial(SGD, momentum=0.9, nesterov=True),
    "maximize": partial(SGD, maximize=True),
    "amsgrad": partial(Adam, amsgrad=True),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_rates_and_decays_of_variants(name: str) -> None:
    optimizers = [
        partial(VARIANTS[name], lr=lr, weight_decay=d)
        for lr, d in ((1e-2, 0.1), (3e-3, 0.0), (2e-2, 0.3))
    ]

    assert_solo(vary(Own(), optimizer=optimizers))


OTHERS = {
    "momentum": [partial(SGD, lr=0.05, momentum=m) for m in (0.0, 0.5, 0.9)],
    "betas": [partial(Adam, lr=1e-2, betas=(b, 0.99)) for b in (0.5, 0.8, 0.9)],
    "eps": [partial(Adam, lr=r, eps=e) for r, e in ((1e-2, 1e-8), (1e-2, 1e-3), (1e-3, 0.1))],
    "ours": [partial(IsotropicAdam, lr=1e-2, betas=(b, 0.99)) for b in (0.5, 0.8, 0.9)],
    "foreign": [partial(Rprop, lr=lr) for lr in (1e-4, 1e-3, 1e-2)],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_settings_of_optimizers(name: str) -> None:
    assert_solo(vary(Own(clip=ClipNorm(0.1)), optimizer=OTHERS[name]))


def test_what_does_not_differ_costs_nothing() -> None:
    """Built apart, from equal settings: the optimizer is the plain one."""

    (optimizer,) = trained(vary(Own(), optimizer=[partial(Adam, lr=1e-2) for _ in SEEDS]), SEEDS)[1]

    assert type(optimizer) is Adam


def test_a_rated_memory_goes_on_in_another_ensemble() -> None:
    """The checkpoint of a member serves an ensemble of others, and its solo run."""

    owns = vary(Own(), optimizer=[partial(AdamW, lr=lr) for lr in (1e-3, 1e-2, 3e-2)])
    whole, _, _ = trained(owns, SEEDS)
    half, optimizers, _ = trained(owns, SEEDS, 3)
    states = [(half.state(k), half.optimizer_state(optimizers, k)) for k in range(3)]

    for members in ([0, 1, 2], [2, 1], [1]):
        again = Ensemble([owns[k].network(9) for k in members])
        fresh = again.optimizers([owns[k].optimizer for k in members])
        for j, k in enumerate(members):
            again.load(j, states[k][0])
        again.load_optimizer(fresh, [states[k][1] for k in members])
        assert isinstance(fresh[0], Rated) == (len(members) > 1)
        seeds = [SEEDS[k] for k in members]
        order = batches(*owns[0].samples(), seeds, BATCH, STEPS, 3)
        for _ in fit(again, order, fresh, Classification(), Cosine(), NoClip(), STEPS, 3, seeds):
            pass
        for j, k in enumerate(members):
            assert_states_close(again.state(j), whole.state(k), CLOSE)


# --- forward passes ---------------------------------------------------------------------------

FORWARD = {
    "R0": [partial(IsoReLU, R0=R0) for R0 in (0.1, 0.5, 1)],
    "cap": [partial(IsoCappedReLU, R0=0.1, max_norm=m) for m in (0.5, 1.0, 2.0)],
    "threshold": [partial(IsoHardThreshold, R0=R0) for R0 in (0.5, 0.9, 1.2)],
    "leak": [partial(IsoLeakyReLU, alpha=a, R0=r) for a, r in ((0.1, 1.0), (0.5, 1), (0.1, 2.0))],
    "sinusoid": [partial(IsoSinusoid, lambda_m=m) for m in (-0.5, 0.0, 1.0)],
    "quasi": [
        partial(QuasiIsotropic, alpha=a, beta=b) for a, b in ((4.0, 0.5), (2.0, 0.5), (4.0, 0.9))
    ],
}


@pytest.mark.parametrize("name", FORWARD)
def test_activations(name: str) -> None:
    assert_solo(vary(Own(), activation=FORWARD[name]))


@pytest.mark.parametrize(
    "form", [CorrelatedDropout, ElementwiseDropout, HaarDropout, IsotropicDropout]
)
def test_dropout(form: Callable[..., nn.Module]) -> None:
    """The noise is that of the seed, at each rate."""

    assert_solo(vary(Own(Tanh), dropout=[partial(form, keep=q) for q in (0.5, 0.8, 0.95)]))


def test_dropout_that_remembers() -> None:
    walks = [
        partial(CorrelatedDropout, overlap=o, step=s)
        for o, s in ((0.5, 0.01), (0.3, 0.1), (0.5, 0.5))
    ]

    assert_solo(vary(Own(Tanh), dropout=walks))


def test_the_memory_of_a_norm() -> None:
    assert_solo(vary(Own(), norm=[partial(ChiNorm, momentum=m) for m in (0.05, 0.1, 0.5)]))


def test_first_weights() -> None:
    assert_solo(vary(Own(), gain=[0.5, 1.0, 2.0]))


MODELS = {
    "cnn": Own(model=partial(CNN, widths=[3, 4], blocks=1), inputs=(1, 4, 4)),
    "transformer": Own(
        model=partial(
            Transformer, width=8, depth=1, heads=2, hidden=6, patch=None, attention="iso_tanh"
        ),
        inputs=(4, 3),
    ),
    "rnn": Own(model=partial(RNN, widths=[5]), inputs=(4, 3)),
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model(name: str) -> None:
    """Several settings at once, each network its own of all."""

    owns = vary(
        MODELS[name],
        activation=[partial(IsoReLU, R0=R0) for R0 in (0.1, 0.3, 0.5)],
        dropout=[partial(IsotropicDropout, keep=q) for q in (0.9, 0.8, 0.95)],
        optimizer=[partial(Adam, lr=lr) for lr in (1e-2, 3e-3, 1e-2)],
    )

    assert_solo(owns)


def test_a_member_computes_with_its_own_numbers() -> None:
    ensemble, _, _ = trained(vary(Own(), activation=FORWARD["R0"]), SEEDS)
    x = torch.randn(5, 6)
    outputs = ensemble(x.expand(3, 5, 6))

    for k, R0 in enumerate((0.1, 0.5, 1)):
        member = ensemble.member(k)
        first = next(m for m in member.modules() if isinstance(m, IsoReLU))
        assert first.R0 == R0
        assert type(first.R0) is type(R0)
        assert not [name for name, _ in member.named_buffers() if "R0" in name]
        torch.testing.assert_close(member(x), outputs[k], rtol=1e-12, atol=1e-12)


# --- what they are trained by -----------------------------------------------------------------


@pytest.mark.parametrize("form", [L1, L2, ActivationNorm, Nuclear, Spectral])
def test_regularizers(form: Callable[..., Any]) -> None:
    assert_solo(vary(Own(), regularizer=[form(strength) for strength in (0.0, 0.01, 0.1)]))


@pytest.mark.parametrize("form", [ClipNorm, ClipValue])
def test_clips(form: Callable[..., Any]) -> None:
    sgd = Own(optimizer=partial(SGD, lr=0.1))

    assert_solo(vary(sgd, clip=[form(limit) for limit in (1e-3, 0.01, 1.0)]))


@pytest.mark.parametrize("build", [partial(AdamW, lr=1e-2), IsotropicAdam, partial(SGD, lr=0.1)])
def test_schedules(build: BuildOptimizer) -> None:
    schedules = [Cosine(w, f) for w, f in ((0.05, 0.0), (0.5, 0.0), (0.05, 0.3))]

    assert_solo(vary(Own(optimizer=build), schedule=schedules))


def test_schedules_of_optimizers_apart() -> None:
    schedules = [Cosine(w) for w in (0.05, 0.5, 0.9)]

    assert_solo(vary(Own(), schedule=schedules, optimizer=OTHERS["momentum"]))


def test_data_and_scores() -> None:
    """Each sees its own inputs, in the order of its seed, and is scored by its own variance."""

    owns = vary(Own(), noise=[0.1, 0.5, 1.0], objective=[Regression(v) for v in (1.0, 2.0, 0.5)])
    assert_solo(owns)

    ensemble, _, _ = trained(owns, SEEDS)
    x, y = zip(*(own.samples() for own in owns), strict=True)
    found = evaluate(ensemble, x, y, objective_of([own.objective for own in owns]))
    for k, own in enumerate(owns):
        expected = evaluate(Ensemble([ensemble.member(k)]), x[k], y[k], own.objective)
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a[k], b[0], rtol=1e-12, atol=1e-12)


# --- no member touches another ----------------------------------------------------------------


def test_a_diverging_member_breaks_no_other() -> None:
    """Its rate is far too large; the others are as they would be beside a mild one, bit by bit."""

    def owns(rate: float) -> list[Own]:
        builds = [partial(SGD, lr=lr) for lr in (0.1, rate, 0.3)]
        regularizers = [L2(strength) for strength in (0.1, 0.0, 0.01)]
        clips = [ClipNorm(limit) for limit in (0.1, math.inf, 1.0)]
        return vary(Own(), optimizer=builds, regularizer=regularizers, clip=clips)

    broken, _, steps = trained(owns(1e200), SEEDS)
    mild, _, _ = trained(owns(0.2), SEEDS)

    assert steps[-1].losses.isfinite().tolist() == [True, False, True]
    for k in (0, 2):
        assert_states_equal(broken.state(k), mild.state(k))


# --- what cannot be trained as one is found ---------------------------------------------------


class Branching(Activation):
    def __init__(self, width: int, edge: float) -> None:
        super().__init__(width)
        self.edge = edge

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh() if self.edge > 0.5 else x


def slope(by: float) -> Callable[[Tensor], Tensor]:
    return lambda r: by * r.tanh()


@pytest.mark.parametrize(
    ("forms", "message"),
    [
        ([IsoTanh, Tanh], "hidden.0.activation there are IsoTanh and Tanh"),
        ([partial(IsoTanh, scale=s) for s in ("unit", "sqrt_width")], None),
        ([partial(IsotropicOf, profile=p) for p in (torch.tanh, torch.sin)], "sigma there are"),
        ([partial(IsotropicOf, profile=slope(b)) for b in (0.5, 1.0)], "sigma.0 must be the same"),
    ],
)
def test_differences_in_kind_are_refused(forms: list[Any], message: str | None) -> None:
    networks = [Own(form).network(0) for form in forms]
    if message is None:
        Ensemble(networks)
        return

    with pytest.raises(ValueError, match=message):
        Ensemble(networks)


@pytest.mark.parametrize(
    "forms",
    [
        [partial(Branching, edge=edge) for edge in (0.0, 1.0)],
        [partial(LeakyReLU, slope=slope) for slope in (0.1, 0.3)],
    ],
)
def test_what_needs_numbers_is_an_error_not_another_network(forms: list[Any]) -> None:
    ensemble = Ensemble([Own(form).network(0) for form in forms])

    with pytest.raises((RuntimeError, TypeError)):
        ensemble(torch.zeros(2, 4, 6))


def test_differences_are_found_where_they_are() -> None:
    @dataclass(frozen=True)
    class Inner:
        scale: float
        limits: list[float]

    a, b = (
        {"inner": Inner(s, [1.0, t]), "n": 3, "f": partial(int, base=u)}
        for s, t, u in ((0.1, 2.0, 1), (0.2, 3.0, 1))
    )

    found = {d.path: d.values for d in differences([a, b])}
    assert found == {"inner.scale": (0.1, 0.2), "inner.limits.1": (2.0, 3.0)}
    assert differences([a, a]) == []
    with pytest.raises(ValueError, match="of n there are 3 and 4"):
        differences([a, {**a, "n": 4}])
    with pytest.raises(ValueError, match="of them there are"):
        differences([a, {**a, "m": 4}])
    with pytest.raises(ValueError, match="of t there are"):
        differences([{"t": torch.zeros(2)}, {"t": torch.ones(2)}])
