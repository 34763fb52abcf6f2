"""What the far end's RTCP reports count of our stream."""

from __future__ import annotations

from collections.abc import Iterable

from harness.calls.events import Event, FarEndReport


def counting(events: Iterable[Event]) -> list[FarEndReport]:
    """The reports that say how much of our stream has come.

    One without a block on it says that nothing has (RFC 3550 section 6.4.1) only from the source that named it last: another
    source of the same far end may report on no stream (RFC 8861), another party on others, and some far ends never name any.
    """
    found: list[FarEndReport] = []
    for report in events:
        if isinstance(report, FarEndReport) and (report.names_us or (found and report.reporter == found[-1].reporter)):
            found.append(report)
    return found


def between(events: Iterable[Event], since: float, until: float) -> tuple[int, int] | None:
    """RTP packets sent between two moments (monotonic seconds), and of those the ones the far end has received by its own count.

    None where no report of that time counts.
    """
    told = [report for report in counting(events) if report.at <= until]
    later = [report for report in told if report.at >= since]
    if not later:
        return None
    before = next((report for report in reversed(told) if report.at < since), None)
    sent, received = (before.sent, before.received) if before else (0, 0)
    sent = later[-1].sent - sent
    return sent, min(sent, later[-1].received - received)  # what was on its way at the first came from before
