"""One attempt at a case: what it found, how it ended, and what is written of that."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from harness.calls.checks.finding import excused, missed_by
from harness.calls.events import PhoneLost
from harness.calls.verdict import CaseOutcome, Conclusion, ExpectationError, Verdict
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.result import DiagnosisDocument
from harness.errors import ResourceError
from harness.finding_kinds import AUDIO_TO_AI
from harness.integrations.matrix import Case
from harness.report import responsiveness
from harness.report.evidence import CaseEvidence
from harness.report.recorder import CaseRecorder
from harness.run.plugin.leases import Leased
from harness.run.plugin.starvation import LATE_S, monitor

if TYPE_CHECKING:
    from harness.deployment import Deployment

_GUESSED: Final = (
    "A call of this case, or of a case running beside it, showed a number that did not identify its case: the case is run again "
    "alone, and that result counts."
)
_STARVED: Final = (
    "This attempt says nothing of who was called: this machine kept the harness waiting. The case is run again, up to "
    "twice, when it has, and that counts."
)
_BEREFT: Final = (
    "This attempt says nothing of who was called: a softphone's process died in it. The case is run again, once, and that "
    "counts; what passes then is marked as passed on retry."
)
_BUSY: Final = "Audio and timings may have suffered from that; fewer cases at once (-n) would show."


@dataclass
class Attempt:
    """What is known of it while it runs, and how it ends."""

    case: Case
    leased: Leased
    number: int = 1
    more_attempts: int = 0  #: that may follow this one
    more_if_starved: int = 2  #: that may follow where this one says nothing, for want of a processor
    more_if_bereft: int = 1  #: where this one broke, and a softphone's process has died in it
    recorder: CaseRecorder | None = None
    outcome: CaseOutcome = field(default_factory=CaseOutcome)
    conclusion: Conclusion | None = None  #: once the case is closed
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    late_s: float = 0.0  #: how late this process was woken at worst
    guessed: bool = False  #: whether a call was this case's by a guess, so that it is run again alone

    @property
    def replica(self) -> Deployment:
        """The deployment, as the case has it."""
        return self.leased.replica

    @property
    def is_tried_again(self) -> bool:
        """Whether it ended so that another attempt follows."""
        if self.conclusion is None:
            return False
        asked_for = self.more_attempts > 0 and self.conclusion.may_be_retried
        return self.guessed or self.is_starved or self.is_bereft or asked_for

    @property
    def is_starved(self) -> bool:
        """Whether it is repeated because this machine had no processor for it."""
        return self.more_if_starved > 0 and self.outcome.is_starved

    @property
    def is_bereft(self) -> bool:
        """Whether it is repeated because a softphone's process died: by a fault of pjsip's own, as a rule, which comes once."""
        if self.more_if_bereft == 0 or self.recorder is None or self.outcome.conclusion.verdict is not Verdict.BROKEN:
            return False
        return any(isinstance(event, PhoneLost) for event in self.recorder.events)

    @property
    def next(self) -> Attempt:
        """The one that follows."""
        after = Attempt(
            self.case, self.leased, self.number + 1, self.more_attempts, self.more_if_starved, self.more_if_bereft
        )
        if self.guessed:
            return after
        if self.is_starved:
            return replace(after, more_if_starved=after.more_if_starved - 1)
        if self.is_bereft:
            return replace(after, more_if_bereft=after.more_if_bereft - 1)
        return replace(after, more_attempts=after.more_attempts - 1)

    @property
    def told(self) -> DiagnosisDocument | None:
        """The diagnosis as the evidence has it; None when there is none."""
        return self.diagnosis.to_plain() if self.diagnosis.headline else None

    def raised(self, error: BaseException) -> None:
        """Take into account what ended a part of the case, and record the finding it carries."""
        new = isinstance(error, ExpectationError) and error.finding not in self.outcome.findings
        if new and self.recorder is not None and self.conclusion is None:
            with contextlib.suppress(ResourceError):  # a full disk is raised again when the case is closed
                self.recorder.finding(error.finding)  # type: ignore[attr-defined]  # it is an ExpectationError
        self.outcome.raised(error)

    def close(self) -> None:
        """Decide how the case ended, and write it down."""
        recorder = self.recorder
        if recorder is not None:
            self.late_s = monitor().take_lateness()
            self._hold_to_manners(recorder)
        conclusion = self.conclusion = self.outcome.conclusion
        if recorder is None:
            return
        if self.late_s >= LATE_S:
            recorder.note(f"This machine was busy: the harness was woken up to {self.late_s:.1f} s late. {_BUSY}")
        if self.guessed:
            recorder.note(_GUESSED)
            recorder.guessed()
        if self.is_starved:
            recorder.note(_STARVED)
        elif self.is_bereft:
            recorder.note(_BEREFT)
        if conclusion.verdict is Verdict.FAILED:
            self.diagnosis = diagnose(
                self.case.plain(),
                self.outcome.findings,
                recorder.events,
                self.replica,
                number_of=lambda sent: recorder.number(sent) or "",
            )
        recorder.close(conclusion.verdict, conclusion.message, self.told)

    def _hold_to_manners(self, recorder: CaseRecorder) -> None:
        """What the voice agent took too long for, by the limits of its deployment, in the calls that are held to its voice.

        Only now are the recordings whole. A case that broke shows nothing.
        """
        if AUDIO_TO_AI not in self.case.required_findings or self.outcome.conclusion.verdict is Verdict.BROKEN:
            return
        for finding in responsiveness.findings(CaseEvidence.read(recorder.directory), self.replica.manners):
            late = missed_by(finding) if finding.verdict is Verdict.FAILED else None
            recorder.finding(excused(finding, self.late_s) if late is not None and late <= self.late_s else finding)

    def amend(self) -> Conclusion:
        """The conclusion, written anew where a plugin around ours, or our own writing of it, has raised since the case was closed."""
        conclusion = self.outcome.conclusion
        if conclusion != self.conclusion and self.recorder is not None:
            # That may be what was raised: without an end the case reads as broken too.
            with contextlib.suppress(ResourceError):
                self.recorder.amend(conclusion.verdict, conclusion.message, self.told)
        self.conclusion = conclusion
        return conclusion
