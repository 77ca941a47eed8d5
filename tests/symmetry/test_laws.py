"""Tests for isoexp.symmetry.laws: first weights and random maps, by their distributions."""

from collections.abc import Callable

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from isoexp.activations import Tanh
from isoexp.dropout import ElementwiseDropout, IsotropicDropout
from isoexp.stochastic import Stochastic
from isoexp.symmetry import GROUPS, largest, measure_init, measure_law, measure_map
from isoexp.symmetry import laws as module
from isoexp.symmetry.laws import _distances


def fill(draw: Callable[[Tensor], object]) -> Callable[[nn.Module], None]:
    """Returns an init that fills the weight."""

    def init(layer: nn.Module) -> None:
        with torch.no_grad():
            draw(layer.get_parameter("weight"))

    return init


def distance(s: Tensor, t: Tensor) -> float:
    return _distances(s[None], t[None]).item()


KNOWN: dict[str, tuple[Callable[[Tensor], object], str]] = {
    "gaussian": (lambda W: W.normal_(), "O(n)"),
    "haar": (nn.init.orthogonal_, "O(n)"),
    "uniform": (lambda W: W.uniform_(-1, 1), "signed permutations"),
    "positive": (lambda W: W.uniform_(0, 1), "permutations"),
    "cauchy": (lambda W: W.cauchy_(), "signed permutations"),
    "zero": (lambda W: W.zero_(), "O(n), positive diagonal"),
    "ranked": (lambda W: W.copy_(W.flatten().sort().values.view_as(W)), "trivial"),
}


@pytest.mark.parametrize(("draw", "expected"), KNOWN.values(), ids=KNOWN.keys())
def test_known_laws(draw: Callable[[Tensor], object], expected: str) -> None:
    found = measure_init(fill(draw))

    for side in ("outputs", "inputs"):
        assert largest(m for m in found if m.on == side) == expected


def test_dependence_is_seen() -> None:
    """Noise in mirrored pairs: each coordinate has the law of the others, not each pair."""

    class Mirrored(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            z = torch.randn(*x.shape[:-1], 4, dtype=x.dtype)
            return torch.cat([z, -z], dim=-1)

    assert largest(measure_law(Mirrored, torch.ones(8, dtype=torch.float64), seed=0)) == "trivial"


def test_small_differences_are_seen_down_to_the_threshold() -> None:
    """Rows of deviations 0.7 … 1.3; a dropout of one feature in fifty."""

    found = measure_init(
        fill(lambda W: W.normal_().mul_(torch.linspace(0.7, 1.3, len(W))[:, None]))
    )
    assert largest(m for m in found if m.on == "outputs") == "trivial"
    (keep,) = {largest(measure_map(lambda n: ElementwiseDropout(n, 0.98)))}
    assert keep == "signed permutations, positive diagonal"


def test_the_sides_of_a_weight_are_told_apart() -> None:
    """Rows of Haar directions, of lengths 1, 2, …: turned by the inputs alone."""

    def rows(W: Tensor) -> None:
        W.normal_()
        W /= W.norm(dim=1, keepdim=True)
        W *= torch.arange(1, len(W) + 1)[:, None]

    found = measure_init(fill(rows))
    assert largest(m for m in found if m.on == "inputs") == "O(n)"
    assert largest(m for m in found if m.on == "outputs") == "trivial"


@pytest.mark.parametrize("seed", range(5))
def test_what_is_the_same_is_seldom_taken_for_another(seed: int) -> None:
    """10 comparisons a seed, at a level of 1e-4 each."""

    found = measure_init(fill(lambda W: W.normal_()), seed=seed)

    assert all(m.commutes for m in found if m.group != "positive diagonal")


def test_random_maps() -> None:
    x = torch.randn(8, dtype=torch.float64)

    def measured(build: Callable[[], nn.Module]) -> str:
        return largest(measure_law(lambda: build().double(), x, seed=0))

    assert measured(lambda: Stochastic(8, Tanh)) == "O(n)"
    assert measured(lambda: IsotropicDropout(8, 0.5)) == "O(n)"
    # The control: a rotation drawn once, for all the draws, is a basis like any other.
    fixed = GROUPS[0].draw(8, torch.default_generator)

    class Turned(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            dropped = nn.functional.dropout(x @ fixed, 0.5)
            return dropped @ fixed.mT

    assert measured(Turned) == "trivial"


def test_the_distance_is_that_of_scipy() -> None:
    for _ in range(5):
        s, t = torch.randn(200), 0.2 + torch.randn(200)
        assert distance(s, t) == pytest.approx(kstest(s.numpy(), t.numpy()).statistic)

    assert distance(torch.zeros(5), torch.zeros(5)) == 0
    assert distance(torch.zeros(5), torch.ones(5)) == 1


def test_rounding_is_nodistance() -> None:
    """An atom, such as an x of which nothing was dropped, comes back from g⁻¹ g off by an eps."""

    s = torch.ones(100, dtype=torch.float64)
    assert distance(s, s * (1 + 1e-15)) == 0
    assert distance(s, s * (1 + 1e-3)) == 1
    s = torch.arange(100, dtype=torch.float64) // 10
    assert distance(s, (s + 1e-14)[torch.randperm(100)]) == 0


def test_the_threshold_is_what_chance_exceeds_once_in_ten_thousand() -> None:
    from scipy.stats import kstwobign

    (m, *_) = measure_init(fill(lambda W: W.normal_()))
    statistics = 16 + 32 + 4
    chance = kstwobign.sf(m.threshold * (module.DRAWS / 2) ** 0.5)
    assert chance == pytest.approx(module.LEVEL / statistics, rel=1e-3)
