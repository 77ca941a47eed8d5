"""Junctions: an activation between the two linear maps that alone write to it and read from it,

    x ↦ V f(W x + b) + c.

There the weights may be turned into another basis of the layer, W → RW, b → Rb, V → VRᵀ, and the
function stays if f commutes with R (Bird 2025, Eqn 15).
"""

__all__ = ["Junction", "agree", "answers", "find_junctions", "relative_error", "rounding"]

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from .layers import Call, Layer, conjugated, hooked
from .spaces import Slot, Space, State
from .subject import Subject, Unsuitable


@dataclass(frozen=True)
class Junction:
    """An activation of n features, and the paths of the modules that compute W x + b and V h + c.

    The modules are dense layers or convolutions.
    """

    layer: Layer
    before: str
    after: str
    width: int

    @property
    def weights(self) -> tuple[str, str, str]:
        """The names of W, b and V among the parameters; there need not be a b."""

        return f"{self.before}.weight", f"{self.before}.bias", f"{self.after}.weight"

    @property
    def space(self) -> Space:
        """The space of its features, which W and b write to, and V reads from."""

        W, b, V = self.weights
        n = self.width

        return Space((Slot(W, 0, n), Slot(V, 1, n), Slot(b, 0, n)), n)

    def turned(self, state: State, R: Float[Tensor, "n n"]) -> dict[str, Tensor]:
        """Returns RW, VRᵀ and Rb, by their names, for an orthogonal R."""

        return self.space.turned(state, R)


@torch.no_grad()
def find_junctions(subject: Subject) -> dict[str, Junction]:
    """Returns the junctions of a network by the names of their layers.

    A candidate is a junction if permuting its weights, and f with them, leaves the outputs of a few
    samples as they are.
    """

    x = subject.x[:8]
    y = answers(subject.model, x)
    names = {name for name, _ in subject.model.named_parameters()}  # of tied weights, the first
    found = {}
    for name, layer in subject.layers.items():
        around = _followed(subject.model, layer, x)
        if around is not None and {f"{path}.weight" for path in around} <= names:
            junction = Junction(layer, *around, layer.width)
            if _holds(subject.model, junction, x, y):
                found[name] = junction

    return found


def relative_error(y: Shaped[Tensor, "*shape"], reference: Shaped[Tensor, "*shape"]) -> float:
    """Returns ‖y − reference‖ / ‖reference‖; 0 where they are equal, zeros too."""

    difference = (y - reference).norm()

    return (difference / reference.norm()).item() if difference != 0 else 0.0


def rounding(outputs: Tensor) -> float:
    """Returns 1e3 eps, the relative error up to which outputs count as equal."""

    return 1e3 * torch.finfo(outputs.dtype).eps


def answers(model: nn.Module, x: Tensor) -> Tensor:
    """Returns the outputs of a network, as those of its copies are compared with.

    Raises:
        Unsuitable: If one is not finite: nothing is equal to that.
    """

    y = model(x)
    lost = int((~y.isfinite()).flatten(1).any(dim=1).sum())
    if lost:
        raise Unsuitable(
            f"the outputs of the network must be finite, they are not for {lost} of {len(y)} "
            "samples: train it at a lower rate"
        )

    return y


def agree(y: Shaped[Tensor, "*shape"], reference: Shaped[Tensor, "*shape"]) -> bool:
    """Whether outputs are equal up to rounding; zeros are equal to zeros."""

    return bool((y - reference).norm() <= rounding(reference) * reference.norm())


def _holds(model: nn.Module, junction: Junction, x: Tensor, reference: Tensor) -> bool:
    P = torch.eye(junction.width, dtype=torch.float64).roll(1, dims=0)
    turned = junction.turned(dict(model.named_parameters()), P)
    with conjugated([junction.layer], [P.mT]):
        y = functional_call(model, turned, (x,))

    return agree(y, reference)


def _followed(model: nn.Module, layer: Layer, x: Tensor) -> tuple[str, str] | None:
    """Returns the paths of the linear maps before and after a layer, if one sample meets both."""

    calls: list[tuple[str, nn.Module, Tensor, Tensor]] = []
    names = {module: path for path, module in model.named_modules()}

    def hook(call: Call) -> None:
        module = call.module
        if not list(module.children()) or module is layer.module:
            calls.append((names[module], module, call.x, call.y))  # kept: addresses are not reused

    with hooked(model.modules(), after=hook):
        model(x)

    at = [i for i, call in enumerate(calls) if call[1] is layer.module]
    if len(at) != 1:
        return None
    (i,) = at
    if calls[i][2].shape[layer.axis] != calls[i][3].shape[layer.axis]:
        return None

    before = _walk(calls[i - 1 :: -1] if i else [], calls[i][2], backwards=True)
    after = _walk(calls[i + 1 :], calls[i][3], backwards=False)
    if before and after and before[1].shape[0] == layer.width == after[1].shape[1]:
        return before[0], after[0]

    return None


def _walk(
    calls: list[tuple[str, nn.Module, Tensor, Tensor]], t: Tensor, backwards: bool
) -> tuple[str, Tensor] | None:
    """Follows a tensor by its memory to a linear map; returns path and weight if it is plain."""

    for path, module, taken, given in calls:
        here, there = (given, taken) if backwards else (taken, given)
        if here.data_ptr() != t.data_ptr() or here.numel() != t.numel():
            continue
        if isinstance(module, nn.Linear | _ConvNd):
            plain = not isinstance(module, _ConvTransposeNd) and getattr(module, "groups", 1) == 1
            weight = module._parameters.get("weight")
            return (path, weight) if plain and weight is not None else None
        if there.shape != here.shape:
            return None
        t = there

    return None
