"""A platform's own sounds to one leg (a menu, ringback), and the digits it sends meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.audio import g711
from harness.audio.dtmf import DtmfDetector
from harness.world.media.digits import EventReceiver, ReceivedDigit
from harness.world.media.leg import LegMedia, is_g711
from harness.world.media.rtp import Packet
from harness.world.media.sound import FRAME, Frames
from harness.world.media.ticker import Ticker


class Player:
    """Loops a sound to a leg until it is stopped."""

    def __init__(self, ticker: Ticker, media: LegMedia, sound: Callable[[str], Frames]) -> None:
        self._ticker = ticker
        self._media = media
        self._sound = sound
        self._at = 0
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        ticker.add(self._tick)

    def _tick(self) -> None:
        codec = self._media.codec
        if codec is None or not is_g711(codec):
            return
        sound = self._sound(codec.name.upper())
        if not self._media.held:
            payload = sound[self._at % len(sound)]
            packet = Packet(codec.payload_type, self._sequence, self._timestamp, self._ssrc, payload, self._at == 0)
            self._media.port.send(bytes(packet))
            self._sequence = (self._sequence + 1) & 0xFFFF
        self._at += 1
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF

    def stop(self) -> None:
        """Stop playing."""
        self._ticker.remove(self._tick)


class DigitListener:
    """Listens for a leg's digits, as telephone-events or as tones, until it is stopped."""

    def __init__(self, media: LegMedia, on_digit: Callable[[ReceivedDigit], None]) -> None:
        self._media = media
        self._on_digit = on_digit
        self._events = EventReceiver()
        self._tones = DtmfDetector()
        media.port.on_packet = self._packet

    def _packet(self, data: bytes) -> None:
        packet = Packet.parse(data)
        if packet is None:
            return
        if packet.payload_type == self._media.event_type:
            digit = self._events.take(packet)
            if digit is not None:
                self._on_digit(digit)
        elif packet.payload_type in (0, 8):
            decode = g711.decode_ulaw if packet.payload_type == 0 else g711.decode_alaw
            for tone in self._tones.feed(decode(packet.payload)):
                self._on_digit(ReceivedDigit(tone.digit, round(tone.duration * 1000), "inband"))

    def stop(self) -> None:
        """Stop listening."""
        if self._media.port.on_packet == self._packet:
            self._media.port.on_packet = None
