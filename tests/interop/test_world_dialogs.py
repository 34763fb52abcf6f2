"""SIPp calls the simulated world in the ways a stranger may: each gets the answer its RFC has for
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.deployment import Deployment
from harness.world.addresses import Block
from tests.interop.platform import SIPP
from tests.interop.sipp import (
    PROVISIONAL,
    Sipp,
    acknowledge,
    ask,
    asks,
    client,
    pause,
    receive,
    respond_within_dialog,
    response,
    sdp,
    speak,
)
from tests.interop.world_calls import secret, where
from tests.process.world.conftest import RunningWorld

DOMAIN = "carrier.example"
FINAL = '<recv response="{}" rrs="true"></recv>'


class Calling:
    """Steps of a SIPp that calls a line of a deployment as ``caller-4``."""

    def __init__(self, deployment: Deployment, line: str) -> None:
        self.deployment = deployment
        self.user, self._password = secret(deployment, "caller-4")
        self.did = deployment.did(line, deployment.trunks[0].name)

    def invites(self, *headers: str, body: str = "") -> list[str]:
        """An INVITE, its challenge, and the INVITE with credentials, which has CSeq 2."""
        return asks(
            "INVITE",
            self.did,
            DOMAIN,
            *headers,
            caller=self.user,
            password=self._password,
            body=body,
        )

    def acknowledges(self, number: int = 2) -> str:
        return acknowledge(number, self.did, DOMAIN, caller=self.user)

    def refused(self) -> str:
        """The ACK of a refusal, which is part of the INVITE's transaction (RFC 3261 section
        17.1.1.3).
        """
        return ask(
            "ACK",
            2,
            self.did,
            DOMAIN,
            caller=self.user,
            uri=f"sip:{self.did}@{DOMAIN}",
            within=True,
        )

    def within(self, method: str, number: int, *headers: str, body: str = "") -> str:
        return ask(
            method, number, self.did, DOMAIN, *headers, caller=self.user, body=body, within=True
        )

    def ends(self) -> list[str]:
        return client("BYE", self.did, DOMAIN, caller=self.user, cseq=20)


Play = Callable[..., Sipp]


@pytest.fixture
def play(talkdesk: RunningWorld, tmp_path: Path, block: Block) -> Play:
    """``play(calling, steps, transport)``: a SIPp that has played them, every one as it should."""

    def play(calling: Calling, steps: Sequence[str], transport: str = "udp") -> Sipp:
        host, port = where(calling.deployment, "carrier", transport)
        arguments = ("-auth_uri", f"{calling.did}@{DOMAIN}")
        target = f"{host}:{port}"
        address = block[SIPP + 33]
        with Sipp(
            tmp_path,
            address,
            steps,
            target=target,
            transport=transport,
            mark=205,
            arguments=arguments,
        ) as sipp:
            sipp.succeeds()
        return sipp

    return play


def test_invite_without_an_offer(talkdesk: RunningWorld, play: Play) -> None:
    """RFC 3261 section 13.3.1 asks for an offer in the 2xx then. The simulated carrier, like many a
    trunk, does not go so far.
    """
    calling = Calling(talkdesk.deployments[0], "inbound")
    play(
        calling,
        [
            ask("INVITE", 2, calling.did, DOMAIN, caller=calling.user),
            PROVISIONAL[0],
            response(488),
            calling.refused(),
        ],
    )


def test_provisional_responses_are_reliable_when_required(
    talkdesk: RunningWorld, play: Play
) -> None:
    """RFC 3262 section 3: the next one comes when the last one is acknowledged, and the 200 after
    both.
    """
    calling = Calling(talkdesk.deployments[0], "early-media")
    steps = [*calling.invites("Require: 100rel", body=sdp()), PROVISIONAL[0]]
    for number, status in ((3, 180), (4, 183)):
        kept = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" assign_to="rseq"/>'
        steps.append(f'<recv response="{status}" rrs="true"><action>{kept}</action></recv>')
        steps += [calling.within("PRACK", number, "RAck: [$rseq] 2 INVITE"), response(200)]
    sipp = play(calling, [*steps, FINAL.format(200), calling.acknowledges(), *calling.ends()])
    told = [sipp.received(f"SIP/2.0 {status}")[0] for status in (180, 183)]
    assert all(re.search(r"^Require:.*100rel", message, re.M) for message in told)
    first, second = (int(re.findall(r"^RSeq: *(\d+)", message, re.M)[0]) for message in told)
    assert second == first + 1


def test_refresh_of_the_session(talkdesk: RunningWorld, play: Play) -> None:
    """RFC 4028: by re-INVITE and by UPDATE; each 200 says again who refreshes when."""
    calling = Calling(talkdesk.deployments[0], "inbound")
    timer = ("Supported: timer", "Session-Expires: 90;refresher=uac")
    steps = [
        *calling.invites(*timer, body=sdp()),
        *PROVISIONAL,
        FINAL.format(200),
        calling.acknowledges(),
    ]
    steps += [
        calling.within("INVITE", 3, *timer, body=sdp(version=2)),
        PROVISIONAL[0],
        response(200),
    ]
    steps += [calling.acknowledges(3), calling.within("UPDATE", 4, *timer), response(200)]
    sipp = play(calling, [*steps, *calling.ends()])
    agreed = [re.findall(r"^Session-Expires: *(.*)", m, re.M) for m in sipp.received("SIP/2.0 200")]
    assert agreed == [["90;refresher=uac"]] * 3 + [[]]


def test_info_with_an_unsupported_body_is_refused_with_415(
    talkdesk: RunningWorld, play: Play
) -> None:
    """RFC 3261 section 21.4.13."""
    calling = Calling(talkdesk.deployments[0], "inbound")
    steps = [*calling.invites(body=sdp()), *PROVISIONAL, FINAL.format(200), calling.acknowledges()]
    steps += [calling.within("INFO", 3, body=sdp()), response(415)]
    (refusal,) = play(calling, [*steps, *calling.ends()]).received("SIP/2.0 415")
    assert "application/dtmf-relay" in refusal


def test_the_other_side_ends_the_call(talkdesk: RunningWorld, play: Play) -> None:
    """The digit for good-bye by INFO; the world's BYE follows the route set SIPp has learnt from
    nobody.
    """
    calling = Calling(talkdesk.deployments[0], "inbound")
    digit = calling.within("INFO", 3, body="Signal=9\nDuration=160").replace(
        "application/sdp", "application/dtmf-relay"
    )
    steps = [
        *calling.invites(body=sdp()),
        *PROVISIONAL,
        FINAL.format(200),
        calling.acknowledges(),
        speak(),
        pause(500),
    ]
    play(calling, [*steps, digit, response(200), receive("BYE"), respond_within_dialog("200 OK")])
