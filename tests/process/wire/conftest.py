"""Nodes on loopback for one story, what they leave behind checked at its end."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sip.message import Message, Response
from harness.sip.offer_answer import offer
from harness.world.wire.agent import UserAgent
from harness.world.wire.invite import IncomingCall, OutgoingCall
from harness.world.wire.transactions import State, Timers
from harness.world.wire.transport import Endpoint, TlsIdentity, Traced, TransportName
from tests import certificates
from tests.loopback import fresh_address

OFFER = bytes(offer("127.0.0.1", 40000))
ANSWER = bytes(offer("127.0.0.1", 40002))
# Stories that are not about timers run with the RFC's own: a busy machine must not look like a
# lossy network.


def scaled(t1: float) -> Timers:
    """Timers in the proportions of RFC 3261, for another T1."""
    return Timers(t1, t1 * 8, t1 * 10, t1 * 0.4)


QUICK = scaled(0.03)  # 64*T1 is 1.9 s


async def provisional(call: OutgoingCall, within: float) -> Response:
    """The last response above 100 so far, or the first to come."""
    if not call.provisionals:
        came = asyncio.Event()
        call.on_provisional = lambda response: came.set()
        await asyncio.wait_for(came.wait(), within)
    return call.provisionals[-1]


class Nodes:
    """Makes user agents on addresses of their own, and runs a story among them."""

    offer, answer, quick, scaled = OFFER, ANSWER, QUICK, staticmethod(scaled)

    def __init__(self, identity: Callable[..., TlsIdentity]) -> None:
        self.identity = identity
        self.traced: list[Traced] = []
        self._news = asyncio.Event()
        self._agents: list[UserAgent] = []

    async def ua(self, name: str, *transports: TransportName, **options: Any) -> UserAgent:
        """A started node with a listener per transport (UDP by default)."""
        host = fresh_address()
        if "tls" in transports:
            options.setdefault("tls", self.identity(host))
        listens = [Endpoint(transport, host) for transport in transports or ("udp",)]
        ua = UserAgent(name, listens, trace=self._trace, **options)
        await ua.start()
        self._agents.append(ua)
        return ua

    def _trace(self, message: Traced) -> None:
        self.traced.append(message)
        self._news.set()

    async def until(self, node: str, direction: str, head: str, count: int = 1) -> list[Traced]:
        """Wait until that many such messages have passed."""
        async with asyncio.timeout(10):
            while len(found := self.starts(node, direction, head)) < count:
                self._news.clear()
                await self._news.wait()
        return found

    async def answering(self, name: str, *transports: TransportName, **options: Any) -> UserAgent:
        """A node that rings and answers every call."""
        ua = await self.ua(name, *transports, **options)
        self.taking(ua)
        return ua

    @staticmethod
    def taking(ua: UserAgent, *, answers: bool = True) -> asyncio.Queue[IncomingCall]:
        """The calls that a node takes from now on: it rings, and answers them unless told
        otherwise.
        """
        taken: asyncio.Queue[IncomingCall] = asyncio.Queue()

        async def take(call: IncomingCall) -> None:
            call.ring()
            if answers:
                call.answer(ANSWER)
            taken.put_nowait(call)

        ua.on_invite = take
        return taken

    async def connected(
        self, caller: UserAgent, callee: UserAgent, **options: Any
    ) -> tuple[OutgoingCall, IncomingCall]:
        """A call that is up, seen from both ends."""
        taken = self.taking(callee)
        call: OutgoingCall = self.dial(caller, callee, **options)
        await call.wait_answered(5)
        theirs = await taken.get()
        assert await theirs.wait_acked(5)
        return call, theirs

    def dial(self, caller: UserAgent, callee: UserAgent, **options: Any) -> Any:
        """An INVITE with an offer from one node to another."""
        hop = options.pop("hop", None) or callee.listening[0]
        options.setdefault("sdp", OFFER)
        uri = f"sip:{callee.name}@{hop.address}:{hop.port};transport={hop.transport}"
        return caller.invite(uri, from_="<sip:+12065550123@example.com>", hop=hop, **options)

    def starts(self, node: str, direction: str, head: str) -> list[Traced]:
        """What a node sent or received whose start line begins so."""
        return [
            m
            for m in self.traced
            if (m.node, m.direction) == (node, direction) and m.data.startswith(head.encode())
        ]

    def run(self, story: Coroutine[Any, Any, None], *, patient: bool = False) -> None:
        """Run the story; then no call may be left, and no transaction but answered ones.

        ``patient`` waits until those are gone as well: 64*T1 and more.
        """

        async def whole() -> None:
            async with asyncio.timeout(60):
                try:
                    await story
                    await self._settle(patient)
                finally:
                    for ua in self._agents:
                        await ua.stop()
                assert not [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
                assert not [f for ua in self._agents for f in ua.transport.flows()]

        asyncio.run(whole())

    @staticmethod
    async def settled(agents: list[UserAgent]) -> None:
        """Wait until no transaction of theirs is left."""
        while any(ua.layer.transactions() for ua in agents):  # noqa: ASYNC110 - nothing reports their end
            await asyncio.sleep(0.02)

    async def _settle(self, patient: bool) -> None:
        """Wait until no call and no transaction is left: that takes 64*T1 at most, and as long
        again for a transaction that lingers.
        """
        longest = max(ua.timers.transaction for ua in self._agents) if patient else 5.0
        deadline = asyncio.get_running_loop().time() + 2.5 * longest + 5.0
        answered = () if patient else (State.ACCEPTED, State.COMPLETED, State.CONFIRMED)
        while any(
            ua.calls() or [t for t in ua.layer.transactions() if t.state not in answered]
            for ua in self._agents
        ):
            left = [(ua.name, ua.calls(), ua.layer.transactions()) for ua in self._agents]
            assert asyncio.get_running_loop().time() < deadline, left
            await asyncio.sleep(0.02)


class Authority(certificates.Authority):
    """A certificate authority for user agents."""

    def identity(self, *names: str, days: int = 1) -> TlsIdentity:
        """A certificate for ``names``; one of ``days`` below zero has expired."""
        certificate, key = self.issue(*names, days=(-3, days))
        return TlsIdentity(certificate, key, Path(self.ca_file))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A test that is a coroutine function is a story among its ``nodes``."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    nodes, names = pyfuncitem.funcargs["nodes"], inspect.signature(pyfuncitem.obj).parameters
    assert isinstance(nodes, Nodes)
    nodes.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def nodes(authority: Authority, caplog: pytest.LogCaptureFixture) -> Iterator[Nodes]:
    """The nodes of one test. An error logged by the wire fails it: nothing may escape to the loop."""
    caplog.set_level(logging.WARNING)
    yield Nodes(authority.identity)
    broken = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not broken, [record.getMessage() for record in broken]


def parse(traced: Traced) -> Message:
    return Message.parse(traced.data)
