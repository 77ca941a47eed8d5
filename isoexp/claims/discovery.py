"""The verdicts of many claims together: how many of those that are decided may be wrong.

A verdict by itself errs in 5 of 100 claims of which it says what is not so. Of m verdicts, kept are
those with p_(i) ≤ q i / (m Σ_j 1/j), up to the largest such i: a share q of them, at most, is
expected to be wrong, however they depend on each other (they share runs and data).

Source: Benjamini and Yekutieli, The Control of the False Discovery Rate in Multiple Testing under
Dependency (2001).
"""

__all__ = ["RATE", "Discoveries", "discoveries"]

from collections.abc import Sequence
from dataclasses import dataclass

from .decision import Decision

RATE = 0.05
"""q, the share of verdicts that may be expected to be wrong."""


@dataclass(frozen=True)
class Discoveries:
    """Decided claims.

    Arguments:
        kept: Those of which a share RATE is wrong, at most.
        alone: Those that are decided by themselves only.
        asked: How many claims intervals have a say in, the open ones included.
    """

    kept: Sequence[Decision]
    alone: Sequence[Decision]
    asked: int

    @property
    def line(self) -> str:
        """Says how many verdicts hold together."""

        decided = len(self.kept) + len(self.alone)
        if not decided or self.asked < 2:
            return ""
        told = (
            f"Of the verdicts read off intervals {len(self.kept)} of {decided} hold together, with "
            f"a false discovery rate of at most {100 * RATE:g} % (Benjamini and Yekutieli, "
            "whatever their dependence)"
        )
        if self.alone:
            names = ", ".join(each.evidence.claim.name for each in self.alone)
            told += (
                f"; decided by {'itself' if len(self.alone) == 1 else 'themselves'} only: {names}"
            )

        return f"{told}."


def discoveries(decisions: Sequence[Decision]) -> Discoveries:
    """Parts the verdicts of a page by whether they hold together."""

    from scipy.stats import false_discovery_control  # takes seconds to import: for those who ask

    # An open claim was asked, too: its p-value is only known not to be small.
    asked = [d for d in decisions if any(each.averaged for each in d.deciding)]
    p = [1.0 if d.verdict.p is None else d.verdict.p for d in asked]
    rates = false_discovery_control(p, method="by") if asked else []
    decided = [(d, rate) for d, rate in zip(asked, rates, strict=True) if d.verdict.p is not None]

    return Discoveries(
        [d for d, rate in decided if rate <= RATE],
        [d for d, rate in decided if rate > RATE],
        len(asked),
    )
