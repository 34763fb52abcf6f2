"""Evidence on disk holds a strength as its number, so that none may become another's."""

from __future__ import annotations

from harness.calls.verdict import Strength


def test_strengths_keep_their_numbers() -> None:
    assert {strength.name: int(strength) for strength in Strength} == {
        "UNKNOWN": 0,
        "INDICATED": 1,
        "CONFIRMED": 2,
        "PROVED": 3,
    }
