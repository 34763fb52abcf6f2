"""A REFER that the rules of the run itself had declined: what comes of it speaks against nobody."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.checks import landing
from harness.calls.verdict import Verdict
from harness.errors import BrokenError
from tests.unit.scenario.conftest import MakeContext


@pytest.mark.parametrize("declined", [None, BrokenError("a REFER was declined with 603: …; safety.hosts may add it")])
def test_a_landing_that_did_not_come_for_it_is_broken(make_context: MakeContext, declined: BrokenError | None) -> None:
    context = make_context()
    phone: Any = SimpleNamespace(process=SimpleNamespace(pid=1), fault=lambda: None, declined=declined)
    context.phones._phones["caller"] = phone
    found = context.evidence.add(landing.landed("the call", "support", {}))
    assert found.verdict is (Verdict.FAILED if declined is None else Verdict.BROKEN)
    assert declined is None or "safety.hosts may add it" in found.actual
