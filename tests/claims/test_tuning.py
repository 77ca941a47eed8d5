"""Tuning: one grid for all, the best of what always trains, and a word where that is at an end."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import qmc

from isoexp.claims import Tuning
from isoexp.claims.tuning import Edge, SearchSpace, Selection, choose
from isoexp.errors import UserError

RATES = [0.001, 0.01, 0.1]


def tuning(metric: str = "valid/accuracy", **fields: Any) -> Tuning:
    node = {"grid": {"optimizer.lr": RATES, "batch_size": [50, 100]}, "metric": metric, "seeds": 2}
    return Tuning.read({**node, **fields}, "mine", ["a", "b"])


def space(
    overrides: list[str] | None = None, *longer: Edge, arm: str = "a", **fields: Any
) -> SearchSpace:
    return SearchSpace.of(tuning(**fields), arm, overrides or [], longer)


LR = {"optimizer.lr": [1e-4, 1e-1]}
OF_SPACE: dict[str, Any] = {"grid": {}, "space": LR, "trials": 12}


def test_all_combinations_of_what_an_arm_leaves_open_are_tried() -> None:
    assert len(space(["activation=tanh"]).candidates) == 6
    assert space(["optimizer.lr=0.08"]).candidates == [{"batch_size": 50}, {"batch_size": 100}]
    assert space(["optimizer.lr=0.08", "batch_size=1"]).candidates == [{}]
    assert SearchSpace.of(None, "a", []).candidates == [{}]


def tried(metric: str, *scores: list[float | None]) -> list:
    return [
        (
            {"optimizer.lr": rate, "batch_size": 50},
            [None if score is None else {metric: score} for score in each],
        )
        for rate, each in zip(RATES, scores, strict=True)
    ]


def chosen(metric: str, *scores: list[float | None]) -> Selection | None:
    return choose(tuning(metric), space(metric=metric), tried(metric, *scores))


def test_the_best_mean_is_chosen_whichever_way_is_better() -> None:
    scores: list[list[float | None]] = [[0.5, 0.7], [0.9, 0.7], [0.8, 0.7]]
    accuracy, loss = chosen("valid/accuracy", *scores), chosen("valid/loss", *scores)

    assert accuracy is not None
    assert accuracy.chosen["optimizer.lr"] == 0.01
    assert accuracy.edges == ["batch_size"]
    assert loss is not None
    assert loss.chosen["optimizer.lr"] == 0.001
    assert loss.edges == ["optimizer.lr", "batch_size"]


def test_what_fails_now_and_then_is_not_chosen_and_not_hidden() -> None:
    found = chosen("valid/accuracy", [0.5, 0.5], [0.6, 0.6], [0.9, None])

    assert found is not None
    assert found.chosen["optimizer.lr"] == 0.01
    assert [(each.networks, each.failed) for each in found.tried] == [(2, 0), (2, 0), (2, 1)]


def test_nothing_is_chosen_where_everything_fails() -> None:
    assert chosen("valid/accuracy", [None, 1.0], [None, None], [1.0, None]) is None


# --- longer ---------------------------------------------------------------------------------

LOW, HIGH = Edge("optimizer.lr", "low"), Edge("optimizer.lr", "high")


def test_a_grid_grows_in_its_own_steps() -> None:
    def rates(*longer: Edge) -> list[float]:
        found = space([], *longer).candidates
        return list(dict.fromkeys(each["optimizer.lr"] for each in found))

    assert rates() == RATES
    assert rates(HIGH, HIGH) == [*RATES, 1.0, 10.0]
    assert rates(LOW) == [1e-4, *RATES]
    assert rates(LOW, HIGH) == [1e-4, *RATES, 1.0]
    steps: dict[str, Any] = {"grid": {"optimizer.lr": [-1.0, 0.0, 1.0]}}
    even = space([], HIGH, **steps)
    assert [each["optimizer.lr"] for each in even.candidates] == [-1, 0, 1, 2]


def test_the_ends_of_a_grid_are_its_first_and_its_last() -> None:
    grid = space()
    low, high = Edge("batch_size", "low"), Edge("batch_size", "high")

    assert grid.ends({"optimizer.lr": 0.1, "batch_size": 100}) == [HIGH, high]
    assert grid.ends({"optimizer.lr": 0.01, "batch_size": 50}) == [low]
    assert space([], HIGH).ends({"optimizer.lr": 0.1, "batch_size": 50}) == [low]
    assert space(["batch_size=1"]).ends({"optimizer.lr": 0.01}) == []


def test_what_is_no_number_and_what_is_one_value_alone_has_no_end() -> None:
    words: dict[str, Any] = {"grid": {"optimizer": ["sgd", "adam"], "optimizer.lr": [0.1]}}

    assert space(**words).ends({"optimizer": "adam", "optimizer.lr": 0.1}) == []


def test_a_space_is_filled_evenly_and_each_arm_has_as_many_trials() -> None:
    """One point in each twelfth of the range, in its logarithm, but for the sequence's gaps."""

    own: dict[str, Any] = {"arms": {"b": {"activation.R0": [0.1, 10]}}}
    one, two = (space(arm=arm, **OF_SPACE, **own).candidates for arm in "ab")
    places = np.log10([each["optimizer.lr"] for each in one])

    assert len(one) == len(two) == 12
    assert [each["optimizer.lr"] for each in one] == [each["optimizer.lr"] for each in two]
    assert "activation.R0" not in one[0]
    assert -4 <= places.min() < places.max() <= -1
    assert np.diff(np.sort(places)).max() < 2 * 3 / 12
    radii = np.log10([each["activation.R0"] for each in two])
    assert abs(np.corrcoef(places, radii)[0, 1]) < 0.3
    assert np.diff(np.sort(radii)).max() < 2 * 2 / 12
    linear = space(**{**OF_SPACE, "space": {"optimizer.momentum": [0, 1]}}).candidates
    assert linear[0] == {"optimizer.momentum": 0.5}


def test_points_are_those_of_scipy() -> None:
    both = {**OF_SPACE, "space": {"a": [0, 1], "b": [0, 1], "c": [0, 1]}}
    found = [list(each.values()) for each in space(**both).candidates]
    known = qmc.Halton(3, scramble=False).random(13)[1:]  # the first is 0

    np.testing.assert_allclose(found, known, rtol=1e-2)


def test_a_space_grows_by_a_third_with_a_third_of_the_trials_in_every_arm() -> None:
    own: dict[str, Any] = {"arms": {"b": {"activation.R0": [0.1, 10]}}}
    radius = Edge("activation.R0", "high")
    one = space([], HIGH, radius, arm="a", **OF_SPACE, **own)
    two = space([], HIGH, radius, arm="b", **OF_SPACE, **own)

    assert len(one.candidates) == len(two.candidates) == 12 + 4 + 4
    assert one.candidates[:12] == space(**OF_SPACE).candidates
    strip = [each["optimizer.lr"] for each in one.candidates[12:16]]
    assert all(0.1 <= rate <= 1 for rate in strip)
    assert [each["optimizer.lr"] for each in two.candidates[12:16]] == strip
    assert all(each["activation.R0"] >= 10 for each in two.candidates[16:])
    assert min(each["optimizer.lr"] for each in one.candidates[16:]) < 0.1


def test_the_ends_of_a_space_are_a_twentieth_of_it_and_what_is_outermost() -> None:
    """Of twelve points in the range the outermost is at 7/8 of it, and the innermost at 1/16."""

    found = space(**OF_SPACE)
    rates = sorted(each["optimizer.lr"] for each in found.candidates)

    assert found.ends({"optimizer.lr": 0.09}) == [HIGH]
    assert found.ends({"optimizer.lr": rates[-1]}) == [HIGH]
    assert found.ends({"optimizer.lr": rates[-2]}) == []
    assert found.ends({"optimizer.lr": 1.1e-4}) == [LOW]
    assert found.ends({"optimizer.lr": rates[0]}) == [LOW]
    assert space([], HIGH, **OF_SPACE).ends({"optimizer.lr": 0.09}) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"space": LR, "trials": 4}, "must be a grid or a space, got 'both'"),
        ({"grid": {}, "space": LR}, "tuning.trials must be at least 2, of a space, got 0"),
        ({"trials": 4}, "tuning.trials must be left out without a space"),
        ({**OF_SPACE, "space": {"optimizer.lr": [1, 1]}}, "must be a range"),
        ({**OF_SPACE, "space": {"optimizer.lr": [1, 2, 3]}}, "must be a range"),
        ({"arms": {"c": {"optimizer.lr": [1]}}}, "there is no arm c"),
        ({"arms": {"a": 5}}, "tuning.arms.a must be settings of its own"),
        ({"metric": "test/accuracy"}, "on the validation split"),
    ],
)
def test_what_cannot_be_tuned_is_refused(fields: dict, told: str) -> None:
    with pytest.raises(UserError, match=told):
        tuning(**fields)
