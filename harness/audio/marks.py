"""Marks: short looping tone sequences, each of which names the leg that sends it.

A mark is a circle of four symbols of 40 ms, each a low and a high tone at once, so 160 ms say whose
voice this is. The tones keep away from DTMF (ITU-T Q.23) and from call-progress, SIT and fax tones,
and lie inside 300-3400 Hz. The words come from ``mark_words.txt``; any two of them, however turned
against each other, agree in one symbol of four at most, and in three of eight tones.
"""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio.wav import to_int16

SAMPLE_RATE: Final = 8000
SYMBOL_SECONDS: Final = 0.040
SYMBOLS: Final = 4
PERIOD_SECONDS: Final = SYMBOL_SECONDS * SYMBOLS
PERIOD: Final = 1280  #: samples of a period at 8 kHz

LOW_HZ: Final = tuple(480.0 + 110.0 * i for i in range(9))
HIGH_HZ: Final = tuple(1555.0 + 110.0 * j for j in range(9))

#: ``MARKS[mark]`` is the word of that mark: four pairs (index of the low tone, index of the high
#: tone).
MARKS: Final[tuple[tuple[tuple[int, int], ...], ...]] = tuple(
    tuple((int(symbol[0]), int(symbol[1])) for symbol in word.split())
    for word in Path(__file__).with_name("mark_words.txt").read_text(encoding="ascii").splitlines()
    if not word.startswith("#")
)
#: Marks below these name legs; these are assistants' own voices, each the one of its deployment
#: file.
VOICES: Final = range(240, 256)
#: Marks from here on say in band which leg's mark was heard.
REPLY_OFFSET: Final = 256

DEFAULT_LEVEL_DBOV: Final = -15.0
#: Where in its first symbol a mark begins to be played: the first four packets of 20 ms then hold
#: three of its symbols, of which one is whole, and a detector that needs three has not to wait for
#: the fifth.
LEAD_IN_SECONDS: Final = 0.014
_RAMP_SECONDS = (
    0.002  # softens the symbol's edges: without it a boundary clicks over the whole band
)


def reply_to(mark: int) -> int:
    """The mark by which a far end says in band "I hear ``mark``". Raises ``ValueError`` if that is
    itself a reply.
    """
    if not 0 <= mark < REPLY_OFFSET:
        raise ValueError(f"mark {mark} names no leg: 0…{REPLY_OFFSET - 1} do")
    return mark + REPLY_OFFSET


def replied(mark: int) -> int | None:
    """The mark that ``mark`` confirms, or None when it is not a reply."""
    return mark - REPLY_OFFSET if REPLY_OFFSET <= mark < len(MARKS) else None


def waveform(
    mark: int, rate: int = SAMPLE_RATE, level_dbov: float = DEFAULT_LEVEL_DBOV
) -> NDArray[np.float32]:
    """One period (160 ms) of a mark as float32 in -1…1, which loops without a seam.

    Its RMS is ``level_dbov``; above about -6 dBov peaks are clipped, as a line would. Raises
    ``ValueError`` for a mark that does not exist, or a rate that is too low or at which a symbol
    has no whole number of samples (multiples of 25 Hz have).
    """
    if not 0 <= mark < len(MARKS):
        raise ValueError(f"mark {mark} does not exist: 0…{len(MARKS) - 1} do")
    if rate % 25 or rate < 6000:
        raise ValueError(f"marks cannot be made at {rate} Hz: 6000 or more, in multiples of 25")
    shape = _shape(mark, rate)
    gain = 10.0 ** (level_dbov / 20.0) / float(np.sqrt(np.mean(np.square(shape, dtype=np.float64))))
    period: NDArray[np.float32] = np.clip(shape * np.float32(gain), -1.0, 1.0)
    return period


def played(mark: int, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """One period as it is sent: it begins :data:`LEAD_IN_SECONDS` after the waveform does."""
    return np.roll(waveform(mark, rate), -round(LEAD_IN_SECONDS * rate))


def wav(mark: int, seconds: float, rate: int = SAMPLE_RATE) -> bytes:
    """A mono PCM16 WAV file of at least ``seconds``, rounded up to whole periods so that it loops
    without a seam.
    """
    periods = max(1, int(np.ceil(seconds / PERIOD_SECONDS - 1e-9)))
    file = io.BytesIO()
    soundfile.write(
        file, to_int16(np.tile(played(mark, rate), periods)), rate, subtype="PCM_16", format="WAV"
    )
    return file.getvalue()


@lru_cache(maxsize=64)
def _shape(mark: int, rate: int) -> NDArray[np.float32]:
    return np.concatenate([symbol_waveform(low, high, rate) for low, high in MARKS[mark]])


@lru_cache(maxsize=64)  # 16 at a rate, of which all marks are made
def symbol_waveform(low: int, high: int, rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """One symbol, of two tones of amplitude 1."""
    count = round(SYMBOL_SECONDS * rate)
    time = np.arange(count) / rate
    # Fixed phases, spread by the golden angle: the detector's last test correlates with this very
    # waveform.
    tones = np.sin(2 * np.pi * LOW_HZ[low] * time + 2.4 * low) + np.sin(
        2 * np.pi * HIGH_HZ[high] * time + 2.4 * high + 1.0
    )
    ramp_length = round(_RAMP_SECONDS * rate)
    ramp = np.sin(0.5 * np.pi * (np.arange(ramp_length) + 0.5) / ramp_length) ** 2
    tones[:ramp_length] *= ramp
    tones[-ramp_length:] *= ramp[::-1]
    return tones.astype(np.float32)
