"""Masking of telephone numbers and digest answers, so that evidence of a live run can be handed on.

``+13125550100`` becomes ``+1312•••0100``: the reader can still tell numbers apart, and equal numbers stay equal, but
nobody can dial them. What is masked is decided by form, since a platform writes one number in many ways: E.164 with or
without separators, ``00`` or an escaped ``%2B`` for its plus, the user of a ``sip:``, ``sips:`` or ``tel:`` URI, three, three
and four digits apart (``312-555-0100``), groups of digits behind a trunk's 0 (``020 7946 0155``, ``01.55.50.01.55``), any lone
run of 10 to 15 digits.
The last also hits the odd Call-ID or SDP session id: too much is masked rather than too little.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")

#: Stands for the digits left out; in file names and on the wire, where only ASCII will do, it is an ``x``.
DOT = "•"

#: Of a class of characters: spaces, also those that break no line, hyphens and dashes, as word processors put them between digits.
_GAP = r"\ \u00a0\u202f\-\u2010-\u2015"
_NUMBER = re.compile(
    rf"""
      (?:\+|%2[Bb])\d(?:[{_GAP}.()/]{{0,3}}\d){{6,14}}(?!\d)  # E.164, possibly with separators (RFC 3966, 5.1.1)
    | (?<!\d:)(?<![\w./-])00[{_GAP}.]?[1-9](?:[{_GAP}.()/]{{0,3}}\d){{8,14}}(?!\d)  # 00 for its +
    | (?<=sip:)\d{{7,15}}(?=[@;?>\s"]|$)                  # the user of a URI, national or without its plus
    | (?<=sips:)\d{{7,15}}(?=[@;?>\s"]|$)
    | (?<=tel:)\d{{7,15}}(?!\d)
    | (?<=sip:)\(?\d(?:[-.()]{{0,2}}\d){{6,14}}(?=@)       # the same with the visual separators of RFC 3966, 5.1.1
    | (?<=sips:)\(?\d(?:[-.()]{{0,2}}\d){{6,14}}(?=@)
    | (?<=tel:)\(?\d(?:[-.()]{{0,2}}\d){{6,14}}(?!\d)
    | (?<![\d.-])(?:1[{_GAP}.])?(?:\(\d{{3}}\)[{_GAP}]?|\d{{3}}[{_GAP}.])\d{{3}}[{_GAP}.]\d{{4}}
        (?![-.]?\d)                                      # as people and transcripts write it
    | (?P<national>                                       # the same where a trunk's 0 comes first: 020 7946 0958, 030/1234567
        (?<![\d.:/-])\(?0\d{{1,4}}\)?[{_GAP}/]{{1,3}}\d{{3,8}}(?:[{_GAP}]\d{{3,4}}){{0,2}}(?![-.:/]?\d)
      | (?<![\d.:/-])0\d(?P<between>[{_GAP}.])\d\d(?:(?P=between)\d\d){{3}}(?![-.:/\ ]?\d)  # 01 23 45 67 89
      )
    | (?<=sip%3[Aa])\d{{7,15}}(?!\d)                      # a URI escaped into a header of another one (Refer-To)
    | (?<!\d)(?<!\d\.)(?!1\d{{9}}\.0)\d{{10,15}}(?!\d|\.(?!0(?!\d))\d)  # a lone run: no decimal fraction, nor a time (1795163572.0)
    """,
    re.VERBOSE,
)
_MASKED = re.compile(rf"(?<=\d){DOT}+(?=\d)")
#: Digits of a national number with its 0; of fewer, what looks like one may be anything.
_LEAST_NATIONAL = 9
#: What a digest answer is made of (RFC 7616, 3.4): with it a password could be tried offline.
_DIGEST = re.compile(r'\b(response|cnonce)="[^"]*"', re.IGNORECASE)
#: Of an Identity (RFC 8224): claims, which hold both numbers as base64url, and a signature: digits left out could be tried with it.
_PASSPORT = re.compile(r"(?<![\w.-])(ey[\w-]{8,})?\.[\w-]*\.[\w-]{40,}(?![\w.-])", re.ASCII)


def mask_number(number: str, dot: str = DOT) -> str:
    """One number with its middle gone; its separators go too. Shorter numbers lose more of their head.

    As many characters as digits: a masked SIP body keeps the length its Content-Length states.
    """
    prefix = "+" if number.startswith("+") else number[:3] if number[:3].lower() == "%2b" else ""
    digits = re.sub(r"\D", "", number[len(prefix) :])
    head = 4 if len(digits) >= 11 else 3 if len(digits) >= 10 else 1
    return f"{prefix}{digits[:head]}{dot * (len(digits) - head - 4)}{digits[-4:]}"


def mask_text(text: str, dot: str = DOT) -> str:
    """``text`` (prose, a SIP message, a log) with every number and digest answer masked."""
    text = _DIGEST.sub(lambda found: f'{found[1]}="{dot * 3}"', text)
    text = _PASSPORT.sub(lambda found: f"{found[1] or ''}.{dot * 3}.{dot * 3}", text)
    return _NUMBER.sub(lambda found: mask_number(found[0], dot) if _is_long_enough(found) else found[0], text)


def _is_long_enough(found: re.Match[str]) -> bool:
    return not found["national"] or sum(map(str.isdigit, found["national"])) >= _LEAST_NATIONAL


def fill_text(text: str) -> str:
    """``text`` with a zero for each masked digit: numbers that were equal stay equal, and read as numbers again."""
    return _MASKED.sub(lambda found: "0" * len(found[0]), text)


def fill_plain(value: Any) -> Any:
    """JSON-ready data with a zero for each masked digit in it."""
    if isinstance(value, str):
        return fill_text(value)
    if isinstance(value, Mapping):
        return {fill_text(str(key)): fill_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [fill_plain(item) for item in value]
    return value


def mask_name(name: str) -> str:
    """A file name with every number masked, in ASCII."""
    return mask_text(name, dot="x")


def mask_plain(value: Any) -> Any:
    """JSON-ready data with every string in it masked, keys included; figures (times, ports) stay."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {mask_text(str(key)): mask_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [mask_plain(item) for item in value]
    # an integer of that length in a far end's record is a number, not a count
    if isinstance(value, int) and not isinstance(value, bool) and 10**9 <= abs(value) < 10**15:
        return mask_text(str(value))
    return value


def mask_fields(data: T) -> T:
    """A dataclass with every string in it masked, also in the dataclasses it holds; figures and words of enumerations stay."""
    whole: Any = data
    masked: T = replace(whole, **{one.name: _mask_field(getattr(whole, one.name)) for one in fields(whole)})
    return masked


def _mask_field(value: Any) -> Any:
    if isinstance(value, Enum):
        return value
    if is_dataclass(value):
        return mask_fields(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_mask_field, value))
    return mask_plain(value) if isinstance(value, (str, Mapping)) else value
