"""Tests for isoexp.streams."""

import itertools

import pytest
import torch

from isoexp.streams import seeded, stream, stream_seed

PAIRS = [(seed, epoch) for seed in (0, 1) for epoch in range(4)]


def test_the_seeds_are_frozen() -> None:
    """Another hash would be another experiment: old runs could not be repeated."""

    assert stream_seed(0, "weights") == 5087778715007104936
    assert stream_seed(1, "order", 3) == 7787918806838636402
    assert stream_seed(7) == 6645920422606582411


def test_every_name_is_a_stream_of_its_own() -> None:
    names = ["weights", "order", "dropout", "probes"]
    seeds = {
        stream_seed(seed, name, *epoch)
        for seed, name, epoch in itertools.product(range(50), names, [(), (0,), (1,), (11,)])
    }
    # PyTorch's CPU generator looks at the lower 32 bits only.
    assert len({seed % 2**32 for seed in seeds}) == 50 * 4 * 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_streams_are_not_correlated() -> None:
    draws = torch.stack([torch.randn(4000, generator=stream(s, "order", e)) for s, e in PAIRS])
    correlations = torch.corrcoef(draws) - torch.eye(len(PAIRS))

    # 28 pairs of standard error 1/√4000: five of them.
    assert correlations.abs().max() < 5 / 4000**0.5


def test_a_stream_starts_afresh() -> None:
    a, b = stream(0, "weights"), stream(0, "weights")
    first = torch.rand(5, generator=a)

    assert torch.equal(first, torch.rand(5, generator=b))
    assert not torch.equal(first, torch.rand(5, generator=a))


def test_a_stream_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    torch.rand(5, generator=stream(0, "weights"))

    assert torch.equal(torch.get_rng_state(), before)


def test_what_one_draws_never_moves_another() -> None:
    """A probe that draws more than before leaves the weights as they were."""

    def weights(drawn_elsewhere: int) -> torch.Tensor:
        torch.rand(drawn_elsewhere)
        torch.rand(drawn_elsewhere, generator=stream(3, "probes"))
        with seeded(3, "weights"):
            return torch.rand(4)

    assert torch.equal(weights(0), weights(17))


def test_seeded_sets_and_restores() -> None:
    before = torch.get_rng_state()
    with seeded(3, "weights"):
        drawn = torch.rand(4)
        with seeded(3, "dropout"):
            torch.rand(9)
        drawn = torch.cat([drawn, torch.rand(4)])

    assert torch.equal(drawn, torch.rand(8, generator=stream(3, "weights")))
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_restores_after_an_error() -> None:
    before = torch.get_rng_state()
    with pytest.raises(KeyError), seeded(0, "weights"):
        raise KeyError

    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_touches_no_other_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.manual_seed would reset CUDA's generators too, and nothing would restore them."""

    def forbidden(seed: int) -> None:
        raise AssertionError("the generators of CUDA were seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", forbidden)
    with seeded(0, "weights"):
        pass
