"""Learning rate schedules: a factor of the rate, as a function of the share of training done."""

__all__ = ["Constant", "Cosine"]

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Constant:
    """The full rate, after a linear warm-up from zero over a share of the updates in [0, 1)."""

    warmup: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup must be a share in [0, 1), got {self.warmup:g}")

    def __call__(self, step: int, total: int) -> float:
        """Returns the factor at an update, from 1 to total."""

        return min(1.0, step / (self.warmup * total)) if self.warmup > 0 else 1.0


@dataclass(frozen=True)
class Cosine(Constant):
    """Half a cosine from the full rate down to a floor in [0, 1], after a linear warm-up."""

    warmup: float = 0.05
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()

        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor must lie between 0 and 1, got {self.floor:g}")

    def __call__(self, step: int, total: int) -> float:
        start = self.warmup * total
        if step <= start:
            return super().__call__(step, total)

        # From the update before this one: the last update is not wasted on a rate of zero.
        t = max(0.0, step - 1 - start) / (total - start)

        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * t)) / 2
