"""The untrained network: what probes measure of it is shared by the runs that begin with it.

Runs of one seed that differ in the learning rate alone begin with the same network, of which a
probe with the same random numbers measures the same. It is measured once in a process, for as long
as the data are there. A probe that asks for what is of one run is put to the network of each.
"""

__all__ = ["Untrained"]

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from ..ensemble import differences
from ..probes import Probe, Subject
from ..store.tables import Rows
from .dataset import Dataset
from .lab import Lab

MOST = 128
"""The number of networks of which rows are kept."""

OWN = frozenset({"name", "twin", "refit"})
"""What a subject has of its run."""


@dataclass(frozen=True, eq=False)
class Untrained:
    """The untrained network of a seed, and the rows that probes measured of it."""

    lab: Lab
    seed: int
    shown: str
    rows: dict[str, tuple[Probe, Rows]] = field(default_factory=dict)

    @classmethod
    def of(cls, lab: Lab, seed: int) -> "Untrained":
        """Returns the network of a lab and a seed, with what was measured of it before."""

        samples, _ = lab.splits["test"]
        own = samples if isinstance(samples, Tensor) else samples.rows
        known = _known.setdefault(own, OrderedDict())
        without = replace(lab, dataset=Dataset({}, lab.shape))
        new = cls(without, seed, repr(lab.network(seed)))
        found = known.pop(new, new)
        known[found] = found  # the last to be forgotten
        if len(known) > MOST:
            known.popitem(last=False)

        return found

    def measured(self, name: str, probe: Probe, subject: Callable[[], Subject]) -> Rows:
        """Returns the rows of a probe, measured once; `subject` builds what a probe takes."""

        before, rows = self.rows.get(name, (None, {}))
        if type(before) is type(probe) and before == probe:
            return rows

        given = subject()
        watched = _Watched(**{each.name: getattr(given, each.name) for each in fields(Subject)})
        rows = probe(watched)
        if not watched.asked:
            self.rows[name] = probe, rows

        return rows

    def __hash__(self) -> int:
        return hash((self.seed, self.shown))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Untrained):
            return False
        if (self.seed, self.shown) != (other.seed, other.shown):
            return False
        a, b = self.lab, other.lab
        if (a.device, a.settings.precision) != (b.device, b.settings.precision):
            return False

        return a.shape == b.shape and _same(a.network(self.seed), b.network(self.seed))


_known: Any = WeakTensorKeyDictionary()
"""The networks of which something was measured, by the samples that were put to them.

Of samples that were dealt it is their places in the pool, which each seed has one tensor of.
"""


@dataclass(frozen=True)
class _Watched(Subject):
    """A subject that notes which attributes of its run were read."""

    asked: set[str] = field(default_factory=set)

    def __getattribute__(self, name: str) -> Any:
        if name in OWN:
            object.__getattribute__(self, "asked").add(name)

        return super().__getattribute__(name)


def _same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two networks are of one kind, with the same settings, weights and buffers."""

    try:
        if differences([a, b]):
            return False
    except ValueError:
        return False

    def tensors(network: nn.Module) -> dict[str, torch.Tensor]:
        return {**dict(network.named_parameters()), **dict(network.named_buffers())}

    ours, theirs = tensors(a), tensors(b)

    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
