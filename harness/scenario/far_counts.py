"""What the far end's RTCP reports count of our stream."""

from __future__ import annotations

from collections.abc import Sequence

from harness.events import FarEndReport


def between(reports: Sequence[FarEndReport], since: float, until: float) -> tuple[int, int] | None:
    """RTP packets sent between two moments (monotonic seconds), and of those the ones the far end has received by its own count.

    None where it has not reported meanwhile, or has never named this stream: some far ends never do (RFC 3550 section 6.4.1).
    """
    told = [report for report in reports if report.at <= until]
    later = [report for report in told if report.at >= since]
    if not later or not any(report.names_us for report in told):
        return None
    before = next((report for report in reversed(told) if report.at < since), None)
    sent, received = (before.sent, before.received) if before else (0, 0)
    return later[-1].sent - sent, later[-1].received - received
