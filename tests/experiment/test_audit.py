"""Tests for isoexp.experiment.audit: every form of the package against what theory says of it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from isoexp.config.groups import choices
from isoexp.errors import UserError
from isoexp.experiment.audit import SCHEMA, Finding, audited, forms, measure, rows

ALL = "O(n), positive diagonal"
SIGNED, PLAIN = "signed permutations", "permutations"
HOMOGENEOUS = "permutations, positive diagonal"

# What THEORY.md says, sections 1 and 7, form by form: written by hand, not read off a measurement.
# A pair: for the weights' outputs and inputs, or for one value of the parameters and as a family.
THEORY: dict[str, dict[str, str | tuple[str, str]]] = {
    "activation": {
        **dict.fromkeys(("relu", "leaky_relu", "abs"), HOMOGENEOUS),
        **dict.fromkeys(("gelu", "silu", "elu", "softplus", "sigmoid"), PLAIN),
        **dict.fromkeys(("tanh", "quasi_isotropic", "normalized_quasi_isotropic"), SIGNED),
        # None in general; as a family, centres may be named anew with the features.
        "radial_basis": ("trivial", PLAIN),
        # Signed permutations of its own basis, so none of the standard one.
        "rotated": "trivial",
        "identity": ALL,
        "isotropic": "O(n)",
        "stochastic": "O(n)",
    },
    "norm": {
        "none": ALL,
        **dict.fromkeys(("l2", "rms", "chi", "iso_batch", "zca"), "O(n)"),
        "affine_like": ("trivial", "O(n)"),
        "layer": ("trivial", PLAIN),
        **dict.fromkeys(("rms_gain", "batch"), ("trivial", SIGNED)),
    },
    "dropout": {
        "none": ALL,
        "elementwise": "signed permutations, positive diagonal",
        **dict.fromkeys(("isotropic", "haar", "correlated"), "O(n)"),
    },
    "attention": {"softmax": PLAIN, "iso_tanh": "O(n)"},
    "init": {
        **dict.fromkeys(("gaussian", "orthogonal", "kaiming_normal", "xavier_normal"), "O(n)"),
        **dict.fromkeys(("default", "kaiming_uniform", "xavier_uniform", "sparse"), SIGNED),
    },
    "optimizer": {
        **dict.fromkeys(
            ("sgd", "sgd_plain", "normalized_sgd", "iso_adam", "muon", "shampoo"), "O(n)"
        ),
        **dict.fromkeys(("adam", "adamw", "rmsprop", "adagrad", "sign_sgd"), SIGNED),
        # Against THEORY: rows are the vectors, and a rotation of the outputs mixes rows.
        "iso_adam_vector": (SIGNED, "O(n)"),
        # Against THEORY: see tests/symmetry/test_training.py.
        "soap": "trivial",
    },
    "clip": {"none": ALL, "norm": "O(n)", "value": SIGNED},
    "regularizer": {
        "none": ALL,
        **dict.fromkeys(("l2", "nuclear", "spectral"), "O(n)"),
        "activation_norm": "O(n)",
        "l1": SIGNED,
    },
}
THEORY["activation"] |= {
    name: "O(n)" for name in choices()["activation"] if name.startswith("iso_")
}


@cache
def findings() -> dict[tuple[str, str], Finding]:
    return {(form.kind, form.name): measure(form) for form in forms([])}


def measured(test: Callable[[], None]) -> Callable[[], None]:
    """Marks a test of the findings: one worker measures them, once for all."""

    return pytest.mark.slow(20)(pytest.mark.xdist_group("audit")(test))


@measured
def test_the_audit_agrees_with_the_theory() -> None:

    wrong = {}
    for (kind, name), finding in findings().items():
        assert not finding.failure, f"{kind} {name}: {finding.failure}"
        found = tuple(finding.symmetries().values())
        expected = THEORY[kind][name]
        pair = (expected,) * len(found) if isinstance(expected, str) else expected
        if found != pair:
            wrong[f"{kind}={name}"] = f"measured {found}, theory {pair}"

    assert not wrong


@measured
def test_no_form_is_left_out() -> None:
    found = {kind: {n for k, n in findings() if k == kind} for kind in THEORY}

    assert found == {kind: set(table) for kind, table in THEORY.items()}
    for group in set(THEORY) - {"attention"}:
        assert found[group] == set(choices()[group])


@measured
def test_errors_are_clear_of_their_thresholds() -> None:
    """No answer hangs on where a threshold lies: what commutes exactly is below it by 1e3, what
    does not above by 1e3; distances of samples are not within 20 % of it."""

    for finding in findings().values():
        if finding.form.name == "soap":
            continue  # whose errors are rounding, multiplied by all there is between
        for m in finding.measured:
            margin = 1.2 if m.threshold > 1e-3 else 1e3
            clear = m.error * margin < m.threshold or m.error > margin * m.threshold
            assert clear, f"{finding.form.name}, {m}"


@measured
def test_rows_are_tidy() -> None:
    table = rows(findings().values(), 8, 0)

    assert list(table) == list(SCHEMA)
    assert len({len(column) for column in table.values()}) == 1
    keys = list(zip(table["kind"], table["form"], table["on"], table["group"], strict=True))
    assert len(set(keys)) == len(keys) == sum(len(f.measured) for f in findings().values())
    for name, kind in SCHEMA.items():
        assert all(isinstance(value, kind) for value in table[name]), name


# --- what words name ------------------------------------------------------------------------


def named(*words: str, kind: str = "") -> list[tuple[str, str]]:
    return [(form.kind, form.name) for form in forms(words, kind=kind)]


def test_groups_and_choices() -> None:
    assert named("clip") == [("clip", "none"), ("clip", "norm"), ("clip", "value")]
    assert named("activation=tanh,relu") == [("activation", "tanh"), ("activation", "relu")]
    assert named("norm=rms,l2", "init=sparse,default") == [
        ("norm", "rms"),
        ("norm", "l2"),
        ("init", "sparse"),
        ("init", "default"),
    ]
    assert named("activation=iso_relu", "activation.R0=1,2") == [
        ("activation", "iso_relu activation.R0=1"),
        ("activation", "iso_relu activation.R0=2"),
    ]


def test_objects_show_what_they_are() -> None:
    assert named("isoexp.activations:IsoTanh") == [("map", "IsoTanh")]
    assert named("torch.optim:SGD") == [("optimizer", "SGD")]
    assert named("torch:tanh") == [("map", "tanh")]
    assert named("isoexp.inits:Gaussian") == [("init", "Gaussian")]
    assert named("isoexp.optimizers:ClipNorm") == [("clip", "ClipNorm")]
    assert named("isoexp.regularizers:L1") == [("regularizer", "L1")]
    assert named("torch.nn.init:normal_") == [("init", "normal_")]
    assert named("torch:tanh", "torch.optim:SGD") == [("map", "tanh"), ("optimizer", "SGD")]
    assert named("torch:tanh", kind="clip") == [("clip", "tanh")]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("torch.nn:Softsign", SIGNED),
        ("torch.nn:LeakyReLU", HOMOGENEOUS),
        ("torch.nn:Identity", ALL),
        ("torch.optim:Adamax", SIGNED),
        ("torch.nn.functional:normalize", "O(n)"),
        ("torch.nn.init:orthogonal_", "O(n)"),
        ("isoexp.regularizers:Nuclear", "O(n)"),
    ],
)
def test_objects_are_measured(word: str, expected: str) -> None:
    (form,) = forms([word])
    finding = measure(form)

    assert set(finding.symmetries().values()) == {expected}, finding


def test_an_object_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab_of_mine.py").write_text(
        "from isoexp.activations import Isotropic\n\n"
        "class IsoSoftsign(Isotropic):\n"
        "    def profile(self, r):\n"
        "        return r / (1 + r)\n"
        "class Nested:\n"
        "    broken = IsoSoftsign.__mro__[0]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    for word in ("lab_of_mine:IsoSoftsign", "lab_of_mine:Nested.broken"):
        (form,) = forms([word])
        assert set(measure(form).symmetries().values()) == {"O(n)"}


def test_a_form_that_fails_says_why() -> None:
    class Fails(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no\nway")

    (form,) = forms(["torch:tanh"])
    finding = measure(type(form)("map", "fails", "", lambda n: Fails()))
    assert finding.failure == "no way"
    assert finding.symmetries() == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["activatoin"], "did you mean activation"),
        (["data=digits"], "got data="),
        (["nowhere:A"], "No module named 'nowhere'"),
        (["torch:nothing_there"], "has no attribute"),
        (["torch:pi"], "a class or a function"),
        (["activation=tnah"], "activation must be one of its choices"),
        (["activation.R0=1"], "no setting activation.R0"),
    ],
)
def test_mistakes(words: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(forms(words))


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UserError, match="--as must be one of"):
        named("torch:tanh", kind="activatoin")
    assert set(THEORY) == set(audited())
