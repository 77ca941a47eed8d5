"""Tests for isoexp.symmetry.maps: forms of known symmetry, and errors of known size."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from isoexp.activations import IsoTanh, RadialBasis, ReLU, Tanh
from isoexp.dropout import ElementwiseDropout
from isoexp.optimizers import ClipNorm, ClipValue
from isoexp.symmetry import (
    GROUPS,
    Measured,
    largest,
    maps,
    measure_gradient_map,
    measure_map,
)
from isoexp.symmetry.maps import FAMILY, MAP, ROUNDING

# A map with each possible answer, so that no answer is given to everything.
KNOWN: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "x": (lambda x: x, "O(n), positive diagonal"),
    "x/(1 + |x|)": (lambda x: x / (1 + x.norm(dim=-1, keepdim=True)), "O(n)"),
    "tanh": (torch.tanh, "signed permutations"),
    "x^3": (lambda x: x**3, "signed permutations"),
    "softplus": (nn.functional.softplus, "permutations"),
    "relu": (torch.relu, "permutations, positive diagonal"),
    "cyclic": (lambda x: x.roll(1, dims=-1), "trivial"),
    "diagonal": (lambda x: x * torch.arange(1, 9), "positive diagonal"),
    "constant": (lambda x: torch.ones_like(x), "permutations"),
    "zero": (lambda x: 0 * x, "O(n), positive diagonal"),
    "nan": (lambda x: x / 0 * 0, "none"),
}


@pytest.mark.parametrize(("f", "expected"), KNOWN.values(), ids=KNOWN.keys())
def test_known_maps(f: Callable[[Tensor], Tensor], expected: str) -> None:
    assert largest(measure_map(lambda n: f)) == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("n", [2, 3, 8, 33])
def test_the_answer_is_that_of_any_seed_and_width(seed: int, n: int) -> None:
    assert largest(measure_map(IsoTanh, n, seed)) == "O(n)"
    assert largest(measure_map(Tanh, n, seed)) == "signed permutations"
    assert largest(measure_map(ReLU, n, seed)) == "permutations, positive diagonal"


@pytest.mark.slow
def test_the_error_is_that_of_a_slow_computation() -> None:
    """For Tanh and signs, 0; for abs and the sign −1 of everything, 2: f(−x) = f(x), not −f(x)."""

    def error(f: Callable[[Tensor], Tensor], g: Tensor) -> float:
        x = torch.randn(1000, 8, dtype=torch.float64)
        pairs = [(f(g @ v), g @ f(v)) for v in x]
        sizes = max(sum(a.norm().item() for a, _ in pairs), sum(b.norm().item() for _, b in pairs))

        return sum((a - b).norm().item() for a, b in pairs) / sizes

    assert error(torch.abs, -torch.eye(8, dtype=torch.float64)) == pytest.approx(2)

    measured = {m.group: m.error for m in measure_map(lambda n: torch.tanh)}
    found = []
    for _ in range(20):
        g = GROUPS[0].draw(8, torch.default_generator)
        found.append(max(error(lambda v, m=m: torch.tanh(m * v), g) for m in (0.1, 1.0, 10.0)))
    found = torch.tensor(found)
    # Both are means over draws of g, 4 and 20 of them.
    spread = found.std() * (1 / 4 + 1 / 20) ** 0.5
    assert abs(measured["O(n)"] - found.mean()) < 4 * spread


def test_parameters_are_held_or_turned_along() -> None:
    """A gain per coordinate: as a map, nothing; as a family, what carries gains to gains."""

    class Gain(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.ones(n))

        def forward(self, x: Tensor) -> Tensor:
            return self.gain * x

    found = measure_map(Gain)
    assert largest(m for m in found if m.on == MAP) == "positive diagonal"
    assert largest(m for m in found if m.on == FAMILY) == "signed permutations, positive diagonal"


def test_a_linear_layer_is_no_basis_of_its_own_as_a_family() -> None:
    found = measure_map(lambda n: nn.Linear(n, n))

    assert largest(m for m in found if m.on == MAP) == "trivial"
    assert largest(m for m in found if m.on == FAMILY) == "O(n), positive diagonal"


def test_a_single_number_is_no_direction() -> None:
    """A learnt number has no axis to turn, and stays as it is."""

    class Scaled(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(2.0))

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * x

    found = measure_map(Scaled)
    assert {m.on for m in found} == {MAP}
    assert largest(found) == "O(n), positive diagonal"


def test_another_space_has_no_group_in_common() -> None:
    found = measure_map(lambda n: RadialBasis(n, centres=5))

    assert largest(m for m in found if m.on == MAP) == "trivial"
    assert largest(m for m in found if m.on == FAMILY) == "trivial"


def test_running_statistics_are_measured_too() -> None:
    """The control: a norm that forgets a rotation in evaluation alone is found out."""

    class Faulty(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(n))

        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                self.mean = x.mean(dim=0)
                return x - self.mean
            return x - self.mean.abs()

    assert largest(measure_map(Faulty)) == "permutations, positive diagonal"
    assert largest(measure_map(lambda n: nn.BatchNorm1d(n, affine=False))) == "signed permutations"


def test_randomness_is_measured_by_its_law() -> None:
    for build in (ElementwiseDropout, lambda n: nn.Dropout(0.1)):
        found = measure_map(build)
        assert largest(found) == "signed permutations, positive diagonal"
        assert found[0].threshold > 0.05  # a distance of distributions, not a rounding

    assert largest(measure_map(lambda n: ElementwiseDropout(n, keep=1.0))) == (
        "O(n), positive diagonal"
    )


def test_what_is_measured_is_left_as_it_was() -> None:
    """The form of a user, its mode, and torch's global generator."""

    form = nn.BatchNorm1d(8)
    before = {name: tensor.clone() for name, tensor in form.state_dict().items()}
    state = torch.get_rng_state()
    measure_map(lambda n: form)

    assert all(torch.equal(before[name], tensor) for name, tensor in form.state_dict().items())
    assert form.training
    assert torch.equal(torch.get_rng_state(), state)


def test_forms_that_work_in_place() -> None:
    assert largest(measure_map(lambda n: nn.ReLU(inplace=True))) == (
        "permutations, positive diagonal"
    )


def test_clipping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "SAMPLES", 8)  # each is clipped by itself

    assert largest(measure_gradient_map(ClipNorm())) == "O(n)"
    assert largest(measure_gradient_map(ClipValue())) == "signed permutations"
    # What does not bite is no test of a limit.
    assert largest(measure_gradient_map(ClipValue(1e9))) == "O(n), positive diagonal"


def test_a_measurement_repeats() -> None:
    assert measure_map(Tanh, seed=5) == measure_map(Tanh, seed=5)
    assert measure_map(Tanh, seed=5) != measure_map(Tanh, seed=6)


def test_largest_takes_the_first_of_the_chain() -> None:
    def measured(*passed: str) -> list[Measured]:
        return [Measured(g.name, MAP, 0.0 if g.name in passed else 1.0, ROUNDING) for g in GROUPS]

    assert largest(measured("permutations", "trivial")) == "permutations"
    assert largest(measured("signed permutations", "permutations")) == "signed permutations"
    assert largest(measured("trivial")) == "trivial"
    assert largest(measured()) == "none"
    assert not Measured("O(n)", MAP, float("nan"), 1.0).commutes
