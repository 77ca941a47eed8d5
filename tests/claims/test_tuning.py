"""Tuning: one grid for all, the best of what always trains, and a word where that is at an end."""

from isoexp.claims import Tuning
from isoexp.claims.tuning import choose, combinations

RATES = [0.001, 0.01, 0.1]


def tuning(metric: str = "valid/accuracy") -> Tuning:
    return Tuning({"optimizer.lr": RATES, "batch_size": [50, 100]}, metric, 2)


def test_all_combinations_of_what_an_arm_leaves_open_are_tried() -> None:
    assert len(combinations(tuning(), ["activation=tanh"])) == 6
    assert combinations(tuning(), ["optimizer.lr=0.08"]) == [
        {"batch_size": 50},
        {"batch_size": 100},
    ]
    assert combinations(tuning(), ["optimizer.lr=0.08", "batch_size=1"]) == [{}]


def tried(metric: str, *scores: list[float | None]) -> list:
    return [
        (
            {"optimizer.lr": rate, "batch_size": 50},
            [None if score is None else {metric: score} for score in each],
        )
        for rate, each in zip(RATES, scores, strict=True)
    ]


def test_the_best_mean_is_chosen_whichever_way_is_better() -> None:
    accuracy = choose(tuning(), tried("valid/accuracy", [0.5, 0.7], [0.9, 0.7], [0.8, 0.7]))
    loss = choose(tuning("valid/loss"), tried("valid/loss", [0.5, 0.7], [0.9, 0.7], [0.8, 0.7]))

    assert accuracy is not None
    assert accuracy.chosen["optimizer.lr"] == 0.01
    assert accuracy.edges == []
    assert loss is not None
    assert loss.chosen["optimizer.lr"] == 0.001
    assert loss.edges == ["optimizer.lr"]


def test_what_fails_now_and_then_is_not_chosen_and_not_hidden() -> None:
    found = choose(tuning(), tried("valid/accuracy", [0.5, 0.5], [0.6, 0.6], [0.9, None]))

    assert found is not None
    assert found.chosen["optimizer.lr"] == 0.01
    assert [(each.networks, each.failed) for each in found.tried] == [(2, 0), (2, 0), (2, 1)]


def test_nothing_is_chosen_where_everything_fails() -> None:
    assert choose(tuning(), tried("valid/accuracy", [None, 1.0], [None, None], [1.0, None])) is None
