"""Tests for isoexp.config.allowed; that configurations and figures ask it is tested with them."""

import pytest

from isoexp.config.allowed import allow, allowed, require_allowed
from isoexp.errors import UserError


def test_packages_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOEXP_ALLOW", "")
    allow([])
    assert allowed() == []

    allow(["mylab", ""])
    allow(["other"])
    assert allowed() == ["mylab", "other"]
    require_allowed("other", "it is other:f")
    with pytest.raises(UserError, match="it is lab:f, of a package that may not run: --allow lab"):
        require_allowed("lab", "it is lab:f")
