"""isoexp figures: from the tables that probes wrote to what they look like. No torch."""

__all__ = ["HELP", "figures"]

import sys
from collections.abc import Sequence

from ..errors import UserError, did_you_mean
from ..store.lock import Busy, hold
from ..store.run import Run
from ..store.study import find_runs

HELP = """\
isoexp figures RUN …

Draws the tables that probes have written of finished runs, those that are not drawn yet. RUN is the
folder of a run, a folder of runs, or the 8 characters that end a run's name. Runs by themselves are
drawn when they are probed, those of a sweep are not, unless figures=true.

  --again             draws all of them anew

  isoexp figures 66da9a41
  isoexp figures runs/main --again

The figure of refraction.parquet is refraction.png beside it. torch is not needed."""

OPTIONS = ("--again", "--help", "-h")


def figures(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0, or 1 if a figure failed."""

    options = [word for word in arguments if word.startswith("-")]
    for word in options:
        if word not in OPTIONS:
            near = did_you_mean(word, OPTIONS) or "; isoexp figures --help shows them"
            raise UserError(f"isoexp figures has no option {word}{near}")
    if {"-h", "--help"} & set(options):
        print(HELP)
        return 0

    found = [run for word in arguments if word not in options for run in find_runs(word)]
    runs = list({run.folder.resolve(): run for run in found}.values())
    if not runs:
        raise UserError("isoexp figures takes a run, or a folder of runs; isoexp ls shows them")
    if not any(path for run in runs for path in run.folder.glob("probes/*.parquet")):
        raise UserError(f"{_named(runs)}: no probe has measured it yet; isoexp probe does")

    return 1 if _draw(runs, "--again" in options) else 0


def _draw(runs: Sequence[Run], again: bool) -> int:
    """Draws the tables of runs, and says so; returns how many failed."""

    from ..figures import FIGURES, draw_beside, missing
    from ..store.identity import command

    drawn, failed, unknown = 0, 0, set()
    for run in runs:
        unknown |= {p.stem for p in run.folder.glob("probes/*.parquet")} - set(FIGURES)
        tables = missing(run.folder, again)
        if not tables:
            continue
        state = run.state
        trained = command(state.get("columns") or {}, state.get("words") or ())
        try:
            with hold(run):
                for path in tables:
                    reason = draw_beside(path, f"{trained} probe={path.stem}")
                    if reason is None:
                        drawn += 1
                        print(path.with_suffix(".png"), flush=True)
                    else:
                        failed += 1
                        print(f"failed: {path}: {reason}", file=sys.stderr)
        except Busy as busy:
            failed += len(tables)
            print(f"not drawn: {busy}", file=sys.stderr)

    for name in sorted(unknown):
        print(f"no figure is known of {name}: a probe of your own draws it when it measures")
    print(f"{drawn} drawn{f', {failed} not' if failed else ''}")
    if not drawn + failed and not again:
        print("all were drawn before: --again draws them anew")

    return failed


def _named(runs: Sequence[Run]) -> str:
    return str(runs[0].folder) if len(runs) == 1 else f"{len(runs)} runs"
