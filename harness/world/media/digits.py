"""Digits in a call: telephone-events (RFC 4733) both ways, tones, and INFO requests."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from harness.audio import g711
from harness.audio.dtmf import DtmfDetector
from harness.audio.prompts import PromptMatcher
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import Packet
from harness.world.wire.call import InDialogRequest

Method = Literal["rfc4733", "info", "inband"]
EVENTS: Final = "0123456789*#ABCD"  #: RFC 4733 table 7: the event's number is its place here
_EVENT = struct.Struct("!BBH")  # event, end bit and volume, duration (RFC 4733 section 2.3)
_END = 0x80
_VOLUME = 10  # dBm0 below full scale
_TONE_FRAMES, _PAUSE_FRAMES, _END_PACKETS = 5, 4, 3
_DECODERS = {0: g711.decode_ulaw, 8: g711.decode_alaw}  # by payload type (RFC 3551 section 6)
_SIGNAL = re.compile(r"^[ \t]*Signal[ \t]*=[ \t]*([0-9*#A-Da-d])[ \t\r]*$", re.MULTILINE)
_DURATION = re.compile(r"^[ \t]*Duration[ \t]*=[ \t]*([0-9]{1,6})[ \t\r]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReceivedDigit:
    """A digit that was received, with its length (0 when unknown) and how it came."""

    digit: str
    duration_ms: int
    method: Method


class EventReceiver:
    """Puts the packets of telephone-events together; each event is returned once."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._done = False

    def take(self, packet: Packet) -> ReceivedDigit | None:
        """The digit that this packet ends, if it is the first to do so."""
        if len(packet.payload) < _EVENT.size:
            return None
        event, flags, duration = _EVENT.unpack_from(packet.payload)
        # All packets of an event have its timestamp (RFC 4733 section 2.2.1).
        if packet.timestamp != self._timestamp:
            self._timestamp = packet.timestamp
            self._done = False
        has_ended = flags & _END
        if self._done or not has_ended or event >= len(EVENTS):
            return None
        self._done = True
        return ReceivedDigit(EVENTS[event], duration // 8, "rfc4733")  # 8 samples in 1 ms


def event_packets(digits: str, frame: int) -> Iterator[tuple[bytes, int, bool] | None]:
    """For each tick of 20 ms: payload, the event's start (samples after the first tick) and marker;
    or None for a pause.

    The end of an event goes out three times, one packet a tick (RFC 4733 section 2.5.1.4 wants them
    repeated).
    """
    tick = 0
    for digit in digits:
        event = EVENTS.index(digit.upper())
        start = tick * frame
        for count in range(1, _TONE_FRAMES + 1):
            yield _EVENT.pack(event, _VOLUME, count * frame), start, count == 1
        for _ in range(_END_PACKETS):
            yield _EVENT.pack(event, _END | _VOLUME, _TONE_FRAMES * frame), start, False
        for _ in range(_PAUSE_FRAMES):
            yield None
        tick += _TONE_FRAMES + _END_PACKETS + _PAUSE_FRAMES


def digit_of_info(content_type: str, body: bytes) -> ReceivedDigit | None:
    """The digit in an INFO's body: ``application/dtmf-relay``, or the bare digit of
    ``application/dtmf``.
    """
    text = body.decode("utf-8", "replace")
    if content_type == "application/dtmf-relay":
        signal = _SIGNAL.search(text)
        if signal is None:
            return None
        duration = _DURATION.search(text)
        return ReceivedDigit(signal[1].upper(), int(duration[1]) if duration else 0, "info")
    digit = text.strip().upper()
    if content_type == "application/dtmf" and len(digit) == 1 and digit in EVENTS:
        return ReceivedDigit(digit, 0, "info")
    return None


def info_of_digit(digit: str) -> tuple[str, bytes]:
    """Content type and body of an INFO that sends a digit of 100 ms."""
    return "application/dtmf-relay", f"Signal={digit}\r\nDuration=100\r\n".encode()


def take_info(request: InDialogRequest) -> ReceivedDigit | None:
    """Answer an INFO; the digit in it, None when there is none.

    One without a body is a keep-alive; a body that cannot be read gets 415 with what could be (RFC
    3261 section 21.4.13).
    """
    asked = request.request
    digit = digit_of_info(asked.content_type, asked.body)
    if digit is None and asked.body:
        request.respond(415, headers=[("Accept", "application/dtmf-relay, application/dtmf")])
    else:
        request.respond(200)
    return digit


def listen_for_digits(
    media: LegMedia, on_digit: Callable[[ReceivedDigit], None], prompts: Iterable[str] = ()
) -> Callable[[], None]:
    """Report a leg's digits, as telephone-events or as tones, and these prompts in place of digits.
    Returns what stops that.
    """
    events = EventReceiver()
    tones = DtmfDetector()
    words = PromptMatcher(prompts)

    def take(data: bytes) -> None:
        packet = Packet.parse(data)
        if packet is None:
            return
        if packet.payload_type == media.event_type:
            digit = events.take(packet)
            if digit is not None:
                on_digit(digit)
            return
        decode = _DECODERS.get(packet.payload_type)
        if decode is None:
            return
        heard = decode(packet.payload)
        for tone in tones.feed(heard):
            on_digit(ReceivedDigit(tone.digit, round(tone.duration * 1000), "inband"))
        for match in words.feed(heard):
            on_digit(ReceivedDigit(match.name, 0, "inband"))

    def stop() -> None:
        if media.port.on_packet is take:
            media.port.on_packet = None

    media.port.on_packet = take
    return stop
