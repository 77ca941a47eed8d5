"""isoexp audit: the measured symmetry of every functional form, and what of a model is idle."""

__all__ = ["audit"]

import sys
from argparse import Namespace
from importlib.metadata import version
from itertools import groupby
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import UserError
from ..output import say
from ..paths import folder_of
from .options import command
from .table import table

if TYPE_CHECKING:
    from ..experiment.audit import Finding

HELP = """\
isoexp audit [GROUP …] [group=choice …] [key=value …] [module:object …] [model=choice …]

Measures which change of basis each functional form commutes with: O(n), signed permutations,
permutations, positive diagonal matrices. Without arguments, every form of every group.

  --width N           the number of features n (8)
  --seed N            of all that is drawn (0)
  --as KIND           what an object is, where it cannot be seen: map, init, optimizer, clip,
                      regularizer
  --out DIR           where audit.parquet is written: runs, for an audit of everything; an audit of
                      some forms is written only where you say
  --config-dir DIR    choices of your own, laid out like conf/
  --allow PACKAGE     lets _target_ name classes of a package that you trust

  isoexp audit
  isoexp audit optimizer norm
  isoexp audit activation=quasi_isotropic activation.alpha=1,10,100
  isoexp audit torch.nn:Softsign mylab:MyActivation
  isoexp audit model._target_=mylab.Net data=digits

With a model, all settings are those of a training, and its idle parameters are named, a line each:
the function in training cannot depend on them (a bias before a norm over the batch, the keys' bias
under softmax). Their gradient is rounding, of which optimizers that normalise (muon, sign_sgd,
normalized_sgd) make full steps.

A row shows an error for each group, and up to which it is rounding or chance:

  activation, norm, attention, clip   ‖f(gx) − g f(x)‖ over the larger of the two, on average
  dropout, stochastic, init           the distance between the laws of g⁻¹ f(gx) and f(x), or of
                                      gW, Wg⁻¹ and W; smaller differences than that are not seen
  optimizer                           how far trajectories from θ and gθ part, over their length
  regularizer                         |r(gθ) − r(θ)| / r(θ)

Of a form with parameters the first row is at one value of them, the second as a family, in which
they turn along. Weights have two sides, outputs and inputs, which share a row where they agree."""

OPTIONS = {
    "--width": {"type": int, "default": 8, "metavar": "N"},
    "--seed": {"type": int, "default": 0, "metavar": "N"},
    "--as": {"dest": "kind", "default": "", "metavar": "KIND"},
    "--out": {"default": "", "metavar": "DIR"},
}


@command("audit", HELP, OPTIONS)
def audit(options: Namespace) -> int:
    if options.width < 2:
        raise UserError(f"--width must be at least 2, got {options.width}: R¹ has one direction")
    if options.seed < 0:
        raise UserError(f"--seed must not be negative, got {options.seed}")

    from ..experiment.audit import SCHEMA, forms, idle_parameters, measure, rows
    from ..store.tables import write_table

    chosen = list(forms(options.arguments, options.config_dir, options.kind))
    for name, idle in idle_parameters(options.arguments, options.config_dir, options.seed):
        lines = [["" if i else name, each.name, str(each)] for i, each in enumerate(idle)]
        shown = table(("model", "idle", "what to do"), lines or [[name, "none", ""]])
        say(f"{shown}\n")

    folder = folder_of(options.out or "runs", "--out")
    findings: list[Finding] = []
    for kind, members in groupby(chosen, key=lambda form: form.kind):
        found = [measure(form, options.width, options.seed) for form in members]
        findings += found
        lines = [line for finding in found for line in _lines(finding)]
        if lines:
            header = (kind, "", "commutes with", "O(n)", "signed", "permut.", "diagonal", "up to")
            say(f"{table(header, lines)}\n")

    failed = [f"{f.form.kind} {f.form.name}: {f.failure}" for f in findings if f.failure]
    if failed and len(failed) == len(findings):
        raise UserError(f"cannot measure {failed[0]}")
    for line in failed:
        say(f"not measured: {line}", sys.stderr)

    if findings and (options.out or not options.arguments):
        versions = {"isoexp_version": __version__, "torch_version": version("torch")}
        path = folder / "audit.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        write_table(path, rows(findings, options.width, options.seed), SCHEMA, versions, {})
        say(f"results  {path}")

    return 1 if failed else 0


def _lines(finding: "Finding") -> list[list[str]]:
    """Returns the lines of a form; sides that agree share one, with the larger errors."""

    symmetries = finding.symmetries()
    sides = [on for on in symmetries if on in ("outputs", "inputs")]
    if len(sides) == 2 and symmetries["outputs"] == symmetries["inputs"]:
        shown = {"": sides}
    else:
        names = {"features": "", "features and parameters": "with parameters"}
        shown = {names.get(on, on): [on] for on in symmetries}

    lines = []
    for label, members in shown.items():
        worst = dict.fromkeys((each.group for each in finding.measured), 0.0)
        for each in finding.measured:
            if each.on in members and not each.error <= worst[each.group]:  # a NaN is worst of all
                worst[each.group] = each.error
        *errors, _ = worst.values()  # without that of the identity
        threshold = next(each.threshold for each in finding.measured if each.on in members)
        name = "" if lines else finding.form.name
        numbers = [f"{error:.1e}" if error else "0" for error in errors]
        lines.append([name, label, symmetries[members[0]], *numbers, f"{threshold:.0e}"])

    return lines
