"""isoexp reproduce: a claim is registered, tuned, run and decided; nothing of it is done twice."""

import json
import shutil
from pathlib import Path

import pytest
from scipy import stats

from isoexp.claims.chain import BLOCK, CHAIN, lines
from isoexp.claims.decision import decided
from isoexp.claims.evidence import Evidence
from isoexp.claims.study import ClaimStudy, read_claim
from isoexp.cli import main
from isoexp.data.images import StandardImages
from isoexp.errors import NotHere
from isoexp.store.files import read_json, write_json
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from ..commands import Command

CLAIM = """\
# is a network that was trained better than one that was not?
title: Training helps
claim: A network that was trained is more accurate than one that made a single update.
section: none
expected: supported
common: [model=mlp, "model.widths=[8]", probe=none, schedule=constant]
arms:
  trained: steps=60 epochs=null
  longer: steps=61 epochs=null
  untrained: [steps=1, epochs=null]
tuning: {grid: {optimizer.lr: [1e-5, 3e-2, 3.0]}, metric: valid/accuracy, seeds: 2}
seeds: 7
metrics:
  accuracy: test/accuracy
comparisons:
  - {contrast: trained - untrained, metric: accuracy, expects: greater, margin: 0.05}
  - {contrast: longer - trained, metric: accuracy, expects: equal, margin: 0.2}
  - {contrast: trained - untrained, metric: accuracy, expects: less, margin: 0.05, role: beside}
  - {contrast: longer - untrained, metric: accuracy, expects: greater, margin: 0.05, role: control}
cost: 0.1
scales: {smoke: {seeds: 2}, laptop: {}}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of a claim of one's own, done once."""

    folder = tmp_path_factory.mktemp("study")
    (folder / "mine" / "claim").mkdir(parents=True)
    (folder / "mine" / "claim" / "training.yaml").write_text(CLAIM)
    assert main(command(folder)) == 0

    return folder


def command(folder: Path) -> list[str]:
    options = [f"--config-dir={folder}/mine", f"out={folder}/runs", "name=mine"]
    return ["reproduce", "training", *options]


def registered(folder: Path) -> Path:
    (found,) = (folder / "runs" / "mine" / "claims").glob("training-*")
    return found


def states(folder: Path) -> dict[str, float]:
    return {run.folder.name: run.state["ended"] for run in runs_below(folder / "runs")}


def test_the_verdict_is_that_of_an_independent_computation(study: Path) -> None:
    verdict = read_json(registered(study) / "verdict.json")
    arms = read_json(registered(study) / "runs.json")["arms"]
    found = {run.state["identity"]: run.summary for run in runs_below(study / "runs")}
    a, b, c = (
        [found[identity]["test/accuracy"] for identity in arms[arm]["runs"].values()]
        for arm in ("trained", "untrained", "longer")
    )

    assert verdict["verdict"] == "supported"
    assert [each["verdict"] for each in verdict["comparisons"]] == [
        *("supported", "supported"), "contradicted", "supported",
    ]  # fmt: skip
    first = verdict["comparisons"][0]
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert first["n"] == 7
    assert first["estimate"] == pytest.approx(sum(a) / 7 - sum(b) / 7, abs=1e-12)
    assert (first["low"], first["high"]) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert c != a, "the arms are networks of their own"


def test_the_claim_was_written_down_before_any_run(study: Path) -> None:
    claim = read_json(registered(study) / "claim.json")
    first = min(run.state["started"] for run in runs_below(study / "runs"))

    assert claim["registered"] < first
    assert claim["claim"]["seeds"] == 7
    assert claim["versions"]["torch"]


def test_arms_are_tuned_on_seeds_that_are_not_compared(study: Path) -> None:
    found = read_json(registered(study) / "runs.json")
    compared = {i for arm in found["arms"].values() for i in arm["runs"].values()}
    others = [r for r in runs_below(study / "runs") if r.state["identity"] not in compared]

    assert len(compared) == 21
    assert len(others) == 3 * 3 * 2
    assert {r.state["columns"]["seed"] for r in others} == {1_000_000, 1_000_001}
    assert found["tuned"]["trained"]["chosen"]["optimizer.lr"] == 0.03
    assert any(w.startswith("optimizer.lr=") for w in found["arms"]["trained"]["words"])
    assert len(found["tuned"]["trained"]["tried"]) == 3


def test_done_again_it_changes_nothing(study: Path, isoexp: Command) -> None:
    before, verdict = states(study), (registered(study) / "verdict.json").read_bytes()
    claim = (registered(study) / "claim.json").read_bytes()

    done = isoexp(*command(study))

    assert done.code == 0, done.err
    assert "training: supported" in done.out
    assert states(study) == before
    assert (registered(study) / "verdict.json").read_bytes() == verdict
    assert (registered(study) / "claim.json").read_bytes() == claim


def test_a_run_that_is_gone_is_the_only_one_trained_again(study: Path, isoexp: Command) -> None:
    before = states(study)
    identity = read_json(registered(study) / "runs.json")["arms"]["longer"]["runs"]["2"]
    gone = next(r for r in runs_below(study / "runs") if r.state["identity"] == identity)
    summary = gone.summary
    shutil.rmtree(gone.folder)

    assert isoexp(*command(study)).code == 0

    after = states(study)
    assert {name for name in after if after[name] != before.get(name)} == {gone.folder.name}
    assert Run(gone.folder).summary["test/loss"] == pytest.approx(summary["test/loss"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.xdist_group("study")
def test_a_tuning_run_that_diverged_is_not_done_again_and_one_that_is_gone_is(
    study: Path, tmp_path: Path, isoexp: Command
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    tuning = read_json(registered(copy) / "runs.json")["trials"]["trained"]
    each = {run.state["identity"]: run for run in runs_below(copy / "runs")}
    diverged, gone = each[tuning[0]], each[tuning[1]]
    diverged.write_state("failed", reason="diverged: the loss is nan")
    shutil.rmtree(gone.folder)
    before = states(copy)

    done = isoexp(*command(copy))

    assert done.code == 0, done.err
    after = states(copy)
    assert {name for name in after if after[name] != before.get(name)} == {gone.folder.name}
    tried = read_json(registered(copy) / "runs.json")["tuned"]["trained"]["tried"]
    assert [each["failed"] for each in tried] == [1, 0, 0]


@pytest.mark.slow(20)
def test_a_grid_grows_where_the_best_is_at_its_end(tmp_path: Path, isoexp: Command) -> None:
    """At first all rates are far too low: three times a higher one is tried, and it is too low."""

    (tmp_path / "mine" / "claim").mkdir(parents=True)
    path = tmp_path / "mine" / "claim" / "training.yaml"
    low = CLAIM.replace("[1e-5, 3e-2, 3.0]", "[1e-4, 2e-4, 4e-4]").replace("seeds: 2}", "seeds: 1}")
    path.write_text(low.replace("steps=60", "steps=30").replace("steps=61", "steps=31"))

    done = isoexp(*command(tmp_path))

    assert done.code == 0, done.err
    assert done.out.count("tuning longer") == 3
    found = read_json(registered(tmp_path) / "runs.json")
    rates = [e["values"]["optimizer.lr"] for e in found["tuned"]["trained"]["tried"]]
    assert rates[-1] == 3.2e-3
    assert len({len(each["tried"]) for each in found["tuned"].values()}) == 1, "as many for all"
    decision = decided(Evidence(registered(tmp_path)))
    assert decision.verdict.verdict == "inconclusive"
    assert "is at the end of what was tried" in done.out
    assert isoexp(*command(tmp_path)).out.count("tuning") == 0, "nothing is done again"


def test_a_failed_run_is_told_and_leaves_the_claim_open(study: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    identity = read_json(registered(copy) / "runs.json")["arms"]["untrained"]["runs"]["1"]
    run = next(r for r in runs_below(copy / "runs") if r.state["identity"] == identity)
    run.write_state("failed", reason="diverged: the loss is nan")

    decision = decided(Evidence(registered(copy)))

    assert decision.verdict.verdict == "inconclusive"
    assert decision.missing
    assert [(m.arm, m.seed, m.reason) for m in decision.missing] == [
        ("untrained", 1, "failed: diverged: the loss is nan")
    ]
    assert decision.answers[1].answer.verdict == "supported", "it does not rest on that arm"


@pytest.mark.slow(14)
@pytest.mark.xdist_group("study")
def test_a_claim_that_is_changed_after_its_runs_takes_a_reason_and_new_seeds(
    study: Path, tmp_path: Path, isoexp: Command
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    path = copy / "mine" / "claim" / "training.yaml"
    path.write_text(path.read_text().replace("margin: 0.05}", "margin: 0.9}", 1))

    refused = isoexp(*command(copy))
    assert refused.code == 2
    assert refused.err.startswith("isoexp: claim training was changed (claim) after 39 of its runs")
    assert "--amend 'REASON'" in refused.err
    assert states(copy) == states(study)

    done = isoexp(*command(copy), "--amend", "a twentieth is too little")

    assert done.code == 0, done.err
    assert "training: no effect larger than the margin (amended after 39 runs)" in done.out
    plan, amended = lines(copy / "runs" / "mine")
    assert (plan.kind, amended.kind, amended.runs) == ("plan", "amendment", 39)
    assert amended.why == "a twentieth is too little"
    new = {r.state["columns"]["seed"] for r in runs_below(copy / "runs")} - {
        *range(7), BLOCK, BLOCK + 1,
    }  # fmt: skip
    first, tuning = amended.seed, amended.tuning_seed
    assert new == {*range(first, first + 7), tuning, tuning + 1}
    assert first >= 2 * BLOCK
    assert tuning == first + BLOCK

    again = isoexp(*command(copy))
    assert (again.code, len(lines(copy / "runs" / "mine"))) == (0, 2)
    page = isoexp("report", str(copy / "runs"))
    assert page.code == 0, page.err
    told = (copy / "runs" / "report" / "report.md").read_text()
    assert "Of 1 claim, 1 was changed after runs of it, and done again with new seeds." in told
    assert "a twentieth is too little" in told
    assert "another plan: supported" in told
    chain = copy / "runs" / "mine" / CHAIN
    assert (copy / "runs" / "report" / "chain.jsonl").read_bytes() == chain.read_bytes()


@pytest.mark.slow(12)
@pytest.mark.xdist_group("study")
def test_a_confirmation_is_the_plan_with_seeds_of_its_own(
    study: Path, tmp_path: Path, isoexp: Command
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    known = {r.state["columns"]["seed"] for r in runs_below(copy / "runs")}

    done = isoexp(*command(copy), "--confirm")

    assert done.code == 0, done.err
    assert "training: supported (confirmation, as planned)" in done.out
    assert " more accuracy than untrained, margin 0.05; " in done.out
    plan, confirmation = lines(copy / "runs" / "mine")
    assert confirmation.kind == "confirmation"
    assert confirmation.plan == plan.plan
    new = [r for r in runs_below(copy / "runs") if r.state["columns"]["seed"] not in known]
    assert len(new) >= 39  # more where a grid grows
    assert {r.provenance["plan"]["hash"] for r in new} == {confirmation.hash}
    assert isoexp(*command(copy), "--confirm").code == 0
    assert len(lines(copy / "runs" / "mine")) == 2
    assert isoexp("report", str(copy / "runs")).code == 0
    told = (copy / "runs" / "report" / "report.md").read_text()
    assert "| **supported** | as planned | supported |" in told
    assert f"with seeds from {confirmation.seed} on" in told


@pytest.mark.slow(20)
@pytest.mark.xdist_group("study")
def test_a_claim_is_asked_in_cells_and_on_other_data(
    study: Path, tmp_path: Path, isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cell that is the claim is not done again; data that are not there are told."""

    def download(self, folder: Path) -> None:
        raise NotHere("CIFAR10 is not on this machine")

    monkeypatch.setattr(StandardImages, "download", download)
    monkeypatch.setenv("ISOEXP_DATA", str(tmp_path))
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    axes = ["--across", "data=digits,shapes,cifar10", "model.widths=[8]"]
    spelled = ["--across", "model.widths=[ 8 ]", "data='shapes',shapes"]

    planned = isoexp(*command(copy), *axes, "--dry-run")
    done = isoexp(*command(copy), *axes)
    again = isoexp(*command(copy), *spelled)

    assert (planned.code, done.code, again.code) == (0, 0, 0), done.err + again.err
    assert "1 claim in 2 cells" in again.out
    assert "data=digits model.widths=[8] is the claim as it is" in done.out
    assert f"over 2 cells{again.out.partition('over 2 cells')[2]}" in done.out
    assert "1 claim in 2 cells" in done.out
    assert "not run: data=cifar10 model.widths=[8]: " in done.err
    assert "CIFAR10 is not on this machine" in done.err
    assert "over 2 cells, spread between them" in done.out
    plan, cell = lines(copy / "runs" / "mine")
    assert (plan.cell, cell.cell) == ("", "data=shapes model.widths=[8]")
    assert cell.seed == plan.seed
    new = [r for r in runs_below(copy / "runs") if r.provenance["plan"]["hash"] == cell.hash]
    assert len(new) >= 39  # more where a grid grows
    assert {r.state["columns"]["data"] for r in new} == {"shapes"}
    assert isoexp("report", str(copy / "runs")).code == 0
    told = (copy / "runs" / "report" / "report.md").read_text()
    assert "Where it holds. " in told
    assert "Not run. data=cifar10" in told

    other = isoexp(*command(copy), "--confirm", "data=shapes")
    assert other.code == 0, other.err
    assert "training, data=shapes model.widths=[8]: " in other.out, "the cell as it was spelled"
    assert [each.kind for each in lines(copy / "runs" / "mine")][2:] == ["confirmation"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--across"], "--across takes the values of settings"),
        (["--across", "optimizer.lr=1,2"], "optimizer.lr is tuned: leave it out of a cell"),
        (["--across", "data=digits", "--confirm"], "without --confirm and --amend"),
        (["--confirm", "data=digits,shapes"], "--confirm repeats a study once, got 2 cells"),
        (["--confirm", "--amend", "why"], "--amend changes it: give one"),
        (["data=shapes"], "--across asks it under other settings"),
        (["--across", "data=nowhere"], "data=nowhere"),
    ],
)
def test_a_cell_that_cannot_be_is_refused(
    study: Path, isoexp: Command, words: list[str], told: str
) -> None:
    before = sorted(study.rglob("*"))
    done = isoexp(*command(study), *words)

    assert done.code == 2
    assert told in done.err
    assert sorted(study.rglob("*")) == before


def test_a_plan_that_is_changed_after_its_tuning_was_seen_takes_a_reason(
    study: Path, tmp_path: Path, isoexp: Command
) -> None:
    """Killed before runs.json was written, or with it gone: the runs carry their plan."""

    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    (registered(copy) / "runs.json").unlink()
    path = copy / "mine" / "claim" / "training.yaml"
    path.write_text(path.read_text().replace("margin: 0.05}", "margin: 0.9}", 1))

    done = isoexp(*command(copy))

    assert done.code == 2
    assert "was changed (claim) after 39 of its runs had ended" in done.err


def test_two_processes_that_plan_at_once_write_one_line(tmp_path: Path) -> None:
    """Both had looked before either wrote: the second finds the first's."""

    (tmp_path / "mine" / "claim").mkdir(parents=True)
    (tmp_path / "mine" / "claim" / "training.yaml").write_text(CLAIM)
    folders = [tmp_path / "mine"]
    claim = read_claim("training", "laptop", folders)
    both = [ClaimStudy.of(claim, [f"out={tmp_path}/runs", "name=mine"], folders) for _ in "ab"]
    one, other = (study.registered() for study in both)

    assert one.line == other.line
    assert lines(tmp_path / "runs" / "mine") == [one.line]
    assert len(list((tmp_path / "runs" / "mine" / "claims").glob("training-*"))) == 1


def test_what_was_not_planned_so_cannot_be_confirmed(isoexp: Command, folder: Path) -> None:
    done = isoexp("reproduce", "static_refraction", "--smoke", "--confirm")

    assert done.code == 2
    assert "a confirmation repeats a plan that was decided as it is now" in done.err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda path: path.write_text(""), "its line, 1, is not in claims/chain.jsonl"),
        (
            lambda path: path.write_text(path.read_text().replace('"runs": 0', '"runs": 1')),
            "line 1 was changed after it was written",
        ),
        (lambda path: path.write_text("garbage\n"), "1 of its lines cannot be read"),
        (lambda path: path.unlink(), "39 of its 39 runs carry the line of a plan that is not"),
    ],
)
def test_a_chain_that_was_tampered_with_is_noticed(
    study: Path, tmp_path: Path, change, told: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    change(copy / "runs" / "mine" / CHAIN)
    evidence = Evidence(registered(copy))

    assert any(told in fault for fault in evidence.faults), evidence.faults
    assert evidence.standing == "not as planned"
    assert Evidence(registered(study)).faults == []


def test_runs_that_were_made_otherwise_are_noticed(study: Path, tmp_path: Path) -> None:
    """A claim.json that was edited; a run that no plan made; two folders that were swapped."""

    copy = tmp_path / "copy"
    shutil.copytree(study, copy)
    path = registered(copy) / "claim.json"
    runs = read_json(path.with_name("runs.json"))
    write_json(path.with_name("runs.json"), {**runs, "line": 32 * "0"})
    assert "its runs.json is that of another plan" in Evidence(path.parent).faults
    path.write_text(path.read_text().replace('"margin": 0.05', '"margin": 0.01'))
    assert "its claim.json was changed after it was written" in Evidence(path.parent).faults
    shutil.copy(registered(study) / "claim.json", path)

    runs = [r for r in Evidence(path.parent).runs["trained"].values() if r]
    facts = read_json(runs[0].folder / "provenance.json")
    write_json(runs[0].folder / "provenance.json", {**facts, "plan": None})
    assert "1 of its 39 runs were made by no plan" in Evidence(path.parent).faults

    shutil.copy(registered(study) / "runs.json", path.with_name("runs.json"))
    found = read_json(path.with_name("runs.json"))
    arms = found["arms"]
    arms["trained"]["runs"], arms["untrained"]["runs"] = (
        arms["untrained"]["runs"], arms["trained"]["runs"],
    )  # fmt: skip
    write_json(path.with_name("runs.json"), found)
    told = "14 of its 39 runs stand under an arm whose settings they do not have"
    assert told in Evidence(path.parent).faults
    shutil.copy(registered(study) / "runs.json", path.with_name("runs.json"))

    one, other = runs[1].folder, runs[2].folder
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)
    missing = decided(Evidence(path.parent)).missing
    assert {each.seed for each in missing} == {1, 2}
    assert all("holds another run" in each.reason for each in missing)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "margin: 0.05}",
            "margin: 1.5}",
            "of test/accuracy is from -1 to 1: no value is greater by",
        ),
        ("margin: 0.2}", "margin: 1}", "is from -1 to 1: every value is within the margin, got 1"),
        ("role: control}", "role: beside}", "comparisons must have a control"),
        ("seeds: 7", "seeds: 6", "seeds must be at least 7 for 2 comparisons that decide, got 6"),
    ],
)
def test_a_plan_that_cannot_answer_is_refused(
    tmp_path: Path, isoexp: Command, old: str, new: str, told: str
) -> None:
    (tmp_path / "mine" / "claim").mkdir(parents=True)
    assert CLAIM.count(old)
    (tmp_path / "mine" / "claim" / "training.yaml").write_text(CLAIM.replace(old, new, 1))

    done = isoexp(*command(tmp_path))

    assert done.code == 2
    assert told in done.err
    assert not (tmp_path / "runs").exists()


def test_the_power_of_a_plan_is_told_before_and_after_its_runs(
    study: Path, tmp_path: Path, isoexp: Command
) -> None:
    from isoexp.statistics import power_of_difference

    (tmp_path / "mine" / "claim").mkdir(parents=True)
    path = tmp_path / "mine" / "claim" / "training.yaml"
    path.write_text(CLAIM)
    pilot = isoexp(*command(tmp_path), "--plan")
    path.write_text(CLAIM.replace("margin: 0.05}", "margin: 0.05, spread: 0.04}", 1))
    known = isoexp(*command(tmp_path), "--plan")
    done = isoexp(*command(study), "--plan")

    assert (pilot.code, known.code, done.code) == (0, 0, 0)
    assert not (tmp_path / "runs").exists()
    assert "not known" in pilot.out
    assert "a pilot comes first" in pilot.out
    assert "trained         3                  6              7" in pilot.out
    row = next(line for line in known.out.splitlines() if "(the claim)" in line)
    twice = power_of_difference(7, 0.04, 0.05, 0.975)
    assert row.split()[3:] == [
        "accuracy",
        "0.05",
        "0.04",
        "(the",
        "claim)",
        "1%",
        f"{twice:.0%}",
        "11",
    ]
    assert done.out.count("(7 seeds)") == 4


def test_the_plan_is_shown_and_nothing_is_trained(isoexp: Command, folder: Path) -> None:
    done = isoexp("reproduce", "static_refraction", "--smoke", "--dry-run")

    assert done.code == 0
    assert "12 jobs, 12 runs, 0 done before" in done.out
    assert not (folder / "runs").exists()


ACCURACY = "accuracy: test/accuracy"

ASKED = {
    ACCURACY: {
        "accuracy: test/acuracy": "metrics.accuracy: runs of the arm trained have no number "
        "test/acuracy; did you mean test/accuracy?",
        "accuracy: test/r2": "have no number test/r2",
        "accuracy: {of: metrics, column: valid/acuracy}": "did you mean valid/accuracy?",
        "accuracy: {of: metrics, column: valid/r2}": "have no column valid/r2",
        "accuracy: {of: metrics, column: study}": "have no number study",
        "accuracy: {of: metrix, column: valid/loss}": "have no table metrix; did you mean metrics?",
        "accuracy: {of: alignment, column: nope}": "have no table alignment; there is metrics",
        "accuracy: {of: spectrum, column: nope}": "no column nope; there is seed, step,",
        "accuracy: {of: spectrum, column: value, where: {layr: '1'}}": "did you mean layer?",
        "accuracy: {of: spectrum, column: value, where: {layer: 1}}": "layer must be a text, got 1",
        "accuracy: {of: spectrum, column: value, minus: {step: '> x'}}": "step must be a number",
        "accuracy: {of: summary, column: test/loss, where: {step: 1}}": "a summary has none",
        "accuracy: probe/alignmnt/x": "no probe alignmnt; there is spectrum",
        "accuracy: 3": "must have keys of its own",
    },
    "metric: valid/accuracy": {
        "metric: valid/acuracy": "tuning.metric: runs of the arm trained have no number "
        "valid/acuracy; did you mean valid/accuracy?",
        "metric: valid/r2": "have no number valid/r2",
    },
    "seeds: 7": {"seeds: ten": "seeds must be a whole number, got 'ten'"},
    "seeds: 2}\nseeds": {"seeds: two}\nseeds": "tuning: seeds must be a whole number"},
    "cost: 0.1": {
        "cost: 1\ncurve: {of: metrics, x: epok, y: lr}": "curve: runs of the arm trained have no "
        "column epok; did you mean epoch?",
        "cost: 1\ncurve: {of: metrics, x: epoch, y: lr, where: {stp: 1}}": "did you mean step?",
        "cost: little": "cost must be a number",
    },
    "metrics:\n  " + ACCURACY: {"metrics: 3": "metrics must be values by name, got 3"},
    "smoke: {seeds: 2}": {"smoke: 3": "scales.smoke must be keys of its own, got 3"},
}


@pytest.mark.parametrize(
    ("right", "wrong"), [(right, wrong) for right, each in ASKED.items() for wrong in each]
)
def test_a_claim_that_asks_for_what_no_run_has_is_refused_before_any(
    right: str, wrong: str, isoexp: Command, folder: Path
) -> None:
    text = CLAIM.replace("probe=none", "probe=spectrum")
    assert text.count(right) == 1
    (folder / "mine" / "claim").mkdir(parents=True)
    (folder / "mine" / "claim" / "training.yaml").write_text(text.replace(right, wrong))

    done = isoexp(*command(folder), "--smoke")

    assert done.code == 2
    assert ASKED[right][wrong] in done.err
    assert "claim training: " in done.err
    assert (done.err.count("\n"), done.out) == (1, "")
    assert not (folder / "runs").exists()


@pytest.mark.slow
def test_a_number_that_a_probe_does_not_give_is_refused_and_costs_no_run(
    isoexp: Command, folder: Path
) -> None:
    """Which numbers a probe gives only its rows tell."""

    text = CLAIM.replace("probe=none", "probe=spectrum")
    path = folder / "mine" / "claim" / "training.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("test/accuracy", "probe/spectrum/rnk"))

    refused = isoexp(*command(folder), "--smoke")
    assert refused.code == 2
    assert "metrics.accuracy: no run has probe/spectrum/rnk" in refused.err
    assert refused.err.count("\n") == 1
    assert "1 claim, scale smoke" in refused.out

    before = states(folder)
    path.write_text(text)
    assert isoexp(*command(folder), "--smoke").code == 0
    assert states(folder) == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("reproduce", "needs a claim"),
        ("reproduce acuracy", "no claim acuracy; did you mean accuracy"),
        ("reproduce accuracy scale=huge", "scale must be one of smoke, laptop, gpu"),
        ("reproduce accuracy epochs=3", "epochs=3 would change that"),
        ("reproduce accuracy sweeps=2", "--config-dir DIR; did you mean sweep?\n"),
        ("reproduce accuracy --smok", "did you mean --smoke"),
        ("train claim=accuracy", "isoexp reproduce accuracy"),
    ],
)
def test_mistakes_are_one_line(isoexp: Command, line: str, told: str) -> None:
    done = isoexp(*line.split())

    assert done.code == 2
    assert told in done.err
    assert len(done.err.splitlines()) == 1


def test_what_is_written_is_strict_json(study: Path) -> None:
    for path in registered(study).glob("*.json"):
        json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
