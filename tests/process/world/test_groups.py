"""A customer's groups and numbers: who rings when, who gets the call, and what the caller hears
meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.case.events import RtpStatistics
from harness.deployment.file import load
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.sip.offer_answer import offer
from harness.world.wire.agent import UserAgent
from harness.world.wire.dialog import CallFailedError
from harness.world.wire.transport import Endpoint
from harness.world.world import World
from tests.process.world.conftest import CUSTOMER, PATIENCE, RunningWorld, Stage, hears

Settle = Callable[..., None]
TRUNK = "zum KI-Anbieter"


def dial(cu: Stage, line: str) -> Leg:
    return cu.dial(line, TRUNK, "test phone 1")


@pytest.fixture
def settle(customer: RunningWorld) -> Iterator[Settle]:
    """Makes the groups behave so, until the test is over."""

    def put(**settings: Any) -> None:
        answer = customer.client.put("/settings", json={"settings": settings})
        assert answer.status_code == 200, answer.text

    yield put
    put()


def ringing(phone: Phone, within: float = PATIENCE) -> Leg:
    return phone.expect_call(within, answer=None)


def never_rang(phone: Phone) -> bool:
    return not phone.incoming


def talk(caller: Leg, agent: Leg) -> None:
    hears(caller, agent.mark)
    hears(agent, caller.mark)


def test_a_queue_plays_music_until_an_agent_logs_in(cu: Stage, settle: Settle) -> None:
    settle(groups={"tier-1": {"queue_s": 10.0, "away": ["Zoë", "Handy"]}})
    call = dial(cu, "people")
    answered = call.wait_state("confirmed", PATIENCE)
    call.wait("music", lambda e: isinstance(e, RtpStatistics) and e.rx_packets > 30, PATIENCE)
    bernd = cu.phone("Bernd")  # logs in only now
    landed = bernd.expect_call(PATIENCE)
    talk(call, landed)
    assert landed.events[0].at > answered.at


def test_an_agent_at_an_outside_number_takes_the_call_by_a_digit(cu: Stage, settle: Settle) -> None:
    external = {"shows": "platform", "national": True, "accept": "1", "accept_within_s": 8.0}
    settle(groups={"tier-1": {"away": ["Zoë", "Bernd"], "external": external}})
    mobile = cu.phone("Handy")
    call = dial(cu, "people")
    there = mobile.expect_call(PATIENCE)
    assert there.invite is not None
    assert "<sip:+4930555001333@" in there.invite.text, "the platform's number"
    there.wait(
        "the question", lambda e: isinstance(e, RtpStatistics) and e.rx_packets > 20, PATIENCE
    )
    assert call.state != "confirmed", "answered, not taken"
    there.send_digits("1")
    talk(call, there)


def test_an_outside_agent_who_presses_no_digit_loses_the_call(cu: Stage, settle: Settle) -> None:
    settle(
        groups={
            "tier-1": {
                "away": ["Zoë", "Bernd"],
                "external": {"accept": "1", "accept_within_s": 1.0},
            }
        }
    )
    mobile = cu.phone("Handy")
    call = dial(cu, "people")
    there = mobile.expect_call(PATIENCE)
    assert there.invite is not None
    assert "+4915155501001" in there.invite.text, "the caller's own number"
    there.wait_state("disconnected", PATIENCE)
    assert call.wait_state("disconnected", PATIENCE).code == 480


def test_a_closed_number_plays_a_message_or_rings_its_closed_group(
    cu: Stage, settle: Settle
) -> None:
    settle(lines={"Hotline (Köln)": {"open": False}})
    call = dial(cu, "Hotline (Köln)")
    call.wait_state("confirmed", PATIENCE)
    assert call.wait_state("disconnected", PATIENCE).code == 200, "it ends with its message"
    settle(lines={"*": {"open": False, "closed_group": "Empfang & Zentrale"}})
    chris = cu.phone("Chris")
    call = dial(cu, "Hotline (Köln)")
    landed = chris.expect_call(PATIENCE)
    talk(call, landed)


def test_strangers_get_no_voicemail(tmp_path: Path) -> None:
    """The machine that answers every call answers those of the platform alone."""

    async def run() -> int:
        world = World(load(CUSTOMER), 1, tmp_path)
        await world.start()
        machine = world.tenants[0].platform.announcements
        assert machine is not None
        listen = machine.local("udp")
        stranger = UserAgent("stranger", [Endpoint("udp", "127.99.99.97")])
        await stranger.start()
        try:
            call = stranger.invite(
                f"sip:voicemail@{listen.address}:{listen.port}",
                from_="<sip:stranger@example.com>",
                sdp=bytes(offer("127.99.99.97", 40000)),
            )
            with pytest.raises(CallFailedError) as refused:
                await call.wait_answered(PATIENCE)
            return refused.value.status
        finally:
            await stranger.stop()
            assert await world.stop()

    assert asyncio.run(run()) == 403
