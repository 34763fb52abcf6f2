"""What networks may dial when they are given the user part of a target."""

from __future__ import annotations

import phonenumbers
import pytest

from harness.sip.dialled import (
    Dialled,
    _emergency_numbers,
    dialled,
    is_emergency,
    numbers_dialled,
)


@pytest.mark.parametrize(
    ("user", "keys"),
    [
        ("911", "911"),
        ("9-1-1", "911"),
        ("(911)", "911"),
        ("9.1.1", "911"),
        ("9_1~1!", "911"),
        ("'911'", "911"),
        ("%39%31%31", "911"),
        ("+1-900-555-1234", "+19005551234"),
        ("(+1)9005551234", "+19005551234"),
        ("*31911", "*31911"),
        ("#31#911", "#31#911"),
        ("1001", "1001"),
    ],
)
def test_separators_and_escapes_dial_nothing(user: str, keys: str) -> None:
    assert dialled(user) == Dialled(keys)


@pytest.mark.parametrize(
    "user",
    ["", "-", "+", "1+1", "9+112", "9+112x1", "911,,1", "911;phone-context=us", "5551212;rn=+19005551234", "911&", "911/1", "911?x=1",
     "911=1", "$911", "911%20", "911@x", "%2539%2531%2531", "٩١１", "９１１", "९११", "①①②", "91\u200b1", "911\0", "911\n",
     "%ff911", "1" * 129],
)  # fmt: skip
def test_unreadable_users_have_no_reading(user: str) -> None:
    assert dialled(user) is None


@pytest.mark.parametrize(
    "user",
    ["maria", "agent-7", "test-agent-1", "ben.smith", "o'neil", "u3", "24h", "3cx-agent", "müller", "m%C3%BCller", "станция-7"],
)  # fmt: skip
def test_names_dial_nothing(user: str) -> None:
    assert dialled(user) == Dialled(is_name=True)


@pytest.mark.parametrize(
    "user",
    ["w911", "pp911", "911p1", "T9-1-1w5", "9w911", "9%77911", "0p999", "9*w911", "9-w-911", "A911", "%41911", "9A911",
     "1900p5551234", "9w19005551234", "9p01149900123456"],
)  # fmt: skip
def test_keys_with_pauses_cannot_be_read(user: str) -> None:
    """The digits after the pause may be dialled too, for example after an outside line."""
    assert dialled(user) is None


@pytest.mark.parametrize("user", ["911x1", "911-police", "9-1-1x"])
def test_digits_in_front_of_letters_are_read(user: str) -> None:
    assert dialled(user) == Dialled("911", is_name=True)


@pytest.mark.parametrize(
    "keys",
    ["911", "112", "999", "000", "110", "119", "118", "15", "17", "18", "100", "111", "190", "9911", "0112", "00112",
     "9000", "90110", "99112", "*31911", "*67112", "#31#110", "*31*119", "*911", "112#", "1911", "8112", "49112",
     "0049112", "01149112", "01144999", "90049110", "+112", "+49112", "06112"],
)  # fmt: skip
def test_emergency_numbers_of_any_region_are_known_behind_prefixes(keys: str) -> None:
    assert is_emergency(keys)


@pytest.mark.parametrize(
    "keys", ["", "0", "9", "12", "1001", "2000", "4711", "7001", "70014001", "22000", "*72", "#31#", "13125550100", "3125550100",
     "+13125550100"]
)  # fmt: skip
def test_extensions_and_numbers_are_no_emergency_numbers(keys: str) -> None:
    assert not is_emergency(keys)


@pytest.mark.parametrize("keys", ["13125550100", "+13125550100", "+442079460000"])
def test_a_long_number_is_checked_without_the_data_of_every_region(keys: str) -> None:
    _emergency_numbers.cache_clear()
    is_emergency(keys)
    assert not _emergency_numbers.cache_info().misses


@pytest.mark.parametrize(
    ("keys", "region", "number"),
    [
        ("19005551234", "US", "+19005551234"),
        ("9005551234", "US", "+19005551234"),
        ("919005551234", "US", "+19005551234"),
        ("01119005551234", "DE", "+19005551234"),
        ("9011449091234567", "US", "+449091234567"),
        ("0019005551234", "DE", "+19005551234"),
        ("*3119005551234", "US", "+19005551234"),
        ("*67" + "9005551234", "US", "+19005551234"),
        ("09001234567", "DE", "+499001234567"),
    ],
)
def test_a_number_is_read_behind_prefixes(keys: str, region: str, number: str) -> None:
    e164 = phonenumbers.PhoneNumberFormat.E164
    assert number in [
        phonenumbers.format_number(found, e164) for found in numbers_dialled(keys, region)
    ]


@pytest.mark.parametrize("keys", ["1001", "7001", "2000", "70014001"])
@pytest.mark.parametrize("region", ["US", "GB", "DE"])
def test_an_extension_is_no_number(keys: str, region: str) -> None:
    assert list(numbers_dialled(keys, region)) == []
