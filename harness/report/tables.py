"""Figures and findings of a case as rows, and as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Sequence

from harness.calls.events import FarEndReport
from harness.report.callfacts import NOTHING
from harness.report.evidence import CaseEvidence

#: Columns of the RTP table: a header, and the field of :class:`~harness.calls.events.RtpStatistics`.
RTP = (
    ("sent packets", "tx_packets"),
    ("sent bytes", "tx_bytes"),
    ("received packets", "rx_packets"),
    ("received bytes", "rx_bytes"),
    ("lost", "rx_lost"),
    ("discarded", "rx_discarded"),
    ("reordered", "rx_reordered"),
    ("duplicated", "rx_duplicated"),
    ("jitter ms", "rx_jitter_ms"),
    ("lost at far end", "tx_lost"),
    ("jitter at far end ms", "tx_jitter_ms"),
    ("round trip ms", "rtt_ms"),
)
#: Of these, what only the far end's RTCP reports tell; its zero may be that there were none.
_TOLD_BY_THE_FAR_END = ("tx_lost", "tx_jitter_ms", "rtt_ms")


def rtp(evidence: CaseEvidence) -> list[list[str]]:
    """RTP and RTCP counters, a row a leg, a header first."""
    rows = [["leg", *(title for title, _ in RTP)]]
    for leg, statistics in evidence.statistics.items():
        plain: dict[str, int | float | str] = dataclasses.asdict(statistics)
        named = any(isinstance(event, FarEndReport) and event.names_us for event in evidence.legs[leg])
        # not reported: a far end that heard nothing from the harness reports no loss (RFC 3550 section 6.4.1)
        untold = [name for name in _TOLD_BY_THE_FAR_END if not plain[name] and (name == "rtt_ms" or not named)]
        plain |= dict.fromkeys(untold, NOTHING)
        rows.append(
            [leg, *(f"{plain[name]:g}" if isinstance(plain[name], float) else str(plain[name]) for _, name in RTP)]
        )
    return rows


def findings(evidence: CaseEvidence) -> list[list[str]]:
    """What was checked, a row a finding, a header first; times in seconds from the case's start."""
    rows = [["time s", "verdict", "check", "subject", "expected", "seen", "strength", "evidence"]]
    for finding in evidence.findings:
        rows.append(
            [
                f"{finding.at - evidence.began:.3f}",
                str(finding.verdict),
                finding.check,
                finding.subject,
                finding.expected,
                finding.actual,
                finding.strength.name.lower() if finding.strength is not None else "",
                " ".join(finding.evidence),
            ]
        )
    return rows


def to_csv(rows: Iterable[Sequence[str]]) -> str:
    """Rows as CSV (RFC 4180)."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def messages_text(evidence: CaseEvidence, leg: str) -> str:
    """The SIP messages of one leg, or of a phone outside of its legs, whole, each under a line with number, time and addresses."""
    parts = []
    for message in evidence.messages:
        event = message.event
        if (event.leg or event.phone) != leg:
            continue
        arrow = "to" if event.direction == "sent" else "from"
        parts.append(
            f"---- {message.number}  {event.at - evidence.began:.3f} s  {event.direction} {arrow} {event.remote}  "
            f"({event.local}, {event.transport.upper()})\n\n{event.text.rstrip()}\n"
        )
    return "\n".join(parts)
