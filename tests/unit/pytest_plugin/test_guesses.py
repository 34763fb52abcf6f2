"""When a case is run again since a call may have been another's, or its own may have been led astray."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.calls.verdict import Verdict
from harness.run.plugin.fixtures import was_guessed


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize(("by_record", "by_phone"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_call_at_a_phone_matters_where_the_case_did_not_pass(
    verdict: Verdict, by_record: bool, by_phone: bool
) -> None:
    """Where a platform shows agents its own number, each landing would have every case beside it run twice."""
    context = SimpleNamespace(
        guessed=by_record,
        phones=SimpleNamespace(guessed=by_phone),
        evidence=SimpleNamespace(conclusion=SimpleNamespace(verdict=verdict)),
    )
    assert was_guessed(cast("Any", context)) is (by_record or (by_phone and verdict is not Verdict.PASSED))
