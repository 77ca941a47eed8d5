"""The chain: what was planned in a study, a line a plan, of which none can be changed unseen.

    <study>/claims/chain.jsonl        hash(n) = H(hash(n − 1), line n)

A plan is all that decides a claim: its file, the configurations that it refers to, the version of
the analysis. Its line is written before its first run, and each run carries the number and the hash
of the line it was first trained for. To delete a line, to change it or to put another in its place
breaks the chain, or leaves runs of a line that is not there. Whoever removes the chain, the claims
and the runs together leaves no trace.

A plan that is changed after runs of it have ended is an amendment: it has a reason, and seeds that
no run had before. A confirmation repeats a plan with such seeds. Seeds come in blocks:

    0, 1, …                     compared by first plans, so that claims share runs
    10⁶ + 0, 1, …               tune them
    (2 + 2 b) · 10⁶ + 0, 1, …   compared by an amendment or a confirmation, b by its hash
    (3 + 2 b) · 10⁶ + 0, 1, …   tune it

A claim may be asked under other settings, too, cell by cell of a grid: each cell is a plan.
"""

__all__ = ["BLOCK", "CHAIN", "Kind", "Line", "add", "faults", "lines"]

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from ..store.files import Shape, add_line, fits, is_time

CHAIN = Path("claims", "chain.jsonl")
"""The file, in the folder of a study."""

BLOCK = 1_000_000
"""The number of seeds of a block."""

BLOCKS = 1_000_000
"""The number of pairs of blocks that amendments and confirmations are given."""

Kind = Literal["plan", "amendment", "confirmation"]

LATER = ("cell",)
"""What a line says only where it has something to say, so that older lines keep their hashes."""


@dataclass(frozen=True)
class Line:
    """A plan as it was written down.

    Arguments:
        claim: The name of the claim.
        plan: A hash of all that decides it.
        why: The reason of an amendment.
        runs: The number of runs of the plan before it that had ended.
        seed: The first seed that is compared.
        tuning_seed: The first seed that tunes.
        registered: The time, in seconds since 1970.
        commit: The commit of the code, with a + if it was changed; None without git.
        previous: The hash of the line before; "" of the first.
        cell: The settings of all arms that differ from the claim's; "" of the claim as it is.
    """

    number: int
    claim: str
    scale: str
    plan: str
    kind: Kind = "plan"
    why: str = ""
    runs: int = 0
    seed: int = 0
    tuning_seed: int = BLOCK
    registered: float = 0.0
    commit: str | None = None
    previous: str = ""
    cell: str = ""

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Self:
        """Returns a line as it was written."""

        return cls(**{key: value for key, value in written.items() if key != "hash"})

    @property
    def content(self) -> dict[str, Any]:
        """What it says."""

        return {k: v for k, v in asdict(self).items() if v or k not in LATER}

    @property
    def hash(self) -> str:
        """The hash of the line and of all before it."""

        text = json.dumps(self.content, sort_keys=True)

        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def written(self) -> dict[str, Any]:
        """What it says, and its hash."""

        return {**self.content, "hash": self.hash}

    @property
    def folder(self) -> str:
        """The name of the folder of its evidence."""

        return f"{self.claim}-{self.hash[:8]}"

    @property
    def carried(self) -> dict[str, Any]:
        """What runs carry of it."""

        return {"line": self.number, "hash": self.hash}

    def same(self, other: "Line") -> bool:
        """Whether it says the same of the same claim, though at another time."""

        told = ("claim", "scale", "cell", "plan", "kind", "why")

        return all(getattr(self, each) == getattr(other, each) for each in told)

    def follows(self, before: Sequence["Line"]) -> "Line":
        """Returns the line at the end of a chain, with seeds of its own unless it is a plan."""

        previous = before[-1].hash if before else ""
        line = replace(self, number=len(before) + 1, previous=previous)
        if self.kind == "plan":
            return line

        taken = {each.seed for each in before}
        block = int(hashlib.blake2b(f"{previous}{self.plan}".encode()).hexdigest(), 16) % BLOCKS
        while (2 + 2 * block) * BLOCK in taken:
            block = (block + 1) % BLOCKS
        first = (2 + 2 * block) * BLOCK

        return replace(line, seed=first, tuning_seed=first + BLOCK)


SHAPE: Shape = {
    "number": int, "claim": str, "scale": str, "plan": str, "why": str,
    "kind": ("plan", "amendment", "confirmation"), "runs": int, "seed": int, "tuning_seed": int,
    "registered": is_time, "commit": (str, None), "previous": str, "hash": str,
    "cell": str,
}  # fmt: skip
"""What a line says."""


def lines(study: Path) -> list[Line]:
    """Returns the lines of a study's chain, as far as they can be read."""

    return [line for line, _ in _read(study)]


def faults(study: Path) -> list[str]:
    """Says, a sentence each, where the chain of a study is not as it was written."""

    found, previous = [], ""
    for place, (line, written) in enumerate(_read(study), start=1):
        if line.number != place or line.previous != previous:
            found.append(f"line {line.number} does not follow the line before it: one was removed")
        if line.hash != written:
            found.append(f"line {line.number} was changed after it was written")
        previous = written
    written = [each for each in _text(study).split("\n") if each]
    if rest := len(written) - len(_read(study)):
        found.append(f"{rest} of its lines cannot be read")

    return found


@contextmanager
def add(study: Path) -> Iterator[tuple[list[Line], Callable[[Line], None]]]:
    """Holds the chain of a study, and yields its lines and a function that appends one."""

    from filelock import FileLock

    path = study / CHAIN
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(".chain")):
        yield lines(study), lambda line: add_line(path, line.written)


def _text(study: Path) -> str:
    """Returns what the file holds, up to a last line that a kill has cut short."""

    path = study / CHAIN

    return path.read_text(errors="replace").rpartition("\n")[0] if path.is_file() else ""


def _read(study: Path) -> list[tuple[Line, str]]:
    """Reads each line by itself: behind one that is broken there may be others."""

    found = []
    for text in _text(study).split("\n"):
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if fits(row, SHAPE) and SHAPE.keys() >= row.keys() >= SHAPE.keys() - {*LATER}:
            found.append((Line.of(row), row["hash"]))

    return found
