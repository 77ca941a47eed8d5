"""Joining: which runs are trained as one.

Those of one structure that can be, and those that were before: batched with others a network's
numbers may differ in the last bit, so that a killed group goes on as the same group.
"""

__all__ = ["Member", "joined"]

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from ..store import checkpoint
from .bench import Bench
from .record import Record
from .trying import divided, kinds

if TYPE_CHECKING:
    from .preparation import Prepared


@dataclass(frozen=True, eq=False)
class Member:
    """A run to be done, claimed by this process.

    Arguments:
        job: The job that it is of.
        bench: The objects of the job's configuration.
        record: Where it is written down.
    """

    job: "Prepared"
    bench: Bench
    record: Record

    @property
    def identity(self) -> str:
        return self.job.identities[self.record.seed]


def joined(members: Sequence[Member], most: int | None = None) -> list[list[Member]]:
    """Groups runs as they were trained together before, and those that are new.

    What diverged, or is repeated, is new. A run whose mates are not there goes on without them.

    Arguments:
        members: The runs.
        most: The largest number of new ones in a group.
    """

    left = {member.identity: member for member in members}
    mates = {identity: _mates(member) for identity, member in left.items()}

    groups = []
    for identity, before in mates.items():
        if before and identity in left:
            found = [each for each in before if each in left and mates[each] in (None, before)]
            groups.append([left.pop(each) for each in found])

    structures: dict[str, list[Member]] = {}
    for member in left.values():
        structures.setdefault(member.job.structure, []).append(member)
    for alike in structures.values():
        for part in _trainable(alike):
            groups += _even(part, most or len(part))

    return groups


def _mates(member: Member) -> list[str] | None:
    """Returns the identities that a run was trained with; [] if it starts anew, None if it never
    started."""

    run = member.record.run
    state = run.state
    if state.get("state") == "completed" or str(state.get("reason") or "").startswith("diverged"):
        checkpoint.discard(run.folder, all=True)
        run.write_state("pending", together=None, reason=None)
        return []

    return state.get("together")


def _trainable(members: Sequence[Member]) -> list[list[Member]]:
    """Divides runs of one structure into those that can be trained as one."""

    each = list({id(member.bench): member for member in members}.values())
    parts: list[set[int]] = []
    for kind in kinds([member.bench for member in each]):
        alike = [each[i] for i in kind]
        found = divided([m.job.job.config for m in alike], lambda i, alike=alike: alike[i].bench)
        parts += [{id(alike[i].bench) for i in part} for part in found]

    return [[member for member in members if id(member.bench) in part] for part in parts]


def _even(members: Sequence[Member], most: int) -> list[list[Member]]:
    """Cuts a list into as few parts as there must be, of nearly one length."""

    parts = -(-len(members) // most)
    short, longer = divmod(len(members), parts)
    ends = [0]
    for n in range(parts):
        ends.append(ends[-1] + short + (n < longer))

    return [list(members[a:b]) for a, b in pairwise(ends)]
