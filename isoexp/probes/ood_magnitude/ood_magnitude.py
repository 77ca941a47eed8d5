"""Out-of-distribution magnitude: what a network says when its inputs, or a layer, are scaled.

The paper expects anisotropic activations to corrupt what lies beyond the magnitudes of training,
since refraction grows with magnitude (Bird 2025, Sec. 2.1). Two things are scaled by s = 0.1 … 100:

    h ↦ s h,    the whole of the input, or of what a layer hands on;
    h ↦ h + (s − 1)(h·ŵ) ŵ,    one linear feature of it: more cows than ever were in a field.

"The larger the deflection, the greater the semantic ambiguity expected": the deflection is that of
Eqn 7, the angle θ between what an activation is given of a sample and what it gives. The network
was trained with those of s = 1, which its weights may undo, so that what is "unprecedented" is the
change: θ(s) − θ(1) is compared with loss(s) − loss(1), across samples, by Spearman's ρ. An
isotropic activation has θ = 0 at every s: nothing varies, and there is no ρ.
"""

__all__ = ["OODMagnitude"]

from dataclasses import dataclass, replace
from math import log10, nan
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ...store.tables import Rows, Schema
from ..subject import Subject
from .deflections import deflections
from .features import INPUT, learned
from .predictions import calibration_error
from .quantities import quantities
from .scaling import Answers, answered
from .sites import Site, sites


@dataclass(frozen=True)
class OODMagnitude:
    """Measures accuracy, loss, confidence, margin and calibration as magnitudes are scaled.

    Rows with an empty `layer` are of the answers. Confidence is the mean of the largest softmax
    probability, margin that of the right logit minus the largest other one, calibration_error the
    expected one; these and accuracy are NaN where there are no classes. beyond_fraction is the
    share of samples in which what is scaled is larger than in any of training (or of the half).
    Rows with a `layer` are of the deflection by that one, behind what is scaled: theta_mean_rad
    and ρ with its 95 % interval. n are samples, there those that have an angle.

    The `feature` is `whole`, or one that a linear probe finds in a layer: a class, measured on
    samples of that class; where there are no classes, a continuous factor behind the data, or a
    value of the target. It is learnt on the training split if that is there and has the quantity,
    else on a random half of x and measured on the other; r2 says how well ŵ reads it. A target
    that the feature rightly moves loses without harm: read ρ there with care.

    Cost: points · (1 + layers + layers · features · their share of the samples) passes of at most
    `samples` samples, and two of the training split; 0.1 s for an MLP on digits.

    Arguments:
        scale_min: The smallest factor.
        scale_max: The largest factor.
        points: The number of factors, evenly spaced in log s.
        features: The largest number of features of a layer.
        bins: The number of bins of confidence, of equal width, of the calibration error.
        samples: The largest number of samples, drawn evenly from x.
    """

    scale_min: float = 0.1
    scale_max: float = 100.0
    points: int = 31
    features: int = 3
    bins: int = 15
    samples: int = 2000

    over: ClassVar[Literal["training", "ends", "trained"]] = "training"
    needs: ClassVar[frozenset[str]] = frozenset()
    schema: ClassVar[Schema] = {
        "site": str,
        "feature": str,
        "scale": float,
        "layer": str,
        "accuracy": float,
        "loss": float,
        "confidence": float,
        "margin": float,
        "calibration_error": float,
        "beyond_fraction": float,
        "r2": float,
        "theta_mean_rad": float,
        "rho": float,
        "rho_low": float,
        "rho_high": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if not 0 < self.scale_min <= self.scale_max:
            raise ValueError(
                f"0 < scale_min ≤ scale_max must hold, got {self.scale_min:g}, {self.scale_max:g}"
            )
        for name, least in {"points": 1, "features": 0, "bins": 1, "samples": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        y, _ = subject.task
        found = quantities(subject, self.features)
        known = learned(subject, found.x, found.t)

        chosen = torch.randperm(len(y), generator=subject.generator)[: self.samples].sort().values
        at = chosen.to(y.device)
        subject = replace(subject, x=subject.x[at], y=y[at])
        before = answered(subject, torch.arange(len(at)), subject.layers)
        scales = torch.logspace(log10(self.scale_min), log10(self.scale_max), self.points).double()

        rows: Rows = {name: [] for name in self.schema}
        for site in sites(subject, found.at(chosen), known):
            for name, values in self._measured(subject, site, scales, before).items():
                rows[name] += values.ravel().tolist()

        return rows

    def _measured(
        self, subject: Subject, site: Site, scales: Float[Tensor, " scales"], before: Answers
    ) -> dict[str, Shaped[np.ndarray, "scales rows"]]:
        """Returns columns: by factors, a row of the answers, then one of each layer behind."""

        of = site.of.reshape(len(site.of), -1).any(dim=1).nonzero()[:, 0]
        names = list(subject.layers)
        start = names.index(site.name) + 1 if site.layer else 0
        behind = {name: subject.layers[name] for name in names[start:]}
        after = answered(subject, of, behind, site, scales)

        size = scales[:, None] * site.size[of]
        beyond = torch.where((size + site.most).isnan(), nan, 1.0 * (size > site.most))
        answers = {
            "accuracy": after.right.double().mean(dim=1),
            "loss": after.losses.mean(dim=1),
            "confidence": after.confidence.double().mean(dim=1),
            "margin": after.margin.double().mean(dim=1),
            "calibration_error": calibration_error(after.confidence, after.right, self.bins),
            "beyond_fraction": beyond.mean(dim=1),
            "r2": torch.full_like(scales, site.r2),
        }
        layers = deflections(after, before.thetas[:, of, start:], before.losses[:, of])

        shape = len(scales), 1 + len(behind)
        found: dict[str, np.ndarray] = {
            "site": np.full(shape, site.name),
            "feature": np.full(shape, site.feature),
            "scale": np.broadcast_to(scales[:, None], shape),
            "layer": np.broadcast_to(np.array(["", *behind]), shape),
            "n": np.full(shape, len(of)),
        }
        for name in self.schema.keys() - found.keys():
            found[name] = np.full(shape, nan)
        for name, values in answers.items():
            found[name][:, 0] = values
        for name, values in layers.items():
            found[name][:, 1:] = values

        return found

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns what becomes of the answers at the largest factor, and the mean ρ beyond s = 1.

        Accuracy, loss and calibration error are those with the whole input scaled, feature_accuracy
        the mean over the features of layers; ρ is the mean over layers, with the input scaled.
        """

        last = max(rows["scale"])
        told = list(zip(*(rows[k] for k in ("site", "feature", "layer", "scale")), strict=True))
        end = [i for i, row in enumerate(told) if row[2:] == ("", last)]
        whole = [i for i in end if told[i][0] == INPUT]
        features = [i for i in end if told[i][1] != "whole"]
        beyond = [i for i, row in enumerate(told) if row[0] == INPUT and row[2] and row[3] > 1]

        def mean(column: str, at: list[int]) -> float:
            values = [rows[column][i] for i in at if rows[column][i] == rows[column][i]]
            return sum(values) / len(values) if values else nan

        return {
            "accuracy_at_max": mean("accuracy", whole),
            "loss_at_max": mean("loss", whole),
            "calibration_error_at_max": mean("calibration_error", whole),
            "feature_accuracy_at_max": mean("accuracy", features),
            "rho": mean("rho", beyond),
        }
