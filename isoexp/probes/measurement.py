"""Probes from Python: any network, any samples, one data frame."""

__all__ = ["probe"]

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..data import Factor
from ..ensemble import Ensemble
from ..errors import UserError
from ..streams import stream
from ..training import Classification, Objective, Regression, rows_at_once
from .arguments import (
    Modules,
    Samples,
    check_answers,
    factor_of,
    is_compiled,
    modules_of,
    opened,
    samples_of,
    targets_of,
)
from .layers import Pair, find_layers, passed, tensor_of
from .refraction import Refraction
from .rows import check_rows
from .subject import Probe, Refit, Subject

if TYPE_CHECKING:
    import pandas as pd


def probe(
    model: nn.Module | Sequence[nn.Module],
    inputs: Samples,
    probe: Probe | None = None,
    targets: Samples | None = None,
    *,
    objective: Objective | None = None,
    train: tuple[Samples, Samples] | None = None,
    factors: Mapping[str, Samples | Factor] | None = None,
    twin: nn.Module | tuple[nn.Module, Samples] | None = None,
    refit: Refit | None = None,
    modules: Modules | None = None,
    seed: int = 0,
) -> "pd.DataFrame":
    """Measures a network with a probe and returns the rows.

    The network may be anyone's: its activations are found among its modules. Of what a module takes
    or gives the first tensor counts, be it named, in a tuple or in a mapping; what is compiled runs
    as it was written. It is put into evaluation mode, on its own device, and left as it was.
    Samples are sent through many networks of one shape as one, batched by vmap; the rows of each
    are those that it has by itself, to rounding.

    Arguments:
        model: The network, or several of one shape.
        inputs: Samples, as many as its forward takes at once, along the first axis.
        probe: The measurement, Refraction() unless given.
        targets: The class of each sample, or a vector; for probes that look at answers.
        objective: The objective of the training; classification if targets are whole numbers,
            regression otherwise, unless given.
        train: Inputs and targets that it was trained on; for probes that fit or train.
        factors: The continuous factors behind the inputs by name: values, or Factor(values,
            period) of a periodic one.
        twin: A network trained alike from another seed, with inputs of its own if they differ. Of
            several networks each is the twin of the one before, unless given.
        refit: Trains copies of networks on: refit(networks, steps, rate) returns them.
        modules: The modules to look at, by name, or their names; the activations, unless given.
        seed: The seed of the probe's random draws.

    Returns:
        The rows, a column for each entry of probe.schema; of several networks, behind a column
        that counts them. attrs["probe"] names the probe.

    Raises:
        UserError: If an argument is not what it must be; Unsuitable, one of them, if the network
            cannot be measured so.

    Example:
        >>> isoexp.probe(torchvision.models.resnet18(), pictures)
        >>> isoexp.probe(net, x, isoexp.probes.OODMagnitude(points=9), y)
        >>> isoexp.probe([net.load(seed) for seed in range(16)], x).groupby("network").mean()
    """

    import pandas as pd

    if probe is not None and (isinstance(probe, type) or not isinstance(probe, Probe)):
        raise UserError(f"probe must be one, such as isoexp.probes.Alignment(), got {probe!r}")
    if not isinstance(factors or {}, Mapping):
        raise UserError(f"factors must be given by name, got {type(factors).__name__}")
    models = [model] if isinstance(model, nn.Module) else model
    wrong = not isinstance(models, Sequence) or not models
    if wrong or not all(isinstance(each, nn.Module) for each in models):
        raise UserError(f"model must be a network, or a list of some, got {model!r}")

    probe = Refraction() if probe is None else probe
    models = [opened(each) for each in models]
    tables = []
    with ExitStack() as stack:
        for each in models:
            stack.enter_context(_evaluated(each))
        known = _seen(models, inputs, modules) if len(models) > 1 else [None]
        for k, (each, seen) in enumerate(zip(models, known, strict=True)):
            other = twin if twin is not None or len(models) == 1 else models[(k + 1) % len(models)]
            subject = _subject(
                each, inputs, targets, objective, train, factors, other, refit, modules, seed, stack
            )
            rows = probe(replace(subject, seen=seen))
            check_rows(rows, probe.schema)
            table = pd.DataFrame(rows, columns=list(probe.schema))
            if not isinstance(model, nn.Module):
                table.insert(0, "network", k)
            tables.append(table)

    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    table.attrs["probe"] = type(probe).__module__.rpartition(".")[2]

    return table


def _seen(
    models: Sequence[nn.Module], inputs: Samples, modules: Modules | None
) -> Sequence[Mapping[str, Pair] | None]:
    """Returns the inputs and outputs of the layers of each network, from one pass of all.

    None for each where they differ in shape, cannot be batched, or the samples are too many.
    """

    x = samples_of(models[0], inputs)
    nothing = [None] * len(models)
    if isinstance(modules, Mapping) or len(x) > rows_at_once(x, len(models)):
        return nothing
    try:
        ensemble = Ensemble(models)
        layers = find_layers(ensemble.template, x[:2], modules_of(ensemble.template, modules))
        _, pairs = ensemble.map(lambda network, x: passed(network, layers, x), x)
    except Exception:  # of anybody's class: each by itself, then
        return nothing

    return [
        {name: Pair(*(t[k] for t in pair)) for name, pair in pairs.items()}
        for k in range(len(models))
    ]


def _subject(
    model: nn.Module,
    inputs: Samples,
    targets: Samples | None,
    objective: Objective | None,
    train: tuple[Samples, Samples] | None,
    factors: Mapping[str, Samples | Factor] | None,
    twin: nn.Module | tuple[nn.Module, Samples] | None,
    refit: Refit | None,
    modules: Modules | None,
    seed: int,
    stack: ExitStack,
) -> Subject:
    """Returns the subject of a probe, after checking every argument."""

    x = samples_of(model, inputs)
    y = None if targets is None else targets_of(model, targets, len(x))
    if objective is None and y is not None:
        objective = Regression.on(x, y) if y.is_floating_point() else Classification()
    others = {name: factor_of(name, values, len(x)) for name, values in (factors or {}).items()}
    learnt = None
    if train is not None:
        first = samples_of(model, train[0])
        learnt = first, targets_of(model, train[1], len(first))

    for a, b in ((x, y), *([learnt] if learnt else [])):
        check_answers(model, a, b, objective)
    draws, looked_at = stream(seed, "probe"), modules_of(model, modules)
    subject = Subject(
        model, x, y, objective, draws, "network", learnt, others, refit=refit, modules=looked_at
    )
    if twin is None:
        return subject

    network, own = twin if isinstance(twin, tuple) else (twin, inputs)
    network = opened(network)
    stack.enter_context(_evaluated(network))
    z, y = samples_of(network, own), y if own is inputs else None
    check_answers(network, z, name="twin")
    draws, looked_at = stream(seed + 1, "probe"), modules_of(network, modules)
    alike = replace(subject, model=network, x=z, y=y, generator=draws, modules=looked_at)

    return replace(subject, twin=replace(alike, name="twin", factors={}))


def _uncompiled(model: nn.Module) -> AbstractContextManager[object]:
    # only then: it imports the compiler
    return torch.compiler.set_stance("force_eager") if is_compiled(model) else nullcontext()


@contextmanager
def _evaluated(model: nn.Module) -> Iterator[None]:
    """Holds a network in evaluation mode, then gives each module its own mode back.

    Meanwhile nothing of it is compiled, and of outputs that hold a tensor it gives the first.
    """

    modes = {module: module.training for module in model.modules()}
    hook = model.register_forward_hook(lambda module, args, out: tensor_of(out))
    model.eval()
    try:
        with _uncompiled(model):
            yield
    finally:
        hook.remove()
        for module, mode in modes.items():
            module.training = mode
