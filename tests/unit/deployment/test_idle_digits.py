"""Digits that prove DTMF have no other meaning to the AI."""

from __future__ import annotations

import itertools

import pytest

from harness.deployment import Escalation

KEYS = "0123456789*#ABCD"


@pytest.mark.parametrize("digit", KEYS)
def test_none_of_them_asks_for_a_person_ends_the_call_or_asks_for_digits(digit: str) -> None:
    for goodbye, back in itertools.permutations(KEYS.replace(digit, ""), 2):
        idle = Escalation(digit=digit, goodbye_digit=goodbye, digits_back_digit=back, digits_back="159D").idle_digits
        assert not {digit, goodbye, back} & set(idle)
        assert len(set(idle)) == len(idle) == 5
