"""The reason phrases are those of the IANA registry, each at its code."""

from __future__ import annotations

import pytest

from harness.sip.message import REASONS

#: RFC 3261 section 21, and the codes that later RFCs have registered.
REGISTERED = (
    "100 180-183 199 200 202 204 300-302 305 380 400-408 410 412-416 420-423 428-430 433 436-440 469 470 480-489 491 493 494 "
    "500-505 513 555 580 600 603 604 606 607 608"
)


def codes(ranges: str) -> set[int]:
    found: set[int] = set()
    for part in ranges.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_code_is_a_registered_one() -> None:
    assert set(REASONS) == codes(REGISTERED)


@pytest.mark.parametrize(
    ("code", "phrase"),
    [
        (183, "Session Progress"),
        (416, "Unsupported URI Scheme"),
        (469, "Bad Info Package"),
        (603, "Decline"),
    ],
)
def test_a_code_has_its_phrase(code: int, phrase: str) -> None:
    assert REASONS[code] == phrase
