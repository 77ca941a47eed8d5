"""Pace: how many networks of one structure are best trained as one on this machine, measured.

Batched by vmap, small networks train several times as fast, wide ones and transformers on a CPU
no faster. Which is which is not guessed: some updates are made, of one network and of many.
"""

__all__ = ["Pace", "measure"]

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ..experiment.lab import Lab

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
        most: The number to train as one, at most.
        training_s: The time that the training of one takes, in seconds; 0 if not measured.
    """

    most: int = 1
    compile: bool = False
    training_s: float = 0.0


def measure(lab: "Lab", networks: int, workers: int, most: int | None = None) -> Pace:
    """Measures how networks of one structure are trained fastest.

    Arguments:
        networks: The number of networks.
        workers: The number of processes that share the memory.
        most: The number to train as one at most; None to find it out.
    """

    from ..devices import memory_bytes

    steps = lab.steps
    a_seed = lab.dataset.bytes
    lab = replace(lab, dataset=replace(lab.dataset, anew=None))  # one split serves to measure
    update_s = _update_s(lab, 1)
    if most is not None:
        return Pace(most, lab.settings.compile, steps * update_s)

    best = 1
    room = SHARE * memory_bytes(lab.device) / workers / (_bytes(lab) + a_seed)
    for size in sorted({min(size, networks) for size in SIZES} - {1}):
        if size > room or networks * steps < PAYS * size * (WARM + UPDATES):
            break
        batched_s = _update_s(lab, size) / size
        if batched_s * WORTH > update_s:
            break
        best, update_s = size, batched_s

    compile = lab.settings.compile
    if not compile and networks * steps * update_s > PAYS * COMPILING_S:
        compiled_s = _compiled_update_s(lab, best)
        if compiled_s * WORTH < update_s:
            compile, update_s = True, compiled_s

    return Pace(best, compile, steps * update_s)


def _update_s(lab: "Lab", size: int, compile: bool = False) -> float:
    """Measures the shortest time of one update of so many networks."""

    from ..devices import clock, wait
    from ..experiment.batching import Training

    networks = [lab.network(seed) for seed in range(size)]
    training = Training([lab] * size, range(size))

    times: list[float] = []
    now = clock(lab.device)
    last = now()
    for _ in training.fit(lab.as_one(networks, compile), stop=WARM + UPDATES):
        wait(lab.device)
        time_s = now()
        times.append(time_s - last)
        last = time_s
        if len(times) > WARM and sum(times[WARM:]) > ENOUGH_S:
            break

    return min(times[WARM:] or times)


def _compiled_update_s(lab: "Lab", size: int) -> float:
    """Measures a compiled update per network; ∞ if the network cannot be compiled."""

    try:
        return _update_s(lab, size, compile=True) / size
    except Exception:  # no C++ compiler, or a network that cannot be compiled
        return float("inf")


def _bytes(lab: "Lab") -> float:
    """Estimates the memory that one network takes while it is trained."""

    import torch

    network = lab.network(0)
    x, y = (t[: lab.settings.batch_size] for t in lab.splits["train"])
    kept: dict[int, int] = {}

    def keep(t: "Tensor") -> "Tensor":
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        lab.objective("train").losses(network(x)[None], x[None], y[None]).sum()

    weights = sum(p.numel() * p.element_size() for p in network.parameters())

    return 2 * sum(kept.values()) + 4 * weights  # gradients of what is kept; two moments
