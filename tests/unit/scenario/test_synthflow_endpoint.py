"""The AI's place seen through its API: whose call is whose, and what is known when the API is in
trouble.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import FarEndError
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import (
    ASSISTANT,
    OTHER,
    Failing,
    FakeApi,
    Place,
    call,
    leg,
    record,
)


@pytest.fixture
def place(make_context: MakeContext) -> Callable[..., Place]:
    return lambda records, **synthflow: Place(make_context, FakeApi(records), **synthflow)


@pytest.mark.parametrize(
    "records",
    [
        FarEndError("401"),
        [record(status=None, state="in-progress")],
        [record(phone_number_to=None, to=ASSISTANT)],
        [record(phone_number_to="+1206555****")],
        [record(status="talking")],  # a word of another version
    ],
)
def test_an_answered_call_that_the_api_cannot_show_is_unknown_not_missing(
    place: Callable[..., Place], records: Any
) -> None:
    seen = place(records)
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert talk.is_unknown
    assert seen.endpoint.blind
    assert seen.troubles


def test_a_call_that_was_not_answered_is_missing_whatever_the_api_says(
    place: Callable[..., Place],
) -> None:
    assert (
        place(FarEndError("500")).endpoint.expect_call(call(answered=False), "main", within=0.0)
        is None
    )


def test_a_call_that_the_api_does_not_list_is_missing(place: Callable[..., Place]) -> None:
    seen = place([])
    assert seen.endpoint.expect_call(call(), "main", within=0.0) is None
    assert not seen.endpoint.blind


OLD = str(int((time.time() - 60) * 1000))
THEIRS = record(call_id="theirs", phone_number_from=OTHER)
CHANGED = record(call_id="c7", phone_number_from="+18885550100")
TOLD = leg(
    ("received", "SIP/2.0 200 OK\r\nX-CI: c7\r\n\r\n"),
    ("sent", "ACK sip:x SIP/2.0\r\nx-ci: theirs\r\n\r\n"),
)


@pytest.mark.parametrize(
    ("records", "of", "synthflow", "found"),
    [
        ([record()], call(), {}, "c1"),
        (
            [THEIRS, record()],
            call(),
            {},
            "c1",
        ),  # the caller's own number says more than the place in the list
        (
            [record(call_id="x", status="completed"), record()],
            call(),
            {},
            "c1",
        ),  # the one that goes on
        ([CHANGED], call(), {}, "c7"),  # a number of nobody's may be what became of the caller's
        ([record(), CHANGED], call(leg=TOLD), {}, "c7"),  # an id tells more than a number
        ([record(), record(call_id="p1", start_time=OLD)], call(prepared="p1"), {}, "p1"),
        (
            [record(call_id="p1", status="registered")],
            call(prepared="p1"),
            {},
            None,
        ),  # given out, and not called yet
        ([record(start_time=OLD)], call(), {}, None),
        ([record(type_of_call="outbound", phone_number_from=ASSISTANT)], call(), {}, None),
        ([record(start_time=None)], call(), {}, "unknown"),
        ([CHANGED], call(), {"shared": True}, None),  # another customer's
        ([THEIRS, CHANGED], call(leg=TOLD), {"shared": True}, "c7"),
        ([record(phone_number_from="anonymous")], call(), {"shared": True}, "unknown"),
        (
            [record(phone_number_from=ASSISTANT)],
            call(),
            {"shared": True},
            "unknown",
        ),  # any call may show it
    ],
)
def test_a_call_has_its_own_record(
    place: Callable[..., Place], records: Any, of: Any, synthflow: dict[str, Any], found: str | None
) -> None:
    of.began = time.monotonic()
    talk = place(records, **synthflow).endpoint.expect_call(of, "main", within=0.0)
    assert (None if talk is None else talk.record.id or "unknown") == found


def test_another_caller_s_record_is_not_this_one_s(place: Callable[..., Place]) -> None:
    seen = place([THEIRS])
    seen.context.calls.add(call(number=OTHER))
    assert seen.endpoint.expect_call(call(), "main", within=0.0) is None
    assert seen.endpoint.records(call()) == []
    assert seen.endpoint.expect_call(call(number=OTHER), "main", within=0.0) is not None


def test_an_api_that_recovers_is_believed_again(place: Callable[..., Place]) -> None:
    seen = place(FarEndError("503"))
    assert seen.endpoint.records(call()) == []
    assert seen.endpoint.blind
    seen.api.records = [record()]
    assert seen.endpoint.find(call(), ASSISTANT) is not None
    assert not seen.endpoint.blind


# -- a talk whose record can no longer be read


@pytest.mark.parametrize("then", [FarEndError("503"), record(status="talking"), {"call_id": "c1"}])
def test_an_api_that_fails_during_the_call_makes_no_leg_hang(
    make_context: MakeContext, then: Any
) -> None:
    api: Any = Failing(then)
    seen = Place(make_context, api)
    talk = seen.endpoint.expect_call(call(), "main", within=0.0)
    assert talk is not None
    assert not talk.is_blind
    assert talk.released_at(0.0) is None
    assert talk.is_blind, "so that it is not observable, and no leg that is still up"
    assert talk.transfer_outcome(0.0) is None
    assert talk.record.answered, "what it said before stays"
    assert seen.troubles
    api.then = record(status="completed")
    assert talk.released_at(0.0) is not None
    assert not talk.is_blind


# -- whose call a record is


def test_its_calls_are_listed_by_the_ids_of_the_assistants(place: Callable[..., Place]) -> None:
    seen = place([record()])
    deployment = seen.context.deployment
    assistants = {
        name: assistant.model_copy(update={"model_id": f"m-{name}"})
        for name, assistant in deployment.assistants.items()
    }
    assert len(assistants) > 1
    seen.context.deployment = deployment.model_copy(update={"assistants": assistants})
    seen.endpoint.find(call(), ASSISTANT)
    seen.endpoint.records(call())
    assert seen.api.asked == [("m-main",), tuple(f"m-{name}" for name in assistants)]
