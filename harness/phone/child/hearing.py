"""What a leg hears, frame by frame: marks, tones, and the pulse that says that somebody listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from harness.audio.detector import Ended, Heard, MarkDetector
from harness.audio.dtmf import DtmfDetector
from harness.events import DtmfReceived, Event, Listened, MarkEnded, MarkHeard

RATE: Final = 8000  #: of the child's conference bridge; G.711 goes through it untouched
SILENCE_DBOV: Final = -96.0
_PULSE_SAMPLES: Final = RATE // 5
_FULL_SCALE_SQUARED: Final = 32768.0**2
#: Audio that comes this much later than it should began anew: after a hold nothing was heard in between.
_GAP_SECONDS: Final = 0.1
_TOGETHER: Final = 5  # frames looked at in one go
_LOUD: Final = 90  # peak to peak; a mark is heard above -53 dBov, which is an RMS of 73


class Hearing:
    """One leg's hearing, fed by the audio clock every 20 ms. Not thread-safe: one thread feeds it."""

    def __init__(self, phone: str, leg: str, emit: Callable[[Event], None], *, digits: bool = False) -> None:
        self._phone, self._leg, self._emit = phone, leg, emit
        self._marks = MarkDetector(RATE)
        self._digits = DtmfDetector() if digits else None
        self._samples = 0
        self._origin: float | None = None  # monotonic time of the first sample
        self._power = 0.0
        self._since_pulse = 0
        self._waiting: list[bytes] = []

    def feed(self, now: float, frame: bytes) -> None:
        """Hear a frame of int16 samples whose last one is due at the monotonic time ``now``.

        numpy is slow when other work has emptied the caches between two frames, so frames are looked at together,
        five at a time; but each at once where a decision may hang on it: as long as something loud is no mark yet.
        """
        self._waiting.append(frame)
        if len(self._waiting) >= _TOGETHER or (self._marks.present is None and _is_loud(frame)):
            self._look(now, b"".join(self._waiting))
            self._waiting.clear()

    def _look(self, now: float, frames: bytes) -> None:
        samples = np.frombuffer(frames, np.int16)
        self._samples += len(samples)
        origin = now - self._samples / RATE
        # The clock thread is sometimes woken late and never early: the earliest frame tells the time.
        if self._origin is None or origin < self._origin or origin > self._origin + _GAP_SECONDS:
            self._origin = origin
        for said in self._marks.feed(samples):
            self._tell(said)
        if self._digits is not None:
            for digit in self._digits.feed(samples):
                self._emit(
                    DtmfReceived(
                        at=now,
                        phone=self._phone,
                        leg=self._leg,
                        digit=digit.digit,
                        duration_ms=round(1000 * digit.duration),
                        method="inband",
                    )
                )
        wide = samples.astype(np.float32)
        self._power += float(np.dot(wide, wide))
        self._since_pulse += len(samples)
        if self._since_pulse >= _PULSE_SAMPLES:
            self._pulse(now)

    def _tell(self, said: Heard | Ended) -> None:
        assert self._origin is not None
        if isinstance(said, Ended):
            ended = MarkEnded(at=self._origin + said.at, phone=self._phone, leg=self._leg, mark=said.mark)
            self._emit(ended)
            return
        self._emit(
            MarkHeard(
                at=self._origin + said.decided,
                phone=self._phone,
                leg=self._leg,
                mark=said.mark,
                began=self._origin + said.began,
                level_dbov=round(said.level_dbov, 1),
                quality=round(said.quality, 3),
            )
        )

    def _pulse(self, now: float) -> None:
        mean = self._power / self._since_pulse / _FULL_SCALE_SQUARED
        level = max(SILENCE_DBOV, 10.0 * float(np.log10(mean))) if mean > 0 else SILENCE_DBOV
        self._emit(
            Listened(
                at=now,
                phone=self._phone,
                leg=self._leg,
                seconds=round(self._samples / RATE, 3),
                level_dbov=round(level, 1),
            )
        )
        self._power, self._since_pulse = 0.0, 0


def _is_loud(frame: bytes) -> bool:
    """Whether a frame could hold a mark, by eight of its samples: cheaper than any arithmetic on all of them."""
    few = memoryview(frame).cast("h")[7::20].tolist()
    return max(few) - min(few) > _LOUD
