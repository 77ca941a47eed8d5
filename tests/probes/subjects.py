"""Networks and samples to put probes to."""

from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import nn

from isoexp.activations import Activation, IsoTanh
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.probes import Probe, Subject
from isoexp.training import Classification


def subject(
    activation: type[Activation] = IsoTanh,
    model: nn.Module | None = None,
    seed: int = 0,
    samples: int = 200,
    **settings: object,
) -> Subject:
    """An untrained classifier of 10 features into 4 classes, and Gaussian samples."""

    torch.manual_seed(seed)
    built = MLP((10,), 4, Forms(partial(activation, **settings), nn.Identity, Default()), (16, 12))

    return Subject(
        (model or built).eval(),
        torch.randn(samples, 10),
        torch.randint(4, (samples,)),
        Classification(),
        torch.Generator().manual_seed(seed),
    )


@torch.no_grad()
def loss(it: Subject, model: nn.Module, split: str = "test") -> float:
    """The mean loss of a network on the samples of a subject, or on what it was trained on."""

    assert it.train is not None or split == "test"
    x, y = (it.x, it.y) if split == "test" or it.train is None else it.train
    assert it.objective is not None
    assert y is not None

    return it.objective.losses(model(x)[None], x[None], y[None]).double().mean().item()


def measure(probe: Probe, it: Subject) -> Any:
    """What a probe measures, as a data frame (Any: its types are those of its columns)."""

    return pd.DataFrame(probe(it))
