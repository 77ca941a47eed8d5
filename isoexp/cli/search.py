"""isoexp search: from a space of settings to the best of those that were tried."""

__all__ = ["HELP", "search"]

import shlex
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import Parser, parse
from .table import number, table

if TYPE_CHECKING:
    from ..search import Search, Told
    from ..search.trials import Trials
    from ..sweep import Launcher

HELP = """\
isoexp search [group=choice …] [key=value …] PARAMETER …

Tries settings of a space and finds those that score best on the validation split. A parameter is a
override with several values, in Hydra's grammar; all other overrides hold for all trials:

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


def search(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0, or 1 if a trial failed or none was completed."""

    parser = Parser("search")
    parser.add_argument("--dry-run", action="store_true")
    options = parse(parser, arguments)
    if options.help:
        print(HELP)
        return 0
    if find_spec("optuna") is None:
        raise UserError("isoexp search needs pip install isoexp[search]")

    from ..search import Search
    from ..sweep import chosen_launcher, of_hydra, wants_hydra

    folders = [Path(folder) for folder in options.config_dir]
    if wants_hydra(options.words, folders):
        raise UserError("a search sends its trials itself: by hydra/launcher=submitit_slurm or ray")
    launcher = chosen_launcher(options.words, folders)
    found = Search.of([text for text in options.words if not of_hydra(text)], folders)
    if options.dry_run:
        found.validate()
        _say_space(found)
        return 0

    given = [f"--config-dir={folder}" for folder in folders]
    given += [f"--allow={package}" for package in options.allow]

    return _run(found, launcher, given)


def _run(search: "Search", launcher: "Launcher | None", options: Sequence[str]) -> int:
    """Does a search and says what was found; returns the exit code."""

    new = not (search.folder / "search.journal").exists()
    if new:
        search.validate()

    from ..experiment.run import terminable
    from ..search import run
    from ..search.trials import Trials
    from .progress import SearchProgress
    from .sweep import CLUSTER, backend_of

    out = Path(search.first.settings.out).expanduser()
    with Trials.opened(search) as trials:
        if trials.missing and not new:
            search.validate()
        progress = SearchProgress(search, trials)
        build = partial(backend_of, launcher=launcher, out=out)
        events = run(search, trials, build, CLUSTER if launcher else None)
        with terminable(), closing(events), closing(progress):
            for event in events:
                progress.show(event)

        return _conclude(search, trials, options) or progress.failed


def _say_space(search: "Search") -> None:
    """Prints what is searched, and how."""

    settings, seeds = search.settings, len(search.first.identities)
    print(table(["parameter", "values"], [[p.key, str(p)] for p in search.space]))
    print()
    of = "" if seeds == 1 else f" of {seeds} networks each"
    metric = settings.metric or "the validation score"
    print(
        f"{settings.trials} trials{of}, {settings.ask} asked for at once, to {settings.direction}"
    )
    print(f"{metric}; sampler {settings.sampler}, pruner {settings.prune}; {search.folder}")


def _conclude(search: "Search", trials: "Trials", options: Sequence[str]) -> int:
    """Prints the best trials, and the command of the first; returns whether there is none."""

    told = trials.told()
    done = [each for each in told if each.value is not None]
    counts = {
        "completed": len(done),
        "stopped": sum(t.value is None and not t.failed for t in told),
        "failed": sum(t.failed for t in told),
    }
    print(f"\n{', '.join(f'{n} {what}' for what, n in counts.items() if n)} of {len(told)} trials")
    if not done:
        print(f"no trial was completed; see the runs below {search.folder}")
        return 1

    metric = search.settings.metric or "score"
    rows = [[str(t.number), number(t.value), *_values(t)] for t in done[:BEST]]
    print()
    print(table(["trial", metric, *[p.key for p in search.space]], rows))

    shares = trials.importances()
    if shares:
        print(f"\nwhat counts: {', '.join(f'{key} {share:.0%}' for key, share in shares.items())}")
    best = [*options, *search.command(done[0].overrides)]
    print(f"\nbest     isoexp train {shlex.join(best)}")
    print(f"all      isoexp ls {search.folder}")

    return 0


def _values(told: "Told") -> list[str]:
    return [word.partition("=")[2] for word in told.overrides]
