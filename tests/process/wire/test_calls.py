"""Calls between two nodes over each transport, from the first message until nothing is left of
them.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.sip.message import Message, Request
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.transport import TRANSPORTS, TransportName

EACH = pytest.mark.parametrize("transport", TRANSPORTS)


async def test_an_answer_that_crosses_the_cancel_ends_by_bye(nodes: Any) -> None:
    caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
    taken = nodes.taking(callee)
    call = nodes.dial(caller, callee)
    call.on_provisional = lambda response: call.cancel()
    with pytest.raises(CallFailedError) as caught:
        await call.wait_answered(5)
    assert caught.value.status == 487
    assert (await call.wait_ended(5)).how is How.CANCELLED
    assert (await (await taken.get()).wait_ended(5)).how is How.BYE


@EACH
async def test_everything_a_dialog_may_carry(nodes: Any, transport: TransportName) -> None:
    digits: list[bytes] = []

    async def info(request: InDialogRequest) -> None:
        digits.append(request.request.body)
        request.respond(200)

    async def changed(request: InDialogRequest) -> None:
        request.accept(nodes.answer)

    async def referred(request: InDialogRequest) -> None:
        assert request.refer_to.uri.header("X-Gladly-Routing-Selector") == "billing"
        assert request.request.has("Referred-By")
        notifier = request.accept_refer()
        await notifier.notify(180)
        await notifier.notify(200)

    caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
    call, theirs = await nodes.connected(caller, callee)
    assert (await call.refer("<sip:x@example.com>").wait_final(5))[0] == 603  # without a handler
    theirs.on_info, theirs.on_refer = info, referred
    theirs.on_offer = changed
    assert (await call.info("Signal=5\r\nDuration=160\r\n")).status == 200
    assert digits == [b"Signal=5\r\nDuration=160\r\n"]
    hold = nodes.offer.replace(b"sendrecv", b"sendonly")
    assert (await call.change("INVITE", hold)).status == 200
    assert theirs.remote_sdp == hold
    assert (await call.change("UPDATE", nodes.offer)).status == 200
    assert theirs.remote_sdp == nodes.offer
    referral = call.refer(
        "<sip:+12065550188@sip.example.com;transport=tls?X-Gladly-Routing-Selector=billing>"
    )
    assert (await referral.wait_accepted(5)).status == 202
    assert await referral.wait_final(5) == (200, "OK")
    assert referral.progress == [(100, "Trying"), (180, "Ringing"), (200, "OK")]
    assert (await call.send("OPTIONS")).status == 200
    assert (await call.send("MESSAGE", body="hello", content_type="text/plain")).status == 405
    # The other way round, in the callee's own sequence of numbers.
    assert (
        await theirs.change("INVITE", hold)
    ).status == 488  # the caller has no handler for a new offer
    assert (await theirs.send("OPTIONS")).status == 200
    await theirs.bye()
    numbers = [
        message.cseq.number
        for data in dict.fromkeys(
            t.data for t in nodes.traced if (t.node, t.direction) == ("callee", "sent")
        )
        if isinstance(message := Message.parse(data), Request) and message.method != "ACK"
    ]
    assert numbers == sorted(set(numbers))  # NOTIFYs, re-INVITE, OPTIONS and BYE share one sequence


async def test_a_peer_that_lost_the_dialog_ends_the_call(nodes: Any) -> None:
    call, theirs = await nodes.connected(await nodes.ua("caller"), await nodes.ua("callee"))
    theirs.stop()  # without a word
    assert (await call.info("x")).status == 481
    assert (await call.wait_ended(5)).how is How.LOST


@EACH
async def test_a_node_that_stops_hangs_up(nodes: Any, transport: TransportName) -> None:
    caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
    call, theirs = await nodes.connected(caller, callee)
    taken = nodes.taking(callee, answers=False)
    nodes.dial(caller, callee)
    ringing = await taken.get()
    await nodes.until("caller", "received", "SIP/2.0 180", 2)
    await caller.stop()
    assert (await theirs.wait_ended(5)).how is How.BYE
    assert call.end is not None
    assert (await ringing.wait_ended(5)).how is How.CANCELLED
    assert caller.calls() == caller.layer.transactions() == caller.transport.flows() == ()
