"""Flaws of a network by construction: layers that are dead, constant, or held on a kink."""

__all__ = ["flaws"]

from collections.abc import Iterator
from copy import deepcopy

import torch
from jaxtyping import Float
from torch import Tensor, nn

STEP = 1e-3
"""The relative change of a vector's length by which a kink is looked for."""

BENT = 0.05
"""From such a second difference on, in parts of STEP · ‖x‖, slopes differ on both sides of x. Of a
smooth profile it is STEP · r σ″(r): 1e-3 for tanh."""

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
