"""Cost: the time and memory that the function of a layer takes, beside elementwise ones.

    t(f) / t(tanh),    f and tanh on the same vectors x, which f is given of the data

An isotropic function takes the norm of a vector, a scalar function of that and a product for each
coordinate, where an elementwise tanh takes n of tanh. It is said to be cheap (Bird 2025, Sec. 4.1);
here it is measured as PyTorch runs it, kernel by kernel, the forms in turn. Times belong to one
machine at one moment: unlike all other measurements they cannot be repeated to the bit.
"""

__all__ = ["Cost", "Workload", "peak_bytes", "saved_bytes", "times_s"]

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import nan
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ..store.tables import Rows, Schema
from .arguments import check_least
from .derivatives import check_vectors
from .layers import Layer
from .rows import Columns, cells
from .subject import Over, Subject

OWN, TANH, RELU = "own", "tanh", "relu"

FORWARD, BOTH = "forward", "both"

WARM_UP = 3
"""The first rounds, which are not timed: memory is allocated, kernels are loaded."""


@dataclass(frozen=True)
class Cost:
    """Measures time and memory of each activation of a network, forward alone and back again too.

    `form` is own, the layer's function, or a control on the same vectors, called alike: tanh, relu.
    `pass` is forward, without anything kept, or both, f(x) and Jᵀv of a random v. time_s is the
    median over repeats, between the quartiles time_low_s and time_high_s; the first rounds are not
    timed. saved_bytes are kept for the pass back beyond x itself; saves_input says whether x is
    kept too, which tanh and relu let go: they keep their outputs, as a linear map behind them does
    anyway. peak_bytes is the most memory held at once, on CUDA only. A function that works in place
    is given a copy, which counts. Nothing is compiled, even if the run was. n counts vectors.

    Cost: 0.4 s for two layers of 32, on one core; 1 s once in a process, for PyTorch's imports.

    Arguments:
        vectors: The size of a batch, drawn evenly from the data, which is repeated if smaller.
        repeats: The number of timed rounds.
    """

    vectors: int = 4096
    repeats: int = 50

    over: ClassVar[Over] = "trained"
    figure: ClassVar[str] = "isoexp.figures.cost:draw"
    schema: ClassVar[Schema] = {
        "layer": str, "width": int, "form": str, "pass": str,
        "time_s": float, "time_low_s": float, "time_high_s": float,
        "saved_bytes": int, "saves_input": bool, "peak_bytes": float, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        check_least(self, vectors=1, repeats=1)

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        seen = subject.vectors(self.vectors)

        rows = Columns(self.schema)
        for name, layer in subject.layers.items():
            x = seen[name].inputs
            check_vectors(layer, *seen[name])
            x = x[torch.arange(self.vectors, device=x.device) % len(x)].contiguous()
            self._add(rows, layer, x, subject.generator)

        return rows

    def _add(
        self, rows: Columns, layer: Layer, x: Float[Tensor, "vectors n"], generator: Generator
    ) -> None:
        modules = {OWN: layer.module, TANH: nn.Tanh(), RELU: nn.ReLU()}
        forms = {name: Workload(replace(layer, module=m), x, m) for name, m in modules.items()}
        runs: dict[tuple[str, str], Callable[[], None]] = {}
        for name, form in forms.items():
            v = torch.randn(form.f(x).shape, generator=generator).to(x)
            runs[name, FORWARD] = form.forward
            runs[name, BOTH] = partial(form.both, v)

        quartiles = torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64)
        for (form, way), times in times_s(runs, self.repeats, x.device, generator).items():
            key = {"layer": layer.name, "width": layer.width, "form": form, "pass": way}
            saved, saves = saved_bytes(forms[form]) if way == BOTH else (0, False)
            peak = peak_bytes(runs[form, way], x.device)
            columns = ("time_s", "time_low_s", "time_high_s")
            key |= dict(zip(columns, times.quantile(quartiles).tolist(), strict=True))
            rows.add(**key, saved_bytes=saved, saves_input=saves, peak_bytes=peak, n=len(x))

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns ratios to tanh: of times the geometric mean over layers; of sums of bytes."""

        def pair(name: str, way: str) -> list[Float[Tensor, " layers"]]:
            found = [cells(rows, name, form=form, **{"pass": way}) for form in (OWN, TANH)]
            return [torch.tensor(each, dtype=torch.float64) for each in found]

        ratios = {}
        for way in (FORWARD, BOTH):
            own, tanh = pair("time_s", way)
            ratios[f"{way}_time_ratio"] = (own / tanh).log().mean().exp().item()
        own, tanh = pair("saved_bytes", BOTH)

        return {**ratios, "saved_bytes_ratio": (own.sum() / tanh.sum()).item()}


@dataclass(frozen=True)
class Workload:
    """A function of vectors, the vectors, and the module behind the function, if there is one."""

    f: Callable[[Tensor], Tensor]
    x: Float[Tensor, "vectors n"]
    module: nn.Module = field(default_factory=nn.Identity)

    @torch.no_grad()
    def forward(self) -> None:
        self.f(self.x)

    @torch.enable_grad()
    def both(self, v: Float[Tensor, "vectors m"]) -> None:
        """Computes f(x), Jᵀv and the gradients of parameters; no parameter's .grad is touched."""

        x = self.x.detach().requires_grad_()
        learnt = [p for p in self.module.parameters() if p.requires_grad]
        torch.autograd.grad(self.f(x), [x, *learnt], v, allow_unused=True)


@torch.enable_grad()
def saved_bytes(work: Workload) -> tuple[int, bool]:
    """Returns the bytes kept for the pass back, and whether x is kept beside them.

    x, parameters and buffers are not counted; tensors that share memory count once, the outputs of
    f among them if they are kept.
    """

    storages = {}  # held, so that no address is used again

    def pack(t: Tensor) -> Tensor:
        storages[t.untyped_storage().data_ptr()] = t.untyped_storage()
        return t

    x = work.x.detach().requires_grad_()
    with saved_tensors_hooks(pack, lambda t: t):
        work.f(x)

    fixed = (x, *work.module.parameters(), *work.module.buffers())
    there = [t.untyped_storage().data_ptr() for t in fixed]
    saved = sum(each.nbytes() for at, each in storages.items() if at not in there)

    return saved, there[0] in storages


def peak_bytes(run: Callable[[], None], device: torch.device) -> float:
    """Returns the most memory that a call adds at once, on CUDA, whose peak it resets; else NaN."""

    if device.type != "cuda":
        return nan

    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    run()

    return float(torch.cuda.max_memory_allocated(device) - before)


def times_s(
    runs: Mapping[tuple[str, str], Callable[[], None]],
    repeats: int,
    device: torch.device,
    generator: Generator,
) -> dict[tuple[str, str], Float[Tensor, " repeats"]]:
    """Returns the times of calls, in seconds of the wall clock, for each of `repeats` rounds.

    Each round makes every call once, in a random order, so that other work of the machine falls on
    all of them.
    """

    names = list(runs)
    times = torch.empty(len(names), WARM_UP + repeats, dtype=torch.float64)
    for i in range(WARM_UP + repeats):
        for k in torch.randperm(len(names), generator=generator).tolist():
            _wait(device)
            start = time.perf_counter()
            runs[names[k]]()
            _wait(device)
            times[k, i] = time.perf_counter() - start

    return dict(zip(names, times[:, WARM_UP:], strict=True))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
