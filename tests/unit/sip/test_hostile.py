"""Text from the wire that only looks like SIP or SDP: it is refused as a syntax error, never another exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip import digest
from harness.sip.grammar import SipSyntaxError, decimal, split_host_port
from harness.sip.headers import CSeq, Via, parse_number
from harness.sip.message import Message, Request, Response
from harness.sip.sdp import Crypto, Description, SdpError
from harness.sip.uri import NameAddr, Uri
from harness.sip.validation import problem_of_request, problem_of_response, salvage

#: Python counts all of these as digits; int() takes only some, and none beyond 4,300 characters.
NO_NUMBERS = ("²", "٣", "1²", "①", "𝟙", "+1", "1_0", " 1", "", "-1", "9" * 5000)
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
INVITE = (
    "INVITE sip:+12065550100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n"
    "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_decimal_number_is_none(text: str) -> None:
    assert decimal(text, most=2**64) is None


@pytest.mark.parametrize("text", [text for text in NO_NUMBERS if text == text.strip() != ""])
def test_what_is_no_decimal_number_is_a_syntax_error_where_one_is_needed(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        CSeq.parse(f"{text} INVITE")
    with pytest.raises(SipSyntaxError):
        parse_number(text, name="Max-Forwards")
    with pytest.raises(SipSyntaxError):
        split_host_port(f"127.0.0.1:{text}")
    with pytest.raises(SdpError):
        Crypto.parse(f"{text} AES_CM_128_HMAC_SHA1_80 inline:a")


def test_leading_zeros_are_no_length() -> None:
    assert decimal("0" * 5000 + "7", most=9) == 7
    assert decimal("10", most=9) is None
    assert decimal("9", most=9) == 9


@pytest.mark.parametrize("port", ["²", "0²", "9" * 5000, "5/²", "5/" + "9" * 5000, "65536"])
def test_a_media_port_that_is_no_port_is_a_syntax_error(port: str) -> None:
    with pytest.raises(SdpError):
        Description.parse(f"{SDP}m=audio {port} RTP/AVP 0\r\n")


@pytest.mark.parametrize("formats", ["0 ²", "²", "0 " + "9" * 5000, "0 128", "0 x"])
def test_a_payload_type_that_is_none_is_a_syntax_error(formats: str) -> None:
    """RFC 8866 section 5.14: over RTP a format is a payload type; RFC 3550 section 5.1: of seven bits."""
    with pytest.raises(SdpError):
        Description.parse(f"{SDP}m=audio 4000 RTP/AVP {formats}\r\n")


def test_formats_of_other_protocols_are_their_own() -> None:
    image = Description.parse(f"{SDP}m=image 4000 udptl t38\r\n").media[0]
    assert image.formats == ("t38",)
    assert image.codecs == ()


@pytest.mark.parametrize(
    "attribute",
    ["fmtp:² x", "fmtp:" + "9" * 5000 + " x", "rtpmap:0 PCMU/" + "9" * 5000, "rtpmap:٣ X/8000", "rtpmap:0 X/8000/²", "ptime:²",
     "ptime:" + "9" * 5000],
)  # fmt: skip
def test_an_attribute_that_cannot_be_read_says_nothing(attribute: str) -> None:
    audio = Description.parse(f"{SDP}m=audio 4000 RTP/AVP 0\r\na={attribute}\r\n").media[0]
    assert [codec.name for codec in audio.codecs] == ["PCMU"]
    assert audio.codecs[0].fmtp is None
    assert audio.ptime is None


def test_a_version_that_is_no_number_is_a_syntax_error() -> None:
    for version in ("²", "9" * 5000):
        with pytest.raises(SdpError):
            _ = Description.parse(SDP.replace("- 1 1 IN", f"- 1 {version} IN")).origin


@pytest.mark.parametrize("status", ["²²²", "٢٠٠", "20²"])
def test_a_status_of_other_digits_is_no_start_line(status: str) -> None:
    with pytest.raises(SipSyntaxError):
        Message.parse(f"SIP/2.0 {status} OK\r\n\r\n")


@pytest.mark.parametrize("length", ["²", "9" * 5000])
def test_a_content_length_that_is_none_is_a_problem_and_no_exception(length: str) -> None:
    request = Message.parse(f"{INVITE}Content-Length: {length}\r\n\r\nbody")
    assert isinstance(request, Request)
    problem = problem_of_request(request)
    assert problem is not None
    assert problem.status == 400


def test_an_expiry_of_any_length_is_the_longest() -> None:
    assert Message.parse(f"{INVITE}Expires: {'9' * 5000}\r\n\r\n").expires == 2**32 - 1
    assert Message.parse(f"{INVITE}Expires: ²\r\n\r\n").expires is None


@pytest.mark.parametrize("control", ["\0", "\x1b", "\x7f", "\x01"])
def test_a_control_character_in_a_via_is_a_syntax_error(control: str) -> None:
    with pytest.raises(SipSyntaxError):
        Via.parse(f"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{control}")
    text = INVITE.replace("z9hG4bK1", f"z9hG4bK{control}")
    request = Message.parse(f"{text}\r\n\r\n")
    assert isinstance(request, Request)
    problem = problem_of_request(request)
    assert problem is not None
    assert problem.status == 400
    assert salvage(text.encode()) is None


def test_a_lower_via_that_cannot_be_sent_does_not_keep_the_top_one_from_being_stamped() -> None:
    request = Message.parse(INVITE.replace("\r\nFrom", "\r\nVia: SIP/2.0/UDP 127.0.0.2;x=\0\r\nFrom") + "\r\n")
    assert isinstance(request, Request)
    stamped = request.with_top_via(request.via.stamped("127.0.0.9", 5))
    assert "received=127.0.0.9" in str(stamped)
    assert "\0" not in str(stamped)


@pytest.mark.parametrize("control", ["\0", "\x1b", "\x7f"])
def test_a_control_character_in_a_uri_is_a_syntax_error(control: str) -> None:
    with pytest.raises(SipSyntaxError):
        Uri.parse(f"sip:a{control}@127.0.0.1")
    with pytest.raises(SipSyntaxError):
        Uri.parse(f"sip:a@127.0.0.1;x={control}")


def test_credentials_of_any_bytes_are_checked_not_tripped_over() -> None:
    server = digest.DigestServer("acme", {"a": "b"}.get)
    nonce = digest.parse(server.challenge()[1])["nonce"]
    given = digest.build({
        "username": "a", "realm": "acme", "nonce": nonce, "uri": "sip:x", "qop": "auth", "nc": "00000001", "cnonce": "\udcff",
        "response": "é",
    })  # fmt: skip
    request = Request.build("REGISTER", "sip:x", [("Authorization", given)])
    assert server.verify(request).outcome is digest.CredentialCheck.WRONG_PASSWORD


def _read_all(data: bytes) -> None:
    """Ask for everything a receiver may ask for."""
    try:
        message = Message.parse(data)
    except SipSyntaxError:
        salvage(data)
        return
    if isinstance(message, Response):
        problem_of_response(message)
    elif problem_of_request(message) is None:
        message.with_top_via(message.via.stamped("127.0.0.1", 5060))
    _ = message.expires, message.content_type, message.part("application/sdp")
    try:
        description = Description.parse(message.body)
        _ = description.rtp, description.direction, [(m.codecs, m.ptime, m.crypto) for m in description.media]
        _ = description.origin
    except SipSyntaxError:
        pass


#: Pieces from which hostile messages are made: digits that are none, lengths, control characters, half a surrogate.
PIECES = st.sampled_from([*NO_NUMBERS, *'\0;,="<>@%\\:/ é', "\x1b[2J", "\r\n", "\r\n ", "%00", "sip:"])


@given(
    st.lists(st.tuples(st.integers(0, 600), PIECES, st.integers(0, 5)), min_size=1, max_size=4), st.sampled_from([0, 1])
)
def test_no_piece_put_anywhere_raises_anything_but_a_syntax_error(edits: list[tuple[int, str, int]], kind: int) -> None:
    text = INVITE + "Contact: <sip:a@127.0.0.1:5070;ob>\r\nContent-Type: application/sdp\r\n\r\n" + SDP
    text += "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
    if kind:
        text = text.replace("INVITE sip:+12065550100@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK", 1)
    for at, piece, removed in edits:
        text = text[:at] + piece + text[at + removed :]
    _read_all(text.encode())


def test_a_cr_within_a_via_is_a_syntax_error() -> None:
    _read_all((INVITE.replace("branch=z9hG4bK1", "branch=z9hG4bK1\r²") + "\r\n").encode())


@given(st.text(max_size=60))
def test_no_address_raises_anything_but_a_syntax_error(text: str) -> None:
    for parse in (NameAddr.parse, Uri.parse, Via.parse, CSeq.parse, digest.parse, Crypto.parse):
        try:
            parse(text)
        except SipSyntaxError:
            continue
