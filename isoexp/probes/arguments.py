"""Arguments of isoexp.probe and settings of probes: made into tensors, or refused in one line."""

__all__ = [
    "Modules", "Samples", "check_answers", "check_ascending", "check_least", "factor_of",
    "is_compiled", "modules_of", "opened", "samples_of", "targets_of",
]  # fmt: skip

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Factor
from ..errors import UserError, did_you_mean
from ..training import Objective, Regression
from .subject import Unsuitable

COMPILED = "OptimizedModule"
"""What torch.compile returns, by name: its module takes a second to import."""

Samples = Tensor | np.ndarray | Sequence[Any]

Modules = Mapping[str, nn.Module] | Sequence[str]


def check_least(probe: object, **least: int) -> None:
    """Refuses settings of a probe, by name, below the least that they may be."""

    for name, bound in least.items():
        if getattr(probe, name) < bound:
            raise ValueError(f"{name} must be at least {bound}, got {getattr(probe, name)}")


def check_ascending(probe: object, low: str, high: str) -> None:
    """Refuses two settings of a probe unless 0 < low ≤ high."""

    a, b = getattr(probe, low), getattr(probe, high)
    if not 0 < a <= b:
        raise ValueError(f"0 < {low} ≤ {high} must hold, got {a:g}, {b:g}")


def opened(model: nn.Module) -> nn.Module:
    """Returns the network that may be looked into: of a compiled one, that which was compiled.

    Raises:
        Unsuitable: If it cannot be: a ScriptModule, or one without weights.
    """

    while type(model).__name__ == COMPILED:
        model = model.get_submodule("_orig_mod")
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        raise Unsuitable(
            "the network must be an nn.Module whose modules call each other in Python, got a "
            "ScriptModule: probe the network that it was made of"
        )
    if any(t.is_meta for t in (*model.parameters(), *model.buffers())):
        raise Unsuitable(
            "the network must have weights, got some on the meta device: load them first, as by "
            "net.to_empty(device='cpu') and net.load_state_dict(...)"
        )

    return model


def is_compiled(model: nn.Module) -> bool:
    """Whether a network, or a part of it, is compiled."""

    return any(
        type(module).__name__ == COMPILED or module._compiled_call_impl is not None
        for module in model.modules()
    )


def samples_of(model: nn.Module, samples: Samples) -> Tensor:
    """Returns samples as a tensor on the network's device; floats in its precision."""

    try:
        tensor = samples if isinstance(samples, Tensor) else torch.as_tensor(np.asarray(samples))
    except (TypeError, ValueError) as error:
        given = type(samples).__name__
        raise UserError(f"samples must be numbers in one array or tensor, got {given}") from error
    like = next(iter(model.parameters()), torch.empty(0))
    if tensor.dim() == 0 or not len(tensor):
        raise UserError(f"samples must lie along a first axis, got shape {tuple(tensor.shape)}")

    return tensor.to(like) if tensor.is_floating_point() else tensor.to(like.device)


def targets_of(model: nn.Module, targets: Samples, samples: int) -> Tensor:
    """Returns targets as a tensor on the network's device; classes as int64."""

    y = samples_of(model, targets)
    if len(y) != samples:
        raise UserError(f"targets must be as many as inputs, got {len(y)} and {samples}")

    return y if y.is_floating_point() else y.long()


def factor_of(name: str, values: Samples | Factor, samples: int) -> Factor:
    factor = values if isinstance(values, Factor) else Factor(np.asarray(values, dtype=np.float64))
    if factor.values.shape != (samples,):
        raise UserError(
            f"factor {name} must be one number a sample, {samples}, got shape {factor.values.shape}"
        )

    return factor


@torch.no_grad()
def check_answers(
    model: nn.Module,
    x: Tensor,
    y: Tensor | None = None,
    objective: Objective | None = None,
    name: str = "network",
) -> None:
    """Refuses outputs, of two samples, that no probe can measure, or compare with the targets."""

    half = [p.dtype for p in model.parameters() if p.dtype in (torch.float16, torch.bfloat16)]
    if half:
        raise UserError(f"the {name} must be float32 or float64, got {half[0]}: use net.float()")
    with _blamed(f"inputs of shape {tuple(x.shape)} are not for the {name}"):
        answers = model(x[:2])
    if not isinstance(answers, Tensor) or answers.dim() < 2 or len(answers) != len(x[:2]):
        tensor = isinstance(answers, Tensor)
        given = f"shape {tuple(answers.shape)}" if tensor else type(answers).__name__
        raise UserError(f"the {name} must give a tensor (samples, outputs), got {given}")

    if y is None or objective is None:
        return
    _check_shape(answers.shape[1:], x, y, objective)
    with _blamed(f"targets of shape {_shape(y.shape[1:])} are not for the objective"):
        objective.losses(answers[None], x[None, :2], y[None, :2])


def _check_shape(outputs: Sequence[int], x: Tensor, y: Tensor, objective: Objective) -> None:
    target, expected = y, y.shape[1:]
    if objective.score == "accuracy" and not y.is_floating_point():
        expected = outputs[:-1]
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= outputs[-1]:
            raise UserError(
                f"targets must be classes from 0 to {outputs[-1] - 1}, since the network has "
                f"{outputs[-1]} outputs, got {low if low < 0 else high}"
            )
    elif isinstance(objective, Regression):
        target, expected = objective.target(x, y), outputs
    if target.shape[1:] != expected:
        raise UserError(
            f"targets must have the shape {_shape(expected)}, got {_shape(target.shape[1:])}"
        )


@contextmanager
def _blamed(message: str) -> Iterator[None]:
    """Says errors of anybody's code in one line."""

    try:
        yield
    except Exception as error:
        raise UserError(f"{message}: {' '.join(str(error).split())}") from error


def modules_of(model: nn.Module, modules: Modules | None) -> Mapping[str, nn.Module] | None:
    """Returns the modules to look at by their names in the network; None for its activations."""

    if modules is None:
        return None
    if isinstance(modules, str):
        raise UserError(f"modules must be a list of names, got {modules!r}: modules=[{modules!r}]")
    known = dict(model.named_modules())
    if isinstance(modules, Mapping) and all(m in known.values() for m in modules.values()):
        return modules

    names = list(modules)
    for name in names:
        if name not in known:
            raise UserError(f"the network has no module {name}{did_you_mean(name, known)}")

    return {name: known[name] for name in names}


def _shape(of: Sequence[int]) -> str:
    return str(("samples", *of)).replace("'", "")
