"""Tests for isoexp.identity."""

import pytest

from isoexp.experiment.composition import compose
from isoexp.experiment.execution import prepare
from isoexp.identity import command, label


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
