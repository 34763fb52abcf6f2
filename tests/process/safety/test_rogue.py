"""A far end that tries to have its caller's phone call somebody else: by REFER, in and out of a
call, and by redirection.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from harness.deployment import from_plain
from harness.deployment.safety import Guard
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.sip.message import Request, Response
from tests.process.safety.conftest import Line
from tests.sip_peer import PATIENCE_S, SipPeer

LISTED = "+13125550100"
SDP = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
#: Nothing that would come is on its way any more after that, on loopback.
QUIET_S = 0.3


class Rogue(SipPeer):
    """Says what the test likes."""

    tag = "rogue"

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._invite: Request | None = None
        self._cseq = itertools.count(4711)

    def invited(self) -> Request:
        self._invite = self.request("INVITE")
        return self._invite

    def answer(self) -> None:
        headers = [("Contact", f"<sip:{self.address}>"), ("Content-Type", "application/sdp")]
        self.respond(self.invited(), 200, headers, SDP.format(host=self.host))
        self.request("ACK")

    def refer(self, *targets: str, to: str | None = None) -> int:
        """The status a REFER gets, 0 when none comes: in the dialog, or to ``to`` outside of any."""
        invite = self._invite
        inside = to is None and invite is not None
        lines = {
            "From": f"{invite.get('To')};tag=rogue"
            if inside and invite
            else f"<sip:rogue@{self.address}>;tag=r",
            "To": str(invite.get("From")) if inside and invite else f"<sip:victim@{to}>",
            "Call-ID": invite.call_id if inside and invite else "out-of-dialog@rogue",
        }
        uri = (
            str(invite.contact.uri) if inside and invite and invite.contact else f"sip:victim@{to}"
        )
        if to is not None:
            host, _, port = to.rpartition(":")
            self.peer = (host, int(port))
        number = next(self._cseq)
        headers = [
            ("Via", f"SIP/2.0/UDP {self.address};rport;branch=z9hG4bKrogue-{self.port}-{number}"),
            ("Max-Forwards", "70"),
            *lines.items(),
            ("CSeq", f"{number} REFER"),
            ("Contact", f"<sip:{self.address}>"),
            *(("Refer-To", target) for target in targets),
        ]
        self.sip.sendto(Request.build("REFER", uri, headers).serialize(), self.peer)
        while (found := self.next(PATIENCE_S if inside else QUIET_S)) is not None:
            if isinstance(found, Response) and found.cseq.method == "REFER" and found.is_final:
                return found.status
        return 0

    def calls(self, within: float = QUIET_S, least: int = 0) -> list[str]:
        """Whom the phone has called since, ``least`` of them waited for; requests of a call that is
        up are answered.
        """
        found: list[str] = []
        while (message := self.next(within if len(found) >= least else PATIENCE_S)) is not None:
            if isinstance(message, Request):
                if message.method == "INVITE" and self._is_new(message):
                    found.append(str(message.uri))
                if message.method != "ACK":
                    self.respond(message, 200 if message.method != "INVITE" else 486)
        return found


@pytest.fixture
def rogue() -> Iterator[Rogue]:
    with contextlib.closing(Rogue("127.0.0.1")) as rogue:
        yield rogue


@pytest.fixture
def accomplice() -> Iterator[Rogue]:
    """Where the calls would go."""
    with contextlib.closing(Rogue("127.0.0.1")) as accomplice:
        yield accomplice


def guard(rogue: Rogue) -> Guard:
    """The rules of a deployment whose only platform is the rogue."""
    return Guard(
        from_plain(
            {
                "name": "lab",
                "integration": "talkdesk",
                "kind": "live",
                "platform": {
                    "domain": "acme.example",
                    "host": "127.0.0.1",
                    "port": int(rogue.address.rpartition(":")[2]),
                },
                "accounts": {"carrier": {"domain": "carrier.example"}},
                "phones": {"caller": {"account": "carrier", "number": "+14155550101"}},
                "assistants": {"main": {"did": "+12065550100"}},
                "lines": {"inbound": {"did": LISTED, "assistant": "main"}},
                "trunks": [{"name": "udp", "transport": "udp", "port": 32681}],
            }
        )
    )


def called(line: Line, rogue: Rogue) -> Leg:
    caller = line.phone("caller", guard=guard(rogue), max_calls=2)
    leg = caller.dial(f"sip:{LISTED}@{rogue.address}")
    rogue.answer()
    leg.wait_state("confirmed", 10)
    return leg


def done_with(phone: Phone) -> None:
    """Its process has done what it does about what it was sent: the call it would place has left
    it.
    """
    for _ in range(2):  # what is asked first may be answered within the same turn
        phone.command("free_slots")


def end(leg: Leg, rogue: Rogue) -> None:
    leg.hangup()
    rogue.calls()
    leg.wait_closed(10)


def test_a_listed_number_may_be_referred_to(line: Line, rogue: Rogue) -> None:
    """What the refusals below are worth."""
    leg = called(line, rogue)
    assert rogue.refer(f"<sip:{LISTED}@{rogue.address}>") == 202
    assert rogue.calls(least=1) == [f"sip:{LISTED}@{rogue.address}"]
    end(leg, rogue)


TARGETS = [
    "<sip:911@{evil}>",
    "<sip:+19005550100@{evil}>",
    "<sip:+13125550199@{evil}>",
    "<sip:{evil}>",
    "<sip:911@acme.example>",
    "<sips:911@{evil}>",
    "<tel:911>",
    "<tel:+19005550100>",
    "<sip:" + LISTED + "@evil.example>",
    "<sip:" + LISTED + "@acme.example;maddr={evil_host}>",
    "<sip:" + LISTED + "@acme.example?Route=%3Csip:{evil};lr%3E>",
    "<sip:" + LISTED + "@acme.example?To=%3Csip:911@{evil}%3E>",
    "<sip:" + LISTED + "@acme.example;method=MESSAGE>",
    "<sip:" + LISTED + ",911@{evil}>",
    "<http://{evil}/>",
    "sip:911@{evil}",
]


def test_no_other_is(line: Line, rogue: Rogue, accomplice: Rogue) -> None:
    leg = called(line, rogue)
    answers = {
        to: rogue.refer(to.format(evil=accomplice.address, evil_host="127.0.0.9")) for to in TARGETS
    }
    assert {to: status for to, status in answers.items() if status < 400} == {}
    done_with(leg.phone)
    assert rogue.calls() == []
    assert accomplice.calls(0.0) == []
    assert leg.successor is None
    assert leg.state == "confirmed", "the call itself goes on"
    end(leg, rogue)


ROUTED = [
    ";rn=+19005551234",
    ";npdi;rn=+19005551234",
    ";npdi",
    ";cic=+10288",
    ";tgrp=expensive;trunk-context=evil.example",
    ";phone-context=+1900",
    ";route=evil.example",
    ";user=dialstring",
    ";isub=911",
    ";x-anything",
    "?X-Forward-To=911",
    "?X-Route=sip%3A911%40evil.example",
    "?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc",
    "?P-Asserted-Identity=%3Csip%3A911%40evil.example%3E",
    "?X-Gladly-Routing-Selector=billing&X-Forward-To=911",
]


def test_refer_with_routing_in_its_uri_is_declined_and_named(line: Line, rogue: Rogue) -> None:
    """The caller's INVITE would carry it to the listed number's host, which may act on it."""
    leg = called(line, rogue)
    for more in ROUTED:
        leg.phone.declined = None
        assert rogue.refer(f"<sip:{LISTED}@{rogue.address}{more}>") == 603, more
        assert "which may lead elsewhere" in str(leg.phone.declined), more
    done_with(leg.phone)
    assert rogue.calls() == []
    assert leg.successor is None
    end(leg, rogue)


@pytest.mark.parametrize(
    "more", [";user=phone", ";transport=udp", ";lr", "?X-Gladly-Routing-Selector=billing"]
)
def test_refer_with_what_leads_nowhere_else_is_followed(
    line: Line, rogue: Rogue, more: str
) -> None:
    leg = called(line, rogue)
    assert rogue.refer(f"<sip:{LISTED}@{rogue.address}{more}>") == 202
    assert len(rogue.calls(least=1)) == 1
    end(leg, rogue)


def test_two_targets_are_none(line: Line, rogue: Rogue, accomplice: Rogue) -> None:
    leg = called(line, rogue)
    rogue.refer(f"<sip:{LISTED}@{rogue.address}>", f"<sip:911@{accomplice.address}>")
    done_with(leg.phone)
    assert set(rogue.calls()) <= {f"sip:{LISTED}@{rogue.address}"}
    assert accomplice.calls(0.0) == []
    end(leg, rogue)


def test_a_refer_outside_of_a_call_is_not_followed(
    line: Line, rogue: Rogue, accomplice: Rogue
) -> None:
    victim = line.phone("victim", guard=guard(rogue), max_calls=2)
    for user in ("911", LISTED):
        assert not 200 <= rogue.refer(f"<sip:{user}@{accomplice.address}>", to=victim.address) < 300
    assert victim.options(f"sip:victim@{victim.address}")[0] == 200, "it has read what came before"
    assert accomplice.calls() == []
    assert victim.legs == []


@pytest.mark.parametrize(
    "contacts", [("911",), (), ("911", "912", LISTED, "913;q=0.1", "914", "915", "916", "917")]
)
@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
def test_no_redirection_is_followed(
    line: Line, rogue: Rogue, accomplice: Rogue, status: int, contacts: tuple[str, ...]
) -> None:
    caller = line.phone("caller", guard=guard(rogue), max_calls=2)
    leg = caller.dial(f"sip:{LISTED}@{rogue.address}")
    offered = [("Contact", f"<sip:{user}@{accomplice.address}>;q=1.0") for user in contacts]
    rogue.respond(rogue.invited(), status, offered)
    ended = leg.wait_state("disconnected", 10)
    done_with(caller)
    assert ended.code == status, "what was answered is told, and no code of the stack's own"
    assert accomplice.calls() == []
    assert len(caller.legs) == 1
    leg.wait_closed(10)
