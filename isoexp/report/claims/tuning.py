"""Tuning: how each arm gets settings of its own."""

__all__ = ["Tuning"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .reading import filled, wrong


@dataclass(frozen=True)
class Tuning:
    """How each arm gets settings of its own, by seeds that are not looked at again.

    Arguments:
        grid: The values of each setting; all combinations are tried. An arm that sets one of them
            itself keeps it.
        metric: What is best on the validation split, by the key of the summary.
        seeds: The number of networks for each combination.
    """

    grid: Mapping[str, Sequence[Any]]
    metric: str
    seeds: int

    @property
    def sign(self) -> int:
        """1 if larger values of the metric are better, else −1."""

        return -1 if self.metric.endswith("/loss") else 1

    @classmethod
    def read(cls, node: Any, claim: str) -> Self:
        """Reads the tuning of a claim."""

        tuning = cls(**filled(cls, node, {}, f"claim {claim}: tuning"))
        if not tuning.metric.startswith("valid/"):
            told = "on the validation split, like valid/accuracy"
            raise wrong(claim, "tuning.metric", told, tuning.metric)
        if tuning.seeds < 1:
            raise wrong(claim, "tuning.seeds", "at least 1", tuning.seeds)
        for key, values in tuning.grid.items():
            if not isinstance(values, Sequence) or isinstance(values, str) or not values:
                raise wrong(claim, f"tuning.grid.{key}", "a list of values", values)

        return tuning
