"""The symmetry of optimizers and regularizers, which act on weights.

An optimizer commutes with g if the trajectories from θ on the loss L and from gθ on L∘g⁻¹ are
images of each other; a regularizer, if it gives θ and gθ the same penalty. g acts on a weight W and
its bias b from either side, as a change of basis of the outputs or of the inputs:

    outputs:  W → gW, b → gb        inputs:  W → W g⁻¹.
"""

__all__ = ["measure_optimizer", "measure_regularizer"]

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Optimizer

from ..streams import stream
from .groups import Measured, acted, drawn

UPDATES = 50

ROUNDING = 1e-7
"""A share of the weights' way: updates multiply rounding, and failures are above 1e-3."""

Regularizer = Callable[[Sequence[Tensor], Sequence[Tensor]], Tensor | None]

Weights = tuple[Float[Tensor, "m n"], Float[Tensor, " m"]]


def measure_optimizer(
    build: Callable[[Iterable[Tensor]], Optimizer], n: int = 8, seed: int = 0
) -> list[Measured]:
    """Measures an optimizer: ‖g⁻¹θ′ − θ‖ / ‖θ − θ₀‖ after 50 updates of a smooth regression.

    The weight has n outputs and n + 1 inputs; all is in float64.
    """

    generator = stream(seed, "audit")

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, target, A = normal(64, n + 1), normal(64, 3), normal(3, n)
    start = normal(n, n + 1) / (n + 1) ** 0.5, normal(n)

    def trained(move: Callable[[Weights], Weights], back: Callable[[Weights], Weights]) -> Tensor:
        parameters = [nn.Parameter(p.clone()) for p in move(start)]
        optimizer = build(parameters)
        for _ in range(UPDATES):
            W, b = back((parameters[0], parameters[1]))
            loss = (torch.tanh(x @ W.mT + b) @ A.mT - target).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        W, b = back((parameters[0].detach(), parameters[1].detach()))

        return torch.cat([W.flatten(), b])

    end = trained(lambda w: w, lambda w: w)
    way = (end - torch.cat([start[0].flatten(), start[1]])).norm()

    found = []
    for group, on, g in drawn({"outputs": n, "inputs": n + 1}, seed):
        error = ((trained(*_moves(g, on)) - end).norm() / way).item()
        found.append(Measured(group, on, error, ROUNDING))

    return found


def measure_regularizer(regularizer: Regularizer, n: int = 8, seed: int = 0) -> list[Measured]:
    """Measures a regularizer: |r(gθ) − r(θ)| / r(θ), of weights, or of activations if it sees them.

    The weight has n outputs, the features of the activations, and n + 1 inputs.
    """

    generator = stream(seed, "audit")
    W = torch.randn(n, n + 1, generator=generator, dtype=torch.float64)
    h = torch.randn(64, n, generator=generator, dtype=torch.float64)

    def penalty(W: Tensor, h: Tensor) -> float:
        found = regularizer([W[None]], [h[None]])

        return 0.0 if found is None else found.item()

    sides = {"outputs": n, "inputs": n + 1}
    if getattr(regularizer, "sees_activations", False):
        sides = {"features": n}

    r = penalty(W, h)
    found = []
    for group, on, g in drawn(sides, seed):
        moved = penalty(W, h @ g.mT) if on == "features" else penalty(acted(W, g, on), h)
        error = abs(moved - r) / abs(r) if moved != r else 0.0
        found.append(Measured(group, on, error, ROUNDING))

    return found


def _moves(
    g: Float[Tensor, "n n"], on: str
) -> tuple[Callable[[Weights], Weights], Callable[[Weights], Weights]]:
    """Returns θ ↦ gθ on a side, and its inverse."""

    inverse = torch.linalg.inv(g)
    if on == "outputs":
        return (lambda w: (g @ w[0], g @ w[1])), (lambda w: (inverse @ w[0], inverse @ w[1]))

    return (lambda w: (w[0] @ inverse, w[1])), (lambda w: (w[0] @ g, w[1]))
