"""isoexp search: from a space of settings to the best of those that were tried."""

__all__ = ["HELP", "search"]

import shlex
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from .options import Parser, parse
from .table import number, table

if TYPE_CHECKING:
    from ..search import Event, Search, Told
    from ..search.trials import Trials

HELP = """\
isoexp search [group=choice …] [key=value …] PARAMETER …

Tries settings of a space and finds those that score best on the validation split. A parameter is a
word with several values, in Hydra's grammar; all other words hold for all trials:

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

    if options.allow:
        from ..experiment.construction import allow

        allow(options.allow)

    from ..search import Search
    from ..sweep import launcher, of_hydra, wants_hydra

    folders = [Path(folder) for folder in options.config_dir]
    if wants_hydra(options.words, folders):
        raise UserError("a search sends its trials itself: by hydra/launcher=submitit_slurm or ray")
    cluster = launcher(options.words, folders)
    found = Search.of([word for word in options.words if not of_hydra(word)], folders)
    if options.dry_run:
        found.validate()
        _say_space(found)
        return 0

    given = [f"--config-dir={folder}" for folder in folders]
    given += [f"--allow={package}" for package in options.allow]

    return _run(found, cluster, given)


def _run(
    search: "Search", cluster: tuple[str, dict[str, Any]] | None, options: Sequence[str]
) -> int:
    """Does a search and says what was found; returns the exit code."""

    new = not (search.folder / "search.journal").exists()
    if new:
        search.validate()

    from ..experiment.execution import terminable
    from ..search import run
    from ..search.trials import Trials
    from ..sweep import Hands, Plan, Workers, hands
    from .sweeping import CLUSTER

    def does(plan: Plan) -> Hands:
        if cluster:
            return hands(*cluster, Path(search.first.settings.out).expanduser())
        return Workers(plan.workers, plan.threads, plan.devices)

    with Trials.opened(search) as trials:
        if trials.missing and not new:
            search.validate()
        console = _Console(search, trials)
        events = run(search, trials, does, CLUSTER if cluster else None)
        with terminable(), closing(events):
            try:
                for event in events:
                    console.show(event)
            finally:
                console.close()

        return _conclude(search, trials, options) or console.failed


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
    best = [*options, *search.command(done[0].words)]
    print(f"\nbest     isoexp train {shlex.join(best)}")
    print(f"all      isoexp ls {search.folder}")

    return 0


def _values(told: "Told") -> list[str]:
    return [word.partition("=")[2] for word in told.words]


class _Console:
    """Shows the trials of a search as they end, and on a terminal what is going on.

    Arguments:
        search: The search.
        trials: Its trials.
    """

    def __init__(self, search: "Search", trials: "Trials") -> None:
        self.failed = False

        self._all, self._trials = search.settings.trials, trials
        self._going, self._waiting = "", 0
        self._status: Any = None
        print(f"{self._all} trials, {len(trials.told())} done before", flush=True)
        if sys.stdout.isatty():
            from rich.console import Console

            self._status = Console(highlight=False, markup=False).status("planning")
            self._status.start()

    def show(self, event: "Event") -> None:
        """Shows an event."""

        from ..search import Begun, Told, Waiting
        from ..sweep import Beat, Retried

        match event:
            case Begun(trials, networks):
                self._going = f"{trials} trials, {networks} networks"
                self._say_status(self._going)
            case Beat(units):
                made, all = (sum(each) for each in zip((0, 0), *units.values(), strict=True))
                self._say_status(f"{self._going}, update {made} of {all}" if all else self._going)
            case Told():
                self._show_told(event)
            case Retried(networks, reason):
                self._say(f"trying {networks} networks again: {reason}")
            case Waiting(trials) if trials != self._waiting:
                self._waiting = trials
                self._say(f"waiting for {trials} trials of another process")
            case _:
                pass

    def close(self) -> None:
        """Takes the line of what is going on away."""

        if self._status is not None:
            self._status.stop()
            self._status = None

    def _show_told(self, told: "Told") -> None:
        words = " ".join(told.words)
        if told.value is None:
            self.failed |= told.failed
            self._say(f"{'failed' if told.failed else 'stopped':<8}  {words}: {told.reason}")
        else:
            best = self._trials.told()[0].number == told.number
            self._say(f"{number(told.value):<8}  {words}{'  (best so far)' if best else ''}")

    def _say(self, line: str) -> None:
        text = f"[{len(self._trials.told())}/{self._all}] {line}"
        if self._status is not None:
            self._status.console.print(text, soft_wrap=True)
        else:
            print(text, flush=True)

    def _say_status(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
