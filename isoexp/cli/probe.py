"""isoexp probe: from finished runs to what probes measure of them."""

__all__ = ["probe"]

import sys
from argparse import Namespace
from pathlib import Path

from ..errors import Unreadable, UserError, did_you_mean
from ..output import say
from ..store.lock import Busy
from ..store.study import find_runs
from .options import command, runs_of
from .table import places

HELP = """\
isoexp probe RUN … [probe=[NAME,…]] [probe.NAME.setting=value …]

Puts probes to networks that are trained already. RUN is the folder of a run, a folder of runs, or
the 8 characters that end a run's name. Without probe= it is probe=all. What a run has been asked
before with the same settings is not asked again (force=true repeats it); what is asked with others
takes the place of what the same probe has written before.

  --twin RUN          what a network is compared with by connectivity and agreement; unless given,
                      the run of the next seed in the same study; if there is none it is trained for
                      this, and not kept
  --config-dir DIR    choices of your own, laid out like conf/: DIR/probe/mine.yaml
  --allow PACKAGE     lets _target_ name classes of a package that you trust

  isoexp probe runs/main
  isoexp probe 66da9a41 probe=[refraction,spectrum] probe.refraction.rays=1000
  isoexp probe 66da9a41 probe=agreement --twin 1f0c2b7e

isoexp list probe shows the probes; device=cpu|cuda says where to compute."""

SETTINGS = ("probe", "device", "figures", "force")
"""What may be set; the rest of a run is as it is."""


@command("probe", HELP, {"--twin": {"metavar": "RUN"}})
def probe(options: Namespace) -> int:
    given = options.arguments
    overrides = [each for each in given if "=" in each and not Path(each).exists()]
    runs = runs_of("probe", [each for each in given if each not in overrides])
    for override in overrides:
        key = override.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in SETTINGS:
            told = f"{', '.join(SETTINGS)} can{did_you_mean(key, SETTINGS)}"
            raise UserError(f"{override} cannot be set of a run that is trained: {told}")

    from ..config.compose import compose
    from ..experiment.probing import probe_stored, stored
    from .progress import RunProgress

    typed = {each.partition("=")[0] for each in overrides}
    asked = overrides if "probe" in typed else ["probe=all", *overrides]
    config = compose(asked, options.config_dir).config
    if not config.get("probe"):
        raise UserError(f"{asked[0]} names no probe: isoexp list probe shows them")
    changes = {key: config[key] for key in SETTINGS if key == "probe" or key in typed}

    twin = None
    if options.twin is not None:
        others = find_runs(options.twin)
        if len(others) != 1:
            raise UserError(f"--twin takes one run, got the {len(others)} below {options.twin}")
        (other,) = others
        if other.folder.resolve() in [run.folder.resolve() for run in runs]:
            raise UserError(f"--twin must be another run than those probed, got {other.folder}")
        twin = (stored(other, **{**changes, "probe": {}}), other)

    jobs, failed = [], 0  # all are looked at before the first
    for run in runs:
        try:
            jobs.append((stored(run, **changes), run))
        except Unreadable as damage:
            failed += 1
            say(f"not probed: {damage}", sys.stderr)
    for job, run in jobs:
        progress = RunProgress(probing=True)
        say(run.folder)
        try:
            progress.follow(probe_stored(job, run, twin))
        except Busy as busy:
            progress.failed.append(str(busy))
            progress.say(f"  not probed: {busy}", sys.stderr)
        known = run.state.get("probes") or {}
        before = [name for name in job.probes if name in known and name not in progress.asked]
        if before and not progress.failed:
            progress.say(f"  asked before: {', '.join(before)}")
        failed += len(progress.failed)
    for place in places(runs):
        say(f"results  {place}/probes/*.parquet, *.png")
    if failed:
        say(f"{failed} not measured", sys.stderr)

    return 1 if failed else 0
