"""Which calls of a run a capture shows, by Call-ID, headers, marks and numbers; whose mark passed,
and whose did not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.witness.capture import read_capture
from harness.witness.capture_calls import CaptureMatch, match_capture
from harness.witness.matching import KnownLeg
from tests.unit.witness.made_captures import BEGAN, Timed, hop, pcap

OFFSET = 100.0 - BEGAN  #: the run's clock is at 100 when the captures begin
NUMBERS = frozenset({"155550101", "065550100"})
CALLER = KnownLeg(
    "inbound", "caller.1", "caller", 7, ((101.0, 107.0),), True, frozenset({"a1"}), NUMBERS, 100.0
)
AI = KnownLeg(
    "inbound",
    "stand-in.1",
    "stand-in",
    9,
    ((101.0, 107.0),),
    False,
    frozenset({"z9"}),
    NUMBERS,
    100.2,
)


def matched(
    tmp_path: Path, packets: list[Timed], *legs: KnownLeg, snap: int = 262144
) -> CaptureMatch:
    path = tmp_path / "sbc.pcap"
    path.write_bytes(pcap(sorted(packets, key=lambda packet: packet[0]), snap=snap))
    return match_capture(read_capture(path), legs or (CALLER, AI))


@pytest.mark.parametrize(
    ("packets", "how"),
    [
        (hop("a1"), "Call-ID"),
        (hop("b2", header="X-Talkdesk-Other-Leg-Call-Id: a1"), "header"),
        (hop("b2", dialled="+13125550177"), "mark"),
        (hop("b2", is_told=False), "mark"),
        (hop("b2", to_callee=None, to_caller=None), "numbers"),
    ],
    ids=["Call-ID", "header", "marks", "marks without SIP", "numbers and order"],
)
def test_a_call_is_found_whatever_the_clock_of_the_capture(
    tmp_path: Path, packets: list[Timed], how: str
) -> None:
    legs = (CALLER,) if how == "numbers" else (CALLER, AI)
    found = matched(tmp_path, packets, *legs)
    assert {(one.how, one.leg.case) for one in found.calls} == {(how, "inbound")}
    assert found.offset == pytest.approx(OFFSET, abs=0.5)
    assert found.unmatched == ()


def test_whose_audio_passed_in_which_direction_and_when(tmp_path: Path) -> None:
    found = matched(tmp_path, hop("a1"))
    assert {one.leg.leg: one.voice.stream.source[0] for one in found.heard} == {
        "caller.1": "192.0.2.1",
        "stand-in.1": "192.0.2.2",
    }
    assert [one.voice.began + OFFSET for one in found.heard] == pytest.approx(
        [101.0, 101.0], abs=0.1
    )
    assert found.absent == ()


def test_a_mark_that_was_sent_and_did_not_pass_is_named_with_its_way(tmp_path: Path) -> None:
    (none,) = matched(tmp_path, hop("a1", to_callee=None)).absent
    assert (none.leg.leg, none.way) == ("caller.1", None)
    assert none.seconds == pytest.approx(6, abs=0.3)
    (other,) = matched(tmp_path, hop("a1", to_callee=31)).absent
    assert other.way == (("192.0.2.1", 4000), ("192.0.2.2", 4002))


AT_ITS_PHONE = replace(CALLER, media=frozenset({("192.0.2.1", 4000)}))


def test_a_call_without_its_beginning_is_known_by_the_address_of_its_phone(tmp_path: Path) -> None:
    later = [packet for packet in hop("a1") if packet[0] > BEGAN + 2]
    found = matched(tmp_path, later, AT_ITS_PHONE)
    assert {one.how for one in found.calls} == {"media"}
    assert [one.leg.leg for one in found.heard] == ["caller.1"]
    assert found.offset == pytest.approx(OFFSET, abs=0.5)
    assert found.absent == ()


def test_headers_of_rtp_show_that_it_passed_and_not_what_is_in_it(tmp_path: Path) -> None:
    found = matched(tmp_path, hop("a1"), AT_ITS_PHONE, snap=96)
    assert [(one.is_own, [each.packets for each in one.streams]) for one in found.rtp] == [
        (False, [304]),
        (True, [304]),
    ]
    assert (found.heard, found.absent) == ((), ())


def test_rtp_of_an_unknown_call_is_described(tmp_path: Path) -> None:
    found = matched(tmp_path, hop("a1", to_caller=None), snap=96)
    assert found.unmatched == (
        "RTP from 192.0.2.1:4000 to 192.0.2.2:4002 (304 packets), none back: no SIP, SSRC or address ties it to a call of "
        "this run, and the capture has the headers of its 304 packets, not their sound",
    )


BY_SSRC = replace(CALLER, ssrcs=frozenset({1}), far_ssrcs=frozenset({2}))
BY_FAR_ADDRESS = replace(CALLER, far_media=frozenset({("192.0.2.2", 4002)}))


@pytest.mark.parametrize(("leg", "how"), [(BY_SSRC, "SSRC"), (BY_FAR_ADDRESS, "media")])
def test_rtp_alone_is_of_the_call_with_its_ssrc_or_address(
    tmp_path: Path, leg: KnownLeg, how: str
) -> None:
    found = matched(tmp_path, hop("b2", is_told=False), leg, snap=96)
    assert [(one.how, one.leg.leg) for one in found.calls] == [(how, "caller.1")]
    assert [(one.is_own, [each.ssrc for each in one.streams]) for one in found.rtp] == [
        (False, [2]),
        (True, [1]),
    ]
    assert found.unmatched == ()


def test_rtp_alone_with_the_ssrc_of_two_cases_is_of_neither(tmp_path: Path) -> None:
    other = replace(BY_SSRC, case="outbound")
    found = matched(tmp_path, hop("b2", is_told=False), BY_SSRC, other, snap=96)
    assert found.calls == ()
    (words,) = found.unmatched
    assert words.endswith("its SSRC is that of calls in inbound and outbound")


def test_a_mark_missing_in_rtp_alone_is_named_with_its_way(tmp_path: Path) -> None:
    trunk = hop("", is_told=False, to_callee=31, to_caller=None, ports=6000)
    (none,) = matched(tmp_path, [*hop("a1"), *trunk], BY_SSRC).absent
    assert (none.leg.leg, none.way) == ("caller.1", (("192.0.2.1", 6000), ("192.0.2.2", 6002)))


def test_rtp_towards_a_caller_counts_without_a_mark(tmp_path: Path) -> None:
    passed, lost = (matched(tmp_path, hop("a1", to_caller=mark)).rtp for mark in (31, None))
    assert [(one.leg.leg, [stream.packets for stream in one.streams]) for one in passed] == [
        ("caller.1", [304])
    ]
    assert [(one.leg.leg, one.streams) for one in lost] == [("caller.1", ())]


#: Known by what the AI's record says of the call, not by its Call-ID or numbers.
AT_THE_AI = replace(CALLER, call_ids=frozenset(), numbers=frozenset(), told_ids=frozenset({"x1"}))


def test_a_mark_sets_the_clock_where_the_platform_calls_the_ai_late(tmp_path: Path) -> None:
    """Behind a menu: the INVITE to the AI comes seven seconds after the caller's."""
    caller = replace(AT_THE_AI, sent=((108.0, 114.0),))
    header = "X-Talkdesk-Other-Leg-Call-Id: x1"
    found = matched(tmp_path, hop("b2", header=header, to_caller=None, at=BEGAN + 7), caller)
    assert [one.how for one in found.calls] == ["header"]
    assert found.offset == pytest.approx(OFFSET, abs=0.5)
    assert [one.leg.leg for one in found.heard] == ["caller.1"]
    assert found.absent == ()


def test_the_ais_call_is_of_the_leg_that_the_caller_placed_first(tmp_path: Path) -> None:
    """The phone followed a REFER, and its second leg sends another mark."""
    first = replace(AT_THE_AI, call_ids=frozenset({"caller.1"}))
    second = replace(
        AT_THE_AI,
        leg="caller.2",
        mark=8,
        sent=((107.5, 112.0),),
        invited=107.0,
        call_ids=frozenset({"caller.2"}),
    )
    header = "X-Talkdesk-Other-Leg-Call-Id: x1"
    found = matched(tmp_path, hop("b2", header=header, to_callee=31), first, second)
    assert found.offset == pytest.approx(OFFSET, abs=0.5)
    assert [one.leg.leg for one in found.absent] == ["caller.1"]


def test_both_sides_of_an_sbc_in_one_capture(tmp_path: Path) -> None:
    inside = hop("b2", at=BEGAN + 0.1, header="X-EI: S.a;E.z9;", to_callee=None, ports=5000)
    found = matched(tmp_path, hop("a1") + inside)
    assert [one.call.call_id for one in found.calls] == ["a1", "b2"]
    assert [(one.call.call_id, one.leg.leg) for one in found.absent] == [("b2", "caller.1")]


def test_other_calls_are_listed_and_disturb_nothing(tmp_path: Path) -> None:
    strange = hop(
        "c3", to_callee=40, to_caller=41, at=BEGAN + 2, dialled="+13125550188", ports=6000
    )
    later = hop(
        "d4", at=BEGAN + 600, dialled="+13125550199", ports=7000
    )  # marks of the run, at another time
    found = matched(tmp_path, hop("a1") + strange + later)
    assert [one.call.call_id for one in found.calls] == ["a1"]
    assert found.unmatched == (
        "call c3 from 192.0.2.1 to sip:+13125550188@192.0.2.2 is of no call of this run",
        "call d4 from 192.0.2.1 to sip:+13125550199@192.0.2.2 is of no call of this run",
    )


def test_another_run_of_the_same_numbers_and_marks_says_nothing(tmp_path: Path) -> None:
    """Seen on one machine: worlds of several runs place calls from and to the same numbers at the
    same time.
    """
    packets = [
        *hop("a1"),
        *hop("c3", at=BEGAN + 1.7, to_callee=None, ports=6000),
        *hop("d4", at=BEGAN + 3, to_callee=12, to_caller=13, ports=7000),
    ]
    found = matched(tmp_path, packets)
    assert [(one.call.call_id, one.how) for one in found.calls] == [("a1", "Call-ID")]
    assert found.absent == ()


def test_a_mark_that_two_cases_sent_alike_is_of_neither(tmp_path: Path) -> None:
    twin = replace(CALLER, case="other", call_ids=frozenset({"x"}))
    found = matched(tmp_path, hop("b2", dialled="+13125550177", to_caller=None), CALLER, twin)
    assert found.heard == ()
    assert found.calls == ()


def test_a_call_that_the_capture_does_not_cover_says_nothing(tmp_path: Path) -> None:
    early = replace(CALLER, sent=((80.0, 95.0),))
    assert matched(tmp_path, hop("a1", to_callee=None), early).absent == ()
    silent = hop("a1", to_callee=None, to_caller=None)  # media takes another way
    assert matched(tmp_path, silent).absent == ()
