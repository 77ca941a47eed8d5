"""isoexp probe: from finished runs to what probes measure of them."""

__all__ = ["HELP", "probe"]

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ..errors import UserError, did_you_mean
from ..store.lock import Busy
from ..store.study import find_runs
from .options import Parser, parse

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


def probe(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0, or 1 if a probe failed."""

    parser = Parser("probe")
    parser.add_argument("--twin", metavar="RUN")
    options = parse(parser, arguments)
    if options.help:
        print(HELP)
        return 0

    words = [word for word in options.words if "=" in word and not Path(word).exists()]
    found = [run for word in options.words if word not in words for run in find_runs(word)]
    runs = list({run.folder.resolve(): run for run in found}.values())
    if not runs:
        raise UserError("isoexp probe takes a run, or a folder of runs; isoexp ls shows them")
    for word in words:
        key = word.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in SETTINGS:
            near = did_you_mean(key, SETTINGS)
            raise UserError(
                f"{word} cannot be set of a run that is trained: {', '.join(SETTINGS)} can{near}"
            )

    from ..config.compose import compose
    from ..experiment.probing import probe_stored, stored
    from .progress import RunProgress

    asked = words if any(w.startswith("probe=") for w in words) else ["probe=all", *words]
    config = compose(asked, [Path(folder) for folder in options.config_dir]).config
    typed = {word.partition("=")[0] for word in words}
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

    jobs = [(stored(run, **changes), run) for run in runs]  # all are looked at before the first
    failed = 0
    for job, run in jobs:
        progress = RunProgress(probing=True)
        print(run.folder)
        with closing(probe_stored(job, run, twin)) as events:
            try:
                for event in events:
                    progress.show(event)
            except Busy as busy:
                progress.failed.append(str(busy))
                progress.say(f"  not probed: {busy}", sys.stderr)
        known = run.state.get("probes") or {}
        before = [name for name in job.probes if name in known and name not in progress.asked]
        if before and not progress.failed:
            progress.say(f"  asked before: {', '.join(before)}")
        failed += len(progress.failed)
    for parent in sorted({str(run.folder.parent) for run in runs}):
        names = [run.folder.name for run in runs if str(run.folder.parent) == parent]
        name = names[0] if len(names) == 1 else "*"
        print(f"results  {parent}/{name}/probes/*.parquet, *.png")
    if failed:
        print(f"{failed} not measured", file=sys.stderr)

    return 1 if failed else 0
