"""The far end's counters of our stream (RTCP): a sign that it hears, what speaks against it, and how long they are waited for."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from harness.scenario.signs import Look
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.sign_cases import HELLO, Caller, Case
from tests.unit.scenario.sign_cases import experiments as experiments  # each is made at once


@pytest.mark.parametrize(
    ("counts", "by_ai"),
    [
        ((200, 198), ("RTCP", "")),
        ((200, 110), ("RTCP", "")),
        ((200, 90), ("", "RTCP")),
        ((200, 1), ("", "RTCP")),
        ((200, 0), ("", "RTCP")),
        ((20, 5), ("RTCP", "")),
        ((20, 0), ("", "")),
        (None, ("", "")),
    ],
)
def test_counters(make_context: MakeContext, counts: tuple[int, int] | None, by_ai: tuple[str, str]) -> None:
    caller = Caller(counts=counts)
    case = Case(make_context, caller, "", strength="indicated", transcript="none").settle()
    assert caller.did == ["waits for RTCP"]
    assert case.heard_by_ai == by_ai


def test_a_report_has_its_time_from_when_it_can_tell_of_what_is_asked(make_context: MakeContext) -> None:
    """Of what comes 0.36 s after a change, say; 7.5 s may lie between two reports (RFC 3550 section 6.3.1)."""
    caller = Caller()
    case = Case(make_context, caller, "", strength="indicated", transcript="none")
    later = time.monotonic() + 2.0
    look = Look(case.context, case.look._talk, cast("Any", caller), later)
    look.begin()
    case.context.evidence.starved = lambda begin, end: 3.0
    look.settle()
    assert [since for since, _ in caller.waited] == [later, later]
    ends = [until - later for _, until in caller.waited]
    assert ends == pytest.approx([8.5, 11.5], abs=1.0), "and as long as this machine was busy"


def test_a_platforms_own_counters_say_nothing_for_it_and_all_against_it(make_context: MakeContext) -> None:
    caller = Caller(counts=(200, 200))
    case = Case(make_context, caller, "", strength="indicated", transcript="none", rtcp="by-hop").settle()
    assert case.heard_by_ai == ("HOP_RTCP", "")
    caller.counts = (200, 0)
    assert case.heard_by_ai == ("", "RTCP")


def test_both_are_shown_where_two_disagree(make_context: MakeContext) -> None:
    caller = Caller(counts=(200, 0))
    case = Case(make_context, caller, f"bot: Hi.\n{HELLO}", strength="confirmed", transcript="after").settle()
    assert case.heard_by_ai == ("WORDS", "RTCP")
