"""RTP on the wires, between platform and AI and between media relay and agents: relayed, and
changed as a fault says (RFC 3550 section 5.1).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
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
_CODECS = {_PCMU: (decode_ulaw, encode_ulaw), _PCMA: (decode_alaw, encode_alaw)}
_SAMPLES = 160
_PACKET_S = _SAMPLES / SAMPLE_RATE
_HOLE_AFTER = 60  # packets
_ECHO = 10  #: packets that an echo is behind
Address = tuple[str, int]


@dataclass
class _Stream:
    """One direction of a call's RTP, and what was done to it so far."""

    changes: Sequence[Media]
    #: What went the other way last.
    said: deque[NDArray[np.int16]] = field(default_factory=lambda: deque(maxlen=_ECHO))
    back: deque[NDArray[np.int16]] = field(default_factory=lambda: deque(maxlen=_ECHO))
    began: float = 0.0
    count: int = 0
    left_out: int = 0  #: packets that a gap swallowed: what follows is renumbered
    held: list[bytes] = field(default_factory=list)  #: packets of a digit
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def pass_on(self, data: bytes, send: Callable[[bytes], None]) -> None:
        """Send what the changes make of a packet, now or later."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.began = self.began or now
        self.count += 1
        wait, packets = 0.0, [data]
        for change in self.changes:
            if now - self.began < change.after_s:
                continue
            if _is_lost(change, self, now):
                packets = []
            elif change.do == "delay" or (change.do == "disorder" and self.count % 2):
                wait = change.amount if change.do == "delay" else 0.05
            elif change.do == "jitter":
                wait = change.amount * self.chance.random()
            elif change.do == "events-twice":
                packets = _twice(self, data)
            else:
                packets = [_payload(change, self, packet) for packet in packets]
        self.said.append(_samples(data))
        for packet in filter(None, packets):
            if wait:
                loop.call_later(wait, send, packet)
            else:
                send(packet)


def _streams(changes: Iterable[Media], one: Side, other: Side) -> dict[Side, _Stream]:
    of = {side: [change for change in changes if change.side == side] for side in (one, other)}
    made = {side: _Stream(of[side]) for side in (one, other)}
    made[one].back, made[other].back = made[other].said, made[one].said
    return made


class Flow:
    """The RTP and RTCP of one call: two pairs of sockets, one towards each side."""

    def __init__(self, towards_ai: str, towards_platform: str, changes: Sequence[Media]) -> None:
        self._loop = asyncio.get_running_loop()
        self.peers: dict[Side, Address | None] = {"to-ai": None, "from-ai": None}
        self._streams = _streams(changes, "to-ai", "from-ai")
        self._echo = any(change.do == "echo" for change in changes)
        self._inner, self._outer = _pair(towards_ai), _pair(towards_platform)
        for index in (0, 1):
            self._loop.add_reader(self._outer[index], self._forward, index, "to-ai")
            self._loop.add_reader(self._inner[index], self._forward, index, "from-ai")

    def port_towards(self, side: Side) -> int:
        """Where who is reached that way sends its RTP."""
        facing, _ = self._inner if side == "to-ai" else self._outer
        return int(facing.getsockname()[1])

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
        self._streams[side].pass_on(data, lambda packet: self._send(0, side, packet))

    def _send(self, index: int, side: Side, data: bytes) -> None:
        peer = self.peers[side]
        out = (self._inner if side == "to-ai" else self._outer)[index]
        if peer is not None and out.fileno() >= 0:
            try:
                out.sendto(data, (peer[0], peer[1] + index))
            except OSError:  # nobody listens there (any more)
                return


class AgentsRelay:
    """Stands in front of a media relay at an address that agents are shown in its place: for each
    of its ports one, which passes on what comes, and what comes back to where that came from.
    """

    def __init__(self, shown: str, relay: str, ports: range, changes: Sequence[Media]) -> None:
        self._loop = asyncio.get_running_loop()
        self._changes = changes
        self._open: list[socket.socket] = []
        for port in ports:
            self._stand_for(shown, relay, port)

    def _stand_for(self, shown: str, relay: str, port: int) -> None:
        outer, inner = _bound(shown, port), _bound(shown, 0)
        self._open += [outer, inner]
        agents: list[Address] = []
        streams: list[dict[Side, _Stream]] = []

        def of(data: bytes, side: Side) -> _Stream | None:
            is_rtp = port % 2 == 0 and len(data) >= 12
            return streams[-1][side] if is_rtp and streams else None

        def from_agent() -> None:
            data, sender = outer.recvfrom(65536)
            if agents[-1:] != [sender]:  # the port's next call
                agents.append(sender)
                streams.append(_streams(self._changes, "to-agent", "from-agent"))
            _pass(of(data, "from-agent"), data, inner, (relay, port))

        def to_agent() -> None:
            data, _ = inner.recvfrom(65536)
            _pass(of(data, "to-agent"), data, outer, agents[-1])

        self._loop.add_reader(outer, from_agent)
        self._loop.add_reader(inner, to_agent)

    def close(self) -> None:
        """Relay no more."""
        for each in self._open:
            self._loop.remove_reader(each)
            each.close()


def _pass(stream: _Stream | None, data: bytes, out: socket.socket, where: Address) -> None:
    def send(packet: bytes) -> None:
        if out.fileno() >= 0:
            out.sendto(packet, where)

    if stream is None:
        send(data)
    else:
        stream.pass_on(data, send)


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    try:
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Sockets on an even port and the next one (RFC 3550 section 11)."""
    for _ in range(200):
        port = random.randrange(10_000, 30_000, 2)
        with contextlib.suppress(OSError):
            first = _bound(host, port)
            try:
                return first, _bound(host, port + 1)
            except OSError:
                first.close()
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
        case "hole":
            return _HOLE_AFTER < stream.count <= _HOLE_AFTER + change.amount / _PACKET_S
        case "gaps":
            lost = stream.count % 50 < 50 * change.amount
            stream.left_out += lost
            return lost
    return False


def _type(packet: bytes) -> int:
    return packet[1] & 0x7F


def _clock(packet: bytes) -> tuple[int, int]:
    """Sequence number and timestamp."""
    number, moment = struct.unpack("!HI", packet[2:8])
    return number, moment


def _at(packet: bytes, number: int, moment: int) -> bytes:
    """The packet with this sequence number and timestamp."""
    return packet[:2] + struct.pack("!HI", number & 0xFFFF, moment & 0xFFFFFFFF) + packet[8:]


def _payload(change: Media, stream: _Stream, packet: bytes) -> bytes:
    if change.do == "gaps":
        number, moment = _clock(packet)
        return _at(packet, number - stream.left_out, moment - stream.left_out * _SAMPLES)
    head, kind = packet[:12], _type(packet)
    if kind not in _CODECS:
        return b"" if change.do == "no-events" else packet
    samples = _samples(packet).astype(float)
    length = len(samples)
    match change.do:
        case "noise":
            return head + stream.chance.randbytes(length)
        case "type":
            other = _PCMA if kind == _PCMU else _PCMU
            return head[:1] + bytes([packet[1] & 0x80 | other]) + packet[2:]
        case "silence":
            samples *= 0
        case "quiet":
            samples *= 10 ** (-change.amount / 20)
        case "beneath":
            sound = _beneath(change.sound) * 10 ** ((DEFAULT_LEVEL_DBOV + change.amount) / 20)
            at = (stream.count * length) % (len(sound) - length)
            samples += 32768 * sound[at : at + length]
        case "echo-beneath" if len(stream.back) == _ECHO:
            echo = stream.back.popleft()[:length] * 10 ** (change.amount / 20)
            samples[: len(echo)] += echo
        case "mark":
            voice = np.tile(waveform(int(change.amount)), 2) * 32767
            at = (stream.count * length) % (len(voice) // 2)
            samples = voice[at : at + length]
        case _:
            return packet
    _, encode = _CODECS[kind]
    return head + encode(np.clip(samples, -32768, 32767).astype(np.int16))


def _samples(packet: bytes) -> NDArray[np.int16]:
    if _type(packet) not in _CODECS:
        return np.zeros(0, np.int16)
    decode, _ = _CODECS[_type(packet)]
    return decode(packet[12:])


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
    number, moment = _clock(packet)
    number += stream.left_out
    sent = [_at(packet, number, moment)]
    if _type(packet) not in _CODECS:
        stream.held.append(packet)
        return sent
    for index, held in enumerate(stream.held, start=1):
        sent.append(_at(held, number + index, _clock(held)[1] + 4000))
    stream.left_out += len(stream.held)
    stream.held = []
    return sent
