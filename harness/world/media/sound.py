"""Sounds as G.711 frames of 20 ms, made once and kept; the clock that sends them; players."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711, marks
from harness.audio.prompts import prompt_samples
from harness.audio.samples import resample
from harness.audio.wav import read_wav, to_int16
from harness.support.resources import prompt_names
from harness.world.media.leg import LegMedia, is_g711
from harness.world.media.rtp import RtpStream, local_network

TICK: Final = 0.020  #: seconds: one G.711 frame of 160 octets
PHASES: Final = 4  #: of a tick, in which audio is sent: evenly spread
_PHASE_S: Final = TICK / PHASES
_IDLE_TICK: Final = 0.1  #: without subscribers; relayed audio stands still with the event loop, too
_MOST_LATE = 0.2  # a clock further behind than this starts anew, instead of catching up in a burst

_KEPT = 20_000  # times of standing still, of a long run on a busy machine

_log = logging.getLogger(__name__)


class Ticker:
    """Calls its subscribers every 20 ms without drift, each in its phase of the tick, and notes when
    the event loop stood still.

    It wakes for no phase without subscribers: to wake costs more than most of what they do.

    A harness that runs on a busy machine must not blame the platform for audio that this world
    sent late, or relayed late: cases whose time this falls into are broken, not failed. So the
    clock goes on, slower, while none plays.
    """

    def __init__(self) -> None:
        self._subscribers: tuple[list[Callable[[], None]], ...] = tuple([] for _ in range(PHASES))
        self._handle: asyncio.TimerHandle | None = None
        self._phase = 0  # the present or next one …
        self._due = 0.0  # … and when it is, by the event loop's clock
        #: From when to when (monotonic) audio stood still, since the machine was too busy.
        self.stood_still: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self.stood_still_s = 0.0  #: for how long in all

    def start(self) -> None:
        """Begin with the next turn of the event loop."""
        now = asyncio.get_running_loop().time()
        if self._handle is not None:
            self._note_lateness(now)
        self._wake_at(now)

    def add(self, subscriber: Callable[[], None], phase: int = 0) -> None:
        """Add a subscriber."""
        is_first = not any(self._subscribers)
        self._subscribers[phase].append(subscriber)
        if is_first:
            self._phase = phase
            self.start()
        elif self._handle is not None:
            sooner = self._due - (self._phase - phase) % PHASES * _PHASE_S
            if asyncio.get_running_loop().time() < sooner < self._due:
                self._phase = phase
                self._wake_at(sooner)

    def remove(self, subscriber: Callable[[], None]) -> None:
        """Remove a subscriber."""
        for subscribers in self._subscribers:
            if subscriber in subscribers:
                subscribers.remove(subscriber)

    def stop(self) -> None:
        """Remove all subscribers."""
        for subscribers in self._subscribers:
            subscribers.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def phase_after(self, moment: float) -> int:
        """The phase that follows a moment of the event loop's clock soonest."""
        return (self._phase + math.ceil((moment - self._due) / _PHASE_S)) % PHASES

    def _tick(self) -> None:
        """Call the subscribers of this phase. The next one is due by the clock, however long they
        take.
        """
        try:
            if self._subscribers[self._phase]:
                local_network().run(self._call_subscribers)
        finally:  # a receiver of what they sent may have failed, which is the event loop's to say
            self._due += self._to_next_phase()
            self._note_lateness(asyncio.get_running_loop().time())
            self._wake_at(self._due)

    def _call_subscribers(self) -> None:
        """One that raises is dropped, so that the others' audio goes on."""
        for subscriber in list(self._subscribers[self._phase]):
            try:
                subscriber()
            except Exception:
                _log.exception("a subscriber of the ticker failed and is dropped")
                self.remove(subscriber)

    def _to_next_phase(self) -> float:
        """Go on to the next phase that has subscribers; returns the seconds until it is due."""
        for steps in range(1, PHASES + 1):
            phase = (self._phase + steps) % PHASES
            if self._subscribers[phase]:
                self._phase = phase
                return steps * _PHASE_S
        return _IDLE_TICK

    def _wake_at(self, due: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._due = due
        self._handle = asyncio.get_running_loop().call_at(due, self._tick)

    def _note_lateness(self, now: float) -> None:
        if now - self._due > _MOST_LATE:
            self.stood_still.append((self._due, now))
            self.stood_still_s += now - self._due
            self._due = now


FRAME: Final = 160  #: samples, and octets, of 20 ms
_RATE = marks.SAMPLE_RATE

Frames = tuple[bytes, ...]


def frames(samples: NDArray[np.float32], codec: str) -> Frames:
    """Float samples as frames of that codec (``PCMU`` or ``PCMA``); the last is filled up with
    silence.
    """
    pcm = to_int16(np.pad(samples, (0, -len(samples) % FRAME)))
    octets = g711.encode_ulaw(pcm) if codec == "PCMU" else g711.encode_alaw(pcm)
    return tuple(octets[at : at + FRAME] for at in range(0, len(octets), FRAME))


@cache
def mark(number: int, codec: str) -> Frames:
    """One period of a mark, as it is sent."""
    return frames(marks.played(number), codec)


@cache
def prompt(name: str, codec: str) -> Frames:
    """A spoken prompt."""
    return frames((prompt_samples(name) / 32768.0).astype(np.float32), codec)


@cache
def recorded(path: Path, codec: str) -> Frames:
    """A WAV file."""
    samples, rate = read_wav(path)
    return frames((resample(samples, rate, _RATE) / 32768.0).astype(np.float32), codec)


def _sine(frequency: float, time: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sin(2 * np.pi * frequency * time)


def _cadence(tones: tuple[float, ...], on: float, off: float) -> NDArray[np.float32]:
    time = np.arange(round(on * _RATE)) / _RATE
    sound = sum(0.1 * _sine(tone, time) for tone in tones)
    return np.concatenate([sound, np.zeros(round(off * _RATE))]).astype(np.float32)


def _music() -> NDArray[np.float32]:
    """Eight seconds of music on hold: four chords, each note struck and dying away."""
    chords = (
        (261.6, 329.6, 392.0),
        (220.0, 261.6, 329.6),
        (174.6, 220.0, 261.6),
        (196.0, 246.9, 293.7),
    )
    at = np.arange(round(0.5 * _RATE)) / _RATE
    dying = np.exp(-3.0 * at)
    bars = []
    for chord in chords:
        for beat in range(4):
            note = chord[beat % 3] * 2
            struck = sum(_sine(partial * note, at) / partial for partial in (1, 2, 3))
            held = sum(_sine(low, at) for low in chord)
            bars.append(0.08 * dying * struck + 0.03 * held)
    return np.concatenate(bars).astype(np.float32)


def _babble() -> NDArray[np.float32]:
    """Six seconds of an office: twelve voices at once, as loud together as -37 dBov."""
    count = 6 * _RATE
    names = prompt_names()
    whole = np.zeros(count, np.float32)
    for number in range(12):
        voice = np.resize(prompt_samples(names[number % len(names)]), count)
        whole += np.roll(voice, number * 3701)
    whole *= 10 ** (-37 / 20) / whole.std()
    return whole


def _sound(make: Callable[[], NDArray[np.float32]]) -> Callable[[str], Frames]:
    """The frames of a sound by codec, made when a call first needs them."""
    return cache(lambda codec: frames(make(), codec))


def _two_notes() -> NDArray[np.float32]:
    first = _cadence((587.3,), 0.2, 0.05)
    second = _cadence((784.0,), 0.2, 1.55)
    return np.concatenate([first, second])


silence = _sound(lambda: np.zeros(FRAME, np.float32))
#: North America's ringback: 440 and 480 Hz, two seconds of six (ITU-T E.180 supplement 2).
ringback = _sound(lambda: _cadence((440.0, 480.0), 2.0, 4.0))
#: The menu's prompt: two notes, one after the other, every two seconds.
menu = _sound(_two_notes)
#: A second of the test tone of 1020 Hz (ITU-T O.6), which no network uses for signalling.
tone = _sound(lambda: _cadence((1020.0,), 1.0, 0.0))
#: The tone of an answering machine.
beep = _sound(lambda: _cadence((1000.0,), 0.4, 0.0))
music = _sound(_music)
babble = _sound(_babble)


@cache
def voicemail(codec: str) -> Frames:
    """A greeting, the tone, and time to speak."""
    return (*prompt("voicemail-greeting-en", codec), *beep(codec), *silence(codec) * 3500)


@cache
def closed(codec: str) -> Frames:
    """The message out of hours, twice."""
    return (*prompt("announcement-not-in-service-en", codec), *silence(codec) * 40) * 2


@cache
def somebody(codec: str) -> Frames:
    """A person who asks, and waits for an answer."""
    return (*prompt("how-can-i-help-en", codec), *silence(codec) * 60)


@cache
def notice(codec: str) -> Frames:
    """A platform's first announcement, repeated."""
    return (*prompt("connecting-you-en", codec), *silence(codec) * 20)


@cache
def accept(codec: str) -> Frames:
    """The prompt that asks an agent at an outside number to take a call: words, and a note."""
    return (*prompt("how-can-i-help-en", codec), *menu(codec))


class Player:
    """Loops a sound to a leg until it is stopped; silent while the leg has no G.711, or is on hold."""

    def __init__(self, ticker: Ticker, media: LegMedia, sound: Callable[[str], Frames]) -> None:
        self._ticker = ticker
        self._media = media
        self._sound = sound
        self._at = 0
        self._stream = RtpStream()
        ticker.add(self._tick)

    def _tick(self) -> None:
        """Send a frame in the leg's present codec. On hold the sound goes on unheard, and the
        timestamps with it.
        """
        codec = self._media.codec
        if codec is None or not is_g711(codec):
            return
        sound = self._sound(codec.name.upper())
        if not self._media.held:
            payload = sound[self._at % len(sound)]
            packet = self._stream.packet(codec.payload_type, payload, marker=self._at == 0)
            self._media.port.send(packet)
        self._at += 1
        self._stream.timestamp += FRAME

    def stop(self) -> None:
        """Stop playing."""
        self._ticker.remove(self._tick)
