"""Gradient descent along the direction of its momentum, whatever the momentum's length.

    m ← μ m + (1 − μ) g,    d = sign(m)  or  d = m / ‖m‖,    0 where m = 0

The sign is taken coordinate by coordinate, so that every update points to a corner of the cube:
it commutes with signed permutations. The norm is taken over one tensor, a weight or a bias by
itself: it commutes with every rotation of that tensor.

Sources: Bernstein et al., signSGD: Compressed Optimisation for Non-Convex Problems (2018), whose
momentum is called Signum; Cutkosky and Mehta, Momentum Improves Normalized SGD (2020).
"""

__all__ = ["NormalizedSGD", "SignSGD"]

from abc import abstractmethod

import torch
from torch.optim.optimizer import ParamsT

from .together import Memory, Settings, Stacked, Together, unit_or_zero


class Momentum(Together):
    """Abstract optimizer whose direction is a function of the momentum; m is g for μ = 0."""

    def __init__(
        self, params: ParamsT, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr, weight_decay, momentum=momentum)

    def memory(self, w: Stacked, settings: Settings) -> Memory:
        return {"momentum": torch.zeros_like(w)} if settings["momentum"] > 0 else {}

    def direction(self, g: Stacked, memory: Memory, step: int, settings: Settings) -> Stacked:
        m = memory["momentum"].lerp_(g, 1 - settings["momentum"]) if memory else g

        return self.of(m)

    @abstractmethod
    def of(self, m: Stacked) -> Stacked:
        """Returns d, of the momentum m."""


class SignSGD(Momentum):
    """d = sign(m): every coordinate moves by η. It marks the standard basis."""

    def of(self, m: Stacked) -> Stacked:
        return torch.where(m.isnan(), m, m.sign())  # the sign of NaN is 0 in torch


class NormalizedSGD(Momentum):
    """d = m / ‖m‖, one norm a tensor: every tensor moves by a distance η."""

    def of(self, m: Stacked) -> Stacked:
        return unit_or_zero(m)
