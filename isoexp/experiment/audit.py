"""The audit: every functional form, and the largest symmetry that it is measured to have.

It is the taxonomy that the paper leaves unfinished (App. E). Of models it tells the parameters that
are idle: normalising optimizers move them by rounding.
"""

__all__ = [
    "MEASURES", "SCHEMA", "Finding", "Form", "audited", "forms", "idle_parameters", "measure",
    "rows",
]  # fmt: skip

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from .. import symmetry
from ..config.allowed import locate
from ..config.build import build, check
from ..config.compose import choice, expand
from ..config.groups import GROUPS, choices
from ..devices import set_threads
from ..errors import UserError, did_you_mean, one_line
from ..models import WEIGHTS
from ..models.flaws import Idle, idle
from ..store.tables import Rows, Schema
from ..symmetry import Measured, largest
from .job import prepare

MEASURES: dict[str, Callable[[Any, int, int], list[Measured]]] = {
    "map": symmetry.measure_map,
    "init": symmetry.measure_init,
    "optimizer": symmetry.measure_optimizer,
    "clip": symmetry.measure_gradient_map,
    "regularizer": symmetry.measure_regularizer,
}
"""How symmetry is measured: of a builder of forms, for a number of features and a seed."""

PACKAGES = {
    "isoexp.inits": "init",
    "torch.nn.init": "init",
    "isoexp.optimizers": "clip",
    "isoexp.regularizers": "regularizer",
}
"""How the members of a package are measured that show it by no base of theirs."""


def audited() -> dict[str, str]:
    """Returns the kinds of forms that can be audited, and how each is measured."""

    groups = {group.name: group.symmetry for group in GROUPS.values() if group.symmetry}

    return {**groups, "attention": "map"}


SCHEMA: Schema = {
    "kind": str,
    "form": str,
    "target": str,
    "on": str,
    "symmetry": str,
    "group": str,
    "error": float,
    "threshold": float,
    "commutes": bool,
    "n": int,
    "seed": int,
}
"""The columns of audit.parquet: a row for each form, group, and thing that the group acts on."""


SAMPLES = 64
"""The samples by which gradients are judged."""


@dataclass(frozen=True)
class Form:
    """A functional form, and what builds it for a network or a training."""

    kind: str
    name: str
    target: str
    built: Any


@dataclass(frozen=True)
class Finding:
    """What was measured of a form, or why it could not be."""

    form: Form
    measured: Sequence[Measured]
    failure: str = ""

    def symmetries(self) -> dict[str, str]:
        """Returns the largest group that the form commutes with, for each thing it acts on."""

        acted_on = dict.fromkeys(each.on for each in self.measured)

        return {on: largest(m for m in self.measured if m.on == on) for on in acted_on}


def forms(overrides: Sequence[str], folders: Sequence[Path] = (), kind: str = "") -> Iterator[Form]:
    """Yields the forms that are named; those of every group where none is.

    Arguments:
        overrides: Groups; choices and settings, as isoexp train takes them; or module:object.
        folders: Folders of the user's own choices.
        kind: How to measure objects that do not show it.

    Raises:
        UserError: If a name is unknown.
    """

    if kind and kind not in MEASURES:
        raise UserError(f"--as must be one of {', '.join(MEASURES)}, got {kind}")

    named = [word for word in overrides if ":" in word and "=" not in word]
    if kind and not named:
        raise UserError(f"--as={kind} says what an object is: name one as module:object")

    settings = [word for word in overrides if "=" in word]
    if _of_a_model(settings):
        settings = []
    asked = [word for word in overrides if word not in named and "=" not in word]
    for word in asked:
        if word not in audited():
            hint = did_you_mean(word, audited())
            hint = hint or f"; one of {', '.join(audited())}, or module:object"
            raise UserError(f"there is no kind of form {word}{hint}")

    for group in asked if overrides else audited():
        yield from _of_group(group, folders)
    if settings:
        yield from _composed(settings, folders)
    for word in named:
        yield _named(word, kind)


def measure(form: Form, n: int = 8, seed: int = 0) -> Finding:
    """Measures a form; one that cannot be built or called is a finding, too."""

    set_threads()
    try:
        measure = MEASURES[audited().get(form.kind, form.kind)]
        return Finding(form, measure(form.built, n, seed))
    except (Exception, SystemExit) as error:  # of anybody's class
        return Finding(form, [], one_line(error))


def idle_parameters(
    overrides: Sequence[str], folders: Sequence[Path] = (), seed: int = 0
) -> Iterator[tuple[str, list[Idle]]]:
    """Yields models, as isoexp train takes them with data and forms, and what is idle of each; none
    unless a model is chosen or set.

    Raises:
        UserError: If a model cannot be built, or measured.
    """

    settings = [word for word in overrides if "=" in word]
    for composition in expand(settings, folders) if _of_a_model(settings) else ():
        job = prepare(composition)
        check(job.config)
        lab = job.lab()
        name = " ".join(composition.overrides)
        x, _ = lab.splits["train"]
        try:
            yield name, list(idle(lab.network(seed), x[:SAMPLES], seed))
        except (Exception, SystemExit) as error:  # of anybody's class
            raise UserError(f"cannot measure {name}: {one_line(error)}") from error


def rows(findings: Iterable[Finding], n: int, seed: int) -> Rows:
    """Returns findings as the columns of SCHEMA."""

    table: Rows = {name: [] for name in SCHEMA}
    for finding in findings:
        form, symmetries = finding.form, finding.symmetries()
        for each in finding.measured:
            row = {
                "kind": form.kind, "form": form.name, "target": form.target, "on": each.on,
                "symmetry": symmetries[each.on], "group": each.group, "error": each.error,
                "threshold": each.threshold, "commutes": each.commutes, "n": n, "seed": seed,
            }  # fmt: skip
            for name in SCHEMA:
                table[name].append(row[name])

    return table


def _of_group(group: str, folders: Sequence[Path]) -> Iterator[Form]:
    """Yields every choice of a group; a file that cannot be built is a form that fails."""

    if group == "attention":
        for name, weights in WEIGHTS.items():
            target = f"isoexp.models.attention.{name}"
            yield Form(group, name, target, lambda n, weights=weights: _over_keys(weights))

    for name, path in choices(folders).get(group, {}).items():
        target = ""
        try:
            config = {group: choice(group, path)}
            target = str(config[group].get("_target_"))
            check(config)
            built = build(config, group)
        except UserError as error:
            built = partial(_refuse, error)
        yield Form(group, name, target, built)


def _of_a_model(settings: Sequence[str]) -> bool:
    return any(word.lstrip("+~").startswith(("model=", "model.")) for word in settings)


def _composed(overrides: Sequence[str], folders: Sequence[Path]) -> Iterator[Form]:
    """Yields choices with their settings; several values of a setting make several forms."""

    named = list(dict.fromkeys(word.partition("=")[0].partition(".")[0] for word in overrides))
    for group in named:
        if group == "attention":
            raise UserError("attention has no settings: isoexp audit attention measures both kinds")
        if group not in audited():
            raise UserError(f"isoexp audit measures {', '.join(audited())}, got {group}=")
        if len([word for word in overrides if word.startswith(f"{group}=")]) > 1:
            raise UserError(f"{group} is given twice: list its choices, {group}=one,two")

    for group in named:
        own = [word for word in overrides if word.partition("=")[0].partition(".")[0] == group]
        for job in expand(own, folders):  # a group at a time, or all would be combined with all
            check(job.config)
            told = [word for word in job.overrides if word.startswith(f"{group}.")]
            name = " ".join([job.choices[group], *told])
            yield Form(group, name, str(job.config[group]["_target_"]), build(job.config, group))


def _named(word: str, kind: str) -> Form:
    """Returns the form module:object; who types a name trusts its module."""

    found = locate(word, word, own=word.partition(":")[0])
    if not callable(found):
        raise UserError(f"{word} must name a class or a function, got {type(found).__name__}")
    kind = kind or _kind(found)

    return Form(kind, word.partition(":")[2], word, _builder(found, kind))


def _kind(found: Any) -> str:
    """Returns the kind that an object shows by its base or its package."""

    if inspect.isclass(found) and issubclass(found, Optimizer):
        return "optimizer"

    home = str(getattr(found, "__module__", ""))
    known = [kind for name, kind in PACKAGES.items() if f"{home}.".startswith(f"{name}.")]

    return known[0] if known else "map"


def _builder(found: Any, kind: str) -> Any:
    if kind == "optimizer":
        return found
    if kind == "init" and str(getattr(found, "__module__", "")) == "torch.nn.init":
        return lambda layer: found(layer.weight)
    if kind != "map":
        return found() if inspect.isclass(found) else found

    if _takes_width(found):
        return found

    return lambda n: found() if inspect.isclass(found) else found


def _takes_width(found: Any) -> bool:
    """Whether a class has a required argument: the number of features."""

    if not inspect.isclass(found):
        return False
    first = next(iter(inspect.signature(found).parameters.values()), None)
    if first is None or first.kind in (first.VAR_POSITIONAL, first.VAR_KEYWORD):
        return False

    return first.default is first.empty


def _over_keys(weights: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
    """Turns attention weights into a map of the scores of one query."""

    def call(s: torch.Tensor) -> torch.Tensor:
        visible = torch.ones(1, s.shape[-1], dtype=torch.bool)

        return weights(s[..., None, :], visible)[..., 0, :]

    return call


def _refuse(error: UserError, *_: Any) -> Any:
    raise error
