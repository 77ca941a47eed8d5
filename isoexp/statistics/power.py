"""Power: how often n seeds find an effect, and the least n that finds it as often as asked.

    difference     P(T > t(½ + level/2)),          T ~ t(n − 1; δ),    δ = margin / e
    equivalence    at least 2 P(T > t(level)) − 1, of the same T, if there is no effect

t(q) is a quantile of Student's law, and e² = s²/n + f², with the floor f of an error that the seeds
share; with one, no n may be enough. The second is a bound, of two tests that must both pass: its n
is never too small.

Source: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988); Phillips, Power of the
Two One-Sided Tests Procedure in Bioequivalence (1990).
"""

__all__ = ["power_of_difference", "seeds_for_difference", "seeds_for_equivalence"]

from bisect import bisect_left
from collections.abc import Callable
from math import ceil, copysign, hypot, inf, isfinite, sqrt

from scipy.special import nctdtr, stdtrit

from .results import SampleSize

LARGEST_DF = 1e9
"""From here on Student's law is the normal one, in double precision."""

LARGEST_SHIFT = 1e4
"""A δ from where on every test passes."""


def power_of_difference(
    n: int, spread: float, shift: float, level: float = 0.95, floor: float = 0.0
) -> float:
    """Returns how often the two-sided interval of a mean that is off by a shift lies above.

    With a shift of effect − margin that is how often an effect clears its margin.

    Arguments:
        n: The number of seeds, 2 or more.
        spread: The standard deviation of the values.
        level: The level of the interval.
        floor: The part of the standard error that no number of seeds lowers.
    """

    return _passes(n, hypot(spread, sqrt(n) * floor), shift, (1 + level) / 2)


def seeds_for_difference(
    spread: float, margin: float, level: float = 0.95, power: float = 0.8, floor: float = 0.0
) -> SampleSize:
    """Returns how many seeds a two-sided t test needs to tell a mean of ±margin from 0.

    Arguments:
        spread: The standard deviation of the values.
        level: 1 − α, of the test.
        power: The share of studies that find it.
        floor: The part of the standard error that no number of seeds lowers.

    Raises:
        ValueError: If the margin is not above 0, the spread is below 0 or not finite, or no number
            of seeds is enough.
    """

    what = f"noncentral t power of a two-sided t test, for a mean of {margin:g} at s = {spread:g}"

    return _least(lambda passes: passes, (spread, floor), margin, (1 + level) / 2, power, what)


def seeds_for_equivalence(
    spread: float, margin: float, level: float = 0.95, power: float = 0.8, floor: float = 0.0
) -> SampleSize:
    """Returns how many seeds TOST needs to show that a mean of 0 is within ±margin.

    It takes the arguments, and raises the errors, of `seeds_for_difference`.
    """

    what = f"noncentral t power of TOST within {margin:g}, for a mean of 0 at s = {spread:g}"

    def both(passes: float) -> float:
        return max(0.0, 2 * passes - 1)

    return _least(both, (spread, floor), margin, level, power, what)


def _least(
    power_of: Callable[[float], float],
    errors: tuple[float, float],
    margin: float,
    quantile: float,
    power: float,
    method: str,
) -> SampleSize:
    """Returns the least n of a power that follows from P(T > t(quantile)), by spread and floor."""

    spread, floor = errors
    if not (margin > 0 and isfinite(margin)):
        raise ValueError(f"the margin must be above 0, got {margin:g}: no n finds an effect of 0")
    if not (spread >= 0 and isfinite(spread)):
        raise ValueError(f"the spread must be finite and not below 0, got {spread:g}")
    if not 0 <= floor < inf:
        raise ValueError(f"the floor must be finite and not below 0, got {floor:g}")
    if not 0 < power < 1:
        raise ValueError(f"the power must be between 0 and 1, got {power:g}")

    def found(n: int) -> float:
        return power_of(_passes(n, hypot(spread, sqrt(n) * floor), margin, quantile))

    if floor and found(ceil(LARGEST_DF) ** 2) < power:
        raise ValueError(f"no number of seeds finds {margin:g}: an error of {floor:g} stays")
    enough = 2  # one value has no power, ever
    while found(enough) < power:
        enough *= 2
    n = bisect_left(range(enough), power, lo=enough // 2 + 1, key=found)

    return SampleSize(n, found(n), method)


def _passes(n: int, spread: float, shift: float, quantile: float) -> float:
    """Returns P(T > t(quantile))."""

    df = min(n - 1, LARGEST_DF)
    delta = sqrt(n) * shift / spread if spread else copysign(LARGEST_SHIFT, shift) if shift else 0.0
    delta = max(-LARGEST_SHIFT, min(delta, LARGEST_SHIFT))

    return 1 - float(nctdtr(df, delta, stdtrit(df, quantile)))
