"""The findings of a case so far, and its evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from harness.case.check_table import check_named
from harness.case.checks.finding import excused, hindered, missed_by, not_observable, unproven
from harness.case.events import CallsRefused, Event, LegStarted, SipMessage, StrangerRefused
from harness.case.legs import EventLog
from harness.case.measurement import AnsweredBy, Landing, Measurement
from harness.case.verdict import Conclusion, Finding, Verdict
from harness.errors import BrokenError, ResourceError
from harness.report.recorder import CaseRecorder
from harness.support.stalls import Stall

#: A finding on an event's time is made this soon after the event.
_FOUND_WITHIN_S = 0.25
#: Requests that change or end a call (RFC 3261 sections 12.2, 14 and 15, RFC 3262, 3311, 3515 and
#: 6086).
_REQUESTS = ("ACK", "BYE", "INFO", "INVITE", "NOTIFY", "PRACK", "REFER", "UPDATE")
#: A processor wait of this length is audible: no jitter buffer hides it.
MISSED_S = 0.2
#: The share of a time in which audio may stand still on this machine and still be understood.
_MOST_STILL = 0.2
#: A stall this long spoils its whole case: time-outs expire meanwhile, at the platform as well.
_SPOILS_CASE_S = 1.0
#: How long after a shorter stall its effects last. RTP that was held up is made up for in seconds,
#: and both directions are late until then.
_LINGERS_S = 5.0
#: The share of a time that a process may wait for a processor and still keep pace with RTP.
_MOST_WAITED = 0.3


class Evidence:
    """Takes findings, events and steps of one case to its recorder."""

    def __init__(
        self,
        recorder: CaseRecorder,
        dispensable: Collection[str],
        fatal_error: Callable[[], BaseException | None],
    ) -> None:
        """``dispensable``: the checks the case may do without; ``fatal_error``: the part of the
        harness that has broken.
        """
        self._recorder = recorder
        self._dispensable = dispensable
        self._fatal_error = fatal_error
        self._notes: set[str] = set()
        #: How long, between two moments, the harness or its simulated world waited for a processor.
        self.starved: Callable[[float, float], float] = lambda begin, end: 0.0
        #: The longest such wait.
        self.starved_at_once: Callable[[float, float], float] = lambda begin, end: 0.0
        #: How long, in all, the audio of a softphone or of the simulated world stood still.
        self.stood_still: Callable[[float, float], float] = lambda begin, end: 0.0
        #: When, between two moments, each process of the case did not run.
        self.stalls: Callable[[float, float], list[list[Stall]]] = lambda begin, end: []
        #: The share of the time between two moments in which the worst of them waited for a
        #: processor.
        self.share_waited: Callable[[float, float], float] = lambda begin, end: 0.0
        #: Waits until stalls that are over by now are known.
        self.catch_up: Callable[[], None] = lambda: None
        self._began = time.monotonic()
        self._spoilt_s = 0.0  #: the longest stall that has spoilt a finding
        #: The agents of each group.
        self.agents: Mapping[str, Collection[str]] = {}
        #: Why the simulated system under test, if there is one, was unreliable in this case.
        self.world_fault: Callable[[], BaseException | None] = lambda: None

    @property
    def directory(self) -> Path:
        """Where the case's files go."""
        return self._recorder.directory

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found so far."""
        return self._recorder.outcome.findings

    @property
    def events(self) -> EventLog:
        """What was recorded so far."""
        return self._recorder.events

    @property
    def conclusion(self) -> Conclusion:
        """How the case would end now."""
        return self._recorder.outcome.conclusion

    def event(self, event: Event) -> None:
        """Record an event."""
        self._recorder.event(event)

    def add(self, finding: Finding, since: float | None = None) -> Finding:
        """Record a finding; ``since`` is from when its time runs, where it is made long after that
        is over.

        A failed finding becomes broken where the harness itself may be the reason: the harness
        waited for a processor for as long as the event was late; a process stalled; a softphone,
        the simulated world or background work had broken; the softphone that the missing call was for had no room; or a
        softphone ignored a request of its call.
        """
        if finding.verdict is Verdict.FAILED:
            self.catch_up()
        missed_s = missed_by(finding) if finding.verdict is Verdict.FAILED else None
        if missed_s is not None:
            begin = finding.at - missed_s - _FOUND_WITHIN_S if since is None else since
            starved_s = self.starved(
                begin, finding.at if since is None else since + finding.facts["seconds"]
            )
            if starved_s >= missed_s:
                finding = excused(finding, starved_s)
        if finding.verdict is Verdict.FAILED and (spoilt_s := self._spoilt(finding, since)):
            self._spoilt_s = max(self._spoilt_s, spoilt_s)
            finding = hindered(finding, spoilt_s)
        if finding.verdict is Verdict.FAILED:
            broke = (
                self._fatal_error()
                or self.world_fault()
                or self._no_room(finding)
                or self._not_obeyed(finding)
            )
            finding = (
                finding if broke is None else unproven(finding, str(broke) or type(broke).__name__)
            )
        if finding.check in self._dispensable:
            finding = replace(finding, dispensable=True)
        self._recorder.finding(finding)
        return finding

    def observe_as(self, other: Evidence) -> None:
        """Know of starvation and stalls as the other one does."""
        self.starved, self.starved_at_once = other.starved, other.starved_at_once
        self.stood_still, self.share_waited = other.stood_still, other.share_waited
        self.stalls, self.catch_up = other.stalls, other.catch_up

    def stalled_s(self, begin: float, end: float) -> float:
        """For how many seconds between two moments processes of the case did not run, added up."""
        return sum(stall.seconds for each in self.stalls(begin, end) for stall in each)

    def _spoilt(self, finding: Finding, since: float | None) -> float:
        """For how many seconds this machine was in the way of a failed finding; 0 if it was not.

        What a message says does not depend on it.
        """
        if check_named(finding.check).by_content:
            return 0.0
        if self._spoilt_s:  # what follows in the case may be a consequence
            return self._spoilt_s
        now = time.monotonic()
        every = [stall for each in self.stalls(self._began - _LINGERS_S, now) for stall in each]
        longest_s = max((stall.seconds for stall in every), default=0.0)
        if longest_s >= _SPOILS_CASE_S:
            return longest_s
        begin = finding.at - _span_s(finding) if since is None else since
        begin = max(begin, self._began) - _LINGERS_S
        waited_s = self.stalled_s(begin, now)
        if waited_s >= MISSED_S:
            return waited_s
        share = self.share_waited(begin, now)
        return share * (now - begin) if share > _MOST_WAITED else 0.0

    def unseen(
        self, check: str, subject: str, expected: str, why: str, measured: Measurement | None = None
    ) -> Finding:
        """Record that a check could not observe its subject, and why."""
        return self.add(
            not_observable(check, subject, expected=expected, why=why, measured=measured)
        )

    def add_of_said(
        self, finding: Finding, said: Sequence[tuple[float, float]], least_s: float = MISSED_S
    ) -> Finding:
        """Record a finding on audio that was due in one of these spans of time.

        A failed one is broken instead where the harness was kept, each time, from saying or hearing
        ``least_s`` of it at a stretch, or too large a share of it.
        """
        if finding.verdict is not Verdict.FAILED or not said:
            return self.add(finding)
        at_once_s = min(self.starved_at_once(begin, end) for begin, end in said)
        in_all = [(self.stood_still(begin, end), end - begin) for begin, end in said]
        if at_once_s >= least_s:
            finding = hindered(finding, at_once_s)
        # a time that was to begin after the end of the call has no length
        elif all(still_s > _MOST_STILL * max(0.0, seconds) for still_s, seconds in in_all):
            finding = hindered(finding, min(in_all)[0])
        return self.add(finding, since=min(begin for begin, _ in said))

    def _no_room(self, finding: Finding) -> ResourceError | None:
        if not check_named(finding.check).needs_call:
            return None
        refused = self.events.of(CallsRefused)
        meant = [event for event in refused if self._may_be_missed(event, finding)]
        if not meant:
            return None
        last = meant[-1]
        if last.why:
            return ResourceError(
                f"{last.phone} refused a call from {last.source}: 488, its stack does not know {last.why}"
            )
        return ResourceError(f"{last.phone} had no room for a call from {last.source}: 486")

    def _may_be_missed(self, refused: CallsRefused, finding: Finding) -> bool:
        """Whether the call that a phone had no room for may be the missing one."""
        measured = finding.measured
        if isinstance(measured, Landing):
            return refused.phone in (measured.wanted, *self.agents.get(measured.wanted, ()))
        if isinstance(measured, AnsweredBy):  # about the AI
            return all(refused.phone not in agents for agents in self.agents.values())
        legs = (event.at for event in self.events.of(LegStarted) if event.leg == finding.subject)
        if (began := next(legs, None)) is not None:
            return refused.at >= began
        return (
            finding.check not in ("phone.wait", "landing.turn") or refused.phone == finding.subject
        )

    def _not_obeyed(self, finding: Finding) -> BrokenError | None:
        """A request within the call was ignored: its address is not in the file, though its sender
        knew the call's tag.
        """
        if not check_named(finding.check).needs_request:
            return None
        about = {finding.subject, finding.speaker, finding.listener}
        refused = (
            e for e in self.events.of(StrangerRefused) if e.why == "address" and e.leg is not None
        )
        of_it = [
            e
            for e in refused
            if e.method in _REQUESTS and about & {e.leg, e.phone, f"{e.phone}'s leg"}
        ]
        if not of_it:
            return None
        last = of_it[-1]
        return BrokenError(
            f"{last.leg} did not act on {last.method} from {last.source}, which is none of the platform's addresses in the file"
        )

    def step(self, title: str) -> AbstractContextManager[None]:
        """A named part of the case."""
        return self._recorder.step(title)

    def scripted(self, seconds: float, why: str, *, began: float | None = None) -> None:
        """Time the case takes on purpose: it ``began`` then, or is over now."""
        self._recorder.scripted(seconds, why, began=began)

    def attach(self, name: str, file: Path) -> None:
        """Name a file in :attr:`directory` as evidence."""
        self._recorder.attach(name, file, "application/octet-stream")

    def note_once(self, text: str) -> None:
        """A note for the reader, recorded once even if several places add it."""
        if text not in self._notes:
            self._notes.add(text)
            self._recorder.note(text)

    def number(self, message: SipMessage) -> str:
        """The number a message has in every report; empty when it is not recorded."""
        return self._recorder.number(message) or ""


def _span_s(finding: Finding) -> float:
    """How long what a finding is about took, or was waited for."""
    facts = finding.facts
    seconds = [facts.get(name) or 0.0 for name in ("seconds", "limit_s", "within_s")]
    return max(*seconds, (facts.get("delay_ms") or 0.0) / 1000, _FOUND_WITHIN_S)
