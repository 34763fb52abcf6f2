"""The audio of all assistants of the world, sent and analysed together in one tick of 20 ms."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, islice, repeat
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.detector import DetectorBank, Ended, Heard
from harness.audio.marks import REPLY_OFFSET, reply_to
from harness.errors import ResourceError
from harness.world.media import sound
from harness.world.media.digits import event_packets
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import RtpStream
from harness.world.media.sound import FRAME, TICK, Frames, Ticker
from harness.world.settings import AssistantSettings, Sends
from harness.world.synthflow.audio_input import AudioInput, Listener, Turns

T = TypeVar("T")
_log = logging.getLogger(__name__)
REPLY_SECONDS: Final = 0.480  #: in band: "I hear your mark" …
VOICE_SECONDS: Final = 0.320  #: … and in turn the assistant's own voice
_ULAW_ALAW = np.stack([g711.decode_ulaw(bytes(range(256))), g711.decode_alaw(bytes(range(256)))])

GREETING, ANSWER, HOLD, GOODBYE = "hello-en", "how-can-i-help-en", "connecting-you-en", "goodbye-en"
MACHINE = "voicemail-greeting-en"
#: What an assistant says first, by the prompt's name; the others say no words.
FIRST_WORDS: Final[dict[Sends, str]] = {"speech": GREETING, "talks-on": GREETING, "machine": MACHINE}
#: Assistants that answer in words.
SPEAKS_ON: Final[tuple[Sends, ...]] = ("speech", "talks-on")
_REFLECTS = 20  # frames before an assistant answers a caller who has finished


def script(settings: AssistantSettings, voice: int | None, law: str, turns: Turns) -> Iterator[bytes]:
    """The endless frames of an assistant; ``voice`` is its mark."""
    nothing = sound.silence(law)[0]
    match settings.sends:
        case "voice":
            return cycle(sound.mark(voice, law) if voice is not None else sound.silence(law))
        case "speech":
            return _conversation(law, turns, settings.greeting_s, settings.interruptible)
        case "talks-on":
            return cycle(chain(*(sound.prompt(name, law) for name in (GREETING, ANSWER, HOLD))))
        case "tone":
            return cycle(sound.tone(law))
        case "music":
            return cycle(sound.music(law))
        case "silence":
            return repeat(nothing)
        case "machine":
            return chain(sound.prompt(MACHINE, law), sound.beep(law), repeat(nothing))


def _conversation(law: str, turns: Turns, greeting_s: float, interruptible: bool) -> Iterator[bytes]:
    nothing = sound.silence(law)[0]
    greeting = sound.prompt(GREETING, law)
    saying: Iterator[bytes] = islice(cycle(greeting), round(greeting_s * 50)) if greeting_s else iter(greeting)
    while True:
        if turns.caller_speaks and interruptible:
            saying = iter(())
        if turns.take_finished():
            saying = chain(repeat(nothing, _REFLECTS), sound.prompt(ANSWER, law))
        yield next(saying, nothing)


class Channel:
    """One assistant's audio in one call: what it sends, and its :class:`AudioInput`."""

    def __init__(
        self,
        media_engine: MediaEngine,
        stream: int,
        media: LegMedia,
        listener: Listener,
        voice: int | None,
        settings: AssistantSettings,
    ) -> None:
        self._media_engine = media_engine
        self.stream = stream
        self._media = media
        self._voice = voice
        self._settings = settings
        self.input = AudioInput(media, listener, media_engine.prompts)
        self._rtp = RtpStream()
        self._has_spoken = False
        self._script: Iterator[bytes] = iter(())
        self._sending: Iterator[tuple[bytes, int, bool] | None] | None = None
        self._sending_since = 0
        self._replying_to: int | None = None
        self._may_reply = False
        media.port.on_packet = self.input.receive if self._settings.hears else None

    @property
    def packets(self) -> int:
        return self._media.port.received

    @property
    def law(self) -> str:
        return self.input.law

    def heard(self, fact: Heard | Ended) -> None:
        """Take what the detector bank has found in this channel's audio."""
        self.input.heard(fact)
        self._reply()

    def begin_to_reply(self) -> None:
        """Name the marks that are heard, in band, from now on; until then only the voice is sent."""
        self._may_reply = self._settings.replies and self._settings.sends == "voice"
        self._reply()

    def _reply(self) -> None:
        mark = self.input.mark
        if self._may_reply and mark is not None and mark < REPLY_OFFSET and mark != self._replying_to:
            self._replying_to = mark
            self._script = self._replies(mark)

    # --- sending -----------------------------------------------------------------------------------

    def send_digits(self, digits: str) -> bool:
        """Send digits as telephone-events; return whether these were negotiated."""
        if self._media.event is None:
            return False
        self._sending = event_packets(digits, FRAME)
        self._sending_since = self._rtp.timestamp
        return True

    def say(self, frames: Frames) -> None:
        """Send those frames, then go on as before."""
        self._script = chain(frames, self._script)

    def _replies(self, mark: int) -> Iterator[bytes]:
        reply, law = sound.mark(reply_to(mark), self.law), self.law
        own = sound.mark(self._voice, law) if self._voice is not None else sound.silence(law)
        while True:
            yield from islice(cycle(reply), round(REPLY_SECONDS / TICK))
            yield from islice(cycle(own), round(VOICE_SECONDS / TICK))

    def _plain_voice(self) -> Iterator[bytes]:
        return script(self._settings, self._voice, self.law, self.input.turns)

    def relearn(self) -> None:
        """Use the leg's new codec from the next frame on."""
        self._script = self._replies(self._replying_to) if self._replying_to is not None else self._plain_voice()

    def speak(self) -> None:
        """Send the frame of this tick."""
        codec = self._media.codec
        if codec is None:
            return
        event = next(self._sending, self) if self._sending is not None else None
        if event is self:
            self._sending = event = None
        if not self._media.held:
            if isinstance(event, tuple):
                payload, start, marker = event
                number = self._media.event.payload_type if self._media.event is not None else 101
                self._media.port.send(self._rtp.packet(number, payload, self._sending_since + start, marker=marker))
            elif self._sending is None:
                payload = next(self._script, b"")
                if not payload:
                    self._script = self._plain_voice()
                    payload = next(self._script)
                self._media.port.send(self._rtp.packet(codec.payload_type, payload, marker=not self._has_spoken))
                self._has_spoken = True
        self._rtp.timestamp += FRAME

    def close(self) -> None:
        """Send and analyse nothing more."""
        if self._media.port.on_packet == self.input.receive:
            self._media.port.on_packet = None
        self._script = iter(())  # the generators refer to this channel
        self._media_engine.forget(self)


class MediaEngine:
    """All channels of the world. ``prompts`` are the names of the spoken prompts that assistants understand."""

    def __init__(self, ticker: Ticker, prompts: tuple[str, ...], capacity: int) -> None:
        self._ticker = ticker
        self.prompts = prompts
        self._bank = DetectorBank(capacity)
        self._free = list(range(capacity - 1, -1, -1))
        self._channels: list[Channel] = []

    def open(self, media: LegMedia, listener: Listener, voice: int | None, settings: AssistantSettings) -> Channel:
        """A channel for a leg that has negotiated. Raises `ResourceError` when all are in use."""
        if not self._free:
            raise ResourceError("no more calls can be listened to at once")
        channel = Channel(self, self._free.pop(), media, listener, voice, settings)
        self._bank.reset(channel.stream)
        if not self._channels:
            self._ticker.add(self._tick)
        self._channels.append(channel)
        return channel

    def forget(self, channel: Channel) -> None:
        """Remove a closed channel."""
        if channel in self._channels:
            self._channels.remove(channel)
            self._free.append(channel.stream)
        if not self._channels:
            self._ticker.remove(self._tick)

    def __len__(self) -> int:
        return len(self._channels)

    def _tick(self) -> None:
        for channel in self._channels:
            channel.input.tick()
        while heard := [
            (channel, frame)
            for channel in list(self._channels)
            if (frame := self._guarded(channel, channel.input.next_frame)) is not None
        ]:
            self._hear(heard)
        for channel in list(self._channels):
            self._guarded(channel, channel.speak)

    def _hear(self, heard: list[tuple[Channel, bytes]]) -> None:
        octets = np.frombuffer(b"".join(frame for _, frame in heard), np.uint8).reshape(-1, FRAME)
        laws = np.array([channel.input.law == "PCMA" for channel, _ in heard], np.intp)
        samples: NDArray[np.int16] = _ULAW_ALAW[laws[:, None], octets]
        streams = np.array([channel.stream for channel, _ in heard], np.intp)
        by_stream = {channel.stream: channel for channel, _ in heard}
        facts = self._bank.feed(samples, streams)
        for row, (channel, _) in enumerate(heard):
            is_mark = self._bank.present(channel.stream) is not None
            self._guarded(channel, partial(channel.input.hear, samples[row], mark_present=is_mark))
        for stream, fact in facts:
            self._guarded(by_stream[stream], partial(by_stream[stream].heard, fact))

    def _guarded(self, channel: Channel, work: Callable[[], T]) -> T | None:
        """Have a channel work; one that fails is closed, the others go on."""
        try:
            return work()
        except Exception:
            _log.exception("audio channel %d failed and is closed", channel.stream)
            channel.close()
            return None
