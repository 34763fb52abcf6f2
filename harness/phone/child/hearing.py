"""Analyses the received audio of legs: marks, and a regular pulse that shows that a leg is being
analysed.

The audio clock's thread records the audio in C and never waits for Python. One thread reads the
recordings of all legs at once, and wakes as rarely as possible.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import Ended, Heard, MarkDetector
from harness.audio.samples import SILENCE_DBOV
from harness.case.events import DigitMethod, DtmfReceived, Event, Listened, MarkEnded, MarkHeard
from harness.phone.child.native import RATE, Recorder

#: Maximum seconds between two reads; with a busy machine's delay, less than a recorder buffers
#: (``recording.BUFFERED_S``).
LONGEST_PAUSE_S: Final = 0.32
_PULSE_SAMPLES: Final = RATE // 5
_FULL_SCALE_SQUARED: Final = 32768.0**2
#: Audio that is later than this starts a new timeline: nothing was recorded during a hold.
_GAP_SECONDS: Final = 0.1
_LOUD: Final = 90  # peak to peak; a mark is heard above -53 dBov, which is an RMS of 73
_EVERY: Final = 20  # one sample of this many is checked for loudness

# Seconds until the next read is useful. A mark is decided after 80 ms at the earliest.
_KNOWN, _QUIET, _UNDECIDED = 0.16, 0.05, 0.002
#: The same while the parent waits for a mark. A mark that does not come so soon may never come.
_AWAITED, _LONGEST_AWAITED_S = 0.04, 1.0
#: After a mark was present at each read for this long, no decision is near.
_STEADY_SAMPLES: Final = RATE
#: The first reads date the beginning of the stream and are frequent, because the earliest one
#: counts.
_TIMING_SAMPLES: Final = RATE // 10


class Hearing:
    """Analyses one leg's audio. Not thread-safe: one thread feeds it."""

    def __init__(self, phone: str, leg: str, emit: Callable[[Sequence[Event]], None]) -> None:
        self._phone, self._leg, self._emit = phone, leg, emit
        self._marks = MarkDetector()
        self._samples = 0
        self._unknown = 0  # samples at the last look at which no mark was present
        self._origin: float | None = None  # monotonic time of the first sample
        self._newest = np.zeros(1, np.int16)
        self._unmeasured: list[NDArray[np.int16]] = []  # since the last pulse
        self._since_pulse = 0  # samples
        self._awaited_until = 0.0  # monotonic

    def await_mark(self, seconds: float) -> None:
        """Read often for so long: the parent waits for a mark. Any thread may call."""
        self._awaited_until = time.monotonic() + min(seconds, _LONGEST_AWAITED_S)

    @property
    def pause(self) -> float:
        """Seconds until the next read. While loud audio is not decided to be a mark, each frame
        counts.
        """
        if self._samples < _TIMING_SAMPLES:
            return _UNDECIDED
        if self._marks.present is not None:
            if time.monotonic() < self._awaited_until:
                return _AWAITED
            return LONGEST_PAUSE_S if self._samples - self._unknown >= _STEADY_SAMPLES else _KNOWN
        return _UNDECIDED if self._is_loud() else _QUIET

    def feed(self, now: float, octets: bytes) -> None:
        """Analyse int16 samples; the last one was due by the monotonic time ``now``."""
        samples = np.frombuffer(octets, np.int16)
        self._samples += len(samples)
        self._newest = samples
        origin = now - self._samples / RATE
        # A read may be late but never early, so the earliest one dates the stream.
        if self._origin is None or origin < self._origin or origin > self._origin + _GAP_SECONDS:
            self._origin = origin
        events: list[Event] = [self._event_of(said) for said in self._marks.feed(samples)]
        if self._marks.present is None:
            self._unknown = self._samples
        self._unmeasured.append(samples)
        self._since_pulse += len(samples)
        if self._since_pulse >= _PULSE_SAMPLES:
            events.append(self._pulse(now))
        if events:
            self._emit(events)

    def emit_digit(self, digit: str, duration_ms: int, method: DigitMethod) -> None:
        """Emit a digit that was received now."""
        at = time.monotonic()
        event = DtmfReceived(
            at=at,
            phone=self._phone,
            leg=self._leg,
            digit=digit,
            duration_ms=duration_ms,
            method=method,
        )
        self._emit([event])

    def _event_of(self, said: Heard | Ended) -> MarkHeard | MarkEnded:
        assert self._origin is not None
        if isinstance(said, Ended):
            return MarkEnded(
                at=self._origin + said.at, phone=self._phone, leg=self._leg, mark=said.mark
            )
        return MarkHeard(
            at=self._origin + said.decided,
            phone=self._phone,
            leg=self._leg,
            mark=said.mark,
            began=self._origin + said.began,
            level_dbov=round(said.level_dbov, 1),
            quality=round(said.quality, 3),
        )

    def _is_loud(self) -> bool:
        few: list[int] = self._newest[-RATE // 20 :: _EVERY].tolist()
        return max(few) - min(few) > _LOUD

    def _pulse(self, now: float) -> Listened:
        # Without the DC offset, which is inaudible: zero octets of PCMU have one of -0.2 dBov.
        samples = np.concatenate(self._unmeasured, dtype=np.float64)
        offset = np.add.reduce(samples) / len(samples)
        mean = (samples.dot(samples) / len(samples) - offset**2) / _FULL_SCALE_SQUARED
        level = max(SILENCE_DBOV, 10.0 * math.log10(mean)) if mean > 0 else SILENCE_DBOV
        self._unmeasured.clear()
        self._since_pulse = 0
        return Listened(
            at=now,
            phone=self._phone,
            leg=self._leg,
            seconds=round(self._samples / RATE, 3),
            level_dbov=round(level, 1),
        )


_FRAME_S: Final = 0.018  # the next frame of 20 ms cannot come sooner
_STALE_S: Final = 0.1  # a stream without audio for this time is on hold
_ON_HOLD_S: Final = 0.05


class _Stream:
    """A leg's recording, and how much of it has been analysed."""

    def __init__(self, recorder: Recorder, hearing: Hearing) -> None:
        self._recorder, self._hearing = recorder, hearing
        self._heard = 0  # octets
        self._last = 0.0  # time of the last new audio

    def listen(self) -> float:
        """Analyse new audio; returns the seconds until the next read."""
        now = time.monotonic()
        octets = self._recorder.read(self._heard)
        if octets:
            self._heard += len(octets)
            self._last = now
            self._hearing.feed(now, octets)
            return max(self._hearing.pause, _FRAME_S)
        return self._hearing.pause if now - self._last < _STALE_S else _ON_HOLD_S


class MarkListener:
    """Analyses running recordings. Events of one pass are sent ``together``; a failure goes to
    ``fault``.
    """

    def __init__(
        self, together: Callable[[], AbstractContextManager[None]], fault: Callable[[str], None]
    ) -> None:
        self._together, self._fault = together, fault
        self._streams: dict[Recorder, _Stream] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is no recording to analyse."""
        return not self._streams

    def begin(self, recorder: Recorder, hearing: Hearing) -> None:
        """Start to analyse a recording."""
        with self._changed:
            self._streams[recorder] = _Stream(recorder, hearing)
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mark listener", daemon=True)
                self._thread.start()

    def await_mark(self, hearing: Hearing, seconds: float) -> None:
        """See :meth:`Hearing.await_mark`."""
        with self._changed:
            hearing.await_mark(seconds)
            self._changed.notify()

    def end(self, recorder: Recorder) -> None:
        """Stop analysing a recording. Its memory is not read after this."""
        with self._changed:
            self._streams.pop(recorder, None)

    def _run(self) -> None:
        try:
            while True:
                self._listen()
        except Exception:
            self._fault(traceback.format_exc())

    def _listen(self) -> None:
        with self._changed:
            with self._together():
                pauses = [stream.listen() for stream in self._streams.values()]
            self._changed.wait(min(pauses, default=None))
