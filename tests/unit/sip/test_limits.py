"""Messages, headers and streams exactly at their limits."""

from __future__ import annotations

import pytest

from harness.sip.framing import MOST_BODY, MOST_HEAD, FramingError, StreamFramer
from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import CSeq, Via, parse_number
from harness.sip.message import Message, Request, Response
from harness.sip.validation import problem_of_request, problem_of_response, salvage

HEAD = (
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: a@b\r\n"
    "CSeq: 1 OPTIONS\r\n"
)


def request(*lines: str, start: str = "OPTIONS sip:b@h SIP/2.0", head: str = HEAD, body: str = "") -> Request:
    text = f"{start}\r\n{head}" + "".join(f"{line}\r\n" for line in lines) + f"\r\n{body}"
    parsed = Message.parse(text)
    assert isinstance(parsed, Request)
    return parsed


# -- messages


@pytest.mark.parametrize("code", [100, 199, 200, 299, 300, 699])
def test_codes_of_responses(code: int) -> None:
    parsed = Message.parse(f"SIP/2.0 {code} x\r\n{HEAD}\r\n")
    assert isinstance(parsed, Response)
    assert parsed.is_final is (code >= 200)
    assert parsed.is_success is (200 <= code <= 299)
    assert Response.build(code, []).status == code


@pytest.mark.parametrize("code", ["099", "700", "99", "1000"])
def test_what_is_no_code(code: str) -> None:
    with pytest.raises(SipSyntaxError):
        Message.parse(f"SIP/2.0 {code} x\r\n{HEAD}\r\n")
    with pytest.raises(ValueError, match="status code"):
        Response.build(int(code), [])


def test_a_message_has_512_header_lines_at_most() -> None:
    assert len(request(*["X: 1"] * 507).headers) == 512
    with pytest.raises(SipSyntaxError):
        request(*["X: 1"] * 508)


@pytest.mark.parametrize(
    ("lines", "body", "kept"),
    [
        (["Content-Length: 2"], "abc", b"ab"),
        (["Content-Length: 3"], "abc", b"abc"),
        (["Content-Length: 4"], "abc", b"abc"),
        (["Content-Length: 0"], "abc", b""),
        (["Content-Length: 1", "l: 1"], "abc", b"a"),
        (["Content-Length: 1", "l: 2"], "abc", b"abc"),
        (["Content-Length: x"], "abc", b"abc"),
        ([], "abc", b"abc"),
    ],
)
def test_bytes_after_content_length_are_cut_off(lines: list[str], body: str, kept: bytes) -> None:
    assert request(*lines, body=body).body == kept


@pytest.mark.parametrize(
    "start",
    ["OPTIONS sip:b@h", "OPTIONS  SIP/2.0", "O,PTIONS sip:b@h SIP/2.0", "OPTIONS sip:b@h HTTP/1.1", "SIP/2.0 200", "x"],
)
def test_start_lines(start: str) -> None:
    if start == "SIP/2.0 200":
        assert Message.parse(f"{start}\r\n{HEAD}\r\n").start_line == "SIP/2.0 200 "
        return
    with pytest.raises(SipSyntaxError):
        Message.parse(f"{start}\r\n{HEAD}\r\n")


def test_folded_lines_are_one() -> None:
    assert request("Subject: a", "\tb", "  c").get("Subject") == "a b c"
    with pytest.raises(SipSyntaxError):
        Message.parse("OPTIONS sip:b@h SIP/2.0\r\n folded\r\n\r\n")
    for line in ("x", ": x", "a b: c"):
        with pytest.raises(SipSyntaxError):
            request(line)
    assert request("Subject \t: a").get("Subject") == "a"


def test_what_was_changed_is_written_anew() -> None:
    parsed = request("Content-Length: 9", "X-A: 1", "x-a: 2", body="abc")
    assert b"\r\nContent-Length: 3\r\n\r\nabc" in parsed.serialize()
    assert parsed.raw.endswith(b"x-a: 2\r\n\r\nabc")
    assert parsed.adding("Y", "1").headers[-1].name == "Y"
    assert parsed.adding("Y", "1", top=True).headers[0].name == "Y"
    assert [h.value for h in parsed.setting("X-A", "3").headers if h.key == "x-a"] == ["3"]
    assert parsed.setting("Z", "3").headers[-1].value == "3"
    assert parsed.setting("From", "<sip:c@h>").headers[1].value == "<sip:c@h>"
    assert not parsed.without("X-A", "Via").has("x-a")
    assert parsed.listing("X-A", ["7", "8"]).get_all("X-A") == ["7", "8"]
    assert parsed.listing("New", ["7"]).headers[0].name == "New"
    assert parsed.listing("To", ["<sip:c@h>"]).headers[2].value == "<sip:c@h>"
    with pytest.raises(ValueError, match="header"):
        parsed.adding("Y", "1\r\nZ: 2")
    with pytest.raises(ValueError, match="header"):
        parsed.adding("Y Z", "1")


@pytest.mark.parametrize(
    ("method", "uri"),
    [("O PTIONS", "sip:h"), ("", "sip:h"), ("OPTIONS", ""), ("OPTIONS", "sip:h x"), ("OPTIONS", "sip:h\r\n")],
)
def test_what_cannot_be_sent(method: str, uri: str) -> None:
    with pytest.raises(ValueError, match="start line"):
        Request.build(method, uri, [])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("4294967295", 2**32 - 1), ("4294967296", 2**32 - 1), ("-1", None), ("x", None), ("", None)],
)
def test_expires(text: str, seconds: int | None) -> None:
    assert request(f"Expires: {text}").expires == seconds
    assert request().expires is None


def test_max_forwards() -> None:
    assert request().max_forwards is None
    assert request("Max-Forwards: 255").max_forwards == 255
    assert request("Max-Forwards: 0").max_forwards == 0
    with pytest.raises(SipSyntaxError):
        _ = request("Max-Forwards: 256").max_forwards


def test_contacts() -> None:
    assert request("Contact: *").contact_is_star
    assert request("Contact: *").contacts == ()
    assert request().contact is None
    assert not request("Contact: <sip:a@h>, <sip:b@h>").contact_is_star
    found = request("Contact: <sip:a@h>, <sip:b@h>").contact
    assert found is not None
    assert found.uri.user == "a"


def test_the_body_of_a_type() -> None:
    assert request(body="x").part("application/sdp") == b"x"
    assert request("Content-Type: Application/SDP; x=y", body="x").part("application/sdp") == b"x"
    assert request("Content-Type: text/plain", body="x").part("application/sdp") is None
    assert request("Content-Type: application/sdp").part("application/sdp") is None
    parts = "--z\r\nContent-Type: text/plain\r\n\r\na\r\n--z\r\nContent-Type: application/sdp\r\n\r\nb\r\n--z--\r\n"
    mixed = request('Content-Type: multipart/mixed; boundary="z"', body=parts)
    assert mixed.part("application/sdp") == b"b"
    assert mixed.part("text/html") is None


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
    asked = request(head=HEAD.replace("<sip:b@h>", to))
    assert Response.to_request(asked, status, tag=tag).get("To") == answered


# -- headers


@pytest.mark.parametrize(
    ("text", "ok"),
    [("2147483647 BYE", True), ("2147483648 BYE", False), ("0 BYE", True), ("1 B,E", False), ("1", False)],
)
def test_cseq(text: str, ok: bool) -> None:
    if ok:
        assert str(CSeq.parse(text)) == text
    else:
        with pytest.raises(SipSyntaxError):
            CSeq.parse(text)


@pytest.mark.parametrize(
    ("branch", "has"),
    [(";branch=z9hG4bK", False), (";branch=z9hG4bKx", True), (";branch=xyz", False), ("", False), (";branch", False)],
)
def test_the_cookie_of_a_branch(branch: str, has: bool) -> None:
    assert Via.parse(f"SIP/2.0/UDP h{branch}").has_cookie is has


@pytest.mark.parametrize(
    ("via", "stamped"),
    [
        ("SIP/2.0/UDP 192.0.2.1", "SIP/2.0/UDP 192.0.2.1"),
        ("SIP/2.0/UDP h", "SIP/2.0/UDP h;received=192.0.2.1"),
        ("SIP/2.0/UDP 192.0.2.1;rport", "SIP/2.0/UDP 192.0.2.1;rport=9;received=192.0.2.1"),
        ("SIP/2.0/UDP [192.0.2.1]:1", "SIP/2.0/UDP [192.0.2.1]:1"),
    ],
)
def test_a_via_as_the_server_notes_the_source(via: str, stamped: str) -> None:
    if "[" in via:
        via = stamped = "SIP/2.0/UDP [2001:db8::1]:1"
        assert str(Via.parse(via).stamped("2001:db8::1", 9)) == stamped
    else:
        assert str(Via.parse(via).stamped("192.0.2.1", 9)) == stamped


def test_a_number_ignores_parameters() -> None:
    assert parse_number("7;x", name="x", most=7) == 7
    with pytest.raises(SipSyntaxError):
        parse_number("8", name="x", most=7)


# -- validation


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (request(start="OPTIONS sip:b@h SIP/3.0"), 505),
        (request(start="BYE sip:b@h SIP/2.0"), 400),
        (request(start="OPTIONS <sip:b@h> SIP/2.0"), 400),
        (request(start='OPTIONS sip:b"@h SIP/2.0'), 400),
        (request(start="OPTIONS http:b SIP/2.0"), 416),
        (request(start="OPTIONS sip:b@h?x=y SIP/2.0"), 400),
        (request("Contact: <sip:a@h>;;x"), 400),
        (request("Contact: sip:a@h?x=y"), 400),
        (request("Content-Length: 1"), 400),
        (request("Content-Length: x"), 400),
        (request("Content-Length: ²"), 400),
        (request("Max-Forwards: 70", "Max-Forwards: 70"), 400),
        (request("Max-Forwards: x"), 400),
        (request("Route: <sip:a"), 400),
        (request("Record-Route: <sip:a"), 400),
        (request(head=HEAD.replace("Call-ID: a@b", "Call-ID: a b")), 400),
        (request(head=HEAD.replace("branch", ";branch")), 400),
        *((request(head=HEAD.replace(name, "X-Gone")), 400) for name in ("Via", "From", "To", "Call-ID", "CSeq")),
    ],
)
def test_what_is_wrong_with_a_request(changed: Request, status: int) -> None:
    problem = problem_of_request(changed)
    assert problem is not None
    assert problem.status == status


@pytest.mark.parametrize(
    "right",
    [
        request(),
        request("Content-Length: 0"),
        request("Content-Length: 1", body="x"),
        request("Contact: *"),
        request("Contact: <sip:a@h?x=y>;q=1"),
        request("Contact: sip:a@h;x"),
        request(start="OPTIONS tel:+12065550100 SIP/2.0"),
        request(start="OPTIONS SIPS:b@h SIP/2.0"),
        request(head=HEAD.replace("Call-ID: a@b", "Call-ID: ab")),
    ],
)
def test_what_may_be_processed(right: Request) -> None:
    assert problem_of_request(right) is None


def test_what_is_wrong_with_a_response() -> None:
    def problem(text: str) -> str | None:
        parsed = Message.parse(text)
        assert isinstance(parsed, Response)
        return problem_of_response(parsed)

    right = f"SIP/2.0 200 OK\r\n{HEAD}Date: x\r\n\r\n"
    assert problem(right) is None
    assert problem(right.replace("SIP/2.0 200", "SIP/1.0 200")) == "version SIP/1.0"
    assert problem(right.replace("To: <sip:b@h>\r\n", "")) == "To is missing"
    assert problem(right.replace("<sip:b@h>", "<sip:b")) is not None
    assert problem(right.replace("1 OPTIONS", "x OPTIONS")) is not None


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (f"OPTIONS sip:b h SIP/2.0\r\n{HEAD}\r\n", "sip:b h"),
        (f"OPTIONS SIP/2.0\r\n{HEAD}\r\n", "?"),
        (f"OPTIONS x sip/9\r\nbroken\r\n{HEAD}: x\r\n\r\n", "x"),
        (f"OPTIONS\r\n{HEAD}\r\n", None),
        (f"O,PTIONS x SIP/2.0\r\n{HEAD}\r\n", None),
        (f"OPTIONS x HTTP/1.1\r\n{HEAD}\r\n", None),
        ("OPTIONS x SIP/2.0\r\nFrom: x\r\n\r\n", None),
        ("OPTIONS x SIP/2.0\r\nVia: x\r\n\r\n", None),
    ],
)
def test_what_can_be_saved_of_a_request(text: str, uri: str | None) -> None:
    found = salvage(text.encode())
    assert (None if found is None else found.request_uri) == uri
    if found is not None:
        assert [header.name for header in found.headers] == ["Via", "From", "To", "Call-ID", "CSeq"]


# -- streams


def framed(length: str, body: bytes = b"") -> bytes:
    return f"OPTIONS sip:b@h SIP/2.0\r\n{length}\r\n\r\n".encode() + body


@pytest.mark.parametrize(
    "header",
    ["Content-Length: 3", "l:3", "CONTENT-LENGTH \t: 3 ", "Content-Length:\r\n 3", "l: 3\r\nContent-Length: 3"],
)
def test_a_body_is_as_long_as_the_header_says(header: str) -> None:
    framer = StreamFramer()
    whole = framed(header, b"abc")
    assert list(framer.feed(whole[:-1])) == []
    assert list(framer.feed(whole[-1:] + whole)) == [whole, whole]


@pytest.mark.parametrize("header", ["X: 3", "l: 3\r\nl: 4", "l: x", "l: -1", f"l: {MOST_BODY + 1}", "Xl: 3"])
def test_without_a_length_a_stream_cannot_be_cut(header: str) -> None:
    with pytest.raises(FramingError):
        list(StreamFramer().feed(framed(header)))


def test_the_longest_body_and_the_longest_head() -> None:
    assert list(StreamFramer().feed(framed(f"l: {MOST_BODY}"))) == []
    assert (MOST_HEAD, MOST_BODY) == (65536, 1048576)
    assert list(StreamFramer().feed(b"O" * MOST_HEAD)) == []
    with pytest.raises(FramingError) as raised:
        list(StreamFramer().feed(b"O" * (MOST_HEAD + 1)))
    assert len(raised.value.head) == MOST_HEAD


def test_keep_alives_stand_between_messages() -> None:
    whole = framed("l: 0")
    framer = StreamFramer()
    assert list(framer.feed(b"\r\n")) == []
    assert list(framer.feed(b"\r\n")) == [b"\r\n\r\n"]
    assert list(framer.feed(b"\r\n" + whole)) == [whole]
    assert list(framer.feed(b"\n\r\n\r\n" + whole + b"\r\n\r\n")) == [b"\r\n\r\n", whole, b"\r\n\r\n"]
    with pytest.raises(FramingError, match="does not speak SIP"):
        list(framer.feed(b"\x16\x03\x01"))
