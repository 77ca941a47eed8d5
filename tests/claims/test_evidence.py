"""Evidence: metrics of tables and summaries, contrasts by seed, and what is missing of them."""

from pathlib import Path
from time import time
from typing import Any

import numpy as np
import pytest

from isoexp.claims import Claim
from isoexp.claims.chain import Line, add
from isoexp.claims.decision import decided
from isoexp.claims.evidence import (
    Evidence,
    earlier,
    find_evidence,
    register,
)
from isoexp.store.files import write_json
from isoexp.store.run import Run

from .test_claim import NODE


def claim(**changes: Any) -> Claim:
    return Claim.at("mine", NODE | {"seeds": 3, "tuning": None} | changes, "laptop")


def planned(study: Path, claim: Claim) -> Evidence:
    """Writes a plan down."""

    with add(study) as (there, append):
        line = Line(0, claim.name, claim.scale, claim.identity, registered=time()).follows(there)
        append(line)

    return register(study, claim, line, {"claim": claim.identity}, {})


def study(root: Path, a: list[float], b: list[float], losses: list[float]) -> Evidence:
    """A study whose runs have these numbers."""

    evidence = planned(root / "study", claim())
    arms: dict[str, dict] = {}
    for arm, accuracies in (("a", a), ("b", b)):
        arms[arm] = {"words": [], "runs": {}}
        for seed, accuracy in enumerate(accuracies):
            identity = f"{arm}{seed}".encode().hex().ljust(32, "0")
            run = Run(root / "study" / f"{arm}-{identity[:8]}")
            run.folder.mkdir()
            write_json(run.folder / "summary.json", {
                "test/accuracy": accuracy, "test/loss": losses[seed] * (2 if arm == "a" else 1),
            })  # fmt: skip
            run.write_state("completed", identity=identity)
            arms[arm]["runs"][str(seed)] = identity
    write_json(evidence.folder / "runs.json", {"tuned": {}, "arms": arms})

    return Evidence(evidence.folder)


def test_contrasts_are_taken_seed_by_seed_and_ratios_as_logarithms(tmp_path: Path) -> None:
    evidence = study(tmp_path, [0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.4])
    accuracy, error = evidence.claim.comparisons

    difference, scale, missing = evidence.contrast(accuracy)
    ratio = evidence.contrast(error)[0]

    np.testing.assert_allclose(difference, [0.4, 0.2, 0.0], atol=1e-15)
    np.testing.assert_allclose(ratio, [np.log(2)] * 3)
    assert scale == 0.9
    assert missing == []
    assert decided(evidence).answers[1].interval[0] == pytest.approx(2)


def test_what_it_is_compared_with_is_subtracted_or_divided_by(tmp_path: Path) -> None:
    asked = [
        {"contrast": "a", "metric": "accuracy", "against": 0.5, "expects": "less", "margin": 0.1},
        {"contrast": "a", "metric": "error", "against": 0.5, "expects": "less", "margin": 1.1},
    ]
    evidence = study(tmp_path, [0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.4])
    one, other = claim(comparisons=asked).comparisons

    np.testing.assert_allclose(evidence.contrast(one)[0], [0.4, 0.3, 0.2], atol=1e-15)
    np.testing.assert_allclose(evidence.contrast(other)[0], np.log([0.4, 0.8, 1.6]))


def test_of_a_claim_that_was_changed_the_last_registration_counts(tmp_path: Path) -> None:
    first = study(tmp_path, [0.9, 0.8, 0.7], [0.5, 0.6, 0.7], [0.1, 0.2, 0.4])
    second = planned(tmp_path / "study", claim(seeds=4))

    assert [each.folder for each in find_evidence(tmp_path)] == [second.folder]
    assert [each.folder for each in earlier(tmp_path, second)] == [first.folder]
    assert decided(second).missing
    assert decided(second).verdict.verdict == "inconclusive"
