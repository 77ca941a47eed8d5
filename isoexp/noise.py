"""Random numbers that are a function of a key: bits_i = h(key, i), with no state besides.

Networks that are batched by vmap share torch's generators, so that dropout in an ensemble would
differ from a solo run. A key is a tensor that each network has to itself: it gives the same numbers
batched or alone, compiled or not, on any device.
"""

__all__ = ["KEY", "Noisy", "haar", "normal", "reseed", "salt", "uniform"]

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .geometry import orthonormal
from .parallel import Share
from .streams import stream_seed

KEY = (1 << 62) - 1
"""The largest key; the smallest is 0."""

WORD = (1 << 32) - 1

STRIDE = 0x1E3779B97F4A7C15
"""The step from one key of a module to its next: odd, so that all 2⁶² come before a repetition."""


def uniform(
    key: Int[Tensor, ""],
    shape: Sequence[int],
    dtype: torch.dtype = torch.float32,
    share: Share | None = None,
) -> Float[Tensor, "..."]:
    """Returns numbers drawn uniformly from the open interval (0, 1), or a share of a batch's.

    They have 23 bits each: with 24 the largest would round to 1 in float32.
    """

    first, last, _ = _span(shape, share)

    return _uniform(key, first, last, dtype).reshape(tuple(shape))


def _uniform(
    key: Int[Tensor, ""], first: int, last: int, dtype: torch.dtype
) -> Float[Tensor, " count"]:
    index = torch.arange(first, last, device=key.device)

    # The index is mixed before the key comes in: i ^ key would give the keys 0 and 1 one set of
    # numbers in two orders.
    bits = _mix((_mix((_mix(index) + key) & WORD) + (key >> 32)) & WORD)

    return ((bits >> 9).to(dtype) + 0.5) * 2.0**-23


def normal(
    key: Int[Tensor, ""],
    shape: Sequence[int],
    dtype: torch.dtype = torch.float32,
    share: Share | None = None,
) -> Float[Tensor, "..."]:
    """Returns numbers drawn from N(0, 1), or a share of a batch's.

    Source: Box and Muller, A Note on the Generation of Random Normal Deviates (1958).
    """

    first, last, count = _span(shape, share)
    half = (count + 1) // 2

    if share is None:
        u, v = _uniform(key, 0, 2 * half, dtype).view(2, half)
        r, t = _polar(u, v)

        return torch.cat([r * t.cos(), r * t.sin()])[:count].reshape(tuple(shape))

    def pairs(a: int, b: int) -> tuple[Tensor, Tensor]:
        return _polar(_uniform(key, a, b, dtype), _uniform(key, half + a, half + b, dtype))

    # The cosines of all pairs come before the sines: a share may have some of both.
    r, t = pairs(min(first, half), min(last, half))
    s, w = pairs(max(first - half, 0), max(last - half, 0))

    return torch.cat([r * t.cos(), s * w.sin()]).reshape(tuple(shape))


def _polar(
    u: Float[Tensor, " pairs"], v: Float[Tensor, " pairs"]
) -> tuple[Float[Tensor, " pairs"], Float[Tensor, " pairs"]]:
    return (-2 * u.log()).sqrt(), 2 * math.pi * v


def _span(shape: Sequence[int], share: Share | None) -> tuple[int, int, int]:
    """Returns the first number, the end of the numbers, and their count in the whole batch."""

    count = math.prod(shape)

    return (0, count, count) if share is None else share.span(count)


def haar(
    key: Int[Tensor, ""], n: int, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "{n} {n}"]:
    """Returns a matrix drawn from the Haar measure on O(n)."""

    return orthonormal(normal(key, (n, n), dtype))


class Noisy(nn.Module):
    """A module that draws random numbers in its forward pass, from a key of its own.

    Modules built one after the other may begin with one key, and so with one mask. A user's own
    loop calls `reseed` before it trains; in an ensemble `seed_noise` does so before every update.
    """

    key: Tensor

    def __init__(self) -> None:
        super().__init__()

        # The global generator's next number, without moving it: a layer of dropout leaves the
        # first weights of the layers after it as they were.
        with torch.random.fork_rng(devices=[]):
            self.register_buffer("key", torch.randint(KEY, ()))

    def draw(self, count: int) -> Int[Tensor, " {count}"]:
        """Returns keys of independent numbers; in training the next call returns others."""

        steps = [(i * STRIDE) & KEY for i in range(count + 1)]
        rows = self.key.expand(count + 1), torch.tensor(steps, device=self.key.device)

        # Key plus step, as a cumulative sum: what is pointwise a compiled backward pass may compute
        # again, from a key that has moved on since (pytorch/pytorch#197039).
        keys = torch.stack(rows).cumsum(dim=0)[-1] & KEY
        if self.training:
            self.key.copy_(keys[-1])

        return keys[:-1]


def salt(path: str) -> int:
    """Returns a number that tells the key of the module at a path from all other keys."""

    return stream_seed(0, path) & KEY


def reseed(model: nn.Module, seed: int) -> None:
    """Sets the key of every noisy module of a model from the seed and the module's path."""

    for path, module in model.named_modules():
        if isinstance(module, Noisy):
            module.key.fill_((seed & KEY) ^ salt(path))


def _mix(x: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Maps 32-bit words one to one so that each bit in moves half of the bits out.

    Multiply and shift, as hash functions end. No factor exceeds 31 bits, so that int64, whose
    overflow compiled code may treat in any way, never overflows.
    """

    x = ((x ^ (x >> 16)) * 0x7FEB352D) & WORD
    x = ((x ^ (x >> 15)) * 0x31848BAB) & WORD

    return x ^ (x >> 16)
