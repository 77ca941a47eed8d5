"""The space of a search, as Hydra's grammar writes it: one override a parameter.

optimizer.lr=tag(log,interval(1e-4,1e-1))   a real number, evenly in its logarithm
model.depth=int(interval(1,4))              a whole number, the ends included
batch_size=range(20,101,20)                 20, 40, …, 100
activation=tanh,iso_tanh                    one of these; choice([32],[64,64]) of what has commas
"""

__all__ = ["Choice", "Interval", "Parameter", "parameters"]

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep

from ..config.groups import choices, counts
from ..config.overrides import check_overrides, options
from ..errors import UserError, did_you_mean


@dataclass(frozen=True)
class Choice:
    """One of several values, as they are written."""

    key: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(self.values)

    @property
    def ends(self) -> list[str]:
        """The overrides of the smallest and the largest value, or of each that is listed."""

        return [self.override(value) for value in self.values]

    def suggest(self, trial: Any) -> str:
        """Samples the value of a trial of Optuna's, unless it was before; returns its override."""

        return self.override(trial.suggest_categorical(self.key, self.values))

    def override(self, value: str) -> str:
        return f"{self.key}={value}"


@dataclass(frozen=True)
class Interval:
    """A number between two, both included.

    Arguments:
        log: Whether its logarithm is what is evenly spread.
        step: How far apart the values are; None for all real numbers.
    """

    key: str
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def __str__(self) -> str:
        log = ", by its logarithm" if self.log else ""
        step = f" in steps of {self.step:g}" if self.step else ""

        return f"{self.low:g} to {self.high:g}{step}{log}"

    @property
    def ends(self) -> list[str]:
        return [self.override(self.low), self.override(self.high)]

    def suggest(self, trial: Any) -> str:
        suggest = trial.suggest_int if isinstance(self.step, int) else trial.suggest_float
        step = {"step": self.step} if self.step else {}

        return self.override(suggest(self.key, self.low, self.high, log=self.log, **step))

    def override(self, value: float) -> str:
        """Returns the override that sets a value; six digits are as many as count."""

        if not isinstance(value, int):
            value = min(max(float(f"{value:.6g}"), self.low), self.high)

        return f"{self.key}={value}"


Parameter = Choice | Interval


def parameters(
    overrides: Sequence[str], folders: Sequence[Path] = ()
) -> tuple[list[Parameter], list[str]]:
    """Separates the parameters that overrides span from the overrides of one value each.

    Raises:
        UserError: If an override cannot be read, or spans nothing.
    """

    known = choices(folders)
    space: list[Parameter] = []
    plain: list[str] = []
    for override in check_overrides(overrides, folders, sweep=True):
        if override.is_sweep_override():
            space.append(_parameter(override, known.get(override.key_or_group)))
        else:
            plain.append(override.input_line or "")

    if not space:
        raise UserError(
            "isoexp search needs what to search: 'optimizer.lr=tag(log,interval(1e-4,1e-1))', "
            "activation=tanh,iso_tanh"
        )
    for key, times in Counter(parameter.key for parameter in space).items():
        if times > 1:
            raise UserError(f"{key} is searched once, got it {times} times")

    return space, plain


def _parameter(override: Override, of_group: Iterable[str] | None) -> Parameter:
    text, value = override.input_line or "", override.value()
    key, root = text.partition("=")[0], override.key_or_group.partition(".")[0]
    if root == "seed":
        raise UserError(f"{text} would search for luck: seeds=3 takes the mean of three networks")
    if not counts(root):
        raise UserError(f"{root} does not change the numbers of a network: give it one value")

    if isinstance(value, IntervalSweep) and of_group is not None:
        raise UserError(f"{key} has choices, no numbers: list them, {key}=a,b")
    if isinstance(value, IntervalSweep | RangeSweep):
        return _interval(key, text, value)
    _check_tags(text, value, ())
    values = [each.partition("=")[2] for each in options(override, of_group or ())]
    if not values:
        raise UserError(f"{text} stands for no choice; isoexp list {key} shows them")

    return Choice(key, tuple(dict.fromkeys(values)))


def _interval(key: str, text: str, value: IntervalSweep | RangeSweep) -> Interval:
    low: Any
    high: Any
    log = "log" in value.tags
    if isinstance(value, RangeSweep):
        _check_tags(text, value, ("log",))
        values = sorted(value.range())
        if not values:
            raise UserError(f"{text} has no values: a range ends before its second number")
        low, high, step = values[0], values[-1], abs(value.step)
        if log and step != 1:
            raise UserError(f"{text}: by logarithm only steps of 1 can be taken; use interval")
        if not all(isinstance(each, int) for each in values):
            low, high, step = float(f"{low:.12g}"), float(f"{high:.12g}"), float(step)
    else:
        _check_tags(text, value, ("log", "int"))
        low, high, step = value.start, value.end, None
        if "int" in value.tags or isinstance(low, int):
            low, high, step = int(low), int(high), 1
        if not low < high:
            raise UserError(f"{text} must span from a smaller to a larger number")
    if log and low <= 0:
        raise UserError(f"{text}: what has a logarithm is positive, got {low:g}")

    return Interval(key, low, high, log, step)


def _check_tags(text: str, value: Any, known: Sequence[str]) -> None:
    for tag in sorted(getattr(value, "tags", set()) - set(known)):
        near = did_you_mean(tag, known) or (f"; known are {', '.join(known)}" if known else "")
        raise UserError(f"{text}: there is no tag {tag} of such values{near}")
