"""Pace: how many networks of one structure are best trained as one on this machine, measured.

Batched by vmap, small networks train several times as fast, wide ones and transformers on a CPU
no faster. Which is which is not guessed: some updates are made, of one network and of many.
"""

__all__ = ["Pace", "measure"]

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.bench import Bench

SIZES = (4, 16, 64)
"""The numbers of networks tried, as long as each is faster than the one before."""

WORTH = 1.25
"""How much faster a larger ensemble must be for it to be taken."""

WARM, UPDATES, ENOUGH_S = 2, 12, 0.2
"""A size is timed over so many updates after the first, or those that fit into that time."""

PAYS = 20
"""What is measured, or compiled, must be so small a part of the training that it serves."""

COMPILING_S = 30.0
"""What compiling takes, roughly."""

SHARE = 0.25
"""The share of the memory that the ensembles of all workers may take."""


@dataclass(frozen=True)
class Pace:
    """How networks of one structure are trained.

    Arguments:
        most: How many as one, at most.
        compile: Whether through torch.compile.
        training_s: What the training of one of them takes then, in seconds; 0 if not measured.
    """

    most: int = 1
    compile: bool = False
    training_s: float = 0.0


def measure(bench: "Bench", networks: int, workers: int, most: int | None = None) -> Pace:
    """Returns how networks of a bench's structure are trained fastest.

    Arguments:
        bench: The objects of one of their configurations.
        networks: How many there are.
        workers: How many processes share the memory.
        most: How many to train as one at most, if that is not to be found out.
    """

    steps = bench.steps
    update_s = _update_s(bench, 1)
    if most is not None:
        return Pace(most, bench.settings.compile, steps * update_s)

    best = 1
    room = SHARE * _memory(bench) / workers / _bytes(bench)
    for size in sorted({min(size, networks) for size in SIZES} - {1}):
        if size > room or networks * steps < PAYS * size * (WARM + UPDATES):
            break
        batched_s = _update_s(bench, size) / size
        if batched_s * WORTH > update_s:
            break
        best, update_s = size, batched_s

    compile = bench.settings.compile
    if not compile and networks * steps * update_s > PAYS * COMPILING_S:
        compiled_s = _compiled_update_s(bench, best)
        if compiled_s * WORTH < update_s:
            compile, update_s = True, compiled_s

    return Pace(best, compile, steps * update_s)


def _update_s(bench: "Bench", size: int, compile: bool = False) -> float:
    """Returns the time of one update of so many networks, the shortest seen."""

    from ..training import batches, fit

    seeds = range(size)
    ensemble = bench.as_one([bench.network(seed) for seed in seeds], compile)
    training = fit(
        ensemble,
        batches(*bench.splits["train"], seeds, bench.settings.batch_size, WARM + UPDATES),
        ensemble.optimizers(bench.build_optimizer),
        bench.objective("train"),
        bench.schedule,
        bench.clip,
        WARM + UPDATES,
        seeds=seeds,
        regularizer=bench.regularizer,
    )

    times: list[float] = []
    clock = _clock(bench)
    last = clock()
    for step in training:
        _wait(step.losses)
        now = clock()
        times.append(now - last)
        last = now
        if len(times) > WARM and sum(times[WARM:]) > ENOUGH_S:
            break

    return min(times[WARM:] or times)


def _compiled_update_s(bench: "Bench", size: int) -> float:
    """Returns the time of a compiled update of one of so many networks; ∞ if there is none."""

    try:
        return _update_s(bench, size, compile=True) / size
    except Exception:  # no C++ compiler, or a network that cannot be compiled
        return float("inf")


def _bytes(bench: "Bench") -> float:
    """Returns the memory that one network takes while it is trained."""

    import torch

    network = bench.network(0)
    x, y = (t[: bench.settings.batch_size] for t in bench.splits["train"])
    kept: dict[int, int] = {}

    def keep(t: "Tensor") -> "Tensor":
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        bench.objective("train").losses(network(x)[None], x[None], y[None]).sum()

    weights = sum(p.numel() * p.element_size() for p in network.parameters())

    return 2 * sum(kept.values()) + 4 * weights  # gradients of what is kept; two moments


def _memory(bench: "Bench") -> float:
    """Returns the memory of the device, in bytes."""

    import torch

    if bench.device.type == "cuda":
        return torch.cuda.mem_get_info(bench.device)[1]

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _clock(bench: "Bench") -> Callable[[], float]:
    """Returns what tells the time: that of this process, where others do not count in it."""

    import torch

    alone = bench.device.type == "cpu" and torch.get_num_threads() == 1

    return time.process_time if alone else time.perf_counter


def _wait(t: "Tensor") -> None:
    """Waits for a device that works ahead of us."""

    import torch

    if t.device.type == "cuda":
        torch.cuda.synchronize(t.device)
    elif t.device.type == "mps":
        torch.mps.synchronize()
