"""Tests for isoexp.store.identity."""

import pytest

from isoexp.config.compose import compose, expand
from isoexp.experiment.job import prepare
from isoexp.store.identity import command, identity, label, structure


def identity_of(*words: str) -> str:
    (identity,) = prepare(compose(words)).identities.values()

    return identity


BASE = identity_of()


@pytest.mark.parametrize(
    "words",
    [
        "out=elsewhere",
        "name=study",
        "device=cpu",
        "compile=true",
        "force=true",
        "logger=wandb",
        "activation=iso_tanh model=mlp",
        "seeds=1",
        "seeds=[0]",
        "optimizer.lr=0.01",
        "optimizer.weight_decay=0",
        "snapshots=0",
        "probe=none",
        "probe.refraction.rays=8",
    ],
)
def test_what_changes_no_number_keeps_the_identity(words: str) -> None:
    assert identity_of(*words.split()) == BASE


@pytest.mark.parametrize(
    "words",
    [
        "seed=1",
        "activation=tanh",
        "activation.scale=sqrt_width",
        "model.widths=[32]",
        "data=teacher",
        "optimizer.lr=0.02",
        "schedule=constant",
        "clip=norm",
        "epochs=61",
        "steps=10",
        "batch_size=51",
        "precision=float64",
        "snapshots=3",
    ],
)
def test_what_changes_numbers_changes_the_identity(words: str) -> None:
    assert identity_of(*words.split()) != BASE


def test_what_a_probe_measures_has_an_identity_of_its_own() -> None:
    def probes(*words: str) -> dict[str, str]:
        return prepare(compose(["probe=[refraction,ood_magnitude]", *words])).probes

    usual, fewer = probes(), probes("probe.refraction.rays=8")
    assert probes("activation=tanh", "probe.refraction.alpha_max=1000") == usual
    assert usual["ood_magnitude"] == fewer["ood_magnitude"]
    assert usual["refraction"] != fewer["refraction"]


def test_a_command_names_what_is_not_usual() -> None:
    columns = {"activation": "tanh", "model": "mlp", "optimizer": "sgd", "seed": 3, "study": "x"}

    assert command(columns, ["optimizer.lr=0.1"]) == (
        "isoexp train activation=tanh optimizer=sgd optimizer.lr=0.1 seed=3"
    )
    assert command({"activation": "iso_tanh", "seed": 0}, []) == "isoexp train"


def test_the_content_of_the_data_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoexp.data.Digits.fingerprint", lambda self: "other")

    assert identity_of() != BASE


def test_a_member_has_the_identity_of_its_solo_run() -> None:
    together = prepare(compose(["seeds=3", "seed=4"])).identities

    assert together == {s: identity_of(f"seed={s}") for s in (4, 5, 6)}


GOLDEN = {
    "": "9cf07408ecd86359e08c1358df458a47",
    "activation=iso_relu activation.R0=0.5 optimizer.lr=3e-3": "5a4cbb0db92cdd09e77dd1f233197302",
    "model=cnn data=shapes norm=batch seed=7 steps=100": "c0b0555f9e4ff9a064161f646a5a55a8",
    "experiment=causal_alignment init.gain=2": "0756a9e2ac9d5460bcd0b13b501949aa",
    "activation=quasi_isotropic dropout=isotropic regularizer=l1 regularizer.strength=1e-6 "
    "snapshots=4": "5b8bbef63b4c79e58256054d8bd10621",
    "model=transformer data=languages precision=float64 clip=norm probe=all schedule=constant": (
        "35db44a3bdd01b58c13d1a172336e30d"
    ),
    "optimizer=adamw optimizer.betas=[0.5,0.9] model.widths=[8,8] +data.root=here batch_size=7": (
        "a402bb615c602f5c3ceb058488744967"
    ),
}
"""Identities of seed 3, with torch 2.13, that finished runs are found by."""


@pytest.mark.parametrize("words", GOLDEN)
def test_finished_runs_stay_finished(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isoexp.store.identity._torch_minor", lambda: "2.13")

    config = compose(words.split()).config
    assert identity(config, 3, "data", {"mine.A": "00"}) == GOLDEN[words]


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("optimizer.lr=0.02 seed=5", True),
        ("optimizer.lr=1", True),
        ("optimizer.betas=[0.5,0.9] init.gain=2.0", True),
        ("name=other out=elsewhere probe=none sweep.batch=3 force=true", True),
        ("seeds=4", True),
        ("optimizer.fused=false", False),
        ("model.widths=[32]", False),
        ("batch_size=51", False),
        ("epochs=61", False),
        ("activation.scale=sqrt_width", False),
        ("device=cpu", False),
        ("compile=true", False),
        ("precision=float64", False),
        ("optimizer.betas=[0.5,0.9,0.9]", False),
    ],
)
def test_networks_that_differ_in_real_numbers_have_one_structure(words: str, same: bool) -> None:
    def shape(text: str) -> str:
        (job,) = expand(["init=gaussian", *text.split()])
        return structure(job.config)

    assert (shape(words) == shape("")) is same


def test_a_real_number_is_one_however_it_is_typed() -> None:
    words = ["activation=iso_relu", "activation.R0"]
    one, other = (compose([words[0], f"{words[1]}={text}"]).config for text in ("2", "2.0"))

    assert isinstance(one["activation"]["R0"], float)
    assert identity(one, 0, "data", {}) == identity(other, 0, "data", {})


def test_a_label_says_what_was_chosen_and_no_more() -> None:
    choices = {"activation": "iso_tanh", "model": "mlp", "data": "digits", "optimizer": "adam"}
    words = ["force=true", "optimizer=adam", "optimizer.lr=1e-3", "seed=9", "out=a/b", "+x.y=[1,2]"]

    assert label(choices, words, 3) == (
        "activation-iso_tanh,model-mlp,data-digits,optimizer-adam,"
        "optimizer.lr-1e-3,x.y-_1,2_,seed-3"
    )
    assert "=" not in label(choices, words, 3)

    long = label(choices, ["a.b=1", "model.widths=" + "9" * 500], 3)
    assert long == "activation-iso_tanh,model-mlp,data-digits,a.b-1,seed-3"


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("", "9a7f0827e9eced1273ebf463d5516536"),
        ("data=shapes data.target=factors", "02889e8618d9252862e77ceb4601a9f7"),
        ("data._target_=isoexp.data.Spheres", "9d0f7b377cc3d7b38c6a794a874a3adb"),
    ],
)
def test_identities_are_those_of_before(
    words: str, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that is added must be neutral; what computes other numbers raises NUMBERS."""

    monkeypatch.setattr("isoexp.store.identity._torch_minor", lambda: "2")

    assert identity(compose(words.split()).config, 0, "data", {}) == known
