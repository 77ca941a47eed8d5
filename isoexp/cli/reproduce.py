"""isoexp reproduce: the study of a claim, and its verdict."""

__all__ = ["FREE", "reproduce"]

import sys
from argparse import Namespace
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from ..claims import SCALES, Claim
from ..errors import NotHere, UserError, did_you_mean, one_line
from ..output import plural, say
from .options import FLAG, command
from .table import say_unsent, table

if TYPE_CHECKING:
    from ..claims.decision import Decision
    from ..claims.study import ClaimStudy

HELP = """\
isoexp reproduce CLAIM … [scale=laptop] [key=value …]        isoexp reproduce all

Runs the study that decides a claim of the paper, and says what it shows. The claim is written down
first: its arms, how they are tuned, the number of seeds, the effect that counts and the rule. What
is finished is not done again; what was interrupted goes on.

  scale=smoke         does it run? minutes; its verdicts mean nothing. Also --smoke
  scale=laptop        an answer from two cores (the default)
  scale=gpu           larger networks and data
  --plan              prints arms, trials, runs, and how often effects will be found; trains nothing
  --dry-run           prints what there is to be trained, and trains nothing
  --amend REASON      goes on with a claim that was changed after runs of it, with new seeds
  --confirm           repeats the study as it was planned, with seeds that were never used; with
                      data=… on other data
  --across key=a,b …  asks it in each cell of a grid of data, models, optimizers, too: tuned there,
                      with the same budget; says how large the effect is over all, and its spread
  --config-dir DIR    claims and choices of your own: DIR/claim/mine.yaml
  --allow PACKAGE     lets _target_ name classes of a package that you trust

  out=runs name=…     where its runs are put: <out>/reproduce-<scale>/ unless named
  device=… sweep.workers=… hydra/launcher=… logger=…     how they are done, as of isoexp train -m
  data.root=…         where a data set is that is not to be downloaded

  isoexp reproduce static_refraction --smoke
  isoexp reproduce accuracy --across data=digits,mnist1d optimizer=adam,sgd
  isoexp reproduce all                                   hours on two cores

isoexp list claim shows the claims, isoexp report makes a page of what was found. The exit code is
1 if a run is left."""

FREE = ("name", "out", "device", "compile", "logger", "sweep", "figures", "force")
"""Keys that a claim leaves open: they do not change its numbers."""


@command(
    "reproduce",
    HELP,
    {
        "--smoke": FLAG,
        "--plan": FLAG,
        "--dry-run": FLAG,
        "--confirm": FLAG,
        "--across": FLAG,
        "--amend": {"metavar": "REASON"},
    },
)
def reproduce(options: Namespace) -> int:
    from ..claims.study import claim_files, read_claim

    folders = options.config_dir
    names, overrides, axes = [], [], []
    scale = "smoke" if options.smoke else "laptop"
    for given in options.arguments:
        key, equals, value = given.partition("=")
        free = key.startswith(("hydra/launcher", "hydra.launcher")) or key == "data.root"
        if not equals:
            names.append(given)
        elif key == "scale":
            scale = value
        elif free or key.partition(".")[0] in FREE:
            overrides.append(given)
        elif options.across or (options.confirm and key.partition(".")[0] == "data"):
            axes.append(given)
        else:
            near = did_you_mean(key, (*FREE, "scale"))
            raise UserError(
                f"a claim says by what it is decided: {given} would change that. --across asks it "
                "under other settings, too; a claim of your own is a file, DIR/claim/mine.yaml, "
                f"and --config-dir DIR{near}"
            )
    if scale not in SCALES:
        raise UserError(f"scale must be one of {', '.join(SCALES)}, got {scale}")
    if not names:
        raise UserError("isoexp reproduce needs a claim, or all: isoexp list claim shows them")
    if options.across and (options.confirm or options.amend or not axes):
        raise UserError(
            "--across takes the values of settings, data=digits,mnist1d, without --confirm and "
            "--amend"
        )
    if "all" in names:
        names = list(claim_files(folders))

    claims = [read_claim(name, scale, folders) for name in dict.fromkeys(names)]
    if not any(each.startswith("name=") for each in overrides):
        overrides.append(f"name=reproduce-{scale}")

    return _reproduce(claims, overrides, folders, options, _cells(axes, folders, options.confirm))


def _cells(axes: Sequence[str], folders: Sequence[Path], confirm: bool) -> list[list[str]]:
    """Returns the settings of each cell of a grid; a confirmation has one cell."""

    from ..config.groups import choices
    from ..config.overrides import options, parsed

    known = choices(folders)
    values = [options(each, known.get(each.key_or_group, ())) for each in map(parsed, axes)]
    cells = [list(each) for each in product(*values)] if axes or confirm else []
    if confirm and len(cells) > 1:
        raise UserError(f"--confirm repeats a study once, got {len(cells)} cells: one value each")

    return cells


def _studies(
    claim: Claim,
    overrides: Sequence[str],
    folders: Sequence[Path],
    options: Namespace,
    cells: Sequence[Sequence[str]],
) -> tuple[list["ClaimStudy"], dict[str, str]]:
    """Plans the studies of a claim, its own first; and says why cells have none."""

    from ..claims.study import ClaimStudy

    if options.confirm:
        study = ClaimStudy.of(claim, overrides, folders, options.amend, True, cells[0])
        return [study], {}
    own = ClaimStudy.of(claim, overrides, folders, options.amend)
    found, left = [own], {}
    for cell in cells:
        try:
            # Where the claim was amended its cells are, for the same reason.
            study = ClaimStudy.of(claim, overrides, folders, own.line.why or None, cell=cell)
        except NotHere as error:
            left[" ".join(cell)] = one_line(error)
            continue
        if study.arms == own.arms:
            say(f"{' '.join(cell)} is the claim as it is")
        elif all(study.arms != each.arms for each in found):
            found.append(study)

    return found, left


def _reproduce(
    claims: Sequence[Claim],
    overrides: Sequence[str],
    folders: Sequence[Path],
    options: Namespace,
    cells: Sequence[Sequence[str]],
) -> int:
    from ..sweep import chosen_launcher, of_hydra, planned
    from .sweep import CLUSTER, carry_out

    dry_run = options.dry_run or options.plan
    launcher = chosen_launcher(overrides, folders)
    cluster = CLUSTER if launcher else None
    own = [each for each in overrides if not of_hydra(each)]
    of_claims = [_studies(claim, own, folders, options, cells) for claim in claims]
    studies = [study for found, _ in of_claims for study in found]
    minutes = sum(study.claim.cost for study in studies)
    for study in studies:
        study.check()
    told = f"scale {claims[0].scale}, expected to take {minutes:g} min"
    said = plural(len(claims), "claim")
    if options.across:
        said += f" in {plural(len(studies), 'cell')}"
        told += ", if cells take as long as the claim's own"
    say(f"{said}, {told}")
    for cell, why in {cell: why for _, left in of_claims for cell, why in left.items()}.items():
        say(f"not run: {cell}: {why}", sys.stderr)
    if options.plan:
        for study in studies:
            _say_prospects(study)
    if not dry_run:
        studies = [study.registered() for study in studies]
        for (_, left), first in zip(of_claims, _of_claims(studies), strict=True):
            first.lack(left)

    while True:
        tuning = [job for study in studies for job in study.untuned]
        if tuning:
            longer = " longer" if any(study.longer for study in studies) else ""
            say(f"\ntuning{longer}, on seeds of its own")
            carry_out(planned(tuning, cluster), launcher, dry_run, each=False)
        if dry_run and tuning:
            say("\nthe comparisons follow, once it is known at which rates")
            return 0
        left = sum(len(study.untuned) for study in studies)
        if left:
            runs = plural(left, "run")
            say(f"\n{runs} of the tuning not completed; the same command goes on with them")
            return 1
        extended = [study.extended(study.tune()) for study in studies]
        if extended == studies:
            break
        studies = extended

    say("\ncomparing")
    compared = []
    for study in studies:
        tuned = study.tune()
        jobs = study.jobs(tuned)
        compared += [job for each in jobs.values() for job in each]
        if not dry_run:
            study.keep(tuned, jobs)
    left = carry_out(planned(compared, cluster), launcher, dry_run, each=False)
    if dry_run:
        return 0

    say()
    decisions = [study.conclude() for study in studies]
    for decision in decisions:
        if options.confirm or not decision.evidence.cell:
            _say(decision)
            _say_across(decision)
    say(f"isoexp report {studies[0].folder} makes a page of it")
    say_unsent(path.parent.parent for path in studies[0].folder.glob("*/wandb/offline-run-*"))
    if left:
        say(f"\n{plural(left, 'run')} not completed; the same command goes on with them")

    return 1 if left else 0


def _of_claims(studies: Sequence["ClaimStudy"]) -> list["ClaimStudy"]:
    """Returns the first study of each claim, that of its own settings."""

    first: dict[str, ClaimStudy] = {}
    for study in studies:
        first.setdefault(study.claim.name, study)

    return list(first.values())


def _say_across(decision: "Decision") -> None:
    """Prints what a claim shows in the cells in which it was asked, if it was."""

    from ..claims.across import across
    from ..report.forest import over_cells
    from ..report.sentence import label
    from ..report.units import effect

    if decision.evidence.kind == "confirmation":
        return
    found, cells = across(decision)
    if not cells:
        return
    heads = ["cell", *(label(each.asked) for each in found), "the claim there"]
    rows = [
        [
            cell,
            *(effect(each.answers[cell].interval, each.asked.metric) for each in found),
            own.verdict.verdict,
        ]
        for cell, own in cells.items()
    ]
    say(table(heads, rows))
    for each in found:
        say(f"  {over_cells(each)}")
    say()


def _say_prospects(study: "ClaimStudy") -> None:
    """Prints what a claim trains, and how often its comparisons will be decided."""

    from ..claims.prospect import prospects
    from ..claims.terms import expectation
    from ..claims.verdict import EVERY

    claim = study.claim
    rows = []
    for arm in claim.arms:
        trials = len(study.tuning_jobs.get(arm, ()))
        tuned = trials * (claim.tuning.seeds if claim.tuning else 0)
        rows.append([arm, str(trials), str(tuned), str(claim.seeds)])
    cell = f", {study.line.cell}" * bool(study.line.cell)
    say(f"\n{claim.name}{cell}: {claim.title}, about {claim.cost:g} min\n")
    say(table(["arm", "trials", "runs that tune it", "runs compared"], rows))

    every = [each for each in claim.comparisons if each.expects in EVERY]
    for each in every:
        ratio = claim.metrics[each.metric].log
        told = expectation(each.expects, each.margin, ratio)
        say(
            f"{each.contrast}, {each.metric}: {told}; at every seed, so that no power is to be told"
        )
    found = prospects(claim, study.earlier)
    if not found:
        return
    rows = []
    for each in found:
        known = each.spread is not None
        floor = f" and {each.floor:.2g} of items" if each.floor else ""
        rows.append(
            [
                each.comparison.contrast,
                each.comparison.metric,
                f"{each.comparison.margin:g}",
                f"{each.spread:.2g}{floor} ({each.known})" if known else "not known",
                *("" if p is None else f"{p:.0%}" for p in (each.at_margin, each.at_twice)),
                str(each.seeds or "none") if each.at_twice is not None else "",
            ]
        )
    heads = ["contrast", "of", "margin", "spread", "found at it", "at twice it", "seeds for 90%"]
    say(f"\n{table(heads, rows)}")
    if any(each.spread is None for each in found):
        say(
            "where a spread is not known a pilot comes first: put `spread:` into the comparison, "
            "or do the claim; margins of ratios, and spreads, are of logarithms then"
        )


def _say(decision: "Decision") -> None:
    """Prints a verdict with its sentence, and each comparison in a line."""

    from ..report.sentence import sentence

    claim = decision.evidence.claim
    smoke = " (a smoke run: it means nothing)" if claim.scale == "smoke" else ""
    standing, line = decision.evidence.standing, decision.evidence.line
    kind = "confirmation, " if line and line.kind == "confirmation" else ""
    plan = f" ({kind}{standing})" if kind or standing != "as planned" else ""
    cell = f", {decision.evidence.cell}" * bool(decision.evidence.cell)
    say(f"{claim.name}{cell}: {decision.verdict.verdict}{plan}{smoke}")
    say(f"  {claim.title} ({claim.section})")
    say(f"  {sentence(decision)}")
    for answered in decision.answers:
        comparison = answered.comparison
        role = "" if comparison.role == "decides" else f" [{comparison.role}]"
        say(f"  {answered.answer.verdict}{role}: {answered.line}")
    for fault in decision.evidence.faults:
        say(f"  not as planned: {fault}")
    say()
