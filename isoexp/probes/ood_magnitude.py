"""Out-of-distribution magnitude: what a network says when its inputs, or a layer, are scaled.

The paper expects anisotropic activations to corrupt what lies beyond the magnitudes of training,
since refraction grows with magnitude (Bird 2025, Sec. 2.1). Samples are multiplied by s = 0.1 …
100, either where they enter (standardised inputs) or where an activation hands them on.
"""

__all__ = ["OODMagnitude"]

from dataclasses import dataclass
from math import log10, nan
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..records import Rows, Schema
from .subject import Subject


@dataclass(frozen=True)
class OODMagnitude:
    """Measures accuracy, loss, confidence and margin as magnitudes are scaled.

    Confidence is the mean of the largest softmax probability; margin the mean of the right logit
    minus the largest other one; both, and accuracy, are NaN where there are no classes.

    Arguments:
        scale_min: The smallest factor.
        scale_max: The largest factor.
        points: The number of factors, evenly spaced in log s.
    """

    scale_min: float = 0.1
    scale_max: float = 100.0
    points: int = 31

    schema: ClassVar[Schema] = {
        "site": str,
        "scale": float,
        "accuracy": float,
        "loss": float,
        "confidence": float,
        "margin": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if not 0 < self.scale_min <= self.scale_max:
            raise ValueError(
                f"0 < scale_min ≤ scale_max must hold, got {self.scale_min:g}, {self.scale_max:g}"
            )
        if self.points < 1:
            raise ValueError(f"points must be at least 1, got {self.points}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        x, y, objective = subject.x, subject.y, subject.objective
        scales = torch.logspace(log10(self.scale_min), log10(self.scale_max), self.points)
        sites: dict[str, nn.Module | None] = {"input": None, **subject.activations}

        rows: Rows = {name: [] for name in self.schema}
        for site, module in sites.items():
            for scale in scales.tolist():
                outputs = _outputs(subject, module, scale)
                loss = objective.losses(outputs[None], x[None], y[None]).mean().item()
                accuracy, confidence, margin = (nan, nan, nan)
                if not y.is_floating_point() and objective.score == "accuracy":
                    accuracy, confidence, margin = _classes(outputs, y)

                row = (site, scale, accuracy, loss, confidence, margin, len(x))
                for column, value in zip(self.schema, row, strict=True):
                    rows[column].append(value)

        return rows

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns accuracy and loss at the largest factor of the inputs."""

        at = [i for i, site in enumerate(rows["site"]) if site == "input"]
        last = max(at, key=lambda i: rows["scale"][i])

        return {f"{name}_at_max": rows[name][last] for name in ("accuracy", "loss")}


def _outputs(subject: Subject, module: nn.Module | None, scale: float) -> Tensor:
    """Returns the network's outputs with what a module hands on, or the input, scaled."""

    if module is None:
        return subject.outputs(scale * subject.x)

    def scaled(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        return scale * out

    handle = module.register_forward_hook(scaled)
    try:
        return subject.outputs(subject.x)
    finally:
        handle.remove()


def _classes(logits: Tensor, y: Tensor) -> tuple[float, float, float]:
    """Returns accuracy, confidence and margin."""

    logits, y = logits.flatten(0, -2), y.flatten()  # each step of a sequence is an answer
    right = logits.gather(1, y[:, None]).squeeze(1)
    others = logits.scatter(1, y[:, None], -torch.inf).amax(dim=1)

    return (
        (logits.argmax(dim=1) == y).float().mean().item(),
        logits.softmax(dim=1).amax(dim=1).mean().item(),
        (right - others).mean().item(),
    )
