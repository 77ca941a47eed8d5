"""Arguments of isoexp.probe and settings of probes: made into tensors, or refused in one line."""

__all__ = [
    "Samples",
    "answers_of",
    "check_ascending",
    "check_least",
    "check_targets",
    "factor_of",
    "modules_of",
    "samples_of",
    "targets_of",
]

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Factor
from ..errors import UserError, did_you_mean
from ..training import Objective, Regression

Samples = Tensor | np.ndarray | Sequence[Any]


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


def samples_of(model: nn.Module, samples: Samples) -> Tensor:
    """Returns samples as a tensor on the network's device; floats in its precision."""

    tensor = torch.as_tensor(np.asarray(samples) if not isinstance(samples, Tensor) else samples)
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


@torch.no_grad()
def check_targets(answers: Tensor, x: Tensor, y: Tensor, objective: Objective) -> None:
    """Refuses targets that the network's answers for the first inputs cannot be compared with."""

    few, shape = len(answers), answers.shape[1:]
    target, expected = y, y.shape[1:]
    if objective.score == "accuracy" and not y.is_floating_point():
        expected = shape[:-1]
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= shape[-1]:
            raise UserError(
                f"targets must be classes from 0 to {shape[-1] - 1}, since the network has "
                f"{shape[-1]} outputs, got {low if low < 0 else high}"
            )
    elif isinstance(objective, Regression):
        target, expected = objective.target(x, y), shape
    if target.shape[1:] != expected:
        raise UserError(
            f"targets must have the shape {_shape(expected)}, got {_shape(target.shape[1:])}"
        )

    try:
        objective.losses(answers[None], x[None, :few], y[None, :few])
    except Exception as error:  # of anybody's objective
        reason = " ".join(str(error).split())
        raise UserError(
            f"targets of shape {_shape(y.shape[1:])} are not for the objective: {reason}"
        ) from error


def factor_of(name: str, values: Samples | Factor, samples: int) -> Factor:
    factor = values if isinstance(values, Factor) else Factor(np.asarray(values, dtype=np.float64))
    if factor.values.shape != (samples,):
        raise UserError(
            f"factor {name} must be one number a sample, {samples}, got shape {factor.values.shape}"
        )

    return factor


@torch.no_grad()
def answers_of(model: nn.Module, x: Tensor, name: str = "network") -> Tensor:
    """Returns the outputs of a network for two samples.

    Raises:
        UserError: If no probe can measure such outputs, or a network of such precision.
    """

    half = [p.dtype for p in model.parameters() if p.dtype in (torch.float16, torch.bfloat16)]
    if half:
        raise UserError(f"the {name} must be float32 or float64, got {half[0]}: use net.float()")
    try:
        y = model(x[:2])
    except Exception as error:  # of anybody's network
        reason = " ".join(str(error).split())
        shape = tuple(x.shape)
        raise UserError(f"inputs of shape {shape} are not for the {name}: {reason}") from error
    if not isinstance(y, Tensor) or y.dim() < 2 or len(y) != len(x[:2]):
        given = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise UserError(f"the {name} must give a tensor (samples, outputs), got {given}")

    return y


def modules_of(
    model: nn.Module, modules: Mapping[str, nn.Module] | Sequence[str] | None
) -> Mapping[str, nn.Module] | None:
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
