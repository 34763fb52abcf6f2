"""What a leg of a harness phone hears: sounds, marks, digits, and what arrived instead."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.audio.describe import CLEAR, HeardDescription, describe, of_the_other_law
from harness.audio.marks import PERIOD_SECONDS, SAMPLE_RATE
from harness.calls.checks.audio import ListenerReport, Sound
from harness.calls.checks.claims import Observation
from harness.calls.checks.signalling import G711
from harness.calls.events import (
    CallState,
    DtmfReceived,
    Event,
    FarEndReport,
    ForeignRtp,
    Listened,
    MarkHeard,
    RtpStatistics,
)
from harness.phone.leg import Leg
from harness.phone.recording import ON_DISK_WITHIN_S
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext
from harness.scenario.end import End
from harness.scenario.reactions import SOUND_DBOV

if TYPE_CHECKING:
    from harness.scenario.call import Call

_WORTH_HEARING_S = 0.4  # what is shorter says nothing of what was heard
_JUDGED_BY_S = 0.35  # audio needed behind an unclear mark to tell why it is unclear; marks are reported each 0.2 s


class ListeningLeg(End):
    """A leg of a harness phone, and what it hears."""

    is_ours = True

    def __init__(self, context: CaseContext, leg: Leg) -> None:
        self._context = context
        self._leg = leg

    @property
    def legs(self) -> list[Leg]:
        """The leg, and those its phone replaced it by when it followed a REFER, one after the other.

        A transfer that failed leaves the call as it was (RFC 5589 section 6.2).
        """
        legs = [self._leg]
        while (successor := legs[-1].successor) is not None and not _fell_through(successor):
            legs.append(successor)
        return legs

    @property
    def leg(self) -> Leg:
        """The leg it is now."""
        return self.legs[-1]

    @property
    def first_leg(self) -> Leg:
        """The leg as it was dialled or received."""
        return self._leg

    @property
    def label(self) -> str:
        """The leg's id."""
        return self.leg.id

    @property
    def mark(self) -> int:
        """What the leg sends."""
        return self.leg.mark

    def voices_for(self, peer: End) -> Collection[int]:
        """Its mark."""
        return {self.mark}

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """Wait for one of the speaker's marks, or for any sound where it has none."""
        voices = speaker.voices_for(self)
        if not voices:
            return self.hears_sound(since, deadline)
        return self._hears(lambda: speaker.voices_for(self), since, deadline)

    def hears_sound(self, since: float, deadline: float) -> Sound | None:
        """Wait for somebody or something to be heard; whose voice it is, the sound does not say."""
        try:
            event = self.leg.wait(
                "a sound",
                lambda e: isinstance(e, Listened) and e.level_dbov > SOUND_DBOV,
                within=max(0.0, deadline - time.monotonic()),
                since=since,
            )
        except NeverCame:
            return None
        assert isinstance(event, Listened)
        level = event.level_dbov
        return Sound(event.at, Observation.SOUND, f"sound at {self.label}, {level:.0f} dBov", level_dbov=level)

    def hears_on(self, since: float, until: float, pauses_s: float) -> bool:
        """Whether somebody or something is heard between two moments, with no longer pauses than these."""
        sounds = [e.at for e in self.leg.events if isinstance(e, Listened) and e.level_dbov > SOUND_DBOV]
        sounds = [at for at in sounds if since <= at <= until]
        return bool(sounds) and all(b - a <= pauses_s for a, b in pairwise([since, *sounds, until]))

    def hears_marks(self, marks: Collection[int], since: float, deadline: float) -> Sound | None:
        """Wait for one of ``marks``."""
        return self._hears(lambda: marks, since, deadline)

    def hears_mark(self, speaker: Call, since: float, deadline: float) -> Sound | None:
        """Wait for its mark."""
        return self.hears_marks({speaker.mark}, since, deadline)

    def _hears(self, voices: Callable[[], Collection[int]], since: float, deadline: float) -> Sound | None:
        # While this waits, a transfer may turn out to have failed: then either end is the leg it was before.
        leg = self.leg
        while True:
            try:
                event = leg.wait(
                    f"one of the marks {sorted(voices())}",
                    lambda e: isinstance(e, MarkHeard) and e.mark in voices(),
                    within=max(0.0, deadline - time.monotonic()),
                    since=since,
                )
            except NeverCame:
                return None if self.leg is leg else self._hears(voices, since, deadline)
            assert isinstance(event, MarkHeard)
            if event.quality >= CLEAR or not self._is_misread(leg, event, voices()):
                break
            since = event.at + _JUDGED_BY_S
        evidence = f"mark {event.mark} at {self.label}, {event.level_dbov:.0f} dBov, quality {event.quality:.2f}"
        return Sound(event.at, Observation.MARK, evidence, event.mark, event.level_dbov)

    def _is_misread(self, leg: Leg, heard: MarkHeard, voices: Collection[int]) -> bool:
        """Whether this mark is unclear since its payload is of the other law of G.711 than it is read by: people hear noise."""
        if leg.codec.upper() not in G711:
            return False
        began, until = time.monotonic(), heard.at + _JUDGED_BY_S + ON_DISK_WITHIN_S
        try:  # a mark that was joined within a symbol is clear the next time
            leg.wait(
                "a clear mark",
                lambda e: isinstance(e, MarkHeard) and e.mark in voices and e.quality >= CLEAR and e.at <= until,
                within=max(0.0, until - began),
                since=heard.at,
            )
        except NeverCame:
            samples = leg.received_since(heard.at - PERIOD_SECONDS)
            seconds = PERIOD_SECONDS + _JUDGED_BY_S
            return of_the_other_law(samples[: round(seconds * SAMPLE_RATE)], voices) is not None
        else:
            return False
        finally:
            self._context.evidence.scripted(time.monotonic() - began, "listening", began=began)

    def marks_heard(self, since: float = 0.0) -> list[int]:
        """Every mark heard after ``since``."""
        return marks_heard(self.leg, since)

    def marks_since(self, since: float) -> tuple[list[int], float]:
        """Every mark heard after ``since``, and the seconds listened; none where the leg was not listening."""
        return self.marks_heard(since), time.monotonic() - since if self.is_listening(since) else 0.0

    def counted_by_far_end(self, since: float, until: float = math.inf) -> tuple[int, int] | None:
        """RTP packets sent, and of those the ones the far end counts as received: :func:`listening.counted_between`."""
        return counted_between(self._leg.events, since, until)

    def wait_for_far_end_report(self, since: float, within: float) -> None:
        """Until the far end has reported by RTCP what it gets, or the time is over."""
        with contextlib.suppress(NeverCame):
            leg = self.leg
            leg.wait(
                "an RTCP report of the far end",
                lambda event: isinstance(event, FarEndReport) and event in reports_that_count(leg.events),
                within,
                since=since,
            )

    def is_listening(self, since: float) -> bool:
        """Whether the leg looked at received audio after ``since``."""
        return any(isinstance(e, Listened) and e.at >= since for e in self.leg.events)

    def account(self, since: float, missing: End | None = None) -> ListenerReport:
        """What arrived after ``since``, by events and by the recording."""
        events = self.leg.events
        pulses = [e for e in events if isinstance(e, Listened)]
        before = max((e.seconds for e in pulses if e.at < since), default=0.0)
        after = [e for e in pulses if e.at >= since]
        counters = [e for e in events if isinstance(e, RtpStatistics)]
        first = next((e for e in reversed(counters) if e.at < since), None)
        last = counters[-1] if counters else None
        unheard = _unheard(events, since)
        return ListenerReport(
            seconds=max(0.0, max((e.seconds for e in after), default=before) - before),
            level_dbov=max((e.level_dbov for e in after), default=None),
            marks=tuple(marks_sustained(self.leg, since)),
            rx_packets=None if last is None else last.rx_packets - (first.rx_packets if first else 0),
            rx_other_type=0 if last is None else last.rx_other_type - (first.rx_other_type if first else 0),
            tx_packets=None if last is None else last.tx_packets - (first.tx_packets if first else 0),
            unheard_packets=sum(unheard.values()),
            unheard_from=" and ".join(unheard),
            undeciphered_from=last.undeciphered_from if last is not None else "",
            instead=self._heard_instead_of(missing, since) if missing is not None else None,
        )

    def _heard_instead_of(self, missing: End, since: float) -> HeardDescription | None:
        samples = self.leg.received_since(since)
        voices = missing.voices_for(self)
        if len(samples) < _WORTH_HEARING_S * SAMPLE_RATE or not voices:
            return None
        return describe(samples, expected=voices, own={self.mark}, name_of=self._context.calls.name_of_mark)

    def digits(self, count: int, within: float) -> tuple[str, list[str], list[int | None]]:
        """Digits received so far, their methods and durations in ms, after waiting for ``count`` of them."""

        def arrived() -> list[DtmfReceived]:
            return [event for event in self.leg.events if isinstance(event, DtmfReceived)]

        with contextlib.suppress(NeverCame):
            self.leg.wait(f"{count} digits", lambda _: len(arrived()) >= count, within=within)
        found = arrived()
        return "".join(d.digit for d in found), [d.method for d in found], [d.duration_ms for d in found]


def marks_heard(leg: Leg, since: float = 0.0) -> list[int]:
    """Every mark that a leg heard after ``since``."""
    return [e.mark for e in leg.events if isinstance(e, MarkHeard) and e.at >= since]


def marks_sustained(leg: Leg, since: float = 0.0) -> list[int]:
    """The marks that were said again while they went on, so at least 200 ms later.

    Where one voice follows another, symbols of both with a lost packet between them can spell a third mark, once.
    """
    return [mark for mark, following in pairwise(marks_heard(leg, since)) if mark == following]


def _unheard(events: Sequence[Event], since: float) -> dict[str, int]:
    """RTP packets after ``since`` that the phone did not listen to, by where they came from."""
    foreign = [event for event in events if isinstance(event, ForeignRtp)]
    before = {event.source: event.packets for event in foreign if event.at < since}
    told = {event.source: event.packets for event in foreign}
    return {source: more for source, packets in told.items() if (more := packets - before.get(source, 0))}


def _fell_through(leg: Leg) -> bool:
    """Whether the call was refused, or given up, before anybody answered."""
    answered = any(isinstance(event, CallState) and event.state == "confirmed" for event in leg.events)
    return leg.state == "disconnected" and not answered


def reports_that_count(events: Iterable[Event]) -> list[FarEndReport]:
    """The reports that say how much of our stream has come.

    One without a block on it says that nothing has (RFC 3550 section 6.4.1) only from the source that named it last: another
    source of the same far end may report on no stream (RFC 8861), another party on others, and some far ends never name any.
    """
    found: list[FarEndReport] = []
    for report in events:
        if isinstance(report, FarEndReport) and (report.names_us or (found and report.reporter == found[-1].reporter)):
            found.append(report)
    return found


def counted_between(events: Iterable[Event], since: float, until: float) -> tuple[int, int] | None:
    """RTP packets sent between two moments (monotonic seconds), and of those the ones the far end has received by its own count.

    None where no report of that time counts.
    """
    told = [report for report in reports_that_count(events) if report.at <= until]
    later = [report for report in told if report.at >= since]
    if not later:
        return None
    before = next((report for report in reversed(told) if report.at < since), None)
    sent, received = (before.sent, before.received) if before else (0, 0)
    sent = later[-1].sent - sent
    return sent, min(sent, later[-1].received - received)  # what was on its way at the first came from before
