"""Origin: by which code, on what machine and in what time runs were made. No host, no path.

Networks that are trained as one share the time of that training. A run that was resumed counts from
its last start; probes that were put to it another time are not counted.
"""

__all__ = ["CORES", "LOOKED_AT", "TimeSpent", "commit", "origin", "time_spent"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..output import plural
from .cells import minutes
from .entries import Entry

CORES = 2
"""Costs are told for a laptop of so many cores, each of which does a run."""

LOOKED_AT = 100
"""Runs whose provenance is read at most, evenly spread over time: each is a file of its own."""


@dataclass(frozen=True)
class TimeSpent:
    """The time that one worker would take for runs; when the first began and the last ended."""

    busy_s: float
    first: float | None
    last: float | None

    def told(self, scale: str = "laptop") -> str:
        """Says it in minutes: on two cores, each of which does a run; of a gpu on one GPU."""

        if scale == "gpu":
            return f"{minutes(self.busy_s)} min on one GPU"

        return f"{minutes(self.busy_s / CORES)} min on {CORES} cores"


def time_spent(found: Iterable[Entry]) -> TimeSpent:
    """Adds up the time of runs, failed ones included, by their own clocks."""

    units: dict[str, list[tuple[float, float, int]]] = {}
    for each in found:
        if each.started and each.ended:
            units.setdefault(each.unit, []).append((each.started, each.ended, each.mates))

    busy = 0.0
    for own in units.values():
        started, ended, mates = zip(*own, strict=True)
        # Others of the unit may belong to another claim: theirs is their part.
        busy += max(0.0, max(ended) - min(started)) * min(1.0, len(own) / max(mates))
    timed = [each for own in units.values() for each in own]

    return TimeSpent(
        busy,
        min((started for started, *_ in timed), default=None),
        max((ended for _, ended, _ in timed), default=None),
    )


def origin(found: Sequence[Entry]) -> list[tuple[str, str]]:
    """Returns the versions, code, platforms and devices of runs, each with its term."""

    timed = sorted((each for each in found if each.started), key=lambda each: each.started or 0.0)
    step = max(1, -(-len(timed) // LOOKED_AT))
    facts = [each.run.provenance for each in timed[::step]]
    facts = [each for each in facts if each]
    if not facts:
        return []
    told: dict[str, dict[str, None]] = {"versions": {}, "code": {}, "platform": {}, "device": {}}
    for each in facts:
        versions = (each.get("versions") or {}).items()
        device = each.get("device_name") or each.get("device") or ""
        threads = plural(int(each.get("threads") or 1), "thread")
        told["versions"][", ".join(f"{name} {version}" for name, version in versions)] = None
        told["code"][commit(each.get("code"))] = None
        told["platform"][str(each.get("platform", ""))] = None
        told["device"][f"{device}, {threads} each"] = None
    seen = f", by {plural(len(facts), 'run')} of {len(timed)}" if step > 1 else ""

    return [
        (term + (seen if term == "versions" else ""), "; also ".join(filter(None, values)))
        for term, values in told.items()
    ]


def commit(known: Mapping[str, Any] | None) -> str:
    """Names the commit of the code, and says whether it was changed."""

    if not known:
        return "installed, no repository"

    changed = known.get("diff") or known.get("withheld")

    return str(known.get("commit"))[:12] + (" and uncommitted changes" if changed else "")
