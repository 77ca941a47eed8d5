"""isoexp audit: the measured symmetry of every functional form."""

__all__ = ["HELP", "audit"]

import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import Parser, parse
from .table import table

if TYPE_CHECKING:
    from ..experiment.audit import Finding

HELP = """\
isoexp audit [GROUP …] [group=choice …] [key=value …] [module:object …]

Measures which change of basis each functional form commutes with: O(n), signed permutations,
permutations, positive diagonal matrices. Without words, every form of every group. Activations,
norms, attention and clipping by their commutator; what draws random numbers by its law;
optimizers by the trajectories from θ and gθ; regularizers by their value.

  --width N           the number of features (8)
  --seed N            of all that is drawn (0)
  --as KIND           what an object is, where it cannot be seen: map, init, clip, regularizer,
                      optimizer
  --out DIR           where audit.parquet is written (runs)
  --config-dir DIR    choices of your own, laid out like conf/
  --allow PACKAGE     lets _target_ name classes of a package that you trust

  isoexp audit
  isoexp audit optimizer norm
  isoexp audit activation=quasi_isotropic activation.alpha=1,10,100
  isoexp audit torch.nn:Softsign mylab:MyActivation

A row shows an error for each group: ‖f(gx) − g f(x)‖ / ‖f(x)‖ and its like. Of a form with
parameters the first row is at one value of them, the second as a family, in which they turn along.
Weights have two sides, outputs and inputs, which share a row where they agree."""

ON = {
    "features": "",
    "features and parameters": "with parameters",
    "outputs": "outputs",
    "inputs": "inputs",
}


def audit(arguments: Sequence[str]) -> int:
    """Runs the command; returns its exit code: 0, or 1 if a form could not be measured."""

    options = parse(_parser(), arguments)
    if options.help:
        print(HELP)
        return 0
    if options.width < 2:
        raise UserError(f"--width must be at least 2, got {options.width}: R¹ has one direction")
    if options.seed < 0:
        raise UserError(f"--seed must not be negative, got {options.seed}")

    from ..experiment.audit import SCHEMA, forms, measure, rows
    from ..experiment.construction import allow
    from ..records import write_table

    if options.allow:
        allow(options.allow)
    folders = [Path(folder) for folder in options.config_dir]
    chosen = list(forms(options.words, folders, options.kind))

    findings: list[Finding] = []
    for kind, members in groupby(chosen, key=lambda form: form.kind):
        found = [measure(form, options.width, options.seed) for form in members]
        findings += found
        lines = [line for finding in found for line in _lines(finding)]
        if lines:
            print(f"{table([kind, *HEADER], lines)}\n", flush=True)

    failed = [f"{f.form.kind} {f.form.name}: {f.failure}" for f in findings if f.failure]
    if len(failed) == len(findings):
        raise UserError(f"cannot measure {failed[0]}")
    for line in failed:
        print(f"not measured: {line}", file=sys.stderr)

    path = Path(options.out).expanduser() / "audit.parquet"
    write_table(path, rows(findings, options.width, options.seed), SCHEMA, {}, {})
    print(f"results  {path}")

    return 1 if failed else 0


HEADER = ("", "commutes with", "O(n)", "signed", "permut.", "diagonal")


def _lines(finding: "Finding") -> list[list[str]]:
    """Returns the lines of a form; sides that agree share one, with the larger errors."""

    symmetries = finding.symmetries()
    sides = [on for on in symmetries if on in ("outputs", "inputs")]
    merged = len(sides) == 2 and symmetries["outputs"] == symmetries["inputs"]
    if merged:
        errors: dict[str, float] = {}
        for each in finding.measured:
            errors[each.group] = max(errors.get(each.group, 0.0), each.error)
        return [_line(finding.form.name, "", symmetries["outputs"], errors.values())]

    return [
        _line(
            finding.form.name if i == 0 else "",
            ON[on],
            symmetry,
            [each.error for each in finding.measured if each.on == on],
        )
        for i, (on, symmetry) in enumerate(symmetries.items())
    ]


def _line(name: str, on: str, symmetry: str, errors: Iterable[float]) -> list[str]:
    *shown, _ = (f"{error:.1e}" if error > 0 else "0" for error in errors)  # without the identity

    return [name, on, symmetry, *shown]


def _parser() -> Parser:
    parser = Parser("audit")
    parser.add_argument("--width", type=int, default=8, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--as", dest="kind", default="", metavar="KIND")
    parser.add_argument("--out", default="runs", metavar="DIR")

    return parser
