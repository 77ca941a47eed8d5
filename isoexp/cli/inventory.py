"""isoexp list, ls, show: what there is to choose, what has been run, what one run is. No torch."""

__all__ = ["list_choices", "ls", "show"]

from argparse import Namespace
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from textwrap import indent
from typing import Any

from ..config.groups import choices, describe
from ..errors import UserError, did_you_mean
from ..output import say
from ..paths import path_of
from ..store.history import starts
from ..store.run import Run, status
from ..store.study import find_run, runs_below
from .options import command
from .table import aligned, final_numbers, number, table_of

LIST = """\
isoexp list [GROUP]

Shows the choices of a group, each with its equation or a line; of all groups
unless one is named.

  --config-dir DIR    with choices of your own, laid out like conf/

  isoexp list activation
  isoexp train activation=iso_tanh       how one is chosen"""

LS = """\
isoexp ls [DIR]

Shows a table of the runs below a folder, runs/ unless one is named: state,
choices, settings, final numbers, and the reasons of failures.

  isoexp ls runs/first
  isoexp show first/66da9a41             one of them, as the table names it"""

SHOW = """\
isoexp show RUN

Shows all of one run: state, command, history, numbers, configuration, files.
RUN is its folder, STUDY/HASH as isoexp ls prints it, or the 8 characters that
end its name.

  isoexp show first/66da9a41"""


@command("list", LIST)
def list_choices(options: Namespace) -> int:
    known = choices(options.config_dir)
    if len(options.arguments) > 1:
        raise UserError(f"isoexp list takes one group, got {' '.join(options.arguments)}")
    for group in options.arguments:
        if group not in known:
            raise UserError(f"there is no group {group}{did_you_mean(group, known)}")

    for group in options.arguments or known:
        width = max(map(len, known[group]))
        lines = [f"{name:<{width}}  {describe(path)}" for name, path in known[group].items()]
        described = "\n".join(line.rstrip() for line in lines)
        say(described if options.arguments else f"{group}\n{indent(described, '  ')}\n")

    return 0


@command("ls", LS)
def ls(options: Namespace) -> int:
    if len(options.arguments) > 1:
        raise UserError(f"isoexp ls takes one folder, got {' '.join(options.arguments)}")
    root = path_of(*options.arguments or ["runs"])
    if root.is_dir():
        rows = [_row(run, root) for run in runs_below(root)]
        say(table_of(rows) if rows else f"no runs below {root}")
    elif options.arguments:
        raise UserError(f"isoexp ls needs a folder, got {root}")
    else:
        say("no runs here yet: isoexp train makes the first, in runs/")

    return 0


@command("show", SHOW)
def show(options: Namespace) -> int:
    if len(options.arguments) != 1:
        raise UserError(
            "isoexp show takes one run: a folder, or the 8 characters that end its name"
        )
    (name,) = options.arguments
    run = find_run(name)
    state = run.state
    facts = run.provenance
    code = facts.get("code") or {}
    changed = code.get("diff") or code.get("withheld")

    say(run.folder)
    lines = {
        "state": f"damaged: {run.damage}" if run.damage else f"{run.status}{_because(state)}",
        "update": f"{state.get('step', 0)} of {state.get('steps', '?')}",
        "command": facts.get("command"),
        "host": facts.get("host"),
        "device": f"{facts.get('device', '')}, {facts.get('threads', '')} thread(s)",
        "versions": ", ".join(f"{k} {v}" for k, v in (facts.get("versions") or {}).items()),
        "probes": ", ".join(state.get("probes") or {}),
        "code": f"{code.get('commit', '')}{' and uncommitted changes' if changed else ''}",
    }
    say(aligned({key: value for key, value in lines.items() if value}))
    tables = _without_figures(run)
    if tables:
        say(f"\nno figures yet of {', '.join(tables)}: isoexp figures {name} draws them")

    config = run.folder / "config.yaml"
    inside = [path.relative_to(run.folder) for path in run.folder.rglob("*") if path.is_file()]
    files = [p for p in inside if not any(part[0] == "." or part == "wandb" for part in p.parts)]
    sections = {
        "history": "\n".join(map(_told, starts(run.folder))),
        "not measured": aligned(state.get("unmeasured") or {}),
        "summary": aligned({key: number(value) for key, value in run.summary.items()}),
        "config": config.read_text("utf-8", "replace").rstrip() if config.exists() else "",
        "files": "\n".join(map(str, sorted(files))),
    }
    for heading, text in sections.items():
        if text:
            say(f"\n{heading}\n{indent(text, '  ')}")

    return 0


def _row(run: Run, root: Path) -> dict[str, str]:
    state = run.state
    damage = run.damage
    now = status(state) if damage is None else "damaged"
    columns = state.get("columns") or {}
    chosen = [key for key in ("activation", "model", "data", "seed") if key in columns]
    total = state.get("steps")
    going = total and now not in ("completed", "damaged")
    progress = f" {state.get('step', 0)}/{total}" if going else ""

    return {
        "run": str(run.folder.relative_to(root).parent / run.folder.name[-8:]),
        "state": f"{now}{progress}",
        **{key: str(columns[key]) for key in chosen},
        "settings": " ".join(state.get("words") or []),
        **final_numbers(run),
        **({"reason": damage or _because(state)[2:]} if damage or _because(state) else {}),
    }


def _told(start: Mapping[str, Any]) -> str:
    """Tells a start of a run in one line."""

    networks, threads = start.get("networks") or 1, start.get("threads")
    changed = " (changed)" if start.get("diff") else ""
    parts = [
        start.get("host"),
        f"commit {start['commit'][:7]}{changed}" if start.get("commit") else "",
        f"{threads} thread{'s' * (threads != 1)}" if threads else "",
        start.get("device"),
        f"{networks} networks as one" if networks > 1 else "",
        f"from update {start.get('step', 0)}",
    ]
    ended = ""
    if before := start.get("before"):
        how, why = before.get("state"), before.get("reason")
        reason = "" if why in (None, how) else f": {why}"
        ended = f"; before: {how} at {before.get('step')}{reason}"
    when = datetime.fromtimestamp(start["time"]).strftime("%Y-%m-%d %H:%M")

    return f"{when}  {', '.join(filter(None, parts))}{ended}"


def _without_figures(run: Run) -> list[str]:
    """Returns the names of the tables of a run that a figure can be drawn of, and is not."""

    if not any(run.folder.glob("probes/*.parquet")):
        return []

    from ..figures import missing  # takes longer to import than all else here

    return [path.stem for path in missing(run.folder)]


def _because(state: Mapping[str, Any]) -> str:
    return f": {state['reason']}" if state.get("reason") and state.get("state") == "failed" else ""
