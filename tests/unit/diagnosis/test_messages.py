"""The messages at the AI's side, as far as anything shows them."""

from __future__ import annotations

import pytest

from harness.calls.events import FarEndRecord
from harness.calls.model import read as parse
from harness.diagnosis.scene import offered_audio as formats
from harness.diagnosis.sdp import offered
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of, scene_of


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("m=audio 4000 RTP/AVP 0", "G.711"),
        ("m=audio 4000 RTP/AVP 8", "G.711"),
        ("m=audio 4000 RTP/AVP 1", "no G.711"),
        ("m=audio 4000 RTP/AVP 9", "no G.711"),
        ("m=audio 4000 RTP/AVP 18 7", "no G.711"),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 PCMA/8000", "G.711"),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 pcmu/8000", "G.711"),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:97 PCMA/8000", "no G.711"),
        ("m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G729/8000", "no G.711"),
        ("m=audio 4000 RTP/SAVP 0", "SRTP alone"),
        ("m=audio 4000 udp/tls/rtp/savpf 0", "SRTP alone"),
        ("m=audio 4000 RTP/AVP", "no G.711"),
        ("m=video 4000 RTP/AVP 0", "no audio"),
        ("", "no audio"),
    ],
)
def test_what_is_offered(body: str, what: str) -> None:
    assert offered(f"v=0\r\n{body}\r\n") == what


def test_an_offer_in_its_own_words() -> None:
    message = parse("INVITE sip:x SIP/2.0\r\nContent-Length: 26\r\n\r\nv=0\r\nm=audio 4 RTP/AVP 0\r\n")
    assert message is not None
    assert formats(message) == "offered: m=audio 4 RTP/AVP 0"
    empty = parse("INVITE sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n")
    assert empty is not None
    assert formats(empty) == "no audio was offered"
    assert parse("nonsense") is None


def _record(**record: object) -> FarEndRecord:
    return FarEndRecord(at=0.0, phone="synthflow", source="GET /v2/calls/c1", record=record)


@pytest.mark.parametrize(
    "witness", [None, "x", {}, {"messages": None}, {"messages": [{}]}, {"messages": [{"text": "x"}]}]
)
def test_a_record_that_shows_no_message(witness: object) -> None:
    example = Example()
    example.events.append(_record(witness=witness))
    assert scene_of(example).at_ai == []


def test_messages_are_counted_as_the_record_has_them() -> None:
    example = Example().ai_gets()
    example._messages.insert(0, {"text": "nonsense"})
    (seen,) = scene_of(example).at_ai
    assert seen.where == "message 2 of GET /v2/calls/c1"
    assert seen.received
    assert (seen.transport, seen.local) == ("udp", "192.0.2.60:32681")


def test_the_last_record_of_a_call_counts() -> None:
    example = Example()
    example.events += [_record(status="ringing"), _record(status="completed")]
    assert [record.record["status"] for record in scene_of(example).records] == ["completed"]
    assert scene_of(Example().probed("ai", "answers")).records == []


def test_a_stand_in_s_own_messages_are_the_ai_s() -> None:
    example = Example(ai="stand-in").dials().ai_gets()
    broken = Example(ai="stand-in").at_phone("stand-in", "INVITE")
    broken.at_phone("caller", "INVITE")
    assert [seen.where for seen in scene_of(example).at_ai] == ["m1"]
    assert len(scene_of(broken).at_ai) == 1


def test_an_answer_whose_cseq_cannot_be_read_answers_nothing() -> None:
    example = Example().ai_gets()._sip("sent", "SIP/2.0 404 Not Found", "INVITE", number="x")
    assert [seen.answers("INVITE") for seen in scene_of(example).at_ai] == [0, 0]
    assert facts_of(example).value("ai.code") is None


def test_a_status_answers_requests_of_its_method_alone() -> None:
    (seen,) = scene_of(Example()._sip("sent", "SIP/2.0 404 Not Found", "INVITE")).at_ai
    assert (seen.answers("INVITE"), seen.answers("BYE")) == (404, 0)
    assert not seen.is_request("INVITE")
    (invite,) = scene_of(Example().ai_gets()).at_ai
    assert (invite.answers("INVITE"), invite.is_request("INVITE"), invite.is_request("BYE")) == (0, True, False)
