"""The page: what it says of claims and of other runs, whatever people have typed."""

import re
import shutil
from pathlib import Path

import pytest

from isoexp.claims.chain import CHAIN
from isoexp.report.document import Paragraph, Table, blocks
from isoexp.report.html import html
from isoexp.report.page import Page, page, write
from isoexp.store.files import write_json

from .reader import Reader
from .studies import BEGAN, NASTY, claimed, failed, finished, two_arms

pytestmark = pytest.mark.usefixtures("sketched")

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)


def the_table(found: Page, name: str) -> Table:
    return next(b for b in blocks(found.document) if isinstance(b, Table) and b.name == name)


def column(table: Table, head: str) -> list[str]:
    place = [column.head for column in table.columns].index(head)

    return [row[place].text for row in table.rows]


def facts(found: Page) -> dict[str, str]:
    (chapter,) = found.chapters

    return dict(fact for b in chapter.section.blocks for fact in getattr(b, "facts", ()))


@pytest.mark.parametrize(
    ("b", "outcome"),
    [
        (BETTER, "supported"),
        ((0.70, 0.72, 0.71, 0.70), "contradicted"),
        ((0.8001, 0.8102, 0.8203, 0.8), "no effect larger than 0.01"),
        ((0.95, 0.70, 0.90, 0.79), "inconclusive"),
    ],
)
def test_every_verdict_stands_in_the_first_table(
    study: Path, b: tuple[float, ...], outcome: str
) -> None:
    claimed(study, two_arms(study, A, b))
    found = page([study])

    assert next(b for b in blocks(found.document) if isinstance(b, Table)).name == "verdicts"
    verdicts = the_table(found, "verdicts")
    assert column(verdicts, "verdict") == [outcome]
    (told,) = column(verdicts, "what was found")
    mean = abs(sum(b) / 4 - sum(A) / 4)
    assert re.search(rf"{mean:.2f}\d* \[", told), told
    assert told.endswith("; margin 0.01, 4 seeds.")
    said = next(x for x in found.chapters[0].section.blocks if getattr(x, "verdict", ""))
    assert isinstance(said, Paragraph)
    assert said.verdict == outcome
    assert said.text == told
    assert ("seeds would tell" in said.text) == (outcome == "inconclusive")


def test_the_chapter_has_words_expectation_command_and_cost(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER))
    text = " ".join(Reader(html(page([study]).document)).text)

    for told in ("Networks of B are more accurate.", "5.1", "isoexp reproduce better"):
        assert told in text
    found = facts(page([study]))
    assert found["expected before any run"] == "supported"
    assert "before its first run, 2027-01-15 08:00 UTC" in found["registered"]
    assert found["cost"] == "4.0 min on 2 cores, measured; 2 min was expected"  # 8 runs of a minute
    assert "torch 2.9.0" in found["versions"]
    assert found["registered by"] == "code dddddddddddd"


def test_a_claim_that_was_registered_late_says_so(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER), registered=BEGAN + 3.5)

    assert "3 of its 8 runs had been started before" in facts(page([study]))["registered"]


def warnings_of(found: Page) -> list[str]:
    return [b.text for b in found.document.blocks if isinstance(b, Paragraph) and b.kind]


def test_a_damaged_claim_is_named_once_and_a_hint_ends_its_sentence(study: Path) -> None:
    runs = two_arms(study, A, BETTER)
    claimed(study, runs)
    bad = claimed(study, runs, name="other")
    path = bad.folder / "claim.json"
    path.write_text(path.read_text().replace('"seeds": 4', '"seds": 4'))
    (told,) = warnings_of(page([study]))

    assert told.endswith("there is no key seds; did you mean seeds?")
    assert told.count(str(bad.folder)) == 1


def test_a_shipped_claim_needs_no_folder_and_any_is_said(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER), name="accuracy", decides="any")
    found = page([study])
    text = " ".join(Reader(html(found.document)).text)

    assert "isoexp reproduce accuracy" in text
    assert "--config-dir" not in text
    assert facts(found)["decided by"] == "any comparison that decides"


def test_a_run_counts_under_its_own_seed_alone(study: Path) -> None:
    """One lucky run in the place of all others: it has one of the seeds."""

    runs = two_arms(study, A, BETTER)
    claimed(study, {"a": runs["a"], "b": [runs["b"][1]] * 4})
    found = page([study])

    assert column(the_table(found, "verdicts"), "plan") == ["not as planned"]
    text = " ".join(Reader(html(found.document)).text)
    assert "3 of its 8 runs stand under a seed that they do not have" in text


def test_runs_of_a_plan_that_was_cut_off_are_told(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER))
    cut = claimed(study, two_arms(study, A, BETTER, first=20), name="other", seeds=3)
    assert warnings_of(page([study])) == []
    chain = study / CHAIN
    chain.write_text(chain.read_text().splitlines(keepends=True)[0])
    shutil.rmtree(cut.folder)

    assert warnings_of(page([study])) == [
        "8 runs of study were made for plans that its chain does not have."
    ]


def test_other_registrations_are_told(study: Path) -> None:
    runs = two_arms(study, A, BETTER)
    old = claimed(study, runs, registered=BEGAN - 9000, seeds=3)
    claimed(study, runs)
    found = page([study])

    assert len(found.chapters) == 1
    assert old.folder.name in facts(found)["another plan"]
    assert facts(found)["another plan"].startswith("supported")


def test_what_failed_is_listed_and_decides_nothing(study: Path) -> None:
    runs = two_arms(study, A, BETTER[:3])
    runs["b"].append(failed(study, 99, 3, "diverged: <b>loss</b>", activation="iso_tanh"))
    claimed(study, runs)
    found = page([study])

    assert column(the_table(found, "verdicts"), "verdict") == ["inconclusive"]
    missing = the_table(found, "better-missing")
    assert [[cell.text for cell in row] for row in missing.rows] == [
        ["b", "3", "failed: diverged: <b>loss</b>"]
    ]
    assert column(the_table(found, "studies"), "others") == ["1 failed"]


def test_a_ratio_to_zero_is_missing_and_not_passed_over(study: Path) -> None:
    metrics = {"accuracy": {"of": "summary", "column": "test/accuracy", "log": True}}
    asked = [{"contrast": "b - a", "metric": "accuracy", "expects": "greater", "margin": 1.05}]
    runs = two_arms(study, A, (0.9, 0.92, 0.91, 0.0))
    claimed(study, runs, metrics=metrics, comparisons=asked)
    found = page([study])

    assert column(the_table(found, "verdicts"), "verdict") == ["inconclusive"]
    assert "is 0, and ratios" in column(the_table(found, "better-missing"), "why")[0]


def test_a_claim_without_any_run_is_a_page(study: Path) -> None:
    claimed(study, {"a": [], "b": []})
    found = page([study])

    assert column(the_table(found, "verdicts"), "verdict") == ["inconclusive"]
    assert len(the_table(found, "better-missing").rows) == 8
    assert "no run was started yet" in facts(found)["registered"]
    Reader(html(found.document))


def test_what_was_not_run_yet_is_listed(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER[:3]))

    assert column(the_table(page([study]), "better-missing"), "why") == ["not run yet"]


def test_a_smoke_run_says_in_large_letters_that_it_means_nothing(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER), scale="smoke")
    warnings = [p for p in Reader(html(page([study]).document)).all("p") if p.get("class")]

    assert [p["class"] for p in warnings] == ["warning", "warning"]  # above all, and of the claim
    claimed(study, two_arms(study, A, BETTER), name="other")
    assert "scale=smoke" in html(page([study]).document)


def test_tuning_is_shown_whole_with_what_lies_at_an_end(study: Path) -> None:
    tried = [
        {"values": {"optimizer.lr": 0.1}, "score": 0.5, "networks": 2, "failed": 0},
        {"values": {"optimizer.lr": 1.0}, "score": None, "networks": 2, "failed": 1},
    ]
    tuning = finished(study, 50, 1_000_000, {"test/accuracy": 0.1}, took_s=600.0)
    claimed(
        study,
        two_arms(study, A, BETTER),
        tuned={"a": {"chosen": {"optimizer.lr": 0.1}, "edges": ["optimizer.lr"], "tried": tried}},
        tuning_runs={"a": [tuning]},
        tuning={"grid": {"optimizer.lr": [0.1, 1.0]}, "metric": "valid/accuracy", "seeds": 2},
    )
    found = page([study])

    assert column(the_table(found, "better-tuning"), "a") == ["0.5 (best)", "1 of 2 failed"]
    arms = the_table(found, "better-arms")
    assert column(arms, "tuned to") == ["optimizer.lr=0.1", "–"]
    assert column(arms, "at an end of what was tried") == ["optimizer.lr", "–"]
    assert facts(found)["cost"].startswith("9.0 min")  # 8 runs of a minute, one of ten to tune
    assert [section.title for section in found.document.sections] == ["B is better"]


def test_ratios_are_shown_as_ratios(study: Path) -> None:
    metrics = {"accuracy": {"of": "summary", "column": "test/accuracy", "log": True}}
    asked = [{"contrast": "b - a", "metric": "accuracy", "expects": "greater", "margin": 1.05}]
    claimed(
        study,
        two_arms(study, (0.4, 0.41, 0.42, 0.4), (0.81, 0.82, 0.84, 0.79)),
        metrics=metrics,
        comparisons=asked,
    )
    found = page([study])

    told = column(the_table(found, "verdicts"), "what was found")[0]
    assert told.startswith("Accuracy of b is 2.000 [1.9")
    asked = column(the_table(found, "better-comparisons"), "expected")
    assert asked == ["above 1 by a factor of at least 1.05"]


def test_networks_trained_as_one_cost_what_that_training_took(study: Path) -> None:
    """They begin as one, and are probed one after the other."""

    units = [1, 2, 3, 4], [5, 6, 7, 8]
    runs = {
        arm: [
            finished(
                *(study, n, seed, {"test/accuracy": 0.5 + n / 100}),
                together=mates,
                started=BEGAN,
                took_s=30.0 * (seed + 1),
            )
            for seed, n in enumerate(mates)
        ]
        for arm, mates in zip("ab", units, strict=True)
    }
    claimed(study, runs)
    (chapter,) = page([study]).chapters
    assert chapter.spent.busy_s == pytest.approx(2 * 120)

    half = {arm: own[:2] for arm, own in runs.items()}
    claimed(study, half, seeds=2, name="half")  # two of four: half of the time
    assert page([study]).chapters[1].spent.busy_s == pytest.approx(2 * 60 / 2)


def test_a_probe_put_much_later_is_no_cost(study: Path) -> None:
    runs = two_arms(study, A, BETTER)
    for own in runs.values():
        for run in own:
            write_json(run.folder / "state.json", {**run.state, "heartbeat": BEGAN + 90_000})
    claimed(study, runs)

    assert page([study]).chapters[0].spent.busy_s == pytest.approx(8 * 60)


def test_claims_of_two_studies_stand_side_by_side(tmp_path: Path) -> None:
    for name, b in (("one", BETTER), ("two", A)):
        claimed(tmp_path / name, two_arms(tmp_path / name, A, b))
    found = page([tmp_path])
    verdicts = the_table(found, "verdicts")

    assert column(verdicts, "study") == ["one", "two"]
    assert column(verdicts, "verdict")[0] == "supported"
    anchors = [section.anchor for section in found.document.sections]
    assert anchors == ["one-better", "two-better"]


def test_claims_and_other_runs_are_both_shown(study: Path) -> None:
    claimed(study, two_arms(study, A, BETTER))
    finished(study, 70, 0, {"test/accuracy": 0.3}, activation="relu")
    finished(study.parent / "plain", 71, 0, {"test/accuracy": 0.4})
    found = page([study.parent])

    titles = [section.title for section in found.document.sections]
    assert titles == ["B is better", "Study plain", "Other runs of study"]
    assert column(the_table(found, "studies"), "claims") == ["0", "1"]


def test_the_page_is_well_formed_whatever_was_typed(nasty: Path) -> None:
    read = Reader(html(page([nasty]).document))

    assert read.all("script") == []
    assert sum(NASTY in text for text in read.text) >= 5


def test_links_lead_somewhere_and_ids_are_said_once(nasty: Path) -> None:
    read = Reader(html(page([nasty]).document))
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]

    assert len(ids) == len(set(ids))
    for _, attributes in read.tags:
        target = attributes.get("href") or attributes.get("aria-labelledby")
        assert target is None or target.removeprefix("#") in ids


def test_neither_hosts_nor_folders_of_anybody_are_told(nasty: Path, tmp_path: Path) -> None:
    write(page([nasty]).document, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*.*"):
        text = path.read_text()
        assert "secret-host" not in text, path
        assert "/home/somebody" not in text, path
        assert str(tmp_path) not in text, path
