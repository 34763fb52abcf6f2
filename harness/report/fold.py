"""What a ladder shows of a case's messages: registrations in a line each, a message and its retransmissions as one arrow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from harness.report.flow import Arrow
from harness.report.moments import Moment

#: RFC 3261 section 17.1.1.2: Timer B, the longest time over which a message is repeated, in seconds.
_TIMER_B_S = 32.0
_CHALLENGES = (401, 407)


def without_repeats(flow: Sequence[Arrow]) -> list[Arrow]:
    """The arrows by time, each retransmission counted in the first (:attr:`Arrow.repeats`)."""
    found: list[Arrow] = []
    latest: dict[tuple[object, ...], int] = {}
    for arrow in flow:
        key = (arrow.source, arrow.target, arrow.transport, arrow.text)
        index = latest.get(key)
        if index is not None and arrow.at - found[index].at <= _TIMER_B_S:
            first = found[index]
            found[index] = dataclasses.replace(
                first, repeats=first.repeats + 1 + arrow.repeats, numbers=first.numbers + arrow.numbers
            )
            continue
        latest[key] = len(found)
        found.append(arrow)
    return found


def met_challenges(flow: Sequence[Arrow]) -> frozenset[str]:
    """Numbers of the challenges that were answered with credentials: part of every digest (RFC 3261, section 22), and no failure."""
    return frozenset(
        arrow.numbers[0]
        for index, arrow in enumerate(flow)
        if arrow.status in _CHALLENGES and any(_meets(later, arrow) for later in flow[index + 1 :])
    )


def _meets(request: Arrow, challenge: Arrow) -> bool:
    credentials = request.header("Authorization") or request.header("Proxy-Authorization")
    same = (request.method, request.header("Call-ID")) == (challenge.method, challenge.header("Call-ID"))
    return not request.is_response and same and credentials is not None


def without_registrations(flow: Sequence[Arrow], row: str) -> tuple[list[Arrow], list[Moment]]:
    """The other arrows, and a moment for the registrations of each phone that succeeded; a row about them shows them whole."""
    if "REGISTER" in row:
        return list(flow), []
    by_phone: dict[str, list[Arrow]] = {}
    for arrow in flow:
        if arrow.method == "REGISTER" and not arrow.far_end:
            by_phone.setdefault(arrow.phone, []).append(arrow)
    folded = {phone: arrows for phone, arrows in by_phone.items() if _succeeded(arrows)}
    rest = [a for a in flow if a.method != "REGISTER" or a.far_end or a.phone not in folded]
    return rest, [_moment(phone, arrows) for phone, arrows in folded.items()]


def _succeeded(arrows: Sequence[Arrow]) -> bool:
    statuses = [arrow.status for arrow in arrows if arrow.is_response and arrow.status >= 200]
    return bool(statuses) and 200 <= statuses[-1] < 300 and all(s < 300 or s in _CHALLENGES for s in statuses)


def _moment(phone: str, arrows: Sequence[Arrow]) -> Moment:
    numbers = [number for arrow in arrows for number in arrow.numbers]
    last = [arrow for arrow in arrows if arrow.is_response][-1]
    shown = numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return Moment(arrows[0].at, phone, f"registered: {last.status} ({shown})")
