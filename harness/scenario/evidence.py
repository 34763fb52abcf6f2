"""The findings of a case so far, and its evidence."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from typing_extensions import TypedDict, Unpack

from harness.case.checks.finding import as_raised, unseen
from harness.case.events import Expected, FarEndRecord, Lost, MachineAsked, Span
from harness.case.excuses import MachineInLog
from harness.case.judge import Agents, Judge
from harness.case.measurement import Measurement
from harness.case.recorder import CaseRecorder
from harness.case.verdict import CaseOutcome, Conclusion, ExpectationError, Finding


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
    ) -> None:
        """``dispensable``: the checks the case may do without; ``fatal_error``: the part of the
        harness that has broken; ``agents``: the agents of each group.
        """
        self._recorder = recorder
        self._outcome = recorder.outcome
        self.directory = recorder.directory  #: where the case's files go
        self.events = recorder.events  #: what was recorded so far
        self.event = recorder.event
        self.step = recorder.step
        self.scripted = recorder.scripted
        self.attach = recorder.attach
        self.number = recorder.number
        self._dispensable = dispensable
        self._fatal_error = fatal_error
        self.agents = agents or {}
        self._began: float | None = None  #: of one call among several
        self._judge = Judge(recorder.events, self, self.agents, recorder.began)
        self._is_caught_up = False
        self._notes: set[str] = set()
        #: What the case's processes were kept from between two moments.
        self.kept_from: Callable[[float, float], MachineAsked] = _nothing
        #: Waits until stalls that are over by now are known.
        self.catch_up: Callable[[], None] = lambda: None
        #: Why the simulated system under test, if there is one, was unreliable in this case.
        self.world_fault: Callable[[], BaseException | None] = lambda: None

    def of_call(self, outcome: CaseOutcome, began: float) -> Evidence:
        """The same for one call among several, which ``began`` then: the findings and the
        conclusion are its own.
        """
        own = copy.copy(self)
        own._outcome, own._began = outcome, began
        own._judge = Judge(self.events, own, self.agents, self._recorder.began)
        return own

    @property
    def findings(self) -> Sequence[Finding]:
        """What was found so far."""
        return self._outcome.findings

    def found(self, check: str, *subjects: str) -> list[Finding]:
        """What was found so far of a check, about these subjects or about any."""
        found = [finding for finding in self.findings if finding.check == check]
        if subjects:
            found = [finding for finding in found if finding.subject in subjects]
        return found

    @property
    def conclusion(self) -> Conclusion:
        """How the case would end now."""
        return self._outcome.conclusion

    def record(self, phone: str, source: str, record: dict[str, Any]) -> None:
        """Keep what the interface of a far end, or a probe, said."""
        self.event(FarEndRecord(at=time.monotonic(), phone=phone, source=source, record=record))

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
            expected = replace(expected, dispensable=True)
            finding = replace(finding, dispensable=True)
        self._recorder.event(expected)
        self._recorder.finding(finding)
        if self._outcome is not self._recorder.outcome:
            self._outcome.add(finding)
        return finding

    def asked(self, began: float, ended: float) -> MachineAsked:
        """What the case's processes were kept from between two moments; recorded if it is anything."""
        if not self._is_caught_up:
            self._is_caught_up = True
            self.catch_up()
        found = self.kept_from(began, ended)
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

    def raised(self, finding: Finding) -> Finding:
        """Record the finding that an exception carried, as the judge has it."""
        return self.expect(as_raised(finding))

    def ended_by(self, error: BaseException) -> None:
        """Record the finding that an error carries, unless it is; the judge may change it, if the
        harness was the reason.
        """
        if isinstance(error, ExpectationError) and error.finding not in self.findings:
            error.finding = self.raised(error.finding)

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

    @contextmanager
    def timed(self, why: str) -> Iterator[None]:
        """The body takes its time on purpose."""
        began = time.monotonic()
        yield
        self.scripted(time.monotonic() - began, why, began=began)

    def note_once(self, text: str) -> None:
        """A note for the reader, recorded once even if several places add it."""
        if text not in self._notes:
            self._notes.add(text)
            self._recorder.note(text)


def _nothing(began: float, ended: float) -> MachineAsked:
    return MachineAsked(at=ended, began=began, ended=ended)


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
