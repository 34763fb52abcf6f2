"""Messages and their headers: reading, changing, writing, and the octets in between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import COMPACT, CSeq, Header, Via, parse_number
from harness.sip.message import Message, Request, Response
from tests.unit.sip.sip_requests import HEAD, request
from tests.unit.sip.torture import MESSAGES

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


def test_octets_are_kept_until_something_changes() -> None:
    found = invite()
    assert found.raw is found.received
    assert found.raw == INVITE
    changed = found.setting("X-EI", "S.x;")
    assert changed.received is None
    assert b"x-weird: spaced\r\n" in changed.raw
    assert [header.name for header in changed.headers] == [header.name for header in found.headers]


@pytest.mark.parametrize("short", COMPACT)
def test_every_compact_form_is_known(short: str) -> None:
    message = Message.parse(f"OPTIONS sip:x SIP/2.0\r\n{short}: value\r\n\r\n")
    assert message.get(COMPACT[short]) == message.get(short.upper()) == "value"
    assert message.headers[0].name == short


def test_header_lines_are_never_merged_and_lists_are_read_over_all_of_them() -> None:
    found = request(
        "X-A: 1", "Allow: INVITE, ACK", "X-A: 2", "Allow: BYE", "Require: 100rel, Timer ;x=1"
    )
    assert (found.get("x-a"), found.get_all("x-a")) == ("1", ["1", "2"])
    assert found.values("Allow") == ["INVITE", "ACK", "BYE"]
    assert found.get_all("Allow") == ["INVITE, ACK", "BYE"]
    assert found.tokens("Require") == {"100rel", "timer"}
    assert found.tokens("Supported") == frozenset()


@pytest.mark.parametrize(
    ("contact", "star", "users"),
    [
        ("*", True, []),
        (" * ", True, []),
        ("<sip:a@b>, <sip:c@d>;q=0.5", False, ["a", "c"]),
        ('"a, b" <sip:a@b;x=1,2>', False, ["a"]),
    ],
)
def test_contacts(contact: str, star: bool, users: list[str]) -> None:
    found = request(f"m: {contact}")
    assert found.contact_is_star is star
    assert [each.uri.user for each in found.contacts] == users
    assert found.contact == (found.contacts[0] if users else None)


@pytest.mark.parametrize(
    "start",
    ["", "x", "OPTIONS sip:b@h", "OPTIONS  SIP/2.0", "O,PTIONS sip:b@h SIP/2.0", "OPTIONS sip:b@h HTTP/1.1",
     "SIP/2.0 20 OK", "SIP/2.0 099 OK", "SIP/2.0 700 OK", "SIP/2.0 ²²² OK", "SIP/2.0 ٢٠٠ OK"],
)  # fmt: skip
def test_start_lines_that_are_none(start: str) -> None:
    with pytest.raises(SipSyntaxError):
        Message.parse(f"{start}\r\n{HEAD}\r\n")


@pytest.mark.parametrize("code", [100, 199, 200, 299, 300, 699])
def test_status_codes(code: int) -> None:
    parsed = Message.parse(f"SIP/2.0 {code} x\r\n{HEAD}\r\n")
    assert isinstance(parsed, Response)
    assert parsed.is_final is (code >= 200)
    assert parsed.is_success is (200 <= code <= 299)
    assert Response.build(code, []).status == code
    assert Message.parse(f"SIP/2.0 {code}\r\n{HEAD}\r\n").start_line == f"SIP/2.0 {code} "


@pytest.mark.parametrize("code", [99, 700])
def test_no_response_is_built_with_a_status_that_is_none(code: int) -> None:
    with pytest.raises(ValueError, match="status code"):
        Response.build(code, [])


def test_header_lines() -> None:
    assert request("Subject \t: a", "\tb", "  c").get("Subject") == "a b c"
    assert Message.parse(b"OPTIONS sip:x SIP/2.0\nSubject: a\n b\n\nbody").get("Subject") == "a b"
    assert len(request(*["X: 1"] * 507).headers) == 512
    for lines in (["x"], [": x"], ["a b: c"], ["X: 1"] * 508):
        with pytest.raises(SipSyntaxError):
            request(*lines)
    with pytest.raises(SipSyntaxError):
        Message.parse("OPTIONS sip:b@h SIP/2.0\r\n folded\r\n\r\n")


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        (["Content-Length: 2"], b"ab"),
        (["Content-Length: 3"], b"abc"),
        (["Content-Length: 4"], b"abc"),
        (["Content-Length: 0"], b""),
        (["Content-Length: 1", "l: 1"], b"a"),
        (["Content-Length: 1", "l: 2"], b"abc"),
        (["Content-Length: x"], b"abc"),
        ([], b"abc"),
    ],
)
def test_bytes_after_content_length_are_cut_off(lines: list[str], kept: bytes) -> None:
    assert request(*lines, body="abc").body == kept


def test_what_was_changed_is_written_anew() -> None:
    found = request("Content-Length: 9", "X-A: 1", "x-a: 2", body="abc")
    assert b"\r\nContent-Length: 3\r\n\r\nabc" in found.serialize()
    assert found.adding("Y", "1").headers[-1].name == "Y"
    assert found.adding("Y", "1", top=True).headers[0].name == "Y"
    assert [h.value for h in found.setting("X-A", "3").headers if h.key == "x-a"] == ["3"]
    assert found.setting("Z", "3").headers[-1].value == "3"
    assert found.setting("From", "<sip:c@h>").headers[1].value == "<sip:c@h>"
    assert not found.without("X-A", "Via").has("x-a")


@pytest.mark.parametrize(
    ("name", "value"), [("X-A", "1\r\nX-B: 2"), ("X-A", "a\nb"), ("X A", "1"), ("X", "\x00")]
)
def test_no_header_can_smuggle_in_another(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="not a header that can be sent"):
        invite().adding(name, value)


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("O PTIONS", "sip:h"),
        ("", "sip:h"),
        ("OPTIONS", ""),
        ("OPTIONS", "sip:h x"),
        ("OPTIONS", "sip:h\r\n"),
    ],
)
def test_nor_can_a_start_line(method: str, uri: str) -> None:
    with pytest.raises(ValueError, match="not a start line"):
        Request.build(method, uri, [])
    with pytest.raises(ValueError, match="not a reason phrase"):
        Response.build(200, [], reason="OK\r\nX: y")


# -- octets that are no text


def test_what_is_not_utf_8_survives() -> None:
    raw = b"OPTIONS sip:x SIP/2.0\r\nSubject: \xff\xfe\r\nContent-Length: 2\r\n\r\n\x00\xff"
    message = Message.parse(raw)
    assert message.serialize() == raw
    assert message.body == b"\x00\xff"


def test_half_of_a_surrogate_pair_is_of_no_octets() -> None:
    with pytest.raises(SipSyntaxError, match="no octets"):
        Message.parse(INVITE.decode().replace("A. Caller", "\ud83d"))


TOKENS = st.text(st.sampled_from("abcXYZ019-.!%*_+`'~"), min_size=1, max_size=12)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40).map(str.strip)


@given(
    st.lists(st.tuples(TOKENS.map(lambda t: "X-" + t), VALUES), max_size=8), st.binary(max_size=60)
)
def test_what_is_built_is_read_back(pairs: list[tuple[str, str]], body: bytes) -> None:
    again = Message.parse(Request.build("INVITE", "sip:a@b", pairs, body).raw)
    assert isinstance(again, Request)
    assert again.headers[:-1] == tuple(Header(*pair) for pair in pairs)
    assert again.body == body


# -- answers


@pytest.mark.parametrize(
    ("to", "status", "tag", "answered"),
    [
        ("<sip:b@h>", 200, "x", "<sip:b@h>;tag=x"),
        ("<sip:b@h>", 101, "x", "<sip:b@h>;tag=x"),
        ("<sip:b@h>", 100, "x", "<sip:b@h>"),
        ("<sip:b@h>", 200, None, "<sip:b@h>"),
        ("<sip:b@h>;tag=y", 200, "x", "<sip:b@h>;tag=y"),
        ("<<>; Tag=y", 200, "x", "<<>; Tag=y"),
        ("<<>", 200, "x", "<<>;tag=x"),
    ],
)
def test_the_tag_of_an_answer(to: str, status: int, tag: str | None, answered: str) -> None:
    asked = request("Timestamp: 54", "Subject: x", head=HEAD.replace("<sip:b@h>", to))
    response = Response.to_request(asked, status, tag=tag)
    assert response.get("To") == answered
    assert response.get_all("Timestamp") == (
        ["54"] if status == 100 else []
    )  # RFC 3261 section 8.2.6.1
    assert response.get_all("Subject") == []


def test_responses_are_made_of_their_request() -> None:
    asked = invite().with_top_via(invite().via.stamped("198.51.100.7", 4711))
    response = Response.to_request(
        asked, 180, tag="callee", headers=[("Contact", "<sip:b@192.0.2.9>")]
    )
    assert response.start_line == "SIP/2.0 180 Ringing"
    assert response.get_all("Via") == asked.get_all("Via")
    assert (response.call_id, response.cseq, response.method) == (
        asked.call_id,
        asked.cseq,
        "INVITE",
    )


# -- Via


@pytest.mark.parametrize(
    ("via", "address", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.1", "192.0.2.1", ""),
        ("SIP/2.0/UDP 192.0.2.1", "192.0.2.9", ";received=192.0.2.9"),
        ("SIP/2.0/UDP h", "192.0.2.1", ";received=192.0.2.1"),
        ("SIP/2.0/UDP 192.0.2.1;rport", "192.0.2.1", "=9;received=192.0.2.1"),
        ("SIP/2.0/UDP [2001:db8::1]:1", "2001:db8::1", ""),
    ],
)
def test_a_via_as_the_server_notes_the_source(via: str, address: str, stamped: str) -> None:
    assert str(Via.parse(via).stamped(address, 9)) == via + stamped


@pytest.mark.parametrize(("transport", "port"), [("UDP", 5060), ("TCP", 5060), ("TLS", 5061)])
def test_a_via_without_a_port_means_its_transports_default(transport: str, port: int) -> None:
    """RFC 3261 section 18.2.2."""
    assert Via.parse(f"SIP/2.0/{transport} Host;branch=z9hG4bK1").sent_by == ("host", port)
    assert Via.parse(f"SIP/2.0/{transport} host:0;branch=z9hG4bK1").sent_by == ("host", 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0 host",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ho st",
        "SIP/2.0/UDP h:99999",
        "SIP/2.0/UDP h:x",
    ],
)
def test_what_is_no_via(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Via.parse(text)


def test_the_vias_below_the_top_one_stay_and_keep_no_request_from_its_answer() -> None:
    changed = invite().with_top_via(Via.parse("SIP/2.0/TCP four;branch=z9hG4bK4"))
    assert [via.host for via in changed.vias] == ["four", "192.0.2.2", "192.0.2.3"]
    unreadable = Message.parse(MESSAGES["badinv01"][1])
    assert isinstance(unreadable, Request)
    assert unreadable.via.sent_by == ("192.0.2.15", 5060)
    stamped = unreadable.with_top_via(unreadable.via.stamped("127.0.0.1", 5070))
    assert Response.to_request(stamped, 400).via.params.get("received") == "127.0.0.1"
    hostile = request(head=HEAD.replace("From", "Via: SIP/2.0/UDP 127.0.0.2;x=\0\r\nFrom"))
    assert "\0" not in str(hostile.with_top_via(hostile.via.stamped("127.0.0.9", 5)))


# -- numbers


@pytest.mark.parametrize(
    ("text", "ok"),
    [
        ("2147483647 BYE", True),
        ("2147483648 BYE", False),
        ("0 BYE", True),
        ("1 B,E", False),
        ("1", False),
    ],
)
def test_cseq(text: str, ok: bool) -> None:
    if ok:
        assert str(CSeq.parse(text)) == text
    else:
        with pytest.raises(SipSyntaxError):
            CSeq.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        *((text, 2**32 - 1) for text in ("4294967295", "4294967296", "9" * 5000)),
        *((text, None) for text in ("-1", "x", "²", "")),
    ],
)
def test_expires(text: str, seconds: int | None) -> None:
    assert request(f"Expires: {text}").expires == seconds
    assert request().expires is None


def test_numbers_have_a_range_and_their_parameters_are_ignored() -> None:
    assert parse_number(" 4294967295 ;x=1", name="Expires") == 2**32 - 1
    assert parse_number("70", name="Max-Forwards", most=70) == 70
    for text in ("4294967296", "-1", "", "1x"):
        with pytest.raises(SipSyntaxError):
            parse_number(text, name="Expires")
    assert request().max_forwards is None
    assert [request(f"Max-Forwards: {number}").max_forwards for number in (0, 255)] == [0, 255]
    with pytest.raises(SipSyntaxError):
        _ = request("Max-Forwards: 256").max_forwards
