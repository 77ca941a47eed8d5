"""Cost: what the function of a layer takes in time and memory, beside elementwise ones.

    t(f) / t(tanh),    f and tanh on the same vectors x, those that the data send to f

An isotropic function takes the norm of a vector, a scalar function of that and a product for each
coordinate, where an elementwise tanh takes n of tanh. It is said to be cheap (Bird 2025, Sec. 4.1);
what it costs as PyTorch runs it, kernel by kernel, is measured here.

Times are those of one machine at one moment. Unlike all else that probes measure they cannot be had
again to the bit; forms are timed in turn, so that their ratios can be compared.
"""

__all__ = ["Cost"]

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from ...store.tables import Rows, Schema
from ..layers import Layer
from ..subject import Subject
from .passes import Form, peak_bytes, saved_bytes, times_s

OWN, TANH, RELU = "own", "tanh", "relu"

FORWARD, BOTH = "forward", "both"


@dataclass(frozen=True)
class Cost:
    """Measures time and memory of each activation of a network, forward alone and back again too.

    `form` is own, the layer's function, or a control on the same vectors, called alike: tanh, relu.
    `pass` is forward, without anything kept, or both, f(x) and Jᵀv of a random v. time_s is the
    median over repeats, between the quartiles time_low_s and time_high_s; the first rounds are not
    timed. saved_bytes is what is kept for the pass back beyond x itself; saves_input says whether x
    is kept too, which tanh and relu let go: they keep what they give, as a linear map behind them
    does anyway. peak_bytes is the most that was held at once, of CUDA only. One that works in place
    is given a copy, which counts. Nothing is compiled, whatever the run was. n is the number of
    vectors.

    Cost: 0.4 s for two layers of 32, on one core; 1 s once in a process, for PyTorch's imports.

    Arguments:
        vectors: The number of vectors of a batch. Drawn evenly from those of the data; if these
            are fewer, they are repeated.
        repeats: How often each is timed.
    """

    vectors: int = 4096
    repeats: int = 50

    over: ClassVar[Literal["training", "ends", "trained"]] = "trained"
    needs: ClassVar[frozenset[str]] = frozenset()
    schema: ClassVar[Schema] = {
        "layer": str,
        "width": int,
        "form": str,
        "pass": str,
        "time_s": float,
        "time_low_s": float,
        "time_high_s": float,
        "saved_bytes": int,
        "saves_input": bool,
        "peak_bytes": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if self.vectors < 1 or self.repeats < 1:
            raise ValueError(
                f"vectors and repeats must be at least 1, got {self.vectors} and {self.repeats}"
            )

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        seen = subject.vectors(self.vectors)

        rows: Rows = {name: [] for name in self.schema}
        for name, layer in subject.layers.items():
            x = seen[name].inputs
            x = x[torch.arange(self.vectors, device=x.device) % len(x)].contiguous()
            self._append(rows, layer, x, subject.generator)

        return rows

    def _append(
        self, rows: Rows, layer: Layer, x: Float[Tensor, "vectors n"], generator: Generator
    ) -> None:
        """Appends a row for each form and pass."""

        modules = {OWN: layer.module, TANH: nn.Tanh(), RELU: nn.ReLU()}
        forms = {name: Form(replace(layer, module=m), x, m) for name, m in modules.items()}
        runs: dict[tuple[str, str], Callable[[], None]] = {}
        for name, form in forms.items():
            v = torch.randn(form.f(x).shape, generator=generator).to(x)
            runs[name, FORWARD] = form.forward
            runs[name, BOTH] = partial(form.both, v)

        quartiles = torch.tensor([0.5, 0.25, 0.75], dtype=torch.float64)
        for (form, way), times in times_s(runs, self.repeats, x.device, generator).items():
            saved = saved_bytes(forms[form]) if way == BOTH else (0, False)
            peak = peak_bytes(runs[form, way], x.device)
            key = (layer.name, layer.width, form, way)
            row = (*key, *times.quantile(quartiles).tolist(), *saved, peak, len(x))
            for column, value in zip(self.schema, row, strict=True):
                rows[column].append(value)

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns how much longer than tanh it takes, the geometric mean over layers, and how much
        more is kept, of all layers."""

        def column(name: str, form: str, way: str) -> Float[Tensor, " layers"]:
            each = zip(rows[name], rows["form"], rows["pass"], strict=True)
            found = [value for value, *key in each if key == [form, way]]
            return torch.tensor(found, dtype=torch.float64)

        def ratio(way: str) -> float:
            own, tanh = (column("time_s", form, way) for form in (OWN, TANH))
            return (own / tanh).log().mean().exp().item()

        own, tanh = (column("saved_bytes", form, BOTH).sum() for form in (OWN, TANH))

        return {
            "forward_time_ratio": ratio(FORWARD),
            "both_time_ratio": ratio(BOTH),
            "saved_bytes_ratio": (own / tanh).item(),
        }
