"""The terms of a claim: the numbers taken of each run, how they are compared, tuned and drawn.

A contrast of arms is Σ w_a m_{a,s}, one number for each seed s.
"""

__all__ = [
    "DECIDES", "EXPECTATIONS", "KINDS", "ROLES", "UNITS", "Comparison", "Metric", "Plot", "Tuning",
    "check_choice", "checked", "expectation", "key_of", "overrides", "wrong",
]  # fmt: skip

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from math import degrees, isfinite
from typing import Any, Self, get_origin

from ..errors import UserError, did_you_mean
from ..names import check_name

TAKES = ("mean", "median", "min", "max", "sum", "first", "last")
"""The ways in which rows of a table become one number."""

EXPECTATIONS = {
    "greater": ("above 0 by at least {:g}", "above 1 by a factor of at least {:g}"),
    "less": ("below 0 by at least {:g}", "below 1 by a factor of at least {:g}"),
    "equal": ("equal to 0 within ±{:g}", "within a factor of {:g} of 1"),
    "within": ("every value within ±{:g}", "every value within a factor of {:g} of 1"),
    "beyond": ("every value beyond ±{:g}", "every value beyond a factor of {:g} of 1"),
}
"""The expectations of a contrast, each as it is said of a margin, and of a ratio's."""

ROLES = ("decides", "control", "beside")
"""A comparison is for the verdict, for the trust in it (it must be supported), or the reader."""

DECIDES = ("all", "any")
"""A claim is that all comparisons which decide are as expected, or that any is."""

SAYS = ("supported", "contradicted", "none")
"""Outcomes that a comparison may put into words: none is no effect that counts."""

UNITS = {"points": (100.0, "%"), "%": (100.0, "%"), "°": (degrees(1.0), "°")}
"""Units in which numbers are shown: their factor, and the unit of a number that is no difference.

Fractions are shown in %, their differences in points; angles in rad are shown in degrees.
"""

KINDS: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"), bool: (bool, "true or false"),
    int: (int, "a whole number"), float: ((int, float), "a number"),
    Mapping: (Mapping, "values by name"), Sequence: (Sequence, "a list"),
}  # fmt: skip
"""The classes of values of a type, and its name for the reader."""

TERM = re.compile(r"\s*([+-]?)\s*(?:(\d+(?:\.\d+)?)\s+)?([a-zA-Z]\w*)")


def expectation(expects: str, margin: float, log: bool = False) -> str:
    """Puts an expectation into words; of a ratio, if the contrast is one of logarithms."""

    told = EXPECTATIONS[expects][log].format(margin)

    return told.removesuffix(" by a factor of at least 1" if log else " by at least 0")


def checked(cls: Any, node: Any, defaults: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns the fields of a dataclass that a node gives.

    Raises:
        UserError: If one is unknown, missing, or of another type.
    """

    if not isinstance(node, Mapping):
        raise UserError(f"{where} must have keys of its own, got {node!r}")
    hints = {field.name: field.type for field in fields(cls) if field.default is MISSING}
    for key in node:
        if key not in hints:
            near = did_you_mean(str(key), hints) or f"; it has {', '.join(hints)}"
            raise UserError(f"{where}: there is no key {key}{near}")
    found = {**defaults, **node}
    for key, hint in hints.items():
        if key not in found:
            raise UserError(f"{where}: {key} may not be left out")
        value = found[key]
        kind, told = KINDS.get(get_origin(hint) or hint, (object, ""))
        if told and (not isinstance(value, kind) or isinstance(value, bool) != (hint is bool)):
            raise UserError(f"{where}: {key} must be {told}, got {value!r}")

    return {key: found[key] for key in hints}


def overrides(node: Any, claim: str) -> list[str]:
    """Returns the overrides that a node gives, in a list or as one text."""

    found = node.split() if isinstance(node, str) else node
    if not isinstance(found, Sequence) or not all(isinstance(each, str) for each in found):
        raise wrong(claim, "overrides", "like activation=tanh", node)

    return list(found)


def key_of(override: str) -> str:
    """Returns the key that an override sets."""

    return override.partition("=")[0].lstrip("+")


def check_choice(claim: str, key: str, choices: Collection[str], given: Any) -> None:
    """Checks that a value is one of several."""

    if given not in choices:
        raise wrong(claim, key, f"one of {', '.join(choices)}", given)


def wrong(claim: str, key: str, told: str, given: Any) -> UserError:
    """Returns the error of a key that must be something else than it is."""

    return UserError(f"claim {claim}: {key} must be {told}, got {given!r}")


@dataclass(frozen=True)
class Metric:
    """One number of a run.

    Arguments:
        of: summary, metrics, or the name of a probe's table.
        column: A key of the summary, or a column of the table.
        where: The rows that count: of columns a value, a list of values, or a condition ">= 1".
        minus: If given, the number of the rows that have this instead is subtracted.
        take: mean | median | min | max | sum | first | last of those rows.
        log: Whether it is compared by ratios: contrasts are of its natural logarithm.
        unit: The unit in which it is shown, one of UNITS, or the one that it is in.
    """

    of: str
    column: str
    where: Mapping[str, Any]
    minus: Mapping[str, Any]
    take: str
    log: bool
    unit: str
    words: str

    @classmethod
    def read(cls, node: Any, name: str, claim: str) -> Self:
        """Reads a metric: the key of a summary, or all of its fields."""

        if isinstance(node, str):
            node = {"of": "summary", "column": node}
        defaults = {"where": {}, "minus": {}, "take": "mean", "log": False, "unit": ""}
        defaults["words"] = name
        metric = cls(**checked(cls, node, defaults, f"claim {claim}: metrics.{name}"))
        check_choice(claim, f"metrics.{name}.take", TAKES, metric.take)
        check_name(f"claim {claim}: metrics.{name}.of", metric.of)

        return metric

    @property
    def factor(self) -> float:
        """The factor by which it is shown."""

        return UNITS.get(self.unit, (1.0, ""))[0]


@dataclass(frozen=True)
class Comparison:
    """A contrast of arms by seed, and the expectation of it.

    Arguments:
        contrast: As it is written: iso_tanh - tanh.
        expects: greater | less | equal | within | beyond.
        margin: The smallest effect that counts; of a logarithm, as a ratio above one.
        role: decides | control | beside.
        against: The value under the null hypothesis, subtracted from the contrast.
        words: The question, for the reader.
        label: Its name, for the reader; the contrast unless given.
        says: What each outcome of SAYS means, in a clause of a sentence; {} stands for the label
            and the effect, or for those of all comparisons that say the same.
        spread: The standard deviation of the contrast by seed, of logarithms if it is of a ratio,
            as far as it is known before: for the power. 0 if it is not.
    """

    contrast: str
    metric: str
    expects: str
    margin: float
    role: str
    against: float
    words: str
    label: str
    says: Mapping[str, str]
    spread: float

    @property
    def weights(self) -> dict[str, float]:
        """The weight w_a of each arm in "a - b", "0.5 a + 0.5 b - c"; {} if it is no contrast."""

        weights: dict[str, float] = {}
        place = 0
        while match := TERM.match(self.contrast, place):
            sign, size, arm = match.groups()
            if (place and not sign) or arm in weights:
                return {}
            weights[arm] = float(size or 1) * (-1 if sign == "-" else 1)
            place = match.end()

        return {} if self.contrast[place:].strip() else weights

    @classmethod
    def read(
        cls, node: Any, claim: str, arms: Collection[str], metrics: Mapping[str, Metric]
    ) -> Self:
        """Reads a comparison; its arms and its metric must be there."""

        where = f"claim {claim}: comparisons"
        defaults = {"role": "decides", "against": 0.0, "words": "", "label": "", "says": {}}
        defaults["spread"] = 0.0
        found = cls(**checked(cls, node, defaults, where))
        if not found.weights:
            raise wrong(claim, "comparisons.contrast", "like iso_tanh - tanh", found.contrast)
        for arm in found.weights:
            if arm not in arms:
                near = did_you_mean(arm, arms)
                raise UserError(f"{where}: there is no arm {arm} in {found.contrast!r}{near}")
        if found.metric not in metrics:
            near = did_you_mean(found.metric, metrics)
            raise UserError(f"{where}: there is no metric {found.metric}{near}")
        check_choice(claim, "comparisons.expects", EXPECTATIONS, found.expects)
        check_choice(claim, "comparisons.role", ROLES, found.role)
        ratio = metrics[found.metric].log
        least = 1.0 if ratio else 0.0
        if not (isfinite(found.margin) and found.margin >= least):
            told = f"at least {least:g}" + (", being of a ratio" if ratio else "")
            raise wrong(claim, "comparisons.margin", told, found.margin)
        if ratio and found.against < 0:
            raise wrong(claim, "comparisons.against", "positive, being of a ratio", found.against)
        if not (isfinite(found.spread) and found.spread >= 0):
            raise wrong(claim, "comparisons.spread", "at least 0", found.spread)
        for outcome, told in found.says.items():
            check_choice(claim, "comparisons.says", SAYS, outcome)
            if not isinstance(told, str) or not told.strip() or told.count("{}") > 1:
                form = "a text with {} for the labels, once"
                raise wrong(claim, f"comparisons.says.{outcome}", form, told)
        if found.expects == "equal" and found.margin == least:
            raise UserError(f"{where}: nothing is known to be equal to a margin of {least:g}")

        return found


@dataclass(frozen=True)
class Tuning:
    """The search for settings of each arm, by seeds that are not looked at again.

    Arguments:
        grid: The values of each setting; all combinations are tried. An arm that sets one of them
            itself keeps it.
        space: Instead, the range of each setting, (low, high), even in its logarithm if above 0.
        arms: Settings that only some arms have, beside those of all, by arm.
        trials: The number of points of a space that each arm tries.
        metric: The key of the summary that is best on the validation split.
        seeds: The number of networks for each trial.
    """

    grid: Mapping[str, Sequence[Any]]
    space: Mapping[str, Sequence[Any]]
    arms: Mapping[str, Mapping[str, Sequence[Any]]]
    trials: int
    metric: str
    seeds: int

    @classmethod
    def read(cls, node: Any, claim: str, arms: Collection[str] = ()) -> Self:
        """Reads the tuning of a claim that has some arms."""

        defaults = {"grid": {}, "space": {}, "arms": {}, "trials": 0}
        tuning = cls(**checked(cls, node, defaults, f"claim {claim}: tuning"))
        if not tuning.metric.startswith("valid/"):
            told = "on the validation split, like valid/accuracy"
            raise wrong(claim, "tuning.metric", told, tuning.metric)
        if tuning.seeds < 1:
            raise wrong(claim, "tuning.seeds", "at least 1", tuning.seeds)
        if tuning.grid and tuning.space:
            raise wrong(claim, "tuning", "a grid or a space", "both")
        if tuning.space and tuning.trials < 2:
            raise wrong(claim, "tuning.trials", "at least 2, of a space", tuning.trials)
        if tuning.trials and not tuning.space:
            raise wrong(claim, "tuning.trials", "left out without a space", tuning.trials)
        for arm, own in tuning.arms.items():
            if arms and arm not in arms:
                near = did_you_mean(arm, arms)
                raise UserError(f"claim {claim}: tuning.arms: there is no arm {arm}{near}")
            if not isinstance(own, Mapping):
                raise wrong(claim, f"tuning.arms.{arm}", "settings of its own", own)
        for settings in (tuning.grid, tuning.space, *tuning.arms.values()):
            for key, values in settings.items():
                if not isinstance(values, Sequence) or isinstance(values, str) or not values:
                    raise wrong(claim, f"tuning: {key}", "a list of values", values)
                if tuning.space and not _is_range(values):
                    raise wrong(claim, f"tuning: {key}", "a range, [low, high]", values)

        return tuning

    def left_to(self, overrides: Sequence[str], arm: str = "") -> dict[str, Sequence[Any]]:
        """Returns the values, or the ranges, of the settings that an arm's overrides leave open."""

        set_by_arm = {key_of(each) for each in overrides}
        offered = {**(self.grid or self.space), **self.arms.get(arm, {})}

        return {key: values for key, values in offered.items() if key not in set_by_arm}


def _is_range(values: Sequence[Any]) -> bool:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]

    return len(values) == len(numbers) == 2 and isfinite(sum(numbers)) and numbers[0] < numbers[1]


@dataclass(frozen=True)
class Plot:
    """A figure: the mean over seeds of a column y against a column x, a curve for each arm.

    Arguments:
        of: metrics, or the name of a probe's table; its rows of one x are averaged.
        where: The rows that count, as of a metric.
    """

    of: str
    x: str
    y: str
    where: Mapping[str, Any]
    log_x: bool
    arms: Sequence[str]

    @classmethod
    def read(cls, node: Any, claim: str, arms: Sequence[str]) -> Self:
        """Reads a plot; it draws all arms unless it names some."""

        defaults = {"where": {}, "log_x": False, "arms": list(arms)}
        plot = cls(**checked(cls, node, defaults, f"claim {claim}: curve"))
        check_name(f"claim {claim}: curve.of", plot.of)
        for arm in plot.arms:
            if arm not in arms:
                raise wrong(claim, "curve.arms", f"of {', '.join(arms)}", arm)

        return plot
