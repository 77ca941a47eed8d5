"""Tests for isoexp.probes.cost. No time is asserted: clocks are made, calls and bytes counted."""

from copy import deepcopy
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import isoexp
from isoexp.activations import Activation, Identity, IsoReLU, IsoTanh, RadialBasis, ReLU, Tanh
from isoexp.figures.cost import draw
from isoexp.probes import Cost, cost
from isoexp.probes.cost import WARM_UP, Workload, peak_bytes, saved_bytes, times_s
from isoexp.streams import stream

from ..experiment.runs import TINY, run
from .subjects import measure, subject

BRIEF = Cost(vectors=64, repeats=2)

CPU = torch.device("cpu")


class Remembering(Activation):
    """Elementwise tanh that remembers what it is given, and what comes back to it."""

    def __init__(self, width: int) -> None:
        super().__init__(width)

        self.given: list[Tensor] = []
        self.back: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.given.append(x.detach().clone())
        y = torch.tanh(x)
        if y.requires_grad:
            y.register_hook(self.back.append)

        return y


def saved(f: Activation, vectors: int = 10) -> int:
    return saved_bytes(Workload(f, torch.randn(vectors, f.width), f))[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [1, 32])
def test_elementwise_functions_keep_what_they_give(n: int, dtype: torch.dtype) -> None:
    x = torch.randn(10, n, dtype=dtype)

    for f in (torch.tanh, torch.relu):
        assert saved_bytes(Workload(f, x)) == (10 * n * dtype.itemsize, False)
    assert saved(Identity(n)) == 0


@pytest.mark.parametrize("F", [IsoTanh, IsoReLU])
def test_isotropic_functions_keep_some_numbers_more_a_vector(F: type[Activation]) -> None:
    """Beyond the n of tanh, no more of wide vectors than of narrow ones."""

    more = [saved(F(n)) - saved(Tanh(n)) for n in (8, 64, 512)]

    assert more[0] > 0
    assert len(set(more)) == 1
    assert saved_bytes(Workload(F(8), torch.randn(10, 8)))[1]


def test_what_shares_memory_is_kept_once() -> None:
    def f(x: Tensor) -> Tensor:
        y = x.exp()
        return y * y.view_as(y)

    x = torch.randn(10, 6)

    assert saved_bytes(Workload(f, x)) == (x.nbytes, False)
    assert saved_bytes(Workload(lambda x: x * x, x)) == (0, True)


def test_what_a_function_has_learnt_is_not_kept_for_the_pass() -> None:
    f, x = nn.PReLU(6), torch.randn(10, 6)

    assert saved_bytes(Workload(f, x, f)) == (0, True)
    assert saved_bytes(Workload(f, x)) == (f.weight.nbytes, True)


def test_times_are_those_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that calls set forward: those of the first rounds do not count."""

    now = [0.0]
    steps = count(1)

    def work() -> None:
        now[0] += next(steps)

    monkeypatch.setattr(cost.time, "perf_counter", lambda: now[0])
    times = times_s({("a", "x"): work, ("b", "x"): lambda: None}, 5, CPU, stream(0))

    assert times["a", "x"].tolist() == list(range(WARM_UP + 1, WARM_UP + 6))
    assert times["b", "x"].tolist() == [0.0] * 5


def test_rounds_are_in_turn_and_in_an_order_of_their_own() -> None:
    calls: list[str] = []
    runs = {(name, ""): (lambda name=name: calls.append(name)) for name in "abc"}
    times_s(runs, 20, CPU, stream(0))
    rounds = [tuple(calls[i : i + 3]) for i in range(0, len(calls), 3)]

    assert len(calls) == 3 * (WARM_UP + 20)
    assert {tuple(sorted(each)) for each in rounds} == {("a", "b", "c")}
    assert len(set(rounds)) > 1


def test_a_device_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each call, and before its end is taken."""

    events: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: events.append("wait"))
    times_s({("", ""): lambda: events.append("run")}, 1, torch.device("cuda"), stream(0))

    assert events == ["wait", "run", "wait"] * (WARM_UP + 1)


def test_the_peak_is_beyond_what_was_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {"now": 100, "most": 900}

    def work() -> None:
        held["most"] = max(held["most"], held["now"] + 40)

    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: held["now"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: held["most"])
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: held.update(most=held["now"])
    )

    assert peak_bytes(work, torch.device("cuda")) == 40.0
    assert pd.isna(peak_bytes(work, CPU))


def test_the_pass_back_is_that_of_v() -> None:
    f, x, v = Remembering(3), torch.randn(5, 3), torch.randn(5, 3)
    form = Workload(f, x, f)
    form.forward()
    assert f.back == []
    form.both(v)

    assert torch.equal(f.back[0], v)
    assert not x.requires_grad


def test_what_is_learnt_is_differentiated_and_left_without_a_gradient() -> None:
    f = nn.PReLU(3)
    seen: list[Tensor] = []
    f.weight.register_hook(seen.append)
    Workload(f, torch.randn(5, 3), f).both(torch.ones(5, 3))

    assert len(seen) == 1
    assert f.weight.grad is None


def test_a_row_for_each_form_and_pass() -> None:
    table = measure(Cost(vectors=300, repeats=3), subject(Tanh, samples=200))
    layers = ["hidden.0.activation", "hidden.1.activation"]

    assert list(table.columns) == list(Cost.schema)
    forms = table.groupby(["layer", "form", "pass"]).size()
    assert forms.index.tolist() == [
        (layer, form, way)
        for layer in layers
        for form in ("own", "relu", "tanh")
        for way in ("both", "forward")
    ]
    assert set(forms) == {1}
    assert set(table["n"]) == {300}
    assert dict(table.groupby("layer")["width"].first()) == dict(zip(layers, (16, 12), strict=True))
    kept = table["pass"].map({"both": 1, "forward": 0}) * 300 * table["width"] * 4
    assert table["saved_bytes"].tolist() == kept.tolist()
    assert not table["saves_input"].any()
    times = table[["time_low_s", "time_s", "time_high_s"]]
    assert (times > 0).all(axis=None)
    assert (times.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert table["peak_bytes"].isna().all()


def test_vectors_are_those_of_the_data() -> None:
    """All of them, again if there are fewer; and they go forward and back as often as is said."""

    model = nn.Sequential(nn.Linear(10, 6), Remembering(6), nn.Linear(6, 4))
    it = subject(model=model, samples=20)
    (f,) = (m for m in model if isinstance(m, Remembering))
    with torch.no_grad():
        h = model[0](it.x)
    f.given.clear()
    Cost(vectors=50, repeats=4)(it)

    batches = [x for x in f.given if len(x) == 50]
    for x in batches:
        assert torch.equal(x[:20], h)
        assert torch.equal(x[20:40], h)
        assert torch.equal(x[40:], h[:10])
    rounds = WARM_UP + 4
    assert len(f.back) == rounds
    assert len(batches) == 2 * rounds + 2, "once for the shape, once for the bytes"


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(
        nn.Linear(10, 6), nn.ReLU(inplace=True), nn.Linear(6, 6), nn.PReLU(6), nn.Linear(6, 4)
    )
    it = subject(model=model)
    before, x, state = deepcopy(model.state_dict()), it.x.clone(), torch.get_rng_state()
    BRIEF(it)

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(it.x, x)
    assert all(torch.equal(w, before[key]) for key, w in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_channels_are_features_and_widths_may_change() -> None:
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5), nn.Tanh())
    table: Any = isoexp.probe(net, torch.randn(7, 1, 6, 6), BRIEF)
    assert table.groupby("layer")["width"].first().to_dict() == {"1": 3, "4": 5}

    wider = nn.Sequential(nn.Linear(10, 6), RadialBasis(6, centres=9), nn.Linear(9, 4))
    assert set(measure(BRIEF, subject(model=wider))["width"]) == {6}


def test_the_summary_is_of_ratios_to_tanh() -> None:
    """Times by the geometric mean over layers: 2 and 8 make 4. Bytes by their sums."""

    keys = [
        (i, form, way) for i in (0, 1) for form in ("own", "tanh") for way in ("forward", "both")
    ]
    time = {"own": (2.0, 8.0), "tanh": (1.0, 1.0)}
    kept = {"own": (30, 90), "tanh": (20, 20)}
    rows: Any = {
        "form": [form for _, form, _ in keys],
        "pass": [way for _, _, way in keys],
        "time_s": [
            time[form][i] * (3 if way == "both" and form == "own" else 1) for i, form, way in keys
        ],
        "saved_bytes": [kept[form][i] if way == "both" else 0 for i, form, way in keys],
    }

    assert Cost().summary(rows) == pytest.approx(
        {"forward_time_ratio": 4.0, "both_time_ratio": 12.0, "saved_bytes_ratio": 3.0}
    )


@pytest.mark.parametrize("F", [Tanh, ReLU, Identity])
def test_what_tanh_and_relu_keep_is_what_the_controls_keep(F: type[Activation]) -> None:
    rows = BRIEF(subject(F))

    assert BRIEF.summary(rows)["saved_bytes_ratio"] == (F is not Identity)


@pytest.mark.parametrize("settings", [{"vectors": 0}, {"repeats": 0}])
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be at least 1, got 0"):
        Cost(**settings)


def test_the_figure_shows_times_and_bytes() -> None:
    table = measure(BRIEF, subject(IsoTanh)).assign(network="trained")
    figure = Figure()
    draw(table, figure)
    forward, both, kept = figure.axes

    for axes, way in ((forward, "forward"), (both, "both")):
        for line in axes.lines:
            of = (table["form"] == line.get_label()) & (table["pass"] == way)
            np.testing.assert_array_equal(line.get_ydata(), 1e3 * table.loc[of, "time_s"])
    bars: Any = kept.patches
    assert [bar.get_height() for bar in bars[2:]] == [4.0] * 4
    assert min(bar.get_height() for bar in bars[:2]) > 4
    assert "64 vectors" in figure.get_suptitle()


@pytest.mark.usefixtures("folder")
def test_a_run_is_measured_when_it_is_trained() -> None:
    words = ["epochs=1", "probe=[cost]", "probe.cost.vectors=8", "probe.cost.repeats=1"]
    run(*TINY, *words)
    table = isoexp.read("runs", "cost")

    assert set(table["network"]) == {"trained"}
    assert len(table) == 12
