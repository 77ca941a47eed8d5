"""isoexp search: from a space of settings to the best of those that were tried."""

__all__ = ["search"]

import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import UserError
from ..output import plural, say
from .options import FLAG, command
from .table import number, say_unsent, table

if TYPE_CHECKING:
    from ..search import Search
    from ..search.trials import Trials

HELP = """\
isoexp search [group=choice …] [key=value …] PARAMETER …

Tries settings of a space and finds those that score best on the validation split. A parameter is
an override with several values, in Hydra's grammar; all other overrides hold for all trials:

  'optimizer.lr=interval(0.1,0.5)'            a real number
  'optimizer.lr=tag(log,interval(1e-4,0.1))'  the same, evenly in its logarithm
  'model.code=int(interval(1,8))'             a whole number; so is range(1,9)
  'model.widths=choice([32],[64,64])'         one of these; so is activation=tanh,iso_tanh

  --dry-run           prints the space and trains nothing
  --config-dir DIR    choices of your own, laid out like conf/: DIR/activation/mine.yaml
  --allow PACKAGE     lets _target_ name classes of a package that you trust

  search.trials=64    how many are tried; search.ask=16 of them at once
  search.metric=…     valid/loss, valid/accuracy or valid/r2, instead of the score of the task
  search.sampler=tpe  what is tried next: by what is known of the others, or at random
  search.prune=none   median or successive_halving stop trials on the way that are behind others
  seeds=3             the value of a trial is the mean of so many networks

  isoexp search name=rates 'optimizer.lr=tag(log,interval(1e-4,1e-1))' activation=tanh,iso_tanh

The same command goes on where it was stopped, or says what was found; run twice at a time, it is
shared. Networks train as in a sweep (sweep.workers, hydra/launcher); probes are put to them only
if you name some. The exit code is 1 if a trial failed for another reason than its values."""

BEST = 10
"""So many trials are shown at the end."""


@command("search", HELP, {"--dry-run": FLAG})
def search(options: Namespace) -> int:
    if find_spec("optuna") is None:
        raise UserError("isoexp search needs pip install isoexp[search]")

    from ..search import Search
    from ..sweep import chosen_launcher, of_hydra, wants_hydra

    overrides, folders = options.arguments, options.config_dir
    if wants_hydra(overrides, folders):
        raise UserError("a search sends its trials itself: by hydra/launcher=submitit_slurm or ray")
    launcher = chosen_launcher(overrides, folders)
    found = Search.of([text for text in overrides if not of_hydra(text)], folders)
    new = not (found.folder / "search.journal").exists()
    if options.dry_run or new:
        found.validate()
    if options.dry_run:
        _say_space(found)
        return 0

    from ..experiment.run import terminable
    from ..search import run
    from ..search.trials import Trials
    from .progress import SearchProgress
    from .sweep import CLUSTER, backend_of

    given = [f"--config-dir={folder}" for folder in folders]
    given += [f"--allow={package}" for package in options.allow]
    with Trials.opened(found) as trials:
        if trials.damage:
            say(f"damaged: {trials.damage}; its trials are asked for anew", sys.stderr)
        if trials.missing and not new:
            found.validate()
        progress = SearchProgress(found, trials)
        build = partial(backend_of, launcher=launcher)
        with terminable():
            progress.follow(run(found, trials, build, CLUSTER if launcher else None))

        return _conclude(found, trials, given) or int(bool(progress.failed))


def _say_space(search: "Search") -> None:
    settings, seeds = search.settings, len(search.first.identities)
    say(f"{table(['parameter', 'values'], [[p.key, str(p)] for p in search.space])}\n")
    each = "" if seeds == 1 else f" of {seeds} networks each"
    metric, asked = settings.metric or "the validation score", f"{settings.ask} asked for at once"
    say(f"{plural(settings.trials, 'trial')}{each}, {asked}, to {settings.direction}")
    say(f"{metric}; sampler {settings.sampler}, pruner {settings.prune}; {search.folder}")


def _conclude(search: "Search", trials: "Trials", options: Sequence[str]) -> int:
    """Prints the best trials, and the command of the first; returns 1 if there is none."""

    told = trials.told()
    done = [t for t in told if t.value is not None]
    failed = sum(t.failed for t in told)
    stopped = len(told) - len(done) - failed
    counts = {"completed": len(done), "stopped": stopped, "failed": failed}
    ends = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    say(f"\n{ends} of {plural(len(told), 'trial')}")
    if not done:
        say(f"no trial was completed; see the runs below {search.folder}")
        return 1

    metric = search.settings.metric or "score"
    rows = [
        [str(t.number), number(t.value), *(text.partition("=")[2] for text in t.overrides)]
        for t in done[:BEST]
    ]
    say(f"\n{table(['trial', metric, *[p.key for p in search.space]], rows)}")

    shares = trials.importances()
    if shares:
        say(f"\nwhat counts: {', '.join(f'{key} {share:.0%}' for key, share in shares.items())}")
    best = [*options, *search.command(done[0].overrides)]
    say(f"\nbest     isoexp train {shlex.join(best)}")
    say(f"all      isoexp ls {search.folder}")
    say_unsent(path.parent.parent for path in search.folder.glob("*/wandb/offline-run-*"))

    return 0
