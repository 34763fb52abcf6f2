"""Calls between two nodes over each transport, from the first message to the empty books."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.sip.message import Message, Request, Response
from harness.sip.uri import NameAddr
from harness.world.wire.call import InDialogRequest, ReferRequest
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.referral import Notifier
from harness.world.wire.transport import TRANSPORTS, TransportName
from tests.process.wire.conftest import provisional

EACH = pytest.mark.parametrize("transport", TRANSPORTS)


@EACH
def test_a_call_from_ring_to_bye(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", transport)
        callee = await nodes.ua("callee", transport)
        ended: asyncio.Queue[tuple[str, How, str]] = asyncio.Queue()

        async def take(call: IncomingCall) -> None:
            call.on_ended = lambda end: ended.put_nowait(("callee", end.how, end.by))
            call.ring(headers=[("X-Ring", "yes")])
            call.answer(nodes.answer, headers=[("X-Answer", "42")])
            assert await call.wait_acked(5)

        callee.on_invite = take
        call = nodes.dial(caller, callee, headers=[("X-EI", "S.abc;")])
        call.on_ended = lambda end: ended.put_nowait(("caller", end.how, end.by))
        ringing = await provisional(call, 5)
        assert (ringing.status, ringing.get("X-Ring")) == (180, "yes")
        answer = await call.wait_answered(5)
        assert answer.get("X-Answer") == "42"
        assert (call.state, call.remote_sdp) == ("confirmed", nodes.answer)
        response = await call.bye(headers=[("Reason", 'Q.850;cause=16;text="normal"')])
        assert response is not None
        assert response.status == 200
        assert {await ended.get(), await ended.get()} == {
            ("caller", How.BYE, "local"),
            ("callee", How.BYE, "remote"),
        }
        invite = Message.parse(nodes.starts("callee", "received", "INVITE")[0].data)
        assert isinstance(invite, Request)
        assert invite.get("X-EI") == "S.abc;"
        assert invite.via.transport == transport.upper()
        assert invite.contact is not None
        assert invite.contact.uri.transport == transport

    nodes.run(story())


@EACH
def test_the_callee_hangs_up(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", transport)
        callee = await nodes.ua("callee", transport)
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

        async def take(call: IncomingCall) -> None:
            call.answer(nodes.answer)
            taken.put_nowait(call)

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        theirs = await taken.get()
        response = await theirs.bye()  # at once: it has to wait for the ACK itself
        assert response is not None
        assert response.status == 200
        end = await call.wait_ended(5)
        assert (end.how, end.by) == (How.BYE, "remote")
        order = [m.data.split(b" ")[0] for m in nodes.traced if m.node == "callee" and m.direction == "received"]
        assert order.index(b"ACK") > order.index(b"INVITE")
        bye = next(m for m in nodes.traced if m.node == "callee" and m.data.startswith(b"BYE"))
        ack = nodes.starts("callee", "received", "ACK")[0]
        assert bye.at > ack.at

    nodes.run(story())


@EACH
@pytest.mark.parametrize("status", [403, 486, 503, 603])
def test_a_rejection_is_acknowledged_and_told(nodes: Any, transport: TransportName, status: int) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", transport)
        callee = await nodes.ua("callee", transport)

        async def refuse(call: IncomingCall) -> None:
            call.reject(status, headers=[("X-Why", "because")])

        callee.on_invite = refuse
        call = nodes.dial(caller, callee)
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert caught.value.status == status
        assert caught.value.response is not None
        assert caught.value.response.get("X-Why") == "because"
        assert caught.value.end.how is How.REJECTED
        # The 487 and its like are acknowledged within the transaction.
        await nodes.until("callee", "received", "ACK")

    nodes.run(story())


@EACH
def test_cancel_while_ringing(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", transport)
        callee = await nodes.ua("callee", transport)
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

        async def ring(call: IncomingCall) -> None:
            call.ring()
            taken.put_nowait(call)

        callee.on_invite = ring
        call = nodes.dial(caller, callee)
        call.cancel()  # before anything came back: it waits for the 180
        theirs = await taken.get()
        end = await theirs.wait_ended(5)
        assert end.how is How.CANCELLED
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert (caught.value.status, caught.value.end.how) == (487, How.CANCELLED)
        cancel = nodes.starts("caller", "sent", "CANCEL")[0]
        provisional = nodes.starts("caller", "received", "SIP/2.0 180")[0]
        assert cancel.at > provisional.at

    nodes.run(story())


def test_a_2xx_that_crosses_the_cancel_ends_by_bye(nodes: Any) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller")
        callee = await nodes.ua("callee")

        async def ring_then_answer(call: IncomingCall) -> None:
            call.ring()
            call.answer(nodes.answer)
            assert await call.wait_acked(5)
            assert (await call.wait_ended(5)).how is How.BYE

        callee.on_invite = ring_then_answer
        call = nodes.dial(caller, callee)
        call.on_provisional = lambda response: call.cancel()
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(5)
        assert caught.value.status == 487
        assert (await call.wait_ended(5)).how is How.CANCELLED
        await nodes.until("callee", "received", "BYE")

    nodes.run(story())


def test_an_offer_in_the_2xx_is_answered_in_the_ack(nodes: Any) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller")
        callee = await nodes.ua("callee")
        seen: asyncio.Queue[tuple[bytes | None, bytes | None]] = asyncio.Queue()

        async def take(call: IncomingCall) -> None:
            assert call.offer is None
            call.answer(nodes.answer)
            await call.wait_acked(5)
            seen.put_nowait((call.local_sdp, call.remote_sdp))

        callee.on_invite = take
        call = nodes.dial(caller, callee, sdp=None, answer=lambda theirs: nodes.offer)
        await call.wait_answered(5)
        assert (call.local_sdp, call.remote_sdp) == (nodes.offer, nodes.answer)
        assert await seen.get() == (nodes.answer, nodes.offer)
        await call.bye()

    nodes.run(story())


def handle_all(call: IncomingCall, digits: list[bytes], sdp: bytes) -> None:
    """Take INFO, another offer and a REFER."""

    async def info(request: InDialogRequest) -> None:
        digits.append(request.request.body)
        request.respond(200)

    async def changed(request: InDialogRequest) -> None:
        request.accept(sdp)

    async def referred(request: ReferRequest) -> None:
        assert request.refer_to.uri.user == "+12065550188"
        assert request.refer_to.uri.header("X-Gladly-Routing-Selector") == "billing"
        assert request.referred_by is not None
        notifier = request.accept_refer()
        await notifier.notify(180)
        await notifier.notify(200)

    call.on_info = info
    call.on_reinvite = call.on_update = changed
    call.on_refer = referred


@EACH
def test_everything_a_dialog_may_carry(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", transport)
        callee = await nodes.ua("callee", transport)
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()
        digits: list[bytes] = []

        async def take(call: IncomingCall) -> None:
            handle_all(call, digits, nodes.answer)
            call.answer(nodes.answer)
            taken.put_nowait(call)

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        theirs = await taken.get()
        assert (await call.info("Signal=5\r\nDuration=160\r\n")).status == 200
        assert digits == [b"Signal=5\r\nDuration=160\r\n"]
        hold = nodes.offer.replace(b"sendrecv", b"sendonly")
        assert (await call.reinvite(hold)).status == 200
        assert theirs.remote_sdp == hold
        assert (await call.update(nodes.offer)).status == 200
        assert theirs.remote_sdp == nodes.offer
        referral = call.refer("<sip:+12065550188@sip.example.com;transport=tls?X-Gladly-Routing-Selector=billing>")
        assert (await referral.wait_accepted(5)).status == 202
        assert await referral.wait_final(5) == (200, "OK")
        assert referral.progress == [(100, "Trying"), (180, "Ringing"), (200, "OK")]
        assert (await call.send("OPTIONS")).status == 200
        assert (await call.send("MESSAGE", body="hello", content_type="text/plain")).status == 405
        # And the other way round, in the same dialog, by the callee's own sequence of numbers.
        assert (await theirs.reinvite(hold)).status == 488  # the caller has no handler for a new offer
        assert (await theirs.send("OPTIONS")).status == 200
        await theirs.bye()
        numbers = [
            message.cseq.number
            for data in dict.fromkeys(t.data for t in nodes.traced if (t.node, t.direction) == ("callee", "sent"))
            if isinstance(message := Message.parse(data), Request) and message.method != "ACK"
        ]
        assert numbers == sorted(set(numbers))  # NOTIFYs, re-INVITE, OPTIONS and BYE share one sequence

    nodes.run(story())


def test_a_refer_nobody_takes_is_declined(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.answering("callee")
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        referral = call.refer("<sip:x@example.com>")
        assert (await referral.wait_accepted(5)).status == 603
        assert (await referral.wait_final(5))[0] == 603
        await call.bye()

    nodes.run(story())


@pytest.mark.parametrize(("is_known", "final"), [(True, (200, "OK")), (False, (486, "Busy Here"))])
def test_notifies_still_arrive_after_the_bye(nodes: Any, is_known: bool, final: tuple[int, str]) -> None:
    """RFC 5057: the subscription outlives the session, and then the dialog leaves the books.

    ``is_known``: else nobody knows any more of the call, which goes with its subscription.
    """

    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
        notifiers: list[Notifier] = []
        told = asyncio.Event()

        async def referred(request: ReferRequest) -> None:
            notifiers.append(request.accept_refer())
            if is_known:
                await told.wait()

        async def take(call: IncomingCall) -> None:
            call.on_refer = referred
            call.answer(nodes.answer)

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        referral = call.refer("<sip:x@example.com>")
        await referral.wait_accepted(5)
        await call.bye()
        response = await notifiers[0].notify(final[0])
        told.set()
        assert response is not None
        assert response.status == 200
        assert await referral.wait_final(5) == final

    nodes.run(story())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_reliable_provisionals(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", transport)
        callee = await nodes.ua("callee", transport)

        async def take(call: IncomingCall) -> None:
            first = call.progress(183, nodes.answer, reliable=True)
            second = call.progress(180, reliable=True)
            call.answer(nodes.answer)  # has to wait for both PRACKs
            assert await first
            assert await second

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        assert [r.status for r in call.provisionals] == [183, 180]
        assert call.provisionals[0].get("RSeq") is not None
        pracks = nodes.starts("callee", "received", "PRACK")
        ok = next(m for m in nodes.starts("callee", "sent", "SIP/2.0 200") if b"CSeq: 1 INVITE" in m.data)
        assert len(pracks) >= 2
        assert all(m.at < ok.at for m in pracks[:2])
        await call.bye()

    nodes.run(story())


def test_a_reliable_provisional_without_prack_fails_the_call(nodes: Any) -> None:
    async def story() -> None:
        def no_prack(passage: Any) -> bytes | None:
            return None if passage.data.startswith(b"PRACK") else passage.data

        caller, callee = (
            await nodes.ua("caller", filter=no_prack, timers=nodes.quick),
            await nodes.ua("callee", timers=nodes.quick),
        )

        async def take(call: IncomingCall) -> None:
            assert not await call.progress(183, nodes.answer, reliable=True)

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        with pytest.raises(CallFailedError) as caught:
            await call.wait_answered(10)
        assert caught.value.status == 504

    nodes.run(story())


def test_two_forks_one_is_kept(nodes: Any) -> None:
    """The proxy that forks is played by hand: it relays the answers of two callees to one INVITE."""

    async def story() -> None:
        caller, one = await nodes.ua("caller"), await nodes.ua("one")

        async def take(call: IncomingCall) -> None:
            call.ring()
            first = Response.to_request(
                call.request,
                200,
                tag="fork-a",
                headers=[("Contact", str(one.contact(one.listening[0]))), ("Content-Type", "application/sdp")],
                body=nodes.answer,
            )
            second = first.setting("To", first.get("To", "").replace("fork-a", "fork-b"))  # type: ignore[union-attr]
            call.flow.send(first.raw)
            call.flow.send(second.raw)
            await nodes.until("one", "received", "BYE", 2)
            call.reject(487)  # its own transaction has not taken part

        one.on_invite = take
        call = nodes.dial(caller, one)
        answer = await call.wait_answered(5)
        assert answer.to.tag == "fork-a"
        bye = Message.parse((await nodes.until("caller", "sent", "BYE"))[0].data)
        assert bye.to.tag == "fork-b"
        acked = {Message.parse(m.data).to.tag for m in nodes.starts("caller", "sent", "ACK")}
        assert acked == {"fork-a", "fork-b"}
        assert call.state == "confirmed"
        await call.bye()

    nodes.run(story())


def test_glare_of_two_reinvites_is_settled(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", timers=nodes.quick), await nodes.ua("callee", timers=nodes.quick)
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

        async def accept(request: InDialogRequest) -> None:
            request.accept(nodes.answer)

        async def take(call: IncomingCall) -> None:
            call.on_reinvite = accept
            call.answer(nodes.answer)
            await call.wait_acked(5)
            taken.put_nowait(call)

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        call.on_reinvite = accept
        await call.wait_answered(5)
        theirs = await taken.get()
        both = await asyncio.gather(call.reinvite(nodes.offer), theirs.reinvite(nodes.answer))
        assert [response.status for response in both] == [200, 200]
        assert nodes.starts("caller", "received", "SIP/2.0 491") or nodes.starts("callee", "received", "SIP/2.0 491")
        await call.bye()

    nodes.run(story())


def test_the_from_of_a_call_may_be_any_identity(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.answering("callee")
        hop = nodes.hop(callee)
        call = caller.invite(
            f"sip:+12065550100@{hop.address}:{hop.port}",
            from_=NameAddr.parse('"Anonymous" <sip:anonymous@anonymous.invalid>'),
            to="<tel:+12065550100>",
            hop=hop,
            sdp=nodes.offer,
            headers=[("P-Asserted-Identity", "<tel:+12065550123>"), ("Privacy", "id")],
        )
        await call.wait_answered(5)
        invite = Message.parse(nodes.starts("callee", "received", "INVITE")[0].data)
        assert invite.from_.uri.host == "anonymous.invalid"
        assert invite.to.uri.scheme == "tel"
        await call.bye()

    nodes.run(story())
