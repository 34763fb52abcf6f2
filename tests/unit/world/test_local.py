"""Packets between two ports of one process: as over a socket, only without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from harness.world.media.rtp import Packet, RtpPort
from tests.unit.world.media_peer import ADDRESS, packet


def with_ports(script: Callable[[RtpPort, RtpPort], Awaitable[None]]) -> None:
    async def main() -> None:
        a, b = RtpPort(ADDRESS), RtpPort(ADDRESS)
        a.aim(b.address, b.port)
        b.aim(a.address, a.port)
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
        got: list[int] = []
        b.on_packet = lambda data: got.append(Packet.parse(data).sequence)  # type: ignore[union-attr]
        for sequence in range(5):
            a.send(bytes(packet(sequence)))
        assert (got, b.received) == ([], 0)
        await turns(2)
        assert got == [0, 1, 2, 3, 4]
        assert b.remote == (a.address, a.port)

    with_ports(script)


def test_a_stray_port_is_not_listened_to_once_the_announced_one_has_sent() -> None:
    async def script(a: RtpPort, b: RtpPort) -> None:
        stray = RtpPort(ADDRESS)
        stray.aim(b.address, b.port)
        a.send(bytes(packet()))
        stray.send(bytes(packet(7)))
        await turns(2)
        assert (b.received, b.remote) == (1, (a.address, a.port))
        stray.close()

    with_ports(script)


def test_two_ports_that_return_everything_leave_others_their_turn() -> None:
    async def script(a: RtpPort, b: RtpPort) -> None:
        a.on_packet, b.on_packet = a.send, b.send
        a.send(bytes(packet()))
        await turns(20)
        assert 5 <= b.received <= 20

    with_ports(script)


@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
def test_one_that_fails_takes_no_packet_of_another_along() -> None:
    async def script(a: RtpPort, b: RtpPort) -> None:
        failures: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(str(context["exception"])))

        def fail(data: bytes) -> None:
            raise ValueError("unexpected")

        c = RtpPort(ADDRESS)
        c.aim(a.address, a.port)
        b.on_packet = fail
        a.send(bytes(packet()))
        c.send(bytes(packet()))
        await turns(3)
        assert failures == ["unexpected"]
        assert a.received == 1
        c.close()

    with_ports(script)
