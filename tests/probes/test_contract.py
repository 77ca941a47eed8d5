"""Tests for the contract of isoexp.probes.Probe, over all probes."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from isoexp import probes
from isoexp.probes import Probe

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
