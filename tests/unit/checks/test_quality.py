"""Loss, delay, and the trunk a call came over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calls.checks import quality, signalling
from harness.calls.verdict import Verdict
from tests.unit.checks.calls import counted


def test_loss_is_a_share_of_what_was_sent() -> None:
    few = quality.loss("caller.1", counted(190, 10))
    many = quality.loss("caller.1", counted(189, 11))
    assert few is not None
    assert many is not None
    assert few.verdict is Verdict.PASSED
    assert many.verdict is Verdict.FAILED
    assert many.actual == "11 of 200 were (5.5%)"
    assert many.facts["share"] == 11 / 200


@pytest.mark.parametrize(("received", "lost"), [(0, 0), (1, 1), (30, 5), (44, 5)])
def test_of_few_packets_a_few_lost_say_nothing(received: int, lost: int) -> None:
    assert quality.loss("caller.1", counted(received, lost)) is None


@pytest.mark.parametrize(("received", "lost"), [(0, 5), (20, 10), (35, 12)])
def test_of_few_packets_very_many_lost_are_no_chance(received: int, lost: int) -> None:
    found = quality.loss("caller.1", counted(received, lost))
    assert found is not None
    assert found.verdict is Verdict.FAILED


def test_fifty_packets_are_judged() -> None:
    assert quality.loss("caller.1", counted(48, 2)) is not None


@given(st.lists(st.floats(200.0, 999.0), max_size=8), st.integers(1000, 60_000))
def test_a_voice_that_is_broken_up_has_lost_what_it_was_silent_for(pauses: list[float], flowed_ms: int) -> None:
    """By the same limit as packets that are missing; one pause alone is a moment's."""
    even = replace(counted(flowed_ms // 20, 0), rx_spanned_ms=flowed_ms, rx_filled_ms=flowed_ms)
    found = quality.loss("caller.1", even, pauses)
    missing = sum(pauses) / (flowed_ms + sum(pauses))
    limit = quality.MOST_LOST if len(pauses) > 1 else 1 - quality.LEAST_FILLED
    assert found is not None
    assert found.verdict is (Verdict.FAILED if missing > limit else Verdict.PASSED)
    caught_up = replace(even, rx_filled_ms=flowed_ms + int(sum(pauses)))  # late, and sent all the same
    held = quality.loss("caller.1", caught_up, pauses)
    assert held is not None
    assert held.verdict is Verdict.PASSED


@given(st.integers(20, 60_000), st.integers(0, 150))
def test_a_stream_is_thin_where_a_second_of_it_or_more_lacks_a_quarter(spanned_ms: int, percent: int) -> None:
    """Of less than a second nothing is said: the first and the last packet of a stream may lie a moment apart by chance."""
    filled_ms = spanned_ms * percent // 100
    found = quality.loss("caller.1", replace(counted(100, 0), rx_spanned_ms=spanned_ms, rx_filled_ms=filled_ms))
    assert found is not None
    is_thin = spanned_ms >= 1000 and filled_ms < 0.75 * spanned_ms
    assert found.verdict is (Verdict.FAILED if is_thin else Verdict.PASSED)


def test_a_packet_that_came_twice_was_sent_once() -> None:
    """As on bonded lines (RFC 7198), where the second copy would halve the share of what is lost: 90 of 990, not of 1890."""
    found = quality.loss("caller.1", replace(counted(1800, 90), rx_duplicated=900))
    assert found is not None
    assert found.verdict is Verdict.FAILED
    assert found.actual == "90 of 990 were (9.1%)"
    assert quality.is_open(replace(counted(120, 9), rx_duplicated=60))


def test_of_a_thin_stream_that_lost_packets_too_no_gap_is_denied() -> None:
    """What was lost counts as sent."""
    thin = replace(counted(100, 0), rx_spanned_ms=4000, rx_filled_ms=2000)
    for stream, said in (
        (thin, "with no gap in its sequence numbers"),
        (replace(thin, rx_lost=3), "with 3 lost packets in it"),
    ):
        found = quality.loss("caller.1", stream)
        assert found is not None
        assert found.actual.startswith(f"of 4.0 s it filled 2.0 s (50%), {said}: its source sends too few packets")


def test_delay_is_judged_by_the_shorter_of_two_looks() -> None:
    assert quality.delay("a", "b", 600.0).verdict is Verdict.PASSED
    assert quality.delay("a", "b", 601.0).verdict is Verdict.FAILED
    again = quality.delay("a", "b", 900.0, 130.0)
    assert again.verdict is Verdict.PASSED
    assert again.actual == "it took 900 ms, and 130 ms when tried again"
    assert quality.delay("a", "b", 900.0, 880.0).verdict is Verdict.FAILED


TRUNKS = {"one": "198.51.100.1", "two": "198.51.100.2"}


def test_the_trunk_is_known_by_the_address_it_calls_from() -> None:
    right = signalling.trunk("assistant main", "one", TRUNKS, "198.51.100.1:41000")
    wrong = signalling.trunk("assistant main", "one", TRUNKS, "198.51.100.2:41000", "m3")
    assert right is not None
    assert wrong is not None
    assert right.verdict is Verdict.PASSED
    assert wrong.verdict is Verdict.FAILED
    assert wrong.facts == {"trunk": "two", "wanted": "one"}
    assert wrong.evidence == ("m3",)


def test_addresses_that_tell_no_trunks_apart_are_no_finding() -> None:
    assert signalling.trunk("ai", "one", TRUNKS, "203.0.113.9:5060") is None
    assert signalling.trunk("ai", "one", TRUNKS, None) is None
    assert signalling.trunk("ai", "one", dict.fromkeys(TRUNKS, "198.51.100.1"), "198.51.100.1:5060") is None
    assert signalling.trunk("ai", "one", {"one": None, "two": None}, "198.51.100.1:5060") is None


@pytest.mark.parametrize(
    ("received", "lost", "is_open"),
    [(30, 0, False), (98, 0, False), (0, 1, True), (10, 1, True), (98, 1, True), (99, 1, False)],
)
def test_a_packet_missing_of_few_leaves_it_open(received: int, lost: int, is_open: bool) -> None:
    assert quality.is_open(counted(received, lost)) is is_open
