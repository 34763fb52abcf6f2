"""Spoken prompts: their samples by name, and finding them in what is heard.

A prompt is found in two steps. The picture of its band energies is compared every 10 ms; where that
fits, the samples themselves are correlated, which no other speech survives, not even the same words
in the same voice at another speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import levels
from harness.audio.wav import read_wav, sound_file
from harness.errors import MistakeError
from harness.support.files import json_file, user_files
from harness.support.resources import PROMPTS, is_wav, prompt_names

DIRECTORY: Final = PROMPTS

_HOP: Final = 80
_WINDOW: Final = 256
_CHUNK_HOPS: Final = 6  # looked at together: fewer calls of numpy, at 60 ms of delay
_BANDS: Final = 14
_MIN_LIKENESS = 0.55  # of the pictures; unlike speech reaches 0.5
_MIN_SCORE = 0.35  # of the samples; other speech stays below 0.2
_SHORTEST_S, _LONGEST_S = 0.3, 20.0  # of a prompt of the customer's own
_SILENT_DBOV = -50.0
_SLACK = 160  # samples of doubt about the place that the pictures name


class PromptError(MistakeError):
    """A prompt was named that does not exist, or a file that cannot be one."""


def prompt_path(name: str) -> Path:
    """The prompt's WAV file (8 kHz, mono, PCM16): of one that comes with the harness, or ``name``.
    Raises :class:`PromptError`.
    """
    if is_wav(name):
        return Path(name)
    if name not in prompt_names():
        raise PromptError(f"prompt {name!r} does not exist; allowed: {', '.join(prompt_names())}")
    return DIRECTORY / f"{name}.wav"


@cache
def prompt_samples(name: str) -> NDArray[np.int16]:
    """The prompt's samples at 8 kHz (read-only). Raises :class:`PromptError`."""
    samples, _ = read_wav(prompt_path(name))
    samples.flags.writeable = False
    return samples


def prompt_name(name: str) -> str:
    """The prompt's name in reports; for a file, its file name."""
    return Path(name).name if is_wav(name) else name


def prompt_text(name: str) -> str:
    """The words of a prompt; for a file, whose words are unknown, its name. Raises
    :class:`PromptError`.
    """
    prompt_path(name)
    if is_wav(name):
        return f"[{Path(name).stem}]"
    return str(json_file.read(DIRECTORY / "manifest.json")["prompts"][name]["text"])


def check_prompt(path: Path) -> None:
    """See that a customer's file can be said: speech of sensible length in the form that phones
    play. Raises :class:`PromptError`.
    """
    form = _form(path)
    if form != ("WAV", "PCM_16", SAMPLE_RATE, 1):
        shown = "{} {}, {} Hz, {} channel(s)".format(*form)
        raise PromptError(f"{path}: {shown}; {_ALLOWED}")
    samples = prompt_samples(str(path))
    seconds = len(samples) / SAMPLE_RATE
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise PromptError(f"{path}: {seconds:.1f} s long; {_ALLOWED}")
    level = levels(samples).max()
    if level < _SILENT_DBOV:
        raise PromptError(f"{path}: silent (the loudest part has {level:.0f} dBov); {_ALLOWED}")


def _form(path: Path) -> tuple[str, str, int, int]:
    """A sound file's format, encoding, rate and channels. Raises :class:`PromptError`."""
    try:
        with sound_file(path, _PROMPT) as info:
            return info.format, info.subtype, info.samplerate, info.channels
    except FileNotFoundError:
        raise PromptError(f"no such file: {path}; {_ALLOWED}") from None
    except OSError as error:
        raise PromptError(f"{path}: cannot be read ({error.strerror}); {_ALLOWED}") from None
    except (ValueError, soundfile.LibsndfileError) as error:
        raise PromptError(f"{path}: cannot be read ({error}); {_ALLOWED}") from None


_LENGTH = f"{_SHORTEST_S:g} to {_LONGEST_S:g} s of speech"
_ALLOWED = f"allowed: a WAV file with {_LENGTH}, 8000 Hz, mono, 16 bits (PCM)"
#: Three times what such a file has, for what some programs write behind the sound.
_PROMPT = user_files.FileKind(1 << 20)


@dataclass(frozen=True, slots=True)
class Matched:
    """A prompt was heard whole; times in stream seconds, ``score`` 0…1 (1: sample for sample)."""

    name: str
    began: float
    ended: float
    score: float


class PromptMatcher:
    """Finds prompts in an 8 kHz stream, some 100 ms after each has ended."""

    def __init__(self, names: Iterable[str]) -> None:
        self._templates = [_template(name) for name in names]
        self._hops = np.array([template.hops for template in self._templates], np.intp)
        longest = int(self._hops.max(initial=1))
        # All pictures in one matrix, each ending where the longest ends.
        self._pictures = np.zeros((longest * _BANDS, len(self._templates)), np.float32)
        for number, template in enumerate(self._templates):
            self._pictures[len(self._pictures) - len(template.picture) :, number] = template.picture
        self._kept = (longest + 2 * _CHUNK_HOPS) * _HOP + _WINDOW + 2 * _SLACK
        self._samples = np.zeros(_WINDOW, np.int16)  # the newest; begins with silence
        self._origin = -_WINDOW  # the stream's sample number of the first of them
        self._bands = np.zeros((longest + _CHUNK_HOPS, _BANDS), np.float32)  # the newest hops
        # The stream's sample number where the next hop's window begins.
        self._next = -_WINDOW + _HOP
        self._deaf_until = [0.0] * len(self._templates)

    def feed(self, samples: NDArray[np.int16]) -> list[Matched]:
        """Hear some more samples, any number of them."""
        if not self._templates:
            return []
        self._samples = np.concatenate([self._samples, samples])
        found: list[Matched] = []
        while True:
            at = self._next - self._origin
            need = at + (_CHUNK_HOPS - 1) * _HOP + _WINDOW
            if need > len(self._samples):
                break
            new = _bands(self._samples[at:need])
            self._bands = np.concatenate([self._bands[_CHUNK_HOPS:], new])
            self._next += _CHUNK_HOPS * _HOP
            self._compare(found)
        cut = min(len(self._samples) - self._kept, self._next - self._origin)
        if cut > 0:
            self._samples = self._samples[cut:]
            self._origin += cut
        return found

    def _compare(self, found: list[Matched]) -> None:
        """Compare the newest hops with every picture, and the samples where a picture fits."""
        likeness = self._likeness()
        best = likeness.argmax(axis=0)
        # A likeness that still grows is taken up with the next chunk, whose first place is this
        # one's last.
        ripe = (likeness.max(axis=0) >= _MIN_LIKENESS) & (best < _CHUNK_HOPS)
        for number in np.nonzero(ripe)[0].tolist():
            template = self._templates[number]
            begin = self._next - (template.hops + _CHUNK_HOPS - int(best[number])) * _HOP
            match = self._correlate(template, begin)
            if match is not None and match.ended > self._deaf_until[number]:
                self._deaf_until[number] = match.ended + 0.5 * (match.ended - match.began)
                found.append(match)

    def _likeness(self) -> NDArray[np.float32]:
        """(places, templates): the normalised correlation of the newest hops with each picture; the
        last place is now.
        """
        bands = self._bands
        flat = bands.reshape(-1)
        rows = np.lib.stride_tricks.sliding_window_view(flat, len(self._pictures))[::_BANDS]
        products = rows @ self._pictures
        # The pictures have no mean in any band, so only the norm has to be taken without the mean.
        sums = np.zeros((len(bands) + 1, _BANDS))
        np.cumsum(bands, axis=0, out=sums[1:])
        squares = np.zeros(len(bands) + 1)
        np.cumsum(np.square(bands).sum(axis=1), out=squares[1:])
        ends = len(bands) - _CHUNK_HOPS + np.arange(_CHUNK_HOPS + 1)[:, None]
        begins = ends - self._hops
        means = np.square(sums[ends] - sums[begins]).sum(axis=2) / self._hops
        norm = np.sqrt(np.maximum(squares[ends] - squares[begins] - means, 1e-3))
        likeness: NDArray[np.float32] = products / norm
        return likeness

    def _correlate(self, template: _Template, begin: int) -> Matched | None:
        """The prompt, if the samples that begin about there are its own."""
        count = len(template.samples)
        # The newest part may still be on its way, and the oldest forgotten.
        first = max(begin - _SLACK, self._origin)
        last = begin + count + _SLACK
        received = self._samples[first - self._origin : last - self._origin].astype(np.float32)
        score, at = best_match(received, template.samples)
        if score < _MIN_SCORE:
            return None
        began = (first + at) / SAMPLE_RATE
        return Matched(template.name, began, began + count / SAMPLE_RATE, score)


def find_prompts(samples: NDArray[np.int16], names: Iterable[str]) -> list[Matched]:
    """The prompts in a whole recording at 8 kHz, in order."""
    matcher = PromptMatcher(names)
    tail = np.zeros(_CHUNK_HOPS * _HOP + _WINDOW, np.int16)
    return matcher.feed(np.concatenate([samples, tail]))


def best_match(received: NDArray[np.float32], sought: NDArray[np.float32]) -> tuple[float, int]:
    """The highest normalised correlation of ``sought`` in ``received``, and where it begins there.

    ``sought`` may stick out at either end by up to :data:`_SLACK` samples; what sticks out counts
    as silence.
    """
    silence = np.zeros(_SLACK, np.float32)
    padded = np.concatenate([silence, received, silence])
    missing = len(sought) - len(padded)
    if missing > 0:
        padded = np.concatenate([padded, np.zeros(missing, np.float32)])
    places = len(padded) - len(sought) + 1
    size = 1 << (len(padded) - 1).bit_length()
    spectrum = np.fft.rfft(padded, size) * np.conj(np.fft.rfft(sought, size))
    products = np.fft.irfft(spectrum, size)[:places]
    # The energy over the length of what is sought, from each place on.
    total = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])
    energies = total[len(sought) :] - total[: len(total) - len(sought)]
    norm = np.sqrt(np.maximum(energies[:places], 1.0) * float(sought.dot(sought)))
    scores = products / norm
    at = int(scores.argmax())
    return float(scores[at]), at - _SLACK


@dataclass(frozen=True, slots=True)
class _Template:
    name: str
    samples: NDArray[np.float32]
    picture: NDArray[np.float32]  # (hops × bands), no mean in any band, norm 1

    @property
    def hops(self) -> int:
        return len(self.picture) // _BANDS


@cache
def _template(name: str) -> _Template:
    """A prompt with its picture, made once for each."""
    samples = prompt_samples(name)
    bands = _bands(samples)
    picture = (bands - bands.mean(axis=0)).reshape(-1)
    normed = (picture / np.linalg.norm(picture)).astype(np.float32)
    return _Template(name, samples.astype(np.float32), normed)


def _bands(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """(hops, bands): how loud each band is in 32 ms every 10 ms, compressed as hearing does it."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP] * _HANN
    power = np.square(np.abs(np.fft.rfft(windows, axis=1)))
    loudness: NDArray[np.float32] = ((power @ _BAND_WEIGHTS) ** 0.15).astype(np.float32)
    return loudness


def _band_weights() -> NDArray[np.float64]:
    edges = np.geomspace(220.0, 3500.0, _BANDS + 1)
    bins = np.arange(_WINDOW // 2 + 1) * SAMPLE_RATE / _WINDOW
    inside = (bins[:, None] >= edges[:-1]) & (bins[:, None] < edges[1:])
    return inside.astype(np.float64)


_HANN = np.hanning(_WINDOW + 2)[1:-1].astype(np.float32)
_BAND_WEIGHTS = _band_weights()
