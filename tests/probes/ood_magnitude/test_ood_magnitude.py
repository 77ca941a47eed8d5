"""Tests for isoexp.probes.ood_magnitude."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from isoexp.activations import Activation, Identity, IsoReLU, IsoTanh, ReLU, Tanh
from isoexp.data import Factor
from isoexp.figures import ood_magnitude as drawing
from isoexp.geometry import angle
from isoexp.probes import OODMagnitude, Subject
from isoexp.probes.ood_magnitude import answers as module
from isoexp.training import Classification, Reconstruction, Regression

from ...models.tiny import MODELS, forms
from ..subjects import measure, subject

THREE = OODMagnitude(scale_min=0.2, scale_max=5.0, points=3)


def at(scale: float, **settings: int) -> OODMagnitude:
    return OODMagnitude(scale_min=scale, scale_max=scale, points=1, **settings)


def answers(table: Any, feature: str = "whole") -> Any:
    return table[(table["layer"] == "") & (table["feature"] == feature)]


def test_scale_one_is_the_network_as_it_is() -> None:
    it = subject(ReLU)
    table = measure(at(1.0), it)
    logits = it.model(it.x)

    for site, rows in answers(table).groupby("site"):
        (row,) = rows.itertuples()
        assert row.loss == pytest.approx(F.cross_entropy(logits, it.task[0]).item(), rel=1e-5), site
        right = (logits.argmax(1) == it.y).float().mean().item()
        assert row.accuracy == pytest.approx(right, rel=1e-6)
    assert table["rho"].isna().all()  # no change, whatever the deflection


def test_measures_against_plain_loops() -> None:
    it = subject(ReLU, samples=40)
    row = answers(measure(at(3.0), it)).iloc[0]
    logits = it.model(3 * it.x)

    confidence = [max(p) for p in logits.softmax(dim=1).tolist()]
    margin = [
        z[y] - max(v for j, v in enumerate(z) if j != y)
        for z, y in zip(logits.tolist(), it.task[0].tolist(), strict=True)
    ]
    assert row["confidence"] == pytest.approx(sum(confidence) / 40, rel=1e-5)
    assert row["margin"] == pytest.approx(sum(margin) / 40, rel=1e-5)


def test_a_linear_network_without_biases() -> None:
    """The control: the classes stay at every scale, s W x has the loss it has, nothing deflects."""

    it = subject(
        model=nn.Sequential(nn.Linear(10, 8, bias=False), Identity(8), nn.Linear(8, 4, bias=False))
    )
    table = measure(THREE, it)
    rows = answers(table)

    assert rows.groupby("site")["accuracy"].nunique().max() == 1
    for site, part in rows.groupby("site"):
        expected = [F.cross_entropy(s * it.model(it.x), it.task[0]).item() for s in part["scale"]]
        np.testing.assert_allclose(part["loss"], expected, rtol=1e-5, err_msg=str(site))
    assert table["theta_mean_rad"].max() < 1e-6
    assert table["rho"].isna().all()


def test_scaling_an_activation_scales_what_the_next_layer_is_given() -> None:
    it = subject(ReLU)
    table = answers(measure(at(5.0), it))
    row = table[table["site"] == "hidden.1.activation"].iloc[0]

    hidden = it.model.get_submodule("hidden")(it.x)
    expected = F.cross_entropy(it.model.get_submodule("readout")(5 * hidden), it.task[0])

    assert row["loss"] == pytest.approx(expected.item(), rel=1e-5)


def ridge(h: Tensor, t: Tensor) -> Tensor:
    """The linear probe, by the centred normal equations."""

    h, t = h.detach().double() - h.detach().double().mean(0), t.double() - t.double().mean()
    C = h.T @ h / len(h)

    return F.normalize(
        torch.linalg.solve(C + 0.01 * C.trace() / len(C) * torch.eye(len(C)), h.T @ t), dim=0
    )


def test_scaling_a_feature_against_plain_code() -> None:
    """h + (s − 1)(h·ŵ) ŵ, ŵ learnt on the training split, on the samples of the class."""

    it = subject(Tanh)
    train = (torch.randn(300, 10), torch.randint(4, (300,)))
    table = measure(at(6.0), replace(it, train=train))
    hidden, readout = it.model.get_submodule("hidden"), it.model.get_submodule("readout")

    for c in (0, 1, 2):
        w = ridge(hidden(train[0]), train[1] == c).float()
        h = hidden(it.x[it.y == c])
        logits = readout(h + 5 * (h @ w)[:, None] * w)
        rows = answers(table, f"class {c}")
        (row,) = rows[rows["site"] == "hidden.1.activation"].to_dict("records")

        assert row["n"] == (it.y == c).sum()
        assert row["accuracy"] == pytest.approx((logits.argmax(1) == c).float().mean().item())
        expected = F.cross_entropy(logits, torch.full((len(h),), c))
        assert row["loss"] == pytest.approx(expected.item(), rel=1e-4)
        most = (hidden(train[0]) @ w).max()
        assert row["beyond_fraction"] == pytest.approx((6 * (h @ w) > most).float().mean().item())
        told = np.corrcoef((hidden(it.x) @ w).detach(), (it.y == c).float())[0, 1] ** 2
        assert row["r2"] == pytest.approx(told, rel=1e-3)
    assert "class 3" not in set(table["feature"])


def test_without_a_training_split_features_are_learnt_on_one_half() -> None:
    it = subject(Tanh, samples=101)
    table = measure(at(2.0, features=4), it)
    one = answers(table, "class 0").iloc[0]

    assert sum(answers(table, f"class {c}")["n"].iloc[0] for c in range(4)) == 51
    assert one["n"] < (it.y == 0).sum()
    assert (answers(table)["n"] == 101).all()


def test_channels_on_another_axis_and_a_module_met_with_two_widths() -> None:
    relu = nn.ReLU(inplace=True)
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3), relu, nn.Conv2d(6, 4, 3), relu, nn.Flatten(), nn.Linear(16, 3)
    )
    x, y = torch.randn(60, 2, 6, 6), torch.arange(60) % 3
    train = (torch.randn(80, 2, 6, 6), torch.arange(80) % 3)
    it = Subject(model, x, y, Classification(), torch.Generator(), train=train)
    table = measure(at(4.0), it)

    def middle(x: Tensor) -> Tensor:
        return model[0](x).relu()

    def rest(h: Tensor, by: float = 1.0) -> Tensor:
        return model[5]((by * model[2](h).relu()).flatten(1))

    w = ridge(middle(train[0]).mean(dim=(2, 3)), train[1] == 1).float()
    h = middle(x)
    turned = h + 3 * torch.einsum("bchw,c,d->bdhw", h, w, w)
    expected = {
        ("1", "whole"): F.cross_entropy(rest(4 * h), y),
        ("1:4", "whole"): F.cross_entropy(rest(h, 4.0), y),
        ("1", "class 1"): F.cross_entropy(rest(turned)[y == 1], y[y == 1]),
    }
    rows = table[table["layer"] == ""].set_index(["site", "feature"])["loss"]
    for key, loss in expected.items():
        assert rows[key] == pytest.approx(loss.item(), rel=1e-4), key


@pytest.mark.parametrize("rows", [23, 70, 250])
def test_what_goes_through_at_once_changes_nothing(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A factor in parts, one a time, and several with factors left over."""

    it = subject(Tanh, samples=90)
    probe = OODMagnitude(points=5)
    whole = measure(probe, it)
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(module, "NUMBERS", 3 * rows)
    parts = measure(probe, replace(it, generator=torch.Generator().manual_seed(0)))

    pd.testing.assert_frame_equal(whole, parts, rtol=1e-4, atol=1e-5)


class StepsFirst(nn.Module):
    """A user's network that hands on steps along the first axis, samples along the second."""

    def __init__(self) -> None:
        super().__init__()

        self.inner, self.activation, self.readout = nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)

    def forward(self, x: Tensor, by: float = 1.0) -> Tensor:
        return self.readout(by * self.activation(self.inner(x.transpose(0, 1)))).mean(dim=0)


def test_what_mixes_samples_is_scaled_as_a_whole() -> None:
    model, x, y = StepsFirst(), torch.randn(20, 7, 3), torch.arange(20) % 3
    it = Subject(model, x, y, Classification(), torch.Generator())
    rows = answers(measure(THREE, it))
    rows = rows[rows["site"] == "activation"]

    expected = [F.cross_entropy(model(x, s), y).item() for s in rows["scale"]]
    np.testing.assert_allclose(rows["loss"], expected, rtol=1e-5)
    assert rows["beyond_fraction"].isna().all()


class Swirl(Activation):
    """x ↦ R(‖x‖) x̂ in the plane: the deflection is ‖x‖."""

    def forward(self, x: Tensor) -> Tensor:
        r = x.norm(dim=-1)
        c, s, u = r.cos(), r.sin(), F.normalize(x, dim=-1)

        return torch.stack([c * u[:, 0] - s * u[:, 1], s * u[:, 0] + c * u[:, 1]], dim=-1)


def test_correlation_where_harm_is_a_known_function_of_deflection() -> None:
    """The loss is 1 − cos of the change, whose sign says which way: ρ = 1 beyond s = 1, else −1."""

    model = nn.Sequential(Swirl(2))
    for seed in range(5):
        torch.manual_seed(seed)
        x = 0.6 * torch.rand(50, 1) * F.normalize(torch.randn(50, 2), dim=1)
        it = Subject(model, x, model(x), Regression(), torch.Generator())
        table = measure(THREE, it)
        rows = table[(table["layer"] != "") & (table["site"] == "input")]

        assert rows["rho"].tolist()[::2] == pytest.approx([-1, 1], abs=1e-12), seed
        lengths = x.norm(dim=1).double().mean().item()
        for row in rows.itertuples():
            assert row.theta_mean_rad == pytest.approx(row.scale * lengths, rel=1e-5)


def test_correlation_against_plain_code() -> None:
    from scipy.stats import spearmanr

    it = subject(Tanh, samples=60)
    table = measure(at(4.0), it)
    first, second = it.model.get_submodule("hidden.0"), it.model.get_submodule("hidden.1.linear")
    losses, thetas = {}, {}
    for s in (1.0, 4.0):
        z = second(s * first(it.x))
        thetas[s] = angle(z.tanh().double(), z.double()).detach()
        logits = it.model.get_submodule("readout")(z.tanh())
        losses[s] = F.cross_entropy(logits, it.task[0], reduction="none").detach()
    of = (table["site"] == "hidden.0.activation") & (table["feature"] == "whole")
    (row,) = table[of & (table["layer"] != "")].to_dict("records")

    rho = spearmanr(thetas[4.0] - thetas[1.0], losses[4.0] - losses[1.0])[0]
    assert row["layer"] == "hidden.1.activation"
    assert row["rho"] == pytest.approx(rho, abs=1e-3)
    assert row["rho_low"] < rho < row["rho_high"]
    assert row["theta_mean_rad"] == pytest.approx(thetas[4.0].mean().item(), rel=1e-6)


@pytest.mark.parametrize("activation", [IsoTanh, IsoReLU])
def test_an_isotropic_network_has_nothing_to_correlate(activation: type[Activation]) -> None:
    """Though the losses change, and angles to rounding; with tanh there is a ρ everywhere."""

    probe = replace(THREE, features=1)
    for seed in range(2):
        assert measure(probe, subject(activation, seed=seed))["rho"].isna().all()
    table = measure(probe, subject(Tanh))
    off = (table["layer"] != "") & ((table["scale"] - 1).abs() > 0.1)
    assert table[off]["rho"].notna().all()


class Normalised(nn.Module):
    """Answers that no scale of the input moves, beside an activation that it does."""

    def __init__(self) -> None:
        super().__init__()

        self.activation = nn.Tanh()
        self.readout = nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(F.normalize(x, dim=1) + 0 * self.activation(x))


def test_harm_that_is_rounding_is_none() -> None:
    """Deflections vary, but losses in their last bits only."""

    it = subject(model=Normalised())
    table = measure(at(3.0, features=0), it)

    assert table["theta_mean_rad"].max() > 0.1
    assert table["rho"].isna().all()


def test_a_sample_has_the_mean_angle_of_the_places_that_have_one() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    x = torch.tensor([[[-1.0, -1.0], [1.0, -1.0]], [[2.0, 1.0], [1.0, -1.0]]])
    it = Subject(model, x, torch.tensor([0, 1]), Classification(), torch.Generator())
    table = measure(at(2.0), it)
    row = table[table["layer"] != ""].iloc[0]

    assert row["theta_mean_rad"] == pytest.approx((np.pi / 4 + np.pi / 8) / 2)
    assert row["n"] == 2


def test_samples_without_an_angle_are_left_out() -> None:
    model = nn.Sequential(nn.ReLU(), nn.Linear(2, 2))
    x = torch.tensor([[-1.0, -1.0]] * 3 + [[1.0, -2.0], [2.0, 1.0], [-1.0, 1.0]])
    y = torch.zeros(6, dtype=torch.long)
    it = Subject(model, x, y, Classification(), torch.Generator())
    table = measure(at(2.0), it)
    row = table[table["layer"] != ""].iloc[0]

    assert row["n"] == 3
    theta = [np.arccos(1 / 5**0.5 * a) for a in (1.0, 5**0.5, 5**0.5 / 2**0.5)]
    assert row["theta_mean_rad"] == pytest.approx(np.mean(theta), rel=1e-5)


def test_beyond_is_beyond_what_was_seen_in_training() -> None:
    it = subject(ReLU)
    unit = F.normalize(it.x, dim=1)
    train = (4 * F.normalize(torch.randn(50, 10), dim=1), torch.arange(50) % 4)
    lengths = torch.linspace(0.5, 1.5, 200)[:, None]
    table = measure(THREE, replace(it, x=lengths * unit, train=train))
    rows = answers(table)
    rows = rows[rows["site"] == "input"]

    share = (5 * lengths > 4).float().mean().item()
    assert rows["beyond_fraction"].tolist() == pytest.approx([0, 0, share])


def test_steps_are_answers_each() -> None:
    """Of a sequence answered at each step, the steps of the class count."""

    tiny = MODELS["rnn-each"]
    x, y = tiny.batch(30), torch.randint(3, (30, 4))
    model = tiny.build(forms(Tanh)).eval()
    it = Subject(
        model,
        x,
        y,
        Classification(),
        torch.Generator(),
        train=(tiny.batch(40), torch.randint(3, (40, 4))),
    )
    table = measure(at(1.0), it)

    right = model(x).argmax(dim=-1) == y
    (row,) = answers(table, "class 2").to_dict("records")
    assert row["accuracy"] == pytest.approx(right[y == 2].float().mean().item())
    assert row["n"] == (y == 2).any(dim=1).sum()
    assert answers(table).iloc[0]["accuracy"] == pytest.approx(right.float().mean().item())


def test_without_classes_there_is_a_loss_only() -> None:
    it = subject(ReLU)
    model = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10))
    wanted = replace(it, y=torch.randn(200, 4), objective=Regression())
    hues = {"hue": Factor(np.random.default_rng(0).random(200), 1.0), "size": Factor(np.ones(200))}
    cases = {
        ("target 0", "target 1"): wanted,
        ("cos hue", "sin hue"): replace(wanted, factors=hues),
        ("class 0", "class 1"): replace(it, model=model, objective=Reconstruction()),
    }

    for names, each in cases.items():
        table = measure(replace(THREE, features=2), each)
        assert set(table["feature"]) == {"whole", *names}
        assert table[table["layer"] == ""]["loss"].notna().all()
        for column in ("accuracy", "confidence", "margin", "calibration_error"):
            assert table[column].isna().all()


def test_what_gives_back_its_input_is_to_give_it_back_scaled() -> None:
    model = nn.Sequential(nn.Linear(10, 10, bias=False), Identity(10))
    nn.init.eye_(model[0].get_parameter("weight"))
    it = replace(subject(model=model), objective=Reconstruction())

    assert answers(measure(at(7.0), it))["loss"].iloc[0] == 0


def test_few_samples_and_classes_that_are_not_there() -> None:
    it = subject(ReLU, samples=1)
    table = measure(THREE, it)
    assert set(table["feature"]) == {"whole"}
    assert table["beyond_fraction"].isna().all()

    alone = replace(subject(ReLU), y=torch.full((200,), 2))
    assert set(measure(THREE, alone)["feature"]) == {"whole"}  # a class that all have is no feature
    assert set(measure(replace(THREE, features=0), subject(ReLU))["feature"]) == {"whole"}


def test_at_most_so_many_samples_drawn_evenly() -> None:
    it = subject(ReLU, samples=500)
    x = torch.arange(500.0)[:, None].expand(500, 10)
    table = measure(at(1.0, samples=50), replace(it, x=x.contiguous()))

    assert answers(table)["n"].max() == 50


def test_the_network_is_left_as_it_was_and_bits_are_the_same() -> None:
    it = subject(ReLU)
    before = it.model(it.x)
    rows = THREE(it)
    again = THREE(replace(it, generator=torch.Generator().manual_seed(0)))

    assert torch.equal(it.model(it.x), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in it.model.modules())
    assert repr(rows) == repr(again)  # NaN and all


def test_summary_is_the_last_factor() -> None:
    table = measure(THREE, subject(Tanh))
    summary = THREE.summary({str(name): list(column) for name, column in table.items()})

    last = table[(table["scale"] > 4.9) & (table["layer"] == "")]
    whole = last[last["site"] == "input"].iloc[0]
    for name in ("accuracy", "loss", "calibration_error"):
        assert summary[f"{name}_at_max"] == whole[name]
    features = last[last["feature"] != "whole"]
    assert summary["feature_accuracy_at_max"] == pytest.approx(features["accuracy"].mean())
    behind = table[(table["site"] == "input") & (table["layer"] != "") & (table["scale"] > 1.1)]
    assert summary["rho"] == pytest.approx(behind["rho"].mean())


@pytest.mark.parametrize(
    "settings",
    [{"scale_min": 0.0}, {"scale_max": 0.01}, {"points": 0}, {"features": -1}, {"bins": 0},
     {"samples": 0}],
)  # fmt: skip
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        OODMagnitude(**settings)


def test_figure_shows_answers_features_and_correlations() -> None:
    table = measure(THREE, subject(Tanh))
    both = pd.concat(
        [
            measure(THREE, subject(Tanh, seed=1)).assign(network="untrained"),
            table.assign(network="trained"),
        ]
    )
    for shown in (table, both):
        figure = Figure()
        drawing.draw(shown, figure)
        left, middle, right = (
            {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
            for axes in figure.axes
        )
        rows = answers(table)
        expected = rows[rows["site"] == "input"]["accuracy"]
        np.testing.assert_array_equal(left["input scaled"], expected)
        assert ("untrained, input scaled" in left) == ("network" in shown)
        rows = table[(table["site"] == "input") & (table["layer"] == "hidden.1.activation")]
        np.testing.assert_array_equal(right["hidden.1"], rows["rho"])
        n = answers(table, "class 1")["n"].iloc[0]
        assert f"class 1, n = {n}" in middle

    figure = Figure()
    drawing.draw(measure(THREE, subject(IsoTanh)), figure)
    assert [text.get_text() for text in figure.axes[2].texts] == ["the deflection does not vary"]
