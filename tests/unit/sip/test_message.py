"""Messages: reading, changing, writing, and the octets in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import COMPACT, Header, Via
from harness.sip.message import Message, Request, Response
from harness.sip.validation import Problem, _phrase, problem_of_request

INVITE = (
    b"INVITE sip:+12065550100@sip.example.com:32681 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone;rport\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKtwo, SIP/2.0/TCP 192.0.2.3;branch=z9hG4bKthree\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "A. Caller" <sip:+12065550123@example.com>;tag=1\r\n'
    b"To: <sip:+12065550100@sip.example.com>\r\n"
    b"Call-ID: abc@192.0.2.1\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:caller@192.0.2.1:5070>\r\n"
    b"X-EI: S.abc123;E.crm456,7;O.+15551234567;\r\n"
    b"x-weird:   spaced   \r\n"
    b"Content-Type: application/sdp;charset=utf-8\r\nContent-Length: 5\r\n\r\nv=0\r\n"
)


def invite() -> Request:
    message = Message.parse(INVITE)
    assert isinstance(message, Request)
    return message


def test_a_request_is_read() -> None:
    request = invite()
    assert (request.method, request.uri.user, request.uri.port) == ("INVITE", "+12065550100", 32681)
    assert [via.branch for via in request.vias] == ["z9hG4bKone", "z9hG4bKtwo", "z9hG4bKthree"]
    assert request.from_.display == "A. Caller"
    assert request.content_type == "application/sdp"
    assert request.get("x-ei") == "S.abc123;E.crm456,7;O.+15551234567;"  # no list: the comma is the value's
    assert request.body == b"v=0\r\n"
    assert problem_of_request(request) is None


def test_of_several_header_lines_the_first_is_read() -> None:
    several = invite().adding("X-Tried", "one").adding("X-Tried", "two")
    assert several.get("X-Tried") == "one"
    assert several.get_all("X-Tried") == ["one", "two"]


@pytest.mark.parametrize(
    "name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires"]
)
def test_what_stands_once_is_refused_twice(name: str) -> None:
    """RFC 3261 section 7.3.1: of these a message has no list."""
    once = invite() if invite().has(name) else invite().adding(name, "60")
    assert problem_of_request(once) is None
    twice = once.adding(name, once.get(name) or "")
    assert problem_of_request(twice) == Problem(400, f"{name} stands more than once")


def test_a_reason_phrase_is_short_and_holds_nothing_of_the_sender_s() -> None:
    assert _phrase("bad CSeq: 'x\r\nTo: y'") == "bad CSeq"
    assert _phrase("x" * 100) == "x" * 80


def test_tokens_are_of_all_lines_and_without_parameters() -> None:
    request = invite().adding("Require", "100rel, Timer ;x=1").adding("Require", "replaces")
    assert request.tokens("Require") == {"100rel", "timer", "replaces"}
    assert request.tokens("Supported") == frozenset()


def test_a_message_shows_its_headers_and_not_its_bytes_again() -> None:
    assert "received=" not in repr(invite())


def test_octets_are_kept_until_something_changes() -> None:
    request = invite()
    assert request.raw is request.received
    assert request.raw == INVITE
    changed = request.setting("X-EI", "S.x;")
    assert changed.received is None
    assert b"x-weird: spaced\r\n" in changed.raw
    names = [header.name for header in changed.headers]
    assert names == [header.name for header in request.headers]  # order and case as they came


@pytest.mark.parametrize("short", COMPACT)
def test_every_compact_form_is_known(short: str) -> None:
    message = Message.parse(f"OPTIONS sip:x SIP/2.0\r\n{short}: value\r\n\r\n")
    assert message.get(COMPACT[short]) == "value"
    assert message.get(short.upper()) == "value"
    assert message.headers[0].name == short


def test_header_lines_are_never_merged() -> None:
    message = Message.parse("OPTIONS sip:x SIP/2.0\r\nX-A: 1\r\nAllow: INVITE, ACK\r\nX-A: 2\r\nAllow: BYE\r\n\r\n")
    assert message.get_all("x-a") == ["1", "2"]
    assert message.values("Allow") == ["INVITE", "ACK", "BYE"]
    assert message.get_all("Allow") == ["INVITE, ACK", "BYE"]


@pytest.mark.parametrize(
    ("contact", "star", "count"),
    [("*", True, 0), (" * ", True, 0), ("<sip:a@b>, <sip:c@d>;q=0.5", False, 2), ('"a, b" <sip:a@b;x=1,2>', False, 1)],
)
def test_contact(contact: str, star: bool, count: int) -> None:
    message = Message.parse(f"REGISTER sip:x SIP/2.0\r\nm: {contact}\r\n\r\n")
    assert message.contact_is_star is star
    assert len(message.contacts) == count


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"INVITE\r\n\r\n",
        b"INVITE sip:x\r\n\r\n",
        b"INVITE sip:x HTTP/1.1\r\n\r\n",
        b"SIP/2.0 20 OK\r\n\r\n",
        b"SIP/2.0 099 OK\r\n\r\n",
        b"SIP/2.0 700 OK\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nno colon here\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nna me: x\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\n" + b"X: y\r\n" * 600 + b"\r\n",
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        Message.parse(data)


def test_what_is_not_utf_8_survives() -> None:
    raw = b"OPTIONS sip:x SIP/2.0\r\nSubject: \xff\xfe\r\nContent-Length: 2\r\n\r\n\x00\xff"
    message = Message.parse(raw)
    assert message.serialize() == raw
    assert message.body == b"\x00\xff"


def test_lone_line_feeds_are_understood() -> None:
    assert Message.parse(b"OPTIONS sip:x SIP/2.0\nSubject: a\n b\n\nbody").get("Subject") == "a b"


@pytest.mark.parametrize(("name", "value"), [("X-A", "1\r\nX-B: 2"), ("X-A", "a\nb"), ("X A", "1"), ("X", "\x00")])
def test_no_header_can_smuggle_in_another(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="not a header that can be sent"):
        invite().adding(name, value)


def test_nor_can_a_start_line() -> None:
    with pytest.raises(ValueError, match="not a start line"):
        Request.build("INVITE", "sip:a@b SIP/2.0\r\nX: y", [])
    with pytest.raises(ValueError, match="not a reason phrase"):
        Response.build(200, [], reason="OK\r\nX: y")


def test_responses_are_made_of_their_request() -> None:
    request = invite().with_top_via(invite().via.stamped("198.51.100.7", 4711))
    response = Response.to_request(request, 180, tag="callee", headers=[("Contact", "<sip:b@192.0.2.9>")])
    assert response.start_line == "SIP/2.0 180 Ringing"
    assert response.get_all("Via") == request.get_all("Via")
    assert response.to.tag == "callee"
    assert (response.call_id, response.cseq, response.method) == (request.call_id, request.cseq, "INVITE")
    assert Response.to_request(request, 100, tag="callee").to.tag is None
    tagged = request.setting("To", "<sip:x@y>;tag=there")
    assert Response.to_request(tagged, 200, tag="other").to.tag == "there"


@pytest.mark.parametrize(
    ("via", "address", "received", "rport"),
    [
        ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", "192.0.2.1", None, None),
        ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa", "192.0.2.9", "192.0.2.9", None),
        ("SIP/2.0/UDP host.example.com", "192.0.2.9", "192.0.2.9", None),
        ("SIP/2.0/UDP 192.0.2.1;rport", "192.0.2.1", "192.0.2.1", "4711"),
        ("SIP/2.0/UDP [2001:db8::1]:5060", "2001:db8::1", None, None),
    ],
)
def test_the_source_is_noted_in_via(via: str, address: str, received: str | None, rport: str | None) -> None:
    stamped = Via.parse(via).stamped(address, 4711)
    assert (stamped.params.get("received"), stamped.params.get("rport")) == (received, rport)


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0 host", "SIP/2.0/UDP", "SIP/2.0/UDP ho st", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h:x"]
)
def test_what_is_no_via(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Via.parse(text)


def test_multipart_bodies() -> None:
    """The shape of RFC 4475's mpart01: the description is one part among others (RFC 5621)."""
    body = (
        b"--7a9cbec02ceef655\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nHello\r\n"
        b"--7a9cbec02ceef655\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n"
        b"--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\n\r\n\x30\x82\x01\x00\xff\r\n"
        b"--7a9cbec02ceef655--\r\n"
    )
    message = Request.build("INVITE", "sip:x", [("Content-Type", "multipart/mixed;boundary=7a9cbec02ceef655")], body)
    assert (message.part("application/sdp") or b"").strip() == b"v=0"
    assert message.part("application/octet-stream") == b"\x30\x82\x01\x00\xff"
    assert message.part("message/sipfrag") is None
    assert Request.build("INVITE", "sip:x", [("Content-Type", "text/plain")], "v=0").part("application/sdp") is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda r: r.without("To"), 400),
        (lambda r: r.adding("CSeq", "2 INVITE"), 400),
        (lambda r: r.setting("CSeq", "1 BYE"), 400),
        (lambda r: r.setting("Call-ID", "with space"), 400),
        (lambda r: r.setting("Max-Forwards", "256"), 400),
        (lambda r: r.setting("Route", "<sip:broken"), 400),
        (lambda r: replace(r, request_uri="nobody:knows", received=None), 416),
        (lambda r: replace(r, request_uri="sip:a@b@c", received=None), 400),
    ],
)
def test_what_a_receiver_refuses(change: object, status: int) -> None:
    problem = problem_of_request(change(invite()))  # type: ignore[operator]
    assert isinstance(problem, Problem)
    assert problem.status == status


TOKENS = st.text(st.sampled_from("abcXYZ019-.!%*_+`'~"), min_size=1, max_size=12)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).map(str.strip)


@given(st.lists(st.tuples(TOKENS.map(lambda t: "X-" + t), VALUES), max_size=8), st.binary(max_size=60))
def test_what_is_built_is_read_back(pairs: list[tuple[str, str]], body: bytes) -> None:
    request = Request.build("INVITE", "sip:a@b", pairs, body)
    again = Message.parse(request.raw)
    assert isinstance(again, Request)
    assert again.headers[:-1] == tuple(Header(*pair) for pair in pairs)
    assert again.body == body


@given(st.binary(max_size=300))
def test_nothing_but_a_syntax_error_comes_out_of_garbage(data: bytes) -> None:
    for raw in (data, INVITE[:80] + data, INVITE[:-20] + data):
        try:
            message = Message.parse(raw)
            if isinstance(message, Request):
                problem_of_request(message)
        except SipSyntaxError:
            pass


@given(st.binary(max_size=40).filter(lambda octets: not set(octets) & set(b"\r\n\0")))
def test_octets_that_are_no_utf_8_are_read_from_text_as_from_the_wire(octets: bytes) -> None:
    """A display name in Latin-1, say: what a phone logs is text, with those octets as lone surrogates."""
    wire = INVITE.replace(b"A. Caller", b"A. Caller\r\nX-Name: " + octets + b"\r\nX-Rest: ")
    text = wire.decode("utf-8", "surrogateescape")
    assert bytes(Message.parse(text)) == bytes(Message.parse(wire)) == wire
    assert Message.parse(text).headers == Message.parse(wire).headers


def test_half_of_a_surrogate_pair_is_of_no_octets() -> None:
    with pytest.raises(SipSyntaxError, match="no octets"):
        Message.parse(INVITE.decode().replace("A. Caller", "\ud83d"))
