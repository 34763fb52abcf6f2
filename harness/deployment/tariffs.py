"""Whose a number is and what it costs, by phonenumbers' numbering plans.

A number that no plan has is judged by how it begins: networks bill by leading digits, and know
exchanges that the library does not.
"""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberType, shortnumberinfo

from harness.deployment.leading_digits import shared_digits

#: Kinds of number whose caller pays more than for an ordinary call, by their names in the plans.
_DEAR = {
    "premium_rate": (PhoneNumberType.PREMIUM_RATE, "a premium-rate number"),
    "shared_cost": (PhoneNumberType.SHARED_COST, "a shared-cost number"),
    "personal_number": (
        PhoneNumberType.PERSONAL_NUMBER,
        "a personal number, which is charged like a premium-rate one",
    ),
    "pager": (PhoneNumberType.PAGER, "a pager's number"),
}
_PLAIN = ("fixed_line", "mobile", "toll_free", "voip", "uan", "voicemail")
#: Fewer leading digits are common to numbers of every kind.
_LEAST_ALIKE = 2
#: Premium exchange of every North American area code, which phonenumbers' data does not list.
_NANP, _PREMIUM_EXCHANGE = 1, "976"


def dear(number: PhoneNumber) -> str | None:
    """Why a call to the number may cost more than others, as the end of a sentence."""
    if words := dict(_DEAR.values()).get(phonenumbers.number_type(number)):
        return f"is {words}"
    digits = phonenumbers.national_significant_number(number)
    if number.country_code == _NANP and digits[3:6] == _PREMIUM_EXCHANGE:
        return "is a premium-rate number"
    if phonenumbers.is_valid_number(number):
        return None
    if shortnumberinfo.is_valid_short_number(number):
        return "is a short code behind its country's code"
    begins = {kind for _, kind in _alike(number.country_code, digits)}
    return next(
        (f"begins with {words}" for name, (_, words) in _DEAR.items() if name in begins), None
    )


def regions_alike(number: PhoneNumber) -> frozenset[str]:
    """The regions whose numbers begin as this one does, which no plan has; empty when none do."""
    digits = phonenumbers.national_significant_number(number)
    return frozenset(region for region, _ in _alike(number.country_code, digits))


@lru_cache(maxsize=4096)
def _alike(code: int, digits: str) -> frozenset[tuple[str, str]]:
    """Region and kind of the numbers that share the most leading digits with ``digits``."""
    shared: dict[tuple[str, str], int] = {}
    for region in phonenumbers.region_codes_for_country_code(code):
        plan = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
        begin = plan and plan.leading_digits
        if plan is None or (begin and not re.match(begin, digits)):
            continue  # most regions of North America
        for kind in (*_DEAR, *_PLAIN):
            of_kind = getattr(plan, kind)
            if pattern := of_kind and of_kind.national_number_pattern:
                shared[region, kind] = shared_digits(pattern, digits)
    most = max(shared.values(), default=0)
    if most < _LEAST_ALIKE:
        return frozenset()
    return frozenset(alike for alike, count in shared.items() if count == most)
