"""Calls through Talkdesk's SBC, looked at from the wire: what softphones do not do, or do not show."""

from __future__ import annotations

import asyncio

import pytest

from harness.audio.dtmf import dtmf
from harness.deployment import Deployment
from harness.sip.sdp import G722, PCMA, PCMU, Codec, Description
from harness.world.media.digits import DigitListener, ReceivedDigit, info_of_digit
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import CallFailedError
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.outgoing import OutgoingCall
from harness.world.wire.transport import Listen
from tests.process.world.conftest import PATIENCE, RunningWorld
from tests.process.world.handset import (
    EVENT_96,
    EVENT_120,
    Handset,
    Handsets,
    play,
    record_of,
    until_ai_answers,
    until_it_gets,
)

# -- menus


@pytest.mark.parametrize("method", ["rfc4733", "info", "inband"])
@pytest.mark.parametrize("law", [PCMU, PCMA])
def test_a_menu_takes_its_digit_in_every_way_and_no_other(talkdesk: RunningWorld, method: str, law: Codec) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        caller = await make("caller")
        codecs = (law,) if method == "inband" else (law, EVENT_96)
        call = await caller.talk(deployment.did("ivr", "udp-ip"), codecs)
        for digit in "72":
            if method == "info":
                content_type, body = info_of_digit(digit)
                assert (await call.info(body, content_type)).status == 200
            elif method == "inband":
                await caller.play(dtmf(digit))
            else:
                await caller.press(digit)
        await until_ai_answers(talkdesk)
        await call.bye()

    play(talkdesk, script)
    record = record_of(talkdesk)
    assert (record.number_to, record.witness("codec"), record.status) == ("+12065550100", law.name, "completed")


def test_who_hangs_up_in_the_menu_leaves_nothing(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        call = await (await make("caller")).talk(deployment.did("ivr", "udp-ip"))
        await call.bye()

    play(talkdesk, script)


# -- groups


def test_the_first_phone_to_answer_has_the_call_and_the_other_is_let_go(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        ai = await make(None)
        desk, mobile = await make("billing", registered=True), await make("billing", registered=True)
        call = ai.call(str(deployment.groups["billing"].did), ai.media.offer())
        ringing = await asyncio.wait_for(mobile.calls.get(), PATIENCE)
        await desk.take()
        await call.wait_answered(PATIENCE)
        assert (await ringing.wait_ended(PATIENCE)).how.value == "cancelled"
        await call.bye()

    play(talkdesk, script)


def test_all_phones_busy_is_busy(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        ai, desk = await make(None), await make("billing", registered=True)
        call = ai.call(str(deployment.groups["billing"].did), ai.media.offer())
        (await asyncio.wait_for(desk.calls.get(), PATIENCE)).reject(486)
        with pytest.raises(CallFailedError) as refused:
            await call.wait_answered(PATIENCE)
        assert refused.value.status == 486

    play(talkdesk, script)


def test_an_invite_without_an_offer_over_the_trunk(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        ai, desk = await make(None), await make("billing", registered=True)
        call = ai.call(str(deployment.groups["billing"].did), None, answer=ai.media.answer)
        await desk.take()
        await call.wait_answered(PATIENCE)
        await until_it_gets(desk.media, ai)
        await call.bye()

    play(talkdesk, script)


# -- transfers


async def talk_with_stand_in(
    deployment: Deployment, make: Handsets
) -> tuple[Handset, OutgoingCall, Handset, IncomingCall]:
    caller = await make("caller")
    place = Listen("udp", deployment.stand_in.bind or "", 32681)
    ua = UserAgent("handset", [place])
    await ua.start()
    ai = Handset(deployment, ua, None)
    dialling = asyncio.create_task(caller.talk(deployment.did("inbound", "udp-ip-stand-in")))
    at_ai = await ai.take()
    return caller, await dialling, ai, at_ai


def test_a_referrer_may_hang_up_at_once_and_digits_keep_their_meaning(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        desk = await make("billing", registered=True)
        caller, call, ai, at_ai = await talk_with_stand_in(deployment, make)
        try:
            referral = at_ai.refer(f"<sip:{deployment.groups['billing'].did}@platform.example>")
            assert (await referral.wait_accepted(PATIENCE)).status == 202
            await at_ai.bye()
            at_desk = await desk.take((PCMU, EVENT_120))  # other numbers than the caller's
            heard: asyncio.Queue[ReceivedDigit] = asyncio.Queue()
            DigitListener(desk.media, heard.put_nowait)
            await until_it_gets(desk.media, caller)  # the platform has joined the two
            await caller.press("5")
            assert (await asyncio.wait_for(heard.get(), PATIENCE)).digit == "5"
            await at_desk.bye()
            assert (await call.wait_ended(PATIENCE)).by == "remote"
        finally:
            await ai.ua.stop()
            ai.media.close()

    play(talkdesk, script)


@pytest.mark.parametrize(
    ("target", "status"),
    [("<sip:+17735550199@x>", 404), ("<sip:+18155550104@x>", 480), ("<sip:nobody@x>", 404)],
)
def test_a_transfer_that_fails_gives_the_caller_back(talkdesk: RunningWorld, target: str, status: int) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        _, call, ai, at_ai = await talk_with_stand_in(deployment, make)
        try:
            assert (await at_ai.refer(target).wait_final(PATIENCE))[0] == status
            assert (call.state, at_ai.state) == ("confirmed", "confirmed")
            await at_ai.bye()
            await call.wait_ended(PATIENCE)
        finally:
            await ai.ua.stop()
            ai.media.close()

    play(talkdesk, script)


def test_an_attended_transfer_is_refused(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        _, call, ai, at_ai = await talk_with_stand_in(deployment, make)
        try:
            referral = at_ai.refer("<sip:+18155550101@x?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>")
            assert (await referral.wait_accepted(PATIENCE)).status == 501
            await call.bye()
        finally:
            await ai.ua.stop()
            ai.media.close()

    play(talkdesk, script)


def test_the_caller_who_leaves_during_a_transfer_ends_it(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        desk = await make("billing", registered=True)
        _, call, ai, at_ai = await talk_with_stand_in(deployment, make)
        try:
            at_ai.refer(f"<sip:{deployment.groups['billing'].did}@x>")
            ringing = await asyncio.wait_for(desk.calls.get(), PATIENCE)
            await call.bye()
            assert (await ringing.wait_ended(PATIENCE)).how.value == "cancelled"
            await at_ai.wait_ended(PATIENCE)
        finally:
            await ai.ua.stop()
            ai.media.close()

    play(talkdesk, script)


def test_the_ai_reaches_the_public_network_over_its_trunk(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        ai, customer = await make(None), await make("customer", registered=True)
        number = deployment.phones["customer"].number
        assert number is not None
        call = ai.call(number, ai.media.offer())
        at_customer = await customer.take()
        await call.wait_answered(PATIENCE)
        await at_customer.bye()
        await call.wait_ended(PATIENCE)
        for unknown in (deployment.numbers.no_such_number or "", deployment.did("inbound", "udp-ip")):
            with pytest.raises(CallFailedError) as refused:
                await ai.call(unknown, ai.media.offer()).wait_answered(PATIENCE)
            assert refused.value.status == 404

    play(talkdesk, script)


# -- warm transfers: the AI's bridge


async def warmly_transferred(
    deployment: Deployment, make: Handsets
) -> tuple[Handset, OutgoingCall, Handset, IncomingCall]:
    desk, caller = await make("billing", registered=True), await make("caller")
    call = await caller.talk(deployment.did("inbound-warm", "udp-ip"))
    content_type, body = info_of_digit("0")
    await call.info(body, content_type)
    at_desk = await desk.take()
    await until_it_gets(desk.media, caller)  # until the AI has stepped aside, its leg is not the agent's
    return caller, call, desk, at_desk


def test_hold_and_digits_reach_the_agent_behind_the_ai(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        caller, call, _, at_desk = await warmly_transferred(deployment, make)
        asked: asyncio.Queue[bytes] = asyncio.Queue()

        async def reinvited(request: InDialogRequest) -> None:
            assert request.offer is not None
            asked.put_nowait(request.offer)
            request.accept(at_desk.local_sdp)

        async def informed(request: InDialogRequest) -> None:
            asked.put_nowait(request.request.body)
            request.respond(200)

        at_desk.on_reinvite, at_desk.on_info = reinvited, informed
        hold = bytes(Description.parse(caller.media.again()).with_direction("sendonly"))
        assert (await call.reinvite(hold)).status == 200
        assert Description.parse(await asyncio.wait_for(asked.get(), PATIENCE)).direction == "sendonly"
        content_type, body = info_of_digit("0")
        assert (await call.info(body, content_type)).status == 200
        assert await asyncio.wait_for(asked.get(), PATIENCE) == body
        await at_desk.bye()
        assert (await call.wait_ended(PATIENCE)).by == "remote"

    play(talkdesk, script)
    record = record_of(talkdesk)
    assert (record.status, record.plain["end_call_reason"]) == ("completed", "transferred")


def test_a_caller_who_leaves_while_the_ai_calls_the_agent_ends_that_call(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        desk, caller = await make("billing", registered=True), await make("caller")
        call = await caller.talk(deployment.did("inbound-warm", "udp-ip"))
        content_type, body = info_of_digit("0")
        await call.info(body, content_type)
        ringing = await asyncio.wait_for(desk.calls.get(), PATIENCE)
        await call.bye()
        assert (await ringing.wait_ended(PATIENCE)).how.value == "cancelled"

    play(talkdesk, script)


# -- re-INVITEs


def test_an_offer_that_the_other_side_refuses_changes_nothing(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        caller = await make("caller")
        call = await caller.talk(deployment.did("inbound", "udp-ip"))
        unwanted = Description.parse(caller.media.again()).with_codecs((G722,))
        assert (await call.reinvite(bytes(unwanted))).status == 488
        assert (await call.reinvite(b"v=0 and no more")).status == 488
        await until_it_gets(caller.media, caller, 4)
        await call.bye()

    play(talkdesk, script)


# -- sessions


def test_too_short_a_session_is_refused_with_what_is_allowed(talkdesk: RunningWorld) -> None:
    async def script(deployment: Deployment, make: Handsets) -> None:
        caller = await make("caller")
        caller.ua.session = None
        headers = [("Session-Expires", "30"), ("Supported", "timer")]
        call = caller.call(deployment.did("inbound", "udp-ip"), caller.media.offer(), headers=headers)
        with pytest.raises(CallFailedError) as refused:
            await call.wait_answered(PATIENCE)
        assert refused.value.status == 422
        assert refused.value.response is not None
        assert refused.value.response.get("Min-SE") == "90"

    play(talkdesk, script)


# -- campaigns


def test_a_campaign_says_what_it_cannot_do(talkdesk: RunningWorld) -> None:
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
        assert talkdesk.client.post(deployment.campaign.url, content=body, headers=kind).status_code == status
    # a customer who is not there: the call is made, and comes to nothing
    asked = f'{{"from": "{line}", "to": "{customer}"}}'.encode()
    assert talkdesk.client.post(deployment.campaign.url, content=asked, headers=kind).status_code == 202
    talkdesk.wait_until_quiet()
