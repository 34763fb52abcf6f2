"""A UDP socket beside a node, without any SIP in it."""

from __future__ import annotations

import asyncio
import socket

from harness.sip.message import Message, Response


class Datagrams:
    """Sends datagrams to ``target``, and parses the responses."""

    def __init__(self, target: tuple[str, int], address: str) -> None:
        self.target = target
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self.target)

    async def receive(self, within: float = 5.0) -> Response:
        async with asyncio.timeout(within):
            message = Message.parse(await asyncio.get_running_loop().sock_recv(self._socket, 65535))
        assert isinstance(message, Response)
        return message

    async def final(self) -> Response:
        while not (response := await self.receive(10.0)).is_final:
            pass
        return response

    def close(self) -> None:
        self._socket.close()
