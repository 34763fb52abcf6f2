"""Masking of telephone numbers and digest answers, so that evidence of a live run can be handed on.

``+13125550100`` becomes ``+1312•••0100``: the reader can still tell numbers apart, and equal
numbers stay equal, but they cannot be dialled. A number is masked for one of three reasons:

- It is a number of a deployment that this process has read (:func:`remember`), in any form that its country writes it in:
  its digits in their order, of any script, with up to three other signs between two, also where those are escaped
  (``3&nbsp;1``, ``3%2C%201``, ``3\\u00a01``).
- It has the form of a number: E.164 with or without separators, ``00`` or an escaped ``%2B`` for its plus, the user of a ``sip:``,
  ``sips:`` or ``tel:`` URI, ``312-555-0100``, groups of digits behind a trunk's 0 (``020 7946 0155``), a
  run of 10 to 15 digits that stands alone.
- The same message has its digits in such a form elsewhere.

The form alone does not count where digits are something else: in a Call-ID, a tag, a branch, SDP, a
UUID, or a time.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, TypeVar

import phonenumbers

T = TypeVar("T")

#: Stands for the digits left out; in file names and on the wire, where only ASCII will do, it is an
#: ``x``.
DOT = "•"

#: Of a class of characters: spaces, also those that break no line, hyphens and dashes, as word
#: processors put them between digits.
_GAP = r"\ \u00a0\u202f\-\u2010-\u2015"
_NUMBER = re.compile(
    rf"""
      (?P<sure>
        (?:\+|%2[Bb])\d(?:[{_GAP}.()/]{{0,3}}\d){{6,14}}(?!\d)  # E.164, possibly with separators (RFC 3966, 5.1.1)
      | (?<=sip:)\d{{7,15}}(?=[@;?>\s"]|$)                  # the user of a URI, national or without its plus
      | (?<=sips:)\d{{7,15}}(?=[@;?>\s"]|$)
      | (?<=tel:)\d{{7,15}}(?!\d)
      | (?<=sip:)\(?\d(?:[-.()]{{0,2}}\d){{6,14}}(?=@)       # the same with the visual separators of RFC 3966, 5.1.1
      | (?<=sips:)\(?\d(?:[-.()]{{0,2}}\d){{6,14}}(?=@)
      | (?<=tel:)\(?\d(?:[-.()]{{0,2}}\d){{6,14}}(?!\d)
      | (?<=sip%3[Aa])\d{{7,15}}(?!\d)                      # a URI escaped into a header of another one (Refer-To)
      )
    | (?<!\d:)(?<![\w./-])00[{_GAP}.]?[1-9](?:[{_GAP}.()/]{{0,3}}\d){{8,14}}(?!\d)  # 00 for its +
    | (?<![\d.-])(?:1[{_GAP}.])?(?:\(\d{{3}}\)[{_GAP}]?|\d{{3}}[{_GAP}.])\d{{3}}[{_GAP}.]?\d{{4}}
        (?![-.]?\d)                                      # as people and transcripts write it
    | (?P<national>                                       # the same where a trunk's 0 comes first: 020 7946 0958, 030/1234567
        (?<![\d.:/-])\(?0\d{{1,4}}\)?[{_GAP}/]{{1,3}}\d{{3,8}}(?:[{_GAP}]\d{{3,4}}){{0,2}}(?![-.:/]?\d)
      | (?<![\d.:/-])0\d(?P<between>[{_GAP}.])\d\d(?:(?P=between)\d\d){{3}}(?![-.:/\ ]?\d)  # 01 23 45 67 89
      )
    | (?P<lone>(?<!\d)(?<!\d\.)(?!1\d{{9}}\.0)\d{{10,15}}(?!\d|\.(?!0(?!\d))\d))  # no decimal fraction, nor a time (1795163572.0)
    """,
    re.VERBOSE,
)
_MASKED = re.compile(rf"(?<=\d){DOT}+(?=\d)")
#: Digits of a national number with its 0; of fewer, what looks like one may be anything.
_LEAST_NATIONAL = 9
#: Where digits are no number by their form alone: identifiers of a call or a request, what says
#: when or by which program, SDP.
_IDENTIFIERS = re.compile(
    r"""
      ^(?:Call-ID|i|CSeq|Via|v|Session-ID|In-Reply-To|Replaces|Target-Dialog|RAck|RSeq|User-Agent|Server
        |Timestamp|Date|Retry-After|(?:Session-|Min-)?Expires|Min-SE)[\ \t]*:.*$
    | ^[a-z]=.*$
    | \b(?:(?:from-|to-)?tag|branch|nonce|opaque|icid-value|replaces|expires)(?:=|%3D)"?[^\s;,>"&]*
    | \bCall-ID\b[\s"':=]{1,3}[^\s"',;]+
    | \b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
#: Keys of JSON under which digits are no number by their form alone, and those under which an
#: integer is one.
_ID_KEY = re.compile(
    r"(?:.*_)?(?:call|session|model|dialog|request|trace|message|recording)?_?(?:id|uuid|sid)|ssrc|hash|sha256|.*(?:time|timestamp|date|_at|_ms)",
    re.IGNORECASE,
)
_NUMBER_KEY = re.compile(
    r".*(?:number|phone|caller|calling|called|customer|msisdn)|(?:.*_)?(?:from|to|ani|dnis|did|tn|caller_id)",
    re.IGNORECASE,
)
#: A moment as YYYYMMDDhhmmss; in seconds or milliseconds since 1970 it lies between 2020 and 2035.
_DATE_AND_TIME = re.compile(
    r"20[23]\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d"
)
_MOMENTS_S = range(1_577_836_800, 2_051_222_400)
#: What a digest answer is made of (RFC 7616, 3.4): with it a password could be tried offline.
_DIGEST = re.compile(r'\b(response|cnonce)="[^"]*"', re.IGNORECASE)
#: Of an Identity (RFC 8224): claims, which hold both numbers as base64url, and a signature: digits
#: left out could be tried with it.
_PASSPORT = re.compile(r"(?<![\w.-])(ey[\w-]{8,})?\.[\w-]*\.[\w-]{40,}(?![\w.-])", re.ASCII)

#: A digit, which a URI may escape (RFC 3986 section 2.1), with what may stand between two of a
#: number that is none of the deployment's.
_DIGIT = r"(?:%3\d|\d)"
_BETWEEN = rf"(?:%2[0-9A-Fa-f]|[{_GAP}.()/_\u200b-\u200f\u2060]){{0,4}}"
_DIGITS = re.compile(rf"(?<!%)(?<!%[0-9A-Fa-f]){_DIGIT}(?:{_BETWEEN}{_DIGIT}){{5,}}")
#: The same for a number of the deployment. Nothing is tried twice, so the time is linear.
_ANY_BETWEEN = rf"(?:[{_GAP}.()/_\u200b-\u200f\u2060]{{4}}(?=[0-9])|[^0-9]{{0,3}}+)"
_DIGITS_AHEAD = re.compile(rf"[0-9](?:{_ANY_BETWEEN}[0-9]){{5,19}}+")
#: Beyond so many beginnings, shorter ones are looked for: an expression of thousands is slow.
_MOST_BEGINNINGS = 20_000
#: What makes of few digits a time or an identifier.
_OF_SOMETHING_ELSE = re.compile(r"[^\W\d_]|:")
#: What continues a figure, an address or a time on either side.
_FIGURE_BEFORE, _FIGURE_BEHIND = re.compile(r"[0-9][.:]?\Z"), re.compile(r"[.:]?[0-9]")
#: One character as URLs (RFC 3986 section 2.1; UTF-8), HTML and JSON escape it, also if they do so
#: more than once.
_ESCAPE = re.compile(
    r"""
      %(?:25)*(?P<octets>[0-7][0-9a-f]|[c-f][0-9a-f](?:%(?:25)*[89ab][0-9a-f]){1,3})
    | &(?:amp;)*(?P<entity>\#(?:x[0-9a-f]{1,6}|[0-9]{1,7})|[a-z][a-z0-9]{1,31});
    | (?<!\\)\\+(?:(?-i:U)(?P<long>[0-9a-f]{8})|u\{(?P<braced>[0-9a-f]{1,6})\}|u(?P<short>[0-9a-f]{4})
        |x(?P<octet>[0-9a-f]{2})|[nrtfvb])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SIX_DIGITS = re.compile(r"(?:\d\D{0,12}){6}")
_ONE_DIGIT = re.compile(r"%3(\d)|%[0-9A-Fa-f]{2}|(\d)")
#: A form of fewer digits counts only where no other digit stands beside it.
_UNMISTAKABLE = 10
_SHORTEST, _SHORTEST_LOCAL = 6, 7
#: A form of fewer digits counts only where neither letters nor colons part them.
_SHORTEST_PARTED = 8

_ASCII_DIGITS = frozenset("0123456789")

_Span = tuple[int, int]


class Masker:
    """Masks text and data; ``numbers`` (E.164) are masked in every form, and any other number by
    its form.
    """

    def __init__(self, numbers: Iterable[str] = ()) -> None:
        self._numbers: set[str] = set()
        self._forms = _Forms(frozenset())
        self._is_stale = False
        self.remember(numbers)

    def remember(self, numbers: Iterable[str]) -> None:
        """Mask these numbers too (E.164), in every form."""
        before = len(self._numbers)
        self._numbers.update(numbers)
        self._is_stale |= len(self._numbers) > before

    @property
    def _known(self) -> _Forms:
        if self._is_stale:  # worked out where it is needed: most runs mask nothing
            self._forms = _Forms(frozenset().union(*map(forms_of, self._numbers)))
            self._is_stale = False
        return self._forms

    def text(self, text: str, dot: str = DOT) -> str:
        """``text`` (prose, a SIP message, a log) with every number and digest answer masked."""
        return self._text(text, _Forms(frozenset(_digits_by_form(text))), dot)

    def plain(self, value: Any) -> Any:
        """JSON-ready data, which is one message, with every string in it masked, keys included;
        figures (times, ports) stay.
        """
        return self._plain(value, _Forms(frozenset(_digits_within(value))), "")

    def _text(self, text: str, elsewhere: _Forms, dot: str = DOT, *, is_id: bool = False) -> str:
        if not _may_hold_any(text):
            return text
        text = _DIGEST.sub(lambda found: f'{found[1]}="{dot * 3}"', text)
        text = _PASSPORT.sub(lambda found: f"{found[1] or ''}.{dot * 3}.{dot * 3}", text)
        spans = [*_by_form(text, is_id=is_id), *_in_any_form(text, elsewhere)]
        spans += _in_any_writing(text, self._known)
        parts, at = [], 0
        for start, end in _united(spans):
            parts += [text[at:start], mask_number(text[start:end], dot)]
            at = end
        return "".join([*parts, text[at:]]) if spans else text

    def _plain(self, value: Any, elsewhere: _Forms, key: str) -> Any:
        if isinstance(value, str):
            return self._text(value, elsewhere, is_id=_is_id(key))
        if isinstance(value, Mapping):
            found: dict[str, Any] = {}
            alike: Counter[str] = Counter()
            for name, item in value.items():
                masked = self._text(str(name), elsewhere)
                while masked in found:  # two numbers that look the same masked
                    masked = masked.partition(" ~")[0]
                    alike[masked] += 1
                    masked = f"{masked} ~{alike[masked] + 1}"
                found[masked] = self._plain(item, elsewhere, str(name))
            return found
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            return [self._plain(item, elsewhere, key) for item in value]
        return self._figure(value, elsewhere, key) if isinstance(value, (int, float)) else value

    def _figure(self, value: float, elsewhere: _Forms, key: str) -> Any:
        """A number that JSON has as a figure."""
        is_named = _NUMBER_KEY.fullmatch(key) is not None
        if isinstance(value, bool) or not (
            isinstance(value, int) or (is_named and value.is_integer())
        ):
            return value
        digits = str(abs(int(value)))
        is_known = digits in self._known.digits or digits in elsewhere.digits
        return mask_number(digits) if is_known or (is_named and 10 <= len(digits) <= 15) else value


class _Forms:
    """Digits to look for."""

    def __init__(self, digits: frozenset[str]) -> None:
        self.digits = digits
        self.beginnings = {form[:_SHORTEST] for form in digits}
        self._lengths = sorted({len(form) for form in digits})

    @cached_property
    def begin(self) -> re.Pattern[str]:
        """Finds the first digit of each place where one may begin, whatever separates its digits."""
        length = _SHORTEST
        while length > 1 and len({form[:length] for form in self.digits}) > _MOST_BEGINNINGS:
            length -= 1
        branches = _branches({form[:length] for form in self.digits})
        return re.compile("|".join(f"{first}(?={rest})" for first, rest in branches))

    def at(self, digits: str, at: int) -> Iterator[str]:
        """Those that ``digits`` has there."""
        yield from (
            found for length in self._lengths if (found := digits[at : at + length]) in self.digits
        )


def _branches(beginnings: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each first digit, and an expression for the digits behind it: a tree, in which none is read
    for two of the beginnings.
    """
    by_first = defaultdict(set)
    for digits in beginnings:
        by_first[digits[0]].add(digits[1:])
    for first, rests in sorted(by_first.items()):
        behind = "|".join(f"{digit}{more}" for digit, more in _branches(rests - {""}))
        yield first, f"[^0-9]{{0,4}}+(?:{behind})" if behind else ""


@lru_cache(maxsize=8192)
def forms_of(number: str) -> frozenset[str]:
    """The digits by which a number (E.164) is written at home and abroad: without its separators,
    which may be any.
    """
    digits = number.removeprefix("+")
    try:
        parsed = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return frozenset({digits})
    country, national = str(parsed.country_code), phonenumbers.national_significant_number(parsed)
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    trunk = phonenumbers.ndd_prefix_for_region(region, True) or "0"
    at_home = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    found = {
        digits,
        f"00{digits}",
        f"011{digits}",
        f"{country}{trunk}{national}",
        national,
        f"{trunk}{national}",
    }
    found |= {_digits_of(at_home), _digits_of(at_home).removeprefix(trunk)}
    found |= {digits[::-1]} if len(digits) >= _UNMISTAKABLE else set()  # ENUM (RFC 6116, 3.2)
    local = national[phonenumbers.length_of_geographical_area_code(parsed) :]
    found |= {local} if len(local) >= _SHORTEST_LOCAL else set()
    return frozenset(form for form in found if len(form) >= _SHORTEST)


def _digits_within(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, str):
        yield from _digits_by_form(value, is_id=_is_id(key))
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _digits_by_form(str(name))
            yield from _digits_within(item, str(name))
    elif isinstance(value, Sequence) and not isinstance(value, bytes):
        for item in value:
            yield from _digits_within(item, key)


def _digits_by_form(text: str, *, is_id: bool = False) -> Iterator[str]:
    """The digits of each number in ``text``, and of what is left of it without its country, prefix
    or area.
    """
    for start, end in _by_form(text, is_id=is_id):
        digits = _digits_of(text[start:end])
        for begin in range(len(digits) - _SHORTEST_LOCAL + 1):
            yield from (digits[begin:], f"0{digits[begin:]}")


def _may_hold_any(text: str) -> bool:
    """Whether a number, a digest answer or a signature may be in it; most short texts have none."""
    return len(text) >= 42 or '="' in text or _SIX_DIGITS.search(text) is not None


@lru_cache(maxsize=512)  # a message is looked through for what it has elsewhere, and then masked
def _by_form(text: str, *, is_id: bool = False) -> Sequence[_Span]:
    found = list(_NUMBER.finditer(text)) if _may_hold_any(text) else []
    if all(one["sure"] for one in found):
        return [one.span() for one in found]
    ids = [one.span() for one in _IDENTIFIERS.finditer(text)]  # in their order, none within another
    return [
        one.span() for one in found if one["sure"] or not (is_id or _is_something_else(one, ids))
    ]


def _is_something_else(found: re.Match[str], ids: Sequence[_Span]) -> bool:
    if found["national"] and sum(map(str.isdigit, found["national"])) < _LEAST_NATIONAL:
        return True
    if found["lone"] and _is_moment(found["lone"]):
        return True
    before = bisect_right(ids, found.start(), key=itemgetter(0))
    return before > 0 and found.end() <= ids[before - 1][1]


def _is_moment(digits: str) -> bool:
    seconds = int(digits) // {10: 1, 13: 1000}.get(len(digits), 10**15)
    return seconds in _MOMENTS_S or _DATE_AND_TIME.fullmatch(digits) is not None


def _in_any_form(text: str, wanted: _Forms) -> Iterator[_Span]:
    """Where the digits that are wanted stand, whatever usually separates them."""
    beginnings = wanted.beginnings
    for run in _DIGITS.finditer(text) if beginnings else ():
        digits = _digits_of(run[0])
        begins = [at for at in range(len(digits)) if digits[at : at + _SHORTEST] in beginnings]
        places = (
            [one.span() for one in _ONE_DIGIT.finditer(text, *run.span()) if one.lastindex]
            if begins
            else []
        )
        end = 0
        for at in begins:
            fitting = (form for form in wanted.at(digits, at) if _stands_alone(form, at, places))
            if at >= end and (form := max(fitting, key=len, default="")):
                end = at + len(form)
                yield places[at][0], places[end - 1][1]


def _stands_alone(form: str, at: int, places: Sequence[_Span]) -> bool:
    """Whether no digit stands right beside it; of one that is long enough that says nothing."""
    end = at + len(form)
    before = at > 0 and places[at - 1][1] == places[at][0]
    after = end < len(places) and places[end - 1][1] == places[end][0]
    return len(form) >= _UNMISTAKABLE or not (before or after)


def _in_any_writing(text: str, wanted: _Forms) -> Iterator[_Span]:
    """Where the digits that are wanted stand, of any script, whatever separates or escapes them."""
    if not wanted.digits:
        return
    yield from _in_ascii_digits(_with_ascii_digits(text), wanted)
    if "%" in text or "&" in text or "\\" in text:
        # besides: in "50%312" as in "%20312", the digits behind the sign may be any
        plain, places = _unescaped(text)
        if len(plain) < len(text):
            for start, end in _in_ascii_digits(_with_ascii_digits(plain), wanted):
                yield places[start], places[end]


def _in_ascii_digits(text: str, wanted: _Forms) -> Iterator[_Span]:
    end = 0
    for begin in wanted.begin.finditer(text):
        start = begin.start()
        ahead = _DIGITS_AHEAD.match(text, start) if start >= end else None
        if ahead is None:
            continue
        ends = [start + at + 1 for at, sign in enumerate(ahead[0]) if sign in _ASCII_DIGITS]
        digits = "".join(text[at - 1] for at in ends)
        fitting = [
            form for form in wanted.at(digits, 0) if _is_one(form, text, start, ends[len(form) - 1])
        ]
        if fitting:
            end = ends[len(fitting[-1]) - 1]
            yield start, end


def _is_one(form: str, text: str, start: int, end: int) -> bool:
    """Whether digits that are as wanted are a number: the fewer there are, the more they may be
    something else.
    """
    if len(form) >= _UNMISTAKABLE:
        return True
    if _FIGURE_BEFORE.search(text, max(start - 2, 0), start) or _FIGURE_BEHIND.match(text, end):
        return False
    return len(form) >= _SHORTEST_PARTED or not _OF_SOMETHING_ELSE.search(text, start, end)


def _with_ascii_digits(text: str) -> str:
    """The text, of the same length, with ASCII digits for those of other scripts."""
    if text.isascii():
        return text
    others = {sign for sign in set(text) if sign.isdecimal() and sign not in _ASCII_DIGITS}
    table = {ord(sign): str(unicodedata.decimal(sign)) for sign in others}
    return text.translate(table) if table else text


def _unescaped(text: str) -> tuple[str, Sequence[int]]:
    """The text with one character for each escape, and where in ``text`` each of them begins, and
    the last one ends.
    """
    parts, places, at = [], array("L"), 0
    for escape in _ESCAPE.finditer(text):
        parts += [text[at : escape.start()], _character(escape)]
        places.extend(range(at, escape.start() + 1))
        at = escape.end()
    places.extend(range(at, len(text) + 1))
    return "".join([*parts, text[at:]]), places


def _character(escape: re.Match[str]) -> str:
    if octets := escape["octets"]:
        digits = re.sub("%(?:25)*", "", octets)
        return bytes.fromhex(digits).decode("utf-8", "replace")[:1]
    if entity := escape["entity"]:
        found = html.unescape(f"&{entity};")
        return found if len(found) == 1 else " "
    code = escape["long"] or escape["braced"] or escape["short"] or escape["octet"]
    return chr(min(int(code, 16), sys.maxunicode)) if code else " "


def _united(spans: Iterable[_Span]) -> list[_Span]:
    """The spans in their order, those that overlap as one."""
    found: list[_Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _digits_of(text: str) -> str:
    if "%" in text or "&" in text or "\\" in text:
        text = _unescaped(text)[0]
    digits = "".join(filter(str.isdecimal, text))
    return (
        digits if digits.isascii() else "".join(str(unicodedata.digit(digit)) for digit in digits)
    )  # of any script


def _is_id(key: str) -> bool:
    return bool(_ID_KEY.fullmatch(key)) and not _NUMBER_KEY.fullmatch(key)


def mask_number(number: str, dot: str = DOT) -> str:
    """One number with its middle gone; its separators go too. Shorter numbers lose more of their
    head.

    As many characters as digits: a masked SIP body keeps the length its Content-Length states.
    """
    prefix = "+" if number.startswith("+") else number[:3] if number[:3].lower() == "%2b" else ""
    digits = _digits_of(number[len(prefix) :])
    head = 4 if len(digits) >= 11 else 3 if len(digits) >= 10 else 1
    return f"{prefix}{digits[:head]}{dot * (len(digits) - head - 4)}{digits[-4:]}"


#: The masker of this process, which knows the numbers of every deployment that was read.
_OWN = Masker()


def remember(numbers: Iterable[str]) -> None:
    """Mask these numbers (E.164) from now on, in every form, wherever this process masks."""
    _OWN.remember(numbers)


def mask_text(text: str, dot: str = DOT) -> str:
    """``text`` (prose, a SIP message, a log) with every number and digest answer masked."""
    return _OWN.text(text, dot)


def fill_text(text: str) -> str:
    """``text`` with a zero for each masked digit: numbers that were equal stay equal, and read as
    numbers again.
    """
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
    return _OWN.text(name, dot="x")


def mask_plain(value: Any) -> Any:
    """JSON-ready data, which is one message, with every string in it masked, keys included; figures
    (times, ports) stay.
    """
    return _OWN.plain(value)


def mask_fields(data: T) -> T:
    """A dataclass with every string in it masked, also in the dataclasses it holds; figures and
    words of enumerations stay.
    """
    whole: Any = data
    given = [one.name for one in fields(whole) if one.init]
    masked: T = replace(whole, **{name: _mask_field(getattr(whole, name)) for name in given})
    return masked


def _mask_field(value: Any) -> Any:
    if isinstance(value, Enum):
        return value
    if is_dataclass(value):
        return mask_fields(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_mask_field, value))
    return mask_plain(value) if isinstance(value, (str, Mapping)) else value
