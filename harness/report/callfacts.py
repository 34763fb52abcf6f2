"""The facts of each leg that a carrier's support asks for first: ids, times, numbers, media, and who hung up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.audio.marks import REPLY_OFFSET
from harness.calls.checks.audio import AUDIBLE_DBOV
from harness.calls.events import LegStarted, Listened, phone_of
from harness.calls.measurement import Delay
from harness.report.evidence import CaseEvidence
from harness.report.flow import Arrow

#: The columns of :func:`harness.report.hearing.figures` that are call facts as well.
_MEDIA = ("codec", "jitter", "lost", "MOS")
NOTHING = "–"


@dataclass(frozen=True)
class LegFacts:
    """One leg; what is not known is :data:`NOTHING`."""

    leg: str
    direction: str  #: ``outgoing`` or ``incoming``
    call_id: str
    dialled: str  #: the user of the Request-URI
    cells: tuple[tuple[str, str], ...]  #: title and value, in the order in which they are shown
    seconds: Mapping[str, float]  #: the times among them, by title


def call_facts(evidence: CaseEvidence, flow: Sequence[Arrow], quality: Sequence[Sequence[str]]) -> list[LegFacts]:
    """The legs that have an INVITE in the case's ``flow`` (:func:`harness.report.flow.arrows`), in order of appearance.

    ``quality`` is what :func:`harness.report.hearing.figures` says of the case; empty without legs.
    """
    media = {row[0]: dict(zip(quality[0], row, strict=True)) for row in quality[1:]}
    found = []
    for leg in evidence.legs:
        own = [arrow for arrow in flow if arrow.leg == leg]
        invite = next((arrow for arrow in own if arrow.method == "INVITE" and not arrow.is_response), None)
        if invite is not None:
            found.append(_facts(evidence, leg, own, invite, media.get(leg, {})))
    return found


def _facts(evidence: CaseEvidence, leg: str, own: Sequence[Arrow], invite: Arrow, media: dict[str, str]) -> LegFacts:
    ringing = _first(own, invite, range(180, 200))
    answer = _first(own, invite, range(200, 300))
    call_id = invite.header("Call-ID") or NOTHING
    direction = "outgoing" if invite.sent else "incoming"
    dialled = _user(invite.start_line.split(" ")[1]) if invite.start_line.count(" ") >= 2 else NOTHING
    heard, spoken = _first_sound(evidence, leg), _first_heard_elsewhere(evidence, leg)
    since = answer.at if answer else None
    times = {
        "post-dial delay": _between(invite.at, ringing.at if ringing else None),
        "ring time": _between(ringing.at if ringing else None, since),
        "answered after": _between(invite.at, since),
        "first audio received": _between(since, heard),
        "first audio heard by the far end": _between(since, spoken),
    }
    cells = {
        "direction": direction,
        "Call-ID": call_id,
        "INVITE at": datetime.fromtimestamp(evidence.wall(invite.at), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        + " UTC",
        "From": _party(invite.header("From")),
        "To": _party(invite.header("To")),
        "number dialled": dialled,
        **{title: NOTHING if value is None else f"{round(value, 2) + 0.0:.2f} s" for title, value in times.items()},
        "one-way delay": _delays(evidence, leg),
        **{title: media.get(title) or NOTHING for title in _MEDIA},
        "ended by": _ended(own, invite, leg),
    }
    known = {title: value for title, value in times.items() if value is not None}
    return LegFacts(leg, direction, call_id, dialled, tuple(cells.items()), known)


def _first(own: Iterable[Arrow], invite: Arrow, codes: range) -> Arrow | None:
    return next(
        (a for a in own if a.is_response and a.method == "INVITE" and a.status in codes and a.at >= invite.at), None
    )


def _between(began: float | None, ended: float | None) -> float | None:
    return None if began is None or ended is None else ended - began


def _user(uri: str) -> str:
    found = re.match(r"<?(?:sips?|tel):([^@;>]+)", uri)
    return found[1] if found else uri


def _party(value: str | None) -> str:
    """A From or To without its tag."""
    return re.sub(r";tag=[^;>\s]*", "", value) if value else NOTHING


def _first_sound(evidence: CaseEvidence, leg: str) -> float | None:
    """When the leg first received anything audible: its first mark, or a pulse with sound in it."""
    marks = [span.began for span in evidence.marks if span.leg == leg]
    pulses = [
        event.at for event in evidence.legs[leg] if isinstance(event, Listened) and event.level_dbov > AUDIBLE_DBOV
    ]
    return min([*marks, *pulses[:1]], default=None)


def _first_heard_elsewhere(evidence: CaseEvidence, leg: str) -> float | None:
    """When this leg's mark was first known to be heard: at another leg, or by a reply. A far end's record has a clock of its own."""
    own = {event.mark for event in evidence.legs[leg] if isinstance(event, LegStarted)}
    others = [span.began for span in evidence.marks if span.leg != leg and span.mark in own]
    replies = [span.began for span in evidence.marks if span.leg == leg and span.mark - REPLY_OFFSET in own]
    return min([*others, *replies], default=None)


def _delays(evidence: CaseEvidence, leg: str) -> str:
    """Measured with a probe where both ends are ours; else how long the first of a voice took to be known."""
    for check, words in (("audio.one_way_delay", ""), ("audio.delay", "at most ")):
        said = [
            f"{words}{finding.measured.delay_ms:.0f} ms from {finding.measured.speaker}"
            for finding in evidence.findings
            if finding.check == check
            and isinstance(finding.measured, Delay)
            and finding.measured.listener == leg
            and finding.measured.delay_ms is not None
        ]
        if said:
            return ", ".join(dict.fromkeys(said))
    return NOTHING


def _ended(own: Sequence[Arrow], invite: Arrow, leg: str) -> str:
    """Who ended the call, and with which message."""
    for index, arrow in enumerate(own):
        if _ends(arrow, own[:index], own[index + 1 :]):
            who = phone_of(leg) if arrow.sent else "the far end"
            reason = "" if arrow.is_response else arrow.header("Reason")
            words = arrow.label if arrow.is_response else arrow.method
            return f"{who}, {words} {arrow.numbers[0]}" + (f" ({reason})" if reason else "")
    return "nobody within the case"


def _ends(arrow: Arrow, before: Sequence[Arrow], after: Sequence[Arrow]) -> bool:
    """Whether the call is over by this message. RFC 3261: a re-INVITE that is refused leaves it as it was (14.1), a CANCEL that
    the answer has crossed changes nothing (9.1), and an INVITE that is sent again with what was asked for goes on (22.2, RFC 4028).
    """
    if arrow.method == "INVITE" and arrow.is_response:
        goes_on = any(later.method == "INVITE" and later.header("CSeq") != arrow.header("CSeq") for later in after)
        return arrow.status >= 300 and not goes_on and not any(map(_answers, before))
    if arrow.is_response or arrow.method not in ("BYE", "CANCEL"):
        return False
    return arrow.method == "BYE" or not any(map(_answers, after))


def _answers(arrow: Arrow) -> bool:
    return arrow.is_response and arrow.method == "INVITE" and 200 <= arrow.status < 300


def numbers_of(facts: Iterable[LegFacts]) -> list[str]:
    """The numbers dialled, each once."""
    return list(dict.fromkeys(fact.dialled for fact in facts if fact.dialled != NOTHING))


def table_of(facts: Sequence[LegFacts]) -> list[list[str]]:
    """The facts as a table: a header with the legs, then a row a fact; empty without legs."""
    if not facts:
        return []
    rows = [[title, *(dict(fact.cells)[title] for fact in facts)] for title, _ in facts[0].cells]
    return [["leg", *(fact.leg for fact in facts)], *rows]
