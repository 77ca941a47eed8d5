"""isoexp train: from the overrides of a command line to finished runs."""

__all__ = ["train"]

from argparse import Namespace

from .. import processes
from ..config.groups import root_keys
from ..errors import UserError
from ..output import say
from .options import FLAG, command

HELP = f"""\
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

isoexp list shows the groups; conf/config.yaml the keys: {", ".join(root_keys())}.
"""


@command("train", HELP, {"-m --multirun": FLAG, "--dry-run": FLAG, "--cfg": FLAG})
def train(options: Namespace) -> int:
    overrides, folders = options.arguments, options.config_dir
    if options.multirun and not options.cfg:
        if processes.size() > 1:
            raise UserError("torchrun shares one training: start isoexp train -m without it")
        from .sweep import sweep

        return sweep(overrides, folders, options.dry_run)
    if options.dry_run and not options.cfg:
        raise UserError("--dry-run shows the plan of a sweep: isoexp train -m … --dry-run")

    from ..config.build import check, with_targets
    from ..config.compose import compose
    from ..config.document import to_yaml
    from ..config.overrides import refuse_folders
    from ..experiment.job import prepare, refuse_idle

    refuse_folders(overrides)
    composed = compose(overrides, folders)
    if options.cfg:
        config = with_targets(composed.config, overrides)
        check(config)
        say(to_yaml(config), end="")
        return 0

    job = prepare(composed)
    refuse_idle([job])
    if processes.rank() > 0:
        from ..experiment.train import follow

        follow(job)
        return 0

    from ..experiment.run import execute
    from .progress import RunProgress
    from .table import conclude

    progress = RunProgress()
    progress.follow(execute([job]))
    conclude(progress.done)

    return 1 if progress.failed or progress.held else 0
