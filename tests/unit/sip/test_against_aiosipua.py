"""A second opinion: what an independent parser and digest client make of ordinary messages.

aiosipua was the first choice for these modules, and fails on some of what the harness has to read
(see the docstring of `harness.sip`). On what is ordinary the two have to agree.
"""

from __future__ import annotations

import pytest
from aiosipua.auth import SipDigestAuth, build_credentials
from aiosipua.headers import parse_auth, stringify_auth
from aiosipua.message import SipMessage, SipRequest

from harness.sip.digest import CredentialCheck, DigestServer
from harness.sip.message import Message, Request
from harness.sip.offer_answer import offer

INVITE = (
    "INVITE sip:+12065550100@sip.example.com:32681;transport=tcp SIP/2.0\r\n"
    "Via: SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKone;rport\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKtwo\r\n"
    "Record-Route: <sip:192.0.2.7;lr>, <sip:192.0.2.8:5080;transport=tcp;lr>\r\nMax-Forwards: 70\r\n"
    'From: "A. Caller" <sip:+12065550123@example.com>;tag=1\r\nTo: <sip:+12065550100@sip.example.com>\r\n'
    "Call-ID: abc@192.0.2.1\r\nCSeq: 4711 INVITE\r\nContact: <sip:caller@192.0.2.1:5070;transport=tcp>;expires=60\r\n"
    "Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
)


def test_messages() -> None:
    sdp = str(offer("192.0.2.1", 4000))
    raw = INVITE.format(length=len(sdp), sdp=sdp)
    ours, theirs = Message.parse(raw), SipMessage.parse(raw)
    assert isinstance(ours, Request)
    assert isinstance(theirs, SipRequest)
    assert (ours.method, ours.request_uri, ours.call_id) == (
        theirs.method,
        theirs.uri,
        theirs.call_id,
    )
    assert ours.body == theirs.body
    assert theirs.cseq is not None
    assert (ours.cseq.number, ours.cseq.method) == (theirs.cseq.seq, theirs.cseq.method)
    assert [(v.transport, v.host, v.port, v.branch) for v in ours.vias] == [
        (v.transport, v.host, v.port, v.branch) for v in theirs.via
    ]
    for mine, other in (
        (ours.from_, theirs.from_addr),
        (ours.to, theirs.to_addr),
        (ours.contacts[0], theirs.contact[0]),
    ):
        assert other is not None
        assert (mine.display, mine.tag, dict(mine.params)) == (
            other.display_name,
            other.tag,
            other.params,
        )
        assert (mine.uri.user, mine.uri.host, mine.uri.port) == (
            other.uri.user,
            other.uri.host,
            other.uri.port,
        )
    assert ours.values("Record-Route") == theirs.headers.get("record-route")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(
    ("password", "outcome"),
    [("right", CredentialCheck.ACCEPTED), ("wrong", CredentialCheck.WRONG_PASSWORD)],
)
def test_their_client_convinces_our_server(
    algorithm: str, password: str, outcome: CredentialCheck
) -> None:
    server = DigestServer("example.com", {"a": "right"}.get, algorithm=algorithm)  # type: ignore[arg-type]
    _, challenge = server.challenge()
    credentials = build_credentials(
        SipDigestAuth("a", password), parse_auth(challenge), "REGISTER", "sip:example.com"
    )
    assert credentials is not None
    request = Request.build(
        "REGISTER", "sip:example.com", [("Authorization", stringify_auth(credentials))]
    )
    assert server.verify(request).outcome is outcome
