"""The events of a case sorted by kind and leg, and the facts that follow from the events of a leg.

Each fact is derived here once: whether and when a leg was answered, how it ended, its codec, the
marks that it heard, its counters. Phones fill a :class:`LegEvents` while a call lasts; reports and
diagnosis fill a :class:`CaseEvents` from the evidence on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

from harness.case.events import (
    CallState,
    Event,
    FarEndReport,
    LegStarted,
    Listened,
    MarkEnded,
    MarkHeard,
    MediaState,
    RtpStatistics,
    SipMessage,
)

E = TypeVar("E", bound=Event)

#: A mark is reported every 200 ms while it lasts. After a longer gap it was heard anew.
_REPORTED_EVERY_S = 0.2
_NEW_AFTER_S = 0.5


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
