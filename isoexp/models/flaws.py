"""Flaws of a network by construction: layers that are dead, constant, or held on a kink, and
parameters on which its function cannot depend.

The gradient of such a parameter is zero by mathematics, as of a bias before a norm that subtracts
the mean over the batch, or of the keys' under softmax. What is computed is rounding, of which an
optimizer that normalises (muon, normalized_sgd, sign_sgd) makes a full step.
"""

__all__ = ["Idle", "flaws", "idle"]

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call

from ..streams import seeded

STEP = 1e-3
"""The relative change of a vector's length by which a kink is looked for."""

BENT = 0.05
"""From such a second difference on, in parts of STEP · ‖x‖, slopes differ on both sides of x. Of a
smooth profile it is STEP · r σ″(r): 1e-3 for tanh."""

ROUNDING = 1e-10
"""Of a gradient in float64, as a share of the largest, and of a change of outputs, as a share of
them: sums of many terms lose some 1e-14, behind norms 1e-12, and what counts is far above."""

PLACES = 3
"""The weights and inputs at which gradients are looked at: what is zero at one may be by chance."""

SOME, ALL = 0.1, 0.99
"""The share of vectors at a kink, and of dead ones, from which on a layer is said to be flawed."""


@torch.no_grad()
def flaws(
    network: nn.Module, x: Float[Tensor, " batch *inputs"], kind: type[nn.Module]
) -> Iterator[tuple[str, nn.Module, str]]:
    """Yields the layers of a kind that an untrained network cannot use: name, layer and flaw.

    A norm that gives all vectors one length may put them where an isotropic function has its kink:
    the last bit then decides which of its branches each takes.

    Arguments:
        x: Samples as the network is trained on; it is left as it was.
    """

    network = deepcopy(network).double()  # float32 would round what is looked for
    names = {module: name for name, module in network.named_modules() if type(module) is kind}
    seen: dict[nn.Module, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda module, given, _: seen.setdefault(module, given[0]))
        for module in names
    ]
    network(x.double() if x.is_floating_point() else x)
    for hook in hooks:
        hook.remove()

    for module, h in seen.items():
        flaw = _flaw(module.eval(), h)
        if flaw:
            yield names[module], module, flaw


def _flaw(f: nn.Module, h: Float[Tensor, "*batch n"]) -> str:
    y = f(h)
    bend = f((1 + STEP) * h) + f((1 - STEP) * h) - 2 * y
    lengths = h.norm(dim=-1)
    bent = (bend.norm(dim=-1) > BENT * STEP * lengths).double().mean().item()
    dead = (y == 0).all(dim=-1).double().mean().item()

    if bent > SOME:
        return f"{bent:.0%} of its vectors lie at a kink of it, where the last bit decides"
    if dead > ALL:
        return f"it gives 0 for {dead:.0%} of its vectors"
    rows = y.flatten(0, -2)
    if len(rows) > 1 and (rows - rows[0]).abs().max() <= 1e-6 * rows.abs().max():
        return "it gives the same for all vectors"

    return ""


class Idle(NamedTuple):
    """A parameter, and which of its entries the function of the network cannot depend on."""

    name: str
    entries: Bool[Tensor, "..."]
    rounds: bool
    """Whether their gradient is rounding, not 0."""

    def __str__(self) -> str:
        count, total = int(self.entries.sum()), self.entries.numel()
        if not self.rounds:
            return "no output depends on it: leave it out"
        if count == total:
            return "its gradient is rounding: leave it out, as by bias=False"

        at = self.entries.flatten().nonzero().flatten().tolist()
        where = f"{at[0]} to {at[-1]}" if at[-1] - at[0] == count - 1 else f"the first {at[0]}"

        return (
            f"the gradient of {count} of its {total} entries ({where}) is rounding: make them a "
            "parameter apart, and leave that out"
        )


def idle(network: nn.Module, x: Shaped[Tensor, " batch *inputs"], seed: int = 0) -> Iterator[Idle]:
    """Yields the parameters of a network in training that are idle, in whole or in part.

    Entries are idle if at several weights around its own the gradient of a random loss is rounding
    there, and a change of them as large as one changes the outputs by rounding. Entries that no
    sample reaches, of units that are dead or words that do not occur, have a gradient of 0, of
    which nobody makes a step: a parameter is told if all of it is so.

    The network is left as it was.

    Arguments:
        x: Samples, of which the shape counts, and the words: other numbers are drawn in their
            place, since what is constant in the data makes weights idle that are not.

    Raises:
        ValueError: If gradients are not finite.
    """

    network = deepcopy(network).double().train()  # float32 would round what is looked for
    own = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    buffers = dict(network.named_buffers())

    def outputs(state: Mapping[str, Tensor], x: Tensor) -> Tensor:
        with seeded(seed, "idle", "noise"):  # the same at each call
            kept = {name: t.clone() for name, t in buffers.items()}
            return functional_call(network, {**kept, **state}, (x,))

    def stays(state: Mapping[str, Tensor], x: Tensor, name: str, entries: Tensor) -> bool:
        t = state[name]
        y, z = outputs(state, x), outputs({**state, name: t + entries * torch.randn_like(t)}, x)
        return bool((z - y).norm() <= ROUNDING * y.norm())

    small = {name: torch.ones_like(t, dtype=torch.bool) for name, t in own.items()}
    zero = {name: t.clone() for name, t in small.items()}
    with seeded(seed, "idle"):
        places = [({name: _near(t) for name, t in own.items()}, _like(x)) for _ in range(PLACES)]
        for theta, z in places:
            for name, g in _gradients(partial(outputs, x=z), theta).items():
                small[name] &= g.abs() <= ROUNDING
                zero[name] &= g == 0

        for name in own:
            whole = bool(small[name].all())
            entries = small[name] if whole else small[name] & ~zero[name]
            with torch.no_grad():
                if entries.any() and all(stays(*place, name, entries) for place in places):
                    yield Idle(name, entries, not zero[name].all())


def _like(x: Tensor) -> Tensor:
    """Returns other samples of the shape of some: numbers drawn anew, words in another order."""

    if x.is_floating_point():
        return torch.randn_like(x, dtype=torch.float64)

    return x.flatten()[torch.randperm(x.numel()).to(x.device)].view_as(x)


def _near(t: Tensor) -> Tensor:
    """Returns weights nearby: gains and biases are other than one and zero there."""

    scale = float(t.std(correction=0)) or 1.0

    return t + 0.3 * scale * torch.randn_like(t)


@torch.enable_grad()
def _gradients(
    outputs: Callable[[Mapping[str, Tensor]], Tensor], theta: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Returns the gradients of a random loss, as shares of the largest."""

    leaves = {name: t.detach().requires_grad_() for name, t in theta.items()}
    y = outputs(leaves)
    loss = (y * torch.randn_like(y)).sum() + y.square().sum()
    found = torch.autograd.grad(
        loss, list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    largest = torch.stack([g.abs().max() for g in found]).max()
    if not largest.isfinite():
        raise ValueError("gradients must be finite, they are not: choose smaller first weights")
    largest = largest.clamp_min(torch.finfo(largest.dtype).tiny)

    return {name: g / largest for name, g in zip(leaves, found, strict=True)}
