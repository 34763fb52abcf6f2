"""Check that a STUN server answers. pjsua would block for ten seconds if it does not."""

from __future__ import annotations

import secrets
import socket
import struct
from typing import Final

_HEADER: Final = struct.Struct("!HHI12s")
_BINDING: Final = 0x0001
_SUCCESS: Final = b"\x01\x01"
_COOKIE: Final = 0x2112A442
_TRIES: Final = 4
_INTERVAL: Final = 0.5  # RFC 5389 section 7.2.1: its first retransmission time


def answers(server: str, bind_address: str) -> bool:
    """Whether ``server`` (``host:port``) answers a Binding request with an address (RFC 5389) within two seconds."""
    host, _, port = server.partition(":")
    transaction = secrets.token_bytes(12)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.bind((bind_address, 0))
            line.settimeout(_INTERVAL)
            line.connect((host, int(port or 3478)))
            for _ in range(_TRIES):
                line.send(_HEADER.pack(_BINDING, 0, _COOKIE, transaction))
                try:
                    answer = line.recv(2048)
                    if answer[:2] == _SUCCESS and answer[8:20] == transaction:
                        return True
                except TimeoutError:
                    continue
    except (OSError, ValueError):
        return False
    return False
