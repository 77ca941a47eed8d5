"""The settings of a search, checked."""

__all__ = ["SearchSettings"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..config.fields import checked
from ..errors import UserError
from ..store.tables import SCORES


@dataclass(frozen=True)
class SearchSettings:
    """The keys below search; conf/config.yaml explains each."""

    trials: int
    ask: int
    metric: Literal["valid/loss", "valid/accuracy", "valid/r2"] | None
    sampler: Literal["tpe", "random"]
    seed: int
    prune: Literal["none", "median", "successive_halving"]

    @classmethod
    def of(cls, node: Any) -> "SearchSettings":
        """Checks the keys below search.

        Raises:
            UserError: If a key is unknown, missing, of the wrong type or out of range.
        """

        metric = node.get("metric") if isinstance(node, Mapping) else None
        if str(metric).startswith(("test/", "probe/")):
            raise UserError(
                f"search.metric={metric} would choose by the test split, which is for the final "
                "numbers and for probes: choose by the validation split, like valid/loss"
            )
        settings = checked(cls, node, "search")
        for key, least in (("trials", 1), ("ask", 1), ("seed", 0)):
            if node[key] < least:
                raise UserError(f"search.{key} must be at least {least}, got {node[key]}")

        return settings

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether a small value of the metric is good, or a large one."""

        return "minimize" if self.metric == "valid/loss" else "maximize"

    def of_run(self, numbers: Mapping[str, Any]) -> float:
        """Returns the metric among the numbers of a run."""

        (key,) = (self.metric,) if self.metric else (key for key in SCORES if key in numbers)

        return numbers[key]
