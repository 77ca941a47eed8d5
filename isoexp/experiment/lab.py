"""The lab: every object that one configuration asks for, built and ready."""

__all__ = ["Lab", "held"]

from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from ..config.build import build, takes
from ..config.document import Config, to_yaml
from ..config.groups import GROUPS, handed
from ..config.settings import Settings
from ..data import Factor
from ..devices import bound_memory, device_named, set_threads
from ..ensemble import BuildOptimizer, Ensemble
from ..errors import UserError, one_line
from ..models.blocks import Forms
from ..models.flaws import flaws
from ..optimizers import spare_the_compiler, step
from ..probes import Probe
from ..regularizers import Regularizer
from ..samples import Subset, whole
from ..streams import seeded
from ..training import Classification, Objective, Reconstruction, Regression
from .columns import check_probe
from .dataset import DTYPES, Dataset, Shapes, load

WIDTH = 8
"""The number of features that an activation or a norm is tried out with."""

SAMPLES = 64
"""The number of samples on which flaws are looked for."""

BUILT = {
    "model": "build_model",
    "optimizer": "build_optimizer",
    "schedule": "schedule",
    "clip": "clip",
    "regularizer": "regularizer",
    "probe": "probes",
    "logger": "logger",
}
"""The fields of a lab that are built from a group, by the group."""


@dataclass(frozen=True)
class Lab:
    """All that a training needs, for any seed.

    Arguments:
        dataset: The data, of the first seed where each has splits of its own; `at` has others.
        build_model: Builds a network; it takes the shape of an input and the number of outputs,
            as `inputs` and `outputs`, or neither.
        build_optimizer: Builds the optimizer of given tensors.
        schedule: The factor of the learning rate at update i of n.
        clip: Bounds gradients in place, and returns their norms before.
        flaws: What of the network is of no use by construction, and how to mend it.
    """

    settings: Settings
    dataset: Dataset
    build_model: Callable[..., nn.Module]
    build_optimizer: BuildOptimizer
    schedule: Callable[[int, int], float]
    clip: Callable[[Sequence[Tensor]], Tensor | None]
    regularizer: Regularizer
    probes: dict[str, Probe]
    logger: Any
    device: torch.device
    flaws: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, settings: Settings) -> "Lab":
        """Builds everything once, so that nothing can be refused later.

        Raises:
            UserError: If a part refuses its settings, or data or device are not there.
        """

        set_threads()
        spare_the_compiler()

        device = device_named(settings.device)
        bound_memory(device)
        dataset = load(to_yaml(config["data"]), device, settings.precision)

        lab = cls(
            settings=settings,
            dataset=dataset(settings.members[0]),
            device=device,
            **_built(config, BUILT),
        )
        lab._try_out(config)

        return replace(lab, flaws=lab._flaws(config))

    def try_parts(self, config: Config, settings: Settings, parts: Collection[str]) -> None:
        """Tries parts of a configuration of the same structure on this lab's data, as `of`."""

        forms = set(handed())
        model = {"model"} if forms & set(parts) else set()
        lab = replace(self, settings=settings, **_built(config, {*parts, *model}))
        if {*parts} & {*forms, "model", "optimizer", "regularizer"}:
            lab._try_out(config)

    def at(self, seed: int) -> "Lab":
        """Returns the lab with the splits of a seed."""

        dataset = self.dataset.at(seed)

        return self if dataset is self.dataset else replace(self, dataset=dataset)

    @property
    def splits(self) -> Mapping[str, tuple[Tensor | Subset, Tensor | Subset]]:
        """Inputs and targets on the device, by the name of the split."""

        return self.dataset.splits

    @property
    def factors(self) -> Mapping[str, Factor]:
        """The continuous factors behind the test split, by name."""

        return self.dataset.factors

    @property
    def shape(self) -> Shapes:
        """The shape of an input and the number of outputs, which models may ask for."""

        return self.dataset.shape

    @property
    def steps(self) -> int:
        """The number of updates of the whole training."""

        return self.settings.total_steps(len(self.splits["train"][0]))

    @property
    def per_epoch(self) -> int:
        """The number of updates of an epoch."""

        return -(-len(self.splits["train"][0]) // self.settings.batch_size)

    @property
    def snapshots(self) -> list[int]:
        """The updates at which a snapshot is taken, evenly spaced in the logarithm."""

        count = self.settings.snapshots
        steps = {round(self.steps ** (i / (count + 1))) for i in range(1, count + 1)}

        return sorted(step for step in steps if 0 < step < self.steps)

    def objective(self, split: str) -> Objective:
        """Returns the objective that model and targets ask for, scored on a split."""

        return self._objectives[split]

    @cached_property
    def _objectives(self) -> dict[str, Objective]:
        return {split: self._objective(x, y) for split, (x, y) in self.splits.items()}

    def _objective(self, x: Tensor | Subset, y: Tensor | Subset) -> Objective:
        if getattr(self._model, "reconstructs", False):
            return Reconstruction.on(whole(x), whole(y))
        if self.dataset.units:
            return Regression.on(whole(x), whole(y), self.dataset.units)

        return Classification()

    @property
    def _model(self) -> Any:
        return getattr(self.build_model, "func", self.build_model)

    def network(self, seed: int) -> nn.Module:
        """Returns the untrained network of a seed, the same wherever it is built."""

        network = _network(self.build_model, self.shape, seed)

        return network.to(self.device, DTYPES[self.settings.precision])

    def as_one(self, networks: Sequence[nn.Module], compile: bool = False) -> Ensemble:
        """Returns networks as one, ready to be trained."""

        observe = getattr(self.regularizer, "sees_activations", False)

        return Ensemble(networks, compile, self.autocast, observe)

    @property
    def autocast(self) -> torch.dtype | None:
        """The dtype of mixed precision, if it is asked for."""

        return torch.bfloat16 if self.settings.precision == "bfloat16" else None

    def _try_out(self, config: Config) -> None:
        """Builds each part and makes one update; a complaint is told with the name of the part."""

        self._check_answers()
        data, target = self.splits["train"]
        rows = min(2, len(data) % self.settings.batch_size or self.settings.batch_size)
        part = "activation"
        try:
            for part in filter(config.get, _by_width()):
                build(config, part)(WIDTH)
            part = "model"
            network = self.network(self.settings.members[0])
            if not any(p.requires_grad for p in network.parameters()):
                raise UserError("model: there is nothing to train, it has no parameters")
            copies = [deepcopy(network) for _ in self.settings.members[:2]]
            ensemble = self.as_one(copies)
            part = "optimizer"
            optimizers = ensemble.optimizers(self.build_optimizer)
            part = "model"
            x, y = (t[:rows].expand(len(copies), *t[:rows].shape) for t in (data, target))
            with torch.random.fork_rng(devices=[]):
                losses = self.objective("train").losses(ensemble(x), x, y)
                losses.sum().backward()
            part = "regularizer"
            self.regularizer(ensemble.weights(), ensemble.activations)
            part = "optimizer"
            for optimizer in optimizers:
                step(optimizer)
        except UserError:
            raise
        except (
            Exception,
            SystemExit,
        ) as error:  # of a user's own class too: it can only be what was asked for
            message = one_line(error)
            if "randomness" in message:
                message = (
                    "networks whose forward pass draws from torch's generator are trained one by "
                    "one: isoexp train -m seed=0,1,… instead of seeds=, or dropout="
                )
            raise UserError(f"{part}: {message}") from error

    def _flaws(self, config: Config) -> tuple[str, ...]:
        """Looks at the activations of an untrained network, on the first samples."""

        if not config.get("activation"):
            return ()
        kind = type(build(config, "activation")(WIDTH))
        network, x = self.network(self.settings.members[0]), self.splits["train"][0][:SAMPLES]
        with torch.random.fork_rng(devices=[]):
            found = list(flaws(network, x, kind))
        said = []
        for name, layer, flaw in found:
            R0 = vars(layer).get("R0")
            mend = f"; set activation.R0 to another radius, such as {R0 / 2:g}" if R0 else ""
            said.append(f"{name} ({kind.__name__}): {flaw}{mend}")

        return tuple(said)

    def _check_answers(self) -> None:
        """Checks that the model answers at each step where the data ask for it."""

        answers = getattr(self._model, "answers_each_step", False)
        if isinstance(self.shape[1], tuple) and not (
            answers or getattr(self._model, "reconstructs", False)
        ):
            raise UserError(
                "model gives one answer a sample, and the data ask for one at each of "
                f"{self.shape[1][0]} steps: use model=transformer or model=rnn"
            )


def held(config: Config) -> tuple[str, ...]:
    """Returns the groups that models are handed of which the network has a part.

    A network is built, and tells: it has a part of a form if a module of it was made by that form,
    or if the form is none that makes modules, as an init, and was called.
    """

    made: dict[str, list[Any]] = {group: [] for group in handed()}

    def watched(group: str, form: Callable[..., Any]) -> Callable[..., Any]:
        def make(*arguments: Any, **named: Any) -> Any:
            made[group].append(form(*arguments, **named))
            return made[group][-1]

        return make

    device = torch.device("cpu")
    bound_memory(device)
    shape = load(to_yaml(config["data"]), device, "float32")(0).shape
    model = _built(config, ["model"])["build_model"]
    given = {k: watched(k, form) for k, form in model.keywords.items() if k in made}
    if "forms" in model.keywords:
        forms = model.keywords["forms"]
        own = {k: watched(k, form) for k, form in forms._asdict().items() if k in made}
        given["forms"] = forms._replace(**own)
    network = _network(partial(model, **given), shape, 0)

    modules = set(network.modules())
    parts = {
        group: [each for each in every if not isinstance(each, nn.Module) or each in modules]
        for group, every in made.items()
    }

    return tuple(group for group, every in parts.items() if every)


def _network(model: Callable[..., nn.Module], shape: Shapes, seed: int) -> nn.Module:
    """Returns the untrained network of a seed, the same wherever it is built."""

    known = dict(zip(("inputs", "outputs"), shape, strict=True))
    with seeded(seed, "weights"):
        return model(**{k: v for k, v in known.items() if k in takes(model)})


def _built(config: Config, parts: Collection[str]) -> dict[str, Any]:
    found = {
        field: build(config, part) if config.get(part) else {}
        for part, field in BUILT.items()
        if part in parts
    }
    for name, probe in found.get("probes", {}).items():
        check_probe(name, probe)
    model: Any = found.get("build_model")
    if model is not None and "forms" in takes(model):
        given = {part: build(config, part) for part in Forms._fields if config.get(part)}
        found["build_model"] = partial(model, forms=Forms(**given))

    return found


def _by_width() -> list[str]:
    """Returns the groups whose choices are built for a number of features."""

    return [group.name for group in GROUPS.values() if group.supplied == ("width",)]
