"""The runs of a study, and those below a folder, as they are found."""

__all__ = ["Study", "ends", "find", "find_run", "find_runs", "held", "remember", "runs_below"]

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..paths import path_of
from .files import add_line, files_below, read_lines
from .run import Run

IDENTITY = re.compile(r"-(?=([0-9a-f]{8}))")
"""What an identity in the name of a folder begins with."""

NETWORKS = "networks.jsonl"

SHOWN = 8
"""The runs that are named where one had to be, at most."""


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
    """Returns the run in a folder, or the only one that a text ends.

    Raises:
        UserError: If there is none, or more than one.
    """

    folder = path_of(text)
    if (folder / "state.json").is_file():
        return Run(folder)

    found = ends(text)
    if len(found) == 1:
        return found[0]
    if found:
        names = [f"{run.folder.parent.name}/{run.folder.name[-8:]}" for run in found]
        if len(set(names)) < len(names):
            names = [str(run.folder) for run in found]
        told = ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more" * (len(names) > SHOWN)
        raise UserError(f"{text} ends {len(names)} runs, name one: {told}")

    raise UserError(f"there is no run {text}: isoexp ls shows those below runs/")


def ends(text: str) -> list[Run]:
    """Returns the runs whose names a text ends: below runs/, or in the folder that it names.

    HASH, STUDY/HASH as `isoexp ls` prints it, or FOLDER/HASH.
    """

    path = path_of(text)
    folders = path.parent.parts
    for root in [*([path.parent] if folders else []), Path("runs")]:
        found = [
            run
            for run in (runs_below(root) if path.name else [])
            if run.folder.name.endswith(path.name)
            and (run.folder.parent.parts[-len(folders) :] == folders or not folders)
        ]
        if found:
            return found

    return []


def find_runs(text: str) -> list[Run]:
    """Returns the completed runs below a folder, damaged ones too, or one run as `find_run`.

    Raises:
        UserError: If there is none.
    """

    folder = path_of(text)
    if not folder.is_dir() or (folder / "state.json").is_file():
        return [find_run(text)]

    found = [run for run in runs_below(folder) if run.status == "completed" or run.damage]
    if not found:
        raise UserError(f"there is no completed run below {text}; isoexp ls shows those it has")

    return found
