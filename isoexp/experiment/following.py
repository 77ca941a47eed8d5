"""Following: what the processes that torchrun has started beside process 0 do of its training."""

__all__ = ["check_shares", "follow"]

from .. import processes
from ..errors import UserError
from .bench import Bench
from .group import Group
from .preparation import Prepared
from .trying import shared_alike


def follow(prepared: Prepared) -> None:
    """Takes this process's share of what process 0 trains, as long as that goes on.

    Raises:
        UserError: If a part refuses its settings, or the training cannot be shared.
    """

    if processes.hear():  # there is something to be done
        bench = prepared.bench()
        check_shares(bench)
        task = processes.hear()
        if task is not None:
            _share(bench, *task)


def _share(bench: Bench, start: int, every: int, found: list[dict[str, dict]]) -> None:
    """Trains along from an update on; at each row process 0 says whether to go on."""

    group = Group([bench], bench.settings.members)
    ensemble = group.ensemble()
    optimizers = group.optimizers(ensemble)
    if found:
        group.restore(ensemble, optimizers, found)

    for step in group.fit(ensemble, optimizers, start, shared=True):
        if (step.index % every == 0 or step.index == bench.steps) and not processes.hear():
            return


def check_shares(bench: Bench) -> None:
    """Checks that shares of its batches train a network as whole ones do; all processes do so.

    Raises:
        UserError: If they do not.
    """

    count, size = processes.size(), bench.settings.batch_size
    seed, *others = bench.settings.members
    if others:
        raise UserError(
            f"torchrun trains one network on all its processes, got {1 + len(others)} seeds"
        )

    samples = len(bench.splits["train"][0])
    least = samples % size or size
    if least < count:
        raise UserError(
            f"batch_size must leave each of {count} processes a sample, got {size}: the last batch "
            f"of {samples} samples has {least}"
        )

    if not shared_alike(bench, seed):
        raise UserError(
            "model: on shares of a batch it is trained otherwise than on whole ones, as with "
            "torch.nn.Dropout, or torch.nn.BatchNorm; use dropout= and norm=, or one process"
        )
