"""Probes from Python: any network, any samples, one data frame."""

__all__ = ["probe"]

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Factor
from ..errors import UserError, did_you_mean
from ..streams import stream
from ..training import Classification, Objective, Regression
from .refraction import Refraction
from .subject import Probe, Refit, Subject

if TYPE_CHECKING:
    import pandas as pd

Samples = Tensor | np.ndarray | Sequence[Any]


def probe(
    model: nn.Module,
    inputs: Samples,
    probe: Probe | None = None,
    targets: Samples | None = None,
    *,
    objective: Objective | None = None,
    train: tuple[Samples, Samples] | None = None,
    factors: Mapping[str, Samples | Factor] | None = None,
    twin: nn.Module | tuple[nn.Module, Samples] | None = None,
    refit: Refit | None = None,
    modules: Mapping[str, nn.Module] | Sequence[str] | None = None,
    seed: int = 0,
) -> "pd.DataFrame":
    """Puts a probe to a network and returns its rows.

    The network may be anyone's: its activations are found among its modules. It is put into
    evaluation mode, on its own device, and left as it was.

    Arguments:
        model: The network.
        inputs: Samples to put to it, as many as its forward takes at once, along the first axis.
        probe: What to measure, Refraction() unless given.
        targets: The class of each sample, or a vector; for probes that look at answers.
        objective: What the network was trained for; classification if targets are whole numbers,
            regression otherwise, unless given.
        train: Inputs and targets that it was trained on; for probes that fit or train.
        factors: The continuous factors behind the inputs by name: values, or Factor(values,
            period) of a periodic one.
        twin: A network trained alike from another seed, with inputs of its own if they differ.
        refit: Trains copies of networks on: refit(networks, steps, rate) returns them.
        modules: The modules to look at, by name, or their names; the activations, unless given.
        seed: The seed of what the probe draws.

    Returns:
        The rows, a column for each entry of probe.schema; attrs["probe"] names the probe.

    Raises:
        UserError: If an argument is not what it must be; Unsuitable, one of them, if the network
            cannot be measured so.

    Example:
        >>> isoexp.probe(torchvision.models.resnet18(), pictures)
        >>> isoexp.probe(net, x, isoexp.probes.OODMagnitude(points=9), y)
    """

    import pandas as pd

    if not isinstance(model, nn.Module):
        raise UserError(f"model must be a network, got {model!r}")
    if probe is not None and (isinstance(probe, type) or not isinstance(probe, Probe)):
        raise UserError(f"probe must be one, such as isoexp.probes.Alignment(), got {probe!r}")
    if not isinstance(factors or {}, Mapping):
        raise UserError(f"factors must be given by name, got {type(factors).__name__}")

    x, y = _samples(model, inputs), None if targets is None else _samples(model, targets)
    y = y if y is None or y.is_floating_point() else y.long()
    if y is not None and len(y) != len(x):
        raise UserError(f"targets must be as many as inputs, got {len(y)} and {len(x)}")
    if objective is None and y is not None:
        objective = Regression.on(x, y) if y.is_floating_point() else Classification()
    others = {name: _factor(name, values, len(x)) for name, values in (factors or {}).items()}
    learnt = None if train is None else (_samples(model, train[0]), _samples(model, train[1]))

    with ExitStack() as stack:
        stack.enter_context(_evaluated(model))
        _check(model, x)
        subject = Subject(
            model,
            x,
            y,
            objective,
            stream(seed, "probe"),
            name="network",
            train=learnt,
            factors=others,
            refit=refit,
            modules=_modules(model, modules),
        )
        if twin is not None:
            network, own = twin if isinstance(twin, tuple) else (twin, inputs)
            stack.enter_context(_evaluated(network))
            z, same = _samples(network, own), own is inputs
            _check(network, z)
            alike = replace(
                subject,
                model=network,
                x=z,
                y=y if same else None,
                generator=stream(seed + 1, "probe"),
                name="twin",
                factors={},
                modules=_modules(network, modules),
            )
            subject = replace(subject, twin=alike)

        probe = Refraction() if probe is None else probe
        table = pd.DataFrame(probe(subject), columns=list(probe.schema))

    table.attrs["probe"] = type(probe).__module__.rpartition(".")[2]

    return table


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    """Holds a network in evaluation mode, then gives each module back its own."""

    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _samples(model: nn.Module, samples: Samples) -> Tensor:
    """Returns samples as a tensor where the network lives, numbers in its precision."""

    tensor = torch.as_tensor(np.asarray(samples) if not isinstance(samples, Tensor) else samples)
    like = next(iter(model.parameters()), torch.empty(0))
    if tensor.dim() == 0 or not len(tensor):
        raise UserError(f"samples must lie along a first axis, got shape {tuple(tensor.shape)}")

    return tensor.to(like) if tensor.is_floating_point() else tensor.to(like.device)


def _factor(name: str, values: Samples | Factor, samples: int) -> Factor:
    factor = values if isinstance(values, Factor) else Factor(np.asarray(values, dtype=np.float64))
    if factor.values.shape != (samples,):
        raise UserError(
            f"factor {name} must be one number a sample, {samples}, got shape {factor.values.shape}"
        )

    return factor


@torch.no_grad()
def _check(model: nn.Module, x: Tensor) -> None:
    """Refuses networks whose answers or precision no probe can measure."""

    half = [p.dtype for p in model.parameters() if p.dtype in (torch.float16, torch.bfloat16)]
    if half:
        raise UserError(f"the network must be float32 or float64, got {half[0]}: use net.float()")
    try:
        y = model(x[:2])
    except Exception as error:  # of anybody's network
        reason = " ".join(str(error).split())
        shape = tuple(x.shape)
        raise UserError(f"inputs of shape {shape} are not for the network: {reason}") from error
    if not isinstance(y, Tensor) or y.dim() < 2 or len(y) != len(x[:2]):
        given = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise UserError(f"the network must give a tensor (samples, outputs), got {given}")


def _modules(
    model: nn.Module, modules: Mapping[str, nn.Module] | Sequence[str] | None
) -> Mapping[str, nn.Module] | None:
    """Returns the modules to look at, by the names that they have in a network."""

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
