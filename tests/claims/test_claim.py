"""Claims: what a file must say, and what makes two of them the same."""

from copy import deepcopy
from typing import Any

import pytest

from isoexp.claims import Claim
from isoexp.errors import UserError

NODE: dict[str, Any] = {
    "title": "A is more than B",
    "claim": "A network of A is more accurate than one of B.",
    "section": "5",
    "expected": "supported",
    "cost": 1,
    "common": "model=mlp probe=none",
    "arms": {"a": "activation=tanh", "b": ["activation=iso_tanh"]},
    "tuning": {"grid": {"optimizer.lr": [0.1, 0.2]}, "metric": "valid/accuracy", "seeds": 2},
    "seeds": 10,
    "metrics": {
        "accuracy": "test/accuracy",
        "error": {"of": "summary", "column": "test/loss", "log": True},
    },
    "comparisons": [
        {"contrast": "a - b", "metric": "accuracy", "expects": "greater", "margin": 0.01},
        {"contrast": "a - b", "metric": "error", "expects": "less", "margin": 1.1},
    ],
    "scales": {"smoke": {"seeds": 2, "common": ["epochs=1"], "tuning": {"seeds": 1}}, "laptop": {}},
}


def claim(scale: str = "laptop", **changes: Any) -> Claim:
    return Claim.at("mine", deepcopy(NODE) | changes, scale)


def test_scales_replace_keys_add_words_and_change_parts_of_the_tuning() -> None:
    smoke, laptop = claim("smoke"), claim()

    assert (smoke.seeds, laptop.seeds) == (2, 10)
    assert list(laptop.common) == ["model=mlp", "probe=none"]
    assert list(smoke.common) == ["model=mlp", "probe=none", "epochs=1"]
    assert smoke.tuning is not None
    assert (smoke.tuning.seeds, smoke.tuning.metric) == (1, "valid/accuracy")


def test_a_claim_is_written_and_read_back() -> None:
    one = claim()

    assert Claim.of(one.written) == one
    assert Claim.of(one.written).identity == one.identity


@pytest.mark.parametrize("key", ["title", "claim", "section", "expected"])
def test_prose_is_not_part_of_what_decides(key: str) -> None:
    assert claim(**{key: "other words"}).identity == claim().identity


def test_how_it_is_told_is_not_part_of_what_decides() -> None:
    told = NODE["comparisons"][0] | {"label": "A", "says": {"none": "alike: {}"}, "words": "?"}
    metrics = NODE["metrics"] | {"accuracy": {"of": "summary", "column": "test/accuracy"}}
    points = {**metrics, "accuracy": metrics["accuracy"] | {"unit": "points"}}
    one = claim(comparisons=[told, NODE["comparisons"][1]], metrics=points)

    assert one.identity == claim().identity
    assert Claim.of(one.written) == one


@pytest.mark.parametrize(
    "says", [{"null": "alike"}, {"supported": 3}, {"supported": " "}, {"supported": "{} and {}"}]
)
def test_what_an_outcome_says_is_checked(says: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="says"):
        claim(comparisons=[NODE["comparisons"][0] | {"says": says}])


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 11},
        {"common": "model=mlp"},
        {"arms": NODE["arms"] | {"a": "activation=relu"}},
        {"tuning": NODE["tuning"] | {"seeds": 3}},
        {"tuning": None},
        {"comparisons": [NODE["comparisons"][0] | {"margin": 0.02}]},
        {"comparisons": [NODE["comparisons"][0] | {"expects": "less"}, NODE["comparisons"][1]]},
        {"metrics": NODE["metrics"] | {"accuracy": "valid/accuracy"}},
    ],
    ids=str,
)
def test_whatever_decides_makes_another_claim(change: dict[str, Any]) -> None:
    assert claim(**change).identity != claim().identity


@pytest.mark.parametrize(
    ("contrast", "weights"),
    [
        ("a", {"a": 1}),
        ("a - b", {"a": 1, "b": -1}),
        ("0.5 a + 0.5 b", {"a": 0.5, "b": 0.5}),
        ("- a + 2 b", {"a": -1, "b": 2}),
    ],
)
def test_contrasts_are_sums_of_arms(contrast: str, weights: dict[str, float]) -> None:
    comparison = NODE["comparisons"][0] | {"contrast": contrast}

    assert claim(comparisons=[comparison]).comparisons[0].weights == weights


COMPARISON = NODE["comparisons"][0]

MISTAKES = [
    ({"sedes": 3}, "no key sedes.*did you mean seeds"),
    ({"seeds": 0}, "seeds must be at least 1"),
    ({"seeds": "ten"}, "seeds must be a whole number, got 'ten'"),
    ({"seeds": True}, "seeds must be a whole number"),
    ({"arms": {}}, "arms must be a name and overrides"),
    ({"arms": {"a-b": "x=1"}}, "named by letters"),
    ({"comparisons": []}, "at least one that decides"),
    ({"comparisons": [COMPARISON | {"role": "control"}]}, "at least one that decides"),
    ({"comparisons": [COMPARISON | {"contrast": "a - c"}]}, "no arm c"),
    ({"comparisons": [COMPARISON | {"contrast": "a b"}]}, "like iso_tanh - tanh"),
    ({"comparisons": [COMPARISON | {"contrast": "a - a"}]}, "like iso_tanh - tanh"),
    ({"comparisons": [COMPARISON | {"metric": "acuracy"}]}, "did you mean accuracy"),
    ({"comparisons": [COMPARISON | {"expects": "more"}]}, "one of greater, less"),
    ({"comparisons": [COMPARISON | {"margin": -1}]}, "at least 0"),
    ({"comparisons": [NODE["comparisons"][1] | {"margin": 0.5}]}, "at least 1, being of a ratio"),
    ({"comparisons": [COMPARISON | {"margin": 0}]}, "above 0 where arms are tuned"),
    ({"comparisons": [COMPARISON | {"expects": "equal", "margin": 0}]}, "equal to a margin of 0"),
    ({"metrics": {"accuracy": {"of": "summary"}}}, "column may not be left out"),
    ({"tuning": {"grid": {"optimizer.lr": 0.1}, "metric": "valid/loss", "seeds": 1}}, "a list"),
    ({"tuning": NODE["tuning"] | {"metric": "test/accuracy"}}, "on the validation split"),
    ({"curve": {"of": "metrics", "x": "step", "y": "lr", "arms": ["c"]}}, "of a, b"),
]


@pytest.mark.parametrize(("change", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_a_mistake_is_told_in_one_line_that_names_the_claim(
    change: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told) as error:
        claim(**change)

    assert "claim mine" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_scale_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UserError, match="no scale gpu; it has smoke, laptop"):
        claim("gpu")
