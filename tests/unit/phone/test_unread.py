"""Messages longer than pjsua2 accepts (4000 octets) break a case, and fail none (RFC 3261 section
18.1.1).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case.events import SipMessage
from harness.case.legs import EventLog
from harness.case.model import messages_of
from harness.errors import PhoneParseError
from harness.phone.waiter import LONGEST_MESSAGE, too_long, why_nothing_came
from harness.sip.message import Message, Request, Response
from tests.unit.phone_events import sip_message

HEAD = "SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n"
NAMES = st.sampled_from(("Content-Length: ", "l:", "l : ", "CONTENT-LENGTH :\t"))
BODY = "v=0\r\n"


def logged(head: str, body: int) -> str:
    """The part of a message that the log has."""
    return (head + BODY.ljust(body, "x")[:body])[:3885]


def received(text: str) -> SipMessage:
    return sip_message("received", text)


@given(NAMES, st.integers(0, 65535), st.integers(0, 3000), st.data())
def test_a_message_beyond_the_limit_is_truncated(
    name: str, body: int, padding: int, draw: st.DataObject
) -> None:
    lines = draw.draw(st.permutations([f"X-Padding: {'x' * padding}\r\n", f"{name}{body}\r\n"]))
    head = f"{HEAD}{''.join(lines)}\r\n"
    found = too_long(EventLog([received(logged(head, body))]))
    assert (found is not None) is (len(head) + body > LONGEST_MESSAGE)
    if found is not None:
        assert "caller.1 got 'SIP/2.0 200 OK'" in str(found)


def test_headers_that_fill_a_log_entry_are_truncated() -> None:
    assert too_long(EventLog([received(HEAD + "X-Padding: " + "x" * 3800)])) is not None


@given(st.text(st.characters(max_codepoint=126), max_size=3000))
def test_a_short_message_is_never_truncated(text: str) -> None:
    assert (
        too_long(
            EventLog([received("SIP/2.0 200 OK\r\n" + text.lower().replace("l", "") + "\r\n\r\n")])
        )
        is None
    )


def test_a_timeout_after_a_truncated_message_is_broken() -> None:
    long = received(logged(f"{HEAD}Content-Length: 5000\r\n\r\n", 5000))
    assert isinstance(why_nothing_came(EventLog([long])), PhoneParseError)


@given(st.integers(4000, 10**9), st.integers(0, 3000))
def test_a_wrong_content_length_is_no_truncation(declared: int, body: int) -> None:
    """Its Content-Length is wrong (RFC 3261 section 18.3), which is no phone's fault."""
    assert (
        too_long(EventLog([received(logged(f"{HEAD}Content-Length: {declared}\r\n\r\n", body))]))
        is None
    )


def test_an_unread_message_is_parsed_once_by_the_wait_and_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[bytes | str] = []
    parse = Message.parse

    def counted(data: bytes | str) -> Request | Response:
        parsed.append(data)
        return parse(data)

    monkeypatch.setattr(Message, "parse", staticmethod(counted))
    text = "BYE sip:+12065550101@192.0.2.1 SIP/2.0\r\nCSeq: 77 BYE\r\nContent-Length: 0\r\n\r\n"
    event = replace(received(text), unread="PJSIP syntax error")
    assert "is malformed: " in str(why_nothing_came(EventLog([event])))
    assert [message.method for message in messages_of([event])] == ["BYE"]
    assert parsed == [text]
