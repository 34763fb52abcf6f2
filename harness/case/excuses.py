"""Excuses: when a failed finding is the fault of the harness, of its machine, or of a stranger's
call, and not of the system under test.

One pass, in this order: strangers call there too; a phone of the harness was mute; this machine was
too busy; a part of the harness broke; a phone had no room for the call, or did not act on its
request. What a message says (``by_content``) does not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, Protocol

from harness.case.check_table import check_named
from harness.case.checks.audio import is_late
from harness.case.checks.registry import registered
from harness.case.events import (
    CallsRefused,
    Expected,
    LegStarted,
    Lost,
    MachineAsked,
    MediaState,
    RtpStatistics,
    StrangerRefused,
)
from harness.case.legs import EventLog, LegEvents
from harness.case.measurement import AnsweredBy, Direction, Duration, Landing, Loss
from harness.case.verdict import Finding, Strength, Verdict

#: A stall of this length is audible: no jitter buffer hides it.
MISSED_S: Final = 0.2
#: A finding on an event's time is made this soon after the event.
_FOUND_WITHIN_S: Final = 0.25
#: The share of a time in which audio may stand still on this machine and still be understood.
_MOST_STILL: Final = 0.2
#: The share of a time in which the harness may wait for a processor, and words still be understood.
_MOST_STARVED: Final = 0.2
#: A stall this long spoils its whole case: time-outs expire meanwhile, at the platform as well.
_SPOILS_CASE_S: Final = 1.0
#: How long after a shorter stall its effects last. RTP that was held up is made up for in seconds,
#: and both directions are late until then.
_LINGERS_S: Final = 5.0
#: The share of a time that a process may wait for a processor and still keep pace with RTP.
_MOST_WAITED: Final = 0.3
#: The largest share of a stream's time without a processor for which the stream is still to blame.
_MOST_OF_STREAM: Final = 0.1
#: A pause that had no processor for this share of it says nothing about the stream's source.
_MOST_OF_PAUSE: Final = 0.5
#: The cause of a pause may have begun this long before: a packet is missed only after the one before.
_NOTICED_S: Final = 0.06
#: Shorter times without a packet come from how packets are counted.
_MUTE_S: Final = 1.0
_TOO_LATE: Final = "in the time it was too late"
#: A shorter wait is shown by its first digit.
_SHOWN_S: Final = 0.01
#: Requests that change or end a call (RFC 3261 sections 12.2, 14 and 15, RFC 3262, 3311, 3515 and
#: 6086).
_REQUESTS: Final = ("ACK", "BYE", "INFO", "INVITE", "NOTIFY", "PRACK", "REFER", "UPDATE")


class Machine(Protocol):
    """The state of this machine and of the harness: observed while a case runs, and read from its
    log later.
    """

    def asked(self, began: float, ended: float) -> MachineAsked:
        """What the case's processes were kept from between two moments."""
        ...

    def lost(self) -> str:
        """The part of the harness, or of its simulated world, that has broken; empty: none."""
        ...


class MachineInLog:
    """The answers that a log has."""

    def __init__(self, events: EventLog) -> None:
        self._events = events

    def lost(self) -> str:
        """By the newest :class:`~harness.case.events.Lost`."""
        newest = self._events.last(Lost)
        return newest.what if newest is not None else ""

    def asked(self, began: float, ended: float) -> MachineAsked:
        """The recorded answer; an idle machine where nothing was recorded."""
        recorded = reversed(self._events.of(MachineAsked))
        found = next((one for one in recorded if (one.began, one.ended) == (began, ended)), None)
        return found or MachineAsked(at=ended, began=began, ended=ended)


class Excuses:
    """The excuses of one case.

    ``agents``: the agents of each group. ``began``: when the case began.
    """

    def __init__(
        self,
        events: EventLog,
        machine: Machine,
        agents: Mapping[str, Collection[str]],
        began: float,
    ) -> None:
        self._events = events
        self._machine = machine
        self._agents = agents
        self._began = began
        self._spoilt_s: dict[float, float] = {}  #: what has spoilt a case, by its beginning

    def applied(self, finding: Finding, expected: Expected) -> Finding:
        """The finding, or what is left of it where it is excused."""
        if expected.words_due is not None and _is_not_understood(finding):
            began, ended = expected.words_due
            starved_s = self._machine.asked(began, ended).starved_s
            if starved_s > _MOST_STARVED * (ended - began):
                return _starved(finding, "meanwhile", starved_s)
        if not finding.failed:
            return finding
        finding = self._strangers(finding, expected)
        return finding if not finding.failed else self._of_harness(finding, expected)

    def _of_harness(self, finding: Finding, expected: Expected) -> Finding:
        if isinstance(finding.measured, Loss) and expected.sound_due:
            finding = self._loss(finding, expected)
        for excuse in (self._mute, self._late, self._not_due, self._spoilt):
            if finding.failed:
                finding = excuse(finding, expected)
        if finding.failed:
            why = self._machine.lost() or self._no_room(finding) or self._not_obeyed(finding)
            finding = _broken(finding, f"the harness itself had broken: {why}") if why else finding
        return finding

    # -- a stranger's call

    def _strangers(self, finding: Finding, expected: Expected) -> Finding:
        """Not observable: the finding rests on calls that may be strangers' calls."""
        shown = expected.strangers
        if shown is None:
            return finding
        what = (
            f"shows {', '.join(shown)}, which may be a stranger's" if shown else "shows no number"
        )
        actual = (
            f"not observable: {finding.actual}; but strangers call there too, and the call {what}"
        )
        return replace(
            finding, verdict=Verdict.NOT_OBSERVABLE, actual=actual, strength=Strength.UNKNOWN
        )

    # -- a busy machine

    def _late(self, finding: Finding, expected: Expected) -> Finding:
        """The event came late, but the harness was kept waiting at least as long."""
        missed_s = missed_by(finding)
        if missed_s is None:
            return finding
        if check_named(finding.check).held is not None:  # when its time ran is not known
            whole = self._machine.asked(self._began_of(expected), expected.at)
            kept_s = max(whole.starved_at_once_s, whole.stalled_s)
            return _starved(finding, _TOO_LATE, kept_s) if kept_s >= missed_s else finding
        if expected.since is None:
            began, ended = finding.at - missed_s - _FOUND_WITHIN_S, finding.at
        else:
            began, ended = expected.since, expected.since + finding.facts["seconds"]
        starved_s = self._machine.asked(began, ended).starved_s
        if starved_s < missed_s:
            return finding
        return _starved(finding, _TOO_LATE, starved_s)

    def _not_due(self, finding: Finding, expected: Expected) -> Finding:
        """Sound was due, and the harness was kept, each time, from sending or hearing a part of it."""
        if not expected.sound_due or isinstance(finding.measured, Loss):
            return finding
        asked = [self._machine.asked(began, ended) for began, ended in expected.sound_due]
        at_once_s = min(one.starved_at_once_s for one in asked)
        if at_once_s >= (MISSED_S if expected.least_s is None else expected.least_s):
            return _starved(finding, "meanwhile", at_once_s)
        # a time that was to begin after the end of the call has no length
        if all(one.stood_still_s > _MOST_STILL * max(0.0, one.ended - one.began) for one in asked):
            return _starved(finding, "meanwhile", min(one.stood_still_s for one in asked))
        return finding

    def _spoilt(self, finding: Finding, expected: Expected) -> Finding:
        """A process stalled in the time of the finding or shortly before, or waited for a processor
        for most of it; or it stalled long enough to spoil the case.
        """
        check, measured = check_named(finding.check), finding.measured
        # no stall makes a second source, or timestamps that stand still
        as_sent = isinstance(measured, Loss) and (measured.turns or measured.still)
        if check.by_content or check.held is not None or as_sent:
            return finding
        began = self._began_of(expected)
        spoilt_s = self._spoilt_s.get(began) or self._stalled_s(finding, expected)
        self._spoilt_s[began] = spoilt_s  # what follows in the case may be a consequence
        return _starved(finding, "meanwhile", spoilt_s) if spoilt_s else finding

    def _stalled_s(self, finding: Finding, expected: Expected) -> float:
        case_began = self._began_of(expected)
        whole = self._machine.asked(case_began - _LINGERS_S, expected.at)
        if whole.longest_stall_s >= _SPOILS_CASE_S:
            return whole.longest_stall_s
        since = expected.since
        if since is None and expected.sound_due:
            since = min(began for began, _ in expected.sound_due)
        begin = finding.at - _span_s(finding) if since is None else since
        begin = max(begin, case_began) - _LINGERS_S
        meanwhile = self._machine.asked(begin, expected.at)
        if meanwhile.stalled_s >= MISSED_S:
            return meanwhile.stalled_s
        share = meanwhile.share_waited
        return share * (expected.at - begin) if share > _MOST_WAITED else 0.0

    def _began_of(self, expected: Expected) -> float:
        return self._began if expected.began is None else expected.began

    def _loss(self, finding: Finding, expected: Expected) -> Finding:
        """What no process could send or take in its turn is lost, late, or missing."""
        (began, ended), *pauses = expected.sound_due
        whole = self._machine.asked(began, ended)
        measured = finding.measured
        assert isinstance(measured, Loss)
        counted = expected.given.get("statistics")
        if counted is not None and is_late(counted):
            still_s = max(whole.starved_s, whole.stood_still_s)
            is_ours = still_s >= counted.rx_late * counted.packet_s
            return _starved(finding, "meanwhile", still_s) if is_ours else finding
        if measured.spanned_s is None:
            return finding
        if whole.starved_s > _MOST_OF_STREAM * measured.spanned_s:
            return _starved(finding, "meanwhile", whole.starved_s)
        starved_s = [self._machine.asked(b - _NOTICED_S, e).starved_s for b, e in pauses]
        theirs = [
            1000 * (e - b)
            for (b, e), starved in zip(pauses, starved_s, strict=True)
            if starved < _MOST_OF_PAUSE * (e - b)
        ]
        if len(theirs) == len(pauses):
            return finding
        without = registered(expected.check).judged({**expected.given, "paused_ms": theirs})
        if without is not None and without.failed:
            return replace(without, at=finding.at, dispensable=finding.dispensable)
        return _starved(finding, "meanwhile", sum(starved_s))

    # -- a phone of the harness

    def _mute(self, finding: Finding, expected: Expected) -> Finding:
        """Somebody was not heard, and a harness phone at one of the ends sent nothing: a phone whose
        audio has stopped neither speaks nor hears.
        """
        since = expected.given.get("since")
        if not isinstance(finding.measured, Direction) or since is None:
            return finding
        for leg in (finding.speaker, finding.listener):
            if (mute_s := longest_mute_s(self._leg(leg), since, expected.at)) >= _MUTE_S:
                what = f"{leg}, a phone of the harness, sent no RTP packet for {mute_s:.1f} s"
                return _broken(finding, what)
        return finding

    def _leg(self, leg: str) -> LegEvents:
        kinds = (*self._events.of(RtpStatistics), *self._events.of(MediaState))
        return LegEvents(event for event in kinds if event.leg == leg)

    def _no_room(self, finding: Finding) -> str:
        """A phone refused a call that may be the missing one."""
        if not check_named(finding.check).needs_call:
            return ""
        meant = [
            event for event in self._events.of(CallsRefused) if self._may_be_missed(event, finding)
        ]
        if not meant:
            return ""
        last = meant[-1]
        if last.why:
            return f"{last.phone} refused a call from {last.source}: 488, its stack does not know {last.why}"
        return f"{last.phone} had no room for a call from {last.source}: 486"

    def _may_be_missed(self, refused: CallsRefused, finding: Finding) -> bool:
        measured = finding.measured
        if isinstance(measured, Landing):
            return refused.phone in (measured.wanted, *self._agents.get(measured.wanted, ()))
        if isinstance(measured, AnsweredBy):  # about the AI
            return all(refused.phone not in agents for agents in self._agents.values())
        legs = (e.at for e in self._events.of(LegStarted) if e.leg == finding.subject)
        if (began := next(legs, None)) is not None:
            return refused.at >= began
        return (
            finding.check not in ("phone.wait", "landing.turn") or refused.phone == finding.subject
        )

    def _not_obeyed(self, finding: Finding) -> str:
        """A request within the call was ignored: its address is not in the file, though its sender
        knew the call's tag.
        """
        if not check_named(finding.check).needs_request:
            return ""
        about = {finding.subject, finding.speaker, finding.listener}
        of_it = [
            event
            for event in self._events.of(StrangerRefused)
            if event.why == "address" and event.leg is not None and event.method in _REQUESTS
            if about & {event.leg, event.phone, f"{event.phone}'s leg"}
        ]
        if not of_it:
            return ""
        last = of_it[-1]
        return f"{last.leg} did not act on {last.method} from {last.source}, which is none of the platform's addresses in the file"


def missed_by(finding: Finding) -> float | None:
    """The delay beyond the limit, in seconds. None if the event came in time, or never."""
    measured = finding.measured
    if not isinstance(measured, Duration) or measured.seconds is None or measured.limit_s is None:
        return None
    return measured.seconds - measured.limit_s if measured.seconds > measured.limit_s else None


def longest_mute_s(leg: LegEvents, since: float, until: float) -> float:
    """The longest time between two moments in which a leg whose media was to flow both ways made no
    RTP packet, in seconds.

    pjmedia makes one for each frame, 20 to 60 ms of it, of silence as well (its detection of voices
    is off); none on hold.
    """
    counted = [event for event in leg.of(RtpStatistics) if since <= event.at <= until]
    media = leg.of(MediaState)
    longest, began = 0.0, None
    for one, two in pairwise(counted):
        if two.tx_offered != one.tx_offered or not _was_to_send(media, one.at, two.at):
            began = None
            continue
        began = one.at if began is None else began
        longest = max(longest, two.at - began)
    return longest


def _was_to_send(media: Sequence[MediaState], begin: float, end: float) -> bool:
    before = [state for state in media if state.at <= begin]
    return (
        bool(before)
        and before[-1].active
        and before[-1].direction == "sendrecv"
        and not any(begin < state.at <= end for state in media)
    )


def _span_s(finding: Finding) -> float:
    """How long what a finding is about took, or was waited for."""
    facts = finding.facts
    seconds = [facts.get(name) or 0.0 for name in ("seconds", "limit_s", "within_s")]
    return max(*seconds, (facts.get("delay_ms") or 0.0) / 1000, _FOUND_WITHIN_S)


def _is_not_understood(finding: Finding) -> bool:
    """Whether words were missing. Missing packets are another matter."""
    unheard = isinstance(finding.measured, Direction) and finding.measured.kind == "unheard"
    return finding.verdict is Verdict.NOT_OBSERVABLE or (finding.failed and unheard)


def _starved(finding: Finding, when: str, starved_s: float) -> Finding:
    waited = f"{starved_s:.2f}" if starved_s >= _SHOWN_S else f"{starved_s:.1g}"
    broken = _broken(finding, f"{when} this machine kept the harness waiting for {waited} s")
    return replace(broken, starved_s=starved_s)


def _broken(finding: Finding, why: str) -> Finding:
    """The finding as broken. The reason goes into the first line, which most views show; a log may
    follow it.
    """
    first, *log = finding.actual.split("\n", 1)
    actual = "\n".join([f"{first}; but {why.splitlines()[0]}", *log])
    return replace(finding, verdict=Verdict.BROKEN, actual=actual)
