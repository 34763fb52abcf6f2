"""The events of a case sorted by kind and leg, and the facts that follow from the events of a leg.

Each fact is derived here once: whether and when a leg was answered, how it ended, its codec, the
marks that it heard, its counters. Phones fill a :class:`LegEvents` while a call lasts; reports and
diagnosis fill a :class:`CaseEvents` from the evidence on disk.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final, TypeVar, cast

from harness.audio.marks import VOICES
from harness.case.events import (
    LONGEST_DROPOUT_S,
    CallState,
    Event,
    FarEndReport,
    ForeignRtp,
    LegStarted,
    Listened,
    MarkEnded,
    MarkHeard,
    MediaState,
    RtpPaused,
    RtpStatistics,
    SipMessage,
)

E = TypeVar("E", bound=Event)

#: A mark is reported every 200 ms while it lasts. After a longer gap it was heard anew.
_REPORTED_EVERY_S = 0.2
_NEW_AFTER_S = 0.5
#: Speech is louder (ITU-T P.56 puts its active level on telephone lines at -26 dBov), comfort noise
#: is not.
SOUND_DBOV: Final = -45.0
#: Background noise is steady and quieter than speech (P.56), and a voice stands out from it. It is
#: looked for around each pulse.
_STEADY_DB, _LOUDEST_NOISE_DBOV, _OVER_NOISE_DB, _NOISE_WITHIN_S = 3.0, -33.0, 6.0, 4.0
_RECOGNISED_S: Final = 0.4  # a mark is said again every 200 ms
#: How near to a pause of the stream its mark is heard: it is said again every 200 ms, and known a
#: little later.
_NEAR_S: Final = 1.0
#: Two pauses with less audio than this between them count as one.
_FLOWS_S: Final = 0.1
#: How near to a pause the media change is reported that caused it.
MEDIA_CHANGES_S: Final = 0.3


@dataclass(frozen=True)
class MarkSpan:
    """A stretch of time in which a leg heard one mark. Times are on the monotonic clock, in
    seconds.
    """

    leg: str
    mark: int
    began: float
    ended: float
    level_dbov: float
    quality: float


def is_request(event: Event, method: str) -> bool:
    """Whether an event is a request of that method, which the phone's stack has read."""
    return (
        isinstance(event, SipMessage) and not event.unread and event.text.startswith(f"{method} ")
    )


def _is_invite(message: SipMessage) -> bool:
    return is_request(message, "INVITE")


class EventLog(Sequence[Event]):
    """Events in the order in which they were added, also by their kind without a walk over all."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events: list[Event] = []
        self._kinds: dict[type[Event], list[Event]] = {}
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._kinds.setdefault(type(event), []).append(event)

    def of(self, kind: type[E]) -> list[E]:
        """The events of exactly this kind, in order."""
        return cast("list[E]", list(self._kinds.get(kind, ())))

    def last(self, kind: type[E]) -> E | None:
        """The newest event of exactly this kind."""
        found = self._kinds.get(kind)
        return cast("E", found[-1]) if found else None

    def first(self, kind: type[E]) -> E | None:
        """The oldest event of exactly this kind."""
        found = self._kinds.get(kind)
        return cast("E", found[0]) if found else None

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._events)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]
        return self._events[at]


class LegEvents(EventLog):
    """The events of one leg, and the facts that follow from them. The leg may still be up."""

    @property
    def id(self) -> str:
        """The leg's name; empty while it has no event."""
        return (self._events[0].leg or "") if self._events else ""

    @property
    def began(self) -> float:
        """When its first event came. Only for a leg that has one."""
        return self._events[0].at

    @property
    def started(self) -> LegStarted | None:
        return self.first(LegStarted)

    @property
    def is_placed(self) -> bool:
        """Whether the harness phone placed this call, also on a REFER."""
        return self.started is not None and self.started.direction == "outgoing"

    @property
    def is_first_call(self) -> bool:
        """Whether the harness phone placed this call of itself, not on a REFER."""
        return self.is_placed and self.started is not None and self.started.replaces is None

    @property
    def marks_sent(self) -> set[int]:
        """The mark that this leg sends; empty where its start was not recorded."""
        return {begun.mark for begun in self.of(LegStarted)}

    # -- the call

    @property
    def state(self) -> str:
        """The newest state of :class:`CallState`; empty at first."""
        newest = self.last(CallState)
        return newest.state if newest else ""

    @property
    def early_at(self) -> float | None:
        """When the call first made progress (18x)."""
        return next((e.at for e in self.of(CallState) if e.state == "early"), None)

    @property
    def answered_at(self) -> float | None:
        """When the call was answered: confirmed by ACK (RFC 3261 section 13)."""
        return next((e.at for e in self.of(CallState) if e.state == "confirmed"), None)

    @property
    def accepted_at(self) -> float | None:
        """When the 200 was sent or received, be the ACK seen or not."""
        accepted = (e.at for e in self.of(CallState) if e.state in ("connecting", "confirmed"))
        return next(accepted, None)

    @property
    def was_accepted(self) -> bool:
        """Whether a 200 was sent or received."""
        return self.accepted_at is not None

    @property
    def ended(self) -> CallState | None:
        """The end of the call; ``code`` is the status of its refusal, where it was refused."""
        return next((e for e in self.of(CallState) if e.state == "disconnected"), None)

    @property
    def is_over(self) -> bool:
        return self.state == "disconnected"

    @property
    def messages(self) -> list[SipMessage]:
        """Its SIP messages, except those that the phone's stack dropped."""
        return [message for message in self.of(SipMessage) if not message.unread]

    @property
    def invite(self) -> SipMessage | None:
        """The first INVITE, sent or received."""
        return next(filter(_is_invite, self.messages), None)

    @property
    def invite_sent(self) -> SipMessage | None:
        """The first INVITE that the phone sent."""
        sent = (m for m in self.of(SipMessage) if m.direction == "sent")
        return next(filter(_is_invite, sent), None)

    @property
    def answered_after_s(self) -> float | None:
        """Seconds from the first INVITE that was sent to the answer; None for a call that was
        received, or never answered.
        """
        invite, answered_at = self.invite_sent, self.answered_at
        if not self.is_placed or invite is None or answered_at is None:
            return None
        return answered_at - invite.at

    # -- its audio

    @property
    def media(self) -> MediaState | None:
        """The newest media that is active."""
        return next((e for e in reversed(self.of(MediaState)) if e.active), None)

    @property
    def codec(self) -> str:
        """The codec negotiated last, as SDP spells it; empty before the first negotiation."""
        return self.media.codec if self.media else ""

    @property
    def first_sample_at(self) -> float | None:
        """When the leg's recording began: the first pulse says how much was received by then."""
        pulse = self.first(Listened)
        return None if pulse is None else pulse.at - pulse.seconds

    def sounds(self, louder_than_dbov: float) -> list[float]:
        """The times of the pulses with audio louder than that."""
        return [pulse.at for pulse in self.of(Listened) if pulse.level_dbov > louder_than_dbov]

    @property
    def statistics(self) -> RtpStatistics | None:
        """The newest counters."""
        return self.last(RtpStatistics)

    @property
    def is_counted_by_far_end(self) -> bool:
        """Whether an RTCP report of the far end named the phone's stream."""
        return any(report.names_us for report in self.of(FarEndReport))

    def marks_heard(self, since: float = 0.0) -> list[int]:
        """Every mark heard after ``since``."""
        return [e.mark for e in self.of(MarkHeard) if e.at >= since]

    def marks_sustained(self, since: float = 0.0) -> list[int]:
        """The marks that were repeated, at least 200 ms later.

        Where one voice follows another, symbols of both with a lost packet between them can spell
        a third mark, once.
        """
        return [mark for mark, following in pairwise(self.marks_heard(since)) if mark == following]

    def marks(self) -> Iterator[MarkSpan]:
        """The marks heard, the repeated reports of one mark joined. Without a reported end, a mark
        lasts to the last pulse.
        """
        heard: dict[int, list[MarkHeard]] = {}
        last_pulse = 0.0
        for event in self:
            if isinstance(event, MarkHeard):
                run = heard.setdefault(event.mark, [])
                # The end of the stretch before was never reported.
                if run and event.began > run[-1].at + _NEW_AFTER_S:
                    yield self._span(run, run[-1].at)
                    run.clear()
                run.append(event)
            elif isinstance(event, MarkEnded) and event.mark in heard:
                yield self._span(heard.pop(event.mark), event.at)
            elif isinstance(event, Listened):
                last_pulse = event.at
        for run in heard.values():
            last = run[-1].at
            yield self._span(run, max(last, min(last_pulse, last + _REPORTED_EVERY_S)))

    # -- speech: louder than the noise around it, and no mark

    def is_speech(self, heard: Listened) -> bool:
        noise_dbov = self._noise_dbov(heard.at)
        if heard.level_dbov <= max(SOUND_DBOV, noise_dbov + _OVER_NOISE_DB):
            return False
        return not any(abs(mark.at - heard.at) <= _RECOGNISED_S for mark in self.of(MarkHeard))

    def last_spoken(self, since: float, until: float = math.inf) -> float:
        """When speech was last heard between two moments; ``since`` if there was none."""
        pulses = (pulse for pulse in self.of(Listened) if since < pulse.at < until)
        return max((pulse.at for pulse in pulses if self.is_speech(pulse)), default=since)

    def last_other_sound(self, voices: Collection[int], since: float, until: float) -> float:
        """When another sound than these marks was last heard between two moments; ``since`` if
        there was none.
        """
        marks = [heard.at for heard in self.of(MarkHeard) if heard.mark not in voices]
        others = [at for at in marks if since < at < until]
        return max([self.last_spoken(since, until), *others])

    def _noise_dbov(self, at: float) -> float:
        """The level of steady noise around a moment; minus infinity if there is none. A voice
        varies more from pulse to pulse.
        """
        near = [e.level_dbov for e in self.of(Listened) if abs(e.at - at) < _NOISE_WITHIN_S]
        threes = (near[i : i + 3] for i in range(len(near) - 2))
        steady = (max(three) for three in threes if max(three) - min(three) < _STEADY_DB)
        return min((level for level in steady if level < _LOUDEST_NOISE_DBOV), default=-math.inf)

    # -- its RTP

    def rtp_unheard(self, since: float) -> dict[str, int]:
        """RTP packets after ``since`` that the phone did not listen to, by where they came from."""
        foreign = self.of(ForeignRtp)
        before = {event.source: event.packets for event in foreign if event.at < since}
        reported = {event.source: event.packets for event in foreign}
        more = {source: packets - before.get(source, 0) for source, packets in reported.items()}
        return {source: packets for source, packets in more.items() if packets}

    @property
    def reports_that_count(self) -> list[FarEndReport]:
        """The RTCP reports that say how much of the harness's stream has arrived.

        One without a block on it says that nothing has (RFC 3550 section 6.4.1) only from the
        source that named it last: another source of the same far end may report on no stream (RFC
        8861), another party on others, and some far ends never name any.
        """
        found: list[FarEndReport] = []
        for report in self.of(FarEndReport):
            if report.names_us or (found and report.reporter == found[-1].reporter):
                found.append(report)
        return found

    def counted_by_far_end(self, since: float, until: float = math.inf) -> tuple[int, int] | None:
        """RTP packets sent between two moments, and of those the ones the far end has received by
        its own count.

        None where no report of that time counts.
        """
        reported = [report for report in self.reports_that_count if report.at <= until]
        later = [report for report in reported if report.at >= since]
        if not later:
            return None
        before = next((report for report in reversed(reported) if report.at < since), None)
        sent, received = (before.sent, before.received) if before else (0, 0)
        sent = later[-1].sent - sent
        # what was on its way at the first came from before
        return sent, min(sent, later[-1].received - received)

    def pauses_in_a_voice(self) -> list[RtpPaused]:
        """The unannounced pauses with one single voice heard before and after each. New negotiation
        of the media may pause the stream (RFC 3264 section 8).
        """
        marks = self.of(MarkHeard)
        changes = [event.at for event in self.of(MediaState)]

        def voices(began: float, ended: float) -> set[int]:
            # an AI alternates between its own voice and its answer to what it hears
            return {min(mark.mark, VOICES.start) for mark in marks if began <= mark.at <= ended}

        def is_dropout(pause: RtpPaused) -> bool:
            before = voices(pause.began - _NEAR_S, pause.began)
            behind = voices(pause.ended, pause.ended + _NEAR_S)
            since, until = pause.began - MEDIA_CHANGES_S, pause.ended + MEDIA_CHANGES_S
            is_changed = any(since <= at <= until for at in changes)
            return len(before) == 1 and before == behind and not is_changed

        pauses = _joined(self.of(RtpPaused))
        short = [pause for pause in pauses if pause.ended - pause.began < LONGEST_DROPOUT_S]
        return list(filter(is_dropout, short))

    def _span(self, run: Sequence[MarkHeard], ended: float) -> MarkSpan:
        began = min(event.began for event in run)
        return MarkSpan(
            self.id,
            run[0].mark,
            began,
            max(ended, began),
            sum(event.level_dbov for event in run) / len(run),
            max(event.quality for event in run),
        )


def _joined(pauses: Iterable[RtpPaused]) -> list[RtpPaused]:
    """The pauses by time; those with almost nothing between them count as one."""
    found: list[RtpPaused] = []
    for pause in sorted(pauses, key=lambda pause: pause.began):
        if found and pause.began - found[-1].ended < _FLOWS_S:
            found[-1] = replace(pause, began=found[-1].began)
        else:
            found.append(pause)
    return found


class CaseEvents(EventLog):
    """All events of a case. Everything is added before the first look at the legs."""

    @cached_property
    def legs(self) -> dict[str, LegEvents]:
        """The legs by name, in order of appearance."""
        legs: dict[str, LegEvents] = {}
        for event in self:
            if event.leg is not None:
                legs.setdefault(event.leg, LegEvents()).add(event)
        return legs
