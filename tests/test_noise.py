"""Tests for isoexp.noise."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chi2, kstest
from torch import Tensor, nn
from torch.func import functional_call, vmap

from isoexp import noise
from isoexp.dropout import ElementwiseDropout
from isoexp.noise import KEY, STRIDE, WORD, Noisy, haar, normal, reseed, salt, uniform
from isoexp.streams import stream_seed

from .test_geometry import moments_off

KEYS = torch.tensor([0, 1, 1 << 20, 1 << 31, 1 << 32, 1 << 61, KEY, STRIDE, 987654321987654321])

COUNT = 1 << 16


def key(value: int = 5) -> Tensor:
    return torch.tensor(value)


def uniform_of(keys: Tensor, count: int = COUNT) -> Tensor:
    return torch.stack([uniform(k, (count,)) for k in keys])


def assert_independent(a: Tensor, b: Tensor, what: str) -> None:
    """Asserts that pairs of uniform numbers fall evenly into the cells of a square, by χ²."""

    __tracebackhide__ = True

    cells = 16
    found, _, _ = np.histogram2d(a.numpy(), b.numpy(), bins=cells, range=[[0, 1], [0, 1]])
    expected = len(a) / cells**2
    statistic = ((found - expected) ** 2 / expected).sum()

    # Some hundred pairs are looked at here: below 1e-6 none of them comes by chance.
    assert chi2.sf(statistic, cells**2 - 1) > 1e-6, f"{what} are not independent"


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("k", KEYS.tolist())
def test_laws(k: int) -> None:
    assert kstest(uniform(key(k), (COUNT,)).numpy(), "uniform").pvalue > 1e-4
    assert kstest(normal(key(k), (COUNT,)).numpy(), "norm").pvalue > 1e-4
    assert kstest(normal(key(k), (COUNT,))[: COUNT // 2].numpy(), "norm").pvalue > 1e-4


def test_keys_are_independent() -> None:
    """Neighbours too, and keys that differ in one bit: 0 and 1 are as good as any two."""

    drawn = uniform_of(KEYS)
    for i, j in itertools.combinations(range(len(KEYS)), 2):
        assert_independent(drawn[i], drawn[j], f"keys {KEYS[i]} and {KEYS[j]}")


def test_no_two_keys_give_one_set_of_numbers() -> None:
    """In another order they would pass every test of pairs, and drop as many features each."""

    sums = uniform_of(torch.arange(256), 64).double().sum(dim=1)

    assert len(sums.unique()) == 256


@pytest.mark.parametrize("lag", [1, 2, 3, 7, 16, 64, 1000, 1 << 14])
def test_lags_are_independent(lag: int) -> None:
    for k in KEYS[:4]:
        u = uniform(k, (COUNT + lag,))
        assert_independent(u[:-lag], u[lag:], f"numbers at lag {lag}")


def test_normals_are_independent() -> None:
    """Both halves of a pair of Box and Muller's, whose radius they share."""

    z = normal(key(), (2 * COUNT,)).double()
    u = torch.special.ndtr(z)
    assert_independent(u[:COUNT], u[COUNT:], "halves")
    assert_independent(u[:-1], u[1:], "neighbours")


def test_calls_and_modules_are_independent() -> None:
    """As an ensemble keys them: by seed, by update and by path."""

    first = Noisy().train()
    first.key.fill_(stream_seed(3, "forward", 1) & KEY)
    keys = [*first.draw(3), *first.draw(2)]
    keys += [key(stream_seed(s, "forward", u) & KEY) for s, u in [(3, 2), (4, 1), (0, 1)]]
    keys += [keys[0] ^ (stream_seed(0, path) & KEY) for path in ("a", "hidden.0.dropout")]

    drawn = uniform_of(torch.stack(keys))
    for i, j in itertools.combinations(range(len(keys)), 2):
        assert_independent(drawn[i], drawn[j], f"draws {i} and {j}")


def test_equal_keys_are_not_independent() -> None:
    """The control: the check sees what it should."""

    u = uniform(key(), (COUNT + 1,))
    with pytest.raises(AssertionError, match="are not independent"):
        assert_independent(u[1:], u[1:], "the same")
    with pytest.raises(AssertionError, match="are not independent"):
        assert_independent(u[1:], (u[1:] + 0.1 * u[:-1]) % 1, "shades")


def test_each_bit_moves_half_of_the_others() -> None:
    """32 × 32 shares of 20,000: the largest of 1,024 passes five standard errors once in 1,700."""

    words = torch.randint(1 << 32, (20_000,))
    for bit in range(32):
        moved = noise._mix(words) ^ noise._mix(words ^ (1 << bit))
        share = torch.stack([((moved >> j) & 1).double().mean() for j in range(32)])
        assert (share - 0.5).abs().max() < 5 * 0.5 / 20_000**0.5, f"bit {bit}"


@pytest.mark.parametrize("k", [0, 1, STRIDE, KEY])
def test_bits_are_those_of_a_slow_hash(k: int) -> None:
    """In Python's integers, which cannot overflow; it freezes the numbers, too."""

    def mix(x: int) -> int:
        x = ((x ^ (x >> 16)) * 0x7FEB352D) % 2**32
        x = ((x ^ (x >> 15)) * 0x31848BAB) % 2**32
        return x ^ (x >> 16)

    found = uniform(key(k), (100,), torch.float64)
    for i in range(100):
        bits = mix((mix((mix(i) + k) % 2**32) + k // 2**32) % 2**32)
        assert found[i] == (bits // 2**9 + 0.5) / 2**23


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_interval_is_open(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the least and at the greatest word; and so every normal number is finite."""

    for word in (0, WORD):
        monkeypatch.setattr(noise, "_mix", lambda x, word=word: torch.full_like(x, word))
        u = uniform(key(), (4,), dtype)

        assert ((u > 0) & (u < 1)).all(), f"{u[0]} of word {word:x}"
        assert normal(key(), (4,), dtype).isfinite().all()


def test_precision_does_not_move_the_numbers() -> None:
    for k in KEYS:
        assert torch.equal(uniform(k, (9,)).double(), uniform(k, (9,), torch.float64))
        torch.testing.assert_close(
            normal(k, (9,)).double(), normal(k, (9,), torch.float64), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("draw", [uniform, normal])
def test_shapes(draw) -> None:
    for shape in [(), (1,), (3,), (0,), (2, 0), (2, 3, 5)]:
        assert draw(key(), shape).shape == shape
    assert torch.equal(draw(key(), (6,)).view(2, 3), draw(key(), (2, 3)))


def test_batched_keys_give_the_bits_of_each_alone() -> None:
    together = vmap(lambda k: (uniform(k, (3, 7)), normal(k, (5,)), haar(k, 4)))(KEYS)

    for i, k in enumerate(KEYS):
        assert torch.equal(together[0][i], uniform(k, (3, 7)))
        assert torch.equal(together[1][i], normal(k, (5,)))
        # Products of another order: a few eps.
        torch.testing.assert_close(together[2][i], haar(k, 4), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_haar_is_haar(n: int) -> None:
    draws = vmap(lambda k: haar(k, n, torch.float64))(torch.randint(KEY, (4000,)))

    torch.testing.assert_close(
        draws @ draws.mT, torch.eye(n).double().expand_as(draws), rtol=0, atol=1e-14
    )
    if n > 1:
        assert moments_off(draws) < 5
    assert abs(torch.linalg.det(draws).mean().item()) < 5 / 4000**0.5  # both parts of O(n)


# --- modules --------------------------------------------------------------------------------


def test_building_one_leaves_the_global_generator_alone() -> None:
    """So that a layer of dropout moves no weight of the layers after it."""

    before = torch.get_rng_state()
    Noisy()
    assert torch.equal(torch.get_rng_state(), before)

    def weights(between) -> Tensor:
        torch.manual_seed(3)
        nn.Linear(2, 2)
        between()

        return nn.Linear(2, 2).weight.detach()

    assert torch.equal(weights(Noisy), weights(lambda: None))


def test_the_first_key_is_of_the_generator() -> None:
    def first(seed: int) -> int:
        torch.manual_seed(seed)

        return int(Noisy().key)

    assert first(1) == first(1) != first(2)
    assert 0 <= first(1) <= KEY


def test_draws_differ_in_training_and_repeat_in_evaluation() -> None:
    module = Noisy()

    a, b = module.draw(2), module.draw(2)
    assert len({*a.tolist(), *b.tolist()}) == 4
    module.eval()
    assert torch.equal(module.draw(2), module.draw(2))
    assert module.draw(3)[:2].tolist() == module.draw(2).tolist()
    module.train()
    assert module.draw(1) not in torch.cat([a, b])


@pytest.mark.parametrize("start", [0, 12345, KEY - 3, KEY])
def test_keys_never_come_again(start: int) -> None:
    """They walk through all 2⁶², as the stride is odd; the counts asked for do not matter."""

    assert STRIDE % 2 == 1
    module = Noisy()
    module.key.fill_(start)
    found = [int(k) for count in (1, 3, 2, 1, 5) for k in module.draw(count)]

    assert found == [(start + i * STRIDE) % 2**62 for i in range(12)]
    assert int(module.key) == (start + 12 * STRIDE) % 2**62


def test_the_key_is_kept_with_the_weights() -> None:
    module, other = Noisy(), Noisy()
    module.draw(4)
    other.load_state_dict(module.state_dict())

    assert torch.equal(other.draw(2), module.draw(2))


def test_reseeded_modules_have_keys_apart() -> None:
    """Two layers of dropout at keep = ½ leave a quarter; built one after the other, before they are
    reseeded, they have one key and one mask, and leave half."""

    def share(model: nn.Module) -> float:
        return (model(torch.ones(1000, 10)) != 0).double().mean().item()

    error = (0.25 / 10_000) ** 0.5
    model = nn.Sequential(*(ElementwiseDropout(10, 0.5) for _ in range(2)))
    assert abs(share(model) - 0.5) < 5 * error

    reseed(model, 3)
    assert abs(share(model) - 0.25) < 5 * error


def test_keys_of_a_reseeded_model_are_of_its_seed_and_paths() -> None:
    """Whatever was built and drawn before; the largest seed that PyTorch takes is one."""

    model = nn.ModuleDict({"a": Noisy(), "b": nn.Sequential(nn.Linear(2, 2), Noisy())})
    before = torch.get_rng_state()
    for seed in (0, 3, 2**64 - 1):
        reseed(model, seed)
        keys = {name: int(key) for name, key in model.named_buffers()}
        assert keys == {f"{path}.key": (seed & KEY) ^ salt(path) for path in ("a", "b.1")}
        assert all(0 <= key <= KEY for key in keys.values())
    assert torch.equal(torch.get_rng_state(), before)

    noisy = Noisy()
    reseed(noisy, 3)
    assert int(noisy.key) == 3 ^ salt("")


def test_batched_modules_draw_what_each_draws_alone() -> None:
    class Added(Noisy):
        def forward(self, x: Tensor) -> Tensor:
            a, b = self.draw(2)
            return x + normal(a, (3,)) + uniform(b, (3,))

    module, keys = Added(), KEYS.clone()
    forward = vmap(lambda k, x: functional_call(module, {"key": k}, (x,)))
    x = torch.zeros(len(keys), 3)
    first, second = forward(keys, x), forward(keys, x)

    for i, k in enumerate(KEYS):
        module.key.copy_(k)
        assert torch.equal(first[i], module(x[i]))
        assert torch.equal(second[i], module(x[i]))
        assert torch.equal(keys[i], module.key)
