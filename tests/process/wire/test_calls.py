"""Calls between two nodes over each transport, from the first message until nothing is left of them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.sip.digest import Credentials, DigestServer
from harness.sip.message import Message, Request
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transport import TRANSPORTS, TransportName

EACH = pytest.mark.parametrize("transport", TRANSPORTS)


@EACH
def test_either_side_hangs_up(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
        call, theirs = await nodes.connected(caller, callee, headers=[("X-EI", "S.abc;")])
        assert [response.status for response in call.provisionals] == [180]
        assert (call.state, call.remote_sdp, theirs.remote_sdp) == ("confirmed", nodes.answer, nodes.offer)
        assert (await call.bye()).status == 200
        end = await theirs.wait_ended(5)
        assert (call.end.how, call.end.by, end.how, end.by) == (How.BYE, "local", How.BYE, "remote")
        invite = Message.parse(nodes.starts("callee", "received", "INVITE")[0].data)
        assert isinstance(invite, Request)
        assert (invite.get("X-EI"), invite.via.transport) == ("S.abc;", transport.upper())
        assert invite.contact is not None
        assert invite.contact.uri.transport == transport
        nodes.traced.clear()
        taken = nodes.taking(callee)
        again = nodes.dial(caller, callee)
        assert (await (await taken.get()).bye()).status == 200  # at once: the BYE has to wait for the ACK
        assert (await again.wait_ended(5)).by == "remote"
        (ack,), (bye,) = nodes.starts("callee", "received", "ACK"), nodes.starts("callee", "sent", "BYE")
        assert ack.at < bye.at

    nodes.run(story())


@EACH
def test_cancel_while_ringing(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
        taken = nodes.taking(callee, answers=False)
        call = nodes.dial(caller, callee)
        call.cancel()  # before anything came back: it waits for the 180
        assert (await (await taken.get()).wait_ended(5)).how is How.CANCELLED
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert (caught.value.status, caught.value.end.how) == (487, How.CANCELLED)
        assert nodes.starts("caller", "sent", "CANCEL")[0].at > nodes.starts("caller", "received", "SIP/2.0 180")[0].at

    nodes.run(story())


def test_an_answer_that_crosses_the_cancel_ends_by_bye(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
        taken = nodes.taking(callee)
        call = nodes.dial(caller, callee)
        call.on_provisional = lambda response: call.cancel()
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert caught.value.status == 487
        assert (await call.wait_ended(5)).how is How.CANCELLED
        assert (await (await taken.get()).wait_ended(5)).how is How.BYE

    nodes.run(story())


@EACH
def test_everything_a_dialog_may_carry(nodes: Any, transport: TransportName) -> None:
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

    async def story() -> None:
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
        referral = call.refer("<sip:+12065550188@sip.example.com;transport=tls?X-Gladly-Routing-Selector=billing>")
        assert (await referral.wait_accepted(5)).status == 202
        assert await referral.wait_final(5) == (200, "OK")
        assert referral.progress == [(100, "Trying"), (180, "Ringing"), (200, "OK")]
        assert (await call.send("OPTIONS")).status == 200
        assert (await call.send("MESSAGE", body="hello", content_type="text/plain")).status == 405
        # The other way round, in the callee's own sequence of numbers.
        assert (await theirs.change("INVITE", hold)).status == 488  # the caller has no handler for a new offer
        assert (await theirs.send("OPTIONS")).status == 200
        await theirs.bye()
        numbers = [
            message.cseq.number
            for data in dict.fromkeys(t.data for t in nodes.traced if (t.node, t.direction) == ("callee", "sent"))
            if isinstance(message := Message.parse(data), Request) and message.method != "ACK"
        ]
        assert numbers == sorted(set(numbers))  # NOTIFYs, re-INVITE, OPTIONS and BYE share one sequence

    nodes.run(story())


@pytest.mark.parametrize("loses_prack", [False, True])
def test_provisionals_are_reliable_where_the_caller_requires_it(nodes: Any, loses_prack: bool) -> None:
    """RFC 3262 section 3: each waits for the PRACK of the one before, and so does the answer; without one it is a 504."""

    def network(passage: Any) -> bytes | None:
        return None if loses_prack and passage.data.startswith(b"PRACK") else passage.data

    async def story() -> None:
        timers = nodes.quick if loses_prack else None
        caller, callee = (
            await nodes.ua("caller", filter=network, timers=timers),
            await nodes.ua("callee", timers=timers),
        )

        async def take(call: IncomingCall) -> None:
            call.progress(183, nodes.answer)
            call.ring()
            call.answer(nodes.answer)

        callee.on_invite = take
        call = nodes.dial(caller, callee, headers=[("Require", "100rel")])
        if loses_prack:
            with pytest.raises(CallFailedError) as caught:
                await call.wait_answered(10)
            assert caught.value.status == 504
            return
        await call.wait_answered(5)
        assert [r.status for r in call.provisionals] == [183, 180]
        pracks = nodes.starts("callee", "received", "PRACK")
        ok = next(m for m in nodes.starts("callee", "sent", "SIP/2.0 200") if b"CSeq: 1 INVITE" in m.data)
        assert len(pracks) >= 2
        assert all(m.at < ok.at for m in pracks[:2])
        await call.bye()

    nodes.run(story())


def test_a_peer_that_lost_the_dialog_ends_the_call(nodes: Any) -> None:
    async def story() -> None:
        call, theirs = await nodes.connected(await nodes.ua("caller"), await nodes.ua("callee"))
        theirs.stop()  # without a word
        assert (await call.info("x")).status == 481
        assert (await call.wait_ended(5)).how is How.LOST

    nodes.run(story())


@pytest.mark.parametrize(("transport", "algorithm"), [("udp", "MD5"), ("udp", "SHA-256"), ("tls", "MD5")])
def test_an_invite_is_challenged_and_sent_again(nodes: Any, transport: TransportName, algorithm: Any) -> None:
    digest = DigestServer("trunk.example", {"u": "p"}.get, algorithm=algorithm, proxy=True)

    async def take(call: IncomingCall) -> None:
        checked = digest.verify(call.request)
        if checked.accepted:
            call.answer(nodes.answer)
        else:
            call.reject(407, headers=[digest.challenge(stale=checked.stale)])

    async def story() -> None:
        trunk, customer = await nodes.ua("trunk", transport), await nodes.ua("customer", transport)
        trunk.on_invite = take
        call = nodes.dial(customer, trunk, credentials=Credentials("u", "p"))
        await call.wait_answered(5)
        first, second = (Message.parse(m.data) for m in nodes.starts("trunk", "received", "INVITE")[:2])
        assert (first.call_id, first.from_.tag) == (second.call_id, second.from_.tag)
        assert (first.cseq.number, second.cseq.number) == (1, 2)
        acks = [Message.parse(m.data) for m in await nodes.until("trunk", "received", "ACK", 2)]
        assert [ack.cseq.number for ack in acks] == [1, 2]
        assert acks[1].has("Proxy-Authorization")  # RFC 3261 section 22.1
        await call.bye()
        for wrong in (Credentials("u", "wrong"), None):
            with pytest.raises(CallFailedError) as caught:
                await nodes.dial(customer, trunk, credentials=wrong).wait_answered(5)
            assert caught.value.status == 407

    nodes.run(story())


@EACH
def test_a_node_that_stops_hangs_up(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
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

    nodes.run(story())
