"""Out-of-distribution magnitude: the answers of a network when its input, or a layer, is scaled.

The paper expects anisotropic activations to corrupt vectors beyond the magnitudes of training,
since refraction grows with magnitude (Bird 2025, Sec. 2.1). Two things are scaled by s = 0.1 … 100:

    h ↦ s h,    the whole of the input, or of a layer's outputs;
    h ↦ h + (s − 1)(h·ŵ) ŵ,    one linear feature of it: more cows than ever were in a field.

"The larger the deflection, the greater the semantic ambiguity expected": the deflection is that of
Eqn 7, the angle θ between input and output of an activation for a sample. The network was trained
with the angles at s = 1, which its weights may undo, so that only the change is "unprecedented":
θ(s) − θ(1) is compared with loss(s) − loss(1), across samples, by Spearman's ρ. An isotropic
activation has θ = 0 at every s: nothing varies, and there is no ρ.
"""

__all__ = ["OODMagnitude"]

from dataclasses import dataclass, replace
from functools import partial
from math import log10, nan
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...store.tables import Rows, Schema
from ..arguments import check_ascending, check_least
from ..rows import Columns
from ..statistics import mean
from ..subject import Over, Subject, chosen
from .answers import Answers, answered, calibration_error, deflections
from .sites import INPUT, WHOLE, Site, quantities, sites


@dataclass(frozen=True)
class OODMagnitude:
    """Measures accuracy, loss, confidence, margin and calibration as magnitudes are scaled.

    Rows with an empty `layer` are of the answers. Confidence is the mean of the largest softmax
    probability, margin the mean of the right logit minus the largest other one, calibration_error
    the expected one; these and accuracy are NaN where there are no classes, or an output is not
    finite. beyond_fraction is the
    share of samples whose scaled length or feature exceeds any of training (or of the half). Rows
    with a `layer` are of the deflection by that layer, behind the site: theta_mean_rad and ρ with
    its 95 % interval. n counts samples, for deflections those that have an angle.

    The `feature` is `whole`, or one that a linear probe finds in a layer: a class, measured on
    samples of that class; where there are no classes, a continuous factor behind the data, or a
    value of the target. It is learnt on the training split if that is there and has the quantity,
    else on a random half of x and measured on the other; r2 says how well ŵ reads it. If a target
    rightly moves with the feature, the loss grows without harm: read ρ there with care.

    Cost: points · (1 + layers + layers · features · their share of the samples) passes of at most
    `samples` samples, and two of the training split; 0.1 s for an MLP on digits.

    Arguments:
        scale_min, scale_max, points: The factors, so many, evenly spaced in log s.
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

    over: ClassVar[Over] = "training"
    figure: ClassVar[str] = "isoexp.figures.ood_magnitude:draw"
    schema: ClassVar[Schema] = {
        "site": str, "feature": str, "scale": float, "layer": str,
        "accuracy": float, "loss": float, "confidence": float, "margin": float,
        "calibration_error": float, "beyond_fraction": float, "r2": float,
        "theta_mean_rad": float, "rho": float, "rho_low": float, "rho_high": float, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_ascending(self, "scale_min", "scale_max")
        check_least(self, points=1, features=0, bins=1, samples=1)

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        y, _ = subject.task
        found = quantities(subject, self.features)

        own = chosen(len(y), self.samples, subject.generator)
        at = own.to(y.device)
        subject = replace(subject, x=subject.x[at], y=y[at])
        before = answered(subject, torch.arange(len(at)), subject.layers)
        scales = torch.logspace(log10(self.scale_min), log10(self.scale_max), self.points).double()

        rows = Columns(self.schema)
        for site in sites(subject, found, own):
            self._add(rows, subject, site, scales, before)

        return rows

    def _add(
        self, rows: Columns, subject: Subject, site: Site, scales: Tensor, before: Answers
    ) -> None:
        """Adds for each factor a row of the answers, then one for each layer behind the site."""

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
        }
        layers = deflections(after, before.thetas[:, of, start:], before.losses[:, of])

        for i, scale in enumerate(scales.tolist()):
            add = partial(rows.extend, site=site.name, feature=site.feature, scale=scale)
            values = {name: each[i : i + 1] for name, each in answers.items()}
            add(layer="", r2=site.r2, n=len(of), **values)
            add(layer=list(behind), **{name: each[i] for name, each in layers.items()})

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns measures of the answers at the largest factor, and the mean ρ beyond s = 1.

        Accuracy, loss, calibration error and ρ (the mean over layers) are for the input scaled as a
        whole, feature_accuracy is the mean over the features of layers.
        """

        table = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
        last = max(rows["scale"])
        end = [row for row in table if row["layer"] == "" and row["scale"] == last]
        whole = [row for row in end if row["site"] == INPUT]
        features = [row for row in end if row["feature"] != WHOLE]
        beyond = [
            row for row in table if row["site"] == INPUT and row["layer"] and row["scale"] > 1
        ]

        def over(column: str, some: list[dict[str, Any]]) -> float:
            return mean([value for row in some if (value := row[column]) == value])

        return {
            "accuracy_at_max": over("accuracy", whole),
            "loss_at_max": over("loss", whole),
            "calibration_error_at_max": over("calibration_error", whole),
            "feature_accuracy_at_max": over("accuracy", features),
            "rho": over("rho", beyond),
        }
