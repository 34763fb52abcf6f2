"""Who a message says is calling (RFC 3261 8.1.1.3, RFC 3325, Synthflow's X-EI), and the ways to
write a number (RFC 3966).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import phonenumbers

from harness.sip.grammar import Params, SipSyntaxError, split_list
from harness.sip.headers import key
from harness.sip.message import Message
from harness.sip.uri import NameAddr, Uri

_SEPARATORS = re.compile(r"[-.() ]")
_DIGITS = re.compile(r"\+?[0-9]+\Z")
_MOST_DIGITS = 40  # more than ITU-T E.164's fifteen and any prefix


@dataclass(frozen=True, slots=True)
class Identity:
    """One calling party as one header writes it."""

    uri: Uri
    user: str
    """The user part, visual separators and parameters removed; empty when there is none."""
    number: str | None
    """The E.164 number it means, with +; None when it means none."""


def without_separators(number: str) -> str:
    """A number without its visual separators, which mean nothing (RFC 3966 section 5.1.1)."""
    return _SEPARATORS.sub("", number)


def is_number(address: str) -> bool:
    """Whether an address of a deployment is a number (E.164 with +), and not a SIP user or an
    extension.
    """
    return address.startswith("+")


def known_spellings(addresses: Iterable[str]) -> dict[str, str]:
    """The numbers among these by their digits, as ITU-T E.164 has them without a plus and behind
    00; users by themselves.
    """
    found: dict[str, str] = {}
    for address in addresses:
        if is_number(address):
            found |= {prefix + address.removeprefix("+"): address for prefix in ("", "00")}
        else:
            found[address] = address
    return found


def is_address(user: str, address: str, region: str) -> bool:
    """Whether ``user`` is a way to write the number that ``address`` is, else that user itself (RFC
    3261 section 19.1.4).
    """
    return is_spelling(user, address, region) if is_number(address) else user == address


def normalise(number: str, region: str) -> str | None:
    """``number`` as E.164 with +, the likelier of its :func:`readings`; None when it is none."""
    return next(iter(readings(number, region)), None)


def readings(number: str, region: str) -> tuple[str, ...]:
    """The E.164 numbers that ``number`` may mean where it is dialled in ``region`` (ISO 3166, e.g.
    ``US``), the likelier first. Empty when it is no number.

    Takes visual separators, ``+``, the region's international prefix, its national form with or
    without trunk prefix, and a country code without ``+``. Digits that may be either of the last
    two are what the numbering plans have: 4930123456 is no number of North America. Where they have
    neither, it is the national form. Zeros alone are no number.
    """
    plain = without_separators(number.strip())
    if not _DIGITS.match(plain) or len(plain) > _MOST_DIGITS or not plain.strip("+0"):
        return ()
    return _readings(plain, region)


@lru_cache(maxsize=4096)  # a run has the same few again and again
def _readings(plain: str, region: str) -> tuple[str, ...]:
    written = (plain,) if plain.startswith("+") else (plain, "+" + plain)
    meanings = [meaning for text in written if (meaning := _parsed(text, region)) is not None]
    assigned = list(filter(phonenumbers.is_valid_number, meanings)) or meanings[:1]
    found = tuple(dict.fromkeys(map(_e164, assigned)))
    # Few people leave a national number's trunk prefix out, so the digits begin with a country code.
    if len(found) > 1 and dialled_at_home(found[0]) != plain:
        return found[::-1]
    return found


def is_spelling(user: str, number: str, region: str) -> bool:
    """Whether ``user`` is a way to write ``number`` (E.164 with +) in ``region``, visual separators
    aside.

    With its plus, without, or with an international prefix; national, with or without trunk prefix,
    where it is of the region.
    """
    plain = without_separators(user.strip())
    if not _DIGITS.match(plain):
        return False
    if plain in (
        number,
        number[1:],
        "00" + number[1:],
    ):  # ITU-T E.164 recommends 00 as international prefix
        return True
    meaning = _parsed(plain, region)
    return meaning is not None and _e164(meaning) == number


def has_national_form(number: str, region: str) -> bool:
    """Whether ``number`` (E.164 with +) is of the region's country: one of another has to be
    dialled as abroad.
    """
    return bool(_in_e164(number).country_code == phonenumbers.country_code_for_region(region))


def region_of(number: str, otherwise: str) -> str:
    """The region of an E.164 number's country, of several with one numbering plan the first;
    ``otherwise`` where it is no country's.
    """
    found = str(phonenumbers.region_code_for_country_code(_in_e164(number).country_code or 0))
    return found if found.isalpha() and found != "ZZ" else otherwise


def national_forms(number: str) -> frozenset[str]:
    """The digits by which an E.164 number is written in its own country: with and without trunk
    prefix.
    """
    plain = national(number)
    prefix = phonenumbers.ndd_prefix_for_region(region_of(number, ""), True) or ""
    return frozenset({plain, prefix + plain, dialled_at_home(number)})


def dialled_at_home(number: str) -> str:
    """The digits that reach an E.164 number from its own country, as they are mostly written there:
    with trunk prefix, or not.
    """
    reported = phonenumbers.format_number(_in_e164(number), phonenumbers.PhoneNumberFormat.NATIONAL)
    return re.sub(r"\D", "", reported)


def national(number: str) -> str:
    """An E.164 number's national digits."""
    return str(phonenumbers.national_significant_number(_in_e164(number)))


@lru_cache(maxsize=4096)  # the simulated platform asks for the same few with each call
def _in_e164(number: str) -> phonenumbers.PhoneNumber:
    return phonenumbers.parse(number, None)


def digits_of(uri: Uri) -> str:
    """The user part without its parameters; a telephone number's without visual separators, which
    mean nothing.

    RFC 3966 section 5.1.1, and RFC 3261 section 19.1.6 for a SIP URI that says it has one.
    """
    user = (uri.user or "").partition(";")[0]
    is_number = uri.scheme == "tel" or (uri.params.get("user") or "").lower() == "phone"
    return without_separators(user) if is_number else user


def _parsed(plain: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(plain, region)
    except phonenumbers.NumberParseException:
        return None
    # Possible, not valid: 555-01xx and numbers newer than the library's tables are numbers too.
    if (
        phonenumbers.is_possible_number_with_reason(parsed)
        != phonenumbers.ValidationResult.IS_POSSIBLE
    ):
        return None
    return parsed


def _e164(parsed: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def identity_of(address: NameAddr, region: str) -> Identity:
    """Read one address as a calling party."""
    uri = address.uri
    # "5550100;phone-context=+1206" in a SIP user part carries the parameters of a tel URI (RFC 3261
    # 19.1.6).
    user, _, parameters = (uri.user or "").partition(";")
    number = normalise(user, region)
    context = uri.params.get("phone-context") if uri.scheme == "tel" else _context(parameters)
    if context and context.startswith("+") and not user.startswith("+"):
        # RFC 3966 section 5.1.5: a local number is completed by its context.
        number = normalise(context + without_separators(user), region)
    return Identity(uri, without_separators(user), number)


def _context(parameters: str) -> str | None:
    try:
        return Params.parse(parameters).get("phone-context")
    except SipSyntaxError:
        return None


def numbers_shown(
    message: Message, region: str, known: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, ...]:
    """Each number (E.164) that ``message`` shows of its caller, those of the most trusted header
    first.

    Asserted, Remote-Party-ID with party=calling or none said (draft-ietf-sip-privacy-04, still
    widely sent), From. Digits that are ``known`` (:func:`known_spellings`) are those numbers' and
    no national form. A header that cannot be parsed counts as absent. This is the one rule for the
    number that a call shows: the phones assign calls to cases by it, the checks judge by it.
    """
    remote_party = (
        identity_of(address, region)
        for address in _addresses(message, "Remote-Party-ID")
        if (address.params.get("party") or "calling").lower() == "calling"
    )
    source = (identity_of(address, region) for address in _addresses(message, "From"))
    shown = (*asserted(message, region), *remote_party, *source)
    numbers = (known.get(each.user) or each.number for each in shown)
    return tuple(dict.fromkeys(number for number in numbers if number is not None))


def asserted(message: Message, region: str) -> tuple[Identity, ...]:
    """Each P-Asserted-Identity that can be read (RFC 3325 section 9.1 has one, or a SIP and a tel
    URI).
    """
    return tuple(
        identity_of(address, region) for address in _addresses(message, "P-Asserted-Identity")
    )


def _addresses(message: Message, header: str) -> list[NameAddr]:
    found: list[NameAddr] = []
    for line in message.headers:
        if line.key != key(header):
            continue
        with contextlib.suppress(SipSyntaxError):
            values = split_list(line.value)
            for value in values:
                with contextlib.suppress(SipSyntaxError):
                    found.append(NameAddr.parse(value))
    return found


_ELEMENTS = {"S": "call_id", "E": "external_id", "O": "original_caller"}
_PASSED_ON = re.compile(r"X-[A-Za-z0-9\-_]+\Z")
_FORBIDDEN = re.compile(r"[\r\n\x00]")


def x_ei(message: Message) -> dict[str, str]:
    """What ``X-EI: S.<call id>;E.<external id>;O.<original caller>;`` says, in any order, any
    subset; X-Diversion has the caller, too.

    Raises SipSyntaxError for an element that is none of the three, is empty, or stands twice.
    """
    found: dict[str, str] = {}
    for element in filter(None, map(str.strip, (message.get("X-EI") or "").split(";"))):
        letter, _, value = element.partition(".")
        name = _ELEMENTS.get(letter)
        if name is None or not value:
            raise SipSyntaxError(f"not an element of X-EI: {element!r}")
        if name in found:
            raise SipSyntaxError(f"{letter} stands twice in X-EI")
        found[name] = value
    diverted = message.get("X-Diversion")
    if diverted is not None:
        found.setdefault("original_caller", diverted.strip())
    return found


def is_passed_on(name: str, value: str) -> bool:
    """Whether Synthflow hands an ``X-`` header on: a plain name, and no CR, LF or NUL in the value."""
    return bool(_PASSED_ON.match(name)) and not _FORBIDDEN.search(value)
