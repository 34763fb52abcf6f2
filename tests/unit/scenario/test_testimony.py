"""What a far end of somebody's own witnesses: whatever its form, no case breaks on it, and what cannot be read is said and is no
sign that something never came."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.deployment import Synthflow
from harness.scenario.ai_calls import SynthflowCall
from harness.witness import testimony
from harness.witness.call_record import CallRecord
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import FakeApi, call, record

INVITE = (
    "INVITE sip:+12065550100@ai.example SIP/2.0\r\n"
    "From: <sip:+14155550101@a.example>;tag=1\r\nTo: <sip:+12065550100@ai.example>\r\n\r\n"
)
NOW = time.time()
MARK = {"mark": 7, "at": str(NOW), "until": NOW + 1.0, "level_dbov": -20}
DIGIT = {"digit": 5, "method": "rfc4733", "duration_ms": "120"}
MESSAGE = {
    "direction": "Received",
    "transport": "TLS",
    "local": "192.0.2.1:32682",
    "remote": "192.0.2.9:5061",
    "text": INVITE,
}
WELL = {"marks": [MARK], "digits": [DIGIT], "messages": [MESSAGE], "codec": "PCMU", "rx_packets": "50"}


def talk_of(make_context: MakeContext, witness: Any) -> SynthflowCall:
    plain = record(witness=witness, status="completed")

    class Api(FakeApi):
        def call(self, call_id: str) -> CallRecord:
            return CallRecord(call_id, plain)

    api: Any = Api([plain])
    told = ("marks", "messages", "dtmf")
    context = make_context(api=api, synthflow=Synthflow(poll_s=0.001, lag_s=0.0, witness=told))
    return SynthflowCall(context, api, CallRecord("c1", plain), call())


def seen(talk: SynthflowCall) -> dict[str, Any]:
    return {
        "account": talk.account(0.0),
        "mark": talk.hears_mark(call_with_mark(), 0.0, 0.0),
        "digits": talk.digits(1, within=0.0),
        "invite": talk.invite,
        "received_on": talk.received_on,
        "came_from": talk.came_from,
        "codec": talk.codec,
        "transfers": talk.transfers(),
        "answered": talk.answered_at(),
        "released": talk.released_at(0.0),
        "assistant": talk.assistant,
    }


def call_with_mark() -> Any:
    found = call()
    found.mark = 7
    return found


def test_numbers_may_be_told_in_digits_and_words_in_capitals(make_context: MakeContext) -> None:
    found = seen(talk_of(make_context, WELL))
    assert (found["account"].marks, found["account"].level_dbov, found["account"].rx_packets) == ((7,), -20.0, 50)
    assert found["mark"] is not None
    assert found["digits"] == ("5", ["rfc4733"], [120])
    assert found["invite"].to.uri.user == "+12065550100"
    assert (found["received_on"], found["came_from"]) == (("tls", "192.0.2.1:32682"), "192.0.2.9:5061")
    assert found["codec"] == "PCMU"


@pytest.mark.parametrize(
    ("part", "value", "unknown", "said"),
    [
        ("marks", [{**MARK, "at": None}], "account", "witness.marks[0].at: "),
        ("marks", [MARK, "7"], "mark", "witness.marks[1]: "),
        ("marks", {"7": MARK}, "account", "witness.marks: "),
        ("digits", [DIGIT, {"method": "info"}], "digits", "witness.digits[1].digit: "),
        ("messages", [{"text": INVITE}], "invite", "witness.messages[0].direction: "),
        ("messages", [{**MESSAGE, "local": "192.0.2.1"}], "received_on", "witness.messages[0].local: "),
        ("answered_at", "soon", "answered", "witness.answered_at: "),
    ],
)
def test_a_part_of_another_form_is_said_and_is_no_sign(
    make_context: MakeContext, part: str, value: object, unknown: str, said: str
) -> None:
    talk = talk_of(make_context, {**WELL, part: value})
    found = seen(talk)
    assert found[unknown] is None
    assert found["codec"] == "PCMU", "the other parts are read"
    assert any(said in problem for problem in talk.record.unread)


def test_a_part_that_is_not_there_is_not_observed(make_context: MakeContext) -> None:
    """A far end that lists no digits has not said that none came; one whose list is empty has."""
    assert talk_of(make_context, {"marks": []}).digits(1, within=0.0) is None
    assert talk_of(make_context, {"digits": []}).digits(1, within=0.0) == ("", [], [])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(INVITE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def near(well: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """As it should be, but for some of its values."""
    return st.fixed_dictionaries({}, optional={name: st.just(value) | JSON for name, value in well.items()})


@given(
    witness=JSON
    | st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(testimony.PARTS, JSON),
            "marks": st.lists(near(MARK), max_size=2) | JSON,
            "digits": st.lists(near(DIGIT), max_size=2) | JSON,
            "messages": st.lists(near(MESSAGE), max_size=2) | JSON,
        },
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_is_told_breaks_no_case(make_context: MakeContext, witness: object) -> None:
    found = seen(talk_of(make_context, witness))
    assert found["codec"] is None or isinstance(found["codec"], str)
