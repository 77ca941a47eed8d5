"""Passes through a function, forward and back: how long they take, and what they hold.

forward    y = f(x)
both       y = f(x), then Jᵀv, and the gradients of what f has learnt
"""

__all__ = ["Form", "peak_bytes", "saved_bytes", "times_s"]

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

WARM_UP = 3
"""How many rounds go by untimed: memory is allocated, kernels are loaded."""


@dataclass(frozen=True)
class Form:
    """A function of vectors, and the vectors.

    Arguments:
        f: The function.
        x: What it is given.
        module: The module behind it, if there is one: its parameters and buffers.
    """

    f: Callable[[Tensor], Tensor]
    x: Float[Tensor, "vectors n"]
    module: nn.Module | None = None

    @property
    def learnt(self) -> list[Tensor]:
        parameters = [] if self.module is None else self.module.parameters()

        return [p for p in parameters if p.requires_grad]

    @torch.no_grad()
    def forward(self) -> None:
        """Computes f(x), as where nothing is learnt."""

        self.f(self.x)

    @torch.enable_grad()
    def both(self, v: Float[Tensor, "vectors m"]) -> None:
        """Computes f(x) and Jᵀv. No parameter gets a gradient by it."""

        x = self.x.detach().requires_grad_()
        torch.autograd.grad(self.f(x), [x, *self.learnt], v, allow_unused=True)


@torch.enable_grad()
def saved_bytes(form: Form) -> tuple[int, bool]:
    """Returns how many bytes are kept for the pass back, and whether x is kept beside them.

    Beyond x, parameters and buffers; tensors that share memory count once. What f gives counts, if
    it is kept.
    """

    storages = {}  # held, so that no address is used again

    def pack(t: Tensor) -> Tensor:
        storages[t.untyped_storage().data_ptr()] = t.untyped_storage()
        return t

    x = form.x.detach().requires_grad_()
    with saved_tensors_hooks(pack, lambda t: t):
        form.f(x)

    module = form.module or nn.Identity()
    there = [t.untyped_storage().data_ptr() for t in (x, *module.parameters(), *module.buffers())]
    saved = sum(each.nbytes() for at, each in storages.items() if at not in there)

    return saved, there[0] in storages


def peak_bytes(run: Callable[[], None], device: torch.device) -> float:
    """Returns the most memory that a call holds at once, beyond what is held before; NaN but on
    CUDA, where it is counted. The count of the whole process starts anew."""

    if device.type != "cuda":
        return nan

    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()

    return float(torch.cuda.max_memory_allocated(device) - before)


def times_s(
    runs: Mapping[tuple[str, str], Callable[[], None]],
    repeats: int,
    device: torch.device,
    generator: Generator,
) -> dict[tuple[str, str], Float[Tensor, " repeats"]]:
    """Returns how long calls take, in seconds of the wall clock.

    In each round every one is called once, in an order of the round's own, so that what else the
    machine does meanwhile falls on all of them.

    Arguments:
        runs: The calls by name.
        repeats: The number of rounds.
        device: Where they compute.
        generator: What the orders are drawn from.
    """

    names = list(runs)
    times = torch.empty(len(names), WARM_UP + repeats, dtype=torch.float64)
    for i in range(WARM_UP + repeats):
        for k in _order(len(names), generator):
            _wait(device)
            start = time.perf_counter()
            runs[names[k]]()
            _wait(device)
            times[k, i] = time.perf_counter() - start

    return dict(zip(names, times[:, WARM_UP:], strict=True))


def _order(n: int, generator: Generator) -> Sequence[int]:
    return torch.randperm(n, generator=generator).tolist()


def _wait(device: torch.device) -> None:
    """Waits for a device that works ahead of us."""

    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
