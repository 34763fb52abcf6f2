"""A call that never had media was not silent: nothing came, and nobody listened."""

from __future__ import annotations

import pytest

from harness.calls.checks.audio import FEWEST_UNHEARD, ListenerReport, direction
from harness.calls.verdict import Finding, Strength, Verdict


def judged(account: ListenerReport) -> Finding:
    return direction(
        "assistant main",
        "caller.1",
        None,
        account,
        since=0.0,
        own={7},
        least=Strength.PROVED,
        names={},
        towards="caller",
    )


def test_media_that_was_never_set_up() -> None:
    finding = judged(ListenerReport(0.0, None))
    assert finding.actual == "no media was set up, so nothing arrived"
    assert finding.facts["kind"] == "no-rtp"


def test_silence_and_no_rtp_stay_what_they_are() -> None:
    assert judged(ListenerReport(2.0, -96.0, rx_packets=100)).actual == "100 packets arrived in 2.0 s, all silence"
    assert judged(ListenerReport(2.0, None, rx_packets=0)).actual == "no RTP packet arrived in 2.0 s"


def test_what_another_codec_says_is_no_silence() -> None:
    finding = judged(ListenerReport(2.0, -96.0, rx_packets=100, rx_other_type=97))
    assert finding.actual == "100 packets arrived in 2.0 s, of another codec than the one agreed on"
    assert judged(ListenerReport(2.0, -96.0, rx_packets=100, rx_other_type=5)).facts["kind"] == "silence"


def test_rtp_that_was_not_listened_to_may_have_been_the_speaker() -> None:
    """Many send from another address than their SDP names: a cloud's NAT, a machine with several (RFC 4961 section 3)."""
    finding = judged(ListenerReport(2.0, None, rx_packets=0, unheard_packets=90, unheard_from="192.0.2.9:4000"))
    assert finding.verdict is Verdict.NOT_OBSERVABLE
    assert finding.facts["kind"] == "unknown"
    assert finding.actual == (
        "not observable: no RTP packet arrived in 2.0 s from where SDP or signalling says, but 90 from 192.0.2.9:4000, "
        "which the phone does not listen to"
    )


def test_rtp_that_the_keys_do_not_fit_is_not_no_rtp() -> None:
    """The path let it through; which of the two is wrong, the key or its absence, its sender knows."""
    finding = judged(ListenerReport(2.0, None, rx_packets=0, undeciphered_from="192.0.2.9:4000"))
    assert finding.verdict is Verdict.FAILED
    assert finding.facts["kind"] == "undeciphered"
    assert (
        finding.actual == "no packet arrived in 2.0 s that the SRTP key of the SDP fits, but others from 192.0.2.9:4000"
    )
    assert (
        judged(ListenerReport(2.0, -96.0, rx_packets=9, undeciphered_from="192.0.2.9:4000")).facts["kind"] == "silence"
    )


@pytest.mark.parametrize(
    "account",
    [
        ListenerReport(2.0, None, rx_packets=0, unheard_packets=FEWEST_UNHEARD - 1, unheard_from="192.0.2.9:4000"),
        ListenerReport(2.0, -96.0, rx_packets=100, unheard_packets=90, unheard_from="192.0.2.9:4000"),
    ],
    ids=["stray packets", "its own far end sends, and is silent"],
)
def test_strangers_excuse_nobody_else(account: ListenerReport) -> None:
    assert judged(account).verdict is Verdict.FAILED
