"""What networks may dial when they are given the user part of a target (RFC 3966)."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import phonenumbers

#: Signs of a user part that dial nothing: RFC 3966's visual separators, and the other marks of RFC
#: 3261 section 25.1. "*" is a key.
_MARKS = str.maketrans("", "", "-._~!'()")
_READABLE = re.compile(r"[A-Za-z0-9*#+._~!'()-]")
_KEYS = re.compile(r"\+[0-9]+|[0-9*#]+")
#: Keys in front of letters, perhaps behind those of a pause or of tone dialling ("911x1", "w911"): a
#: network may leave the letters out. One key or two are no number that is dialled so.
_KEYS_AND_LETTERS = re.compile(r"[PTWptw]*([0-9*#+]{3,})")
#: Keys with pauses between them, tone dialling, or the keys A to D (RFC 3966 section 3,
#: "phonedigit-hex"): "9w911" is an outside line, and then an emergency number.
_KEYS_AND_PAUSES = re.compile(r"[0-9*#+PTWptwA-D]*[PTWptwA-D][0-9*#+PTWptwA-D]*")
#: A name such as "w12" has fewer, and they are no emergency number.
_FEWEST_KEYS = 3
#: A service code in front of a number: *31, #31#, *67.
_SERVICE_CODE = r"(?:[*#]+[0-9]{0,3}[*#]?)?"
#: For an outside line, and for another country.
_OUTSIDE = ("0", "9", "011")
#: The longest emergency number has six digits, a country's code three.
_MOST_EMERGENCY_DIGITS = 9
#: Of a user part: more than any number with its prefixes, and than names in use.
_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Dialled:
    """What a user part dials: ``keys``, with a plus in front if it has one; a name dials none."""

    keys: str = ""
    is_name: bool = False  #: whether it has letters, so that most networks dial nothing


def dialled(user: str) -> Dialled | None:
    """What ``user`` dials; None when it cannot be read.

    Its percent-encoding counts once: what is encoded again, and parameters, pauses and digits of
    other scripts are not readable.
    """
    text = unquote(user)
    if len(text) > _LONGEST:
        return None
    if not all(_READABLE.match(sign) or (not sign.isascii() and sign.isalpha()) for sign in text):
        return None
    bare = text.translate(_MARKS)
    if _KEYS.fullmatch(bare):
        return Dialled(bare)
    if not any(map(str.isalpha, bare)):
        return None
    if _KEYS_AND_PAUSES.fullmatch(bare):
        digits = "".join(filter(str.isdecimal, bare))
        if len(digits) >= _FEWEST_KEYS or is_emergency(digits):
            return None
    if (found := _KEYS_AND_LETTERS.match(bare)) is None:
        return Dialled(is_name=True)
    return Dialled(found[1], is_name=True) if _KEYS.fullmatch(found[1]) else None


def is_emergency(keys: str) -> bool:
    """Whether a network of any region may take ``keys`` for its emergency number.

    As it is, or behind a service code, the digits for an outside line or another country, or the
    region's own prefixes.
    """
    digits = keys.removeprefix("+")
    if digits.isdecimal() and len(digits.lstrip("".join(_OUTSIDE))) > _MOST_EMERGENCY_DIGITS:
        return False  # without reading phonenumbers' data of 240 regions
    return bool(keys) and _emergency_numbers().fullmatch(keys) is not None


@lru_cache(maxsize=1)
def _emergency_numbers() -> re.Pattern[str]:
    every: set[str] = set()
    for region in phonenumbers.SUPPORTED_REGIONS:
        short = phonenumbers.PhoneMetadata.short_metadata_for_region(region)
        pattern = short and short.emergency and short.emergency.national_number_pattern
        if not pattern:
            continue
        code = phonenumbers.country_code_for_region(region)
        trunk = phonenumbers.ndd_prefix_for_region(region, True) or ""
        every |= {f"(?:{pattern})", f"{code}(?:{pattern})", f"{trunk}(?:{pattern})"}
    outside = "|".join(_OUTSIDE)
    return re.compile(rf"\+?{_SERVICE_CODE}(?:{outside})*(?:{'|'.join(sorted(every))})[*#]*")


def numbers_dialled(keys: str, region: str) -> Iterator[phonenumbers.PhoneNumber]:
    """The valid numbers that ``keys`` may reach from ``region``."""
    return filter(phonenumbers.is_valid_number, readings(keys, region))


def readings(keys: str, region: str) -> Iterator[phonenumbers.PhoneNumber]:
    """The numbers as which ``keys`` may be read in ``region``, valid or not: national or
    international, also without plus, and behind a service code or the digits for an outside line.
    """
    parts = [keys, keys[3:], keys[4:]] if keys.startswith(("*", "#")) else [keys]  # *31, *310
    for digits in re.findall(r"\+?[0-9]+", " ".join(parts)):
        for rest in _without_outside(digits):
            for text in sorted({rest, "+" + rest.lstrip("+")}):
                with contextlib.suppress(phonenumbers.NumberParseException):
                    yield phonenumbers.parse(text, region)


def _without_outside(digits: str) -> Iterator[str]:
    yield digits
    for prefix in _OUTSIDE:
        if digits.startswith(prefix):
            yield from _without_outside(digits.removeprefix(prefix))
