"""The audio of all assistants of the world, sent and analysed together, in four phases of each tick
of 20 ms.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, cycle, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.detector import DetectorBank, Ended, Heard
from harness.audio.dtmf import DtmfDetector
from harness.audio.marks import PERIOD, REPLY_OFFSET, reply_to
from harness.audio.prompts import PromptMatcher
from harness.errors import ResourceError
from harness.world.media import sound
from harness.world.media.digits import EventReceiver, ReceivedDigit, event_packets
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import Packet, RtpStream
from harness.world.media.sound import FRAME, PHASES, TICK, Frames, Ticker
from harness.world.settings import AssistantSettings, Sends

if TYPE_CHECKING:
    from harness.world.synthflow.conversation import Conversation
    from harness.world.synthflow.recordings import Recording

T = TypeVar("T")
_log = logging.getLogger(__name__)
REPLY_SECONDS: Final = 0.480  #: in band: "I hear your mark" …
VOICE_SECONDS: Final = 0.320  #: … and in turn the assistant's own voice
_ULAW_ALAW = np.stack([g711.decode_ulaw(bytes(range(256))), g711.decode_alaw(bytes(range(256)))])

_JITTER_S = 0.003  # of the caller's packets: the tick that hears one is later than it by this
_WAITS = 3  # ticks
_PATIENCE = 3  # ticks without a packet before silence is heard
_MOST_LOST = 5  # frames made up for lost packets; more is a pause
_NOTHING = 16  # G.711's smallest steps, either law
_KEPT = 30  # frames kept while a mark is heard, to analyse with the frame after it
_PERIOD: Final = PERIOD // FRAME  # frames of a mark, which repeats itself
_ANNOUNCED = 10  # frames from one announcement of a mark that goes on to the next, as a detector's
_NO_SAMPLES: NDArray[np.int16] = np.zeros(0, np.int16)
_LOUD = 300.0  # of 32768, root mean square: -41 dBov
_SPEAKS = 15  # frames of sound that is no mark: a mark is recognised within 200 ms
_PAUSE = 30  # frames of silence after which the caller has finished


class Turns:
    """Whether the caller is speaking, or has just finished. Speech is any sound that is no mark.

    A caller speaks once there were 300 ms of sound, and has finished once there were 600 ms of
    silence after that. Gaps of up to 200 ms belong to words.
    """

    def __init__(self) -> None:
        self._sound = self._silence = 0
        self._finished = False
        self.caller_speaks = False

    def hear(self, samples: NDArray[np.int16], *, mark_present: bool) -> None:
        """The next frame."""
        if not mark_present and _root_mean_square(samples) > _LOUD:
            self._sound += 1
            self._silence = 0
        else:
            self._silence += 1
            if mark_present or self._silence > 10:  # words have gaps
                self._sound = 0
        if self._sound >= _SPEAKS:
            self.caller_speaks = True
        elif self.caller_speaks and self._silence >= _PAUSE:
            self.caller_speaks = False
            self._finished = True

    def take_finished(self) -> bool:
        """Whether the caller has finished since the last call."""
        finished, self._finished = self._finished, False
        return finished


def _root_mean_square(samples: NDArray[np.int16]) -> float:
    as_floats = samples.astype(np.float64)  # their squares add up exactly
    return math.sqrt(as_floats.dot(as_floats) / len(as_floats))


class AudioInput:
    """The received audio of one assistant in one call. A frame is analysed in the tick after its
    packet: there is no buffer.

    A mark that goes on repeats itself, octet by octet. Once a whole period that repeats the one
    before is known to be the mark, further frames that repeat it are not analysed: the detector
    would find the same again. It goes on with the first frame that differs.
    """

    def __init__(self, media: LegMedia, listener: Conversation, prompts: tuple[str, ...]) -> None:
        self._media = media
        self._listener = listener
        self.turns = Turns()
        self._waiting: deque[bytes] = deque()
        self._due: deque[bytes] = deque()  # to be analysed
        self._rest = b""
        self._last = b""
        self._expected: int | None = None
        self._missed = 0
        self._fed = 0  # frames analysed
        self._events = EventReceiver()
        self._tones = DtmfDetector()
        self._prompts = PromptMatcher(prompts)
        self._silent = 0  # frames
        self._kept: deque[NDArray[np.int16]] = deque(maxlen=_KEPT)
        self._past: deque[bytes] = deque(maxlen=_PERIOD)
        self._repeated = 0  # frames running that were those of a period before
        self.mark: int | None = None  #: heard at present
        self.recording: Recording | None = None  #: of what is received from now on
        self._began = 0.0
        self._known: Heard | None = None  # the mark that frames are while they repeat
        self._skipped = 0  # frames since that was known

    @property
    def law(self) -> str:
        """The codec's name."""
        codec = self._media.codec
        return "PCMA" if codec is not None and codec.name.upper() == "PCMA" else "PCMU"

    def receive(self, data: bytes) -> None:
        """Take a packet that was received."""
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
        # Sequence numbers count modulo 2^16; a step of more than half of that is one backwards.
        lost = 0 if self._expected is None else (packet.sequence - self._expected) & 0xFFFF
        if lost > 0x8000:
            return  # late, or twice
        self._expected = (packet.sequence + 1) & 0xFFFF
        if 0 < lost <= _MOST_LOST and self._last:
            # As a phone conceals short losses: marks and words go on without a hole.
            self._waiting.extend([self._last] * lost)
        self._rest += packet.payload
        while len(self._rest) >= FRAME:
            self._last, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            self._waiting.append(self._last)

    def tick(self) -> None:
        """Advance by 20 ms; without a packet for a while, that is silence."""
        if self._waiting:
            self._missed = 0
            return
        self._missed += 1
        if self._missed > _PATIENCE:
            self._waiting.append(sound.silence(self.law)[0])

    def next_frame(self) -> bytes | None:
        """The next frame to be analysed, if there is one in this tick."""
        while self._waiting and not self._due:
            self._look(self._waiting.popleft())
        return self._due.popleft() if self._due else None

    def _look(self, frame: bytes) -> None:
        """Decide whether a frame has to be analysed, or is one more of a mark that is known."""
        repeats = len(self._past) == _PERIOD and frame == self._past[0]
        self._past.append(frame)
        if self.recording is not None:
            self.recording.received.append((self.law, frame))
        self._repeated = self._repeated + 1 if repeats else 0
        if self._known is not None:
            if repeats:
                self._goes_on(self._known)
                return
            # The detector heard whole periods less: to it the mark goes on without a seam.
            latest = _PERIOD - 1
            self._due.extend(islice(self._past, latest - self._skipped % _PERIOD, latest))
            self._known = None
        self._due.append(frame)

    def _goes_on(self, known: Heard) -> None:
        self._skipped += 1
        self.turns.hear(_NO_SAMPLES, mark_present=True)
        if self._skipped % _ANNOUNCED == 0:
            self._listener.heard_mark(known.mark, self._began, known.level_dbov)

    def heard(self, fact: Heard | Ended) -> None:
        """Take what the detector bank has found in this audio."""
        if isinstance(fact, Heard):
            if fact.mark != self.mark:
                self.mark = fact.mark
                self._began = time.time() - max(0.0, self._fed * TICK - fact.began)
            self._listener.heard_mark(fact.mark, self._began, fact.level_dbov)
            if self._repeated >= _PERIOD:
                self._known = fact
                self._skipped = 0
        elif fact.mark == self.mark:
            self.mark = self._known = None

    def hear(self, samples: NDArray[np.int16], *, mark_present: bool) -> None:
        """Look for digits, words and silence in a frame that the detector bank has had."""
        self._fed += 1
        self._silent = self._silent + 1 if np.abs(samples).max() <= _NOTHING else 0
        if self._silent:
            self._listener.heard_nothing(self._silent * TICK)
        self.turns.hear(samples, mark_present=mark_present)
        # Beneath a mark neither digits nor words are looked for. Its end is noticed late, so what
        # came last during it is analysed with the first frame after it.
        self._kept.append(samples)
        if mark_present:
            return
        heard = np.concatenate(self._kept)
        self._kept.clear()
        for tone in self._tones.feed(heard):
            duration_ms = round(tone.duration * 1000)
            self._listener.heard_digit(ReceivedDigit(tone.digit, duration_ms, "inband"))
        for match in self._prompts.feed(heard):
            self._listener.heard_prompt(match.name)


GREETING, ANSWER, HOLD, GOODBYE = "hello-en", "how-can-i-help-en", "connecting-you-en", "goodbye-en"
MACHINE = "voicemail-greeting-en"
#: What an assistant says first, by the prompt's name; the others say no words.
FIRST_WORDS: Final[dict[Sends, str]] = {
    "speech": GREETING,
    "talks-on": GREETING,
    "machine": MACHINE,
    "babble": GREETING,
}
#: Assistants that answer in words.
SPEAKS_ON: Final[tuple[Sends, ...]] = ("speech", "talks-on", "babble")
_REFLECTS = 20  # frames before an assistant answers a caller who has finished


def script(
    settings: AssistantSettings, voice: int | None, law: str, turns: Turns
) -> Iterator[bytes]:
    """The endless frames of an assistant; ``voice`` is its mark."""
    nothing = sound.silence(law)[0]
    match settings.sends:
        case "voice":
            return cycle(sound.mark(voice, law) if voice is not None else sound.silence(law))
        case "speech":
            return _conversation(law, turns, settings)
        case "talks-on":
            words = [sound.prompt(name, law) for name in (GREETING, ANSWER, HOLD)]
            return cycle(chain(*words))
        case "tone":
            return cycle(sound.tone(law))
        case "music":
            return cycle(sound.music(law))
        case "babble":
            return cycle(sound.babble(law))
        case "silence":
            return repeat(nothing)
        case "machine":
            return chain(sound.prompt(MACHINE, law), sound.beep(law), repeat(nothing))


def _conversation(law: str, turns: Turns, settings: AssistantSettings) -> Iterator[bytes]:
    """Speech in turns: a greeting, then an answer each time that the caller has finished."""
    nothing = sound.silence(law)[0]
    if settings.recorded is not None:
        greeting, answer = (sound.recorded(Path(path), law) for path in settings.recorded)
    else:
        greeting = sound.prompt(GREETING, law)
        answer = sound.prompt(ANSWER, law)
    saying: Iterator[bytes] = iter(greeting)
    if settings.greeting_s:
        saying = islice(cycle(greeting), round(settings.greeting_s * 50))
    if settings.silent_s:
        saying = chain(repeat(nothing, round(settings.silent_s * 50)), saying)
    while True:
        if turns.caller_speaks and settings.interruptible:
            saying = iter(())
        if turns.take_finished():
            saying = chain(repeat(nothing, _REFLECTS), answer)
        yield next(saying, nothing)


class Channel:
    """One assistant's audio in one call: what it sends, and its :class:`AudioInput`.

    What it sends is an endless script of frames, by the assistant's settings (`script`). Words that
    are to be said once go before it (`say`); the reply to a mark takes its place; digits take the
    place of frames while they last (`send_digits`). All of it is one RTP stream.
    """

    def __init__(
        self,
        media_engine: MediaEngine,
        stream: int,
        media: LegMedia,
        listener: Conversation,
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
        #: Ticks that it waits for the caller's first packet, before it speaks.
        self._patience = _WAITS if settings.hears else 0
        self._has_spoken = False
        self._script: Iterator[bytes] = iter(())
        self._sending: Iterator[tuple[bytes, int, bool] | None] | None = None
        self._sending_since = 0
        self._sent = b""
        self._replying_to: int | None = None
        self._may_reply = False
        self._recording: Recording | None = None
        media.port.on_packet = self._receive if self._settings.hears else None

    @property
    def packets(self) -> int:
        return self._media.port.received

    @property
    def law(self) -> str:
        return self.input.law

    def _receive(self, data: bytes) -> None:
        if self._patience:
            self._patience = 0
            self._media_engine.follow(self)
        self.input.receive(data)

    def heard(self, fact: Heard | Ended) -> None:
        """Take what the detector bank has found in this channel's audio."""
        self.input.heard(fact)
        self._reply()

    def record(self, recording: Recording) -> None:
        """Keep the audio of both sides from now on."""
        self._recording = self.input.recording = recording

    def begin_to_reply(self) -> None:
        """Name the marks that are heard, in band, from now on; until then only the voice is sent."""
        self._may_reply = self._settings.replies and self._settings.sends == "voice"
        self._reply()

    def _reply(self) -> None:
        """Name the mark that is heard, unless it is a reply to another's mark."""
        mark = self.input.mark
        if not self._may_reply or mark is None or mark >= REPLY_OFFSET:
            return
        if mark != self._replying_to:
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
        """The reply to a mark and the assistant's own voice, in turn, without end."""
        law = self.law
        reply = sound.mark(reply_to(mark), law)
        own = sound.mark(self._voice, law) if self._voice is not None else sound.silence(law)
        while True:
            yield from islice(cycle(reply), round(REPLY_SECONDS / TICK))
            yield from islice(cycle(own), round(VOICE_SECONDS / TICK))

    def _plain_voice(self) -> Iterator[bytes]:
        return script(self._settings, self._voice, self.law, self.input.turns)

    def relearn(self) -> None:
        """Use the leg's new codec from the next frame on: frames are made for one law."""
        if self._replying_to is not None:
            self._script = self._replies(self._replying_to)
        else:
            self._script = self._plain_voice()

    def speak(self) -> None:
        """Send the frame of this tick."""
        codec = self._media.codec
        if codec is None:
            return
        self._sent = b""
        if self._patience:
            self._patience -= 1
        else:
            self._send_frame(codec.payload_type)
        self._rtp.timestamp += FRAME
        if self._recording is not None:
            self._recording.sent.append((self.law, self._sent or sound.silence(self.law)[0]))

    def _send_frame(self, payload_type: int) -> None:
        """Send the next packet of digits while there are some, else the next frame of the script;
        nothing to a leg on hold.
        """
        if self._sending is not None:
            try:
                event = next(self._sending)
            except StopIteration:
                self._sending = None
            else:
                if event is not None and not self._media.held:
                    self._send_event(*event)
                return
        if self._media.held:
            return
        payload = next(self._script, b"")
        if not payload:
            self._script = self._plain_voice()
            payload = next(self._script)
        packet = self._rtp.packet(payload_type, payload, marker=not self._has_spoken)
        self._media.port.send(packet)
        self._has_spoken = True
        self._sent = payload

    def _send_event(self, payload: bytes, start: int, marker: bool) -> None:
        format_ = self._media.event
        number = format_.payload_type if format_ is not None else 101
        timestamp = self._sending_since + start
        self._media.port.send(self._rtp.packet(number, payload, timestamp, marker=marker))

    def close(self) -> None:
        """Send and analyse nothing more."""
        if self._media.port.on_packet == self._receive:
            self._media.port.on_packet = None
        self._script = iter(())  # the generators refer to this channel
        self._media_engine.forget(self)


class MediaEngine:
    """All channels of the world. ``prompts`` are the names of the spoken prompts that assistants
    understand.

    A tick of 20 ms has four phases, and each channel works in one of them: it analyses what has
    come since its last turn, frame by frame, and then sends its own frame. A channel begins in the
    first phase, and moves, with its caller's first packet, to the one that follows that packet
    soonest (`follow`). An answer to what a caller says is then there before the caller's next tick.
    """

    def __init__(self, ticker: Ticker, prompts: tuple[str, ...], capacity: int) -> None:
        self._ticker = ticker
        self.prompts = prompts
        self._bank = DetectorBank(capacity)
        self._free = list(range(capacity - 1, -1, -1))
        self._phases: tuple[list[Channel], ...] = tuple([] for _ in range(PHASES))
        self._advances = [partial(self.advance, phase) for phase in range(PHASES)]

    def open(
        self,
        media: LegMedia,
        listener: Conversation,
        voice: int | None,
        settings: AssistantSettings,
    ) -> Channel:
        """A channel for a leg that has negotiated. Raises `ResourceError` when all are in use."""
        if not self._free:
            raise ResourceError("no more calls can be listened to at once")
        channel = Channel(self, self._free.pop(), media, listener, voice, settings)
        self._bank.reset(channel.stream)
        self._put(channel, 0)
        return channel

    def follow(self, channel: Channel) -> None:
        """Have a channel speak soon after its caller's packets, of which one has just come: its
        answer is there before the caller's next tick, wherever in the world's tick that is.
        """
        phase = self._ticker.phase_after(time.monotonic() + _JITTER_S)
        if phase != 0:
            self._put(channel, phase)  # before it leaves the first: an idle ticker begins anew
            self._take(channel, 0)

    def forget(self, channel: Channel) -> None:
        """Remove a closed channel."""
        for phase, channels in enumerate(self._phases):
            if channel in channels:
                self._take(channel, phase)
                self._free.append(channel.stream)

    def _put(self, channel: Channel, phase: int) -> None:
        if not self._phases[phase]:
            self._ticker.add(self._advances[phase], phase)
        self._phases[phase].append(channel)

    def _take(self, channel: Channel, phase: int) -> None:
        self._phases[phase].remove(channel)
        if not self._phases[phase]:
            self._ticker.remove(self._advances[phase])

    def __len__(self) -> int:
        return sum(map(len, self._phases))

    def advance(self, phase: int) -> None:
        """Have the channels of that phase hear what has come, and speak. One that fails or is closed
        meanwhile leaves the list, hence the copies.
        """
        channels = self._phases[phase]
        for channel in channels:
            channel.input.tick()
        while heard := self._next_frames(channels):
            self._hear(heard)
        for channel in list(channels):
            self._guarded(channel, channel.speak)

    def _next_frames(self, channels: list[Channel]) -> list[tuple[Channel, bytes]]:
        """The next frame of each channel that has one."""
        frames = []
        for channel in list(channels):
            frame = self._guarded(channel, channel.input.next_frame)
            if frame is not None:
                frames.append((channel, frame))
        return frames

    def _hear(self, heard: list[tuple[Channel, bytes]]) -> None:
        """Analyse one frame of each channel: the mark detectors take all of them in one call."""
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
            channel = by_stream[stream]
            self._guarded(channel, partial(channel.heard, fact))

    def _guarded(self, channel: Channel, work: Callable[[], T]) -> T | None:
        """Have a channel work; one that fails is closed, the others go on."""
        try:
            return work()
        except Exception:
            _log.exception("audio channel %d failed and is closed", channel.stream)
            channel.close()
            return None
