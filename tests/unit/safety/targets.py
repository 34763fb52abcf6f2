"""Numbers that nobody may call, of all regions, and the ways to write them."""

from __future__ import annotations

import re

import phonenumbers
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberType


def _emergency_numbers() -> list[tuple[str, str]]:
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        short = PhoneMetadata.short_metadata_for_region(region)
        if short and short.emergency and (pattern := short.emergency.national_number_pattern):
            codes = [str(code).zfill(length) for length in (2, 3) for code in range(10**length)]
            found += [(code, region) for code in codes if re.fullmatch(pattern, code)]
            if example := short.emergency.example_number:
                found.append((example, region))
    return found


def _dear_numbers() -> list[tuple[phonenumbers.PhoneNumber, str]]:
    kinds = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)
    found = [
        (number, region)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
        if (number := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    everywhere = map(phonenumbers.example_number_for_non_geo_entity, (808, 979))
    return found + [(number, "US") for number in everywhere if number is not None]


EMERGENCY, DEAR = _emergency_numbers(), _dear_numbers()
_MARKS = st.text(alphabet="-.()~!_'", max_size=2)
_ENDS = ("#", ",,1", "p1", "x7", ";ext=1", ";phone-context=us", "&", "?x=1", "/", "=")


@st.composite
def written(draw: st.DrawFn, digits: str) -> str:
    """The digits as they are, with marks between them, percent-encoded in part, with something
    behind them that a network passes over, or all of this.
    """
    style = draw(st.sampled_from(["plain", "marks", "escapes", "end", "all"]))
    text = digits
    if style in ("marks", "all"):
        text = "".join(draw(_MARKS) + sign for sign in text)
    if style in ("escapes", "all"):
        escaped = draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
        pairs = zip(text, escaped, strict=True)
        text = "".join(f"%{ord(sign):02X}" if hidden else sign for sign, hidden in pairs)
    return text + (draw(st.sampled_from(_ENDS)) if style in ("end", "all") else "")


PREFIXES = ["", "", "", "9", "0", "00", "90", "*31", "*67", "#31#", "*31*", "w"]
