"""A leg's counters over all its negotiations: pjsua makes a new stream at each that changes the media, and keeps SSRC and numbers."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import Event, FarEndReport, RtpStatistics
from harness.phone.child.rtcp import Block
from harness.phone.child.rtp_monitor import RtpMonitor
from harness.phone.child.streams import Reception
from harness.phone.rtp_log import RtpLog, record

FAR_END = 9


class OfTheLeg:
    """A monitor whose streams carry what a test says."""

    def __init__(self, directory: Path) -> None:
        self.told: list[tuple[type[Event], dict[str, Any]]] = []
        self.rtp = RtpMonitor(self, directory / "x.rtp.gz", self._emit)  # type: ignore[arg-type]
        self.rtp.watch(1)
        self.log, self.sending = None, SimpleNamespace(offered=0)
        self.negotiates()

    def _emit(self, kind: type[Event], **facts: Any) -> None:
        self.told.append((kind, facts))

    def put(self, _transport: int, log: RtpLog, _known: object, reported: Any) -> OfTheLeg:
        log.close()
        self.reported = reported
        return self

    @contextmanager
    def reception(self) -> Iterator[Reception]:
        yield self._reception

    def getStreamStat(self, _stream: int) -> Any:
        return SimpleNamespace(rtcp=self.rtcp)

    def negotiates(self) -> None:
        """An answer changed the media."""
        self._reception = Reception()
        none = dict.fromkeys(("pkt", "bytes", "loss", "discard"), 0)
        tx = SimpleNamespace(**none, jitterUsec=SimpleNamespace(mean=0))
        self.rtcp = SimpleNamespace(txStat=tx, rxStat=SimpleNamespace(**none), rttUsec=SimpleNamespace(last=0))
        self.rtp.begins(0, 0, secure=False)

    def gets(self, numbers: Sequence[int], late: float = 0.0) -> None:
        """Packets, every other one that late."""
        for at, number in enumerate(numbers):
            packet = struct.pack("!BBHII", 0x80, 0, number, number * 160, 7)
            self._reception.take(record(number * 0.02 + at % 2 * late, packet))
        self.rtcp.rxStat.pkt += len(numbers)

    def is_told(self, lost: int, jitter: int = 8, by: int = FAR_END) -> None:
        """By the far end."""
        self.reported(by, 100, 98, Block(0.0, lost, 100, jitter))

    def statistics(self) -> RtpStatistics:
        assert self.rtp.tell(self)  # type: ignore[arg-type]
        kind, facts = self.told[-1]
        assert kind is RtpStatistics
        return RtpStatistics(at=0.0, phone="caller", leg="caller.1", **facts)


@pytest.fixture
def leg(tmp_path: Path) -> OfTheLeg:
    return OfTheLeg(tmp_path)


def test_a_reinvite_leaves_what_was_measured(leg: OfTheLeg) -> None:
    leg.gets([*range(50), *range(53, 100)], late=0.015)
    leg.rtcp.rttUsec.last = 80_000
    leg.is_told(12, jitter=40)
    leg.is_told(12, jitter=120)
    before = leg.statistics()
    assert before.rx_burst_ms == pytest.approx(60.0)
    assert before.rx_jitter_ms == pytest.approx(12.7, abs=0.1)
    assert (before.rtt_ms, before.tx_lost, before.tx_jitter_ms) == (80.0, 12, 10.0)

    leg.rtp.ends(leg)  # type: ignore[arg-type]
    leg.negotiates()
    assert leg.statistics() == before, "the new one has measured nothing yet"

    leg.is_told(12, jitter=80)  # of all that has that SSRC, so since the call began (RFC 3550 section 6.4.1)
    leg.gets([*range(100, 150), *range(151, 198)])
    leg.rtcp.rttUsec.last = 60_000
    after = leg.statistics()
    assert (after.rx_packets, after.rx_lost, after.rx_bursts) == (194, 4, 2)
    assert after.rx_burst_ms == pytest.approx(40.0)
    assert after.rx_jitter_ms == pytest.approx(before.rx_jitter_ms / 2, rel=0.05)
    assert (after.rtt_ms, after.tx_lost, after.tx_jitter_ms) == (60.0, 12, 10.0)


def test_a_far_end_that_got_more_than_was_sent_lost_nothing(leg: OfTheLeg) -> None:
    """RFC 3550 section 6.4.1: with duplicates its count, of 24 bits, is below zero."""
    leg.rtcp.txStat.loss = 0xFFFFFF  # as pjmedia reads it
    leg.is_told(-1)
    assert leg.statistics().tx_lost == 0
    (report,) = [facts for kind, facts in leg.told if kind is FarEndReport]
    assert (report["lost"], report["reporter"]) == (-1, FAR_END)
