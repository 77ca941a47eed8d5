"""isoexp train: from the overrides of a command line to finished runs."""

__all__ = ["HELP", "train"]

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from .. import processes
from ..errors import UserError
from .options import Parser, parse

HELP = """\
isoexp train [group=choice …] [key=value …]

Trains networks, puts probes to them and writes everything to <out>/<name>/. What is finished is
not done again; what was interrupted goes on where it was.

  -m, --multirun      a job for each combination of the values given: activation=tanh,iso_tanh;
                      probes are put to them if they are named
  --dry-run           prints the plan of a sweep and trains nothing
  --config-dir DIR    choices of your own, laid out like conf/: DIR/activation/mine.yaml
  --allow PACKAGE     lets _target_ name classes of a package that you trust
  --cfg               prints the configuration and trains nothing

  isoexp train activation=iso_tanh model=mlp
  isoexp train activation=iso_relu activation.R0=0.5 optimizer.lr=3e-3 seeds=8
  isoexp train -m activation=tanh,iso_tanh 'seed=range(0,10)'

isoexp list shows the groups; conf/config.yaml the keys: {keys}.
"""


def train(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0, or 1 if a run failed."""

    parser = Parser("train")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--cfg", action="store_true")
    options = parse(parser, arguments)
    if options.help:
        from ..config.groups import root_keys

        print(HELP.format(keys=", ".join(root_keys())))
        return 0

    folders = [Path(folder) for folder in options.config_dir]
    if options.cfg:
        return _print_config(options.words, folders)
    if options.multirun:
        if processes.size() > 1:
            raise UserError("torchrun shares one training: start isoexp train -m without it")
        from .sweep import sweep

        return sweep(options.words, folders, options.dry_run)
    if options.dry_run:
        raise UserError("--dry-run shows the plan of a sweep: isoexp train -m … --dry-run")

    return _single(options.words, folders)


def _single(overrides: Sequence[str], folders: Sequence[Path]) -> int:
    from ..config.compose import compose
    from ..experiment.job import prepare
    from ..experiment.run import execute
    from .progress import RunProgress, conclude

    job = prepare(compose(overrides, folders))
    if processes.rank() > 0:
        from ..experiment.train import follow

        follow(job)
        return 0

    progress = RunProgress()
    with closing(execute([job])) as events, closing(progress):
        for event in events:
            progress.show(event)
    conclude(progress.done)

    return 1 if progress.failed or progress.held else 0


def _print_config(overrides: Sequence[str], folders: Sequence[Path]) -> int:
    from ..config.build import check, with_targets
    from ..config.compose import compose
    from ..config.document import to_yaml

    config = with_targets(compose(overrides, folders).config, overrides)
    check(config)
    print(to_yaml(config), end="")

    return 0
