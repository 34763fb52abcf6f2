"""What bad networks and wrong settings do to RTP on its way, packet by packet."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from harness.limits import LEG_MARKS
from harness.simulation.media import sound
from harness.simulation.media.relay import Send, Spoiler
from harness.simulation.media.rtp import Packet

#: Stands for another call's audio: a mark that names no leg, so that it is never by chance the listener's own.
FOREIGN_MARK = LEG_MARKS
# Bits in reverse order: what G.711 makes of octets that are something else.
_NOISE = bytes(int(f"{octet:08b}"[::-1], 2) ^ 0x5A for octet in range(256))


def blocked(data: bytes, onward: Send) -> None:
    """Nothing gets through."""


def blocked_after(seconds: float, clock: Callable[[], float] = time.monotonic) -> Spoiler:
    """Nothing gets through any more, ``seconds`` after the first packet."""
    began: list[float] = []

    def spoil(data: bytes, onward: Send) -> None:
        if not began:
            began.append(clock())
        if clock() - began[0] < seconds:
            onward(data)

    return spoil


def only(count: int, after: int = 25) -> Spoiler:
    """So many packets get through, and no more: not the first ones, which may be there before whoever gets them is ready."""
    seen = 0

    def spoil(data: bytes, onward: Send) -> None:
        nonlocal seen
        seen += 1
        if after < seen <= after + count:
            onward(data)

    return spoil


def lossy(share: float, burst: float = 3.0, seed: int = 1) -> Spoiler:
    """Loses that share of the packets, on average ``burst`` in a row (Gilbert's model), the same ones each time."""
    dice = random.Random(seed)
    losing = False
    to_good, to_bad = 1 / burst, share / burst / (1 - share)

    def spoil(data: bytes, onward: Send) -> None:
        nonlocal losing
        losing = dice.random() >= to_good if losing else dice.random() < to_bad
        if not losing:
            onward(data)

    return spoil


def delayed(seconds: float) -> Spoiler:
    """Everything comes later."""

    def spoil(data: bytes, onward: Send) -> None:
        asyncio.get_running_loop().call_later(seconds, onward, data)

    return spoil


def noise(data: bytes, onward: Send) -> None:
    """The payload is not of the codec that its type says."""
    onward(_with_payload(data, lambda packet: packet.payload.translate(_NOISE)))


def crossed() -> Spoiler:
    """Another call's audio takes this one's place."""
    position = 0

    def foreign(packet: Packet) -> bytes:
        nonlocal position
        frames = sound.mark(FOREIGN_MARK, "PCMA" if packet.payload_type == 8 else "PCMU")
        position += 1
        return frames[position % len(frames)]

    def spoil(data: bytes, onward: Send) -> None:
        onward(_with_payload(data, foreign))

    return spoil


def _with_payload(data: bytes, make: Callable[[Packet], bytes]) -> bytes:
    packet = Packet.parse(data)
    if packet is None or packet.payload_type not in (0, 8):
        return data
    payload = make(packet)
    return bytes(Packet(packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, payload, packet.marker))
