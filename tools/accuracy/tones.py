"""Tones of the telephone network, by country: what callers hear before an answer, or instead of
one; and how they sound.

ITU-T E.180/Q.35 (03/98) sets the frame: 425 Hz preferred; busy and congestion tones as regular
interruptions, congestion the faster one; special information tones of 950, 1400 and 1800 Hz, 330 ms
each. What countries use stands in ITU's list "Various tones used in national networks (according to
ITU-T Recommendation E.180)" of 2003. That list itself could not be had; each plan names what it was
checked against, which for most is Asterisk's ``indications.conf.sample``, whose entries cite it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from tools import read_toml

Progress = Literal["ringback", "busy", "congestion", "dial"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a cadence: these frequencies (Hz) for so many seconds; none is silence.

    ``modulated_by`` is the frequency that switches a single tone's level up and down, as ringing
    generators did.
    """

    frequencies: tuple[float, ...]
    seconds: float
    modulated_by: float = 0.0


Cadence = tuple[Segment, ...]


def _cadence(
    frequencies: Sequence[float], seconds: Sequence[float], modulated_by: float = 0.0
) -> Cadence:
    """On, off, on, off … seconds."""
    return tuple(
        Segment((), duration) if k % 2 else Segment(tuple(frequencies), duration, modulated_by)
        for k, duration in enumerate(seconds)
    )


_TABLES: Final = read_toml(Path(__file__).with_suffix(".toml"))
#: The tones of each country, by its two letters.
PLANS: Final[dict[str, dict[str, Any]]] = _TABLES["countries"]

#: Special information tones, by what they say.
SIT: Final[dict[str, Cadence]] = {
    name: tuple(
        Segment((hertz,), seconds)
        for hertz, seconds in zip(tones["hz"], tones["seconds"], strict=True)
    )
    for name, tones in _TABLES["special_information"].items()
}

#: ITU-T T.30: calling tone of a fax machine, and the answer of one.
FAX_CNG: Final[Cadence] = (Segment((1100.0,), 0.5), Segment((), 3.0))
FAX_CED: Final[Cadence] = (Segment((2100.0,), 3.0), Segment((), 0.075))

_LEVEL_DBOV: Final = (
    -19.0
)  # E.180 recommends -10 ± 5 dBm0 for one tone; 0 dBm0 is -6.2 dBov in µ-law
_RAMP_SECONDS: Final = 0.003


def call_progress(
    country: str,
    kind: Progress,
    seconds: float,
    *,
    level_dbov: float = _LEVEL_DBOV,
) -> NDArray[np.float32]:
    """A country's tone (two letters, :data:`PLANS`) for so many seconds, as float32 in -1…1.
    ``KeyError`` if unknown.
    """
    plan = PLANS[country]
    if kind == "dial":
        cadence: Cadence = (Segment(tuple(plan["dial"]), seconds),)
    elif kind == "ringback":
        cadence = _cadence(plan["ringing"], plan["ringing_s"], plan.get("modulated_by", 0.0))
    else:
        cadence = _cadence(plan["busy"], plan[f"{kind}_s"])
    return sound(cadence, seconds, level_dbov=level_dbov)


def sit(kind: str = "E.180", *, level_dbov: float = _LEVEL_DBOV) -> NDArray[np.float32]:
    """Three special information tones, once (:data:`SIT` names the kinds)."""
    cadence = SIT[kind]
    return sound(cadence, sum(segment.seconds for segment in cadence), level_dbov=level_dbov)


def fax(
    kind: Literal["cng", "ced"],
    seconds: float,
    *,
    level_dbov: float = _LEVEL_DBOV,
) -> NDArray[np.float32]:
    """The calling tone (CNG, 1100 Hz) or the answer (CED, 2100 Hz) of a fax machine (ITU-T T.30)."""
    return sound(FAX_CNG if kind == "cng" else FAX_CED, seconds, level_dbov=level_dbov)


def sound(
    cadence: Cadence, seconds: float, *, level_dbov: float = _LEVEL_DBOV
) -> NDArray[np.float32]:
    """A cadence repeated for so many seconds; the level is that of the tone while it is on."""
    period = np.concatenate([_segment(each, 10 ** (level_dbov / 20)) for each in cadence])
    return np.resize(period, round(seconds * SAMPLE_RATE)).astype(np.float32)


def _segment(segment: Segment, level: float) -> NDArray[np.float64]:
    count = max(1, round(segment.seconds * SAMPLE_RATE))
    time = np.arange(count) / SAMPLE_RATE
    tone = np.zeros(count)
    for frequency in segment.frequencies:
        tone += np.sin(2 * np.pi * frequency * time)
    if not segment.frequencies:
        return tone
    tone *= level * np.sqrt(2 / len(segment.frequencies))
    if segment.modulated_by:
        tone *= 1 + 0.9 * np.sin(2 * np.pi * segment.modulated_by * time)
        tone /= np.sqrt(1 + 0.9**2 / 2)
    ramp = min(round(_RAMP_SECONDS * SAMPLE_RATE), count // 2)
    slope = np.sin(0.5 * np.pi * (np.arange(ramp) + 0.5) / max(ramp, 1)) ** 2
    tone[:ramp] *= slope
    tone[count - ramp :] *= slope[::-1]
    return tone
