"""Calls over IPv6 (RFC 3261 section 19.1.2, RFC 4566 section 5.7): signalling, SDP and RTP, on ::1."""

from __future__ import annotations

import re
import socket

import pytest

from harness.deployment import from_plain
from harness.events import MediaState, RtpStatistics
from harness.phone import Answer
from harness.scenario.phones import own_phone, stand_in
from tests.process.phone.conftest import Authority, Desk, connect, hears, uri_of

HERE = "::1"


@pytest.fixture
def options(request: pytest.FixtureRequest, authority: Authority) -> dict[str, object]:
    """Of both phones, over the transport asked for."""
    found: dict[str, object] = {"bind_address": HERE, "transport": request.param}
    if request.param == "tls":
        found["tls"] = authority.server(HERE)
    return found


@pytest.mark.parametrize("options", ["udp", "tcp", "tls"], indirect=True)
def test_both_ends_hear_each_other(lease: Desk, options: dict[str, object]) -> None:
    alice, bob = lease("alice", **options), lease("bob", **options)
    bob.policy = Answer()
    transport = str(options["transport"])
    uri = uri_of(bob) + ("" if transport == "udp" else f";transport={transport}")
    out = alice.dial(uri)
    back = bob.expect_call(5, answer=False)
    out.wait_state("confirmed", 5)
    assert hears(out, back).quality > 0.9
    assert hears(back, out).quality > 0.9
    assert {m.transport for m in out.messages} == {transport}
    assert all(place.startswith("[::1]:") for m in out.messages for place in (m.local, m.remote))
    for text in (out.invite.text, next(m.text for m in out.messages if m.text.startswith("SIP/2.0 200"))):
        assert re.search(rf"^Via: SIP/2.0/{transport.upper()} \[::1\]:\d+;", text, re.MULTILINE)
        assert re.search(r"^Contact: <sip:\+1206555010\d@\[::1\]:\d+", text, re.MULTILINE)
        assert re.search(r"^c=IN IP6 ::1\r$", text, re.MULTILINE)
        assert "IP4" not in text
    out.hangup()
    back.wait_state("disconnected", 5)
    out.wait_closed(5)
    media = [event for event in out.events if isinstance(event, MediaState) and event.active]
    assert all(event.local_rtp.startswith("[::1]:") and event.remote_rtp.startswith("[::1]:") for event in media)
    counted = [event for event in out.events if isinstance(event, RtpStatistics)][-1]
    assert counted.rx_packets > 0
    assert counted.rx_lost == 0


def test_holding_and_transferring(lease: Desk) -> None:
    """What has media negotiated anew, and what has a phone place a call by itself."""
    alice, bob, carol = (lease(name, bind_address=HERE, max_calls=2) for name in ("alice", "bob", "carol"))
    carol.policy = Answer()
    out, back = connect(alice, bob)
    hears(back, out)
    out.hold()
    held = out.wait("hold", lambda e: isinstance(e, MediaState) and e.direction == "sendonly", 5)
    out.resume()
    resumed = out.wait("resume", lambda e: isinstance(e, MediaState) and e.direction == "sendrecv", 5, held.at)
    hears(back, out, since=resumed.at)
    back.transfer(uri_of(carol))
    landed = carol.expect_call(5, answer=False)
    landed.wait_state("confirmed", 5)
    assert out.successor is not None
    hears(landed, out.successor)
    hears(out.successor, landed)


def test_ports_of_a_range(lease: Desk) -> None:
    alice, bob = lease("alice", bind_address=HERE, rtp_ports=(31000, 31099)), lease("bob", bind_address=HERE)
    out, _ = connect(alice, bob)
    media = out.wait("media", lambda e: isinstance(e, MediaState) and e.active, 5)
    assert isinstance(media, MediaState)
    assert 31000 <= int(media.local_rtp.rpartition(":")[2]) < 31099


def test_as_a_deployment_file_has_it(lease: Desk) -> None:
    """A test caller whose outbound proxy is the stand-in's own port, each made of the deployment's entries."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as trial:
        trial.bind((HERE, 0))
        port = trial.getsockname()[1]
    deployment = from_plain(
        {
            "name": "lab",
            "integration": "talkdesk",
            "kind": "stand-in",
            "platform": {"domain": "acme.example"},
            "accounts": {"carrier": {"domain": "carrier.example", "host": "::1", "port": port, "register": False}},
            "phones": {"caller": {"account": "carrier", "number": "+14155550101"}},
            "assistants": {"main": {"did": "+12065550100"}},
            "lines": {"inbound": {"did": "+13125550100", "assistant": "main"}},
            "stand_in": {"bind": "::1"},
            "trunks": [
                {
                    "name": "udp",
                    "ai": "stand-in",
                    "transport": "udp",
                    "port": port,
                    "host": "::1",
                    "termination": "[::1]:9",
                }
            ],
        }
    )
    ai = lease.of(stand_in(deployment, deployment.trunks[0]))
    caller = lease.of(own_phone(deployment, "caller"))
    ai.policy = Answer()
    out = caller.dial("sip:+13125550100@carrier.example")
    back = ai.expect_call(5, answer=False)
    hears(out, back)
    hears(back, out)
    assert "From: <sip:+14155550101@carrier.example>" in back.invite.text
