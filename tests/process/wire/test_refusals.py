"""What a user agent server refuses, and how it answers what it cannot serve."""

from __future__ import annotations

from typing import Any

import pytest

from harness.world.wire.agent import UserAgent
from harness.world.wire.call import IncomingRequest
from harness.world.wire.invite import IncomingCall
from tests.process.wire.datagrams import Datagrams


def beside(ua: UserAgent) -> Datagrams:
    """A socket at the node's own address."""
    target = ua.local("udp").sockaddr
    return Datagrams(target, target[0])


def invite(
    method: str = "INVITE", *, branch: str = "1", drop: str = "", body: str = "", **headers: str
) -> bytes:
    lines = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:1;rport;branch=z9hG4bK{branch}",
        "Max-Forwards": "70",
        "From": "<sip:caller@example.com>;tag=me",
        "To": "<sip:callee@example.com>",
        "Call-ID": "refused@example.com",
        "CSeq": f"1 {method}",
        "Contact": "<sip:caller@127.0.0.1:1>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "Content-Length": str(len(body)),
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if name != drop)
    return f"{method} sip:callee@127.0.0.1 SIP/2.0\r\n{text}\r\n{body}".encode()


REFUSALS: list[tuple[bytes, int, str, str]] = [
    (invite("PUBLISH"), 405, "Allow", "INVITE"),
    (invite(Require="100rel, carrier-pigeon"), 420, "Unsupported", "carrier-pigeon"),
    (invite(Max_Forwards="0"), 483, "", ""),
    (invite(Max_Forwards="many"), 400, "", ""),
    (invite(drop="Call-ID"), 400, "", ""),
    (invite(drop="From"), 400, "", ""),
    (invite(drop="CSeq"), 400, "", ""),
    (invite(drop="Contact"), 400, "", ""),
    (invite(CSeq="1 BYE"), 400, "", ""),
    (invite(CSeq="99999999999 INVITE"), 400, "", ""),
    (invite(To="<sip:callee@example.com>;tag=unknown"), 481, "", ""),
    (invite("BYE", To="<sip:callee@example.com>;tag=unknown"), 481, "", ""),
    (invite("BYE"), 481, "", ""),
    (invite("CANCEL"), 481, "", ""),
    (invite(body="{}", Content_Type="application/json"), 415, "Accept", "application/sdp"),
    (
        invite(body="x", Content_Type="application/sdp", Content_Encoding="gzip"),
        415,
        "Accept-Encoding",
        "id",
    ),
    (invite(Accept="text/plain"), 406, "", ""),
    (invite(Session_Expires="30", Supported="timer"), 422, "Min-SE", "90"),
    (invite("OPTIONS", Max_Forwards="0"), 200, "Allow", "INVITE"),
]


async def test_refusals(nodes: Any) -> None:
    plain = beside(await nodes.answering("callee"))
    for number, (data, status, header, value) in enumerate(REFUSALS):
        plain.send(data.replace(b"branch=z9hG4bK1", b"branch=z9hG4bK%d" % number))
        while (response := await plain.final()).via.branch != f"z9hG4bK{number}":
            pass
        assert response.status == status, data
        assert response.to.tag is not None
        assert value in (response.get(header) or "")
        if data.startswith(b"INVITE"):
            plain.send(
                data.replace(b"branch=z9hG4bK1", b"branch=z9hG4bK%d" % number)
                .replace(b"INVITE sip", b"ACK sip")
                .replace(b"1 INVITE", b"1 ACK")
            )
    host, port = plain.target
    plain.send(
        invite("ACK", branch="stray", To="<sip:callee@example.com>;tag=unknown")
    )  # gets no answer
    plain.send(
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKnobody\r\nFrom: <sip:a@b>;tag=1\r\n"
        "To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n".encode()
    )
    plain.send(invite("OPTIONS", branch="last"))
    while (response := await plain.final()).via.branch != "z9hG4bKlast":
        assert response.method != "ACK"
    plain.close()


async def test_a_request_out_of_order_is_answered_500(nodes: Any) -> None:
    ua = await nodes.answering("callee")
    plain = beside(ua)
    plain.send(invite(CSeq="7 INVITE"))
    answer = await plain.final()
    to = answer.get("To") or ""
    plain.send(invite("ACK", branch="ack", To=to, CSeq="7 ACK"))
    plain.send(invite("INFO", branch="late", To=to, CSeq="6 INFO"))
    while (response := await plain.final()).method != "INFO":
        pass
    assert response.status == 500
    plain.send(invite("BYE", branch="bye", To=to, CSeq="8 BYE"))
    while (response := await plain.final()).method != "BYE":
        pass
    assert response.status == 200
    plain.close()


async def test_responses_go_where_rfc_3581_says(nodes: Any) -> None:
    ua = await nodes.ua("callee")
    plain, other = beside(ua), beside(ua)
    host = ua.local("udp").address
    plain.send(invite("OPTIONS", branch="a", Via="SIP/2.0/UDP 192.0.2.9:9;rport;branch=z9hG4bKa"))
    via = (await plain.receive()).via
    assert (via.params.get("rport"), via.params.get("received")) == (str(plain.port), host)
    # Without rport: to the source's address, and the port of sent-by (RFC 3261 section 18.2.2).
    plain.send(
        invite(
            "OPTIONS",
            branch="b",
            Via=f"SIP/2.0/UDP 192.0.2.9:{other.port};branch=z9hG4bKb",
            CSeq="2 OPTIONS",
        )
    )
    via = (await other.receive()).via
    assert (via.params.get("received"), "rport" in via.params) == (host, False)
    plain.close()
    other.close()


def test_a_handler_that_raises_answers_500(nodes: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        ua = await nodes.ua("callee")

        async def broken(incoming: IncomingRequest | IncomingCall) -> None:
            raise ZeroDivisionError

        ua.on("REGISTER", broken)
        ua.on_invite = broken
        plain = beside(ua)
        plain.send(invite("REGISTER"))
        assert (await plain.receive()).status == 500
        plain.send(invite())
        assert (await plain.receive()).status == 500
        plain.send(invite("ACK"))
        plain.close()

    nodes.run(story())
    assert [r.getMessage() for r in caplog.records if "failed" in r.getMessage()]
    caplog.clear()
