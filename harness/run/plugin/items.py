"""Which case a test of pytest's is."""

from __future__ import annotations

import pytest

from harness.integrations.matrix import Case


def case_of(item: pytest.Item) -> Case | None:
    """The case an item runs; None when it is an ordinary test."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def case_id(nodeid: str) -> str:
    """The case's id within a pytest node id; xdist adds a group's name to it (``--dist loadgroup``)."""
    return nodeid.partition("::")[2].partition("[")[2].rpartition("]")[0] or nodeid
