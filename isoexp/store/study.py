"""The runs of a study, and those below a folder, as they are found."""

__all__ = ["Study", "find", "find_run", "find_runs", "held", "remember", "runs_below"]

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from .files import add_line, files_below, read_lines
from .run import Run

IDENTITY = re.compile(r"-(?=([0-9a-f]{8}))")
"""What an identity in the name of a folder begins with."""

NETWORKS = "networks.jsonl"


@dataclass(frozen=True)
class Study:
    """The runs of a study, as its folder was when it was listed.

    Arguments:
        names: The names of the folders of runs, by the first 8 characters of an identity in them.
    """

    folder: Path
    names: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, folder: Path) -> "Study":
        """Lists a folder."""

        names: dict[str, list[str]] = {}
        for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
            for start in dict.fromkeys(IDENTITY.findall(name)):
                names.setdefault(start, []).append(name)

        return cls(folder, names)

    def find(self, identity: str) -> Run | None:
        """Returns the run that has an identity, under whatever label it was started."""

        for name in self.names.get(identity[:8], ()):
            run = Run(self.folder / name)
            if run.state.get("identity") == identity:
                return run

        return None


def held(study: Path, network: str) -> tuple[str, ...] | None:
    """Returns the groups of which networks of a study have a part, if one was built before."""

    lines = read_lines(study / NETWORKS, {"network": str, "held": [str]}, ("network", "held"))
    known = {line["network"]: line["held"] for line in lines}

    return tuple(known[network]) if network in known else None


def remember(study: Path, network: str, groups: Sequence[str]) -> None:
    """Notes of which groups networks have a part: finished runs are then found without torch."""

    if held(study, network) is None:
        add_line(study / NETWORKS, {"network": network, "held": list(groups)})


def find(study: Path, identity: str) -> Run | None:
    """Returns the run of a study that has an identity now."""

    # Half the time of a glob, in a study of ten thousand runs.
    names = os.listdir(study) if study.is_dir() else []
    start = identity[:8]

    return Study(study, {start: sorted(n for n in names if f"-{start}" in n)}).find(identity)


def runs_below(root: Path) -> list[Run]:
    """Returns the runs below a folder, ordered by path."""

    return [Run(path.parent) for path in files_below(root, "state.json")]


def find_run(text: str) -> Run:
    """Returns the run in a folder, or the only one below runs/ whose name ends so.

    Raises:
        UserError: If there is none, or more than one.
    """

    if Path(text, "state.json").is_file():
        return Run(Path(text))

    end = Path(text).name  # of nothing and of . there is none
    ends = [run for run in runs_below(Path("runs")) if end and run.folder.name.endswith(end)]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UserError(f"{text} ends {len(ends)} runs: name its folder; isoexp ls shows them")

    raise UserError(f"there is no run {text}: isoexp ls shows those below runs/")


def find_runs(text: str) -> list[Run]:
    """Returns the completed runs below a folder, damaged ones too, or one run as `find_run`.

    Raises:
        UserError: If there is none.
    """

    folder = Path(text)
    if not folder.is_dir() or (folder / "state.json").is_file():
        return [find_run(text)]

    found = [run for run in runs_below(folder) if run.status == "completed" or run.damage]
    if not found:
        raise UserError(f"there is no completed run below {text}; isoexp ls shows those it has")

    return found
