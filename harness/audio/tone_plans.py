"""Call-progress tones by country: what callers hear before an answer, or instead of one.

ITU-T E.180/Q.35 (03/98) sets the frame: 425 Hz preferred; busy and congestion tones as regular interruptions, congestion the
faster one; special information tones of 950, 1400 and 1800 Hz, 330 ms each. What countries use stands in ITU's list "Various
tones used in national networks (according to ITU-T Recommendation E.180)" of 2003. That list itself could not be had; each
plan names what it was checked against, which for most is Asterisk's ``indications.conf.sample``, whose entries cite it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a cadence: these frequencies (Hz) for so many seconds; none is silence.

    ``modulated_by`` is the frequency that switches a single tone's level up and down, as ringing generators did.
    """

    frequencies: tuple[float, ...]
    seconds: float
    modulated_by: float = 0.0


Cadence = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class TonePlan:
    """A country's tones."""

    country: str
    ringback: Cadence
    busy: Cadence
    congestion: Cadence
    dial: tuple[float, ...]
    source: str


def _cadence(frequencies: tuple[float, ...], *seconds: float, modulated_by: float = 0.0) -> Cadence:
    """On, off, on, off … seconds."""
    return tuple(
        Segment(() if k % 2 else frequencies, duration, 0.0 if k % 2 else modulated_by)
        for k, duration in enumerate(seconds)
    )


_ITU = "ITU national tones list of 2003, as cited by Asterisk's indications.conf"
_ASTERISK = "Asterisk's indications.conf, no further source named"
_425 = (425.0,)

PLANS: Final[dict[str, TonePlan]] = {
    "us": TonePlan(
        "United States, Canada",
        _cadence((440.0, 480.0), 2.0, 4.0),
        _cadence((480.0, 620.0), 0.5, 0.5),
        _cadence((480.0, 620.0), 0.25, 0.25),
        (350.0, 440.0),
        "ITU-T E.300 series, supplement 3: North American precise audible tone plan",
    ),
    "gb": TonePlan(
        "United Kingdom",
        _cadence((400.0, 450.0), 0.4, 0.2, 0.4, 2.0),
        _cadence((400.0,), 0.375, 0.375),
        _cadence((400.0,), 0.4, 0.35, 0.225, 0.525),
        (350.0, 440.0),
        "BT SIN 350, as cited by Asterisk's indications.conf",
    ),
    "de": TonePlan(
        "Germany", _cadence(_425, 1.0, 4.0), _cadence(_425, 0.48, 0.48), _cadence(_425, 0.24, 0.24), _425, _ITU
    ),
    "fr": TonePlan(
        "France",
        _cadence((440.0,), 1.5, 3.5),
        _cadence((440.0,), 0.5, 0.5),
        _cadence((440.0,), 0.25, 0.25),
        (440.0,),
        _ITU,
    ),
    "es": TonePlan(
        "Spain",
        _cadence(_425, 1.5, 3.0),
        _cadence(_425, 0.2, 0.2),
        _cadence(_425, 0.2, 0.2, 0.2, 0.2, 0.2, 0.6),
        _425,
        _ASTERISK,
    ),
    "it": TonePlan("Italy", _cadence(_425, 1.0, 4.0), _cadence(_425, 0.5, 0.5), _cadence(_425, 0.2, 0.2), _425, _ITU),
    "nl": TonePlan(
        "Netherlands", _cadence(_425, 1.0, 4.0), _cadence(_425, 0.5, 0.5), _cadence(_425, 0.25, 0.25), _425, _ITU
    ),
    "at": TonePlan(
        "Austria",
        _cadence((420.0,), 1.0, 5.0),
        _cadence((420.0,), 0.4, 0.4),
        _cadence((420.0,), 0.2, 0.2),
        (420.0,),
        _ITU,
    ),
    "ch": TonePlan(
        "Switzerland", _cadence(_425, 1.0, 4.0), _cadence(_425, 0.5, 0.5), _cadence(_425, 0.2, 0.2), _425, _ITU
    ),
    "se": TonePlan(
        "Sweden", _cadence(_425, 1.0, 5.0), _cadence(_425, 0.25, 0.25), _cadence(_425, 0.25, 0.75), _425, _ASTERISK
    ),
    "pl": TonePlan(
        "Poland", _cadence(_425, 1.0, 4.0), _cadence(_425, 0.5, 0.5), _cadence(_425, 0.5, 0.5), _425, _ASTERISK
    ),
    "jp": TonePlan(
        "Japan",
        _cadence((400.0,), 1.0, 2.0, modulated_by=15.0),
        _cadence((400.0,), 0.5, 0.5),
        _cadence((400.0,), 0.5, 0.5),
        (400.0,),
        _ASTERISK,
    ),
    "cn": TonePlan(
        "China",
        _cadence((450.0,), 1.0, 4.0),
        _cadence((450.0,), 0.35, 0.35),
        _cadence((450.0,), 0.7, 0.7),
        (450.0,),
        _ITU,
    ),
    "in": TonePlan(
        "India",
        _cadence((400.0,), 0.4, 0.2, 0.4, 2.0, modulated_by=25.0),
        _cadence((400.0,), 0.75, 0.75),
        _cadence((400.0,), 0.25, 0.25),
        (400.0,),
        _ASTERISK,
    ),
    "au": TonePlan(
        "Australia",
        _cadence((413.0, 438.0), 0.4, 0.2, 0.4, 2.0),
        _cadence(_425, 0.375, 0.375),
        _cadence(_425, 0.375, 0.375),
        (413.0, 438.0),
        "ACIF S002:2001, as cited by Asterisk's indications.conf",
    ),
    "nz": TonePlan(
        "New Zealand",
        _cadence((400.0, 450.0), 0.4, 0.2, 0.4, 2.0),
        _cadence((400.0,), 0.5, 0.5),
        _cadence((400.0,), 0.25, 0.25),
        (400.0,),
        "Telecom TNA 102, as cited by Asterisk's indications.conf",
    ),
    "br": TonePlan(
        "Brazil",
        _cadence(_425, 1.0, 4.0),
        _cadence(_425, 0.25, 0.25),
        _cadence(_425, 0.25, 0.25, 0.75, 0.25),
        _425,
        _ASTERISK,
    ),
    "mx": TonePlan(
        "Mexico", _cadence(_425, 1.0, 4.0), _cadence(_425, 0.25, 0.25), _cadence(_425, 0.25, 0.25), _425, _ASTERISK
    ),
}

#: Special information tones: the frequencies, and whether each lasts long (380 ms) or short (274 ms). The first is E.180's
#: (330 ms each); the others are North America's, which say by their tones why the call failed.
SIT: Final[dict[str, Cadence]] = {
    "E.180": (Segment((950.0,), 0.33), Segment((1400.0,), 0.33), Segment((1800.0,), 0.33)),
    "reorder": (Segment((913.8,), 0.274), Segment((1428.5,), 0.38), Segment((1776.7,), 0.38)),
    "vacant code": (Segment((985.2,), 0.38), Segment((1370.6,), 0.274), Segment((1776.7,), 0.38)),
    "no circuit": (Segment((985.2,), 0.38), Segment((1428.5,), 0.38), Segment((1776.7,), 0.38)),
    "intercept": (Segment((913.8,), 0.274), Segment((1370.6,), 0.274), Segment((1776.7,), 0.38)),
}

#: ITU-T T.30: calling tone of a fax machine, and the answer of one.
FAX_CNG: Final[Cadence] = (Segment((1100.0,), 0.5), Segment((), 3.0))
FAX_CED: Final[Cadence] = (Segment((2100.0,), 3.0), Segment((), 0.075))
