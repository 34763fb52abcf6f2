"""Numbers that a campaign's request names by itself: the safety rules would not know whom it calls."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from html import unescape
from urllib.parse import unquote, urlsplit

import phonenumbers

from harness.deployment.tables import Tables
from harness.deployment.tariffs import dear
from harness.sip.dialled import is_emergency, readings
from harness.support.toml_model import Mistake

#: Digits in a text that may be a number, with at most two separators between two of them; those of
#: a UUID have letters beside them.
_WRITTEN = re.compile(
    r"(?<![A-Za-z0-9])(?<![A-Za-z0-9]-)\+?[0-9](?:[-.()\s]{0,2}[0-9])*(?!-?[A-Za-z0-9])"
)
#: A digit or a service code that would make another number of the one that is put in place.
_PLACE = r"\{(?:line|customer)\}"
_BESIDE_A_PLACE = re.compile(rf"[0-9+*#]{_PLACE}|{_PLACE}(?:[0-9*#]|{_PLACE})")
#: Fewer digits behind a plus belong to no country; numbers of fewer digits are no plan's, or counts.
_LEAST_BEHIND_PLUS, _LEAST_UNKNOWN = 7, 9
#: More than fifteen (ITU-T E.164) and any prefix.
_MOST_DIGITS = 40
#: Codes of fewer digits are mostly counts and hours, unless they are the whole of a value.
_LEAST_CODE = 3
#: A request with more of them is refused, so that no file takes minutes.
_MOST_WRITTEN = 1000
_JSON_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_JSON_BLANK = re.compile(r"\\[bfnrt]")
#: A number of JSON with an exponent (RFC 8259 section 6): 9.11e2 is 911.
_EXPONENT = re.compile(r"(?<![A-Za-z0-9.])[0-9]+(?:\.[0-9]+)?[eE]\+?[0-9]{1,2}(?![A-Za-z0-9.])")
#: Headers that lead a request elsewhere, or change where it ends (RFC 9110, RFC 9112).
_NOT_OF_A_FILE = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def numbers_in_trigger(deployment: Tables) -> Iterator[Mistake]:
    """Each number beside ``{line}`` and ``{customer}`` in the request that starts a campaign."""
    campaign = deployment.campaign
    if campaign is None:
        return
    url = urlsplit(campaign.url or "")
    sent = [
        (key, text.replace("{campaign}", one))
        for key, text in (("url", f"{url.path}?{url.query}"), ("body", campaign.body))
        for one in campaign.ids.values() or ("",)
    ]
    for name, value in campaign.headers.items():
        digits = re.sub(r"[A-Za-z-]+", " ", name)
        sent.append((f"headers.{name}", f"{digits} {value}"))
        if name.lower() in _NOT_OF_A_FILE:
            yield ("campaign", f"headers.{name}"), "is the harness's own; allowed: other headers"
    for key, text in dict.fromkeys(sent):
        if number := number_in_text(text, deployment.region):
            what = f"{number!r} may be a number to call"
            yield ("campaign", key), f"{what}; allowed: {{customer}} and {{line}}, and no other"


def number_in_text(text: str, region: str) -> str | None:
    """The first number, as read in ``region``, that a request's text names, or makes of those put
    in place.

    Percent-encoding, HTML entities, JSON's escapes and other scripts' digits are undone.
    """
    plain = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    plain = unescape(unquote(unquote(_JSON_BLANK.sub(" ", plain))))
    plain = _EXPONENT.sub(lambda found: f"{Decimal(found[0]):f}", plain)
    plain = "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in plain)
    if made := _BESIDE_A_PLACE.search(plain):
        return made[0]
    for count, found in enumerate(_WRITTEN.finditer(plain)):
        before, behind = plain[: found.start()][-1:], plain[found.end() :][:1]
        is_value = before in "\"'=>" and behind in "\"'&<"
        if count == _MOST_WRITTEN or _may_be_called(found[0], region, is_value):
            return found[0]
    return None


def _may_be_called(written: str, region: str, is_value: bool) -> bool:
    digits = re.sub(r"\D", "", written)
    if len(digits) > _MOST_DIGITS:
        return False
    if written.startswith("+") and len(digits) >= _LEAST_BEHIND_PLUS:
        return True
    if (is_value or len(digits) >= _LEAST_CODE) and is_emergency(digits):
        return True
    numbers = list(readings(digits, region))
    if any(map(phonenumbers.is_valid_number, numbers)):
        return True
    return len(digits) >= _LEAST_UNKNOWN and any(map(dear, numbers))
