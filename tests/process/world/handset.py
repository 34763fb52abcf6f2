"""User agents of the tests: calls through the platform, message by message and packet by packet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np

from harness.deployment import Deployment
from harness.sip.digest import Credentials
from harness.sip.sdp import PCMA, PCMU, Codec
from harness.sip.uri import NameAddr, Uri
from harness.world.media import sound
from harness.world.media.digits import event_packets
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import Packet
from harness.world.media.sound import TICK
from harness.world.wire.agent import UserAgent
from harness.world.wire.dialog import sdp_of
from harness.world.wire.invite import IncomingCall, OutgoingCall
from harness.world.wire.transport import Endpoint
from tests.process.world.conftest import PATIENCE, RunningWorld

EVENT_96, EVENT_120 = Codec("telephone-event", 8000, 96), Codec("telephone-event", 8000, 120)


class Handset:
    """A user agent with one call at a time, and its media."""

    def __init__(self, deployment: Deployment, ua: UserAgent, phone: str | None) -> None:
        self.deployment = deployment
        self.ua = ua
        self.name = phone
        self.media = LegMedia(ua.listening[0].address)
        self.calls: asyncio.Queue[IncomingCall] = asyncio.Queue()
        ua.on_invite = self._invited

    async def _invited(self, call: IncomingCall) -> None:
        call.ring()
        self.calls.put_nowait(call)

    @property
    def user(self) -> str:
        return self.deployment.phones[self.name].aor_user if self.name else "ai"

    @property
    def credentials(self) -> Credentials | None:
        password = self.deployment.phones[self.name].password if self.name else None
        return Credentials(self.user, password.get_secret_value()) if password else None

    @property
    def server(self) -> Endpoint:
        if self.name is None:
            host, _, port = (self.deployment.trunk("udp-ip").termination or "").rpartition(":")
            return Endpoint("udp", host, int(port))
        account = self.deployment.accounts[self.deployment.phones[self.name].account]
        return Endpoint("udp", account.host or "", account.port or 0)

    async def register(self) -> None:
        of_record = NameAddr(Uri("sip", self.user, self.server.address))
        response = await self.ua.request(
            "REGISTER",
            Uri("sip", None, *self.server.sockaddr),
            from_=of_record,
            to=of_record,
            headers=[
                ("Contact", str(self.ua.contact(self.ua.local("udp"), self.user))),
                ("Expires", "60"),
            ],
            credentials=self.credentials,
        )
        assert response.status == 200

    def call(self, number: str, offer: bytes) -> OutgoingCall:
        return self.ua.invite(
            Uri("sip", number, *self.server.sockaddr),
            from_=NameAddr(Uri("sip", self.user, "test.example")),
            sdp=offer,
            credentials=self.credentials,
        )

    async def talk(
        self, number: str, codecs: tuple[Codec, ...] = (PCMU, PCMA, EVENT_96)
    ) -> OutgoingCall:
        """Call and wait for the answer."""
        call = self.call(number, self.media.offer(codecs))
        body = sdp_of(await call.wait_answered(PATIENCE))
        assert body is not None
        self.media.learn(body)
        return call

    async def take(self, codecs: tuple[Codec, ...] | None = None) -> IncomingCall:
        """Answer the next call."""
        call = await asyncio.wait_for(self.calls.get(), PATIENCE)
        assert call.offer is not None
        if codecs is None:
            call.answer(self.media.answer(call.offer))
        else:
            self.media.learn(call.offer)
            call.answer(self.media.offer(codecs))
        return call

    async def send(self, frames: list[tuple[int, int, bytes, bool]]) -> None:
        """Send (payload type, timestamp, payload, marker), one each 20 ms."""
        ssrc = random.getrandbits(32)
        for sequence, (number, timestamp, payload, marker) in enumerate(frames):
            self.media.port.send(bytes(Packet(number, sequence, timestamp, ssrc, payload, marker)))
            await asyncio.sleep(TICK)

    async def press(self, digits: str) -> None:
        """As telephone-events."""
        assert self.media.event is not None
        number = self.media.event.payload_type
        sent = [event for event in event_packets(digits, 160) if event is not None]
        await self.send([(number, start, payload, marker) for payload, start, marker in sent])

    async def play(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        """As sound."""
        assert self.media.codec is not None
        codec = self.media.codec
        frames = sound.frames(samples, codec.name)
        await self.send(
            [(codec.payload_type, 160 * i, frame, i == 0) for i, frame in enumerate(frames)]
        )


Handsets = Callable[..., Awaitable[Handset]]


@asynccontextmanager
async def handsets(deployment: Deployment) -> AsyncIterator[Handsets]:
    made: list[Handset] = []

    async def make(phone: str | None, *, registered: bool = False) -> Handset:
        """A phone of the deployment, or (None) a stand-in for the AI."""
        account = deployment.phones[phone].account if phone else None
        address = deployment.accounts[account].bind if account else deployment.stand_in.bind
        ua = UserAgent("handset", [Endpoint("udp", address or "")])
        await ua.start()
        handset = Handset(deployment, ua, phone)
        made.append(handset)
        if registered:
            await handset.register()
        return handset

    try:
        yield make
    finally:
        for handset in made:
            await handset.ua.stop()
            handset.media.close()


def play(world: RunningWorld, script: Callable[[Deployment, Handsets], Awaitable[None]]) -> None:
    async def run() -> None:
        deployment = world.deployments[0]
        async with handsets(deployment) as make:
            await script(deployment, make)

    asyncio.run(run())
    world.wait_until_quiet()
    assert world.state()["errors"] == []


async def until_it_gets(media: LegMedia, speaker: Handset, packets: int = 1) -> None:
    """``speaker`` speaks until so many more packets have arrived there."""
    wanted = media.port.received + packets
    async with asyncio.timeout(PATIENCE):
        while media.port.received < wanted:
            await speaker.play(np.zeros(160, np.float32))
