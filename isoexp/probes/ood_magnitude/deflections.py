"""Deflections: how far layers turn what is scaled, and whether harm goes with their change."""

__all__ = ["deflections"]

from math import inf, nan

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from .predictions import rank_correlation
from .scaling import Answers

ROUNDING = 32
"""Differences of so many units in the last place are taken for rounding, not for variation."""


def deflections(
    after: Answers,
    thetas: Float[Tensor, "1 samples layers"],
    losses: Float[Tensor, "1 samples"],
) -> dict[str, Shaped[np.ndarray, "scales layers"]]:
    """Returns the mean deflection by each layer, and ρ of its change with that of the loss.

    Arguments:
        after: What the network makes of scaled samples.
        thetas: The deflections of these as they are.
        losses: Their losses as they are.
    """

    eps = torch.finfo(after.loudest.dtype).eps * ROUNDING
    change, harm = after.thetas - thetas, (after.losses - losses)[..., None]
    defined = ~(change.isnan() | harm.isnan())
    change, harm = (torch.where(defined, t, nan).mT for t in (change, harm))
    loudest = after.loudest.double().maximum(after.losses.abs()).amax(dim=1, keepdim=True)
    varies = (_spread(change) > eps) & (_spread(harm) > eps * loudest)
    rho = rank_correlation(torch.where(varies[..., None], change, nan).numpy(), harm.numpy())

    return {
        "theta_mean_rad": torch.where(defined, after.thetas, nan).nanmean(dim=1).numpy(),
        "rho": rho.rho,
        "rho_low": rho.low,
        "rho_high": rho.high,
        "n": defined.sum(dim=1).numpy(),
    }


def _spread(t: Float[Tensor, "*rows samples"]) -> Float[Tensor, "*rows"]:
    """Returns the largest number minus the smallest of each row, NaN left out; −∞ of none."""

    none = t.isnan()

    return t.masked_fill(none, -inf).amax(dim=-1) - t.masked_fill(none, inf).amin(dim=-1)
