"""Named streams of randomness: the draws of one part of a run never move those of another.

The generator of a stream is seeded by a hash of (seed, name), so that adding a probe, or a layer
of dropout, leaves the weights and the order of the data as they were.

The seeds of streams are known without torch, which takes a second to import.
"""

__all__ = ["reseed_torch", "seeded", "stream", "stream_seed"]

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def stream_seed(seed: int, *name: str | int) -> int:
    """Returns the 63-bit seed of the stream (seed, name).

    PyTorch's CPU generator reads 32 of the bits: among a million streams some hundred pairs agree.
    """

    digest = hashlib.blake2b(repr((seed, *name)).encode(), digest_size=8).digest()

    return int.from_bytes(digest, "big") >> 1


def stream(seed: int, *name: str | int) -> "torch.Generator":
    """Returns a fresh CPU generator at the start of the stream (seed, name)."""

    import torch

    return torch.Generator().manual_seed(stream_seed(seed, *name))


@contextmanager
def seeded(seed: int, *name: str | int) -> Iterator[None]:
    """Sets torch's global generators to a stream, for code that draws from them, and restores them.

    PyTorch's modules draw their first weights from the global generator and take no other.
    """

    import torch

    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        reseed_torch(seed, *name)
        yield


def reseed_torch(seed: int, *name: str | int) -> None:
    """Sets torch's global generators, of the CPU and of CUDA, to the start of a stream."""

    import torch

    torch.default_generator.manual_seed(stream_seed(seed, *name))
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(stream_seed(seed, *name))
