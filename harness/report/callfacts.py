"""Facts and figures of calls: what a carrier's support asks for first, counters, how fast the voice
agent responds, the worst of each row, and a run's medians.
"""

from __future__ import annotations

import dataclasses
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from harness.audio.classify import Span, classify
from harness.audio.marks import PERIOD_SECONDS, REPLY_OFFSET
from harness.audio.wav import WavError, read_wav
from harness.case.checks import responsiveness
from harness.case.checks.audio import AUDIBLE_DBOV
from harness.case.checks.responsiveness import ResponseTime, Turn
from harness.case.events import phone_of
from harness.case.measurement import Delay
from harness.deployment import STAND_IN
from harness.report.evidence import CaseEvidence
from harness.report.flow import Arrow, arrows, is_invite
from harness.report.hearing import sounds
from harness.report.markup import moment

#: The columns of :func:`harness.report.hearing.figures` that are call facts as well.
_MEDIA = ("codec", "jitter", "lost", "MOS")
NOTHING = "–"


@dataclass(frozen=True)
class LegFacts:
    """One leg; what is not known is :data:`NOTHING`."""

    leg: str
    facts: Mapping[str, str]  #: by title, in the order in which they are shown
    seconds: Mapping[str, float]  #: the times among them


def call_facts(
    evidence: CaseEvidence, flow: Sequence[Arrow], quality: Sequence[Sequence[str]]
) -> list[LegFacts]:
    """The legs that have an INVITE in the case's ``flow`` (:func:`harness.report.flow.arrows`), in
    order of appearance.

    ``quality`` is what :func:`harness.report.hearing.figures` says of the case, or empty.
    """
    media = {row[0]: dict(zip(quality[0], row, strict=True)) for row in quality[1:]}
    found = []
    for leg in evidence.legs:
        own = [arrow for arrow in flow if arrow.leg == leg]
        invite = next(filter(is_invite, own), None)
        if invite is not None:
            found.append(_facts(evidence, leg, own, invite, media.get(leg, {})))
    return found


def _facts(
    evidence: CaseEvidence,
    leg: str,
    own: Sequence[Arrow],
    invite: Arrow,
    media: dict[str, str],
) -> LegFacts:
    """The facts of one leg; ``own`` are its messages, ``invite`` the first INVITE among them."""
    ringing, since = _first(own, invite, range(180, 200)), _first(own, invite, range(200, 300))
    times = {
        "post-dial delay": _between(invite.at, ringing),
        "ring time": _between(ringing, since),
        "answered after": _between(invite.at, since),
        "first audio received": _between(since, _first_sound(evidence, leg)),
        "first audio heard by the far end": _between(since, _first_heard_elsewhere(evidence, leg)),
    }
    seconds = {title: value for title, value in times.items() if value is not None}
    facts = {
        "direction": "outgoing" if invite.sent else "incoming",
        "Call-ID": invite.header("Call-ID") or NOTHING,
        "INVITE at": moment(evidence.wall(invite.at)),
        "From": _party(invite.header("From")),
        "To": _party(invite.header("To")),
        "number dialled": invite.dialled or NOTHING,
        **dict.fromkeys(times, NOTHING),
        **{title: f"{round(value, 2) + 0.0:.2f} s" for title, value in seconds.items()},
        "one-way delay": _delays(evidence, leg),
        **{title: media.get(title) or NOTHING for title in _MEDIA},
        "ended by": _ended(own, leg),
    }
    return LegFacts(leg, facts, seconds)


def _first(own: Iterable[Arrow], invite: Arrow, codes: range) -> float | None:
    """When the INVITE got its first answer with one of these codes."""
    for arrow in own:
        if arrow.method == "INVITE" and arrow.status in codes and arrow.at >= invite.at:
            return arrow.at
    return None


def _between(began: float | None, ended: float | None) -> float | None:
    if began is None or ended is None:
        return None
    return max(0.0, ended - began)  # RTP may overtake the 200 OK by a packet


def _party(value: str | None) -> str:
    """A From or To without its tag."""
    return re.sub(r";tag=[^;>\s]*", "", value) if value else NOTHING


def _first_sound(evidence: CaseEvidence, leg: str) -> float | None:
    """When the leg first received anything audible: its first mark, or a pulse with sound in it."""
    marks = [span.began for span in evidence.marks if span.leg == leg]
    pulses = evidence.legs[leg].sounds(AUDIBLE_DBOV)
    return min([*marks, *pulses[:1]], default=None)


def _first_heard_elsewhere(evidence: CaseEvidence, leg: str) -> float | None:
    """When this leg's mark was first known to be heard: at another leg, or by a reply. A far end's
    record has a clock of its own.
    """
    own = evidence.legs[leg].marks_sent
    heard = []
    for span in evidence.marks:
        mark = span.mark - REPLY_OFFSET if span.leg == leg else span.mark
        if mark in own:
            heard.append(span.began)
    return min(heard, default=None)


def _delays(evidence: CaseEvidence, leg: str) -> str:
    """Measured with a probe where both ends are ours; else how long the first of a voice took to be
    known.
    """
    for check, words in (("audio.one_way_delay", ""), ("audio.delay", "at most ")):
        said = []
        for finding in evidence.findings:
            delay = finding.measured
            if finding.check != check or not isinstance(delay, Delay):
                continue
            if delay.listener == leg and delay.delay_ms is not None:
                said.append(f"{words}{delay.delay_ms:.0f} ms from {delay.speaker}")
        if said:
            return ", ".join(dict.fromkeys(said))
    return NOTHING


def _ended(own: Sequence[Arrow], leg: str) -> str:
    """Who ended the call, and with which message."""
    for index, arrow in enumerate(own):
        if not _ends(arrow, own[:index], own[index + 1 :]):
            continue
        who = phone_of(leg) if arrow.sent else "the far end"
        if arrow.is_response:
            return f"{who}, {arrow.label} {arrow.numbers[0]}"
        said = f"{who}, {arrow.method} {arrow.numbers[0]}"
        reason = arrow.header("Reason")
        return f"{said} ({reason})" if reason else said
    return "nobody within the case"


def _ends(arrow: Arrow, before: Sequence[Arrow], after: Sequence[Arrow]) -> bool:
    """Whether the call is over by this message. RFC 3261: a re-INVITE that is refused leaves it as
    it was (14.1), a CANCEL that the answer has crossed changes nothing (9.1), and an INVITE that is
    sent again with what was asked for goes on (22.2, RFC 4028).
    """
    if arrow.method == "INVITE" and arrow.is_response:
        if arrow.status < 300 or any(map(_answers, before)):
            return False
        invites = [later for later in after if later.method == "INVITE"]
        return all(later.header("CSeq") == arrow.header("CSeq") for later in invites)
    if arrow.is_response:
        return False
    if arrow.method == "CANCEL":
        return not any(map(_answers, after))
    return arrow.method == "BYE"


def _answers(arrow: Arrow) -> bool:
    return arrow.is_response and arrow.method == "INVITE" and 200 <= arrow.status < 300


def numbers_of(legs: Iterable[LegFacts]) -> list[str]:
    """The numbers dialled, each once."""
    dialled = dict.fromkeys(leg.facts["number dialled"] for leg in legs)
    return [number for number in dialled if number != NOTHING]


def table_of(legs: Sequence[LegFacts]) -> list[list[str]]:
    """The facts as a table: a header with the legs, then a row a fact; empty without legs."""
    if not legs:
        return []
    rows = [[title, *(leg.facts[title] for leg in legs)] for title in legs[0].facts]
    return [["leg", *(leg.leg for leg in legs)], *rows]


#: Columns of the RTP table: a header, and the field of
#: :class:`~harness.case.events.RtpStatistics`.
_RTP = (
    ("sent packets", "tx_packets"),
    ("sent bytes", "tx_bytes"),
    ("received packets", "rx_packets"),
    ("received bytes", "rx_bytes"),
    ("lost", "rx_lost"),
    ("discarded", "rx_discarded"),
    ("reordered", "rx_reordered"),
    ("late", "rx_late"),
    ("duplicated", "rx_duplicated"),
    ("jitter ms", "rx_jitter_ms"),
    ("lost at far end", "tx_lost"),
    ("jitter at far end ms", "tx_jitter_ms"),
    ("round trip ms", "rtt_ms"),
)
#: Of these, what only the far end's RTCP reports tell; its zero may be that there were none.
_TOLD_BY_THE_FAR_END = ("tx_lost", "tx_jitter_ms", "rtt_ms")


def rtp_table(evidence: CaseEvidence) -> list[list[str]]:
    """RTP and RTCP counters, a row a leg, a header first."""
    rows = [["leg", *(title for title, _ in _RTP)]]
    for leg, counters in evidence.statistics.items():
        plain: dict[str, int | float | str] = dataclasses.asdict(counters)
        named = evidence.legs[leg].is_counted_by_far_end
        # not reported: a far end that heard nothing from the harness reports no loss (RFC 3550
        # section 6.4.1)
        for name in _TOLD_BY_THE_FAR_END:
            if not plain[name] and (name == "rtt_ms" or not named):
                plain[name] = NOTHING
        values = [plain[name] for _, name in _RTP]
        rows.append([leg, *(f"{one:g}" if isinstance(one, float) else str(one) for one in values)])
    return rows


# -- how fast the voice agent responds


def response_times(evidence: CaseEvidence) -> list[ResponseTime]:
    """The figures of each answered call of a harness caller; none where no voice agent was heard."""
    return responsiveness.response_times(
        evidence.legs,
        evidence.ended,
        lambda leg, which: _words(evidence, leg, which),
        at_ai=STAND_IN,
    )


def measured_times(evidence: CaseEvidence) -> list[ResponseTime]:
    """The same, and the times of the calls that harness phones placed: what may have a limit."""
    found = response_times(evidence)
    for leg in call_facts(evidence, arrows(evidence), ()):
        if leg.facts["direction"] == "outgoing":
            for title, seconds in leg.seconds.items():
                basis = "by the messages of the call"
                found.append(ResponseTime(leg.leg, title, seconds, basis))
    return found


def _words(evidence: CaseEvidence, leg: str, which: Literal["received", "sent"]) -> Iterator[Turn]:
    """The speech in one of the leg's recordings. Both of them begin with the leg's media."""
    recording = next((one for one in evidence.recordings if one.leg == leg), None)
    path = getattr(recording, which) if recording else None
    began = evidence.legs[leg].first_sample_at
    if path is None or began is None:
        return
    try:
        spans = sounds(evidence, path).sounds if which == "received" else _sent(path)
    except WavError:
        return
    for span in spans:
        if span.kind == "speech":
            yield began + span.began, began + span.ended


def _sent(path: Path) -> list[Span]:
    """What a harness phone sent, span by span; empty where it sent only its mark, which is no
    speech.

    A mark repeats itself sample by sample, since the recording is of what was sent, before it was
    encoded.
    """
    samples, rate = read_wav(path)
    period = round(PERIOD_SECONDS * rate)
    is_mark_alone = np.array_equal(samples[period:], samples[:-period])
    return [] if is_mark_alone else classify(samples, rate)


# -- figures

ANSWER, LOSS, JITTER, WALL = "answer_s", "rtp_loss", "rtp_jitter_ms", "case_s"


#: Every figure, and what it says.
KPIS: Final = {
    ANSWER: "seconds from the INVITE to the answer, the longest",
    LOSS: "share of RTP packets lost, the largest of a leg",
    JITTER: "RTP jitter in ms (RFC 3550 section 6.4.1), the largest of a leg",
    WALL: "seconds of a case, the longest",
}


def worst_figures(cases: Iterable[CaseEvidence]) -> dict[str, float]:
    """The figures that were measured."""
    cases = list(cases)
    lost, jitter = [], []
    for case in cases:
        for counters in case.statistics.values():
            if counters.rx_expected:
                lost.append(counters.rx_lost / counters.rx_expected)
                jitter.append(counters.rx_jitter_ms)
    every = {
        ANSWER: answer_times(cases),
        LOSS: lost,
        JITTER: jitter,
        WALL: [case.wall_s for case in cases],
    }
    return {name: round(max(values), 4) for name, values in every.items() if values}


def answer_times(cases: Iterable[CaseEvidence]) -> list[float]:
    """Of each call placed and answered, the seconds from its INVITE to the answer."""
    found: list[float] = []
    for case in cases:
        found += case.gist.answered_s
    return found


#: One time that was measured in one case: its group and title for Allure's Metrics tab, and
#: seconds.
Measured = tuple[str, str, float]


def times(
    case: CaseEvidence, legs: Iterable[LegFacts], responses: Iterable[ResponseTime]
) -> Iterator[Measured]:
    """What was measured in a case."""
    for leg in legs:
        for title, seconds in leg.seconds.items():
            yield "calls", title, seconds
    for response in responses:
        if response.seconds is not None:
            yield "voice agent", response.title, response.seconds
    yield "harness", "overhead", case.overhead_s


def medians(
    run: str, cases: Sequence[CaseEvidence], measured: Iterable[Measured]
) -> list[dict[str, Any]]:
    """One entry a figure, as Allure reads them; times in seconds since the epoch, in ms.
    ``measured`` is of the cases that passed.
    """
    passed = [case for case in cases if case.passed]
    found: dict[tuple[str, str], list[float]] = {}
    for group, title, seconds in measured:
        found.setdefault((group, title), []).append(seconds)
    began = min((case.began_wall for case in passed), default=0.0)
    ended = max((case.wall(case.ended) for case in passed), default=0.0)
    entries = []
    for (group, title), values in found.items():
        entry = {
            "run": run,
            "id": f"{run}-{title}".replace(" ", "-"),
            "key": title.replace(" ", "-"),
            "title": f"{title}, median of {len(values)}",
            "group": group,
            "unit": "ms",
            "value": round(1000 * statistics.median(values), 1),
            "start": round(1000 * began),
            "stop": round(1000 * ended),
        }
        entries.append(entry)
    return entries
