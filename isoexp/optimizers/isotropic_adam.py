"""Adam without a basis: one second moment for many coordinates.

    m ← β₁ m + (1 − β₁) g,    v ← β₂ v + (1 − β₂) mean(g²),    d = m̂ / (√v̂ + ε)

with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ). Adam itself has a v for each coordinate, and so
marks the standard basis. Here the mean goes over a whole tensor, or over each vector of it: the
vectors of a matrix are its rows, the weights into one feature.

Per tensor it commutes with W → RWQ for all rotations. Per vector it commutes with rotations of
the inputs, W → WQ, and of the outputs with signed permutations only: R mixes the rows, and with
them their rates.

Sources: Kingma and Ba, Adam (2015); Loshchilov and Hutter, Decoupled Weight Decay (2019); second
moments by blocks as in Zhang et al., Adam-mini (2024).
"""

__all__ = ["IsotropicAdam"]

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from .together import Memory, Settings, Stacked, Together


class IsotropicAdam(Together):
    """Adam with one second moment a tensor or a vector, and decoupled weight decay.

    Arguments:
        lr: η, about the root mean square of a coordinate's steps.
        betas: β₁ and β₂ in [0, 1).
        eps: ε, added to √v̂.
        per: Whether a tensor or a vector (a row of a matrix; a bias is one) has a second moment.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        per: Literal["tensor", "vector"] = "tensor",
    ) -> None:
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be two numbers in [0, 1), got {list(betas)}")
        if not eps > 0:
            raise ValueError(f"eps must be positive, got {eps:g}")
        if per not in ("tensor", "vector"):
            raise ValueError(f"per must be tensor or vector, got {per}")

        super().__init__(params, lr, weight_decay, betas=tuple(betas), eps=eps, per=per)

    def memory(self, w: Stacked, settings: Settings) -> Memory:
        v = w.new_zeros(_vectors(w, settings["per"]).shape[:2])

        return {"exp_avg": torch.zeros_like(w), "exp_avg_sq": v}

    def direction(self, g: Stacked, memory: Memory, step: int, settings: Settings) -> Stacked:
        beta1, beta2 = settings["betas"]

        m = memory["exp_avg"].lerp_(g, 1 - beta1)
        v = memory["exp_avg_sq"].lerp_(_vectors(g, settings["per"]).square().mean(dim=2), 1 - beta2)

        scale = (v / (1 - beta2**step)).sqrt() + settings["eps"]
        d = _vectors(m, settings["per"]) / (1 - beta1**step) / scale[..., None]

        return d.view_as(g)


def _vectors(w: Stacked, per: str) -> Float[Tensor, "K count n"]:
    """Returns the vectors of a parameter that have a second moment each."""

    return w.flatten(2) if per == "vector" and w.dim() > 2 else w.reshape(len(w), 1, -1)
