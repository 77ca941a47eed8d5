"""Plain tables, for a reader and for grep, and what is said of runs at the end of a command."""

__all__ = [
    "aligned",
    "conclude",
    "duration",
    "final_numbers",
    "number",
    "places",
    "say_unsent",
    "table",
    "table_of",
]

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..output import line, say
from ..store.run import Run

SHOWN = 40
"""The runs in the table at the end, at most."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns rows under a header, columns two spaces apart, numbers to the right."""

    columns = []
    for texts in zip(header, *rows, strict=True):
        name, *cells = map(line, texts)
        justify = str.rjust if cells and all(map(_is_numeric, cells)) else str.ljust
        width = max(map(len, (name, *cells)))
        columns.append([justify(cell, width) for cell in (name, *cells)])

    return "\n".join("  ".join(cells).rstrip() for cells in zip(*columns, strict=True))


def aligned(values: Mapping[str, Any]) -> str:
    """Returns a line for each value, indented, its name before it."""

    told = {line(name): line(str(value)) for name, value in values.items()}
    width = max(map(len, told), default=0)

    return "\n".join(f"  {name:<{width}}  {value}" for name, value in told.items())


def number(value: Any) -> str:
    """Returns a number with four digits that count; a gap where there is none."""

    if value is None or value != value:
        return ""

    return str(value) if isinstance(value, int) else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Returns a time in the unit that suits it."""

    for unit, size in (("h", 3600), ("min", 60)):
        if seconds > 2 * size:
            return f"about {seconds / size:.0f} {unit}"

    return f"about {seconds:.0f} s" if seconds >= 1 else "less than a second"


def final_numbers(run: Run) -> dict[str, str]:
    """Returns the numbers of a run that a table of runs shows."""

    wanted = ("test/accuracy", "test/r2", "test/loss", "valid/accuracy", "valid/r2", "train_time_s")
    summary = run.summary

    return {key: number(summary[key]) for key in wanted if key in summary}


def table_of(rows: Sequence[Mapping[str, str]]) -> str:
    """Returns a table of rows that need not have the same columns."""

    header = list(dict.fromkeys(key for row in rows for key in row))

    return table(header, [[row.get(key, "") for key in header] for row in rows])


def conclude(done: Sequence[Run]) -> None:
    """Prints the table of completed runs, and where to find their files."""

    if not done:
        return

    say(f"\n{table_of([{'run': run.folder.name, **final_numbers(run)} for run in done[:SHOWN]])}")
    if len(done) > SHOWN:
        say(f"… and {len(done) - SHOWN} more")

    for place, folders in places(done).items():
        say(f"\nresults  {place}/  summary.json, metrics.parquet, probes/*.parquet")
        if any(any(folder.glob("probes/*.png")) for folder in folders):
            say(f"figures  {place}/probes/*.png")
        elif any(any(folder.glob("probes/*.parquet")) for folder in folders):
            say(f"figures  isoexp figures {shlex.quote(place.removesuffix('/*'))}")
        say(f"all      isoexp ls {shlex.quote(str(folders[0].parent))}")
    say_unsent(run.folder for run in done)


def say_unsent(folders: Iterable[Path]) -> None:
    """Prints the command that sends W&B the runs of these folders that it only has offline."""

    left = [
        Run(folder)
        for folder in dict.fromkeys(folders)
        if any(not any(own.glob("*.synced")) for own in folder.glob("wandb/offline-run-*"))
    ]
    stars = [(place.removesuffix("/*"), "/*" * place.endswith("/*")) for place in places(left)]
    if stars:
        paths = (f"{shlex.quote(place)}{star}/wandb/offline-run-*" for place, star in stars)
        say(f"W&B      wandb sync {' '.join(paths)}")


def places(runs: Sequence[Run]) -> dict[str, list[Path]]:
    """Returns the folders of runs by where they are: one by its path, several as STUDY/*."""

    studies: dict[Path, list[Path]] = {}
    for run in runs:
        studies.setdefault(run.folder.parent, []).append(run.folder)

    return {
        str(study / "*" if len(folders) > 1 else folders[0]): folders
        for study, folders in sorted(studies.items())
    }


def _is_numeric(text: str) -> bool:
    try:
        float(text or 0)  # a gap is no reason to set numbers to the left
    except ValueError:
        return False

    return True
