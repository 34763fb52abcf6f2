"""The ends of a conversation, and what a leg of a harness phone hears: sounds, marks, digits,
pauses, and what arrived instead.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import classify
from harness.audio.describe import CLEAR, HeardDescription, describe, of_the_other_law
from harness.audio.dtmf import digits_in
from harness.audio.marks import PERIOD_SECONDS, SAMPLE_RATE
from harness.case.checks import reach
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Observation
from harness.case.checks.signalling import G711
from harness.case.events import (
    DtmfReceived,
    Event,
    Expected,
    FarEndReport,
    Listened,
    MarkHeard,
    RtpStatistics,
)
from harness.case.legs import SOUND_DBOV, E
from harness.case.model import CallMessage
from harness.phone.leg import Leg
from harness.phone.recording import ON_DISK_WITHIN_S
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext, CasePart
from harness.sip.message import Request
from harness.witness.call_record import CallRecord

#: A pause between two sentences, not between two words.
PAUSE_S: Final = 0.6
#: A far end that speaks longer without a pause is interrupted.
PAUSES_WITHIN_S: Final = 10.0
#: How much longer caller and agent may be kept apart while the platform tells the agent who calls,
#: or for whom.
WHISPER_S: Final = 10.0
#: A pulse of the listener describes the time since the last one.
PULSE_S: Final = 0.2
#: Silence after which it is the caller's turn: a greeting may be two sentences.
TURN_S: Final = 1.0
_WORD_PULSES: Final = 2  # one may be a click
_WORD_S: Final = 0.4  # a shorter sound may be a click
_WORTH_HEARING_S = 0.4  # shorter audio cannot be described
_JUDGED_BY_S = 0.35  # audio needed behind an unclear mark to tell why it is unclear; marks are reported each 0.2 s


class Digit(NamedTuple):
    """A digit that an end received."""

    digit: str
    method: str
    duration_ms: int | None  #: None where it is not known


class End(CasePart):
    """One end of a conversation. By default nothing can be seen of it: each kind of end overrides
    what can.
    """

    role: str  #: ``caller``, ``agent`` or ``ai``
    is_ours = False  #: whether it is a leg of a harness phone
    doubt_s = 0.0  #: how much earlier the call may have ended than :meth:`released_at` said last
    began: float  #: when it began, as far as that is known
    number: str | None = None  #: the number that it calls from
    peer: ListeningLeg | None = (
        None  #: the caller's call that it was taken for; None where it is one itself
    )

    @property
    def label(self) -> str:
        """The name that findings use."""
        raise NotImplementedError

    @property
    def legs(self) -> Sequence[Leg]:
        """The legs it has been, one after the other; none if it is at no harness phone."""
        return ()

    @property
    def invite_number(self) -> str:
        """The number that reports give to the INVITE that got here; empty when no harness phone saw
        it.
        """
        return ""

    @property
    def lag_s(self) -> float:
        """How much later than the call its state may be known."""
        return 0.0

    @property
    def is_blind(self) -> bool:
        """Whether the call's present state cannot be known."""
        return False

    @property
    def assistant(self) -> str | None:
        """The assistant that it is, where that is known."""
        return None

    @property
    def phone_name(self) -> str:
        """The deployment's name of its harness phone; empty if it is at none."""
        return ""

    @property
    def record(self) -> CallRecord | None:
        """The far end's record of the call; None for a leg of a harness phone, which has its own
        messages.
        """
        return None

    @property
    def invite(self) -> Request | None:
        """The INVITE that got here, or began the leg."""
        return None

    @property
    def arrival(self) -> CallMessage | None:
        """An AI's INVITE, with where it came from and to."""
        return None

    @property
    def codec(self) -> str | None:
        """The codec that SDP agreed on here."""
        return None

    def digits(self, count: int, within: float) -> Sequence[Digit] | None:
        """Digits received (waits for ``count`` of them); None where they are not shown."""
        return None

    def transfer_outcome(self, within: float) -> int | str | None:
        """The final status of an AI's transfer, or the words for its failure; 0 when none came,
        None when it is not shown.
        """
        return None

    def voices_for(self, peer: End) -> Collection[int]:
        """The marks by which ``peer`` can know it."""
        return ()

    def hears(self, speaker: End, since: float, deadline: float) -> Sound | None:
        """The first sign of ``speaker`` here after ``since``; None when there is none by
        ``deadline``.
        """
        return None

    def account(self, since: float, missing: End | None = None) -> ListenerReport | None:
        """A report of the audio that arrived here after ``since``, and of what was heard instead of
        ``missing``.
        """
        return None

    def answered_at(self) -> float | None:
        """When this end's call was set up."""
        return None

    def hang_up(self) -> float:
        """End the call; when it was ended."""
        raise NotImplementedError

    def keep_record(self) -> None:
        """Record what the far end's interface says last of the call, where it has one."""

    def released_at(self, deadline: float) -> float | None:
        """When this end's call ended; waits until ``deadline``; None when it is still up then."""
        return None

    def unseen(self, expected: Expected) -> Expected:
        """An expectation of what only a harness phone at this end could show."""
        return expected

    def is_up(self, ended: float | None) -> Expected:
        """The expectation that it is still up. ``ended``: what :meth:`released_at` said."""
        lasted_s = None if ended is None else ended - (self.answered_at() or ended)
        return reach.up.of(self.label, lasted_s)


class ListeningLeg(End):
    """A leg of a harness phone, and what it hears."""

    is_ours = True

    def __init__(self, context: CaseContext, leg: Leg) -> None:
        super().__init__(context)
        self.first_leg = leg  #: as it was dialled or received

    @property
    def legs(self) -> list[Leg]:
        """The leg, and the legs that replaced it when its phone followed a REFER, one after the
        other.

        A transfer that failed leaves the call as it was (RFC 5589 section 6.2).
        """
        legs = [self.first_leg]
        while (successor := legs[-1].successor) is not None and not _fell_through(successor):
            legs.append(successor)
        return legs

    @property
    def leg(self) -> Leg:
        """The leg it is now."""
        return self.legs[-1]

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
        """Wait for one of the speaker's marks, or for any sound if it has none."""
        voices = speaker.voices_for(self)
        if not voices:
            return self.hears_sound(since, deadline)
        return self._hears(lambda: speaker.voices_for(self), since, deadline)

    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self.leg.facts.is_over

    def hears_sound(self, since: float, deadline: float) -> Sound | None:
        """Wait for any sound, which does not show whose voice it is."""
        event = comes(
            self.leg, Listened, lambda pulse: pulse.level_dbov > SOUND_DBOV, deadline, since
        )
        if event is None:
            return None
        level = event.level_dbov
        return Sound(
            event.at,
            Observation.SOUND,
            f"sound at {self.label}, {level:.0f} dBov",
            level_dbov=level,
        )

    def hears_on(self, since: float, until: float, pauses_s: float) -> bool:
        """Whether any sound is heard between two moments, with no longer pauses than these."""
        sounds = [at for at in self.leg.facts.sounds(SOUND_DBOV) if since <= at <= until]
        if not sounds:
            return False
        moments = [since, *sounds, until]
        return all(later - earlier <= pauses_s for earlier, later in pairwise(moments))

    def hears_marks(self, marks: Collection[int], since: float, deadline: float) -> Sound | None:
        """Wait for one of ``marks``."""
        return self._hears(lambda: marks, since, deadline)

    def _hears(
        self, voices: Callable[[], Collection[int]], since: float, deadline: float
    ) -> Sound | None:
        # A transfer may fail during the wait: then the end is the leg it was before.
        leg = self.leg
        while event := comes(leg, MarkHeard, lambda e: e.mark in voices(), deadline, since):
            if event.quality >= CLEAR or not self._is_misread(leg, event, voices()):
                evidence = f"mark {event.mark} at {self.label}, {event.level_dbov:.0f} dBov, quality {event.quality:.2f}"
                return Sound(event.at, Observation.MARK, evidence, event.mark, event.level_dbov)
            since = event.at + _JUDGED_BY_S
        return None if self.leg is leg else self._hears(voices, since, deadline)

    def _is_misread(self, leg: Leg, heard: MarkHeard, voices: Collection[int]) -> bool:
        """Whether this mark is unclear because its payload is read by the wrong law of G.711, so
        that people hear noise.
        """
        if leg.codec.upper() not in G711:
            return False
        until = heard.at + _JUDGED_BY_S + ON_DISK_WITHIN_S

        def is_clear(mark: MarkHeard) -> bool:
            return mark.mark in voices and mark.quality >= CLEAR and mark.at <= until

        with self._evidence.timed("listening"):
            # a mark that was joined within a symbol is clear the next time
            if comes(leg, MarkHeard, is_clear, until, heard.at):
                return False
            began = heard.at - PERIOD_SECONDS
            samples = received_between(leg, began, heard.at + _JUDGED_BY_S)
            return of_the_other_law(samples, voices) is not None

    def wait_for_far_end_report(self, since: float, deadline: float) -> None:
        """Wait until the far end has reported by RTCP, or the time is over."""
        leg = self.leg
        comes(leg, FarEndReport, lambda e: e in leg.facts.reports_that_count, deadline, since)

    def account(self, since: float, missing: End | None = None) -> ListenerReport:
        """What arrived after ``since``, by events and by the recording."""
        facts = self.leg.facts
        pulses = facts.of(Listened)
        before = max((e.seconds for e in pulses if e.at < since), default=0.0)
        after = [e for e in pulses if e.at >= since]
        counters = facts.of(RtpStatistics)
        earlier = [e for e in counters if e.at < since]
        first = earlier[-1] if earlier else None
        last = counters[-1] if counters else None
        unheard = facts.rtp_unheard(since)

        def more(count: Callable[[RtpStatistics], int]) -> int | None:
            before = 0 if first is None else count(first)
            return None if last is None else count(last) - before

        return ListenerReport(
            seconds=max(0.0, max((e.seconds for e in after), default=before) - before),
            level_dbov=max((e.level_dbov for e in after), default=None),
            marks=tuple(facts.marks_sustained(since)),
            rx_packets=more(lambda counted: counted.rx_packets),
            rx_other_type=more(lambda counted: counted.rx_other_type) or 0,
            tx_packets=more(lambda counted: counted.tx_packets),
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
        return describe(
            samples, expected=voices, own={self.mark}, name_of=self._context.calls.name_of_mark
        )

    def digits(self, count: int, within: float) -> Sequence[Digit]:
        """Digits received so far, after waiting for ``count`` of them.

        Where none came as an event or an INFO, those that the audio has as tones.
        """

        def arrived() -> list[DtmfReceived]:
            return self.leg.facts.of(DtmfReceived)

        until = time.monotonic() + within
        comes(self.leg, DtmfReceived, lambda _: len(arrived()) >= count, until)
        if found := arrived():
            return [Digit(one.digit, one.method, one.duration_ms) for one in found]
        tones = digits_in(self.leg.received_since(0.0))
        return [Digit(one.digit, "inband", round(1000 * one.duration)) for one in tones]


def comes(
    leg: Leg,
    kind: type[E],
    predicate: Callable[[E], bool],
    deadline: float,
    since: float = 0.0,
    *,
    outlives_call: bool = False,
) -> E | None:
    """The first event of that kind since ``since`` for which ``predicate`` holds; None where none
    comes by ``deadline``, or before the call ends (see :meth:`Leg.wait`).
    """
    within = max(0.0, deadline - time.monotonic())
    with contextlib.suppress(NeverCame):
        return leg.wait_for(
            kind,
            kind.__name__,
            predicate,
            within,
            since,
            outlives_call=outlives_call,
            tells=False,
        )
    return None


def _fell_through(leg: Leg) -> bool:
    """Whether the call was refused, or given up, before anybody answered."""
    return leg.state == "disconnected" and leg.facts.answered_at is None


# -- whether the far end is speaking, so that the caller does not interrupt it


def wait_for_pause(leg: Leg, within: float = PAUSES_WITHIN_S) -> bool:
    """Wait until the far end pauses; False when it did not. A mark is not speech.

    What was heard just before counts as well, so that a pause which is there already is not waited
    for again; one that is over does not.
    """
    silent_since: float | None = None

    def pauses(event: Listened) -> bool:
        nonlocal silent_since
        if leg.facts.is_speech(event):
            silent_since = None
        elif silent_since is None:
            silent_since = event.at
        if silent_since is None or event.at - silent_since < PAUSE_S - PULSE_S:
            return False
        return event is leg.facts.last(Listened)  # the pause is not over already

    now = time.monotonic()
    return comes(leg, Listened, pauses, now + within, now - PAUSE_S) is not None


def wait_for_speech(leg: Leg, since: float, within: float) -> bool:
    """Whether the far end speaks within ``within`` seconds after ``since`` (``time.monotonic()``)."""

    def speaks(pulse: Listened) -> bool:
        return pulse.at >= since + PULSE_S and leg.facts.is_speech(pulse)

    return comes(leg, Listened, speaks, since + within, since) is not None


def wait_for_greeting(leg: Leg, since: float, within: float) -> None:
    """Wait until the far end has spoken and paused, for ``within`` seconds after ``since`` if it
    says nothing.

    A harness phone's mark ends the wait: its phone answered in place of the AI.
    """

    def is_over(event: Event) -> bool:
        if isinstance(event, MarkHeard):
            return True
        if not isinstance(event, Listened) or event is not leg.facts.last(Listened):
            return False
        pulses = (e for e in leg.facts.of(Listened) if e.at > since)
        spoken = [pulse.at for pulse in pulses if leg.facts.is_speech(pulse)]
        if len(spoken) < _WORD_PULSES:
            return event.at >= since + within
        return event.at - spoken[-1] >= TURN_S

    comes(leg, Event, is_over, time.monotonic() + within + PAUSES_WITHIN_S, since)


def received_between(leg: Leg, since: float, until: float) -> NDArray[np.int16]:
    """What a leg received between two moments, at 8 kHz."""
    return leg.received_since(since)[: max(0, round((until - since) * SAMPLE_RATE))]


def last_words_to(leg: Leg, since: float, until: float | None = None) -> float:
    """When speech was last heard between two moments; ``since`` if there was none. Marks and music
    are not speech.
    """
    heard = leg.received_since(since) if until is None else received_between(leg, since, until)
    last_s = 0.0
    for span in classify(heard):
        if span.kind == "speech" and span.ended - span.began > _WORD_S:
            last_s = max(last_s, span.ended)
    return since + last_s
