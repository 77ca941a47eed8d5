"""Student's t: the interval of a mean or of a difference of means, its test, its equivalence.

    t = (m − μ) / e,    e = s / √n    or, unpaired (Welch),    e² = s_x² / n_x + s_y² / n_y.

Values without any spread have no t. They are judged by rearrangement: under the null hypothesis n
differences all have one sign on a given side once in 2ⁿ, two arms part so once in (n_x + n_y choose
n_x). Their interval is a point where that is rare enough for its level, else the whole line, as is
that of one value alone. Rounding is no spread: what counts is the size of the numbers that a value
is a difference of, so arms that differ by their last bits are equal.

Source: Student, The Probable Error of a Mean (1908); Welch, The Generalization of "Student's"
Problem when Several Different Population Variances are Involved (1947); Schuirmann, A Comparison of
the Two One-Sided Tests Procedure and the Power Approach (1987).
"""

__all__ = ["Student", "apart", "difference", "identical", "mean", "mean_interval", "welch"]

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, hypot, inf, nan, sqrt

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

from .results import Estimate, PValue, Values, bounds, finite

SAME = 1e-12
"""Values whose range is this part of the largest are one value, but for the rounding of sums."""


@dataclass(frozen=True)
class Student:
    """An estimate whose error, in units of its standard error, has Student's law.

    Arguments:
        error: The standard error; 0 if the values have no spread, ∞ if one stands alone.
        rarity: The probability that chance alone puts values without spread on one side so.
        floor: The part of the error that no number of values lowers: they share it.
        over: What varies in the error.
    """

    n: int
    estimate: float
    error: float
    df: float
    rarity: float
    method: str
    floor: float = 0.0
    over: str = "seeds"

    def interval(self, level: float = 0.95) -> Estimate:
        """Returns the estimate with its interval m ± t e, t the quantile (1 + level) / 2."""

        if self.error == 0:
            half = 0.0 if 2 * self.rarity <= 1 - level else inf
        else:
            half = float(stdtrit(self.df, (1 + level) / 2)) * self.error
        low, high = self.estimate - half, self.estimate + half

        return Estimate(self.n, self.estimate, low, high, level, f"t interval of {self._told}")

    def test(self) -> PValue:
        """Tests, two-sided, the null hypothesis that the true value is 0."""

        if self.error == 0:
            p = min(1.0, 2 * self.rarity) if self.estimate else 1.0
            return PValue(self.n, p, min(1.0, 2 * self.rarity), f"rearrangement of {self._told}")
        p = 2 * float(stdtr(self.df, -abs(self.estimate) / self.error))

        return PValue(self.n, p, 0.0, f"two-sided t test of {self._told}")

    def equivalence(self, margin: float) -> PValue:
        """Tests the null hypothesis that the true value is not within ±margin.

        p is the larger of two one-sided t tests (TOST), and is below α if the interval of level
        1 − 2α is within ±margin.

        Raises:
            ValueError: If the margin is not above 0: nothing is shown to be exactly 0.
        """

        if not 0 < margin < inf:
            raise ValueError(f"the margin of an equivalence must be above 0, got {margin:g}")
        if self.error == 0:
            p = self.rarity if abs(self.estimate) < margin else 1.0
            return PValue(self.n, p, self.rarity, f"rearrangement of {self._told}, twice one-sided")
        p = float(stdtr(self.df, (abs(self.estimate) - margin) / self.error))

        return PValue(self.n, p, 0.0, f"two one-sided t tests (TOST) of {self._told}")

    @property
    def _told(self) -> str:
        return self.method + (", all of them identical" if self.error == 0 else "")


def mean(values: Values, scale: float = 0.0) -> Student:
    """Estimates the mean of values.

    Arguments:
        scale: The size of the numbers that the values are differences of, if they are.

    Raises:
        ValueError: If there is none, or one is not finite.
    """

    return _mean(finite(values), "the mean of {} values", scale)


def difference(terms: Sequence[np.ndarray]) -> tuple[Float[np.ndarray, " n"], float]:
    """Adds terms up, element by element; a sum that is their rounding is 0.

    Returns:
        The sums, NaN where a term is; and the size of the terms, 0 if there is but one.
    """

    total = np.sum(terms, axis=0)
    if len(terms) == 1:
        return total, 0.0
    sizes = np.max(np.abs(terms), axis=0)
    total[np.abs(total) <= SAME * sizes] = 0.0

    return total, float(np.nanmax(sizes, initial=0.0))


def mean_interval(values: Values, log: bool = False) -> tuple[float, float, float]:
    """Returns the mean of the finite values and its 95 % t interval; geometric, if log."""

    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if not len(found) or (log and found.min() <= 0):
        return nan, nan, nan

    return bounds(mean(np.log(found) if log else found).interval().triple, log)


def welch(x: Values, y: Values) -> Student:
    """Estimates the difference of the means of two arms with seeds of their own.

    Raises:
        ValueError: If an arm has no value, or one is not finite.
    """

    return apart(_mean(finite(x, "x"), "x"), _mean(finite(y, "y"), "y"))


def apart(a: Student, b: Student) -> Student:
    """Estimates the difference a − b of two means by Welch, each with an error of its own.

    What both share, of the items that they were tested on, is counted twice: the error is never
    too small.
    """

    error = hypot(a.error, b.error)
    if 0 < error < inf:
        df = error**4 / sum(each.error**4 / each.df for each in (a, b))
    else:
        df = min(a.df, b.df)
    rarity = 1 / comb(a.n + b.n, a.n)
    method = f"the difference of the means of {a.n} and of {b.n} values, by Welch"
    difference = _unless_rounding(a.estimate - b.estimate, max(abs(a.estimate), abs(b.estimate)))
    floor, over = hypot(a.floor, b.floor), " and ".join(dict.fromkeys((a.over, b.over)))

    return Student(a.n + b.n, difference, error, df, rarity, method, floor, over)


def identical(values: Float[np.ndarray, " n"], scale: float = 0.0) -> bool:
    """Tells whether values are one and the same, to rounding at their size or at a larger scale."""

    return bool(np.ptp(values) <= SAME * max(np.abs(values).max(), scale))


def _mean(values: Float[np.ndarray, " n"], what: str, scale: float = 0.0) -> Student:
    n = len(values)
    if n == 0:
        raise ValueError("a mean must have values, got none: run some seeds")
    error = inf if n == 1 else float(values.std(ddof=1)) / sqrt(n)
    error = 0.0 if n > 1 and identical(values, scale) else error
    estimate = _unless_rounding(float(values.mean()), scale)

    return Student(n, estimate, error, max(1, n - 1), 0.5**n, what.format(n))


def _unless_rounding(difference: float, scale: float) -> float:
    """Returns a difference of numbers of a size; 0 if it is the rounding of them."""

    return 0.0 if abs(difference) <= SAME * scale else difference
