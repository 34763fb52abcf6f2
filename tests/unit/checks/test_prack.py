"""Which provisional responses are sent reliably, and what is said where none was, or not each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.calls.checks import provisional
from harness.calls.verdict import Verdict
from tests.unit.checks.session_messages import answer, invite

RELIABLY = ("Require: 100rel", "RSeq: 1")
OTHERS = "without Require: 100rel and RSeq"


@pytest.mark.parametrize(
    ("came", "instead", "words"),
    [
        (["183"], "it never came", "183 with RSeq, and no 200 to the PRACK: it never came"),
        (["100", "183"], None, "183 with RSeq, and 200 to the PRACK"),
        (["183", "180"], None, "183, 180 with RSeq, and 200 to the PRACK"),
        ([], "the call has ended with 420 Bad Extension", "no provisional response: the call has ended with 420"),
    ],
)
def test_what_came(came: Sequence[str], instead: str | None, words: str) -> None:
    messages = [invite("Require: 100rel"), *(answer(f"{code} x", *RELIABLY * (code != "100")) for code in came)]
    found = provisional.acknowledged("caller.1", messages, instead)
    assert found.actual.startswith(words)
    assert found.verdict is (Verdict.FAILED if instead else Verdict.PASSED)


@pytest.mark.parametrize(
    ("header", "verdict", "words"),
    [
        ("Require: 100rel", Verdict.FAILED, f"183 with RSeq, and 200 to the PRACK; and 180 {OTHERS}"),
        ("Supported: 100rel", Verdict.PASSED, "183 with RSeq, and 200 to the PRACK"),
    ],
)
@pytest.mark.parametrize("first", ["180", "183"])
def test_where_the_invite_requires_it_every_one_is_sent_reliably(
    header: str, verdict: Verdict, words: str, first: str
) -> None:
    """RFC 3262 section 3: a UAS sends all but 100 so then, or refuses the INVITE with 420."""
    came = sorted([answer("180 Ringing"), answer("183 Progress", *RELIABLY)], key=lambda m: first not in m.text)
    found = provisional.acknowledged("caller.1", [invite(header), answer("100 Trying"), *came])
    assert (found.verdict, found.actual) == (verdict, words)


@pytest.mark.parametrize(
    ("headers", "reliable"),
    [
        (("Require: 100rel", "RSeq: 1"), True),
        (("require: timer, 100Rel", "RSEQ: 1"), True),
        (("RSeq: 1",), False),
        (("Supported: 100rel", "RSeq: 1"), False),
        (("Require: 100rel",), False),
        ((), False),
    ],
)
def test_it_takes_both_headers(headers: Sequence[str], reliable: bool) -> None:
    found = provisional.acknowledged("caller.1", [invite("Require: 100rel"), answer("183 Progress", *headers)])
    assert found.verdict is (Verdict.PASSED if reliable else Verdict.FAILED)
    assert reliable or found.actual == f"183 {OTHERS}, so that there was nothing to acknowledge"
