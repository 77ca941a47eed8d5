"""Bases to which representations may be aligned: a module's own, and Thomson's points.

Thomson's problem is to place k points on the unit sphere of R^n where charges would rest,

    min Σ_{i<j} 1 / ‖p_i − p_j‖.

They spread a basis of more than n vectors evenly: n + 1 of them are a simplex; on the sphere of R³
6 an octahedron and 12 an icosahedron.

Source: Thomson, On the Structure of the Atom (1904); as a basis in Bird, The Spotlight Resonance
Method (2025).
"""

__all__ = ["directions", "own_basis", "thomson_points"]

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from ...geometry import unit

STARTS = 4
"""Random first guesses; the best of the minima found from them is kept."""


def directions(x: Float[Tensor, "samples n"]) -> Float[np.ndarray, "samples n"]:
    """Returns x̂, or zero where there is no direction."""

    return unit(x.cpu().double()).nan_to_num(0.0, 0.0, 0.0).numpy()


def own_basis(module: nn.Module, n: int) -> Float[np.ndarray, "k {n}"] | None:
    """Returns the columns, of length 1, of a module's matrix `basis`, if it has one with n rows.

    activations.Rotated has such a matrix.
    """

    basis = getattr(module, "basis", None)
    if not isinstance(basis, Tensor) or basis.dim() != 2 or len(basis) != n:
        return None

    B = unit(basis.detach().cpu().double().mT)
    B = B[B.isfinite().all(dim=1)]

    return B.numpy() if len(B) else None


@lru_cache(maxsize=32)
def thomson_points(k: int, n: int, seed: int = 0) -> Float[np.ndarray, "{k} {n}"]:
    """Returns k ≥ 2 points in a minimum of the energy, the same for each seed; read only, n ≥ 2."""

    from scipy.optimize import minimize

    random = np.random.RandomState(seed)
    found = [
        minimize(_energy_and_slope, random.randn(k * n), (n,), method="L-BFGS-B", jac=True,
                 options={"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9})
        for _ in range(STARTS)
    ]  # fmt: skip
    points = _unit(min(found, key=lambda result: result.fun).x.reshape(k, n))
    points.flags.writeable = False

    return points


def _energy_and_slope(flat: np.ndarray, n: int) -> tuple[float, np.ndarray]:
    """Returns the energy of points p = y/‖y‖, and its gradient over y."""

    y = flat.reshape(-1, n)
    p = _unit(y)
    square = 2 - 2 * (p @ p.T)
    np.fill_diagonal(square, np.inf)
    inverse = np.maximum(square, 1e-12) ** -0.5
    cube = inverse**3

    slope = cube @ p - cube.sum(axis=1, keepdims=True) * p
    slope -= (slope * p).sum(axis=1, keepdims=True) * p

    return inverse.sum() / 2, (slope / np.linalg.norm(y, axis=1, keepdims=True)).ravel()


def _unit(y: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k n"]:
    return y / np.linalg.norm(y, axis=1, keepdims=True)
