"""Mouths and ears of all assistants of the world, served together in one tick of 20 ms."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.detector import DetectorBank, Ended, Heard
from harness.audio.dtmf import DtmfDetector
from harness.audio.marks import REPLY_OFFSET, reply_to
from harness.audio.prompts import PromptMatcher
from harness.errors import ResourceError
from harness.simulation.audit import Audit
from harness.simulation.media import sound
from harness.simulation.media.digits import EventReceiver, ReceivedDigit, event_packets
from harness.simulation.media.leg import LegMedia
from harness.simulation.media.rtp import Packet
from harness.simulation.media.sound import FRAME, Frames
from harness.simulation.media.ticker import TICK, Ticker
from harness.simulation.settings import Assistant
from harness.simulation.synthflow import mouth

REPLY_SECONDS: Final = 0.480  #: in band: "I hear your mark" …
VOICE_SECONDS: Final = 0.320  #: … and in turn the assistant's own voice
_BEHIND = 3  # frames waiting beyond this are late: two are heard in one tick
_PATIENCE = 3  # ticks without a packet before silence is heard
_MOST_LOST = 5  # frames made up for lost packets; more is a pause
_NOTHING = 16  # G.711's smallest steps, either law
_KEPT = 30  # frames kept while a mark is heard, for what comes right after it
_ULAW_ALAW = np.stack([g711.decode_ulaw(bytes(range(256))), g711.decode_alaw(bytes(range(256)))])


class Listener(Protocol):
    """Who wants to know what a mouth-and-ear hears."""

    def heard_mark(self, mark: int, began: float, level_dbov: float) -> None:
        """A mark begins or goes on; ``began`` in seconds since the epoch."""

    def heard_digit(self, digit: ReceivedDigit) -> None:
        """A digit ended."""

    def heard_prompt(self, name: str) -> None:
        """A spoken prompt was heard whole."""

    def heard_nothing(self, seconds: float) -> None:
        """Silence goes on, for so long already."""


class Channel:
    """One assistant's mouth and ear in one call."""

    def __init__(
        self,
        media_engine: MediaEngine,
        stream: int,
        media: LegMedia,
        listener: Listener,
        voice: int | None,
        manners: Assistant | None = None,
    ) -> None:
        self._media_engine = media_engine
        self.stream = stream
        self._media = media
        self._listener = listener
        self._voice = voice
        self._manners = manners or Assistant()
        self._turns = mouth.Turns()
        # the ear
        self._waiting: deque[bytes] = deque()
        self._rest = b""
        self._last = b""
        self._expected: int | None = None
        self._missed = 0
        self._fed = 0
        self._events = EventReceiver()
        self._tones = DtmfDetector()
        self._prompts = PromptMatcher(media_engine.prompts)
        self._silent = 0  # frames
        self._kept: deque[NDArray[np.int16]] = deque(maxlen=_KEPT)
        # the mouth
        self._sequence = random.getrandbits(16)
        self._timestamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self._spoken = 0
        self._script: Iterator[bytes] = iter(())
        self._sending: Iterator[tuple[bytes, int, bool] | None] | None = None
        self._sending_since = 0
        self._present: int | None = None
        self._replying_to: int | None = None
        self._may_reply = False
        media.port.on_packet = self._receive if self._manners.hears else None
        self.speaking = True

    @property
    def packets(self) -> int:
        """RTP packets received."""
        return self._media.port.received

    # --- the ear -----------------------------------------------------------------------------------

    def _receive(self, data: bytes) -> None:
        packet = Packet.parse(data)
        if packet is None:
            return
        if packet.payload_type == self._media.event_type:
            digit = self._events.take(packet)
            if digit is not None:
                self._listener.heard_digit(digit)
            self._expected = (packet.sequence + 1) & 0xFFFF
            return
        if packet.payload_type not in self._media.voice_types:
            return  # not what was negotiated
        lost = 0 if self._expected is None else (packet.sequence - self._expected) & 0xFFFF
        if lost > 0x8000:
            return  # late, or twice
        self._expected = (packet.sequence + 1) & 0xFFFF
        if 0 < lost <= _MOST_LOST and self._last:
            self._waiting.extend([self._last] * lost)
        self._rest += packet.payload
        while len(self._rest) >= FRAME:
            self._last, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            self._waiting.append(self._last)

    @property
    def is_behind(self) -> bool:
        """Whether more is waiting than one tick takes."""
        return len(self._waiting) > _BEHIND

    def next_frame(self) -> bytes | None:
        """The frame to hear in this tick; silence when nothing has come for a while; None for "not yet"."""
        if self._waiting:
            self._missed = 0
            return self._waiting.popleft()
        self._missed += 1
        return sound.silence(self.law)[0] if self._missed > _PATIENCE else None

    @property
    def law(self) -> str:
        """The codec's name."""
        codec = self._media.codec
        return "PCMA" if codec is not None and codec.name.upper() == "PCMA" else "PCMU"

    def heard(self, fact: object) -> None:
        """What the bank says of this ear."""
        if isinstance(fact, Heard):
            began = time.time() - max(0.0, self._fed * TICK - fact.began)
            self._listener.heard_mark(fact.mark, began, fact.level_dbov)
            self._present = fact.mark if fact.mark < REPLY_OFFSET else None
            self._reply()
        elif isinstance(fact, Ended) and fact.mark == self._present:
            self._present = None

    def begin_to_reply(self) -> None:
        """From now on say in band which mark is heard; until then there is the voice alone."""
        self._may_reply = self._manners.replies and self._manners.sends == "voice"
        self._reply()

    def _reply(self) -> None:
        if self._may_reply and self._present is not None and self._present != self._replying_to:
            self._replying_to = self._present
            self._script = self._replies(self._present)

    def hear(self, samples: NDArray[np.int16], *, mark_present: bool) -> None:
        """A frame has been fed to the bank; now for what is no mark."""
        self._fed += 1
        self._silent = self._silent + 1 if np.abs(samples).max() <= _NOTHING else 0
        if self._silent:
            self._listener.heard_nothing(self._silent * TICK)
        self._turns.hear(samples, mark_present=mark_present)
        self._kept.append(samples)
        if mark_present:
            return
        heard = np.concatenate(self._kept)
        self._kept.clear()
        for tone in self._tones.feed(heard):
            self._listener.heard_digit(ReceivedDigit(tone.digit, round(tone.duration * 1000), "inband"))
        for match in self._prompts.feed(heard):
            self._listener.heard_prompt(match.name)

    # --- the mouth ---------------------------------------------------------------------------------

    def send_digits(self, digits: str) -> bool:
        """Say digits as telephone-events; whether that was negotiated."""
        if self._media.event is None:
            return False
        self._sending = event_packets(digits, FRAME)
        self._sending_since = self._timestamp
        return True

    def say(self, frames: Frames) -> None:
        """Say those frames, then go on as before."""
        rest = self._script
        self._script = self._first(frames, rest)

    @staticmethod
    def _first(frames: Frames, rest: Iterator[bytes]) -> Iterator[bytes]:
        yield from frames
        yield from rest

    def _replies(self, mark: int) -> Iterator[bytes]:
        reply, law = sound.mark(reply_to(mark), self.law), self.law
        own = sound.mark(self._voice, law) if self._voice is not None else sound.silence(law)
        while True:
            yield from _looped(reply, REPLY_SECONDS)
            yield from _looped(own, VOICE_SECONDS)

    def _plain_voice(self) -> Iterator[bytes]:
        manners = self._manners
        other = mouth.script(
            manners.sends,
            self.law,
            self._turns,
            greeting_s=manners.greeting_s,
            interruptible=manners.interruptible,
        )
        return self._mark_alone() if other is None else other

    def _mark_alone(self) -> Iterator[bytes]:
        while True:
            yield from sound.mark(self._voice, self.law) if self._voice is not None else sound.silence(self.law)

    def relearn(self) -> None:
        """The codec has changed: speak in the new one from the next frame on."""
        self._script = self._replies(self._replying_to) if self._replying_to is not None else self._plain_voice()

    def speak(self) -> None:
        """Send what belongs to this tick."""
        codec = self._media.codec
        if codec is None:
            return
        event = next(self._sending, self) if self._sending is not None else None
        if event is self:
            self._sending = event = None
        if self.speaking and not self._media.held:
            if isinstance(event, tuple):
                payload, start, marker = event
                number = self._media.event.payload_type if self._media.event is not None else 101
                self._send(number, self._sending_since + start, payload, marker)
            elif self._sending is None:
                payload = next(self._script, b"") or next(self._again())
                self._send(codec.payload_type, self._timestamp, payload, self._spoken == 0)
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF

    def _again(self) -> Iterator[bytes]:
        self._script = self._plain_voice()
        return self._script

    def _send(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> None:
        packet = Packet(payload_type, self._sequence, timestamp & 0xFFFFFFFF, self._ssrc, payload, marker)
        self._media.port.send(bytes(packet))
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._spoken += 1

    def close(self) -> None:
        """Say and hear nothing more."""
        if self._media.port.on_packet == self._receive:
            self._media.port.on_packet = None
        self._media_engine.forget(self)


class MediaEngine:
    """All channels of the world. ``prompts`` are the names of the spoken prompts they understand."""

    def __init__(self, ticker: Ticker, audit: Audit, prompts: tuple[str, ...], capacity: int = 256) -> None:
        self._ticker = ticker
        self._audit = audit
        self.prompts = prompts
        self._bank = DetectorBank(capacity)
        self._free = list(range(capacity - 1, -1, -1))
        self._channels: list[Channel] = []

    def open(self, media: LegMedia, listener: Listener, voice: int | None, manners: Assistant | None = None) -> Channel:
        """A mouth and an ear for a leg that has negotiated. Raises `ResourceError` when all are in use."""
        if not self._free:
            raise ResourceError("no more calls can be listened to at once")
        channel = Channel(self, self._free.pop(), media, listener, voice, manners)
        self._bank.reset(channel.stream)
        if not self._channels:
            self._ticker.add(self._tick)
        self._channels.append(channel)
        return channel

    def forget(self, channel: Channel) -> None:
        """The channel is closed."""
        if channel in self._channels:
            self._channels.remove(channel)
            self._free.append(channel.stream)
        if not self._channels:
            self._ticker.remove(self._tick)

    def __len__(self) -> int:
        return len(self._channels)

    def _tick(self) -> None:
        self._listen(self._channels)
        self._listen([channel for channel in self._channels if channel.is_behind])
        for channel in list(self._channels):
            with self._harming_no_other(channel):
                channel.speak()

    def _listen(self, channels: list[Channel]) -> None:
        heard = [(channel, frame) for channel in channels if (frame := channel.next_frame()) is not None]
        if not heard:
            return
        octets = np.frombuffer(b"".join(frame for _, frame in heard), np.uint8).reshape(-1, FRAME)
        laws = np.array([channel.law == "PCMA" for channel, _ in heard], np.intp)
        samples: NDArray[np.int16] = _ULAW_ALAW[laws[:, None], octets]
        streams = np.array([channel.stream for channel, _ in heard], np.intp)
        by_stream = {channel.stream: channel for channel, _ in heard}
        facts = self._bank.feed(samples, streams)
        for row, (channel, _) in enumerate(heard):
            with self._harming_no_other(channel):
                channel.hear(samples[row], mark_present=self._bank.present(channel.stream) is not None)
        for stream, fact in facts:
            with self._harming_no_other(by_stream[stream]):
                by_stream[stream].heard(fact)

    @contextmanager
    def _harming_no_other(self, channel: Channel) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._audit.error(f"ear and mouth {channel.stream}", error)
            channel.close()


def _looped(frames: Frames, seconds: float) -> Iterator[bytes]:
    for at in range(round(seconds / TICK)):
        yield frames[at % len(frames)]
