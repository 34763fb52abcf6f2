"""Marks in a stream of samples: one leg, many legs in one batch, or a whole recording.

All three share the same stages: ``front_end`` finds tone pairs, ``tracker`` puts them into
sequences and asks the waveform. What they hear does not depend on how the stream was cut into
pieces.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.front_end import CONTEXT, HOP
from harness.audio.marks import PERIOD, SAMPLE_RATE
from harness.audio.samples import resample
from harness.audio.tracker import MARK_TONES, Ended, Heard, History, Tracker

__all__ = ["DetectorBank", "Ended", "Heard", "MarkDetector", "marks_heard"]

_FRAME: Final = 160
#: Samples analysed in one go: each of numpy's calls costs more than a frame's arithmetic.
_TOGETHER: Final = 16 * _FRAME
_KEPT: Final = PERIOD + _FRAME + CONTEXT * HOP  #: samples of the past that a decision may ask for
_CHUNK: Final = 1024  # hops analysed at once in a recording: what they need stays in the cache


class MarkDetector:
    """Listens to one leg, at 8 kHz."""

    def __init__(self) -> None:
        self._tracker = Tracker()
        # The stream's newest samples; begins with silence, the past of its first window.
        self._buffer = np.zeros(4 * _KEPT, np.float32)
        self._end = CONTEXT * HOP  # of the samples in the buffer
        self._next = 0  # in the buffer: where the next window's past begins
        self._origin = -CONTEXT * HOP  # stream sample number of the buffer's beginning

    @property
    def present(self) -> int | None:
        """The mark that is being heard now."""
        return self._tracker.present

    def feed(self, samples: NDArray[np.int16]) -> list[Heard | Ended]:
        """Hear some more samples, any number of them; what is new comes back in order."""
        said: list[Heard | Ended] = []
        for at in range(0, len(samples), _TOGETHER):
            self._take(samples[at : at + _TOGETHER], said)
        return said

    def _take(self, samples: NDArray[np.int16], said: list[Heard | Ended]) -> None:
        """Hear a few frames at once. Samples that do not fill a hop wait for the next call."""
        end = self._end + len(samples)
        if end > len(self._buffer):
            end = self._make_room(len(samples))
        self._buffer[end - len(samples) : end] = samples
        self._end = end
        hops = (end - self._next) // HOP - CONTEXT
        if hops < 1:
            return
        blocks = self._buffer[self._next : self._next + (hops + CONTEXT) * HOP].reshape(-1, HOP)
        self._next += hops * HOP
        said += self._tracker.follow(MARK_TONES.analyse(blocks), self._history)

    def _make_room(self, wanted: int) -> int:
        """Move the newest samples to the buffer's beginning; returns where the new ones will end."""
        kept = min(_KEPT, self._end)
        shift = self._end - kept
        self._buffer[:kept] = self._buffer[shift : self._end].copy()
        self._origin += shift
        self._next -= shift
        return kept + wanted

    def _history(self, begin: int, end: int) -> NDArray[np.float32]:
        begin = max(begin, self._origin)
        return self._buffer[begin - self._origin : end - self._origin]


class DetectorBank:
    """Listens to many 8 kHz streams, numbered from 0, all that have a frame in one batch."""

    def __init__(self, streams: int) -> None:
        self._trackers = [Tracker() for _ in range(streams)]
        # A ring of frames for each stream.
        self._history = np.zeros((streams, _KEPT // _FRAME + 1, _FRAME), np.float32)
        self._frames = np.zeros(streams, np.int64)
        self._pasts: list[History] = [partial(self._past, stream) for stream in range(streams)]

    def reset(self, stream: int) -> None:
        """Forget all that a stream has heard; its time begins anew."""
        self._trackers[stream] = Tracker()
        self._history[stream] = 0
        self._frames[stream] = 0

    def present(self, stream: int) -> int | None:
        """The mark that a stream is hearing now."""
        return self._trackers[stream].present

    def feed(
        self, frames: NDArray[np.int16], streams: NDArray[np.intp]
    ) -> list[tuple[int, Heard | Ended]]:
        """Hear a frame of 20 ms of each of k different streams (k, 160); what is new comes with its
        stream's number.
        """
        slots = self._history.shape[1]
        number = self._frames[streams]
        self._history[streams, number % slots] = frames
        self._frames[streams] = number + 1
        past = self._history[streams, (number - 1) % slots]
        samples = np.concatenate([past, frames], axis=1, dtype=np.float32)
        blocks = samples.reshape(len(streams), -1, HOP)
        hops = MARK_TONES.analyse(blocks)
        each = blocks.shape[1] - CONTEXT
        said: list[tuple[int, Heard | Ended]] = []
        for row, stream in enumerate(streams.tolist()):
            tracker, past_of = self._trackers[stream], self._pasts[stream]
            for fact in tracker.follow(hops, past_of, row * each, (row + 1) * each):
                said.append((stream, fact))
        return said

    def _past(self, stream: int, begin: int, end: int) -> NDArray[np.float32]:
        """A stream's samples from one number to another, out of its ring."""
        slots = self._history.shape[1]
        begin = max(begin, 0)
        first, last = begin // _FRAME, -(-end // _FRAME)
        ring = self._history[stream, np.arange(first, last) % slots].reshape(-1)
        past: NDArray[np.float32] = ring[begin - first * _FRAME : end - first * _FRAME]
        return past


def marks_heard(samples: NDArray[np.int16], rate: int = SAMPLE_RATE) -> list[Heard | Ended]:
    """All that a :class:`MarkDetector` would say of a whole recording, some hundred times as fast.

    A mark still present at the end has no :class:`Ended`.
    """
    if rate != SAMPLE_RATE:
        samples = resample(samples, rate, SAMPLE_RATE)
    total = len(samples) // HOP
    if total < CONTEXT:
        return []
    tracker = Tracker()
    said: list[Heard | Ended] = []
    past = np.zeros((CONTEXT, HOP), np.float32)

    def history(begin: int, end: int) -> NDArray[np.float32]:
        return samples[max(begin, 0) : end].astype(np.float32)

    for at in range(0, total, _CHUNK):
        until = min(at + _CHUNK, total)
        hops = samples[at * HOP : until * HOP].reshape(-1, HOP)
        blocks = np.concatenate([past, hops], dtype=np.float32)
        past = blocks[-CONTEXT:]
        said += tracker.follow(MARK_TONES.analyse(blocks), history)
    return said
