"""Tests for isoexp.sweep.units: which runs go together."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from isoexp.sweep.pace import Pace
from isoexp.sweep.unit import Unit, bundles, halves

from .jobs import jobs, seeds, written


def sizes(units: list[Unit]) -> list[int]:
    return [unit.networks for unit in units]


@pytest.mark.parametrize(
    ("count", "most", "workers", "expected"),
    [
        (8, 1, 2, [1] * 8),
        (8, 64, 1, [8]),
        (8, 64, 2, [4, 4]),  # nobody is left without work
        (9, 4, 2, [4, 4, 1]),
        (3, 64, 8, [1, 1, 1]),
    ],
)
def test_as_many_go_together_as_the_pace_says(
    count: int, most: int, workers: int, expected: list[int], tmp_path: Path
) -> None:
    every = jobs(tmp_path, count)
    units = bundles(every, {every[0].structure: Pace(most)}, workers)

    assert sizes(units) == expected
    assert Counter(seed for unit in units for seed in seeds(unit)) == Counter(range(count))


def test_structures_go_apart_and_the_longest_first(tmp_path: Path) -> None:
    """With workers in proportion to the time that each takes."""

    short, long = jobs(tmp_path, 4, "activation=tanh"), jobs(tmp_path, 4, "activation=iso_tanh")
    paces = {short[0].structure: Pace(64, training_s=1), long[0].structure: Pace(64, training_s=3)}
    units = bundles([*short, *long], paces, 4)

    assert [unit.training_s for unit in units] == [6, 6, 4]
    assert {job.structure for job in units[-1].jobs} == {short[0].structure}


def test_a_job_of_many_seeds_is_split(tmp_path: Path) -> None:
    every = jobs(tmp_path, 1, "seeds=5")
    units = bundles(every, {every[0].structure: Pace(2)}, 1)

    assert [seeds(unit) for unit in units] == [[0, 1], [2, 3], [4]]


def test_one_run_of_two_studies_is_not_trained_with_itself(tmp_path: Path) -> None:
    here, there = jobs(tmp_path / "here", 2), jobs(tmp_path / "there", 2)
    units = bundles([*here, *there], {here[0].structure: Pace(64)}, 1)

    assert [seeds(unit) for unit in units] == [[0, 1], [0, 1]]


def test_what_was_begun_together_stays_together(tmp_path: Path) -> None:
    """Whatever the pace says now; what has ended, or is to be repeated, is no mate any more."""

    every = jobs(tmp_path, 8)
    paces = {every[0].structure: Pace(4)}
    for group in ((0, 5, 6), (1, 7), (2, 3)):
        mates = [every[k].identities[k] for k in group]
        for k in group:
            written(every[k], k, "interrupted", together=mates)
    written(every[7], 7, "completed", together=None)
    for k in (2, 3):
        written(every[k], k, "failed", reason="diverged at update 3 of 9")

    units = bundles([job for job in every if 7 not in job.identities], paces, 1)
    assert sorted(seeds(unit) for unit in units) == [[0, 5, 6], [1], [2, 3, 4]]

    again = [replace(job, settings=replace(job.settings, force=True)) for job in every]
    assert sizes(bundles(again, paces, 1)) == [4, 4]


@pytest.mark.parametrize(("count", "expected"), [(1, [1]), (2, [1, 1]), (5, [3, 2])])
def test_halves(count: int, expected: list[int], tmp_path: Path) -> None:
    unit = Unit(tuple(jobs(tmp_path, count)), Pace(64))

    assert sizes(halves(unit)) == expected
    assert [seed for half in halves(unit) for seed in seeds(half)] == seeds(unit)
    assert all(half.pace == unit.pace for half in halves(replace(unit)))
