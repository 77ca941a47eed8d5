"""Perturbations: ways to leave the weights θ of a network, straight or along its orbit.

At junctions j the bases are turned by exp(tA_j), A_j skew. The weights θ = (W, b, V) move linearly,

    θ(t) = exp(t𝒜) θ,    𝒜θ = (A_j W, A_j b, −V A_j),    θ'(0) = 𝒜θ,    θ''(0) = 𝒜²θ,

and the function stays if the activations are isotropic (Bird 2025, Eqn 15). 𝒜 is skew as well:
‖θ(t)‖ and the speed ‖θ'(t)‖ are constant, so that t ‖𝒜θ‖ is the length of the way. The tangents
𝒜θ of all A_j span the tangent space of the orbit, of Σ n(n − 1)/2 dimensions at most.
"""

__all__ = [
    "Move",
    "Way",
    "across",
    "aligned",
    "moves",
    "random_skew",
    "rotated",
    "velocity",
    "ways",
]

from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.func import vjp

from ..copies import inner_products
from ..junctions import Junction, relative_error
from ..landscape import Landscape, Motion
from ..procrustes import nearest_orthogonal
from ..spaces import State

SWEEPS = 20
"""The most rounds of alignment over the layers; two or three, unless layers widen."""


class Move(NamedTuple):
    """A perturbed network: the kind, size and draw of the perturbation, and the weights."""

    kind: str
    size: float
    draw: int
    curvature: float
    state: State


class Way(NamedTuple):
    """A way away from θ: the weights after a length ℓ of it, dθ/dℓ of norm 1 and d²θ/dℓ² at θ."""

    kind: str
    draw: int
    at: Callable[[float], State]
    motion: Motion


def size(state: State) -> float:
    """Returns ‖θ‖ over all tensors."""

    return sum(t.square().sum().item() for t in state.values()) ** 0.5


def moves(
    train: Landscape,
    start: State,
    junctions: Sequence[Junction],
    sizes: Sequence[float],
    draws: int,
    generator: Generator,
) -> list[Move]:
    """Returns the unperturbed network, then the perturbed ones; sizes are lengths over ‖θ‖.

    Weights of the junctions move; all weights, if there are none.
    """

    names = [name for junction in junctions for name in junction.weights if name in start]
    names = names or [name for name, _ in train.model.named_parameters()]
    own = {name: start[name] for name in names}
    theta = {name: t.cpu().double() for name, t in own.items()}

    leaving = list(ways(junctions, theta, draws, generator))
    curvatures = train.second_derivatives(own, [way.motion for way in leaving]).tolist()

    found = [Move("none", 0.0, 0, nan, start)]
    for way, curvature in zip(leaving, curvatures, strict=True):
        for s in sizes:
            moved = {n: t.to(own[n]) for n, t in way.at(s * size(theta)).items()}
            found.append(Move(way.kind, s, way.draw, curvature, {**start, **moved}))

    return found


def ways(
    junctions: Sequence[Junction], theta: State, draws: int, generator: Generator
) -> Iterator[Way]:
    """Yields ways of each kind; only random ones where there is nothing to turn.

    In each draw, the way across is the random one without its part along the orbit, and the tangent
    belongs to the rotation. θ is in float64 on the CPU.
    """

    for draw in range(draws):
        random = {}
        for name, t in theta.items():
            g = torch.randn(t.shape, generator=generator, dtype=torch.float64)
            random[name] = g * (t.norm() / g.norm())
        yield _straight("random", draw, theta, random)
        if not junctions:
            continue

        yield _straight("across", draw, theta, across(junctions, theta, random))
        skews = [random_skew(junction.width, generator) for junction in junctions]
        v = velocity(junctions, theta, skews)
        yield _straight("tangent", draw, theta, v)
        speed = size(v) or 1.0
        skews = [A / speed for A in skews]
        v = velocity(junctions, theta, skews)

        def turned(length: float, skews: Sequence = skews) -> State:
            return rotated(junctions, theta, [length * A for A in skews])

        yield Way("orbit", draw, turned, Motion(v, velocity(junctions, v, skews)))


def _straight(kind: str, draw: int, theta: State, direction: State) -> Way:
    length = size(direction) or 1.0  # what has no length does not move
    v = {name: t / length for name, t in direction.items()}

    def moved(length: float) -> State:
        return {name: t + length * v[name] for name, t in theta.items()}

    return Way(kind, draw, moved, Motion(v, {}))


def random_skew(n: int, generator: Generator) -> Float[Tensor, "n n"]:
    """Returns a skew matrix of Gaussian entries, in float64 on the CPU; its law is isotropic."""

    B = torch.randn(n, n, generator=generator, dtype=torch.float64)

    return (B - B.mT) / 2**0.5


def velocity(
    junctions: Sequence[Junction], state: State, skews: Sequence[Float[Tensor, "_ _"]]
) -> dict[str, Tensor]:
    """Returns 𝒜θ, the velocity at t = 0 of the weights of all junctions, turned together."""

    moved = {name: torch.zeros_like(t) for name, t in state.items()}
    for junction, A in zip(junctions, skews, strict=True):
        for name, t in junction.turned(state, A).items():
            moved[name] = moved[name] + t

    return moved


def rotated(
    junctions: Sequence[Junction], state: State, skews: Sequence[Float[Tensor, "_ _"]]
) -> dict[str, Tensor]:
    """Returns exp(𝒜) θ, the weights turned by exp(A_j) at each junction."""

    state = dict(state)
    for junction, A in zip(junctions, skews, strict=True):
        state |= junction.turned(state, torch.linalg.matrix_exp(A))

    return state


def across(junctions: Sequence[Junction], state: State, direction: State) -> dict[str, Tensor]:
    """Returns the part of a direction d that is orthogonal to the orbit at θ, in float64.

    The part along it, min ‖d − 𝒜θ‖ over all A_j, is found by LSMR from products with the tangents:
    their matrix would have as many columns as the orbit has dimensions. The unknowns are A_j in the
    eigenbasis of M = WWᵀ + bbᵀ + VᵀV, scaled so that a junction alone is an isometry:
    ‖𝒜θ‖² = Σ_kl A_kl² (λ_k + λ_l)/2. θ and d must lie on the CPU.
    """

    from scipy.sparse.linalg import LinearOperator, lsmr

    bases = [_eigenbasis(junction, state) for junction in junctions]
    counts = [scale.numel() for _, scale in bases]

    def tangent(flat: Float[Tensor, " unknowns"]) -> Float[Tensor, " weights"]:
        skews = []
        for part, (U, scale) in zip(flat.split(counts), bases, strict=True):
            B = part.view_as(scale)
            skews.append(U @ ((B - B.mT) * scale) @ U.mT)

        return torch.cat([t.flatten() for t in velocity(junctions, state, skews).values()])

    transposed = vjp(tangent, torch.zeros(sum(counts), dtype=torch.float64))[1]

    def matvec(flat: np.ndarray) -> np.ndarray:
        return tangent(torch.from_numpy(flat.ravel())).numpy()

    def rmatvec(flat: np.ndarray) -> np.ndarray:
        return transposed(torch.from_numpy(flat.ravel()))[0].numpy()

    d = torch.cat([direction[name].flatten() for name in state])
    shape, kind = (len(d), sum(counts)), np.dtype(np.float64)
    operator = LinearOperator(shape, matvec, rmatvec, dtype=kind)  # pyright: ignore[reportCallIssue]
    along = lsmr(operator, d.numpy(), atol=1e-13, btol=1e-13, conlim=1e14)[0]
    parts = (d - tangent(torch.from_numpy(along))).split([t.numel() for t in state.values()])

    return {n: part.view_as(t) for (n, t), part in zip(state.items(), parts, strict=True)}


def aligned(junctions: Sequence[Junction], state: State, reference: State) -> dict[str, Tensor]:
    """Returns the weights turned into those bases of the layers that bring them nearest to others.

    Layer by layer it is the orthogonal Procrustes problem, max tr(Rᵀ G) over R in O(n) for
    G = W₀Wᵀ + b₀bᵀ + V₀ᵀV. The first round goes from input to output and leaves V out, which later
    layers have yet to turn: a rotated copy is then turned back exactly, where no layer is wider
    than what goes in, plus one. Weights that are not finite stay.
    """

    state = dict(state)
    turned = [junction.weights[i] for junction in junctions for i in (0, 2)]
    for sweep in range(SWEEPS):
        before = state
        for junction in junctions:
            V = junction.weights[2]
            known = state if sweep else state | {V: torch.zeros_like(state[V])}
            G = inner_products(junction.space, reference, known)
            if not G.isfinite().all():
                return state
            state = state | junction.turned(state, nearest_orthogonal(G))
        if sweep and all(relative_error(state[name], before[name]) < 1e-3 for name in turned):
            break

    return state


def _eigenbasis(junction: Junction, state: State) -> tuple[Tensor, Float[Tensor, "n n"]]:
    """Returns the eigenvectors of M, and 1/√(λ_k + λ_l), 0 where a turn moves nothing."""

    M = inner_products(junction.space, state, state)
    spectrum, U = torch.linalg.eigh(M)
    total = spectrum[:, None] + spectrum
    moves = total > 1e-12 * spectrum[-1]

    return U, torch.where(moves, total, torch.inf).rsqrt()
