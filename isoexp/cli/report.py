"""isoexp report: a page of results. No torch."""

__all__ = ["HELP", "report"]

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import UserError
from .options import Parser, parse
from .table import table

HELP = """\
isoexp report [DIR …]                isoexp report --compare A B

Makes a page of the runs below folders, runs/ unless named: for each claim that was reproduced there
its verdict and all behind it; for every other study its groups, with means, t intervals over seeds
and effect sizes; what failed, and why; code and versions. It reads the files of runs alone, without
torch.

  --out FOLDER        where it is written: DIR/report/ unless named
  --readme FILE       writes the claims into a Markdown file, too, between the lines
                      <!-- claims --> and <!-- /claims -->
  --compare A B       two folders side by side: what differs, in B/report/compare/

  isoexp report runs/first
  isoexp report runs/reproduce-laptop --out docs/claims --readme README.md

The page is index.html, one file; report.md says the same, with figures/*.svg beside it, and each
table is in tables/ as CSV with all digits and as LaTeX (booktabs)."""


def report(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code."""

    parser = Parser("report")
    parser.add_argument("--out", metavar="FOLDER")
    parser.add_argument("--readme", metavar="FILE")
    parser.add_argument("--compare", nargs=2, metavar=("A", "B"))
    options = parse(parser, arguments)
    if options.help:
        print(HELP)
        return 0
    if options.compare:
        if options.words or options.readme:
            raise UserError("isoexp report --compare takes two folders, and --out, alone")
        return _compare([_folder(each) for each in options.compare], options.out)

    roots = [_folder(each) for each in options.words or ["runs"]]

    return _report(roots, options.out, options.readme)


def _report(roots: Sequence[Path], out: str | None, readme: str | None) -> int:
    from ..report.answers import outcome
    from ..report.page import page, write
    from ..report.readme import rewrite

    found = page(roots)
    if readme:
        rewrite(Path(readme), found.chapters)
    folder = Path(out) if out else _above(roots) / "report"
    written = write(found.document, folder)

    told = [[each.decision.evidence.claim.name, outcome(each.decision)] for each in found.chapters]
    if told:
        print(table(["claim", "verdict"], told) + "\n")
    print(written)
    print(written.with_name("report.md"))
    if readme:
        print(readme)

    return 0


def _compare(roots: Sequence[Path], out: str | None) -> int:
    from ..report.folders import compare
    from ..report.page import write

    first, second = roots
    folder = Path(out) if out else second / "report" / "compare"
    print(write(compare(first, second), folder))

    return 0


def _above(roots: Sequence[Path]) -> Path:
    """Returns the folder, or the one that several lie in."""

    if len(roots) == 1:
        return roots[0]

    return Path(os.path.relpath(os.path.commonpath([root.resolve() for root in roots])))


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise UserError(f"isoexp report needs a folder of runs, got {text}: there is none")

    return folder
