"""isoexp reproduce: the study of a claim, and its verdict."""

__all__ = ["FREE", "reproduce"]

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..claims import SCALES, Claim
from ..errors import UserError, did_you_mean
from ..output import say
from .options import FLAG, command
from .table import plural, say_unsent, table

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
  --confirm           repeats the study as it was planned, with seeds that were never used
  --config-dir DIR    claims and choices of your own: DIR/claim/mine.yaml
  --allow PACKAGE     lets _target_ name classes of a package that you trust

  out=runs name=…     where its runs are put: <out>/reproduce-<scale>/ unless named
  device=… sweep.workers=… hydra/launcher=… logger=…     how they are done, as of isoexp train -m
  data.root=…         where a data set is that is not to be downloaded

  isoexp reproduce static_refraction --smoke
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
        "--amend": {"metavar": "REASON"},
    },
)
def reproduce(options: Namespace) -> int:
    from ..claims.study import claim_files, read_claim

    folders = options.config_dir
    names, overrides = [], []
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
        else:
            near = did_you_mean(key, (*FREE, "scale"))
            raise UserError(
                f"a claim says by what it is decided: {given} would change that{near}. A claim of "
                "your own is a file: DIR/claim/mine.yaml and --config-dir DIR"
            )
    if scale not in SCALES:
        raise UserError(f"scale must be one of {', '.join(SCALES)}, got {scale}")
    if not names:
        raise UserError("isoexp reproduce needs a claim, or all: isoexp list claim shows them")
    if "all" in names:
        names = list(claim_files(folders))

    claims = [read_claim(name, scale, folders) for name in dict.fromkeys(names)]
    if not any(each.startswith("name=") for each in overrides):
        overrides.append(f"name=reproduce-{scale}")

    return _reproduce(claims, overrides, folders, options)


def _reproduce(
    claims: Sequence[Claim], overrides: Sequence[str], folders: Sequence[Path], options: Namespace
) -> int:
    from ..claims.study import ClaimStudy
    from ..sweep import chosen_launcher, of_hydra, planned
    from .sweep import CLUSTER, carry_out

    dry_run = options.dry_run or options.plan
    launcher = chosen_launcher(overrides, folders)
    cluster = CLUSTER if launcher else None
    own = [each for each in overrides if not of_hydra(each)]
    studies = [
        ClaimStudy.of(claim, own, folders, options.amend, options.confirm) for claim in claims
    ]
    minutes = sum(claim.cost for claim in claims)
    for study in studies:
        study.check()
    told = f"scale {claims[0].scale}, expected to take {minutes:g} min"
    say(f"{plural(len(claims), 'claim')}, {told}")
    if options.plan:
        for study in studies:
            _say_prospects(study)
    if not dry_run:
        studies = [study.registered() for study in studies]

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
    for study in studies:
        _say(study.conclude())
    say(f"isoexp report {studies[0].folder} makes a page of it")
    say_unsent(path.parent.parent for path in studies[0].folder.glob("*/wandb/offline-run-*"))
    if left:
        say(f"\n{plural(left, 'run')} not completed; the same command goes on with them")

    return 1 if left else 0


def _say_prospects(study: "ClaimStudy") -> None:
    """Prints what a claim trains, and how often its comparisons will be decided."""

    from ..claims.prospect import prospects

    claim = study.claim
    rows = []
    for arm in claim.arms:
        trials = len(study.tuning_jobs.get(arm, ()))
        tuned = trials * (claim.tuning.seeds if claim.tuning else 0)
        rows.append([arm, str(trials), str(tuned), str(claim.seeds)])
    say(f"\n{claim.name}: {claim.title}, about {claim.cost:g} min\n")
    say(table(["arm", "trials", "runs that tune it", "runs compared"], rows))

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
    say(f"{claim.name}: {decision.verdict.verdict}{plan}{smoke}")
    say(f"  {claim.title} ({claim.section})")
    say(f"  {sentence(decision)}")
    for answered in decision.answers:
        comparison = answered.comparison
        role = "" if comparison.role == "decides" else f" [{comparison.role}]"
        say(f"  {answered.answer.verdict}{role}: {answered.line}")
    for fault in decision.evidence.faults:
        say(f"  not as planned: {fault}")
    say()
