"""Session timers, authentication, and the end of a node."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from harness.sip.digest import Credentials, DigestClient, DigestServer
from harness.sip.message import Message
from harness.world.wire.agent import IncomingRequest
from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.session import SessionPolicy
from tests.process.wire.conftest import provisional

QUICK = SessionPolicy(expires=1, min_se=1)


def agreed(nodes: Any, callee: str) -> str | None:
    """The Session-Expires of the callee's 200 to the INVITE."""
    return Message.parse(nodes.starts(callee, "sent", "SIP/2.0 200")[0].data).get("Session-Expires")


async def connected(nodes: Any, caller: Any, callee: Any, **options: Any) -> tuple[Any, IncomingCall]:
    """A call that is up, seen from both ends."""
    taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

    async def take(call: IncomingCall) -> None:
        call.answer(nodes.answer)
        assert await call.wait_acked(5)
        taken.put_nowait(call)

    callee.on_invite = take
    call = nodes.dial(caller, callee, **options)
    await call.wait_answered(5)
    return call, await taken.get()


@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_a_session_is_refreshed_by_who_was_agreed(nodes: Any, refresher: Any) -> None:
    async def story() -> None:
        policy = SessionPolicy(expires=6, min_se=1, refresher=refresher)
        caller = await nodes.ua("caller", session=policy)
        callee = await nodes.ua("callee", session=SessionPolicy(min_se=1))
        call, theirs = await connected(nodes, caller, callee)
        assert agreed(nodes, "callee") == f"6;refresher={refresher}"
        node = "caller" if refresher == "uac" else "callee"
        # 6 s: without the first, the other side would have ended it after 4 (RFC 4028 section 10)
        await nodes.until(node, "sent", "UPDATE", 2)
        other = "callee" if refresher == "uac" else "caller"
        assert nodes.starts(other, "sent", "UPDATE") == []
        assert call.state == theirs.state == "confirmed"
        await call.bye()

    nodes.run(story())


def test_a_session_nobody_refreshes_ends(nodes: Any) -> None:
    async def story() -> None:
        def no_refresh(passage: Any) -> bytes | None:
            lost = passage.direction == "out" and passage.data.startswith(b"UPDATE")
            return None if lost else passage.data

        caller = await nodes.ua("caller", session=QUICK, filter=no_refresh, timers=nodes.quick)
        callee = await nodes.ua("callee", session=QUICK)
        _, theirs = await connected(nodes, caller, callee)
        end = await theirs.wait_ended(5)
        assert (end.how, end.by) == (How.EXPIRED, "local")

    nodes.run(story())


@pytest.mark.parametrize(("status", "times"), [(488, 1), (491, 1), (503, 1), (500, 2)])
def test_a_refresh_that_is_refused_ends_no_session_before_its_time(
    nodes: Any, monkeypatch: pytest.MonkeyPatch, status: int, times: int
) -> None:
    """RFC 4028 section 10: a 408 or 481 does; the other answers leave it as it was, and it is refreshed again."""

    async def story() -> None:
        refused: list[Any] = []

        callee = await nodes.ua("callee", session=SessionPolicy(min_se=1))

        async def refuse(incoming: Any) -> None:
            incoming.respond(status)

        def let(incoming: Any) -> None:
            if len(refused) < times:
                refused.append(incoming)
                callee.serve(refuse(incoming), incoming)
            else:
                plain(incoming)

        caller = await nodes.ua("caller", session=SessionPolicy(expires=4, min_se=1, refresher="uac"))
        call, theirs = await connected(nodes, caller, callee)
        plain = theirs._receive_update
        monkeypatch.setattr(theirs, "_receive_update", let)
        theirs._session.stop()  # it would give up 0.3 s after the second refresh is due: a busy machine may be as late
        await nodes.until("caller", "sent", "UPDATE", 2)
        assert len(refused) >= 1
        if times == 1:
            await nodes.until("caller", "received", "SIP/2.0 200", 2)
            assert (call.state, theirs.state) == ("confirmed", "confirmed")
            await call.bye()
        else:
            assert (await call.wait_ended(5)).how is How.EXPIRED
            assert len(refused) == 2

    nodes.run(story())


def test_an_interval_of_nothing_is_no_interval(nodes: Any) -> None:
    """Who cannot be told 422, as it lacks the extension (RFC 4028 section 9), is not refreshed without end."""

    async def story() -> None:
        caller = await nodes.ua("caller", session=None)
        callee = await nodes.ua("callee", session=SessionPolicy(min_se=90))
        headers = [("Session-Expires", "0")]
        call, _ = await connected(nodes, caller, callee, headers=headers)
        assert agreed(nodes, "callee") == "90;refresher=uas"
        await call.bye()
        assert nodes.starts("callee", "sent", "UPDATE") == []

    nodes.run(story())


def test_a_peer_that_lost_the_dialog_ends_the_call(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
        call, theirs = await connected(nodes, caller, callee)
        theirs.stop()  # without a word
        assert (await call.info("x")).status == 481
        assert (await call.wait_ended(5)).how is How.LOST

    nodes.run(story())


def test_without_a_policy_there_is_no_timer(nodes: Any) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", session=QUICK)
        callee = await nodes.ua("callee", session=None)
        call, _ = await connected(nodes, caller, callee)
        assert agreed(nodes, "callee") is None
        invite = Message.parse(nodes.starts("callee", "received", "INVITE")[0].data)
        assert invite.get("Session-Expires") == "1"
        await call.bye()

    nodes.run(story())


def test_an_interval_too_small_is_raised(nodes: Any) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", session=QUICK)
        callee = await nodes.ua("callee", session=SessionPolicy(min_se=7))
        call, _ = await connected(nodes, caller, callee)
        assert (agreed(nodes, "callee") or "").startswith("7;")
        assert call.request.cseq.number == 2
        await call.bye()

    nodes.run(story())


# --- digest ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tls"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_an_invite_is_challenged_and_sent_again(nodes: Any, transport: Any, algorithm: Any) -> None:
    async def story() -> None:
        trunk = await nodes.ua("trunk", transport)
        customer = await nodes.ua("customer", transport)
        digest = DigestServer("trunk.example", {"u": "p"}.get, algorithm=algorithm, proxy=True)

        async def take(call: IncomingCall) -> None:
            checked = digest.verify(call.request)
            if not checked.accepted:
                call.reject(407, headers=[digest.challenge(stale=checked.stale)])
                return
            call.answer(nodes.answer)

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

        wrong = nodes.dial(customer, trunk, credentials=Credentials("u", "wrong"))
        with pytest.raises(CallFailedError) as caught:
            await wrong.wait_answered(5)
        assert caught.value.status == 407
        without = nodes.dial(customer, trunk)
        with pytest.raises(CallFailedError):
            await without.wait_answered(5)

    nodes.run(story())


def test_a_registration_is_refreshed_with_the_nonce_it_knows(nodes: Any) -> None:
    async def story() -> None:
        registrar, phone = await nodes.ua("registrar"), await nodes.ua("phone")
        digest = DigestServer("r.example", {"u": "p"}.get, lifetime=1000)

        async def register(incoming: IncomingRequest) -> None:
            checked = digest.verify(incoming.request)
            if checked.accepted:
                incoming.respond(200)
            else:
                incoming.respond(401, headers=[digest.challenge(stale=checked.stale)])

        registrar.on("REGISTER", register)
        hop = nodes.hop(registrar)
        client = DigestClient(Credentials("u", "p"))
        for cseq in (1, 3, 4):
            response = await phone.request(
                "REGISTER",
                f"sip:{hop.address}:{hop.port}",
                from_="<sip:u@r.example>",
                hop=hop,
                credentials=client,
                call_id="one-registration",
                cseq=cseq,
            )
            assert response.status == 200
        numbers = [Message.parse(m.data).cseq.number for m in nodes.starts("registrar", "received", "REGISTER")]
        assert numbers == [1, 2, 3, 4]  # one challenge, then none

    nodes.run(story())


# --- the end of a node -----------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_node_that_stops_hangs_up(nodes: Any, transport: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller", transport), await nodes.ua("callee", transport)
        call, theirs = await connected(nodes, caller, callee)

        async def ring(incoming: IncomingCall) -> None:
            incoming.ring()

        callee.on_invite = ring
        ringing = nodes.dial(caller, callee)
        await provisional(ringing, 5)
        await caller.stop()
        assert (await theirs.wait_ended(5)).how is How.BYE
        assert call.end is not None
        assert call.end.how is How.BYE
        others = [other for other in callee.calls() if other is not theirs]
        for other in others:
            assert (await other.wait_ended(5)).how is How.CANCELLED
        assert caller.calls() == caller.transactions() == caller.flows() == ()

    nodes.run(story())


def test_a_node_stops_though_nobody_answers(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
        call, theirs = await connected(nodes, caller, callee)
        await callee.stop(within=0)
        async with asyncio.timeout(10):  # the BYE alone would be repeated for 32 s (RFC 3261 section 17.1.2.2)
            await caller.stop(within=0.1)
        assert call.end is not None
        assert theirs.end is not None

    nodes.run(story())
