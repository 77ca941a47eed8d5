"""Comparisons: contrasts of arms, and what is expected of them."""

__all__ = ["EXPECTS", "ROLES", "Comparison"]

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Self

from ...errors import UserError, did_you_mean
from .metric import Metric
from .reading import filled, wrong

EXPECTS = ("greater", "less", "equal", "within", "beyond")
"""What may be expected of a contrast: see `isoexp.report.verdicts`."""

ROLES = ("decides", "control", "beside")
"""What a comparison is for: the verdict, the trust in it, or the reader."""

TERM = re.compile(r"\s*([+-]?)\s*(?:(\d+(?:\.\d+)?)\s+)?([a-zA-Z]\w*)")


@dataclass(frozen=True)
class Comparison:
    """A contrast of arms, Σ w_a m_{a,s} for each seed s, and what is expected of it.

    Arguments:
        contrast: The contrast in words: iso_tanh - tanh.
        metric: The name of the metric m.
        expects: greater | less | equal | within | beyond.
        margin: The smallest effect that counts; of a logarithm, as a ratio above one.
        role: decides | control | beside.
        against: What is subtracted from the contrast: the value under the null.
        words: What is asked, for the reader.
    """

    contrast: str
    metric: str
    expects: str
    margin: float
    role: str
    against: float
    words: str

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each arm."""

        return _weights(self.contrast) or {}

    @classmethod
    def read(
        cls, node: Any, claim: str, arms: Sequence[str], metrics: Mapping[str, Metric]
    ) -> Self:
        """Reads a comparison; its arms and its metric must be there."""

        where = f"claim {claim}: comparisons"
        given = {"role": "decides", "against": 0.0, "words": ""}
        found = cls(**filled(cls, node, given, where))
        weights = _weights(found.contrast)
        if not weights:
            raise wrong(claim, "comparisons.contrast", "like iso_tanh - tanh", found.contrast)
        for arm in weights:
            if arm not in arms:
                near = did_you_mean(arm, arms)
                raise UserError(f"{where}: there is no arm {arm} in {found.contrast!r}{near}")
        if found.metric not in metrics:
            near = did_you_mean(found.metric, metrics)
            raise UserError(f"{where}: there is no metric {found.metric}{near}")
        for key, choices in (("expects", EXPECTS), ("role", ROLES)):
            if getattr(found, key) not in choices:
                told = f"one of {', '.join(choices)}"
                raise wrong(claim, f"comparisons.{key}", told, getattr(found, key))
        least = 1.0 if metrics[found.metric].log else 0.0
        if not (isfinite(found.margin) and found.margin >= least):
            told = f"at least {least:g}" + (", being of a ratio" if least else "")
            raise wrong(claim, "comparisons.margin", told, found.margin)
        if metrics[found.metric].log and found.against < 0:
            raise wrong(claim, "comparisons.against", "positive, being of a ratio", found.against)
        if found.expects == "equal" and found.margin == least:
            raise UserError(f"{where}: nothing is known to be equal to a margin of {least:g}")

        return found


def _weights(contrast: str) -> dict[str, float] | None:
    """Returns the weight of each arm in "a - b", "0.5 a + 0.5 b - c"; None if it is not one."""

    weights: dict[str, float] = {}
    place = 0
    while match := TERM.match(contrast, place):
        sign, size, arm = match.groups()
        if (place and not sign) or arm in weights:
            return None
        weights[arm] = float(size or 1) * (-1 if sign == "-" else 1)
        place = match.end()

    return weights if not contrast[place:].strip() else None
