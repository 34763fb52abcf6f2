"""Tones of the telephone network, made and recognised: DTMF, call progress, special information tones, fax.

The plans stand in ``tone_plans``, DTMF in ``dtmf``, the recognition in ``classify``; this is where others import them from.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Kind, Span, classify
from harness.audio.dtmf import DIGITS, Digit, DtmfDetector, digits_in, dtmf
from harness.audio.marks import SAMPLE_RATE
from harness.audio.tone_plans import FAX_CED, FAX_CNG, PLANS, SIT, Cadence, Segment, TonePlan

__all__ = [
    "DIGITS",
    "PLANS",
    "SIT",
    "Digit",
    "DtmfDetector",
    "Kind",
    "Span",
    "TonePlan",
    "call_progress",
    "classify",
    "digits_in",
    "dtmf",
    "fax",
    "sit",
    "sound",
]

_LEVEL_DBOV: Final = -19.0  # E.180 recommends -10 ± 5 dBm0 for one tone; 0 dBm0 is -6.2 dBov in µ-law
_RAMP_SECONDS: Final = 0.003


def call_progress(
    country: str,
    kind: Literal["ringback", "busy", "congestion", "dial"],
    seconds: float,
    *,
    rate: int = SAMPLE_RATE,
    level_dbov: float = _LEVEL_DBOV,
) -> NDArray[np.float32]:
    """A country's tone (two letters, :data:`PLANS`) for so many seconds, as float32 in -1…1. ``KeyError`` if unknown."""
    plan = PLANS[country]
    cadence = (Segment(plan.dial, seconds),) if kind == "dial" else getattr(plan, kind)
    return sound(cadence, seconds, rate=rate, level_dbov=level_dbov)


def sit(kind: str = "E.180", *, rate: int = SAMPLE_RATE, level_dbov: float = _LEVEL_DBOV) -> NDArray[np.float32]:
    """Three special information tones, once (:data:`SIT` names the kinds)."""
    cadence = SIT[kind]
    return sound(cadence, sum(segment.seconds for segment in cadence), rate=rate, level_dbov=level_dbov)


def fax(
    kind: Literal["cng", "ced"], seconds: float, *, rate: int = SAMPLE_RATE, level_dbov: float = _LEVEL_DBOV
) -> NDArray[np.float32]:
    """The calling tone (CNG, 1100 Hz) or the answer (CED, 2100 Hz) of a fax machine (ITU-T T.30)."""
    return sound(FAX_CNG if kind == "cng" else FAX_CED, seconds, rate=rate, level_dbov=level_dbov)


def sound(
    cadence: Cadence, seconds: float, *, rate: int = SAMPLE_RATE, level_dbov: float = _LEVEL_DBOV
) -> NDArray[np.float32]:
    """A cadence repeated for so many seconds; the level is that of the tone while it is on."""
    total = round(seconds * rate)
    parts: list[NDArray[np.float64]] = []
    length = 0
    while length < total:
        for segment in cadence:
            part = _segment(segment, rate, 10 ** (level_dbov / 20))
            parts.append(part)
            length += len(part)
    whole = np.concatenate(parts) if parts else np.zeros(0)
    return whole[:total].astype(np.float32)


def _segment(segment: Segment, rate: int, level: float) -> NDArray[np.float64]:
    count = max(1, round(segment.seconds * rate))
    time = np.arange(count) / rate
    tone = np.zeros(count)
    for frequency in segment.frequencies:
        tone += np.sin(2 * np.pi * frequency * time)
    if not segment.frequencies:
        return tone
    tone *= level * np.sqrt(2 / len(segment.frequencies))
    if segment.modulated_by:
        tone *= 1 + 0.9 * np.sin(2 * np.pi * segment.modulated_by * time)
        tone /= np.sqrt(1 + 0.9**2 / 2)
    ramp = min(round(_RAMP_SECONDS * rate), count // 2)
    slope = np.sin(0.5 * np.pi * (np.arange(ramp) + 0.5) / max(ramp, 1)) ** 2
    tone[:ramp] *= slope
    tone[count - ramp :] *= slope[::-1]
    return tone
