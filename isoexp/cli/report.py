"""isoexp report: a page of results. No torch."""

__all__ = ["report"]

import os
import sys
from argparse import Namespace
from pathlib import Path

from ..errors import UserError
from ..output import say
from ..paths import folder_of, path_of
from ..store.study import ends, find_run
from .options import FLAG, command
from .table import table

HELP = """\
isoexp report [DIR …]        isoexp report --compare A B        isoexp report --methods [DIR …]

Makes a page of the runs below folders, runs/ unless named: for each claim that was reproduced there
its verdict and all behind it; for every other study its groups, with means, t intervals over seeds
and effect sizes; what failed, and why; code and versions. It reads the files of runs alone, without
torch.

  --out FOLDER        where it is written: DIR/report/ unless named
  --readme FILE       writes the claims into a Markdown file, too, between the lines
                      <!-- claims --> and <!-- /claims -->
  --compare A B       two folders, or two runs, side by side: settings that differ, numbers and
                      curves, in B/report/compare/ (of a run: in the folder of its study)
  --methods           writes the methods of each claim in prose, for a paper: DIR/report/methods.md

  isoexp report runs/first
  isoexp report runs/reproduce-laptop --out docs/claims --readme README.md

The page is index.html, one file; report.md says the same, with figures/*.svg beside it, and each
table is in tables/ as CSV with all digits and as LaTeX (booktabs)."""


OPTIONS = {
    "--out": {"metavar": "FOLDER"},
    "--readme": {"metavar": "FILE"},
    "--compare": {"nargs": 2, "metavar": ("A", "B")},
    "--methods": FLAG,
}


@command("report", HELP, OPTIONS)
def report(options: Namespace) -> int:
    from ..report.answers import outcome
    from ..report.folders import compare
    from ..report.markdown import markdown
    from ..report.methods import methods
    from ..report.page import page, put, write
    from ..report.readme import rewrite

    if options.compare and (options.arguments or options.readme or options.methods):
        raise UserError("isoexp report --compare takes two folders, and --out, alone")
    if options.methods and options.readme:
        raise UserError("isoexp report --methods takes folders, and --out, alone")
    out = options.out and folder_of(options.out, "--out")
    roots = [_root(each) for each in options.compare or options.arguments or ["runs"]]
    if options.compare:
        last = roots[1].parent if (roots[1] / "state.json").is_file() else roots[1]
        say(write(compare(*roots), out or last / "report" / "compare"))
        return 0

    common = roots[0]
    if len(roots) > 1:
        common = Path(os.path.relpath(os.path.commonpath([root.resolve() for root in roots])))
    folder = out or common / "report"
    if options.methods:
        put(folder / "methods.md", markdown(methods(roots)).encode())
        say(folder / "methods.md")
        return 0

    found = page(roots)
    if options.readme:
        rewrite(path_of(options.readme), found.chapters)
    written = write(found.document, folder, found.chains)

    for told in found.damaged:
        say(f"damaged: {told}", sys.stderr)
    told = [[each.decision.evidence.claim.name, outcome(each.decision)] for each in found.chapters]
    if told:
        say(table(["claim", "verdict"], told) + "\n")
    say(written)
    say(written.with_name("report.md"))
    if options.readme:
        say(options.readme)

    return 0


def _root(text: str) -> Path:
    """Returns a folder of runs, or that of one run, as `isoexp ls` prints it."""

    folder = path_of(text)
    if folder.is_dir():
        return folder
    if not ends(text):
        raise UserError(f"isoexp report needs a folder of runs, got {text}: there is none")

    return find_run(text).folder
