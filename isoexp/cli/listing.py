"""isoexp list, ls, show: what there is to choose, what has been run, what one run is. No torch."""

__all__ = ["list_choices", "ls", "show"]

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config.groups import choices, describe
from ..errors import UserError, did_you_mean
from ..store.files import read_json
from ..store.run import Run, status
from ..store.study import find_run, runs_below
from .table import final_numbers, number, table


def list_choices(arguments: Sequence[str]) -> int:
    """isoexp list [GROUP] [--config-dir DIR]: every choice, with its equation or one line."""

    words, folders = _config_dirs(arguments)
    known = choices(folders)
    if len(words) > 1:
        raise UserError(f"isoexp list takes one group, got {' '.join(words)}")
    for word in words:
        if word not in known:
            raise UserError(f"there is no group {word}{did_you_mean(word, known)}")

    chosen = words or list(known)
    for group in chosen:
        if len(chosen) > 1:
            print(group)
        width = max(map(len, known[group]), default=0)
        for name, path in known[group].items():
            print(f"{'  ' if len(chosen) > 1 else ''}{name:<{width}}  {describe(path)}".rstrip())
        if len(chosen) > 1:
            print()

    return 0


def ls(arguments: Sequence[str]) -> int:
    """isoexp ls [DIR]: a table of the runs below a folder."""

    _no_options("ls", arguments)
    if len(arguments) > 1:
        raise UserError(f"isoexp ls takes one folder, got {' '.join(arguments)}")
    root = Path(arguments[0]) if arguments else Path("runs")
    if not root.is_dir():
        if arguments:
            raise UserError(f"isoexp ls needs a folder, got {root}")
        print("no runs here yet: isoexp train makes the first, in runs/")
        return 0

    runs = runs_below(root)
    if not runs:
        print(f"no runs below {root}")
        return 0

    found = [_row(run, root) for run in runs]
    header = list(dict.fromkeys(key for row in found for key in row))
    print(table(header, [[row.get(key, "") for key in header] for row in found]))

    return 0


def show(arguments: Sequence[str]) -> int:
    """isoexp show RUN: what is known of one run; RUN is a folder, or the end of its name."""

    _no_options("show", arguments)
    if len(arguments) != 1:
        raise UserError(
            "isoexp show takes one run: a folder, or the 8 characters that end its name"
        )

    run = find_run(arguments[0])
    state, summary = run.state, run.summary
    facts = read_json(run.folder / "provenance.json")
    code = facts.get("code") or {}

    print(run.folder)
    lines = {
        "state": f"{run.status}{_because(state)}",
        "update": f"{state.get('step', 0)} of {state.get('steps', '?')}",
        "command": facts.get("command", ""),
        "host": facts.get("host", ""),
        "device": f"{facts.get('device', '')}, {facts.get('threads', '')} thread(s)",
        "versions": ", ".join(f"{k} {v}" for k, v in facts.get("versions", {}).items()),
        "probes": ", ".join(state.get("probes") or {}),
        "code": f"{code.get('commit', '')}{' and uncommitted changes' if code.get('diff') else ''}",
    }
    print(_aligned({key: value for key, value in lines.items() if value}))

    if state.get("unmeasured"):
        print("\nnot measured")
        print(_aligned(state["unmeasured"]))

    tables = _without_figures(run)
    if tables:
        print(f"\nno figures yet of {', '.join(tables)}: isoexp figures {arguments[0]} draws them")

    if summary:
        print("\nsummary")
        print(_aligned({key: number(value) for key, value in summary.items()}))

    config = run.folder / "config.yaml"
    if config.exists():
        print("\nconfig")
        print(
            "\n".join(
                f"  {line}"
                for line in config.read_text(encoding="utf-8", errors="replace").splitlines()
            )
        )

    print("\nfiles")
    for path in sorted(run.folder.rglob("*")):
        inside = path.relative_to(run.folder)
        if path.is_file() and not any(part[0] == "." or part == "wandb" for part in inside.parts):
            print(f"  {inside}")

    return 0


def _row(run: Run, root: Path) -> dict[str, str]:
    state = run.state
    now = status(state)
    columns = state.get("columns") or {}
    told = {
        key: str(columns[key]) for key in ("activation", "model", "data", "seed") if key in columns
    }
    total = state.get("steps")
    progress = f"{state.get('step', 0)}/{total}" if total and now != "completed" else ""

    return {
        "run": str(run.folder.relative_to(root).parent / run.folder.name[-8:]),
        "state": f"{now} {progress}".strip(),
        **told,
        "settings": " ".join(state.get("words") or []),
        **final_numbers(run.summary),
        **({"reason": _because(state)[2:]} if _because(state) else {}),
    }


def _without_figures(run: Run) -> list[str]:
    """Returns the names of the tables of a run that a figure can be drawn of, and is not."""

    if not any(run.folder.glob("probes/*.parquet")):
        return []

    from ..figures import missing  # takes longer to import than all else here

    return [path.stem for path in missing(run.folder)]


def _because(state: dict[str, Any]) -> str:
    return f": {state['reason']}" if state.get("reason") and state.get("state") == "failed" else ""


def _aligned(lines: dict[str, str]) -> str:
    width = max(map(len, lines), default=0)

    return "\n".join(f"  {key:<{width}}  {value}" for key, value in lines.items())


def _config_dirs(arguments: Sequence[str]) -> tuple[list[str], list[Path]]:
    words, folders = [], []
    rest = iter(arguments)
    for word in rest:
        if word == "--config-dir":
            folder = Path(next(rest, ""))
            if not folder.is_dir():
                raise UserError(f"--config-dir must be a folder, got {folder}")
            folders.append(folder)
        else:
            words.append(word)
    _no_options("list", words)

    return words, folders


def _no_options(command: str, arguments: Sequence[str]) -> None:
    for word in arguments:
        if word.startswith("-"):
            raise UserError(
                f"isoexp {command} has no option {word}; isoexp --help shows the commands"
            )
