"""Tests for isoexp.experiment.sweeping: how values are combined into jobs."""

import pytest

from isoexp.config.compose import compose, expand
from isoexp.errors import UserError


def told(*words: str) -> list[str]:
    """The words of each job, those of the sweep itself aside."""

    return [
        " ".join(word for word in job.overrides if not word.startswith("sweep."))
        for job in expand(words)
    ]


def test_the_last_key_varies_fastest() -> None:
    assert told("seed=0,1", "steps=3", "epochs=range(1,3)") == [
        "seed=0 steps=3 epochs=1",
        "seed=0 steps=3 epochs=2",
        "seed=1 steps=3 epochs=1",
        "seed=1 steps=3 epochs=2",
    ]


def test_a_glob_matches_choices() -> None:
    assert told("activation=glob(iso_soft*)", "steps=3") == [
        f"activation={name} steps=3"
        for name in ("iso_soft_leaky_relu", "iso_soft_relu", "iso_softplus")
    ]


def test_zipped_keys_walk_together() -> None:
    words = ("optimizer.lr=1,2", "seed=0,1", "batch_size=5,50")

    assert told(*words, "sweep.zip=[optimizer.lr,batch_size]") == [
        "optimizer.lr=1 seed=0 batch_size=5",
        "optimizer.lr=1 seed=1 batch_size=5",
        "optimizer.lr=2 seed=0 batch_size=50",
        "optimizer.lr=2 seed=1 batch_size=50",
    ]
    two = "sweep.zip=[[optimizer.lr,batch_size],[activation,seed]]"
    assert told(*words, "activation=elu,tanh", two) == [
        "optimizer.lr=1 seed=0 batch_size=5 activation=elu",
        "optimizer.lr=1 seed=1 batch_size=5 activation=tanh",
        "optimizer.lr=2 seed=0 batch_size=50 activation=elu",
        "optimizer.lr=2 seed=1 batch_size=50 activation=tanh",
    ]


def test_a_union_is_one_sweep_behind_the_other() -> None:
    union = 'sweep.union=["activation=relu seed=0,1","activation=tanh steps=4"]'

    assert told("steps=3", "seed=7", union) == [
        "steps=3 activation=relu seed=0",
        "steps=3 activation=relu seed=1",
        "seed=7 activation=tanh steps=4",
    ]


def test_a_walk_is_for_those_sweeps_of_a_union_that_have_its_keys() -> None:
    union = 'sweep.union=["seed=0,1 batch_size=5,6","seed=3"]'

    assert told(union, "sweep.zip=[seed,batch_size]") == [
        "seed=0 batch_size=5",
        "seed=1 batch_size=6",
        "seed=3",
    ]


def test_what_is_excluded_is_left_out_whoever_set_it() -> None:
    words = ("activation=tanh,elu", "optimizer.lr=0.01,0.1", "seed=0,1")

    assert told(*words, 'sweep.exclude=["activation=tanh optimizer.lr=1e-2","seed=1"]') == [
        "activation=tanh optimizer.lr=0.1 seed=0",
        "activation=elu optimizer.lr=0.01 seed=0",
        "activation=elu optimizer.lr=0.1 seed=0",
    ]
    assert told(*words, 'sweep.exclude=["seed=0,1 activation=elu"]') == [
        f"activation=tanh optimizer.lr={lr} seed={seed}" for lr in (0.01, 0.1) for seed in (0, 1)
    ]
    usual = compose([]).config["optimizer"]["lr"]
    assert told("optimizer=adam,sgd", f'sweep.exclude=["optimizer.lr={usual}"]') == [
        "optimizer=sgd"
    ]


MISTAKES = {
    ("seed=0,1", "sweep.zip=[seed,batch_size]"): "batch_size has no values to walk through",
    ("seed=0,1", "steps=1,2,3", "sweep.zip=[seed,steps]"): "got 2 of seed, 3 of steps",
    ("seed=0,1", "steps=1,2", "sweep.zip=[[seed,steps],[steps]]"): "steps can walk once",
    ("seed=0,1", "sweep.zip=seed"): "sweep.zip must be a list",
    ('sweep.union=["seed=0,1 steps=5,6","seed=3,4"]', "sweep.zip=[seed,steps]"): "1 of steps",
    ('sweep.union=["activation=tnah"]',): "did you mean tanh?",
    ('sweep.union=["sweep.batch=3"]',): "sweep is of the whole",
    ("sweep.union=['']",): "must have overrides",
    ("sweep.union=['seed=\"1']",): "cannot read seed=",
    ("seed=0,1", 'sweep.exclude=["seed=2"]'): "no job has seed=2",
    ("seed=0,1", 'sweep.exclude=["seeed=1"]'): "no job has seeed=1",
    ("seed=0,1", 'sweep.exclude=["seed=true"]'): "no job has seed=true",
    ("seed=0,1", 'sweep.exclude=["seed=0,1"]'): "leaves none of 2",
    ("seed=0,1", 'sweep.exclude=["+seed=1"]'): "takes overrides like",
    ("seed=0,1", "sweep.batch=1,2"): "it has one value",
    ("seed=0,1", "sweep.wrokers=2"): "did you mean workers?",
    ("seed=0,1", "sweep.workers=0"): "at least 1, got 0",
    ("seed=0,1", "sweep.workers=two"): "a whole number or null, got 'two'",
    ("seed=0,1", "sweep.retries=-1"): "at least 0",
    ("seed=0,1", "sweep.timeout=0"): "must be positive",
    ("seed=0,1", "sweep.fail_fast=3"): "true or false",
    ("seed=0,1", "sweep=3"): "sweep has settings of its own",
    ("seed=0,1", "~sweep.retries"): "sweep.retries may not be left out",
    ("seed=range(0,0)",): "no jobs",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_mistakes_are_named(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as error:
        expand(words)

    assert MISTAKES[words] in str(error.value)
    assert "\n" not in str(error.value)


def test_a_single_run_has_no_sweep() -> None:
    with pytest.raises(UserError, match=r"sweep\.workers is for sweeps: isoexp train -m"):
        compose(["sweep.workers=2"])
