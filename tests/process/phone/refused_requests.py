"""Requests from strangers that a softphone refuses."""

from __future__ import annotations

import socket

from harness.calls.events import StrangerRefused
from harness.phone.leg import Leg
from harness.phone.phone import Phone

METHODS = ["INVITE", "OPTIONS", "SUBSCRIBE", "REFER", "NOTIFY", "MESSAGE", "BYE", "REGISTER", "PUBLISH", "INFO"]


def wait_refused(phone: Phone, leg: Leg | None = None, within: float = 10.0) -> StrangerRefused:
    event = (leg or phone).wait("a stranger", lambda event: isinstance(event, StrangerRefused), within)
    assert isinstance(event, StrangerRefused)
    return event


def datagram(
    source: socket.socket,
    phone: Phone,
    method: str,
    *,
    number: int = 1,
    extra: str = "",
    to: tuple[str, int] | None = None,
) -> None:
    """A request outside of any dialog, as a scanner sends it; ``to`` a phone behind a router."""
    host, port = source.getsockname()
    text = (
        f"{method} sip:100@{phone.address} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number};rport\r\n"
        f'Max-Forwards: 70\r\nFrom: "sipvicious"<sip:100@1.1.1.1>;tag={number}\r\nTo: <sip:100@{phone.address}>\r\n'
        f"Call-ID: scan-{number}-{port}\r\nCSeq: {number} {method}\r\nContact: <sip:100@{host}:{port}>\r\n"
        f"User-Agent: friendly-scanner\r\n{extra}Content-Length: 0\r\n\r\n"
    )
    place, _, target = phone.address.rpartition(":")
    source.sendto(text.encode(), to or (place, int(target)))
