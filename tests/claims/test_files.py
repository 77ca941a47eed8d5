"""Every claim of conf/claim can be read, composed and decided, at every scale."""

import re
from pathlib import Path

import pytest

from isoexp.claims import SCALES, Claim
from isoexp.claims.prospect import check_answerable
from isoexp.claims.study import claim_files, read_claim
from isoexp.claims.tuning import SearchSpace
from isoexp.config.groups import CONF, GROUPS, choices, defaults, describe, keys
from isoexp.config.overrides import check_overrides
from isoexp.errors import UserError

NAMES = sorted(claim_files())


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NAMES)
def test_the_overrides_of_a_claim_fit_the_command_line(name: str, scale: str) -> None:
    claim, known = read_claim(name, scale), choices()

    for arm, overrides in claim.arms.items():
        last = {each.partition("=")[0]: each for each in [*claim.common, *overrides]}
        tuned = SearchSpace.of(claim.tuning, arm, [*last.values()]).candidates[0]
        check_overrides(
            [*last.values(), *(f"{key}={value}" for key, value in tuned.items())], [], False
        )

        chosen = defaults() | {k: each.partition("=")[2] for k, each in last.items() if k in known}
        for key in [*last, *tuned]:
            group, dot, setting = key.partition(".")
            if dot and group != "probe":
                there = [*keys(known[group][chosen[group]]), *GROUPS[group].own]
                assert setting in there, f"{arm}: {key}"

        asked, probes = _probes_that_are_asked(claim, arm), chosen["probe"]
        named = re.findall(r"\w+", probes)
        assert asked <= {*named}, f"{arm} is compared by {asked}, and has {probes}"


def _probes_that_are_asked(claim: Claim, arm: str) -> set[str]:
    """Returns the probes whose tables or numbers are compared between this arm and others."""

    found = set()
    for comparison in claim.comparisons:
        if arm in comparison.weights:
            metric = claim.metrics[comparison.metric]
            summary = re.match(r"probe/(\w+)/", metric.column)
            if metric.of not in ("summary", "metrics"):
                found.add(metric.of)
            elif metric.of == "summary" and summary:
                found.add(summary[1])

    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_says_its_question_its_command_and_what_was_expected(name: str) -> None:
    path = claim_files()[name]
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]

    assert "?" in describe(path), "the first line asks the question"
    assert any(f"isoexp reproduce {name}" in line for line in comment)
    assert any(line.startswith("# expect:") for line in comment)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NAMES)
def test_its_plan_can_answer(name: str, scale: str) -> None:
    check_answerable(read_claim(name, scale))


@pytest.mark.parametrize("name", NAMES)
def test_statistical_claims_have_ten_seeds_at_least_and_a_control_or_a_grid(name: str) -> None:
    claim = read_claim(name, "laptop")
    statistical = [c for c in claim.comparisons if c.expects in ("greater", "less", "equal")]

    if statistical:
        assert claim.seeds >= 10
    if any("accuracy" in claim.metrics[c.metric].column for c in statistical):
        assert claim.tuning is not None, "accuracy is compared at the best rate of each arm"


def test_a_claim_of_ones_own_is_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "claim"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text((CONF / "claim" / "accuracy.yaml").read_text())

    assert read_claim("mine", "smoke", [tmp_path / "mine"]).name == "mine"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "claim"
    folder.mkdir()
    (folder / "broken.yaml").write_text("arms: [a\n")

    with pytest.raises(UserError, match=r"cannot read .*broken\.yaml"):
        read_claim("broken", "smoke", [tmp_path])
    with pytest.raises(UserError, match="no claim acuracy; did you mean accuracy"):
        read_claim("acuracy", "smoke")


@pytest.mark.parametrize("scale", SCALES)
def test_claims_put_a_probe_with_the_same_settings(scale: str) -> None:
    """A run that two of them share holds one table of it: else each would measure it anew."""

    settings: dict[str, dict[tuple[str, ...], list[str]]] = {}
    for name in NAMES:
        claim = read_claim(name, scale)
        for arm, overrides in claim.arms.items():
            last = {each.partition("=")[0]: each for each in [*claim.common, *overrides]}
            for probe in re.findall(r"\w+", last["probe"].partition("=")[2]):
                own = tuple(sorted(v for v in last.values() if v.startswith(f"probe.{probe}.")))
                settings.setdefault(probe, {}).setdefault(own, []).append(f"{name}.{arm}")

    for probe, found in settings.items():
        assert len(found) == 1, f"{probe}: {found}"


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NAMES)
def test_it_says_in_words_what_each_outcome_means(name: str, scale: str) -> None:
    claim = read_claim(name, scale)

    for each in claim.comparisons:
        if each.role == "decides":
            counts = each.margin > (1 if claim.metrics[each.metric].log else 0)
            null = counts and each.expects in ("greater", "less")
            needed = {"supported", "contradicted", *(["none"] if null else [])}
            assert each.label, each.contrast
            assert needed <= each.says.keys(), each.contrast
            assert all("{}" in told for told in each.says.values()), each.contrast
