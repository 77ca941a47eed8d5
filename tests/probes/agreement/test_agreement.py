"""Tests for isoexp.probes.agreement, dictionaries and the vectors of words."""

from copy import deepcopy
from dataclasses import replace
from functools import cache, partial
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from isoexp.activations import Activation, IsoTanh, Tanh
from isoexp.data import Languages
from isoexp.figures import agreement
from isoexp.geometry import random_orthogonal
from isoexp.inits import Default
from isoexp.models import RNN, Transformer
from isoexp.models.blocks import Forms
from isoexp.probes import Agreement, Subject, Unsuitable
from isoexp.probes.agreement.agreement import dictionary, word_vectors
from isoexp.probes.agreement.correspondence import MAPS, TURNED

from ...models.tiny import MODELS, forms
from ..subjects import measure, subject

PROBE = Agreement(halves=2, starts=1)


def linear(it: Subject, path: str = "hidden.0.linear") -> nn.Linear:
    found = it.model.get_submodule(path)
    assert isinstance(found, nn.Linear)

    return found


def moved(it: Subject, Q: Tensor | None = None) -> Subject:
    """A twin: the same network with its first hidden layer in another basis, h → Q h."""

    twin = replace(it, model=deepcopy(it.model))
    if Q is not None:
        with torch.no_grad():
            for p in linear(twin).parameters():
                p.copy_(Q.float() @ p)

    return twin


def numbers(it: Subject, twin: Subject, probe: Agreement = PROBE) -> Any:
    """Values of that layer, by measure and map."""

    table = measure(probe, replace(it, twin=twin))
    rows = table[table["layer"] == "hidden.0.activation"]

    return rows.pivot_table(index="map", columns="measure", values="value")


def signs(n: int) -> Tensor:
    return torch.diag(torch.where(torch.arange(n) % 2 == 0, 1.0, -1.0))


def shifted(n: int) -> Tensor:
    return torch.eye(n).roll(1, dims=0)


# --- samples --------------------------------------------------------------------------------


def test_isotropic_networks_that_differ_by_a_rotation_agree() -> None:
    """And no permutation of the neurons tells: the twin's own basis is like any other."""

    it = subject(IsoTanh)
    found = numbers(it, moved(it, random_orthogonal(16)))

    assert found["residual"]["orthogonal"] < 1e-10
    assert found["cosine"]["orthogonal"] == pytest.approx(1)
    assert found["retrieval"]["orthogonal"] == 1
    assert found["cka"]["none"] == pytest.approx(1)
    for name in TURNED:
        assert found["residual"][name] > 0.1
        turned = found["residual"][f"{name}_turned"]
        assert found["residual"][name] == pytest.approx(turned, abs=0.2)


@pytest.mark.parametrize("Q", [shifted(16), signs(16) @ shifted(16)])
def test_elementwise_networks_agree_up_to_a_permutation(Q: Tensor) -> None:
    """With signs, since tanh is odd; and in a basis of their own, which a turn takes away."""

    it = subject(Tanh)
    residual = numbers(it, moved(it, Q))["residual"]

    assert residual["orthogonal"] < 1e-10
    assert residual["signed"] < 1e-10
    assert residual["signed_turned"] > 0.1
    assert residual["permutation_turned"] > 0.1
    assert residual["identity"] > 0.1
    assert (residual["permutation"] < 1e-10) == bool((Q >= 0).all())


def test_elementwise_networks_do_not_agree_after_a_rotation() -> None:
    """The control: tanh(Rz) is no rotation of tanh(z), once z is large."""

    it = subject(Tanh)
    with torch.no_grad():
        linear(it).bias.zero_()
    loud, quiet = (replace(it, x=s * it.x) for s in (10, 1e-3))
    R = random_orthogonal(16)

    assert numbers(loud, moved(loud, R))["residual"]["orthogonal"] > 0.05
    assert numbers(quiet, moved(quiet, R))["residual"]["orthogonal"] < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_unrelated_networks_agree_as_little_as_shuffled_ones(seed: int) -> None:
    """One looks at the first five features of the samples, the other at the others."""

    it = subject(IsoTanh, seed=seed, samples=400)
    twin = moved(it)
    for each, blind in ((it, slice(5, 10)), (twin, slice(0, 5))):
        with torch.no_grad():
            linear(each).weight[:, blind] = 0
    table = measure(PROBE, replace(it, twin=twin))
    table = table[table["map"] != "identity"]

    for measured in ("residual", "retrieval", "cka"):
        rows = table[table["measure"] == measured]
        np.testing.assert_allclose(rows["value"], rows["control"], atol=0.06)
    assert table[table["measure"] == "residual"]["value"].min() > 0.95
    assert table[table["measure"] == "retrieval"]["value"].mean() < 0.02


def test_the_control_is_chance() -> None:
    """With rows shuffled a thing is nearest to itself once a half: 10 halves are Poisson of 10."""

    it = subject(IsoTanh)
    table = measure(Agreement(halves=10), replace(it, twin=moved(it)))
    rows = table[(table["map"] == "orthogonal") & (table["measure"] == "retrieval")]

    assert (rows["value"] == 1).all()
    assert (rows["control"] * rows["n"] * 10 <= 32).all()
    assert (table["control_low"] <= table["control"] + 1e-12).all()
    assert (table["control"] <= table["control_high"] + 1e-12).all()


def test_the_map_is_fitted_on_one_half_and_measured_on_the_other() -> None:
    """Step by step, with the draws of the probe: mean, map and scale are those of the first."""

    it, twin = subject(Tanh), subject(Tanh, seed=1)
    found = numbers(it, replace(twin, x=it.x), replace(PROBE, halves=1))

    generator = Generator().manual_seed(0)
    torch.randperm(200, generator=generator)
    fitted, kept = torch.randperm(200, generator=generator).numpy().reshape(2, 100)
    with torch.no_grad():
        A, B = (np.tanh(linear(each)(it.x).numpy()).astype(float) for each in (it, twin))
    a, b = (X[fitted] - X[fitted].mean(axis=0) for X in (A, B))
    c, d = (X[kept] - X[fitted].mean(axis=0) for X in (A, B))
    Q, s = scipy.linalg.orthogonal_procrustes(b, a)
    mapped = s / (b**2).sum() * d @ Q

    cosines = (c * mapped).sum(axis=1) / np.linalg.norm(c, axis=1) / np.linalg.norm(mapped, axis=1)
    nearest = [np.argmax([u @ v / np.linalg.norm(v) for v in mapped]) for u in c]
    expected = {
        "residual": ((c - mapped) ** 2).sum() / (c**2).sum(),
        "cosine": cosines.mean(),
        "retrieval": np.mean(np.equal(nearest, np.arange(100))),
    }
    for name, value in expected.items():
        assert found[name]["orthogonal"] == pytest.approx(value, rel=1e-5), name


def test_layers_of_different_widths_are_compared() -> None:
    """Two idle neurons more, and the others turned."""

    wide = nn.Sequential(nn.Linear(10, 18), IsoTanh(18)).eval()
    narrow = nn.Sequential(nn.Linear(10, 16), IsoTanh(16)).eval()
    Q = torch.eye(18)[:, torch.randperm(18)][:, :16]
    wide.load_state_dict({k: Q @ v for k, v in narrow.state_dict().items()})
    a, b = (subject(model=model) for model in (narrow, wide))

    for one, other in ((a, b), (b, a)):
        table = measure(PROBE, replace(one, twin=other))
        rows = table[(table["map"] == "permutation") & (table["measure"] == "residual")]
        assert rows["value"].item() < 1e-10


def test_rows_are_tidy() -> None:
    it = subject(Tanh)
    rows = PROBE(replace(it, twin=moved(it)))

    assert tuple(rows) == tuple(PROBE.schema)
    assert len({len(column) for column in rows.values()}) == 1
    for column, kind in PROBE.schema.items():
        assert {type(value) for value in rows[column]} == {kind}, column
    keys = list(zip(rows["layer"], rows["things"], rows["map"], rows["measure"], strict=True))
    assert len(set(keys)) == len(keys) == 2 * (3 * 6 + 1)
    assert set(rows["map"]) == {*MAPS, *(f"{name}_turned" for name in TURNED), "none"}


@pytest.mark.parametrize(("samples", "most", "n"), [(200, 2000, 100), (200, 50, 25), (4, 4, 2)])
def test_n_is_what_the_numbers_rest_on(samples: int, most: int, n: int) -> None:
    it = subject(Tanh, samples=samples)
    rows = replace(PROBE, samples=most)(replace(it, twin=moved(it)))

    assert set(rows["n"]) == {n}


def test_samples_stay_paired_when_some_are_drawn() -> None:
    it = subject(Tanh)

    found = numbers(it, moved(it), replace(PROBE, samples=40))
    assert found["residual"]["identity"] < 1e-10


def test_the_same_subject_gives_the_same_bits() -> None:
    def table(seed: int) -> pd.DataFrame:
        it = subject(Tanh, seed=0)
        twin = moved(it, random_orthogonal(16, Generator().manual_seed(3)))

        return measure(PROBE, replace(it, twin=twin, generator=Generator().manual_seed(seed)))

    pd.testing.assert_frame_equal(table(0), table(0), check_exact=True)
    assert not table(0).equals(table(1))


def test_networks_are_left_as_they_were() -> None:
    it = replace(spoken("a"), twin=spoken("b"))
    assert it.twin is not None
    before = [deepcopy(model.state_dict()) for model in (it.model, it.twin.model)]
    for model in (it.model, it.twin.model):
        next(model.parameters()).requires_grad_(False)
    PROBE(it)

    for model, state in zip((it.model, it.twin.model), before, strict=True):
        assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
        assert not model.training
        assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
        wanted = [p.requires_grad for p in model.parameters()]
        assert wanted == [False] + [True] * (len(wanted) - 1)
        assert all(p.grad is None for p in model.parameters())


def test_a_dead_layer_has_nothing_to_compare() -> None:
    it = subject(IsoTanh)
    with torch.no_grad():
        for p in linear(it).parameters():
            p.zero_()
    twin = replace(subject(IsoTanh, seed=1), x=it.x)
    found = numbers(it, twin)
    table = measure(PROBE, replace(it, twin=twin))
    dead = table[table["layer"] == "hidden.0.activation"]

    assert dead[dead["measure"].isin(["residual", "cosine", "cka"])]["value"].isna().all()
    assert found["retrieval"].tolist() == pytest.approx([1 / 100] * 6)
    assert isnan(PROBE.summary(table.to_dict("list"))["residual_orthogonal"])


class Convolutional(nn.Module):
    """A user's network: channels first, two activations of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.f = nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True)
        self.second, self.g = nn.Conv2d(8, 6, 3), nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return self.g(self.second(self.f(self.first(x)))).mean(dim=(2, 3))


def test_any_network_is_compared() -> None:
    """Embeddings of pictures are means over positions; the twin's channels are permuted."""

    one = Convolutional().eval()
    order = torch.randperm(8)
    state = one.state_dict()
    two = Convolutional().eval()
    two.load_state_dict(
        {k: v[order] if "first" in k else v for k, v in state.items()}
        | {"second.weight": state["second.weight"][:, order]}
    )
    x = torch.randn(40, 3, 9, 9)
    a, b = (Subject(model, x, None, None, Generator()) for model in (one, two))
    table = measure(PROBE, replace(a, twin=b))

    residual = table[table["measure"] == "residual"].set_index(["layer", "map"])["value"]
    assert residual["f", "permutation"] < 1e-10 < 0.1 < residual["f", "identity"]
    assert residual["g", "identity"] < 1e-10


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_compared(name: str) -> None:
    tiny = MODELS[name]
    x = tiny.batch(12)
    a, b = (Subject(tiny.build(forms()).eval(), x, None, None, Generator()) for _ in range(2))
    table = measure(replace(PROBE, halves=1), replace(a, twin=b))

    assert set(table["layer"]) == set(a.layers)
    assert table["value"].notna().all()


# --- words ----------------------------------------------------------------------------------

TEXT = Languages(words=24, meanings=4, length=8, train=20, valid=20, test=200)


@cache
def read(language: str) -> Tensor:
    return torch.from_numpy(replace(TEXT, language=language).load().test.x)


def spoken(
    language: str, embedding: Tensor | None = None, activation: type[Activation] = IsoTanh
) -> Subject:
    """A network that reads a language, with a given vector for each word."""

    torch.manual_seed("ab".index(language))
    model = RNN((8, 48), (8, 48), Forms(partial(activation), nn.Identity, Default()), (16,)).eval()
    it = Subject(model, read(language), None, None, Generator().manual_seed(0))
    if embedding is not None:
        tokens = torch.from_numpy(TEXT.dictionary()["ab".index(language)])
        with torch.no_grad():
            linear(it, "layers.0.linear").weight[:, tokens] = embedding.mT

    return it


def words(it: Subject, twin: Subject, probe: Agreement = PROBE) -> Any:
    table = measure(probe, replace(it, twin=twin))

    return table[table["things"] == "words"].set_index(["map", "measure"])


@pytest.mark.parametrize("seed", range(5))
def test_languages_alike_up_to_a_rotation_are_translated_without_a_pair(seed: int) -> None:
    torch.manual_seed(seed)
    A = torch.randn(24, 16)
    B = A @ random_orthogonal(16).float() + 0.05 * torch.randn(24, 16)
    found = words(spoken("a", A), spoken("b", B))

    assert set(found["layer"]) == {"layers.0.linear"}
    assert found["value"]["orthogonal", "translation"] > 0.95
    assert found["value"]["identity", "translation"] < 0.5
    assert found["n"]["orthogonal", "translation"] == 24
    assert found["n"]["orthogonal", "retrieval"] == 12


def test_with_pairs_few_meanings_are_translated_too() -> None:
    """Half the words, 12, fix a rotation of the 4 dimensions that words differ in; not of 16."""

    A = torch.randn(24, 4) @ torch.randn(4, 16)
    B = A @ random_orthogonal(16).float()
    found = words(spoken("a", A), spoken("b", B))

    assert found["value"]["orthogonal", "retrieval"] == 1
    assert found["value"]["orthogonal", "residual"] < 1e-10
    assert found["value"]["signed", "residual"] > 0.1


def test_unlike_languages_are_translated_by_chance() -> None:
    """One word of 24 on average, 10 in 10 trials: more than 32 have a probability of 1e-8."""

    right, probe = 0.0, Agreement(halves=1, starts=1)
    for seed in range(10):
        torch.manual_seed(seed)
        A, B = torch.randn(2, 24, 16)
        found = words(spoken("a", A), spoken("b", B), probe)["value"]
        right += 24 * found["orthogonal", "translation"]

    assert right <= 32


def test_the_control_of_a_translation_is_chance() -> None:
    """Each column by itself, the very neurons of the twin say nothing: 10 trials, as above."""

    A = torch.randn(24, 16)
    found = words(spoken("a", A), spoken("b", A), Agreement(halves=10, starts=1))

    assert found["value"]["orthogonal", "translation"] == 1
    assert found["control"]["orthogonal", "translation"] * 24 * 10 <= 32


def test_the_order_of_the_words_does_not_give_them_away() -> None:
    """Words without a difference are matched by chance: 8 or more of 24 with one of 1e-5."""

    A = torch.ones(24, 16)

    assert words(spoken("a", A), spoken("b", A))["value"]["orthogonal", "translation"] < 8 / 24


def test_one_language_translates_into_itself() -> None:
    A = torch.randn(24, 16)
    it = spoken("b", A)

    found = words(it, replace(it, generator=Generator()))
    assert found["value"]["orthogonal", "translation"] == 1
    assert found["value"]["identity", "residual"] < 1e-10


def test_the_most_frequent_words_are_taken() -> None:
    A = torch.randn(24, 16)
    B = A.clone()
    B[10:] = torch.randn(14, 16)  # the rarer ones mean something else

    found = words(spoken("a", A), spoken("b", B), replace(PROBE, words=8))
    assert found["n"]["orthogonal", "translation"] == 8
    assert found["value"]["identity", "residual"] < 1e-10


def test_the_dictionary_is_read_off_the_text() -> None:
    tokens = dictionary(read("a"), read("b"))
    assert tokens is not None
    known = dict(TEXT.dictionary().T.tolist())

    assert dict(tokens.T.tolist()) == known
    counts = read("a").sum(dim=(0, 1))[tokens[0]]
    assert counts.tolist() == sorted(counts.tolist(), reverse=True)


def test_what_is_no_parallel_text_has_no_dictionary() -> None:
    a, b = read("a"), read("b")
    other = torch.from_numpy(replace(TEXT, language="b").load().train.x)

    assert dictionary(a, b.roll(1, dims=0)) is None
    assert dictionary(a[: len(other)], other) is None
    assert dictionary(a, 2 * b) is None
    assert dictionary(a, b[:, 1:]) is None
    assert dictionary(torch.randn(4, 3), torch.randn(4, 3)) is None


def test_the_first_linear_map_gives_the_words() -> None:
    it = spoken("a")
    found = word_vectors(it.model, it.x)
    assert found is not None
    layer, vectors = found
    assert layer == "layers.0.linear"

    reads = linear(it, layer)
    torch.testing.assert_close(reads(torch.eye(48)) - reads.bias, vectors)


def test_a_transformer_embeds_words_too() -> None:
    model = Transformer((8, 48), (8, 48), forms(), 8, 1, 2, 8, None, "softmax")
    found = word_vectors(model, read("a"))

    assert found is not None
    assert found[0] == "embedding"


def test_what_does_not_read_word_by_word_has_no_words() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(8 * 48, 6), Tanh(6)).eval()
    it = Subject(model, read("a"), None, None, Generator())

    assert word_vectors(model, it.x) is None
    assert set(PROBE(replace(it, twin=it))["things"]) == {"samples"}
    assert word_vectors(nn.Tanh(), it.x) is None


# --- refusals -------------------------------------------------------------------------------


def refusal(it: Subject) -> str:
    with pytest.raises(Unsuitable) as caught:
        PROBE(it)
    assert "\n" not in str(caught.value)

    return str(caught.value)


def test_what_cannot_be_compared_is_refused() -> None:
    it = subject(Tanh)
    few = replace(it, x=it.x[:3], y=None)
    other = Subject(nn.Sequential(nn.Linear(10, 16), Tanh(16)), it.x, None, None, Generator())

    assert "a twin must be given" in refusal(it)
    assert "same samples" in refusal(replace(it, twin=replace(it, x=it.x + 1)))
    assert "got 200 and 3" in refusal(replace(it, twin=few))
    assert "4 at least" in refusal(replace(few, twin=few))
    assert "same names" in refusal(replace(it, twin=other))
    assert "same text translated" in refusal(
        replace(spoken("a"), twin=replace(spoken("b"), x=read("b").roll(1, dims=0)))
    )

    broken = moved(it)
    with torch.no_grad():
        linear(broken).weight.fill_(nan)
    assert "must be finite, those of hidden.0.activation" in refusal(replace(it, twin=broken))


@pytest.mark.parametrize(
    "settings", [{"samples": 3}, {"words": 3}, {"halves": 0}, {"starts": 0}], ids=str
)
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        Agreement(**settings)


# --- summary and figure ---------------------------------------------------------------------


def test_the_summary_is_the_mean_over_layers() -> None:
    table = words_table()
    summary = PROBE.summary(table.to_dict("list"))

    part = table[(table["things"] == "samples") & (table["measure"] == "residual")]
    for name, key, column in (
        ("orthogonal", "residual_orthogonal", "value"),
        ("signed", "residual_signed", "value"),
        ("signed_turned", "residual_signed_turned", "value"),
        ("orthogonal", "residual_control", "control"),
    ):
        assert summary[key] == pytest.approx(part[part["map"] == name][column].mean())
    part = table[(table["measure"] == "translation") & (table["map"] == "orthogonal")]
    assert summary["translation"] == part["value"].item()

    plain = subject(Tanh)
    assert isnan(PROBE.summary(PROBE(replace(plain, twin=plain)))["translation"])


@cache
def words_table() -> pd.DataFrame:
    return pd.DataFrame(PROBE(replace(spoken("a"), twin=spoken("b"))))


@pytest.mark.parametrize("columns", [False, True])
def test_the_figure_shows_the_table(columns: bool) -> None:
    """Each map's number at its place, its controls behind it; with the run's columns or not."""

    trained = words_table()
    table = trained
    if columns:
        untrained = trained.assign(network="untrained", value=trained["value"] / 2)
        table = pd.concat([untrained, trained.assign(network="trained")]).assign(seed=0, data="x")
    figure = Figure()
    agreement.draw(table, figure)

    sites = [("samples", "layers.0.activation"), ("words", "layers.0.linear")]
    shown = [(measure, *site) for measure in ("residual", "retrieval") for site in sites]
    for axes, (kind, things, layer) in zip(figure.axes, shown, strict=True):
        part: Any = trained[(trained["things"] == things) & (trained["layer"] == layer)]
        rows = part[part["measure"] == kind].set_index("map").loc[list(agreement.MAPS)]
        drawn: list[Any] = [line.get_xdata() for line in axes.lines]
        drawn = [x for x in drawn if len(x)]
        np.testing.assert_array_equal(drawn[int(columns)], rows["value"])
        if columns:
            np.testing.assert_array_equal(drawn[0], rows["value"] / 2)
        controls: Any = axes.collections[0]
        ends = np.stack(controls.get_segments())[:, :, 0]
        np.testing.assert_array_equal(ends, rows[["control_low", "control_high"]])
    assert "100 samples" in figure.get_suptitle()
