"""Probes from Python: any network, any samples, one data frame."""

__all__ = ["probe"]

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from ..data import Factor
from ..errors import UserError
from ..streams import stream
from ..training import Classification, Objective, Regression
from .arguments import (
    Samples,
    answers_of,
    check_targets,
    factor_of,
    modules_of,
    samples_of,
    targets_of,
)
from .refraction import Refraction
from .subject import Probe, Refit, Subject

if TYPE_CHECKING:
    import pandas as pd


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

    x = samples_of(model, inputs)
    y = None if targets is None else targets_of(model, targets, len(x))
    if objective is None and y is not None:
        objective = Regression.on(x, y) if y.is_floating_point() else Classification()
    others = {name: factor_of(name, values, len(x)) for name, values in (factors or {}).items()}
    learnt = None
    if train is not None:
        first = samples_of(model, train[0])
        learnt = first, targets_of(model, train[1], len(first))

    with ExitStack() as stack:
        stack.enter_context(_evaluated(model))
        for a, b in ((x, y), *([learnt] if learnt else [])):
            answers = answers_of(model, a)
            if b is not None and objective is not None:
                check_targets(answers, a, b, objective)
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
            modules=modules_of(model, modules),
        )
        if twin is not None:
            network, own = twin if isinstance(twin, tuple) else (twin, inputs)
            stack.enter_context(_evaluated(network))
            z, same = samples_of(network, own), own is inputs
            answers_of(network, z, "twin")
            alike = replace(
                subject,
                model=network,
                x=z,
                y=y if same else None,
                generator=stream(seed + 1, "probe"),
                name="twin",
                factors={},
                modules=modules_of(network, modules),
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
