"""The far end of a stream."""

from __future__ import annotations

import asyncio
import socket

from harness.world.media.rtp import Packet, RtpPort

ADDRESS = "127.0.0.1"


def packet(sequence: int = 1, payload_type: int = 0, ssrc: int = 7, payload: bytes = b"\xff" * 160) -> Packet:
    return Packet(payload_type, sequence, sequence * 160, ssrc, payload)


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
