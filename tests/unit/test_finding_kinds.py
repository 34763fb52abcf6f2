"""What findings count as, and what a row may ask for."""

from __future__ import annotations

import pytest

from harness import finding_kinds
from harness.case.check_table import CHECKS
from harness.case.checks.finding import judged
from harness.case.measurement import Direction
from harness.case.verdict import Finding
from harness.finding_kinds import (
    AUDIO_TO_AI,
    AUDIO_TO_AI_AGAIN,
    CODEC,
    HEADER,
    HEADER_ABSENT,
    RELEASED,
    FindingKind,
    kinds_of,
)  # fmt: skip

EVERY = {name: kind for name, kind in vars(finding_kinds).items() if isinstance(kind, FindingKind)}


def finding(check: str, measured: Direction | None = None) -> Finding:
    return judged(check, "a → b", True, expected="", actual="", measured=measured)


def test_kinds_tell_listeners_and_repeated_looks_apart() -> None:
    once, again = (
        finding("audio", Direction(towards="ai", again=again)) for again in (False, True)
    )
    assert FindingKind.of(once) == AUDIO_TO_AI
    assert FindingKind.of(again) == AUDIO_TO_AI_AGAIN
    assert FindingKind.of(finding("codec")) == CODEC
    assert AUDIO_TO_AI.count(kinds_of([once, again, again])) == 1


def test_either_of_two_kinds_counts() -> None:
    either = HEADER | HEADER_ABSENT
    assert (
        either.count(kinds_of([finding("header.absent"), finding("header"), finding("codec")])) == 2
    )
    assert (either | RELEASED).each() == (HEADER, HEADER_ABSENT, RELEASED)


@pytest.mark.parametrize(
    "kind", [*EVERY.values(), HEADER | HEADER_ABSENT | AUDIO_TO_AI_AGAIN], ids=str
)
def test_evidence_holds_a_kind_as_text_and_gives_it_back(kind: FindingKind) -> None:
    assert FindingKind.read(str(kind)) == kind


@pytest.mark.parametrize("text", ["", "audio towards ai", "a||b", "header |header.absent"])
def test_another_text_is_no_kind(text: str) -> None:
    with pytest.raises(ValueError, match="is no kind of finding"):
        FindingKind.read(text)


def test_a_kind_is_of_a_check() -> None:
    assert {kind.check for kind in EVERY.values()} <= set(CHECKS)
