"""How far a number fits a pattern of a numbering plan."""

from __future__ import annotations

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from harness.deployment.leading_digits import shared_digits

KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip


def patterns() -> list[str]:
    """All that the library has."""
    plans = [PhoneMetadata.metadata_for_region(region) for region in phonenumbers.SUPPORTED_REGIONS]
    codes = phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
    plans += [PhoneMetadata.metadata_for_nongeo_region(code) for code in codes]
    kinds = [getattr(plan, kind) for plan in plans for kind in KINDS]
    return sorted({kind.national_number_pattern for kind in kinds if kind} - {None})


ALL = patterns()


def test_every_pattern_of_the_library_is_read() -> None:
    assert len(ALL) > 900
    assert all(shared_digits(pattern, "0") <= 1 for pattern in ALL)


@pytest.mark.parametrize(
    ("pattern", "digits", "shared"),
    [
        (r"900[2-9]\d{6}", "9005551234", 10),
        (r"900[2-9]\d{6}", "9001551234", 3),
        (r"900[2-9]\d{6}", "90055512345678", 10),
        (r"900[2-9]\d{6}", "81", 0),
        (r"1481[25-9]\d{5}", "1481100199", 4),
        (r"76(?:464|652)\d{5}|76(?:0[0-28]|2[356])\d{6}", "761", 2),
        (r"(?:16|7[56])24", "7624", 4),
        (r"(?:16|7[56])24", "7524", 4),
        (r"1(?:3(?:00\d(?:\d(?:\d{3})?)?|[28]\d))", "13001", 5),
        (r"8?9{2,4}1", "999991", 4),
        ("", "1", 0),
    ],
)
def test_leading_digits_are_counted(pattern: str, digits: str, shared: int) -> None:
    assert shared_digits(pattern, digits) == shared


@given(st.data(), st.sampled_from(ALL))
def test_a_number_of_the_plan_is_shared_whole_and_a_longer_one_as_far(
    data: st.DataObject, pattern: str
) -> None:
    number = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    assert shared_digits(pattern, number) == len(number)
    assert shared_digits(pattern, number[:-1]) == len(number) - 1
    assert shared_digits(pattern, number + "0") >= len(number)
