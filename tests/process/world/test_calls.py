"""Calls through Talkdesk's SBC, looked at from the wire: what softphones do not do, or do not show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.deployment import Deployment
from harness.sip.sdp import G722, PCMU, Description
from harness.world.media.digits import ReceivedDigit, listen_for_digits
from harness.world.wire.agent import UserAgent
from harness.world.wire.invite import IncomingCall, OutgoingCall
from harness.world.wire.transport import Endpoint
from tests.process.world.conftest import PATIENCE, RunningWorld
from tests.process.world.handset import (
    EVENT_120,
    Handset,
    Handsets,
    play,
    until_it_gets,
)

# -- transfers


@asynccontextmanager
async def talk_with_stand_in(
    deployment: Deployment, make: Handsets
) -> AsyncIterator[tuple[Handset, OutgoingCall, IncomingCall]]:
    """A caller's handset, its call, and the call as a stand-in for the AI has it."""
    caller = await make("caller")
    ua = UserAgent("handset", [Endpoint("udp", deployment.stand_in.bind or "", 32681)])
    await ua.start()
    ai = Handset(deployment, ua, None)
    try:
        dialling = asyncio.create_task(caller.talk(deployment.did("inbound", "udp-ip-stand-in")))
        at_ai = await ai.take()
        yield caller, await dialling, at_ai
    finally:
        await ua.stop()
        ai.media.close()


def test_a_referrer_may_hang_up_at_once_and_digits_keep_their_meaning(
    talkdesk: RunningWorld,
) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        desk = await make("billing", registered=True)
        async with talk_with_stand_in(deployment, make) as (caller, call, at_ai):
            referral = at_ai.refer(f"<sip:{deployment.groups['billing'].did}@platform.example>")
            assert (await referral.wait_accepted(PATIENCE)).status == 202
            await at_ai.bye()
            at_desk = await desk.take((PCMU, EVENT_120))  # other numbers than the caller's
            heard: asyncio.Queue[ReceivedDigit] = asyncio.Queue()
            listen_for_digits(desk.media, heard.put_nowait)
            await until_it_gets(desk.media, caller)  # the platform has joined the two
            await caller.press("5")
            assert (await asyncio.wait_for(heard.get(), PATIENCE)).digit == "5"
            await at_desk.bye()
            assert (await call.wait_ended(PATIENCE)).by == "remote"

    play(talkdesk, script)


def test_a_transfer_that_fails_gives_the_caller_back(talkdesk: RunningWorld) -> None:
    targets = {
        "<sip:+17735550199@x>": 404,
        "<sip:+18155550104@x>": 480,
        "<sip:nobody@x>": 404,
        "<sip:+18155550101@x?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>": 501,  # an attended transfer
    }

    async def script(deployment: Deployment, make: Handsets) -> None:
        async with talk_with_stand_in(deployment, make) as (_, call, at_ai):
            for target, status in targets.items():
                assert (await at_ai.refer(target).wait_final(PATIENCE))[0] == status
                assert (call.state, at_ai.state) == ("confirmed", "confirmed")
            await at_ai.bye()
            await call.wait_ended(PATIENCE)

    play(talkdesk, script)


def test_the_caller_who_leaves_during_a_transfer_ends_it(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        desk = await make("billing", registered=True)
        async with talk_with_stand_in(deployment, make) as (_, call, at_ai):
            at_ai.refer(f"<sip:{deployment.groups['billing'].did}@x>")
            ringing = await asyncio.wait_for(desk.calls.get(), PATIENCE)
            await call.bye()
            assert (await ringing.wait_ended(PATIENCE)).how.value == "cancelled"
            await at_ai.wait_ended(PATIENCE)

    play(talkdesk, script)


# -- warm transfers: the AI's bridge


# -- re-INVITEs


def test_an_offer_that_the_other_side_refuses_changes_nothing(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        caller = await make("caller")
        call = await caller.talk(deployment.did("inbound", "udp-ip"))
        unwanted = Description.parse(caller.media.again()).with_codecs((G722,))
        assert (await call.change("INVITE", bytes(unwanted))).status == 488
        assert (await call.change("INVITE", b"v=0 and no more")).status == 488
        await until_it_gets(caller.media, caller, 4)
        await call.bye()

    play(talkdesk, script)


# -- campaigns


def test_a_campaign_refuses_unknown_numbers(talkdesk: RunningWorld) -> None:
    deployment = talkdesk.deployments[0]
    assert deployment.campaign is not None
    assert deployment.campaign.url is not None
    line, customer = deployment.did("campaign", "udp-ip"), deployment.phones["customer"].number
    kind = {"Content-Type": "application/json"}
    for body, status in [
        (b"nonsense", 400),
        (b"{}", 400),
        (b'{"from": "+13125550100"}', 400),
        (f'{{"from": "+12015550100", "to": "{customer}"}}'.encode(), 404),
        (f'{{"from": "{line}", "to": "+12015550100"}}'.encode(), 404),
    ]:
        assert (
            talkdesk.client.post(deployment.campaign.url, content=body, headers=kind).status_code
            == status
        )
    # the customer's phone is not registered: the call is made, and fails
    asked = f'{{"from": "{line}", "to": "{customer}"}}'.encode()
    assert (
        talkdesk.client.post(deployment.campaign.url, content=asked, headers=kind).status_code
        == 202
    )
    talkdesk.wait_until_quiet()


def test_a_campaign_is_started_by_its_own_id_alone(customer: RunningWorld) -> None:
    deployment = customer.deployments[0]
    assert deployment.campaign is not None
    assert deployment.campaign.url is not None
    asked = {
        "from": deployment.did("warm", "zum KI-Anbieter"),
        "to": deployment.phones["test phone 2"].number,
    }
    for own_id, status in [("c-9", 404), ("c-7", 404), (None, 404), ("c-8", 202)]:
        body = asked | ({"campaign_id": own_id} if own_id else {})
        assert customer.client.post(deployment.campaign.url, json=body).status_code == status, (
            own_id
        )
    customer.wait_until_quiet()
