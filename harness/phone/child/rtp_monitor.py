"""Emits the RTP events of one leg: counters, pauses, packets of other senders, and the far end's
reports (RFC 3550 section 6.4).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from harness.case.events import FarEndReport, ForeignRtp, RtpPaused, RtpStatistics
from harness.phone.child.bindings import PjCall
from harness.phone.child.streams import Block, Means, Reception
from harness.phone.child.taps import Known, Tap, Taps, spelled
from harness.phone.rtp_log import Address, RtpLog

_RTP_CLOCK: Final = 8000  # of G.711, and of G.722 by RFC 3551 section 4.5.2
_NO_STREAM: Final = -1


class RtpMonitor:
    """Lasts as long as its call. Each negotiation may use another media transport and begin another
    stream.

    Counters of pjmedia and of the taps begin anew with each stream; what is emitted is the sum over
    all streams of the call.
    """

    def __init__(self, taps: Taps, log: Path, emit: Callable[..., None]) -> None:
        self._taps = taps
        self._log = log
        self._emit = emit
        self.stream = _NO_STREAM  #: index of the audio stream among the call's media
        self._payload_type = 0  # the negotiated type of received packets
        self._is_secure = False
        self._counts: dict[str, int] = {}  # as last emitted
        self._means = Means()
        self._counts_before: dict[str, int] = {}  # of streams that have ended
        self._means_before = Means()
        self._rtt_ms = 0.0
        self._tap: Tap | None = None  # on the current transport
        self.known = Known()  #: the accepted sources
        self._strange: dict[Address, int] = {}  # packets from other sources, as last emitted
        self._far_end_has = 0  # received packets, as the far end reports
        # Lost packets of the SSRC, over all streams (RFC 3550 section 6.4.1).
        self._far_end_lost = 0
        self._far_end_means = Means()  # from the far end's reports

    @property
    def has_stream(self) -> bool:
        """Whether there is an RTP stream."""
        return self.stream != _NO_STREAM

    def watch(self, transport: int) -> None:
        """Count and log the packets of a media transport (``pjmedia_transport *``) that the call is
        about to use.
        """
        log = self._tap.log if self._tap else RtpLog(self._log)
        self._tap = self._taps.put(transport, log, self.known, self._reported)

    def begins(self, stream: int, payload_type: int, *, secure: bool) -> None:
        """Note a negotiated stream; ``secure``: it is encrypted."""
        self.stream, self._payload_type, self._is_secure = stream, payload_type, secure

    def without_stream(self) -> None:
        """Note that there is no stream."""
        self.stream = _NO_STREAM

    def ends(self, call: PjCall | None) -> None:
        """Read the counters of a stream that is about to be destroyed."""
        self.emit_statistics(call)
        self._counts_before = self._counts
        self._means_before = self._means
        self.without_stream()

    def close(self) -> None:
        """End with the call."""
        self.without_stream()
        if self._tap is not None:
            self._tap.close()

    def emit_statistics(self, call: PjCall | None) -> bool:
        """Emit the counters; False without a stream."""
        self._emit_strange()
        if call is None or not self.has_stream:
            return False
        statistics = call.getStreamStat(self.stream)
        rtcp = statistics.rtcp
        sent, received = rtcp.txStat, rtcp.rxStat
        self._rtt_ms = rtcp.rttUsec.last / 1000 or self._rtt_ms
        counts = {
            "tx_packets": sent.pkt,
            "tx_bytes": sent.bytes,
            "rx_packets": received.pkt,
            "rx_bytes": received.bytes,
            "rx_discarded": received.discard,
        }
        # The media thread counts at the same time.
        with self._tap.reception() if self._tap else nullcontext(Reception()) as reception:
            counts |= reception.counts(self._payload_type)
            means = reception.means
            is_deciphered = reception.sources > 0
            pauses = reception.take_pauses()
        for began, ended in pauses:
            self._emit(RtpPaused, began=began, ended=ended)
        self._counts = {
            name: count + self._counts_before.get(name, 0) for name, count in counts.items()
        }
        self._means = means.and_of(self._means_before)
        # Packets of an encrypted stream that come, and of which none can be decrypted.
        undeciphered_from = ""
        if self._is_secure and not is_deciphered:
            undeciphered_from = self._source_of(call)
        self._emit(
            RtpStatistics,
            **self._counts,
            rx_jitter_ms=self._means.jitter_ms,
            tx_lost=self._far_end_lost,
            tx_jitter_ms=self._far_end_means.jitter_ms,
            rtt_ms=self._rtt_ms,
            rx_burst_ms=self._means.burst_ms,
            rx_elsewhere=self.known.elsewhere,
            tx_offered=self._tap.sending.offered if self._tap else 0,
            undeciphered_from=undeciphered_from,
        )
        return True

    def _source_of(self, call: PjCall) -> str:
        """The source of received packets, used or not; empty without packets or for an unknown
        source.
        """
        source = str(call.getMedTransportInfo(self.stream).srcRtpName)
        host = source.rpartition(":")[0].strip("[]")
        return source if self.known.has_host(host) else ""

    def _emit_strange(self) -> None:
        for source, packets in self.known.strange.copy().items():
            if packets > self._strange.get(source, 0):
                self._strange[source] = packets
                self._emit(ForeignRtp, source=spelled(source), packets=packets)

    def _reported(
        self, reporter: int, sent: int, received: int | None, block: Block | None
    ) -> None:
        """Handle a report of the far end, in the media thread."""
        # A report has no block for a source without packets since the last report (RFC 3550 section
        # 6.4.1): the count is unchanged.
        if received is not None:
            self._far_end_has = received
        jitter_ms = 1000 * block.jitter / _RTP_CLOCK if block else 0.0
        if block is not None:
            self._far_end_lost = max(0, block.lost)  # negative if duplicates came
            self._far_end_means = self._far_end_means.and_of(Means(jitter_ms, 1))
        self._emit(
            FarEndReport,
            sent=sent,
            received=self._far_end_has,
            lost=block.lost if block else 0,
            fraction_lost=block.fraction_lost if block else 0.0,
            jitter_ms=jitter_ms,
            names_us=block is not None,
            reporter=reporter,
        )
