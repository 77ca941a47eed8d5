"""Tests for the contract of isoexp.probes.Probe, over all probes."""

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
import torch

from isoexp import probes
from isoexp.data import Factor
from isoexp.probes import Probe, Unsuitable

from .subjects import subject

PROBES = [
    each
    for each in vars(probes).values()
    if isinstance(each, type) and hasattr(each, "schema") and each is not Probe
]


def test_all_probes_are_looked_at() -> None:
    assert len(PROBES) == 12


@pytest.mark.parametrize("kind", PROBES)
def test_a_probe_names_its_drawer(kind: Any) -> None:
    module, name = kind.figure.split(":")

    assert isinstance(kind(), Probe)
    assert callable(getattr(import_module(module), name))
    assert module.rpartition(".")[2] == kind.__module__.rpartition(".")[2]


def test_the_drawers_of_all_probes_import_no_torch() -> None:
    modules = ", ".join(kind.figure.partition(":")[0] for kind in PROBES)
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("kind", [probes.Refraction, probes.Spectrum])
def test_columns_are_those_of_the_schema(kind: Any) -> None:
    rows = kind()(subject())

    assert list(rows) == list(kind.schema)
    for name, of in kind.schema.items():
        assert {type(cell) for cell in rows[name]} == {of}, name


JUDGED = ("accuracy", "confidence", "margin", "barrier", "calibration", "returned", "loss_")


@pytest.mark.parametrize("kind", PROBES)
def test_a_network_of_nan_is_judged_by_no_probe(kind: Any) -> None:
    """Rows are NaN where they are of its answers; a probe that cannot measure it says why."""

    it = subject(samples=40)
    with torch.no_grad():
        for p in it.model.parameters():
            p.fill_(nan)
    hue = {"hue": Factor(np.linspace(0, 1, 40), None)}
    twin = replace(subject(samples=40, seed=1), x=it.x)
    it = replace(it, factors=hue, twin=twin, refit=lambda nets, *_: nets)

    try:
        rows: Any = kind()(replace(it, train=(it.x, it.task[0])))
    except Unsuitable as error:
        rows = {"refused": [str(error)]}
    assert all("finite" in said for said in rows.get("refused", []))
    for name, column in rows.items():
        if name.startswith(JUDGED):
            assert all(isnan(cell) for cell in column), name
    for what, value in zip(rows.get("measure", []), rows.get("value", []), strict=True):
        assert what != "dead_fraction" or isnan(value)
