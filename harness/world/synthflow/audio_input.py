"""What an assistant hears: packets become frames for the detector bank; digits, prompts and silence are detected here."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import Ended, Heard
from harness.audio.dtmf import DtmfDetector
from harness.audio.marks import PERIOD
from harness.audio.prompts import PromptMatcher
from harness.world.media import sound
from harness.world.media.digits import EventReceiver, ReceivedDigit
from harness.world.media.leg import LegMedia
from harness.world.media.rtp import Packet
from harness.world.media.sound import FRAME, TICK

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


class Listener(Protocol):
    """Receives what an assistant hears."""

    def heard_mark(self, mark: int, began: float, level_dbov: float) -> None:
        """A mark begins or goes on; ``began`` in seconds since the epoch."""

    def heard_digit(self, digit: ReceivedDigit) -> None:
        """A digit has ended."""

    def heard_prompt(self, name: str) -> None:
        """A spoken prompt was heard whole."""

    def heard_nothing(self, seconds: float) -> None:
        """Silence goes on, for so long already."""


class Turns:
    """Whether the caller is speaking, or has just finished. Speech is any sound that is no mark."""

    def __init__(self) -> None:
        self._sound = self._silence = 0
        self._finished = False
        self.caller_speaks = False

    def hear(self, samples: NDArray[np.int16], *, mark_present: bool) -> None:
        """The next frame."""
        loud = not mark_present and float(np.sqrt(np.mean(np.square(samples.astype(np.float64))))) > _LOUD
        if loud:
            self._sound, self._silence = self._sound + 1, 0
        else:
            self._silence += 1
            if mark_present or self._silence > 10:  # words have gaps
                self._sound = 0
        if self._sound >= _SPEAKS:
            self.caller_speaks = True
        elif self.caller_speaks and self._silence >= _PAUSE:
            self.caller_speaks, self._finished = False, True

    def take_finished(self) -> bool:
        """Whether the caller has finished since the last call."""
        finished, self._finished = self._finished, False
        return finished


class AudioInput:
    """The received audio of one assistant in one call. A frame is analysed in the tick after its packet: there is no buffer.

    A mark that goes on repeats itself, octet by octet. Once a whole period that repeats the one before is known to be the
    mark, further frames that repeat it are not analysed: the detector would find the same again. It goes on with the first
    frame that differs.
    """

    def __init__(self, media: LegMedia, listener: Listener, prompts: tuple[str, ...]) -> None:
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
        repeats = len(self._past) == _PERIOD and frame == self._past[0]
        self._past.append(frame)
        self._repeated = self._repeated + 1 if repeats else 0
        if self._known is not None:
            if repeats:
                self._goes_on(self._known)
                return
            # The detector heard whole periods less: to it the mark goes on without a seam.
            self._due.extend(islice(self._past, _PERIOD - 1 - self._skipped % _PERIOD, _PERIOD - 1))
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
                self._known, self._skipped = fact, 0
        elif fact.mark == self.mark:
            self.mark = self._known = None

    def hear(self, samples: NDArray[np.int16], *, mark_present: bool) -> None:
        """Look for digits, words and silence in a frame that the detector bank has had."""
        self._fed += 1
        self._silent = self._silent + 1 if np.abs(samples).max() <= _NOTHING else 0
        if self._silent:
            self._listener.heard_nothing(self._silent * TICK)
        self.turns.hear(samples, mark_present=mark_present)
        self._kept.append(samples)
        if mark_present:
            return
        heard = np.concatenate(self._kept)
        self._kept.clear()
        for tone in self._tones.feed(heard):
            self._listener.heard_digit(ReceivedDigit(tone.digit, round(tone.duration * 1000), "inband"))
        for match in self._prompts.feed(heard):
            self._listener.heard_prompt(match.name)
