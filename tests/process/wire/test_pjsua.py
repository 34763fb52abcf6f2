"""Against pjsua2, which nobody here wrote: registration with digest, calls both ways, transfers, PRACK, timers."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.sip.digest import DigestServer
from harness.sip.message import Message
from harness.sip.offer_answer import answer, offer
from harness.sip.sdp import PCMU, TELEPHONE_EVENT, Description
from harness.sip.uri import NameAddr
from harness.world.wire.agent import IncomingRequest, UserAgent
from harness.world.wire.call import InDialogRequest, ReferRequest
from harness.world.wire.dialog import How
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.session import SessionPolicy
from harness.world.wire.transport import TRANSPORTS, Flow, TransportName
from tests.loopback import fresh_address
from tests.process.wire.conftest import provisional

pytest.importorskip("pjsua2", reason="pjsua2 has wheels for Linux x86_64 only")
EACH = pytest.mark.parametrize("transport", TRANSPORTS)
PEER = Path(__file__).with_name("pjsua_peer.py")
WITHIN = 15.0


class Peer:
    """The child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Condition()

    async def read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if not line.startswith(b"{"):
                continue  # pjlib's own log, until its level is set
            async with self._news:
                self.events.append(json.loads(line))
                self._news.notify_all()

    async def until(self, event: str, since: int = 0, **facts: Any) -> dict[str, Any]:
        """The first such event from index ``since`` on."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [
                e for e in self.events[since:] if e["event"] == event and all(e.get(k) == v for k, v in facts.items())
            ]
            return bool(found)

        async with self._news:
            try:
                async with asyncio.timeout(WITHIN):
                    await self._news.wait_for(there)
            except TimeoutError:
                raise AssertionError(f"no {event} {facts} among {self.events}") from None
        return found[0]

    def do(self, what: str, **arguments: Any) -> int:
        """Send a command; returns the number of events so far, to look for later ones."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        return len(self.events)


@asynccontextmanager
async def pjsua(**settings: Any) -> AsyncIterator[Peer]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(PEER),
        json.dumps(settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    peer = Peer(process)
    reading = asyncio.ensure_future(peer.read())
    try:
        await peer.until("ready")
        yield peer
    finally:
        peer.do("quit")
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


def answer_to(call: IncomingCall) -> bytes:
    assert call.offer is not None
    return bytes(answer(Description.parse(call.offer), call.flow.listen.address, 40010, [PCMU, TELEPHONE_EVENT]))


class Platform:
    """A registrar and a callee in one node, as small as it goes."""

    def __init__(self, ua: UserAgent, transport: TransportName, algorithm: Any = "MD5") -> None:
        self.ua, self.transport = ua, transport
        self.flows: dict[str, tuple[Flow, str]] = {}
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        passwords: Callable[[str], str | None] = {"agent": "secret"}.get
        self.digest = DigestServer("example.com", passwords, algorithm=algorithm)
        ua.on("REGISTER", self.register)
        ua.on_invite = self.take

    async def register(self, incoming: IncomingRequest) -> None:
        if not self.digest.verify(incoming.request).accepted:
            incoming.respond(401, headers=[self.digest.challenge()])
            return
        contact = incoming.request.contact
        assert contact is not None
        self.flows["agent"] = (incoming.flow, str(contact.uri))
        incoming.respond(200, headers=[("Contact", f"{contact};expires=300")])

    async def take(self, call: IncomingCall) -> None:
        call.ring()
        self.calls.put_nowait(call)

    @property
    def uri(self) -> str:
        listen = self.ua.local(self.transport)
        return f"sip:platform@{listen.address}:{listen.port};transport={self.transport}"

    def settings(self, nodes: Any, **more: Any) -> dict[str, Any]:
        listen = self.ua.local(self.transport)
        return {
            "transport": self.transport,
            "address": fresh_address(),
            "id": "sip:+12065550123@example.com",
            "ca": str(nodes.identity(listen.address).trusted),
            **more,
        }

    def registering(self, nodes: Any, password: str = "secret") -> dict[str, Any]:
        listen = self.ua.local(self.transport)
        registrar = f"sip:{listen.address}:{listen.port};transport={self.transport}"
        return self.settings(
            nodes, registrar=registrar, username="agent", password=password, id="sip:agent@example.com"
        )


async def holds_and_resumes(peer: Any, call: IncomingCall) -> None:
    """pjsua puts us on hold, and takes us off it."""
    for goal, is_hold in (("hold", True), ("resume", False)):
        since = peer.do(goal)
        await peer.until("media", since)
        assert call.remote_sdp is not None
        assert Description.parse(call.remote_sdp).is_hold is is_hold


@EACH
def test_pjsua_calls_us(nodes: Any, transport: TransportName) -> None:
    """Call, hold, resume, INFO, and a transfer pjsua asks for, with its NOTIFYs; then pjsua hangs up."""

    async def story() -> None:
        platform = Platform(await nodes.ua("platform", transport), transport)
        digits: list[bytes] = []

        async def changed(request: InDialogRequest) -> None:
            assert request.offer is not None
            request.accept(bytes(answer(Description.parse(request.offer), "127.0.0.1", 40010, [PCMU])))

        async def info(request: InDialogRequest) -> None:
            digits.append(request.request.body)
            request.respond(200)

        async def referred(request: ReferRequest) -> None:
            assert request.refer_to.uri.user == "+12065550177"
            notifier = request.accept_refer()
            await notifier.notify(180)
            await notifier.notify(200)

        async with pjsua(**platform.settings(nodes)) as peer:
            peer.do("dial", uri=platform.uri, headers=[["X-EI", "S.abc;"]])
            call = await asyncio.wait_for(platform.calls.get(), WITHIN)
            call.on_reinvite = call.on_update = changed
            call.on_info = info
            call.on_refer = referred
            assert call.request.get("X-EI") == "S.abc;"
            assert call.request.from_.uri.user == "+12065550123"
            await peer.until("state", state="EARLY", code=180)
            call.answer(answer_to(call))
            await peer.until("state", state="CONFIRMED")
            assert await call.wait_acked(WITHIN)
            await holds_and_resumes(peer, call)
            peer.do("info", digits="5")
            await nodes.until("platform", "received", "INFO")
            peer.do("refer", uri="sip:+12065550177@example.com")
            await peer.until("transfer", code=180)
            await peer.until("transfer", code=200, final=True)
            peer.do("hangup")
            assert (await call.wait_ended(WITHIN)).how is How.BYE
            await peer.until("state", state="DISCONNECTED")
        assert b"Signal=5" in digits[0].replace(b" ", b"")

    nodes.run(story())


@EACH
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_pjsua_registers_and_we_call_it(nodes: Any, transport: TransportName, algorithm: str) -> None:
    """Digest, then a call over the flow of the registration, re-INVITE and BYE from our side."""

    async def story() -> None:
        platform = Platform(await nodes.ua("platform", transport), transport, algorithm)
        async with pjsua(**platform.registering(nodes)) as peer:
            event = await peer.until("registered")
            assert (event["code"], event["expires"]) == (200, 300)
            flow, contact = platform.flows["agent"]
            sdp = bytes(offer("127.0.0.1", 40010))
            call = platform.ua.invite(
                contact,
                from_=NameAddr.parse('"A caller" <sip:+12065550123@example.com>'),
                to="<sip:agent@example.com>",
                flow=flow,
                sdp=sdp,
            )
            incoming = await peer.until("incoming")
            assert "+12065550123" in incoming["message"]
            peer.do("answer", code=180)
            assert (await provisional(call, WITHIN)).status in (180, 183)
            peer.do("answer", code=200)
            await call.wait_answered(WITHIN)
            await peer.until("state", state="CONFIRMED")
            held = Description.parse(sdp).with_direction("sendonly")
            changed = re.sub(rb"(?m)^(o=- \d+) \d+", rb"\1 4294967295", bytes(held))  # RFC 3264 section 8
            assert (await call.reinvite(changed)).status == 200
            assert call.remote_sdp is not None
            assert Description.parse(call.remote_sdp).direction == "recvonly"
            response = await call.bye()
            assert response is not None
            assert response.status == 200
            await peer.until("state", state="DISCONNECTED")
            if transport != "udp":
                assert len(platform.ua.flows()) == 1  # one connection for all of it

    nodes.run(story())


def test_pjsua_with_a_wrong_password_gives_up(nodes: Any) -> None:
    async def story() -> None:
        platform = Platform(await nodes.ua("platform"), "udp")
        async with pjsua(**platform.registering(nodes, password="wrong")) as peer:
            assert (await peer.until("registered"))["code"] == 401
            assert platform.flows == {}

    nodes.run(story())


@EACH
def test_pjsua_consumes_our_refer(nodes: Any, transport: TransportName) -> None:
    """The caller's own phone places the new call, with the headers of the Refer-To's URI."""

    async def story() -> None:
        platform = Platform(await nodes.ua("platform", transport), transport)
        async with pjsua(**platform.settings(nodes)) as peer:
            peer.do("dial", uri=platform.uri)
            first = await asyncio.wait_for(platform.calls.get(), WITHIN)
            first.answer(answer_to(first))
            assert await first.wait_acked(WITHIN)
            await peer.until("state", state="CONFIRMED")
            referral = first.refer(f"<{platform.uri}?X-Gladly-Routing-Selector=billing>")
            assert (await referral.wait_accepted(WITHIN)).status == 202
            second = await asyncio.wait_for(platform.calls.get(), WITHIN)
            assert second.request.get("X-Gladly-Routing-Selector") == "billing"
            second.answer(answer_to(second))
            assert await referral.wait_final(WITHIN) == (200, "OK")
            await first.bye()
            await second.wait_acked(WITHIN)
            await second.bye()

    nodes.run(story())


@EACH
def test_cancel_both_ways(nodes: Any, transport: TransportName) -> None:
    async def story() -> None:
        platform = Platform(await nodes.ua("platform", transport), transport)
        async with pjsua(**platform.registering(nodes)) as peer:
            await peer.until("registered", code=200)
            peer.do("dial", uri=platform.uri)
            theirs = await asyncio.wait_for(platform.calls.get(), WITHIN)
            await peer.until("state", state="EARLY")
            peer.do("hangup")
            assert (await theirs.wait_ended(WITHIN)).how is How.CANCELLED
            await peer.until("state", state="DISCONNECTED", code=487)
            flow, contact = platform.flows["agent"]
            ours = platform.ua.invite(contact, from_="<sip:a@example.com>", flow=flow, sdp=nodes.offer)
            since = len(peer.events)
            await peer.until("incoming")
            peer.do("answer", code=180)
            await provisional(ours, WITHIN)
            ours.cancel()
            assert (await ours.wait_ended(WITHIN)).how is How.CANCELLED
            await peer.until("state", since, state="DISCONNECTED")

    nodes.run(story())


def test_prack_with_pjsua(nodes: Any) -> None:
    async def story() -> None:
        platform = Platform(await nodes.ua("platform"), "udp")

        async def early(call: IncomingCall) -> None:
            assert await call.progress(183, answer_to(call), reliable=True)
            call.answer(answer_to(call))
            platform.calls.put_nowait(call)

        platform.ua.on_invite = early
        async with pjsua(**platform.settings(nodes, prack=True)) as peer:
            peer.do("dial", uri=platform.uri)
            call = await asyncio.wait_for(platform.calls.get(), WITHIN)
            assert "100rel" in call.request.tokens("Require")
            await peer.until("state", state="CONFIRMED")
            assert nodes.starts("platform", "received", "PRACK")
            assert await call.wait_acked(WITHIN)
            await call.bye()

    nodes.run(story())


def test_session_timer_with_pjsua(nodes: Any) -> None:
    """pjsua asks for 90 s; we agree, and who refreshes is said in both directions."""

    async def story() -> None:
        platform = Platform(await nodes.ua("platform", session=SessionPolicy(min_se=100)), "udp")
        async with pjsua(**platform.settings(nodes, timer=90)) as peer:
            peer.do("dial", uri=platform.uri)
            call = await asyncio.wait_for(platform.calls.get(), WITHIN)
            # The first try asked for less than our Min-SE: 422, and again.
            assert nodes.starts("platform", "sent", "SIP/2.0 422")
            assert (call.request.get("Session-Expires") or "").startswith("100")
            call.answer(answer_to(call))
            assert await call.wait_acked(WITHIN)
            agreed = Message.parse(nodes.starts("platform", "sent", "SIP/2.0 200")[-1].data).get("Session-Expires")
            assert (agreed or "").startswith("100;")
            await peer.until("state", state="CONFIRMED")
            await call.bye()

    nodes.run(story())
