"""The methods of claims in prose: all that plan and runs say, and nothing else."""

import re
from pathlib import Path

import pytest

from isoexp.errors import UserError
from isoexp.report.document import Paragraph
from isoexp.report.methods import methods
from isoexp.store.files import write_json
from isoexp.store.run import Run

from .studies import BEGAN, claimed, failed, finished, two_arms

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)

CONFIG = """\
epochs: 5
batch_size: 50
precision: float32
model: {{_target_: isoexp.models.MLP, widths: [32, 16], bias: true}}
activation: {{_target_: isoexp.activations.X}}
data: {{_target_: isoexp.data.Digits, split: {split}, train: 500}}
optimizer: {{_target_: torch.optim.Adam, lr: {lr}, eps: 1e-8}}
"""


def configured(runs: dict[str, list[Run]], split: str = "fixed") -> dict[str, list[Run]]:
    for arm, own in runs.items():
        for run in own:
            text = CONFIG.format(split=split, lr={"a": 0.1, "b": 0.01}[arm])
            (run.folder / "config.yaml").write_text(text)

    return runs


def prose(study: Path) -> str:
    """Returns the paragraphs of the only claim, in one line."""

    (section,) = methods([study]).sections
    assert all(isinstance(block, Paragraph) for block in section.blocks)

    return " ".join(getattr(block, "text", "") for block in section.blocks)


def test_a_plan_and_its_runs_become_prose(study: Path) -> None:
    runs = configured(two_arms(study, A, BETTER))
    claimed(
        study,
        runs,
        comparisons=[
            {"contrast": "b - a", "metric": "accuracy", "expects": "greater", "margin": 0.01},
            {"contrast": "b", "metric": "accuracy", "expects": "greater", "margin": 0.1,
             "against": 0.5, "role": "control"},
        ],
    )  # fmt: skip
    text = prose(study)

    for told in (
        "We tested this claim of section 5.1 of the paper: Networks of B are more accurate.",
        "written down on 2027-01-15 07:00 UTC, as entry 1 of the register of plans, before the "
        "first of its networks was trained.",
        "We compared 2 arms: a (activation = tanh, optimizer.lr = 0.1) and b (activation = "
        "iso_tanh, optimizer.lr = 0.01).",
        "Networks were made, and trained, with the model mlp (widths = [32, 16], bias = True), the "
        "activation functions tanh and iso_tanh and the optimizer adam (eps = 1e-08).",
        "They learnt the data set digits (train = 500). All seeds shared one split",
        "Unless told otherwise, training took 5 epochs in batches of 50, in float32; networks had "
        "3,466 parameters.",
        "No setting was tuned.",
        "Each arm was trained with 4 seeds, 0 to 3, the same in all arms: 8 networks for the "
        "comparison.",
        "Of each network we measured accuracy (test/accuracy).",
        "b - a in accuracy, expected to be above 0 by at least 0.01; as a control, b against 0.5 "
        "in accuracy, expected to be above 0 by at least 0.1.",
        "Intervals are Student's t at the level of 95 %, over seeds.",
        "Nothing is concluded unless each control is supported.",
        "There were no deviations from the plan",
        "Runs were made with python 3.11.7, torch 2.9.0, by code cccccccccccc, on Linux",
    ):
        assert told in text
    assert not re.search(r"\bNone\b|nan|\{|\bprobe\b|\boverride|\.\.(?!\.)|[?;,]\.| ,|  ", text)


def test_tuning_is_told_with_what_grew_and_what_was_chosen(study: Path) -> None:
    def tried(*scores: float) -> list[dict]:
        rates = (0.01, 0.1, 1.0)
        return [
            {"values": {"optimizer.lr": r}, "score": s, "networks": 2, "failed": int(r == 1)}
            for r, s in zip(rates, scores, strict=True)
        ]

    tuning = finished(study, 50, 1_000_000, {"test/accuracy": 0.1})
    chosen = {"optimizer.lr": 0.1}, {"optimizer.lr": 0.01}
    evidence = claimed(
        study,
        configured(two_arms(study, A, BETTER)),
        tuned={
            "a": {"chosen": chosen[0], "edges": [], "tried": tried(0.5, 0.6, 0.1)},
            "b": {"chosen": chosen[1], "edges": ["optimizer.lr"], "tried": tried(0.7, 0.6, 0.1)},
        },
        tuning_runs={"a": [tuning]},
        tuning={"grid": {"optimizer.lr": [0.1, 1.0]}, "metric": "valid/accuracy", "seeds": 1},
    )
    path = evidence.folder / "runs.json"
    write_json(path, {**evidence.found, "longer": [["optimizer.lr", "low"]]})
    text = prose(study)

    for told in (
        "by the mean valid/accuracy of 1 network a trial, at all combinations of the grid "
        "optimizer.lr = 0.1, 1.0. Each of them had 3 trials.",
        "Since the best optimizer.lr was at the low end, the grid was made longer there once, for "
        "all arms alike.",
        "The best optimizer.lr of b was still at the end of what was tried.",
        "Chosen were optimizer.lr = 0.1 in a; optimizer.lr = 0.01 in b.",
        "Of these trials, 2 networks failed.",
        "had seeds from 1000000 on, and were not used again.",
        "8 networks for the comparison, and 1 for the tuning.",
        "a (activation = tanh) and b (activation = iso_tanh).",
    ):
        assert told in text


def test_a_space_is_told_with_what_only_some_arms_have(study: Path) -> None:
    tuning = {
        "space": {"optimizer.lr": [0.001, 0.1]},
        "arms": {"b": {"activation.R0": [-1, 1]}},
        "trials": 8, "metric": "valid/accuracy", "seeds": 2,
    }  # fmt: skip
    tried = [{"values": {"optimizer.lr": 0.1}, "score": 0.5, "networks": 2, "failed": 0}]
    tuned = {"b": {"chosen": {"optimizer.lr": 0.1}, "edges": [], "tried": tried}}
    claimed(study, configured(two_arms(study, A, BETTER)), tuning=tuning, tuned=tuned)
    text = prose(study)

    assert "Settings of b were tuned on the validation split" in text
    assert (
        "of 2 networks a trial, at quasi-random points of the space optimizer.lr from 0.001 to "
        "0.1, even in its logarithm and activation.R0 from -1 to 1 in b alone. Each of them had 1 "
        "trial."
    ) in text
    assert "a (activation = tanh, optimizer.lr = 0.1)" in text  # of its own, and not tuned


def test_deviations_are_told_with_their_reasons(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER), registered=BEGAN - 9000)
    runs = two_arms(study, A, BETTER[:3], first=20)
    runs["b"].append(failed(study, 99, 3, "diverged", activation="iso_tanh"))
    for own in runs.values():  # seeds of the amendment
        for k, run in enumerate(own):
            write_json(run.folder / "state.json", {**run.state, "columns": {"seed": k}})
    told = {"why": "the margin was too wide.", "runs": 1}
    claimed(study, runs, kind="amendment", told=told)
    text = prose(study)

    for told in (
        "changed, and done with new seeds, after 1 run of it had ended, for this reason: the "
        "margin was too wide.",
        "By another plan, of 2027-01-15 05:30 UTC, the verdict was: supported",
        "Numbers are missing, of b, seed ",
        "(failed: diverged): comparisons with them are inconclusive.",
        "Of 8 networks, 1 failed.",
    ):
        assert told in text
    assert "no deviations" not in text
    assert ".." not in text


def test_what_each_seed_deals_is_told(study: Path) -> None:
    runs = configured(two_arms(study, A, BETTER), split="seed")
    for run in (run for own in runs.values() for run in own):
        write_json(run.folder / "provenance.json", {**run.provenance, "resampled": 0.25})
    claimed(study, runs)
    text = prose(study)

    assert "anew from one pool, alike for all arms, with 0.25 test samples for each" in text
    assert "over seeds, resampled splits (Nadeau–Bengio)" in text


def test_a_plan_without_runs_has_methods_and_a_folder_without_plans_has_none(study: Path) -> None:
    finished(study, 1, 0, {"test/accuracy": 0.5})
    with pytest.raises(UserError, match="methods need claims, got none below"):
        methods([study])

    claimed(study, {"a": [], "b": []})
    text = prose(study)
    assert "no network has been trained yet" in text
    assert "The arms that were planned are a (activation=tanh) and b (activation=iso_tanh)." in text
