"""baresip behind Kamailio as AI and as agents, with media through rtpengine and astray; and face to face over TLS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.calls.events import CallState, MarkHeard
from harness.calls.verdict import Verdict
from harness.phone import TlsConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.sip.message import Message, Request
from harness.world.addresses import Block
from harness.world.pki import Authority
from tests.interop.baresip_ai import BaresipAi
from tests.interop.encounter import encounter
from tests.interop.platform import AREAS, BARESIP, PASSWORD, Platform
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
    platform: Platform, start: Start, user: str, transport: str = "udp", mark: int = AGENT_MARK
) -> Iterator[Baresip]:
    """A baresip logged in at Kamailio as that agent, who answers by itself; at the end it logs out."""
    kamailio = platform.kamailio
    port = kamailio.tls_port if transport == "tls" else kamailio.port
    domain = platform.deployments["synthflow"].platform.domain
    line = registering(user, domain, PASSWORD, f"{kamailio.host}:{port}", transport)
    with start(line, mark) as agent:
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


def test_fallback_lands_at_a_baresip_agent(platform: Platform, lease: Lease, fresh_baresip: Start) -> None:
    with agent_at(platform, fresh_baresip, "agent-reception-synthflow") as agent:
        leg = call(platform, lease, "fallback-down")
        leg.wait_state("confirmed", PATIENCE)
        hears(leg, agent.mark)
        agent.hears(leg.mark)
        assert first_invite(agent).from_.uri.user == CALLER


def test_media_through_rtpengine(platform: Platform, baresip_ai: BaresipAi, lease: Lease) -> None:
    leg = call(platform, lease, "relayed")
    leg.wait_state("confirmed", PATIENCE)
    hears(leg, baresip_ai.mark)
    baresip_ai.hears(leg.mark)
    assert media_of(leg, 1.0).remote_rtp.rpartition(":")[0] == platform.block[12]


def test_srtp_of_the_caller_is_rtp_to_baresip(platform: Platform, baresip_ai: BaresipAi, lease: Lease) -> None:
    """rtpengine between SRTP (RFC 3711, keys by RFC 4568) and RTP: each side hears the other."""
    leg = call(platform, lease, "decrypted", srtp="mandatory")
    leg.wait_state("confirmed", PATIENCE)
    hears(leg, baresip_ai.mark)
    baresip_ai.hears(leg.mark)
    media = media_of(leg, 1.0)
    assert media.secure
    assert media.remote_rtp.rpartition(":")[0] == platform.block[12]


def test_rtp_to_the_wrong_port_is_no_rtp(
    tmp_path: Path, platform: Platform, baresip_ai: BaresipAi, pool: PhonePool, marks: Iterator[int]
) -> None:
    """The AI hears, and talks to a port nobody listens at: the caller's end can only say that nothing arrives.

    RFC 3550 leaves the choice of port to signalling; baresip latches on to where RTP comes from only with its ``rtp``
    network address translation, which is off.
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
        assert candidates[:2] == ["rtp-blocked-both", "rtp-blocked-to-caller"], "nothing here tells what the AI hears"


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
    program = fresh_baresip(account("ai", "{host}"), 211, authority.bad_certificates("bad", [host])[kind], host)
    caller = lease("caller", transport="tls", tls=TlsConfig(ca_file=str(authority.ca_file)))
    leg = caller.dial(f"sip:ai@{host}:{program.port + 1};transport=tls")
    ended = leg.wait_state("disconnected", PATIENCE)
    assert ended.code == 503
    assert not program.messages()
