"""One call's record: its moments and its numbers."""

from __future__ import annotations

import pytest

from harness.sip.identity import known_spellings
from harness.witness.call_record import CallRecord
from harness.witness.clock import ClockOffset

ASSISTANT = "+18085550160"
AT = 1_795_397_682.5


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 23 Nov 2026 01:34:42 GMT",
        "Monday, 23-Nov-26 01:34:42 GMT",
        "Mon Nov 23 01:34:42 2026",
        "Mon, 23 Nov 2026 01:34:42 -0000",
    ],
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_a_date_is_in_utc_in_each_of_its_forms(date: str) -> None:
    """RFC 9110 section 5.6.7; where it was taken for this machine's own time, every call of the
    harness was an earlier one.
    """
    told, offset = AT - 0.5, ClockOffset()
    offset.note(told + 0.1, told + 0.2, date)
    assert offset.seconds == 0.0
    assert -0.3 < offset.least < 0.0


@pytest.mark.parametrize("told", ["1795397682500", 1795397682500, 1795397682.5])
def test_a_beginning_is_told_in_milliseconds_or_seconds(told: object) -> None:
    record = CallRecord("c", {"start_time": told})
    assert record.is_since(AT - 0.1) is True
    assert record.is_since(AT + 0.1) is False


@pytest.mark.parametrize(
    "told", [None, True, "", "now", "2026-11-23T01:34:42Z", "17953976825", float("nan"), 10**400]
)
def test_any_other_beginning_is_unknown(told: object) -> None:
    assert CallRecord("c", {"start_time": told}).is_since(AT) is None


@pytest.mark.parametrize(
    "behind", [";cpc=ordinary", ";npdi;rn=+18085550100", "@sip.example:5060;user=phone"]
)
@pytest.mark.parametrize("number", [ASSISTANT, "1-808-555-0160", "18085550160"])
def test_what_a_carrier_puts_behind_a_number_is_no_part_of_it(number: str, behind: str) -> None:
    """RFC 3966 section 3, RFC 4694 section 4: a user with its parameters, as the From or the
    Request-URI had it.
    """
    record = CallRecord(
        "c1", {"phone_number_to": number + behind, "phone_number_from": f"sip:{number}{behind}"}
    )
    assert (record.number_to, record.number_from) == (ASSISTANT, ASSISTANT)


@pytest.mark.parametrize(
    "hidden",
    ["+1808555****", "+1808xxx0160", "[REDACTED]", "<caller>", "sip:+1808•••0160@x.example"],
)
def test_a_number_with_hidden_digits_is_unknown(hidden: str) -> None:
    assert CallRecord("c1", {"phone_number_to": hidden}).number_to is None


@pytest.mark.parametrize(
    ("status", "answered", "over"),
    [
        ("registered", False, False),
        ("ringing", False, False),
        ("in-progress", True, False),
        ("completed", True, True),
        ("user-canceled", False, True),
        ("left_voicemail", True, True),
    ],
)
def test_what_a_status_says_of_the_call(status: str, answered: bool, over: bool) -> None:
    record = CallRecord("c", {"status": status, "phone_number_to": ASSISTANT})
    assert record.readable
    assert (record.answered, record.over) == (answered, over)


@pytest.mark.parametrize("told", ["{}", "sip:{}@platform.example"])
@pytest.mark.parametrize("user", ["1001", "voice-ai"])
def test_a_known_user_is_no_number(user: str, told: str) -> None:
    """In Germany 1001 may be a number, which the far end was then said to have been called for."""
    known = known_spellings([ASSISTANT, user])
    record = CallRecord(
        "c", {"status": "completed", "phone_number_to": told.format(user)}, "DE", known=known
    )
    assert record.number_to == user
    assert record.readable


def test_a_malformed_witness_is_named_and_tells_nothing() -> None:
    marks = [{"mark": 5, "at": 1.0}, {"mark": -1, "at": 2.0}]
    record = CallRecord("c", {"witness": {"codec": "PCMA", "marks": marks}})
    assert record.witness("codec") is None
    assert record.unread.startswith("witness.marks.1.mark: ")
    whole = CallRecord("c", {"witness": {"codec": "PCMA", "marks": marks[:1]}})
    assert (
        whole.witness("codec"),
        whole.witness("marks")[0]["mark"],
        whole.witness("digits"),
        whole.unread,
    ) == (
        "PCMA",
        5,
        None,
        "",
    )
