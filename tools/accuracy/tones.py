"""Tones of the telephone network, by country: what callers hear before an answer, or instead of
one; and how they sound.

ITU-T E.180/Q.35 (03/98) sets the frame: 425 Hz preferred; busy and congestion tones as regular
interruptions, congestion the faster one; special information tones of 950, 1400 and 1800 Hz, 330 ms
each. What countries use stands in ITU's list "Various tones used in national networks (according to
ITU-T Recommendation E.180)" of 2003. That list itself could not be had; each plan names what it was
checked against, which for most is Asterisk's ``indications.conf.sample``, whose entries cite it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE


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
_Hz = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class TonePlan:
    """A country's tones."""

    country: str
    ringback: Cadence
    busy: Cadence
    congestion: Cadence
    dial: tuple[float, ...]
    source: str


def _cadence(
    frequencies: tuple[float, ...], seconds: tuple[float, ...], modulated_by: float = 0.0
) -> Cadence:
    """On, off, on, off … seconds."""
    return tuple(
        Segment((), duration) if k % 2 else Segment(frequencies, duration, modulated_by)
        for k, duration in enumerate(seconds)
    )


_ITU = "ITU national tones list of 2003, as cited by Asterisk's indications.conf"
_ASTERISK = "Asterisk's indications.conf, no further source named"
_NORTH_AMERICA = "ITU-T E.300 series, supplement 3: North American precise audible tone plan"
_BT = "BT SIN 350, as cited by Asterisk's indications.conf"
_ACIF = "ACIF S002:2001, as cited by Asterisk's indications.conf"
_TELECOM = "Telecom TNA 102, as cited by Asterisk's indications.conf"
_425 = (425,)
#: Ringing tones whose level a low frequency modulates.
_MODULATED_BY = {"jp": 15, "in": 25}

# fmt: off
#: Country, ringing tone and its rhythm, frequencies of busy and congestion tone, the rhythm of
#: each, dial tone, source.
_ROWS: tuple[tuple[str, str, _Hz, _Hz, _Hz, _Hz, _Hz, _Hz, str], ...] = (
    ("us", "United States, Canada", (440, 480), (2, 4), (480, 620), (0.5, 0.5), (0.25, 0.25), (350, 440), _NORTH_AMERICA),
    ("gb", "United Kingdom", (400, 450), (0.4, 0.2, 0.4, 2), (400,), (0.375, 0.375), (0.4, 0.35, 0.225, 0.525), (350, 440), _BT),
    ("de", "Germany", _425, (1, 4), _425, (0.48, 0.48), (0.24, 0.24), _425, _ITU),
    ("fr", "France", (440,), (1.5, 3.5), (440,), (0.5, 0.5), (0.25, 0.25), (440,), _ITU),
    ("es", "Spain", _425, (1.5, 3), _425, (0.2, 0.2), (0.2, 0.2, 0.2, 0.2, 0.2, 0.6), _425, _ASTERISK),
    ("it", "Italy", _425, (1, 4), _425, (0.5, 0.5), (0.2, 0.2), _425, _ITU),
    ("nl", "Netherlands", _425, (1, 4), _425, (0.5, 0.5), (0.25, 0.25), _425, _ITU),
    ("at", "Austria", (420,), (1, 5), (420,), (0.4, 0.4), (0.2, 0.2), (420,), _ITU),
    ("ch", "Switzerland", _425, (1, 4), _425, (0.5, 0.5), (0.2, 0.2), _425, _ITU),
    ("se", "Sweden", _425, (1, 5), _425, (0.25, 0.25), (0.25, 0.75), _425, _ASTERISK),
    ("pl", "Poland", _425, (1, 4), _425, (0.5, 0.5), (0.5, 0.5), _425, _ASTERISK),
    ("jp", "Japan", (400,), (1, 2), (400,), (0.5, 0.5), (0.5, 0.5), (400,), _ASTERISK),
    ("cn", "China", (450,), (1, 4), (450,), (0.35, 0.35), (0.7, 0.7), (450,), _ITU),
    ("in", "India", (400,), (0.4, 0.2, 0.4, 2), (400,), (0.75, 0.75), (0.25, 0.25), (400,), _ASTERISK),
    ("au", "Australia", (413, 438), (0.4, 0.2, 0.4, 2), _425, (0.375, 0.375), (0.375, 0.375), (413, 438), _ACIF),
    ("nz", "New Zealand", (400, 450), (0.4, 0.2, 0.4, 2), (400,), (0.5, 0.5), (0.25, 0.25), (400,), _TELECOM),
    ("br", "Brazil", _425, (1, 4), _425, (0.25, 0.25), (0.25, 0.25, 0.75, 0.25), _425, _ASTERISK),
    ("mx", "Mexico", _425, (1, 4), _425, (0.25, 0.25), (0.25, 0.25), _425, _ASTERISK),
)
# fmt: on

PLANS: Final[dict[str, TonePlan]] = {
    code: TonePlan(
        country,
        _cadence(ringing, ringing_s, _MODULATED_BY.get(code, 0.0)),
        _cadence(other, busy_s),
        _cadence(other, congestion_s),
        dial,
        source,
    )
    for code, country, ringing, ringing_s, other, busy_s, congestion_s, dial, source in _ROWS
}

#: Special information tones: the frequencies, and whether each lasts long (380 ms) or short (274
#: ms). The first is E.180's (330 ms each); the others are North America's, which say by their tones
#: why the call failed.
SIT: Final[dict[str, Cadence]] = {
    name: tuple(
        Segment((hertz,), seconds) for hertz, seconds in zip(frequencies, lengths, strict=True)
    )
    for name, frequencies, lengths in (
        ("E.180", (950.0, 1400.0, 1800.0), (0.33, 0.33, 0.33)),
        ("reorder", (913.8, 1428.5, 1776.7), (0.274, 0.38, 0.38)),
        ("vacant code", (985.2, 1370.6, 1776.7), (0.38, 0.274, 0.38)),
        ("no circuit", (985.2, 1428.5, 1776.7), (0.38, 0.38, 0.38)),
        ("intercept", (913.8, 1370.6, 1776.7), (0.274, 0.274, 0.38)),
    )
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
    kind: Literal["ringback", "busy", "congestion", "dial"],
    seconds: float,
    *,
    rate: int = SAMPLE_RATE,
    level_dbov: float = _LEVEL_DBOV,
) -> NDArray[np.float32]:
    """A country's tone (two letters, :data:`PLANS`) for so many seconds, as float32 in -1…1.
    ``KeyError`` if unknown.
    """
    plan = PLANS[country]
    cadence = (Segment(plan.dial, seconds),) if kind == "dial" else getattr(plan, kind)
    return sound(cadence, seconds, rate=rate, level_dbov=level_dbov)


def sit(
    kind: str = "E.180", *, rate: int = SAMPLE_RATE, level_dbov: float = _LEVEL_DBOV
) -> NDArray[np.float32]:
    """Three special information tones, once (:data:`SIT` names the kinds)."""
    cadence = SIT[kind]
    return sound(
        cadence, sum(segment.seconds for segment in cadence), rate=rate, level_dbov=level_dbov
    )


def fax(
    kind: Literal["cng", "ced"],
    seconds: float,
    *,
    rate: int = SAMPLE_RATE,
    level_dbov: float = _LEVEL_DBOV,
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
