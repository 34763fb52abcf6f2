"""RTP streams of a capture: which packets are RTP, what they carry, when, how much was lost, and
their sound.

A stream is what one SSRC sends from one address to another (RFC 3550 section 3). Session
descriptions in the capture say where RTP goes, in which codec, and with which key (RFC 4568).
Without them a stream is recognised by its sequence numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.g711 import decode_alaw, decode_ulaw
from harness.audio.marks import SAMPLE_RATE
from harness.sip.sdp import STATIC, Codec, Crypto, Media
from harness.witness.packets import Address, Notes, Payload, Way, as_text
from harness.witness.srtp import SrtpKey

_HEADER: Final = struct.Struct("!BBHII")
_PADDING, _EXTENSION, _CSRC_COUNT = 0x20, 0x10, 0x0F  # in the first octet
_RTCP: Final = range(192, 224)  # payload types with the marker bit (RFC 5761 section 4)
_DECODERS: Final[dict[str, Callable[[bytes], NDArray[np.int16]]]] = {
    "PCMU": decode_ulaw,
    "PCMA": decode_alaw,
}
_NOT_SOUND: Final = ("TELEPHONE-EVENT", "CN", "RED")
_REORDERED: Final = 100  # RFC 3550 appendix A.1: sequence numbers further back are a new beginning
_DROPPED: Final = 3000  # … and further ahead
#: A stream without SDP: this many packets, most of them one sequence number after the other. A DNS
#: message has flags where RTP has its sequence number.
_FEWEST, _IN_ORDER = 10, 0.8
_MOST_CUT: Final = 0.05  #: of the packets: a part of each says nothing of a mark
_PLAIN_TYPES: Final = {*range(35), *range(96, 128)}
#: Sound continues within a part; after a longer silence without packets a new one begins.
_LONGEST_GAP_S: Final = 0.2
#: RTP time and arrival may differ by this much: a jitter buffer of a second is a long one. Then the
#: sender has set its clock anew.
_MOST_DEVIATION_S: Final = 1.0
_MOST_ROLLOVERS: Final = 8  # 22 minutes of 20 ms packets each


@dataclass(frozen=True)
class Described:
    """The audio of a session description: where its sender wants to receive RTP."""

    at: float
    call_id: str
    place: Address
    media: Media


@dataclass(frozen=True)
class Sound:
    """Decoded sound without longer pauses."""

    at: float  #: of the first sample, seconds since the epoch by the capture's clock
    samples: NDArray[np.int16]  #: at 8000 Hz


@dataclass(frozen=True)
class Stream:
    """What one SSRC sent from one address to another."""

    source: Address
    target: Address
    ssrc: int
    first: float  #: arrival of the first packet, seconds since the epoch by the capture's clock
    last: float
    packets: int  #: without repetitions
    lost: int
    #: From when on which codec; more than one where the payload type changed.
    codecs: tuple[tuple[float, str], ...]
    call_ids: frozenset[str]  #: of the calls whose SDP names its source or target
    is_encrypted: bool
    unread: str = ""  #: why no sound can be decoded
    _audio: tuple[_Audio, ...] = field(default=(), repr=False)

    @property
    def way(self) -> Way:
        """From where to where it flows."""
        return self.source, self.target

    def sounds(self) -> Iterator[Sound]:
        """Its sound in parts, by RTP time from the arrival of each part's first packet: without the
        network's jitter.
        """
        part = list[_Audio]()
        anchor = _Anchor(0, 0.0)
        for packet in self._audio:
            when = packet.at
            if part:
                when = anchor.time_of(packet.timestamp)
                before = part[-1]
                ended = anchor.time_of(before.timestamp) + len(before.payload) / SAMPLE_RATE
                if abs(when - packet.at) > _MOST_DEVIATION_S:
                    yield _sound(part, anchor)
                    part, when = [], packet.at
                elif when - ended > _LONGEST_GAP_S:
                    yield _sound(part, anchor)
                    part = []
            if not part:
                anchor = _Anchor(packet.timestamp, when)
            part.append(packet)
        if part:
            yield _sound(part, anchor)


@dataclass(frozen=True, slots=True)
class _Audio:
    at: float
    timestamp: int
    codec: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Anchor:
    """An RTP timestamp and the time it stands for."""

    timestamp: int
    at: float

    def samples_to(self, timestamp: int) -> int:
        """How far a timestamp is from this one; timestamps begin again after 2³²."""
        return ((timestamp - self.timestamp + 0x80000000) & 0xFFFFFFFF) - 0x80000000

    def time_of(self, timestamp: int) -> float:
        return self.at + self.samples_to(timestamp) / SAMPLE_RATE


def _sound(part: Sequence[_Audio], anchor: _Anchor) -> Sound:
    begins = [anchor.samples_to(packet.timestamp) for packet in part]
    ends = [begin + len(packet.payload) for begin, packet in zip(begins, part, strict=True)]
    first = min(begins)
    samples = np.zeros(max(ends) - first, np.int16)
    for begin, end, packet in zip(begins, ends, part, strict=True):
        decode = _DECODERS[packet.codec]
        samples[begin - first : end - first] = decode(packet.payload)
    return Sound(anchor.at + first / SAMPLE_RATE, samples)


_Numbered = tuple[int, tuple[float, bytes]]
"""A packet's sequence number without its overflows; arrival and octets."""


@dataclass(slots=True)
class _Collected:
    """The packets of what may be a stream, by sequence number without its overflows."""

    packets: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    newest: int = 0
    expected: int = 0  #: before the latest new beginning
    base: int = 0
    in_order: int = 0
    cut: int = 0  #: packets of which the capture lacks the end

    def add(self, at: float, sequence: int, octets: bytes, is_cut: bool) -> None:
        self.cut += is_cut
        if not self.packets:
            self.newest = self.base = sequence
        ahead = (sequence - self.newest) & 0xFFFF
        if ahead < _DROPPED:
            self.in_order += ahead == 1
            number = self.newest = self.newest + ahead
        elif ahead > 0x10000 - _REORDERED:
            number = self.newest + ahead - 0x10000
        else:  # the sender began anew
            self.expected += self.newest - self.base + 1
            number = self.newest = self.base = ((self.newest >> 16) + 1 << 16) + sequence
        self.packets.setdefault(number, (at, octets))

    @property
    def lost(self) -> int:
        return max(0, self.expected + self.newest - self.base + 1 - len(self.packets))


class RtpStreams:
    """Collects packets that may be RTP, and makes streams of those that are."""

    def __init__(self, notes: Notes) -> None:
        self._found: dict[tuple[Address, Address, int], _Collected] = {}
        self._notes = notes

    def take(self, payload: Payload) -> None:
        """Keep a datagram that has the form of RTP."""
        octets = payload.octets
        if len(octets) < _HEADER.size or octets[0] >> 6 != 2 or octets[1] in _RTCP:
            return
        _, _, sequence, _, ssrc = _HEADER.unpack_from(octets)
        key = payload.source, payload.target, ssrc
        collected = self._found.setdefault(key, _Collected())
        collected.add(payload.at, sequence, octets, payload.is_cut)

    def streams(self, described: Sequence[Described]) -> tuple[Stream, ...]:
        """All streams, by the arrival of their first packet."""
        by_place: dict[Address, list[Described]] = {}
        for description in sorted(described, key=lambda each: each.at):
            by_place.setdefault(description.place, []).append(description)
        by_call: dict[str, list[Described]] = {}
        for description in described:
            by_call.setdefault(description.call_id, []).append(description)
        found = []
        while self._found:  # each collection goes as soon as its stream is made
            key, collected = self._found.popitem()
            stream = self._stream(*key, collected, by_place, by_call)
            if stream is not None:
                found.append(stream)
        return tuple(sorted(found, key=lambda stream: stream.first))

    def _stream(
        self,
        source: Address,
        target: Address,
        ssrc: int,
        collected: _Collected,
        by_place: dict[Address, list[Described]],
        by_call: dict[str, list[Described]],
    ) -> Stream | None:
        packets = sorted(collected.packets.items())
        first = min(at for _, (at, _) in packets)
        last = max(at for _, (at, _) in packets)
        receiver = _in_force(by_place.get(target, ()), first, last)
        sender = _in_force(by_place.get(source, ()), first, last)
        if not receiver and not sender and not _is_plausible(collected):
            return None
        calls = frozenset(description.call_id for description in (*receiver, *sender))
        is_encrypted = any(description.media.is_secure for description in (*receiver, *sender))
        known: dict[int, Codec] = {}
        # A payload type means what the receiver's description says (RFC 3264 section 5.1).
        for description in (*sender, *receiver):
            known.update((codec.payload_type, codec) for codec in description.media.codecs)
        unprotected = iter(packets)
        if is_encrypted:
            keys = _keys(each for call in calls for each in by_call[call])
            unprotected = _decrypted(packets, keys)
        codecs, audio = _sounding(unprotected, known)
        unread = ""
        if collected.cut > _MOST_CUT * len(packets):
            audio = []
            unread = f"the capture has the headers of its {len(packets)} packets, not their sound"
        elif is_encrypted and not codecs:
            unread = "it is encrypted (SRTP), and the capture has no key for it"
        elif codecs and not audio:
            unread = f"{codecs[0][1]} is not decoded"
        if unread:
            self._notes.add(f"RTP from {as_text(source)} to {as_text(target)}: {unread}")
        return Stream(
            source,
            target,
            ssrc,
            first,
            last,
            packets=len(packets),
            lost=collected.lost,
            codecs=tuple(codecs),
            call_ids=calls,
            is_encrypted=is_encrypted,
            unread=unread,
            _audio=tuple(audio),
        )


def _sounding(
    packets: Iterable[_Numbered], known: Mapping[int, Codec]
) -> tuple[list[tuple[float, str]], list[_Audio]]:
    """From when on which codec was sent, and the audio that can be decoded."""
    codecs: list[tuple[float, str]] = []
    audio: list[_Audio] = []
    for _, (at, octets) in packets:
        payload_type = octets[1] & 0x7F
        codec = known.get(payload_type) or STATIC.get(payload_type)
        name = codec.name.upper() if codec else f"payload type {payload_type}"
        if name in _NOT_SOUND:
            continue
        if not codecs or codecs[-1][1] != name:
            codecs.append((at, name))
        payload = _payload(octets) if _is_decoded(codec) else b""
        if payload:
            timestamp = _HEADER.unpack_from(octets)[3]
            audio.append(_Audio(at, timestamp, name, payload))
    return codecs, audio


def _is_decoded(codec: Codec | None) -> bool:
    if codec is None or codec.name.upper() not in _DECODERS:
        return False
    return codec.clock_rate == SAMPLE_RATE and codec.channels == 1


def _in_force(described: Sequence[Described], first: float, last: float) -> list[Described]:
    """The SDP in force when the stream began, and later SDP while it lasted. A later call may use
    the same port.
    """
    before = [each for each in described if each.at <= first]
    return before[-1:] + [each for each in described if first < each.at <= last]


def _is_plausible(collected: _Collected) -> bool:
    packets = collected.packets
    if len(packets) < _FEWEST or collected.in_order < _IN_ORDER * (len(packets) - 1):
        return False
    return all(octets[1] & 0x7F in _PLAIN_TYPES for _, octets in packets.values())


def _payload(octets: bytes) -> bytes:
    """Without header, header extension and padding (RFC 3550 section 5.1); empty where these do not
    fit.
    """
    begin = _header_length(octets)
    padding = octets[-1] if octets[0] & _PADDING else 0
    if begin + padding > len(octets):
        return b""
    return octets[begin : len(octets) - padding]


def _header_length(octets: bytes) -> int:
    begin = _HEADER.size + 4 * (octets[0] & _CSRC_COUNT)
    if octets[0] & _EXTENSION and begin + 4 <= len(octets):
        words = int.from_bytes(octets[begin + 2 : begin + 4])
        begin += 4 + 4 * words
    return begin


def _keys(described: Iterable[Described]) -> list[SrtpKey]:
    keys: dict[str, SrtpKey] = {}
    for description in described:
        for value in description.media.attributes("crypto"):
            try:
                crypto = Crypto.parse(value)
                keys.setdefault(f"{crypto.suite} {crypto.key}", SrtpKey(crypto))
            except ValueError:
                continue  # of a suite that is not supported; the stream's note says that there is no key
    return list(keys.values())[:_MOST_KEYS]


_MOST_KEYS: Final = 32


def _decrypted(packets: Sequence[_Numbered], keys: Sequence[SrtpKey]) -> Iterator[_Numbered]:
    """The packets that one of the keys fits. A capture may begin when sequence numbers have already
    begun again.
    """
    fitting = [(key, rollovers) for rollovers in range(_MOST_ROLLOVERS) for key in keys]
    failed = 0
    for number, (at, octets) in packets:
        header, overflows = _header_length(octets), number >> 16
        for place, (key, rollovers) in enumerate(fitting):
            plain = key.unprotect(octets, header, rollovers + overflows)
            if plain is not None:
                fitting.insert(0, fitting.pop(place))  # the next packet has the same
                yield number, (at, plain)
                break
        else:
            failed += 1
            if failed >= _MOST_FAILED:
                return


_MOST_FAILED: Final = 50
