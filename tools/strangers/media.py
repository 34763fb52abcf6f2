"""RTP on the wire between platform and AI: relayed, and changed as a fault says (RFC 3550 section
5.1).
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from harness.audio.marks import DEFAULT_LEVEL_DBOV, SAMPLE_RATE, waveform
from tools.accuracy.speech import recorded_speech
from tools.ci.programs import HOLD_MUSIC
from tools.strangers.fault import Media, Side

_PCMU, _PCMA = 0, 8
_SAMPLES = 160
Address = tuple[str, int]


@dataclass
class _Stream:
    """One direction of a call's RTP, and what was done to it so far."""

    changes: Sequence[Media]
    began: float = 0.0
    count: int = 0
    left_out: int = 0  #: packets that a gap swallowed: what follows is renumbered
    held: list[bytes] = field(default_factory=list)  #: packets of a digit
    chance: random.Random = field(default_factory=lambda: random.Random(1))


class Flow:
    """The RTP and RTCP of one call: two pairs of sockets, one towards each side."""

    def __init__(self, towards_ai: str, towards_platform: str, changes: Sequence[Media]) -> None:
        self._loop = asyncio.get_running_loop()
        self.peers: dict[Side, Address | None] = {"to-ai": None, "from-ai": None}
        self._streams: dict[Side, _Stream] = {
            side: _Stream([change for change in changes if change.side == side])
            for side in ("to-ai", "from-ai")
        }
        self._echo = any(change.do == "echo" for change in changes)
        self._inner, self._outer = _pair(towards_ai), _pair(towards_platform)
        for index in (0, 1):
            self._loop.add_reader(self._outer[index], self._forward, index, "to-ai")
            self._loop.add_reader(self._inner[index], self._forward, index, "from-ai")

    @property
    def inner_port(self) -> int:
        """Where the AI sends its RTP."""
        return int(self._inner[0].getsockname()[1])

    @property
    def outer_port(self) -> int:
        """Where the caller sends its RTP."""
        return int(self._outer[0].getsockname()[1])

    def close(self) -> None:
        """Relay no more."""
        for each in (*self._inner, *self._outer):
            self._loop.remove_reader(each)
            each.close()

    def _forward(self, index: int, side: Side) -> None:
        source = (self._outer if side == "to-ai" else self._inner)[index]
        try:
            data, sender = source.recvfrom(65536)
        except OSError:
            return
        if index == 1 or len(data) < 12:
            self._send(index, side, data)
            return
        if self._echo and side == "to-ai":
            source.sendto(data, sender)
        if self._echo and side == "from-ai":
            return
        self._change(side, data)

    def _send(self, index: int, side: Side, data: bytes) -> None:
        peer = self.peers[side]
        out = (self._inner if side == "to-ai" else self._outer)[index]
        if peer is not None and out.fileno() >= 0:
            try:
                out.sendto(data, (peer[0], peer[1] + index))
            except OSError:  # nobody listens there (any more)
                return

    def _change(self, side: Side, data: bytes) -> None:
        stream, now = self._streams[side], self._loop.time()
        stream.began = stream.began or now
        stream.count += 1
        wait, packets = 0.0, [data]
        for change in stream.changes:
            if _is_lost(change, stream, now):
                packets = []
            elif change.do == "delay" or (change.do == "disorder" and stream.count % 2):
                wait = change.amount if change.do == "delay" else 0.05
            elif change.do == "events-twice":
                packets = _twice(stream, data)
            else:
                packets = [_payload(change, stream, packet) for packet in packets]
        for packet in filter(None, packets):
            if wait:
                self._loop.call_later(wait, self._send, 0, side, packet)
            else:
                self._send(0, side, packet)


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Sockets on an even port and the next one (RFC 3550 section 11)."""
    for _ in range(200):
        port = random.randrange(10_000, 30_000, 2)
        made = (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        )
        try:
            for index, each in enumerate(made):
                each.setblocking(False)
                each.bind((host, port + index))
        except OSError:
            for each in made:
                each.close()
            continue
        return made
    raise OSError(f"{host}: no free pair of ports")


def _is_lost(change: Media, stream: _Stream, now: float) -> bool:
    match change.do:
        case "drop":
            return True
        case "first":
            return stream.count > change.amount
        case "stop":
            return now - stream.began > change.amount
        case "loss":
            return stream.chance.random() < change.amount
        case "bursts":
            return stream.count % 40 < 40 * change.amount
        case "gaps":
            lost = stream.count % 50 < 50 * change.amount
            stream.left_out += lost
            return lost
    return False


def _type(packet: bytes) -> int:
    return packet[1] & 0x7F


def _payload(change: Media, stream: _Stream, packet: bytes) -> bytes:
    head, body, kind = packet[:12], packet[12:], _type(packet)
    if change.do == "gaps":
        sequence, moment = struct.unpack("!HI", head[2:8])
        moment -= stream.left_out * _SAMPLES
        return (
            head[:2]
            + struct.pack("!HI", (sequence - stream.left_out) & 0xFFFF, moment & 0xFFFFFFFF)
            + packet[8:]
        )
    if kind not in (_PCMU, _PCMA):
        return b"" if change.do == "no-events" else packet
    match change.do:
        case "silence":
            body = (b"\xff" if kind == _PCMU else b"\xd5") * len(body)
        case "noise":
            body = stream.chance.randbytes(len(body))
        case "type":
            head = (
                head[:1]
                + bytes([(packet[1] & 0x80) | (_PCMA if kind == _PCMU else _PCMU)])
                + head[2:]
            )
        case "quiet":
            decode, encode = (
                (decode_ulaw, encode_ulaw) if kind == _PCMU else (decode_alaw, encode_alaw)
            )
            body = encode((decode(body) * 10 ** (-change.amount / 20)).astype(np.int16))
        case "beneath":
            decode, encode = (
                (decode_ulaw, encode_ulaw) if kind == _PCMU else (decode_alaw, encode_alaw)
            )
            sound = _beneath(change.sound) * 10 ** ((DEFAULT_LEVEL_DBOV + change.amount) / 20)
            at = (stream.count * len(body)) % (len(sound) - len(body))
            mixed = decode(body) + 32768 * sound[at : at + len(body)]
            body = encode(np.clip(mixed, -32768, 32767).astype(np.int16))
        case "mark":
            encode = encode_ulaw if kind == _PCMU else encode_alaw
            voice = (np.tile(waveform(int(change.amount)), 2) * 32767).astype(np.int16)
            at = (stream.count * len(body)) % (len(voice) // 2)
            body = encode(voice[at : at + len(body)])
    return head + body


@cache
def _beneath(sound: str) -> NDArray[np.float64]:
    """A minute of real sound, RMS 1."""
    seconds, draw = 60, np.random.default_rng(1)
    match sound:
        case "music":
            samples = soundfile.read(next(iter(sorted(HOLD_MUSIC.glob("*.wav")))))[0]
            samples = samples[: seconds * SAMPLE_RATE]
        case "voice":
            samples = recorded_speech(2, seconds).astype(float)
        case "babble":
            voices = [recorded_speech(seed, seconds).astype(float) for seed in range(6)]
            samples = np.sum([voice / voice.std() for voice in voices], axis=0)
        case _:
            samples = draw.normal(0, 1, seconds * SAMPLE_RATE)
    scaled: NDArray[np.float64] = samples / samples.std()
    return scaled


def _twice(stream: _Stream, packet: bytes) -> list[bytes]:
    """A digit's packets, and all of them again as another digit's, half a second later by the clock
    of the stream.
    """
    sequence, moment = struct.unpack("!HI", packet[2:8])
    sent = [
        packet[:2] + struct.pack("!HI", (sequence + stream.left_out) & 0xFFFF, moment) + packet[8:]
    ]
    if _type(packet) in (_PCMU, _PCMA):
        if stream.held:
            for index, held in enumerate(stream.held, start=1):
                moment = struct.unpack("!I", held[4:8])[0] + 4000
                number = (sequence + stream.left_out + index) & 0xFFFF
                sent.append(held[:2] + struct.pack("!HI", number, moment & 0xFFFFFFFF) + held[8:])
            stream.left_out += len(stream.held)
            stream.held = []
        return sent
    stream.held.append(packet)
    return sent
