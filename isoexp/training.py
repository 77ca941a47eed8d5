"""Training: a loop that yields after every update, and the losses it can minimise.

The caller decides what to log, measure or save between two updates, and when to stop. Nothing
here waits for the device: a step holds tensors.
"""

__all__ = [
    "Classification",
    "Evaluated",
    "Objective",
    "Reconstruction",
    "Regression",
    "Step",
    "batches",
    "correct",
    "evaluate",
    "evaluated",
    "fit",
    "rows_at_once",
]

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.optim import Optimizer

from .ensemble import Ensemble
from .optimizers import step as update
from .parallel import mean_, share
from .regularizers import NoRegularizer, Regularizer
from .samples import Samples, count, rows_of, taken
from .streams import reseed_torch, seeded, stream, stream_seed

NO_REGULARIZER = NoRegularizer()

AT_ONCE = 2**19
"""The most input numbers of one evaluation batch.

They are some 700 pictures of 28×28, for which the attention of a transformer takes a gigabyte.
"""

FEW_CLASSES = 16
"""The most classes for which the CPU's softmax is faster, by four, along the first axis."""


@runtime_checkable
class Objective(Protocol):
    """The loss that a network is trained on, and a score in the terms of the task."""

    score: str

    def losses(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        """Returns the loss of each sample, for each network."""
        ...

    def scores(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        """Returns a number a sample whose mean is the score, for each network."""
        ...

    def in_units(
        self, losses: Tensor, outputs: Tensor, x: Tensor, y: Tensor
    ) -> Float[Tensor, "K batch"]:
        """Returns the losses in the units of the data."""
        ...


class Classification:
    """Cross-entropy, the mean over the steps that have a class; the score is the accuracy.

    Outputs that are not finite decide for no class: their accuracy is NaN.
    """

    score = "accuracy"

    def losses(
        self,
        outputs: Float[Tensor, "K batch *steps classes"],
        x: Shaped[Tensor, "K batch *inputs"],
        y: Shaped[Tensor, "K batch *steps"],
    ) -> Float[Tensor, "K batch"]:
        logits = outputs.flatten(0, -2)
        few = logits.device.type == "cpu" and logits.shape[1] <= FEW_CLASSES
        log_p = logits.t().contiguous().log_softmax(0).t() if few else logits.log_softmax(1)
        flat = F.nll_loss(log_p, y.flatten(), reduction="none")

        return flat.view(*y.shape[:2], -1).mean(dim=-1)

    def scores(
        self,
        outputs: Float[Tensor, "K batch *steps classes"],
        x: Shaped[Tensor, "K batch *inputs"],
        y: Shaped[Tensor, "K batch *steps"],
    ) -> Float[Tensor, "K batch"]:
        right = correct(outputs, y)

        return right.view(*y.shape[:2], -1).mean(dim=-1)

    def in_units(
        self, losses: Tensor, outputs: Tensor, x: Tensor, y: Tensor
    ) -> Float[Tensor, "K batch"]:
        return losses


def correct(
    logits: Float[Tensor, "*answers classes"], y: Int[Tensor, " *answers"]
) -> Float[Tensor, " *answers"]:
    """Returns 1 where the largest logit is the right one, else 0; NaN where one is not finite."""

    right = (logits.argmax(dim=-1) == y).to(logits.dtype)

    return torch.where(logits.isfinite().all(dim=-1), right, torch.nan)


class Regression:
    """Mean squared error; the score is R² = 1 − error / variance, each a mean over target values.

    What is minimised is the error of standardised targets, in which each value counts alike; what
    is told is error and R² in the targets' own units.

    Arguments:
        variance: That of the targets in their own units; NaN of constant ones, as R² is then.
        units: What a step of one in each value of a target is in the target's own units; nothing
            if targets are in them.
    """

    score = "r2"

    def __init__(self, variance: float = 1.0, units: Sequence[float] = ()) -> None:
        self.variance = variance
        self.units = list(units)

    @classmethod
    def on(cls, x: Tensor, y: Tensor, units: Sequence[float] = ()) -> "Regression":
        """Returns the objective for the R² of a split: variance is about the split's own mean."""

        target = cls().target(x, y).cpu().double()
        target = target * torch.tensor(units, dtype=torch.float64) if units else target
        varies = target.amax(dim=0) > target.amin(dim=0)  # not by a mean that was rounded
        variance = target.var(dim=0, correction=0).where(varies, 0).mean().item()

        return cls(variance if variance > 0 else nan, units)

    def target(self, x: Tensor, y: Tensor) -> Tensor:
        return y

    def losses(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        return (outputs - self.target(x, y)).square().flatten(2).mean(dim=-1)

    def scores(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        return 1 - self.in_units(self.losses(outputs, x, y), outputs, x, y) / self.variance

    def in_units(
        self, losses: Tensor, outputs: Tensor, x: Tensor, y: Tensor
    ) -> Float[Tensor, "K batch"]:
        if not self.units:
            return losses
        like = {"dtype": outputs.dtype, "device": outputs.device}
        units = torch.stack([torch.as_tensor(unit, **like) for unit in self.units])

        return (units * (outputs - self.target(x, y))).square().flatten(2).mean(dim=-1)


class Reconstruction(Regression):
    """Mean squared error between outputs and inputs."""

    def target(self, x: Tensor, y: Tensor) -> Tensor:
        return x


@dataclass(frozen=True)
class Step:
    """One update of K networks.

    Arguments:
        index: The number of updates made, this one included.
        losses: The loss of each network on its batch, before the update.
        scores: The score of each network on its batch, before the update.
        grad_norms: The norm of each network's gradient before clipping; None without clipping.
        penalties: The regularizer's addition to each network's loss; None if there is none.
    """

    index: int
    losses: Float[Tensor, " K"]
    scores: Float[Tensor, " K"]
    grad_norms: Float[Tensor, " K"] | None = None
    penalties: Float[Tensor, " K"] | None = None


def batches(
    x: Samples, y: Samples, seeds: Sequence[int], batch_size: int, steps: int, start: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the batches of updates start + 1 … steps, each network's in the order of its seed.

    The order of epoch e is a permutation from the stream (seed, "order", e): a resumed run
    needs no more than the number of updates made. The last batch of an epoch may be smaller.
    """

    size, device = count(x), (x[0] if isinstance(x, Sequence) else x).device
    per_epoch = -(-size // batch_size)
    order, current = torch.empty(0), -1

    for step in range(start, steps):
        epoch, index = divmod(step, per_epoch)
        if epoch != current:
            shuffled = [torch.randperm(size, generator=stream(s, "order", epoch)) for s in seeds]
            order, current = torch.stack(shuffled).to(device), epoch

        rows = order[:, index * batch_size : (index + 1) * batch_size]

        yield taken(x, rows), taken(y, rows)


def fit(
    ensemble: Ensemble,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizers: Sequence[Optimizer],
    objective: Objective,
    schedule: Callable[[int, int], float | Float[Tensor, " K"]],
    clip: Callable[[Sequence[Tensor]], Tensor | None],
    steps: int,
    start: int = 0,
    seeds: Sequence[int] | None = None,
    regularizer: Regularizer = NO_REGULARIZER,
) -> Iterator[Step]:
    """Trains an ensemble in place, and yields after every update.

    Arguments:
        batches: The inputs and targets of each update, for each network; where processes share
            them, this one's shares.
        schedule: The factor of the learning rate at update i of n, or of each network's.
        clip: Bounds the gradients in place.
        steps: The number n of updates of a whole training.
        start: The number of updates made before.
        seeds: The seed of each network's noise, 0 … K − 1 unless given: each update draws from a
            stream of its own, so that a resumed training draws the same. A network by itself may
            draw from torch's global generators too, which are left at the stream of the update.
        regularizer: The penalty added to the loss of each network.
    """

    seeds = range(ensemble.size) if seeds is None else seeds

    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    for index, (x, y) in enumerate(batches, start=start + 1):
        factor = schedule(index, steps)
        each = factor.tolist() if isinstance(factor, Tensor) and len(optimizers) > 1 else None
        for k, optimizer in enumerate(optimizers):
            for group in optimizer.param_groups:
                group["lr"] = (each[k] if each else factor) * group["initial_lr"]

        ensemble.train()  # the caller may have evaluated the networks meanwhile
        ensemble.zero_grad()
        ensemble.seed_noise([stream_seed(seed, "forward", index) for seed in seeds])
        if ensemble.size == 1:  # together, networks may not draw from torch's generators
            reseed_torch(seeds[0], "torch", index)

        outputs = ensemble(x)
        each_loss = objective.losses(outputs, x, y)
        losses = each_loss.mean(dim=1)
        penalties = regularizer(ensemble.weights(), ensemble.activations)
        total = losses if penalties is None else losses + penalties
        total.sum().backward()

        outputs = outputs.detach()
        losses = objective.in_units(each_loss.detach(), outputs, x, y).mean(dim=1)
        scores = objective.scores(outputs, x, y).mean(dim=1)
        added = [] if penalties is None else [penalties.detach()]
        if share() is not None:
            mean_([*ensemble.gradients(), losses, scores, *added])
        grad_norms = clip(ensemble.gradients())

        for optimizer in optimizers:
            update(optimizer)

        yield Step(index, losses, scores, grad_norms, *added)


@torch.no_grad()
def evaluate(
    ensemble: Ensemble, x: Samples, y: Samples, objective: Objective
) -> tuple[Float[Tensor, " K"], Float[Tensor, " K"]]:
    """Returns the mean loss and the mean score of each network, in float64.

    What a network draws from torch's global generators is the same each time.
    """

    losses = torch.zeros(ensemble.size, dtype=torch.float64)
    scores = torch.zeros_like(losses)
    for each in evaluated(ensemble, x, y, objective):
        losses += each.losses.sum(dim=1)
        scores += each.scores.sum(dim=1)

    return losses / count(x), scores / count(x)


class Evaluated(NamedTuple):
    """Outputs of K networks for samples in their order, with the loss and score of each."""

    outputs: Float[Tensor, "K batch *outputs"]
    losses: Float[Tensor, "K batch"]
    scores: Float[Tensor, "K batch"]


@torch.no_grad()
def evaluated(
    ensemble: Ensemble, x: Samples, y: Samples, objective: Objective
) -> Iterator[Evaluated]:
    """Yields the outcome of each sample, batch by batch, losses and scores in float64."""

    ensemble.train(False)
    rows = rows_at_once(x[0] if isinstance(x, Sequence) else x[:1], ensemble.size)

    with seeded(0, "evaluate"):
        for i in range(0, count(x), rows):
            a, b = (rows_of(samples, i, i + rows, ensemble.size) for samples in (x, y))
            outputs = ensemble(a)
            losses = objective.in_units(objective.losses(outputs, a, b), outputs, a, b)
            scores = objective.scores(outputs, a, b)
            yield Evaluated(outputs, losses.cpu().double(), scores.cpu().double())


def rows_at_once(x: Shaped[Tensor, " samples *inputs"], networks: int = 1) -> int:
    """Returns the number of samples in one evaluation batch of so many networks."""

    return max(1, AT_ONCE // max(1, networks * x[:1].numel()))
