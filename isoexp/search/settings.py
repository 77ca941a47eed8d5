"""The settings of a search, checked."""

__all__ = ["SCORES", "Searching"]

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import UserError
from ..experiment.settings import check_fields

SCORES = ("valid/accuracy", "valid/r2")
"""The scores of tasks; each has one."""


@dataclass(frozen=True)
class Searching:
    """What a search is told besides its space. See conf/config.yaml for each line."""

    trials: int
    ask: int
    metric: Literal["valid/loss", "valid/accuracy", "valid/r2"] | None
    sampler: Literal["tpe", "random"]
    seed: int
    prune: Literal["none", "median", "successive_halving"]

    @classmethod
    def of(cls, node: Any) -> "Searching":
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
        check_fields(cls, node, "search")
        for key, least in (("trials", 1), ("ask", 1), ("seed", 0)):
            if node[key] < least:
                raise UserError(f"search.{key} must be at least {least}, got {node[key]}")

        return cls(**node)

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """Whether a small value of the metric is good, or a large one."""

        return "minimize" if self.metric == "valid/loss" else "maximize"

    def of_run(self, numbers: Mapping[str, Any]) -> float:
        """Returns the metric among the numbers of a run."""

        (key,) = (self.metric,) if self.metric else (key for key in SCORES if key in numbers)

        return numbers[key]
