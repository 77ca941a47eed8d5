"""The audit: every functional form, and the largest symmetry that it is measured to have.

It is the taxonomy that the paper leaves unfinished (App. E).
"""

__all__ = ["KINDS", "SCHEMA", "Finding", "Form", "forms", "measure", "rows"]

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from .. import symmetry
from ..choices import FORMS, groups
from ..errors import UserError, did_you_mean
from ..models import WEIGHTS
from ..store.tables import Rows, Schema
from ..symmetry import Measured, largest
from .bench import set_threads
from .composition import choice, expand
from .construction import build, check
from .objects import AS, located

KINDS: dict[str, Callable[[Any, int, int], list[Measured]]] = {
    "activation": symmetry.measure_map,
    "norm": symmetry.measure_map,
    "dropout": symmetry.measure_map,
    "attention": symmetry.measure_map,
    "init": symmetry.measure_init,
    "optimizer": symmetry.measure_optimizer,
    "clip": symmetry.measure_gradient_map,
    "regularizer": symmetry.measure_regularizer,
    "map": symmetry.measure_map,
}
"""How a form of each kind is measured: from what builds it, a number of features and a seed."""

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


@dataclass(frozen=True)
class Form:
    """A functional form.

    Arguments:
        kind: What it is, which says how it is measured.
        name: What it is called on the command line.
        target: The class or function that it is of.
        built: What builds it, or it itself, as its kind is handed to a network or a training.
    """

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


def forms(words: Sequence[str], folders: Sequence[Path] = (), kind: str = "") -> Iterator[Form]:
    """Yields the forms that words name; without words, those of every group.

    Arguments:
        words: A group; or choices and settings, as isoexp train takes them; or module:object.
        folders: Folders of the user's own choices.
        kind: What kind the objects are, where it cannot be seen.

    Raises:
        UserError: If a word names nothing.
    """

    if kind and kind not in AS:
        raise UserError(f"--as must be one of {', '.join(AS)}, got {kind}")

    named = [word for word in words if ":" in word and "=" not in word]
    if kind and not named:
        raise UserError(f"--as={kind} says what an object is: name one as module:object")

    settings = [word for word in words if "=" in word]
    asked = [word for word in words if word not in named and word not in settings]
    for word in asked:
        if word not in KINDS:
            hint = did_you_mean(word, KINDS) or f"; one of {', '.join(KINDS)}, or module:object"
            raise UserError(f"there is no kind of form {word}{hint}")

    everything = [each for each in KINDS if each != "map"]
    for group in asked if words else everything:
        yield from _of_group(group, folders)
    if settings:
        yield from _composed(settings, folders)
    for word in named:
        shown, name, built = located(word, kind)
        yield Form(shown, name, word, built)


def measure(form: Form, n: int = 8, seed: int = 0) -> Finding:
    """Measures a form; one that cannot be built or called is a finding, too."""

    set_threads()
    try:
        return Finding(form, KINDS[form.kind](form.built, n, seed))
    except Exception as error:  # of anybody's class
        return Finding(form, [], " ".join(str(error).split()) or type(error).__name__)


def rows(findings: Iterable[Finding], n: int, seed: int) -> Rows:
    """Returns findings as the columns of SCHEMA."""

    table: Rows = {name: [] for name in SCHEMA}
    for finding in findings:
        form, symmetries = finding.form, finding.symmetries()
        for each in finding.measured:
            values = (
                form.kind, form.name, form.target, each.on, symmetries[each.on], each.group,
                each.error, each.threshold, each.commutes, n, seed,
            )  # fmt: skip
            for column, value in zip(table.values(), values, strict=True):
                column.append(value)

    return table


def _of_group(group: str, folders: Sequence[Path]) -> Iterator[Form]:
    """Yields every choice of a group; a file that cannot be built is a form that fails."""

    if group == "attention":
        for name, weights in WEIGHTS.items():
            target = f"isoexp.models.attention.{name}"
            yield Form(group, name, target, lambda n, weights=weights: _over_keys(weights))

    for name, path in groups(folders).get(group, {}).items():
        target = ""
        try:
            config = {group: choice(group, path)}
            target = str(config[group].get("_target_"))
            check(config)
            built = build(config, group)
        except UserError as error:
            built = partial(_refuse, error)
        yield Form(group, name, target, built)


def _composed(words: Sequence[str], folders: Sequence[Path]) -> Iterator[Form]:
    """Yields the choices that words name, with their settings; several values are several forms."""

    named = list(dict.fromkeys(word.partition("=")[0].partition(".")[0] for word in words))
    for group in named:
        if group == "attention":
            raise UserError("attention has no settings: isoexp audit attention measures both kinds")
        if group not in FORMS:
            raise UserError(f"isoexp audit measures {', '.join(FORMS)}, got {group}=")
        if len([word for word in words if word.startswith(f"{group}=")]) > 1:
            raise UserError(f"{group} is given twice: list its choices, {group}=one,two")

    for group in named:
        own = [word for word in words if word.partition("=")[0].partition(".")[0] == group]
        for job in expand(own, folders):  # a group at a time, or all would be combined with all
            check(job.config)
            told = [word for word in job.words if word.startswith(f"{group}.")]
            name = " ".join([job.choices[group], *told])
            yield Form(group, name, str(job.config[group]["_target_"]), build(job.config, group))


def _over_keys(weights: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
    """Returns attention weights as a map of the scores of one query."""

    def call(s: torch.Tensor) -> torch.Tensor:
        visible = torch.ones(1, s.shape[-1], dtype=torch.bool)

        return weights(s[..., None, :], visible)[..., 0, :]

    return call


def _refuse(error: UserError, *_: Any) -> Any:
    raise error
