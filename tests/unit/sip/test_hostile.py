"""Text from the wire that only looks like SIP or SDP: it is refused as a syntax error, never
another exception.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.sip.grammar import SipSyntaxError, decimal, split_host_port
from harness.sip.headers import CSeq, parse_number
from harness.sip.message import Message, Response
from harness.sip.offer_answer import NoAgreementError, answer
from harness.sip.sdp import Crypto, Description, SdpError
from harness.sip.validation import problem_of_request, problem_of_response, salvage

#: Python counts all of these as digits; int() takes only some, and none beyond 4,300 characters.
NO_NUMBERS = ("²", "٣", "1²", "①", "𝟙", "+1", "1_0", " 1", "", "-1", "9" * 5000)
INVITE = (
    "INVITE sip:+12065550100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n"
    "From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n"
    "Contact: <sip:a@127.0.0.1:5070;ob>\r\nContent-Type: application/sdp\r\n\r\n"
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n"
)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_decimal_number_is_none_or_a_syntax_error(text: str) -> None:
    assert decimal(text, most=2**64) is None
    if not text.strip() or text != text.strip():
        return
    with pytest.raises(SipSyntaxError):
        CSeq.parse(f"{text} INVITE")
    with pytest.raises(SipSyntaxError):
        parse_number(text, name="Max-Forwards")
    with pytest.raises(SipSyntaxError):
        split_host_port(f"127.0.0.1:{text}")
    with pytest.raises(SdpError):
        Crypto.parse(f"{text} AES_CM_128_HMAC_SHA1_80 inline:a")


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
        _ = (
            description.rtp,
            description.direction,
            [(m.codecs, m.ptime, m.crypto) for m in description.media],
        )
        _ = answer(description, "192.0.2.2", 4002)
    except (SipSyntaxError, NoAgreementError):
        pass


#: Pieces from which hostile messages are made: digits that are none, lengths, control characters,
#: half a surrogate.
PIECES = st.sampled_from(
    [*NO_NUMBERS, *'\0;,="<>@%\\:/ é', "\x1b[2J", "\r\n", "\r\n ", "\r²", "%00", "sip:", "m=audio"]
)


@given(
    st.lists(st.tuples(st.integers(0, 600), PIECES, st.integers(0, 5)), min_size=1, max_size=4),
    st.sampled_from([0, 1]),
)
@example([(INVITE.index("\r\nFrom"), "\r²", 0)], 0)
def test_no_piece_put_anywhere_raises_anything_but_a_syntax_error(
    edits: list[tuple[int, str, int]], kind: int
) -> None:
    text = INVITE
    if kind:
        text = text.replace("INVITE sip:+12065550100@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK", 1)
    for at, piece, removed in edits:
        text = text[:at] + piece + text[at + removed :]
    _read_all(text.encode())
