"""What is said where no reliable provisional response was acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.checks import signalling
from harness.sip.message import Message


@pytest.mark.parametrize(
    ("provisional", "reliable", "instead", "words"),
    [
        ([180, 183], [183], None, "183 with RSeq, and 200 to the PRACK"),
        ([183], [183], "it never came", "183 with RSeq, and no 200 to the PRACK: it never came"),
        # the INVITE requires it: RFC 3262 section 3 has the UAS send all but 100 reliably then
        ([180, 183], [], "it never came", "180, 183 without Require: 100rel and RSeq, so that there was"),
        ([], [], "the call has ended with 420 Bad Extension", "no provisional response: the call has ended with 420"),
    ],
)
def test_what_came(provisional: Sequence[int], reliable: Sequence[int], instead: str | None, words: str) -> None:
    assert signalling.acknowledged("caller.1", provisional, reliable, instead).actual.startswith(words)


@pytest.mark.parametrize(
    ("headers", "reliable"),
    [
        ("Require: 100rel\r\nRSeq: 1\r\n", True),
        ("require: timer, 100Rel\r\nRSEQ: 1\r\n", True),
        ("RSeq: 1\r\n", False),
        ("Supported: 100rel\r\nRSeq: 1\r\n", False),
        ("Require: 100rel\r\n", False),
        ("", False),
    ],
)
def test_it_takes_both_headers(headers: str, reliable: bool) -> None:
    assert signalling.is_reliable(Message.parse(f"SIP/2.0 183 Session Progress\r\n{headers}\r\n")) is reliable
