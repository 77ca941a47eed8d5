"""Tests for isoexp.probes.connectivity."""

from copy import deepcopy
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.func import functional_call

from isoexp import training
from isoexp.activations import IsoTanh, RadialBasis, ReLU, Tanh
from isoexp.figures.connectivity import draw
from isoexp.inits import Default
from isoexp.models import CNN, MLP
from isoexp.models.blocks import Build, Forms
from isoexp.probes import Connectivity, Subject, Unsuitable, find_junctions, hidden
from isoexp.probes.connectivity.bases import ALIGNMENTS, DRAWN, Geodesic, random_rotation
from isoexp.probes.connectivity.connectivity import symmetry_paths
from isoexp.streams import stream
from isoexp.training import Classification, Regression

from ..subjects import loss

pytestmark = pytest.mark.usefixtures("float64")

SMALL = Connectivity(draws=1, points=3)


@lru_cache
def weights(F: type, seed: int) -> dict[str, Tensor]:
    """Those of a network trained on samples that a few hyperplanes tell apart."""

    x, y = samples("train")
    torch.manual_seed(seed)
    model = network(F)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return model.state_dict()


def network(F: Build) -> nn.Module:
    return MLP((6,), 4, Forms(F, nn.Identity, Default()), (10, 8)).double()


def samples(split: str) -> tuple[Tensor, Tensor]:
    generator = stream(0, split)
    x = torch.randn(300 if split == "train" else 200, 6, generator=generator)

    return x, 2 * (x[:, 0] > 0).long() + (x[:, 1] * x[:, 2] > 0).long()


def trained(F: type, seed: int = 0) -> Subject:
    model = network(F)
    model.load_state_dict(weights(F, seed))

    return Subject(
        model.eval(), *samples("test"), Classification(), stream(seed), train=samples("train")
    )


def twins(F: type) -> Subject:
    return replace(trained(F), twin=trained(F, 1))


def both(it: Subject) -> tuple[Subject, Subject]:
    assert it.twin is not None

    return it, it.twin


def measured(it: Subject, probe: Connectivity = SMALL) -> Any:
    return pd.DataFrame(probe(it))


def test_an_isotropic_network_keeps_its_loss_along_every_rotation() -> None:
    """Eqn 15: constant to rounding along R(t), all layers or one, on both splits."""

    table = measured(trained(IsoTanh), Connectivity(draws=2, points=4))

    assert set(table["path"]) == {"geodesic", "permutation geodesic"}
    assert set(table["layer"]) == {"all", "hidden.0.activation", "hidden.1.activation"}
    for key, part in table.groupby(["path", "layer", "draw", "split"]):
        np.testing.assert_allclose(part["loss"], part["loss"].iloc[0], rtol=1e-12, err_msg=str(key))
    assert table["barrier"].max() <= 1e-12
    assert table["preserved_error"].max() <= 1e-13


@pytest.mark.parametrize("F", [Tanh, ReLU])
def test_an_elementwise_network_meets_a_barrier(F: type) -> None:
    """The control: both ends of a permutation geodesic are the network, and the middle is not."""

    table = table_of(F)
    whole = table[(table["layer"] == "all") & (table["split"] == "train")]
    permuted, rotated = (whole[whole["path"] == p] for p in ("permutation geodesic", "geodesic"))

    assert permuted["preserved_error"].max() <= 1e-13
    assert permuted["loss"].iloc[-1] == pytest.approx(permuted["loss"].iloc[0], rel=1e-12)
    assert permuted["barrier"].min() > 0.005
    assert permuted["barrier"].iloc[0] == pytest.approx(
        permuted["loss"].max() - permuted["loss"].iloc[0]
    )
    assert rotated["preserved_error"].min() > 0.1


@pytest.mark.parametrize("F", [Tanh, IsoTanh])
def test_a_symmetry_path_is_that_of_the_weights(F: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Activations in another basis, and W → RW, b → Rb, V → VRᵀ: one function at every t."""

    R = {n: random_rotation(n, stream(n)) for n in (10, 8)}
    monkeypatch.setitem(DRAWN, "geodesic", lambda n, generator: R[n])
    it = trained(F)
    junctions = find_junctions(it)
    paths = [path for path in symmetry_paths(it, 1) if path.name == "geodesic"]
    assert [path.layer for path in paths] == ["all", *junctions]

    for path in paths:
        for t in (0.0, 0.37, 1.0):
            state: dict[str, Tensor] = dict(it.model.named_parameters())
            for name in junctions if path.layer == "all" else [path.layer]:
                turn = Geodesic(R[junctions[name].width])(t)
                state |= junctions[name].turned(state, turn)
            y = functional_call(it.model, state, (it.x,))
            torch.testing.assert_close(path.at(t)(it.x), y, rtol=0, atol=1e-12)
            assert path.layers == (2 if path.layer == "all" else 1)


@lru_cache
def table_of(F: type) -> Any:
    return measured(twins(F))


def ends(table: Any, path: str, split: str = "test") -> Any:
    """The rows of a straight path."""

    return table[(table["path"] == path) & (table["split"] == split)]


@pytest.mark.parametrize("F", [Tanh, IsoTanh, ReLU])
def test_straight_paths_join_the_two_networks(F: type) -> None:
    it, table = twins(F), table_of(F)
    expected = {"raw", "permutation"}
    expected |= {"signed"} if F is not ReLU else set()
    expected |= {"orthogonal"} if F is IsoTanh else set()

    assert set(table["path"]) - set(DRAWN) == expected
    for path in expected:
        for split in ("test", "train"):
            rows = ends(table, path, split)
            first, last = (loss(it, m.model, split) for m in both(it))
            assert rows["loss"].iloc[0] == pytest.approx(first, rel=1e-12)
            assert rows["loss"].iloc[-1] == pytest.approx(last, rel=1e-9)
        assert ends(table, path)["preserved_error"].max() <= 1e-12, path
        assert set(ends(table, path)["layers"]) == {0 if path == "raw" else 2}


CASES = [("permutation", ReLU), ("signed", Tanh), ("orthogonal", IsoTanh)]


@pytest.mark.parametrize(("path", "F"), CASES)
def test_a_copy_of_a_network_has_no_barrier_once_aligned(path: str, F: type) -> None:
    """Raw, it has one: the control."""

    it = trained(F)
    state, model = dict(it.model.named_parameters()), network(F)
    for junction in find_junctions(it).values():
        R = ALIGNMENTS[path].group.draw(junction.width, stream(3))
        state |= junction.turned(state, R)
    model.load_state_dict(state)
    table = measured(replace(it, twin=replace(it, model=model)))

    aligned, raw = ends(table, path, "train"), ends(table, "raw", "train")
    np.testing.assert_allclose(aligned["loss"], aligned["loss"].iloc[0], rtol=1e-9)
    assert aligned["barrier"].iloc[0] <= 1e-9
    assert aligned["accuracy"].nunique() == 1
    assert raw["barrier"].iloc[0] > 0.01


def test_an_alignment_that_changes_the_twin_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a rotation of tanh had passed for a symmetry."""

    monkeypatch.setattr(hidden, "preserves", lambda *_: True)
    rows = ends(measured(twins(Tanh)), "orthogonal")

    assert rows["preserved_error"].min() > 0.01
    assert rows[["barrier", "error_barrier"]].isna().all(axis=None)
    assert rows["loss"].notna().all()


def test_the_barrier_of_the_error_is_that_of_the_accuracy() -> None:
    it, table = twins(Tanh), table_of(Tanh)
    rows = ends(table, "raw")
    model, t = deepcopy(it.model), np.linspace(0, 1, 3)
    errors = []
    for at in t:
        other = both(it)[1].model.state_dict()
        model.load_state_dict(
            {k: (1 - at) * w + at * other[k] for k, w in it.model.state_dict().items()}
        )
        errors.append(1 - (model(it.x).argmax(dim=1) == it.y).double().mean().item())

    np.testing.assert_allclose(1 - rows["accuracy"], errors)
    over = (np.array(errors) - (1 - t) * errors[0] - t * errors[-1]).max()
    assert rows["error_barrier"].tolist() == pytest.approx([over] * 3)
    assert set(rows["n"]) == {200}
    assert set(ends(table, "raw", "train")["n"]) == {300}


def test_the_summary_holds_the_barriers_of_whole_networks() -> None:
    probe = Connectivity(draws=3, points=3)
    rows = probe(replace(twins(Tanh), train=None))
    table: Any = pd.DataFrame(rows)
    whole: Any = table[(table["layer"] == "all") & (table["split"] == "test")]
    found = probe.summary(rows)

    assert list(found) == [
        "barrier_geodesic", "barrier_permutation_geodesic", "barrier_raw", "barrier_permutation",
        "barrier_signed", "barrier_orthogonal",
    ]  # fmt: skip
    for path in ("geodesic", "raw", "signed"):
        first = whole[whole["path"] == path].groupby("draw")["barrier"].first()
        assert found[f"barrier_{path}"] == pytest.approx(first.mean())
    assert np.isnan(found["barrier_orthogonal"])


def test_without_twin_or_training_split_there_is_less_to_see() -> None:
    table = measured(replace(trained(Tanh), train=None))

    assert set(table["path"]) == set(DRAWN)
    assert set(table["split"]) == {"test"}


def test_without_classes_there_is_no_accuracy() -> None:
    it = twins(Tanh)
    values = {"objective": Regression(), "y": torch.randn(200, 4), "train": None}
    table = measured(replace(it, **values))

    assert table[["accuracy", "error_barrier"]].isna().all(axis=None)
    assert table["barrier"].notna().all()


def test_samples_some_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "AT_ONCE", 6 * 170)
    parts = measured(twins(IsoTanh))

    pd.testing.assert_frame_equal(table_of(IsoTanh), parts, rtol=1e-9, atol=1e-12)


def test_the_same_subject_gives_the_same_bits_and_stays() -> None:
    it = twins(Tanh)
    before = deepcopy(it.model.state_dict())

    pd.testing.assert_frame_equal(measured(it), table_of(Tanh))
    for key, weight in it.model.state_dict().items():
        assert torch.equal(weight, before[key]), key
    for module in (m for each in both(it) for m in each.model.modules()):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module.training
    assert all(p.requires_grad and p.grad is None for p in it.model.parameters())


def pictures(F: type, seed: int) -> Subject:
    """A network of pictures with the features along the last axis."""

    torch.manual_seed(seed)
    model = CNN((1, 6, 6), 3, Forms(F, nn.Identity, Default()), widths=[4, 5], blocks=1)
    y = torch.arange(30) % 3

    return Subject(model.eval(), torch.randn(30, 1, 6, 6), y, Classification(), stream(seed))


def test_residual_blocks_of_pictures() -> None:
    it = replace(pictures(IsoTanh, 0), twin=pictures(IsoTanh, 1))
    table = measured(it)
    turned = ends(table, "orthogonal")

    assert table[table["path"] == "geodesic"]["preserved_error"].max() <= 1e-12
    assert set(turned["layers"]) == {4}  # the sums of each stage, and what lies within its block
    assert turned["preserved_error"].max() <= 1e-12


def normalised(seed: int) -> Subject:
    """A network of torch's own modules, its channels not along the last axis."""

    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(5)
    norm.running_mean, norm.running_var = torch.randn(5), torch.rand(5) + 0.5
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3), norm, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(80, 3)
    )
    y = torch.arange(30) % 3

    return Subject(model.eval(), torch.randn(30, 2, 6, 6), y, Classification(), stream(seed))


def test_running_moments_move_along_a_straight_path() -> None:
    """And are turned with the layer: by its weights alone none can be."""

    table = measured(replace(normalised(0), twin=normalised(1)))

    assert set(table["path"]) == {*DRAWN, "raw", "permutation"}
    assert ends(table, "raw")["preserved_error"].max() == 0
    assert ends(table, "permutation")["preserved_error"].max() <= 1e-12
    permuted = table[table["path"] == "permutation geodesic"]
    assert permuted["preserved_error"].max() <= 1e-12


def test_what_has_no_basis_of_its_own_is_not_turned() -> None:
    """What leads from one space to another acts in no other basis; its weights may have others."""

    F = partial(RadialBasis, centres=20)
    it, other = (
        replace(trained(IsoTanh), model=network(F).eval(), generator=stream(k)) for k in (0, 1)
    )
    table = measured(replace(it, twin=other))

    assert set(table["path"]) == {"raw", *ALIGNMENTS}
    assert not table["bound"].any()
    assert table["preserved_error"].max() <= 1e-12


def test_what_cannot_be_measured() -> None:
    it = trained(Tanh)
    with pytest.raises(Unsuitable, match="targets must be given"):
        SMALL(replace(it, y=None))
    wide = MLP((6,), 4, Forms(Tanh, nn.Identity, Default()), (10, 9)).eval()
    with pytest.raises(Unsuitable, match="the twin must"):
        SMALL(replace(it, twin=replace(it, model=wide)))


@pytest.mark.parametrize("settings", [{"draws": 0}, {"points": 2}])
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        Connectivity(**settings)


def test_the_figure_shows_the_losses() -> None:
    table, figure = table_of(IsoTanh), Figure()
    draw(table, figure)
    copies, straight = figure.axes
    shown = {
        label.split(",")[0]: np.asarray(line.get_ydata())
        for axes in (copies, straight)
        for line in axes.lines
        if not (label := str(line.get_label())).startswith("_")
    }

    for label, path in (("a rotation", "geodesic"), ("as it is", "raw"), ("rotated", "orthogonal")):
        rows = ends(table, path)
        np.testing.assert_array_equal(shown[label], rows[rows["layer"] == "all"]["loss"])
    assert "200 samples" in figure.get_suptitle()


def test_the_figure_of_a_network_without_a_twin_has_one_panel() -> None:
    figure = Figure()
    table = table_of(Tanh)
    draw(table[table["path"].isin(list(DRAWN))], figure)

    assert len(figure.axes) == 1


def test_a_twin_of_another_function_is_none() -> None:
    """Its weights fit, and would make another network of it."""

    it = replace(trained(Tanh), twin=trained(IsoTanh, 1))

    with pytest.raises(Unsuitable, match="weights alone"):
        SMALL(it)


def test_buffers_are_a_part_of_the_way() -> None:
    """Those of batch norms: at t = 1 the network is the twin."""

    def normed(seed: int) -> Subject:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4))
        model(torch.randn(20, 6))
        return replace(trained(Tanh), model=model.eval())

    it = replace(normed(0), twin=normed(1))
    rows = ends(measured(it), "raw")

    assert rows["loss"].iloc[-1] == pytest.approx(loss(it, normed(1).model), rel=1e-9)
