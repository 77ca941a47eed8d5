"""Numbers in the unit that a metric is shown in, with the digits that their interval warrants.

The width of an interval is told to two digits, and its estimate to the last place of these.
"""

__all__ = [
    "EXACT",
    "Triple",
    "amount",
    "behind",
    "bounded",
    "effect",
    "in_unit",
    "rounded",
    "titled",
]

import re
from collections.abc import Callable
from math import floor, inf, isfinite, isnan, log10
from typing import Any

from ..claims import Metric
from ..claims.terms import UNITS
from ..statistics import in_digits

DIGITS = 2
"""Digits of what has no interval."""

EXACT = 3
"""Digits of what people have chosen, margins and the like."""

TINY = 1e-4
"""Smaller numbers are told by their power of ten."""

POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Triple = tuple[float, float, float]


def titled(metric: Metric) -> str:
    """Names a metric with the unit of its values."""

    unit = UNITS.get(metric.unit, (1.0, metric.unit))[1]

    return f"{metric.words} ({unit})" if unit else metric.words


def in_unit(value: float, metric: Metric) -> float:
    """Returns a number in the unit shown; a ratio has none."""

    return value if metric.log else metric.factor * value


def bounded(triple: Triple, factor: float = 1.0, unit: str = "") -> str:
    """Writes an estimate with its interval, times a factor; a dash where there is none."""

    if isnan(triple[0]):
        return "–"
    a, b, c = (factor * each for each in triple)
    estimate, bracket, ends = in_digits(a, b, c).partition(" [")
    estimate = _set(estimate)

    return f"{estimate}{behind(estimate, unit)}{bracket}{_set(ends)}"


def effect(triple: Triple, metric: Metric) -> str:
    """Writes an effect with its interval: −2.29 points [−2.66, −1.92], × 1.37 [1.35, 1.39]."""

    return f"× {bounded(triple)}" if metric.log else bounded(triple, metric.factor, metric.unit)


def amount(
    value: float,
    metric: Metric,
    how: Callable[[float], Any] = round,
    digits: int = DIGITS,
    unit: bool = True,
) -> str:
    """Writes a number of a metric that has no interval: 0.57°, 36 points, 2·10⁻¹⁴, 256.

    Arguments:
        how: round, or floor and ceil, of the digits that are left out.
    """

    found = in_unit(value, metric)
    if not isfinite(found) or found == int(found):
        told = _decimal(found, 0)
    else:
        found = rounded(found, how, digits)
        told = _decimal(found, digits - 1 - floor(log10(abs(found))))
        told = told if "·" in told or "." not in told else told.rstrip("0").rstrip(".")

    return told + behind(told, metric.unit if unit and not metric.log else "")


def rounded(value: float, how: Callable[[float], Any] = round, digits: int = EXACT) -> float:
    """Rounds a number to digits that count."""

    if value == 0 or not isfinite(value):
        return value
    places = digits - 1 - floor(log10(abs(value)))
    # Of what is a power of ten but for its last bits neither floor nor ceil makes another.
    whole = how(round(value * 10.0**places, 6))

    return float(f"{whole}e{-places}")


def _decimal(value: float, decimals: int) -> str:
    """Writes a number with decimals, tiny ones by a power of ten, with a true minus."""

    if isnan(value):
        return "–"
    if value in (inf, -inf):
        return "∞" if value > 0 else "−∞"
    if value and abs(value) < TINY and decimals > 4:
        digits = max(0, decimals + floor(log10(abs(value))))
        mantissa, _, power = f"{value:.{digits}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        told = f"{mantissa}·10{str(int(power)).translate(POWERS)}"
    else:
        told = f"{round(value, decimals):.{max(0, decimals)}f}"

    return told.replace("-", "−") if float(told.partition("·")[0]) else told.lstrip("-")


def _set(told: str) -> str:
    """Sets a number, or several, as print does: true minus signs, powers of ten."""

    def power(found: re.Match[str]) -> str:
        return f"·10{str(int(found[1])).translate(POWERS)}"

    return re.sub(r"e([-+]\d+)", power, told.replace("-", "−").replace("e−", "e-"))


def behind(told: str, unit: str) -> str:
    """Returns a unit as it stands behind a number; one point is no points."""

    if unit == "points" and told.lstrip("−") == "1":
        unit = "point"

    return unit if unit in ("", "°") else f" {unit}"
