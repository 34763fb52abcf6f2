"""Which of several records is the caller's, and what is said of one that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import ASSISTANT, OTHER, Failing, FakeApi, Place, call, record


@pytest.mark.parametrize("step", [1, -1])
def test_of_two_calls_of_one_caller_the_one_that_goes_on_is_the_callers(make_context: MakeContext, step: int) -> None:
    """A platform tries an AI again whose first leg ended at once; a list may have the newest first, or last."""
    records = [record(call_id="first", status="completed", telephony_duration=40), record(call_id="second")]
    found = Place(make_context, FakeApi(records[::step])).endpoint.find(call(), ASSISTANT)
    assert found is not None
    assert found.id == "second"
    # the caller's own number says more, and of a call that is over both may be it
    beside = Place(
        make_context, FakeApi([record(call_id="theirs", phone_number_from=OTHER), records[0]][::step])
    ).endpoint
    found = beside.find(call(), ASSISTANT)
    assert found is not None
    assert found.id == "first"
    assert Place(make_context, FakeApi(records[::step])).endpoint.find(call(over=True), ASSISTANT) is not None


@pytest.mark.parametrize(
    ("then", "lacks"),
    [
        (record(status="talking"), "a status that is known"),
        (record(phone_number_to=None), "a number that was called"),
        ({"call_id": "c1"}, "a status that is known and a number that was called"),
    ],
)
def test_what_a_record_lacks_is_said(make_context: MakeContext, then: Any, lacks: str) -> None:
    api: Any = Failing(then)
    seen = Place(make_context, api)
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    talk.refresh()
    assert seen.troubles == [f"Synthflow API: GET /calls/{{id}}: the record lacks {lacks}"]
