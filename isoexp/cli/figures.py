"""isoexp figures: draws the tables that probes wrote. No torch."""

__all__ = ["figures"]

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path

from ..config.groups import choices
from ..errors import UserError
from ..output import say
from ..store.lock import Busy, hold
from ..store.run import Run
from .options import FLAG, command, runs_of

HELP = """\
isoexp figures RUN …

Draws the tables that probes have written of finished runs, those that are not drawn yet. RUN is the
folder of a run, a folder of runs, or the 8 characters that end a run's name. Runs by themselves are
drawn when they are probed, those of a sweep are not, unless figures=true.

  --again             draws all of them anew
  --allow PACKAGE     lets functions of a package that you trust draw the tables of your own probes
  --config-dir DIR    looks into DIR/probe/ where a table was written before the class of your probe
                      named its figure

  isoexp figures 66da9a41
  isoexp figures runs/main --again

The figure of refraction.parquet is refraction.png beside it. torch is not needed."""


@command("figures", HELP, {"--again": FLAG})
def figures(options: Namespace) -> int:
    runs = runs_of("figures", options.arguments)
    if not any(path for run in runs for path in run.folder.glob("probes/*.parquet")):
        named = runs[0].folder if len(runs) == 1 else f"{len(runs)} runs"
        raise UserError(f"{named}: no probe has measured it yet; isoexp probe does")

    return 1 if _draw(runs, options.again, options.config_dir) else 0


def _draw(runs: Sequence[Run], again: bool, folders: Sequence[Path]) -> int:
    """Draws the tables of runs, and says so; returns how many failed."""

    from ..figures import draw_beside, undrawn
    from ..store.identity import command

    of_class = cache(partial(_named_by_class, folders))
    tables = [
        {p: drawer or of_class(p.stem) for p, drawer in undrawn(run.folder, again).items()}
        for run in runs
    ]
    refused = _refuse((path.stem, drawer) for found in tables for path, drawer in found.items())

    drawn, failed, unknown = 0, 0, Counter[str]()
    for run, found in zip(runs, tables, strict=True):
        ready = {path: drawer for path, drawer in found.items() if drawer not in refused}
        failed += len(found) - len(ready)
        if not ready:
            continue
        if told := run.fault(lambda name: False):
            failed += len(ready)
            say(f"not drawn: {run.folder}: {told}", sys.stderr)
            continue
        trained = command(run.state.get("columns") or {}, run.state.get("words") or ())
        try:
            with hold(run):
                for path, drawer in ready.items():
                    reason = draw_beside(path, f"{trained} probe={path.stem}", drawer)
                    if reason is not None:
                        failed += 1
                        say(f"failed: {path}: {reason}", sys.stderr)
                    elif drawer is None:
                        unknown[path.stem] += 1
                    else:
                        drawn += 1
                        say(path.with_suffix(".png"))
        except Busy as busy:
            failed += len(ready)
            say(f"not drawn: {busy}", sys.stderr)

    for name in sorted(unknown):
        advice = "its class names none; add figure = 'module:function'"
        say(f"no figure is known of {name}: {advice}")
    counts = {"drawn": drawn, "failed": failed, "without figure": unknown.total()}
    say(", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "drawn"))
    if not any(counts.values()) and not again:
        say("all were drawn before: --again draws them anew")

    return failed


def _named_by_class(folders: Sequence[Path], probe: str) -> str | None:
    """Returns the drawer that the class of a user's probe names, which is read from its file."""

    from ..config.document import parse
    from ..figures import find

    for path in choices(folders).get("probe", {}).values() if folders else ():
        try:
            node = parse(path.read_text(encoding="utf-8")).get(probe)
        except (UnicodeDecodeError, UserError):
            continue
        if isinstance(node, dict) and "_target_" in node:
            return getattr(find(":".join(node["_target_"].rsplit(".", 1))), "figure", None)

    return None


def _refuse(tables: Iterable[tuple[str, str | None]]) -> set[str]:
    """Returns the drawers that cannot be had; says why, once for all the tables of a probe."""

    from ..figures import find

    refused = set()
    for (probe, drawer), n in Counter(tables).items():
        try:
            if drawer is not None:
                find(drawer)
        except UserError as error:
            refused.add(drawer)
            say(f"not drawn: {probe} of {n} run{'s' * (n > 1)}: {error}", sys.stderr)

    return refused
