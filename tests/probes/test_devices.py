"""Probes on a device without float64, as Apple's: nothing of it may be in double precision."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from isoexp import probes
from isoexp.activations import IsoTanh, Tanh
from isoexp.data import Factor
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.probes import Probe, Subject
from isoexp.training import Classification

PROBES: list[Probe] = [
    probes.Agreement(halves=2),
    probes.Alignment(bases=2, angles=5, planes=9),
    probes.Compression(),
    probes.Connectivity(draws=1, points=3),
    probes.Continuity(bases=2),
    probes.Cost(vectors=8, repeats=1),
    probes.Decisions(),
    probes.Equivariance(draws=2),
    probes.Locking(sizes=1, draws=1, steps=1),
    probes.OODMagnitude(points=2),
    probes.Refraction(rays=8, points=2),
    probes.Spectrum(vectors=8),
]

MOVING = [Tensor.to, Tensor.copy_, Tensor.__getitem__]
"""What may be given tensors of two devices, indices among them."""


class There(Tensor):
    """A tensor that says it lies on such a device: what is made from it does too.

    Not by cpu(), by which it comes back. In double precision there is none.
    """

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict | None = None
    ) -> Any:
        if len(args) > 1 and func not in MOVING:  # numbers lie on every device
            away = [isinstance(t, cls) for t in args if isinstance(t, Tensor) and t.dim()]
            if any(away) and not all(away):
                raise RuntimeError("expected all tensors to be on the same device")
        found: Any = super().__torch_function__(func, types, args, kwargs or {})
        if func is Tensor.cpu:
            return found.as_subclass(Tensor)
        if func is Tensor.numpy:
            raise TypeError("can't convert a tensor of this device to numpy: use cpu() first")
        for t in found if isinstance(found, tuple) else (found,):
            if isinstance(t, cls) and t.dtype == torch.float64:
                raise TypeError("this device has no float64")

        return found

    def __deepcopy__(self, memo: dict) -> Tensor:
        return nn.Parameter(self.detach().clone())


def there(t: Tensor) -> Tensor:
    return t.as_subclass(There)


def looked_at(F: type, seed: int, move: Any = lambda t: t) -> Subject:
    torch.manual_seed(0)
    x, y = torch.randn(40, 5), torch.randint(3, (40,))
    torch.manual_seed(seed)
    model = MLP((5,), 3, Forms(F, nn.Identity, Default()), (7, 6)).eval()
    for module in model.modules():
        for name, p in list(module._parameters.items()):
            if p is not None:
                module._parameters[name] = nn.Parameter(move(p.detach()))

    def refit(networks: Sequence[nn.Module], steps: int, rate: float) -> list[nn.Module]:
        return [deepcopy(network) for network in networks]

    return Subject(
        model,
        move(x),
        move(y),
        Classification(),
        torch.Generator().manual_seed(seed),
        train=(move(x), move(y)),
        factors={"first": Factor(x[:, 0].numpy(), None)},
        refit=refit,
    )


def measured(probe: Probe, F: type, move: Any = lambda t: t) -> pd.DataFrame:
    it = replace(looked_at(F, 0, move), twin=looked_at(F, 1, move))

    return pd.DataFrame(probe(it))


def test_such_a_device_is_told_apart() -> None:
    """The control: what is forbidden there is seen, whatever leads to it."""

    t = there(torch.randn(3))

    assert isinstance(t + 1, There)
    assert not isinstance(t.cpu().double(), There)
    for forbidden in (
        t.double,
        lambda: t + torch.ones(3).double(),
        partial(torch.zeros_like, t, dtype=torch.float64),
        t.numpy,
        lambda: t + torch.ones(3),
    ):
        with pytest.raises((TypeError, RuntimeError), match="device"):
            forbidden()


@pytest.mark.parametrize("F", [IsoTanh, Tanh])
@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: type(probe).__name__)
def test_a_device_without_double_precision_gives_the_same(probe: Probe, F: type) -> None:
    """But for the order in which a gradient is summed up, and the time that it takes."""

    here, away = (measured(probe, F, move) for move in (lambda t: t, there))
    times = [name for name in here if name.startswith("time_")]

    pd.testing.assert_frame_equal(here.drop(columns=times), away.drop(columns=times), rtol=1e-5)
