"""Cost: what runs took, measured by their own clocks.

Networks that are trained as one share the time of that training. A run that was resumed counts from
its last start; probes that were put to it another time are not counted.
"""

__all__ = ["Cost", "cost"]

from collections.abc import Iterable
from dataclasses import dataclass

from .cells import minutes
from .reading import Entry

CORES = 2
"""What costs are told for: a laptop whose every core does a run."""


@dataclass(frozen=True)
class Cost:
    """What runs took.

    Arguments:
        runs: How many of them tell it.
        busy_s: The time of one worker that does them all.
        first: When the first was started, if any.
        last: When the last was over.
    """

    runs: int
    busy_s: float
    first: float | None
    last: float | None

    def told(self, scale: str = "laptop") -> str:
        """Returns it in minutes: on two cores, each of which does a run; of a gpu on one GPU."""

        on_gpu = scale == "gpu"
        where = "one GPU" if on_gpu else f"{CORES} cores"

        return f"{minutes(self.busy_s / (1 if on_gpu else CORES))} min on {where}"


def cost(found: Iterable[Entry]) -> Cost:
    """Returns what runs took, failed ones included."""

    units: dict[str, list[Entry]] = {}
    for each in found:
        if each.started and each.ended:
            units.setdefault(each.unit, []).append(each)

    busy = 0.0
    for mates in units.values():
        span = max(e.ended or 0.0 for e in mates) - min(e.started or 0.0 for e in mates)
        # Others of the unit may belong to another claim: theirs is their part.
        busy += max(0.0, span) * min(1.0, len(mates) / max(e.mates for e in mates))

    told = [each for mates in units.values() for each in mates]
    first = min((e.started for e in told if e.started), default=None)
    last = max((e.ended for e in told if e.ended), default=None)

    return Cost(len(told), busy, first, last)
