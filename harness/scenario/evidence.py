"""The findings of a case so far, and its evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from typing_extensions import TypedDict, Unpack

from harness.case.checks.finding import as_raised, unseen
from harness.case.events import Event, Expected, Lost, MachineAsked, SipMessage, Span
from harness.case.excuses import MachineInLog
from harness.case.judge import Agents, Judge
from harness.case.legs import EventLog
from harness.case.measurement import Measurement
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Conclusion, Finding
from harness.support.stalls import Stall


class Terms(TypedDict, total=False):
    """Fields of :class:`~harness.case.events.Expected`: what may excuse a failure."""

    since: float | None
    sound_due: Sequence[Span]
    least_s: float | None
    strangers: Sequence[str] | None


class Evidence:
    """Takes expectations, events and steps of one case to its recorder, and has them judged."""

    def __init__(
        self,
        recorder: CaseRecorder,
        dispensable: Collection[str],
        fatal_error: Callable[[], BaseException | None],
        agents: Agents | None = None,
        began: float | None = None,
    ) -> None:
        """``dispensable``: the checks the case may do without; ``fatal_error``: the part of the
        harness that has broken; ``agents``: the agents of each group; ``began``: when the call of
        a load began that this is the evidence of.
        """
        self._recorder = recorder
        self._dispensable = dispensable
        self._fatal_error = fatal_error
        self.agents = agents or {}
        self._began = began
        self._judge = Judge(recorder.events, self, self.agents, recorder.began)
        self._is_caught_up = False
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

    def expect(self, expected: Expected, **terms: Unpack[Terms]) -> Finding:
        """State what is expected, and have it judged: the finding."""
        found = self.expect_if(expected, **terms)
        assert found is not None, f"{expected.check} makes no finding"
        return found

    def expect_if(self, expected: Expected, **terms: Unpack[Terms]) -> Finding | None:
        """The same of a check that may have nothing to say."""
        expected = replace(expected, began=self._began, **terms)
        self._is_caught_up = False
        finding = self._judge.finding(expected)
        if finding is None:
            return None
        if finding.check in self._dispensable:
            expected, finding = (
                replace(expected, dispensable=True),
                replace(finding, dispensable=True),
            )
        self._recorder.event(expected)
        self._take(finding)
        return finding

    def _take(self, finding: Finding) -> None:
        self._recorder.finding(finding)

    def asked(self, began: float, ended: float) -> MachineAsked:
        """What the case's processes were kept from between two moments; recorded if it is anything."""
        if not self._is_caught_up:
            self._is_caught_up = True
            self.catch_up()
        stalls = [stall.seconds for each in self.stalls(began, ended) for stall in each]
        found = MachineAsked(
            at=time.monotonic(),
            began=began,
            ended=ended,
            stalled_s=sum(stalls),
            longest_stall_s=max(stalls, default=0.0),
            starved_s=self.starved(began, ended),
            starved_at_once_s=self.starved_at_once(began, ended),
            stood_still_s=self.stood_still(began, ended),
            share_waited=self.share_waited(began, ended),
        )
        if not found.is_idle:
            self._recorder.event(found)
        return found

    def lost(self) -> str:
        """The part of the harness, or of its simulated world, that has broken; recorded if the log
        says otherwise: a phone that stood still works again.
        """
        broke = self._fatal_error() or self.world_fault()
        what = ""
        if broke is not None:
            what = (str(broke) or type(broke).__name__).splitlines()[0]
        if what != MachineInLog(self.events).lost():
            self._recorder.event(Lost(at=time.monotonic(), what=what))
        return what

    def observe_as(self, other: Evidence) -> None:
        """Know of starvation and stalls as the other one does."""
        self.starved, self.starved_at_once = other.starved, other.starved_at_once
        self.stood_still, self.share_waited = other.stood_still, other.share_waited
        self.stalls, self.catch_up = other.stalls, other.catch_up

    def stalled_s(self, begin: float, end: float) -> float:
        """For how many seconds between two moments processes of the case did not run, added up."""
        return sum(stall.seconds for each in self.stalls(begin, end) for stall in each)

    def raised(self, finding: Finding) -> Finding:
        """Record the finding that an exception carried, as the judge has it."""
        return self.expect(as_raised(finding))

    def unseen(
        self,
        check: str,
        subject: str,
        expected: str,
        why: str,
        measured: Measurement | None = None,
    ) -> Finding:
        """Record that a check could not observe its subject, and why."""
        return self.expect(unobserved(check, subject, expected, why, measured))

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


def unobserved(
    check: str,
    subject: str,
    expected: str,
    why: str,
    measured: Measurement | None = None,
    evidence: Sequence[str] = (),
) -> Expected:
    """The expectation of a check that could not observe its subject, and why."""
    plain = None if measured is None else measured.plain()
    return unseen.of(check, subject, expected, why, plain, evidence)
