"""The contract of initializers with a gain."""

__all__ = ["Scaled"]

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Scaled(ABC):
    """Abstract initializer: sets W by its law, and b = 0.

    Arguments:
        gain: The factor by which W is multiplied; under N(0, gain² / fan_in), by which a layer
            scales the root mean square of its input.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        if not self.gain > 0:
            raise ValueError(f"gain must be positive, got {self.gain:g}")

    def __call__(self, layer: nn.Module) -> None:
        self.draw_(layer.get_parameter("weight"))
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.get_parameter("bias"))

    @abstractmethod
    def draw_(self, weight: Tensor) -> None:
        """Sets W, of shape outputs × inputs or outputs × inputs × area."""
