"""Limits, defaults and tables of RFC 3261 and IANA, each with the values beside them."""

from __future__ import annotations

import pytest

from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import Via, parse_number
from harness.sip.message import Message, Request, Response
from harness.sip.sdp import G722, GSM, PCMA, PCMU, Codec
from harness.sip.uri import Uri


@pytest.mark.parametrize(("transport", "port"), [("UDP", 5060), ("TCP", 5060), ("TLS", 5061)])
def test_a_via_without_a_port_means_its_transports_default(transport: str, port: int) -> None:
    """RFC 3261 section 18.2.2."""
    assert Via.parse(f"SIP/2.0/{transport} Host;branch=z9hG4bK1").sent_by == ("host", port)
    assert Via.parse(f"SIP/2.0/{transport} host:0;branch=z9hG4bK1").sent_by == ("host", 0)


def test_numbers_of_headers_fit_32_bits() -> None:
    assert parse_number(" 4294967295 ;x=1", name="Expires") == 2**32 - 1
    for text in ("4294967296", "-1", "", "1x"):
        with pytest.raises(SipSyntaxError):
            parse_number(text, name="Expires")
    assert parse_number("70", name="Max-Forwards", most=70) == 70
    with pytest.raises(SipSyntaxError):
        parse_number("71", name="Max-Forwards", most=70)


@pytest.mark.parametrize(("status", "copied"), [(100, ["54"]), (180, []), (200, [])])
def test_only_a_100_gives_the_timestamp_back(status: int, copied: list[str]) -> None:
    """RFC 3261 section 8.2.6.1."""
    request = Message.parse(
        "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        "To: <sip:b@h>\r\nCall-ID: a@b\r\nCSeq: 1 OPTIONS\r\nTimestamp: 54\r\nSubject: x\r\nContent-Length: 0\r\n\r\n"
    )
    assert isinstance(request, Request)
    response = Response.to_request(request, status, tag="far")
    assert response.get_all("Timestamp") == copied
    assert response.get_all("Subject") == []
    assert response.to.tag == (None if status == 100 else "far")


def test_the_vias_below_the_top_one_stay() -> None:
    request = Message.parse(
        "BYE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP one;branch=z9hG4bK1, SIP/2.0/UDP two;branch=z9hG4bK2\r\n"
        "Via: SIP/2.0/UDP three;branch=z9hG4bK3\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: a@b\r\n"
        "CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    )
    changed = request.with_top_via(Via.parse("SIP/2.0/TCP four;branch=z9hG4bK4"))
    assert [value.split()[1].split(";")[0] for value in changed.values("Via")] == ["four", "two", "three"]


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("sip:a@[2001:db8::1]", "2001:db8::1", 5060),
        ("sip:a@h;transport=tls", "h", 5061),
        ("sips:a@h", "h", 5061),
        ("sips:a@h:5060", "h", 5060),
    ],
)
def test_where_a_uri_leads(text: str, address: str, port: int) -> None:
    uri = Uri.parse(text)
    assert (uri.address, uri.effective_port) == (address, port)


def test_static_payload_types() -> None:
    """RFC 3551 section 6; G.722 is told with half its rate (section 4.5.2)."""
    assert [codec.rtpmap for codec in (PCMU, GSM, PCMA, G722)] == [
        "0 PCMU/8000",
        "3 GSM/8000",
        "8 PCMA/8000",
        "9 G722/8000",
    ]
    assert Codec("opus", 48000, 96, 2).rtpmap == "96 opus/48000/2"
