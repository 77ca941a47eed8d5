"""An answer: what the values of one comparison say to what was expected of them."""

__all__ = ["EXPECTATIONS", "NULL", "Answer", "Outcome", "asked"]

from dataclasses import dataclass
from typing import Literal

from ..statistics import Estimate

Outcome = Literal["supported", "contradicted", "no effect larger than the margin", "inconclusive"]

NULL: Outcome = "no effect larger than the margin"

EXPECTATIONS = {
    "greater": "above 0 by at least {:g}",
    "less": "below 0 by at least {:g}",
    "equal": "equal to 0 within ±{:g}",
    "within": "every value within ±{:g}",
    "beyond": "every value beyond ±{:g}",
}
"""What may be expected, and what is said of it."""


@dataclass(frozen=True)
class Answer:
    """What the values of one comparison say.

    Arguments:
        expects: What was expected.
        margin: The smallest effect that counts.
        n: The number of values.
        estimate: Their mean; of within the largest in size, of beyond the smallest; NaN of none.
        low: The lower end of the t interval; of within and beyond, of the values.
        high: The upper end.
        level: The level of the interval, which is not adjusted for other comparisons.
        method: What estimate and interval are, in words.
        verdict: The verdict.
        words: All of it in a line.
        p: The p-value that the mean is 0, by t.
        p_holm: The same, adjusted for all comparisons that were asked for.
        p_permutation: The same by sign flips, not adjusted.
        p_permutation_smallest: The least that sign flips of these values can give.
        p_equivalence: The p-value that the mean is not within ±margin.
        effect: The mean in standard deviations, Hedges' d_z.
        seeds_needed: Of what is inconclusive: how many seeds tell an effect of the margin from none
            with power 0.8, the test of it being adjusted for all comparisons. None if there are so
            many already: then the effect is too near the margin to be told from it.
    """

    expects: str
    margin: float
    n: int
    estimate: float
    low: float
    high: float
    level: float
    method: str
    verdict: Outcome
    words: str
    p: float | None = None
    p_holm: float | None = None
    p_permutation: float | None = None
    p_permutation_smallest: float | None = None
    p_equivalence: float | None = None
    effect: Estimate | None = None
    seeds_needed: int | None = None


def asked(expects: str, margin: float) -> str:
    """Returns what is expected, in words."""

    return EXPECTATIONS[expects].format(margin).removesuffix(" by at least 0")
