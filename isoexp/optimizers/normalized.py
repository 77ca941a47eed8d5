"""Gradient descent that keeps of its momentum the direction only.

    m ← μ m + (1 − μ) g,    d = sign(m)  or  d = m / ‖m‖,    0 where m = 0

The sign is taken coordinate by coordinate, so that every update points to a corner of the cube:
it commutes with signed permutations. The norm is that of one tensor, a weight or a bias by
itself: it commutes with every rotation of that tensor.

Sources: Bernstein et al., signSGD: Compressed Optimisation for Non-Convex Problems (2018), whose
momentum is called Signum; Cutkosky and Mehta, Momentum Improves Normalized SGD (2020).
"""

__all__ = ["NormalizedSGD", "SignSGD"]

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from .together import Together, check_momentum, unit_or_zero


class Momentum(Together):
    """Abstract optimizer whose direction is what it keeps of the momentum.

    Arguments:
        params: The parameters.
        lr: η, the rate.
        momentum: μ in [0, 1); with 0, m is the gradient.
        weight_decay: λ, decoupled.
    """

    def __init__(
        self, params: ParamsT, lr: float = 1e-3, momentum: float = 0.9, weight_decay: float = 0.0
    ) -> None:
        check_momentum(momentum)

        super().__init__(params, lr, weight_decay, momentum=momentum)

    def memory(
        self, w: Float[Tensor, " K *shape"], settings: dict[str, Any]
    ) -> dict[str, Float[Tensor, " K ..."]]:
        return {"momentum": torch.zeros_like(w)} if settings["momentum"] > 0 else {}

    def direction(
        self,
        g: Float[Tensor, " K *shape"],
        memory: dict[str, Tensor],
        step: int,
        settings: dict[str, Any],
    ) -> Float[Tensor, " K *shape"]:
        m = memory["momentum"].lerp_(g, 1 - settings["momentum"]) if memory else g

        return self.keep(m)

    @abstractmethod
    def keep(self, m: Float[Tensor, " K *shape"]) -> Float[Tensor, " K *shape"]:
        """Returns what is kept of the momentum."""


class SignSGD(Momentum):
    """d = sign(m). It marks the standard basis.

    Arguments:
        params: The parameters.
        lr: η, by which every coordinate moves.
        momentum: μ in [0, 1); with 0, m is the gradient.
        weight_decay: λ, decoupled.
    """

    def keep(self, m: Float[Tensor, " K *shape"]) -> Float[Tensor, " K *shape"]:
        return torch.sign(m)


class NormalizedSGD(Momentum):
    """d = m / ‖m‖, one norm a tensor.

    Arguments:
        params: The parameters.
        lr: η, the distance by which every tensor moves.
        momentum: μ in [0, 1); with 0, m is the gradient.
        weight_decay: λ, decoupled.
    """

    def keep(self, m: Float[Tensor, " K *shape"]) -> Float[Tensor, " K *shape"]:
        return unit_or_zero(m)
