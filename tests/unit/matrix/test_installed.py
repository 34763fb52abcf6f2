"""A package that brings an integration may be gone in part, or break when it is imported."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from harness import integrations
from harness.errors import SelectionError


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> str:
    """Installed under this name, and its module is not there."""
    there = integrations._installed()
    point = EntryPoint("acme", "acme_that_is_gone:INTEGRATION", integrations.GROUP)
    monkeypatch.setattr(integrations, "_installed", lambda: {**there, "acme": point})
    return "acme"


def test_one_that_cannot_be_loaded_is_a_line(gone: str) -> None:
    with pytest.raises(SelectionError) as said:
        integrations.find(gone)
    why = "ModuleNotFoundError: No module named 'acme_that_is_gone'"
    allowed = "a package that is installed whole, or none"
    assert str(said.value) == f"integration 'acme' cannot be loaded: {why}; allowed: {allowed}"


def test_it_spoils_no_other(gone: str) -> None:
    assert {one.name for one in integrations.loadable()} == set(integrations.names()) - {gone}
