"""Packets, ports, relay, digits, and the clock."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.offer_answer import NoAgreementError
from harness.sip.sdp import G722, Description, SdpError
from harness.world.media.leg import LegMedia, encrypted
from harness.world.media.rtp import Packet, RtpPort
from harness.world.media.sound import Ticker

ADDRESS = "127.0.0.1"
End = TypeVar("End", RtpPort, LegMedia)


def packet(sequence: int = 1, ssrc: int = 7) -> Packet:
    return Packet(0, sequence, sequence * 160, ssrc, b"\xff" * 160)


class Peer:
    """A plain socket that stands for a phone."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind((ADDRESS, 0))

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, data: bytes, to: RtpPort) -> None:
        self.socket.sendto(data, (to.address, to.port))

    async def receive(self) -> Packet:
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 2048), 5)
        found = Packet.parse(data)
        assert found is not None
        return found


@given(st.binary(max_size=80))
def test_any_octets_are_a_packet_or_none(data: bytes) -> None:
    found = Packet.parse(data)
    assert found is None or len(found.payload) <= len(data)


def test_csrc_extension_and_padding_are_no_payload() -> None:
    head = bytes([0x80 | 0x20 | 0x10 | 1, 0, 0, 1]) + bytes(8)
    data = head + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + b"sound" + b"\x00\x00\x03"
    found = Packet.parse(data)
    assert found is not None
    assert found.payload == b"sound"


# -- ports


def run(script: Callable[[RtpPort, Peer, Peer], Awaitable[None]]) -> None:
    async def main() -> None:
        port, one, other = RtpPort(ADDRESS), Peer(), Peer()
        try:
            await script(port, one, other)
        finally:
            port.close()
            assert port.closed
            one.socket.close()
            other.socket.close()

    asyncio.run(main())


async def until(fulfilled: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not fulfilled():  # noqa: ASYNC110 - a counter has no event to wait for
            await asyncio.sleep(0)


def test_the_announced_address_wins_over_a_stray_source() -> None:
    async def script(port: RtpPort, announced: Peer, stray: Peer) -> None:
        port.aim(ADDRESS, announced.port)
        stray.send(bytes(packet()), port)
        await until(lambda: port.received == 1)
        announced.send(bytes(packet()), port)
        await until(lambda: port.received == 2)
        stray.send(bytes(packet()), port)
        announced.send(bytes(packet()), port)
        await until(lambda: port.received == 3)
        port.send(bytes(packet(9)))
        assert (await announced.receive()).sequence == 9

    run(script)


def test_nothing_leaves_this_machine() -> None:
    async def script(port: RtpPort, one: Peer, other: Peer) -> None:
        port.aim("10.0.0.10", 4000)
        assert port.remote is None
        port.send(bytes(packet()))
        assert port.sent == 0

    run(script)


def test_a_new_source_goes_on_where_the_last_one_was() -> None:
    async def script(port: RtpPort, one: Peer, other: Peer) -> None:
        port.aim(ADDRESS, one.port)
        sent = [packet(65535, ssrc=1), packet(40, ssrc=2), packet(41, ssrc=2), packet(43, ssrc=2)]
        for each in sent:
            port.send(bytes(each))
        got = [await one.receive() for _ in sent]
        assert [p.sequence for p in got] == [65535, 0, 1, 3]  # what was lost on the way stays lost
        assert [p.ssrc for p in got] == [1, 2, 2, 2]
        assert [p.marker for p in got] == [False, True, False, False]
        assert got[2].timestamp - got[1].timestamp == 160

    run(script)


# -- two ports of one process


def between(kind: type[End], script: Callable[[End, End], Awaitable[None]]) -> None:
    async def main() -> None:
        a, b = kind(ADDRESS), kind(ADDRESS)
        try:
            await script(a, b)
        finally:
            a.close()
            b.close()

    asyncio.run(main())


async def turns(count: int) -> None:
    """Let the loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_packets_arrive_in_order_with_their_source_and_never_within_the_sender() -> None:
    async def script(a: RtpPort, b: RtpPort) -> None:
        a.aim(b.address, b.port)
        b.aim(a.address, a.port)
        got: list[int] = []
        b.on_packet = lambda data: got.append(Packet.parse(data).sequence)  # type: ignore[union-attr]
        for sequence in range(5):
            a.send(bytes(packet(sequence)))
        assert (got, b.received) == ([], 0)
        await turns(2)
        assert got == [0, 1, 2, 3, 4]
        assert b.remote == (a.address, a.port)

    between(RtpPort, script)


# -- offer and answer of a leg


def test_packets_sent_on_a_tick_are_there_when_it_is_over_and_a_bad_receiver_stops_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(loop: asyncio.AbstractEventLoop, sender: RtpPort, receiver: RtpPort) -> None:
        clock, ticker, came = StepClock(monkeypatch), Ticker(), [0]
        failed: list[object] = []
        loop.set_exception_handler(lambda _, context: failed.append(context["exception"]))

        def takes(data: bytes) -> None:
            came[0] += 1
            raise ValueError

        def sends() -> None:
            before = came[0]
            sender.send(bytes(packet()))
            assert came[0] == before, "never within the sender"

        receiver.on_packet = takes
        sender.aim(ADDRESS, receiver.port)
        ticker.add(sends)
        clock.to(30)
        assert came[0] == 2
        assert [type(error) for error in failed] == [ValueError, ValueError]
        ticker.stop()
        monkeypatch.undo()

    async def main() -> None:
        sender, receiver = RtpPort(ADDRESS), RtpPort(ADDRESS)
        try:
            script(asyncio.get_running_loop(), sender, receiver)
        finally:
            sender.close()
            receiver.close()

    asyncio.run(main())


def test_offers_without_agreement_raise() -> None:
    async def script(a: LegMedia, b: LegMedia) -> None:
        with pytest.raises(NoAgreementError):
            a.answer(b.offer((G722,)))
        with pytest.raises(NoAgreementError):
            a.answer(encrypted(b.offer()))
        with pytest.raises(SdpError):
            a.pass_on(Description.parse(b.offer((G722,))))
        with pytest.raises(SdpError):
            a.learn(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n")

    between(LegMedia, script)


# -- sounds and clock


def test_the_ticker_survives_a_bad_subscriber_and_says_when_audio_stood_still() -> None:
    async def main() -> None:
        ticker, good, bad = Ticker(), [0], [0]

        def works() -> None:
            good[0] += 1
            if good[0] == 2:
                time.sleep(0.3)

        def fails() -> None:
            bad[0] += 1
            raise ValueError

        ticker.add(works)
        ticker.add(fails)
        await until(lambda: good[0] >= 5)
        ticker.stop()
        assert bad[0] == 1
        assert max(end - begin for begin, end in ticker.stood_still) >= 0.25

    asyncio.run(main())


class StepClock:
    """The running loop's clock and timers, which the test moves by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._loop = asyncio.get_running_loop()
        self._now_ms = 0
        self._timers: list[asyncio.TimerHandle] = []
        monkeypatch.setattr(self._loop, "time", lambda: self._now_ms / 1000)
        monkeypatch.setattr(self._loop, "call_at", self._call_at)

    def _call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, (), self._loop)
        self._timers.append(timer)
        return timer

    def to(self, until_ms: int) -> list[int]:
        """Run the timers until then, in steps of 1 ms; returns when there were any."""
        ran = []
        for now_ms in range(self._now_ms, until_ms):
            self._now_ms = now_ms
            due = [one for one in self._timers if one.when() <= self._now_ms / 1000 + 1e-6]
            for timer in due:
                self._timers.remove(timer)
                if not timer.cancelled():
                    ran.append(now_ms)
                    timer._run()
        return ran


def test_the_ticker_wakes_for_those_phases_alone_that_have_subscribers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        clock, ticker = StepClock(monkeypatch), Ticker()
        first: list[int] = []
        third: list[int] = []
        a, b = partial(first.append, 0), partial(third.append, 0)
        ticker.add(a)
        assert clock.to(30) == [0, 20]
        ticker.add(b, phase=2)  # at 29 ms, before it is due in this tick
        assert clock.to(60) == [30, 40, 50]
        assert (len(first), len(third)) == (3, 2)
        assert [ticker.phase_after(at) for at in (0.060, 0.061, 0.079)] == [0, 1, 0]
        ticker.remove(a)
        assert clock.to(100) == [60, 70, 90]
        assert (len(first), len(third)) == (3, 4)
        ticker.add(a)  # too late for its phase of this tick
        assert clock.to(115) == [100, 110]
        ticker.stop()
        monkeypatch.undo()

    asyncio.run(main())


@pytest.mark.parametrize("a_player_begins", [False, True])
def test_the_ticker_notes_a_stall_while_only_relayed_audio_is_up(a_player_begins: bool) -> None:
    async def main() -> None:
        ticker = Ticker()
        ticker.start()
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.4)
        await asyncio.sleep(0)
        if a_player_begins:
            ticker.add(lambda: None)
        await until(lambda: ticker.stood_still_s > 0)
        ticker.stop()
        assert ticker.stood_still_s >= 0.2

    asyncio.run(main())
