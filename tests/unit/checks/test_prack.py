"""What is said where no reliable provisional response was acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.checks import signalling


@pytest.mark.parametrize(
    ("provisional", "reliable", "instead", "words"),
    [
        ([180, 183], [183], None, "183 with RSeq, and 200 to the PRACK"),
        ([183], [183], "it never came", "183 with RSeq, and no 200 to the PRACK: it never came"),
        # the INVITE requires it: RFC 3262 section 3 has the UAS send all but 100 reliably then
        ([180, 183], [], "it never came", "180, 183 without RSeq, so that there was nothing to acknowledge"),
        ([], [], "the call has ended with 420 Bad Extension", "no provisional response: the call has ended with 420"),
    ],
)
def test_what_came(provisional: Sequence[int], reliable: Sequence[int], instead: str | None, words: str) -> None:
    assert signalling.acknowledged("caller.1", provisional, reliable, instead).actual.startswith(words)
