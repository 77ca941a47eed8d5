"""Tests for isoexp.search.space."""

import pytest
from optuna.trial import FixedTrial

from isoexp.errors import UserError
from isoexp.search.space import Choice, Interval, parameters

SPACES = {
    "optimizer.lr=interval(0.1,0.5)": Interval("optimizer.lr", 0.1, 0.5),
    "optimizer.lr=tag(log,interval(1e-4,1e-1))": Interval("optimizer.lr", 1e-4, 1e-1, log=True),
    "model.code=int(interval(1,8))": Interval("model.code", 1, 8, step=1),
    "model.code=tag(int,interval(1,8))": Interval("model.code", 1, 8, step=1),
    "model.code=tag(int,log,interval(1,8))": Interval("model.code", 1, 8, log=True, step=1),
    "batch_size=range(20,101,20)": Interval("batch_size", 20, 100, step=20),
    "batch_size=range(100,0,-20)": Interval("batch_size", 20, 100, step=20),
    "batch_size=tag(log,range(1,9))": Interval("batch_size", 1, 8, log=True, step=1),
    "optimizer.lr=range(0.1,0.35,0.1)": Interval("optimizer.lr", 0.1, 0.3, step=0.1),
    "optimizer.lr=1e-3,1e-2,1e-2": Choice("optimizer.lr", ("0.001", "0.01")),
    "model.widths=choice([8],[16,16])": Choice("model.widths", ("[8]", "[16,16]")),
    "activation=tanh,iso_tanh": Choice("activation", ("tanh", "iso_tanh")),
    "activation=glob(iso_t*)": Choice("activation", ("iso_tanh",)),
    "+model.new=a,b": Choice("+model.new", ("a", "b")),
}


@pytest.mark.parametrize("override", SPACES)
def test_an_override_spans_a_parameter(override: str) -> None:
    assert parameters([override, "epochs=3"]) == ([SPACES[override]], ["epochs=3"])


@pytest.mark.parametrize("parameter", SPACES.values(), ids=str)
def test_ends_are_overrides_that_can_be_suggested(parameter: Choice | Interval) -> None:
    ends = parameter.values if isinstance(parameter, Choice) else (parameter.low, parameter.high)

    for end, override in zip(ends, parameter.ends, strict=True):
        assert parameter.suggest(FixedTrial({parameter.key: end})) == override


def test_six_digits_never_leave_the_interval() -> None:
    near_one = Interval("x", 0.12345649, 0.99999951)

    assert near_one.ends == ["x=0.12345649", "x=0.99999951"]
    assert near_one.override(0.5000004) == "x=0.5"


MISTAKES = {
    "epochs=3": "needs what to search",
    "optimizer.lr=interval(1,0.1)": "from a smaller to a larger",
    "optimizer.lr=tag(log,interval(0,1))": "is positive, got 0",
    "optimizer.lr=tag(lgo,interval(0.1,1))": "did you mean log?",
    "activation=tag(log,choice(tanh,relu))": "no tag log of such values",
    "activation=interval(0,1)": "list them, activation=a,b",
    "activation=glob(nothing*)": "no choice",
    "activation=tanh,iso_thna": "did you mean iso_tanh?",
    "batch_size=range(5,5)": "no values",
    "batch_size=tag(log,range(1,100,10))": "use interval",
    "seed=range(0,5)": "seeds=3 takes the mean",
    "device=cpu,cuda": "device does not change the numbers",
    "probe=spectrum,locking": "probe does not change the numbers",
    "search.trials=8,16": "has one value",
    "batch_size=10,20 batch_size=30,40": "searched once, got it 2 times",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_one_clear_line(line: str) -> None:
    with pytest.raises(UserError) as error:
        parameters(line.split())

    assert MISTAKES[line] in str(error.value)
