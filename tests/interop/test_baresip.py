"""baresip behind Kamailio as AI and as agents, with media through rtpengine and astray; and face to
face over TLS.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.case.events import CallState, MarkHeard
from harness.case.verdict import Verdict
from harness.phone import TlsConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.sip.message import Message, Request
from harness.witness.capture import read_capture
from harness.witness.capture_calls import calls_of, match_capture, numbers_of
from harness.witness.matching import KnownLeg
from harness.world.addresses import Block
from harness.world.pki import Authority
from tests.interop.baresip_ai import BaresipAi
from tests.interop.capture import Capture
from tests.interop.encounter import encounter
from tests.interop.platform import AI, AREAS, BARESIP, KAMAILIO, PASSWORD, RTPENGINE, Platform
from tests.process.phone.conftest import media_of
from tools.interop.baresip import Baresip, account, registering
from tools.interop.processes import PATIENCE, until

AREA = AREAS["synthflow"]
CALLER = f"+1{AREA}5550171"
AGENT_MARK = 210
Lease = Callable[..., Phone]
Start = Callable[..., Baresip]


def hears(leg: Leg, mark: int, within: float = PATIENCE, since: float | None = None) -> None:
    leg.wait(f"mark {mark}", lambda e: isinstance(e, MarkHeard) and e.mark == mark, within, since)


def first_invite(program: Baresip) -> Request:
    text = next(m.text for m in program.messages() if m.text.startswith("INVITE "))
    message = Message.parse(text)
    assert isinstance(message, Request)
    return message


@contextmanager
def agent_at(
    platform: Platform, start: Start, user: str, transport: str = "udp"
) -> Iterator[Baresip]:
    """A baresip logged in at Kamailio as that agent, who answers by itself; at the end it logs out."""
    kamailio = platform.kamailio
    port = kamailio.tls_port if transport == "tls" else kamailio.port
    domain = platform.deployments["synthflow"].platform.domain
    line = registering(user, domain, PASSWORD, f"{kamailio.host}:{port}", transport)
    with start(line, AGENT_MARK) as agent:
        agent.registers()
        yield agent
    agent.registers(times=2)  # its last one has "Expires: 0"


def call(platform: Platform, lease: Lease, line: str, **more: object) -> Leg:
    """A caller of the harness dials a line whose AI is baresip."""
    deployment = platform.deployments["synthflow"]
    kamailio = platform.kamailio
    caller = lease(
        "caller",
        user=CALLER,
        domain=deployment.accounts["carrier"].domain,
        proxy=f"{kamailio.host}:{kamailio.port}",
        username=CALLER,
        password=PASSWORD,
        max_calls=2,
        **more,
    )
    return caller.dial(deployment.did(line, "udp"))


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_transfer_by_refer_lands_at_a_baresip_agent(
    platform: Platform, baresip_ai: BaresipAi, lease: Lease, fresh_baresip: Start, transport: str
) -> None:
    with agent_at(platform, fresh_baresip, "agent-billing-synthflow", transport) as agent:
        leg = call(platform, lease, "inbound-passed-on")
        leg.wait_state("confirmed", PATIENCE)
        hears(leg, baresip_ai.mark)
        baresip_ai.hears(leg.mark)
        leg.send_digits("0")
        landed = until("the transferred call", lambda: leg.successor, log=leg.log)
        landed.wait_state("confirmed", PATIENCE)
        hears(landed, agent.mark)
        agent.hears(landed.mark)
        assert first_invite(agent).from_.uri.user == CALLER
        leg.wait(
            "the AI's leg released",
            lambda e: isinstance(e, CallState) and e.state == "disconnected",
            PATIENCE,
            outlives_call=True,
        )
        landed.hangup()
        agent.event("CALL_CLOSED")


def test_fallback_lands_at_a_baresip_agent(
    platform: Platform, lease: Lease, fresh_baresip: Start
) -> None:
    with agent_at(platform, fresh_baresip, "agent-reception-synthflow") as agent:
        leg = call(platform, lease, "fallback-down")
        leg.wait_state("confirmed", PATIENCE)
        hears(leg, agent.mark)
        agent.hears(leg.mark)
        assert first_invite(agent).from_.uri.user == CALLER


@pytest.mark.parametrize(("line", "srtp"), [("relayed", "off"), ("decrypted", "mandatory")])
def test_media_through_rtpengine(
    tmp_path: Path, platform: Platform, baresip_ai: BaresipAi, lease: Lease, line: str, srtp: str
) -> None:
    """RTP, or SRTP of the caller (RFC 3711, keys by RFC 4568), to RTP: each side hears the other. A
    capture of both sides of the proxy and of the relay shows the call, and whose mark passed.
    """
    kamailio, relay = platform.block[KAMAILIO], platform.block[RTPENGINE]
    with Capture(tmp_path, [kamailio, relay]) as capture:
        leg = call(platform, lease, line, srtp=srtp)
        began = time.monotonic()
        leg.wait_state("confirmed", PATIENCE)
        hears(leg, baresip_ai.mark)
        baresip_ai.hears(leg.mark)
        hears(leg, baresip_ai.mark, since=time.monotonic() + 1.0)
        media = media_of(leg, 1.0)
        assert (media.remote_rtp.rpartition(":")[0], media.secure) == (relay, srtp == "mandatory")
        leg.hangup()
        leg.wait_closed(PATIENCE)
        ended = time.monotonic()
        found = read_capture(capture.stop())
    own = Message.parse(leg.invite.text)
    own_host, ai_host = leg.invite.local.rpartition(":")[0], platform.block[AI["synthflow"]]
    invites = [
        one
        for one in found.messages
        if isinstance(one.message, Request) and one.message.method == "INVITE"
    ]
    invites = [one for one in invites if one.message.call_id == own.call_id]
    assert {one.target[0] for one in invites} == {kamailio, ai_host}  # both sides of Kamailio
    assert all(CALLER[-9:] in numbers_of(one.message) for one in invites)
    known = KnownLeg(
        "case",
        "caller.1",
        "caller",
        leg.mark,
        ((began, ended),),
        True,
        frozenset({own.call_id}),
        invited=leg.invite.at,
    )
    matched = match_capture(found, [known])
    assert [(one.how, one.call.call_id) for one in matched.calls] == [("Call-ID", own.call_id)]
    ways = {(one.voice.stream.source[0], one.voice.stream.target[0]) for one in matched.heard}
    assert ways == {(own_host, relay), (relay, "127.0.0.1")}
    voices = [
        voice for one in calls_of(found) for voice in one.voices if voice.mark == baresip_ai.mark
    ]
    assert {(voice.stream.source[0], voice.stream.target[0]) for voice in voices} == {
        (there, here) for here, there in ways
    }
    assert all(stream.lost <= 0.02 * stream.packets for stream in found.streams)


def test_rtp_to_the_wrong_port_is_no_rtp(
    tmp_path: Path, platform: Platform, baresip_ai: BaresipAi, pool: PhonePool, marks: Iterator[int]
) -> None:
    """The AI hears, and talks to a port nobody listens at: the caller's end can only say that
    nothing arrives.

    RFC 3550 leaves the choice of port to signalling; baresip latches on to where RTP comes from
    only with its ``rtp`` network address translation, which is off.
    """
    deployment = platform.deployments["synthflow"]
    with encounter(tmp_path, pool, marks, deployment) as met:
        talk = met.caller().dial(deployment.did("wrong-port", "udp"))
        met.cast.expect(talk).answered()
        baresip_ai.hears(talk.mark)
        finding = met.hears(talk, baresip_ai.mark, within=1.0)
        talk.hang_up()
        assert finding.verdict is Verdict.FAILED
        assert re.fullmatch(r"no RTP packet arrived in \d\.\d s", finding.actual)
        assert finding.facts["tx_packets"]
        candidates = [cause.id for cause in met.diagnosis().candidates]
        assert candidates[:2] == ["rtp-blocked-both", "rtp-blocked-to-caller"], (
            "nothing here tells what the AI hears"
        )


def test_good_certificate_of_baresip_is_accepted(
    fresh_baresip: Start, lease: Lease, authority: Authority, block: Block
) -> None:
    host = block[BARESIP + 19]
    program = fresh_baresip(account("ai", "{host}"), 211, authority.issue("good", [host]), host)
    caller = lease("caller", transport="tls", tls=TlsConfig(ca_file=str(authority.ca_file)))
    leg = caller.dial(f"sip:ai@{host}:{program.port + 1};transport=tls")
    leg.wait_state("confirmed", PATIENCE)
    hears(leg, program.mark)
    program.hears(leg.mark)
    assert leg.invite.transport == "tls"


@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-name"])
def test_bad_certificate_of_baresip_is_refused(
    fresh_baresip: Start, lease: Lease, authority: Authority, block: Block, kind: str
) -> None:
    host = block[BARESIP + 19]
    program = fresh_baresip(
        account("ai", "{host}"), 211, authority.bad_certificates("bad", [host])[kind], host
    )
    caller = lease("caller", transport="tls", tls=TlsConfig(ca_file=str(authority.ca_file)))
    leg = caller.dial(f"sip:ai@{host}:{program.port + 1};transport=tls")
    ended = leg.wait_state("disconnected", PATIENCE)
    assert ended.code == 503
    assert not program.messages()
