"""The scene that facts are derived from: the line and the trunk of a case, and the numbers in it."""

from __future__ import annotations

import pytest

from harness.diagnosis.scene import same_number


@pytest.mark.parametrize(
    ("written", "number", "same"),
    [
        ("5550101", "+14155550101", True),
        ("550101", "+14155550101", False),
        ("004155550101", "+4155550101", True),
        ("0114155550101", "+4155550101", True),
        ("00" + "0550101", "+10550101", False),
        ("sip 415-555-0101", "+14155550101", True),
        ("+14155550101", "+14155550101", True),
        ("24155550101", "+14155550101", False),
        ("02079460123", "+442079460123", True),  # with the trunk prefix that most of the world dials
        ("07700 900123", "+447700900123", True),
        ("02079460124", "+442079460123", False),
        ("14155550101", "+442079460123", False),
        ("02079460123", "", False),
    ],
)
def test_seven_digits_of_a_number_are_that_number(written: str, number: str, same: bool) -> None:
    assert same_number(written, number) is same
