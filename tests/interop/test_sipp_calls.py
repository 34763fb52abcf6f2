"""SIPp calls a phone of the harness, as a platform calls an agent or the AI's stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.case.events import CallState, MarkHeard
from harness.phone import Answer, Policy, Reject, Ring
from harness.phone.config import Transport
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.world.addresses import Block
from tests.interop.platform import SIPP
from tests.interop.sipp import (
    PROVISIONAL,
    Sipp,
    acknowledge,
    ask,
    client,
    pause,
    response,
    sdp,
    speak,
)
from tools.interop.processes import PATIENCE

Lease = Callable[..., Phone]
USER = "agent"
FINAL = '<recv response="{}" rrs="true"></recv>'
TRANSPORTS = pytest.mark.parametrize("transport", ["udp", "tcp"])


class Ringing:
    """A SIPp that calls ``agent``, a phone at the address ``here``."""

    def __init__(self, directory: Path, host: str, phone: Phone, transport: str) -> None:
        self._directory, self._host, self._transport = directory, host, transport
        self.agent, self.here = phone, phone.address

    def __call__(self, steps: Sequence[str]) -> Sipp:
        return Sipp(
            self._directory,
            self._host,
            steps,
            target=self.here,
            transport=self._transport,
            mark=206,
        )

    def invites(self, *headers: str, body: str = "") -> str:
        return ask("INVITE", 1, USER, self.here, *headers, body=body)

    def refused(self) -> str:
        """The ACK of a refusal, which is part of the INVITE's transaction."""
        return ask("ACK", 1, USER, self.here, uri=f"sip:{USER}@{self.here}", within=True)

    def acknowledges(self, body: str = "") -> str:
        return acknowledge(1, USER, self.here, body=body)

    def ends(self) -> list[str]:
        return client("BYE", USER, self.here, cseq=20)


Calling = Callable[..., Ringing]


@pytest.fixture
def calling(tmp_path: Path, block: Block, lease: Lease) -> Calling:
    """``calling(policy, transport, **fields of PhoneConfig)``: a SIPp that is going to call such a
    phone.
    """

    def calling(policy: Policy, transport: Transport = "udp", **fields: object) -> Ringing:
        agent = lease("agent", user=USER, transport=transport, **fields)
        agent.policy = policy
        return Ringing(tmp_path / "sipp", block[SIPP + 35], agent, transport)

    return calling


def hears_sipp(leg: Leg) -> None:
    leg.wait("SIPp's mark", lambda e: isinstance(e, MarkHeard) and e.mark == 206, PATIENCE)


def ended_by(leg: Leg) -> int:
    event = leg.wait(
        "its end",
        lambda e: isinstance(e, CallState) and e.state == "disconnected",
        PATIENCE,
        outlives_call=True,
    )
    assert isinstance(event, CallState)
    return event.code


@TRANSPORTS
def test_offer_in_the_ack(calling: Calling, transport: Transport) -> None:
    """RFC 3261 section 13.2.1: no offer in the INVITE, so that the 200 has one, and the ACK the
    answer.
    """
    ringing = calling(Answer(), transport)
    steps = [
        ringing.invites(),
        *PROVISIONAL,
        FINAL.format(200),
        ringing.acknowledges(sdp("0")),
        speak(),
        pause(4000),
    ]
    with ringing([*steps, *ringing.ends()]) as sipp:
        leg = ringing.agent.next_call(PATIENCE)
        hears_sipp(leg)
        sipp.succeeds()
        (answer,) = [m for m in sipp.received("SIP/2.0 200") if "m=audio " in m]
        assert re.search(r"m=audio \d+ RTP/AVP 0 8 ", answer)


def test_reliable_provisional_response(calling: Calling) -> None:
    """RFC 3262 section 3: required, so the 180 is reliable, and the 200 waits for its PRACK."""
    ringing = calling(Answer(after=0.3), reliable_provisional="optional")
    kept = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" assign_to="rseq"/>'
    steps = [ringing.invites("Require: 100rel", body=sdp()), PROVISIONAL[0]]
    steps.append(f'<recv response="180" rrs="true"><action>{kept}</action></recv>')
    steps += [
        ask("PRACK", 2, USER, ringing.here, "RAck: [$rseq] 1 INVITE", within=True),
        response(200),
    ]
    steps += [FINAL.format(200), ringing.acknowledges(), speak(), pause(4000)]
    with ringing([*steps, *ringing.ends()]) as sipp:
        hears_sipp(ringing.agent.next_call(PATIENCE))
        sipp.succeeds()


@TRANSPORTS
def test_cancel_while_it_rings(calling: Calling, transport: Transport) -> None:
    """RFC 3261 section 9.2."""
    ringing = calling(Ring(), transport)
    cancel = ask("CANCEL", 1, USER, ringing.here)
    steps = [
        ringing.invites(body=sdp()),
        PROVISIONAL[0],
        response(180),
        cancel,
        response(200),
        response(487),
    ]
    with ringing([*steps, ringing.refused()]) as sipp:
        assert ended_by(ringing.agent.next_call(PATIENCE)) == 487
        sipp.succeeds()


@TRANSPORTS
@pytest.mark.parametrize("code", [480, 486, 603])
def test_refusal(calling: Calling, transport: Transport, code: int) -> None:
    ringing = calling(Reject(code), transport)
    with ringing(
        [ringing.invites(body=sdp()), PROVISIONAL[0], response(code), ringing.refused()]
    ) as sipp:
        sipp.succeeds()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        pytest.param(("Require: teleportation",), sdp(), 420, id="extension-nobody-has"),
        pytest.param((), sdp("97", "rtpmap:97 AMR/8000"), 488, id="codec-nobody-has"),
        pytest.param(
            ("Replaces: gone@example.com;to-tag=1;from-tag=2",), sdp(), 481, id="replaces-no-call"
        ),
        pytest.param(
            ("Session-Expires: 30", "Supported: timer"), sdp(), 422, id="interval-too-small"
        ),
    ],
)
def test_request_that_cannot_be_met(
    calling: Calling, headers: tuple[str, ...], body: str, status: int
) -> None:
    """RFC 3261 sections 8.2.2.3 and 13.3.1.3, RFC 3891 section 3, RFC 4028 section 9."""
    ringing = calling(Answer())
    with ringing(
        [ringing.invites(*headers, body=body), PROVISIONAL[0], response(status), ringing.refused()]
    ) as sipp:
        sipp.succeeds()
