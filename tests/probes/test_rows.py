"""Tests for isoexp.probes.rows."""

from math import isnan

import numpy as np
import pytest
import torch

from isoexp.probes.rows import Columns, cells
from isoexp.store.tables import Schema

SCHEMA: Schema = {"layer": str, "at": float, "value": float, "n": int, "holds": bool}


def test_rows_are_added_by_name_in_any_order() -> None:
    rows = Columns(SCHEMA)
    rows.add(n=3, layer="first", value=0.5, at=1, holds=True)

    assert list(rows) == list(SCHEMA)
    assert [column[0] for column in rows.values()] == ["first", 1.0, 0.5, 3, True]


def test_a_cell_that_a_row_lacks_is_empty() -> None:
    rows = Columns(SCHEMA)
    rows.add(layer="first", value=None)

    assert isnan(rows["at"][0])
    assert rows["value"] == rows["n"] == rows["holds"] == [None]


def test_cells_have_the_types_of_their_columns() -> None:
    """Plain ones, whatever they were computed with: tables are compared and written by type."""

    rows = Columns(SCHEMA)
    rows.add(layer=np.str_("a"), at=2, value=torch.tensor(0.5), n=np.int64(3), holds=np.True_)
    rows.extend(
        layer="b", at=np.arange(2), value=torch.rand(2), n=torch.arange(2), holds=[True, False]
    )

    for name, kind in SCHEMA.items():
        assert {type(cell) for cell in rows[name]} == {kind}, name


def test_several_rows_share_what_is_no_list() -> None:
    rows = Columns(SCHEMA)
    rows.extend(layer="a", at=np.array([0.0, 1.0]), value=[2.0, 3.0])

    assert rows["layer"] == ["a", "a"]
    assert rows["value"] == [2.0, 3.0]
    assert rows["n"] == [None, None]


def test_an_unknown_column_is_refused_and_nothing_is_added() -> None:
    rows = Columns(SCHEMA)
    with pytest.raises(ValueError, match="no column vlaue; did you mean value"):
        rows.add(layer="a", vlaue=1.0)

    assert not any(rows.values())


def test_columns_of_several_lengths_are_refused_and_nothing_is_added() -> None:
    rows = Columns(SCHEMA)
    for columns in ({"at": [0.0], "value": [1.0, 2.0]}, {"at": 0.0}):
        with pytest.raises(ValueError, match="one length"):
            rows.extend(**columns)

    assert not any(rows.values())


def test_cells_are_found_by_the_others_of_their_row() -> None:
    rows = Columns(SCHEMA)
    rows.extend(layer=["a", "b", "a"], at=[0, 0, 1], value=[1, 2, 3])

    assert cells(rows, "value") == [1.0, 2.0, 3.0]
    assert cells(rows, "value", layer="a") == [1.0, 3.0]
    assert cells(rows, "value", layer="a", at=1.0) == [3.0]
    assert cells(rows, "value", layer="c") == []
