"""A stored run judged again by today's checks, verdict and diagnosis (``harness report RUN
--rejudge``).

The log alone decides: findings are made of its expectations and events, the verdict and the
diagnosis of the findings. Only what depends on masked telephone numbers is taken from the record.
Words are not compared.

:func:`judged_with` derives a case's findings, verdict and diagnosis from its evidence together with
files that others made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, cast

from typing_extensions import TypedDict

from harness.case.checks.registry import registered
from harness.case.events import FileEvent, to_plain
from harness.case.judge import Judged
from harness.case.log import ADDED_VERSION, DEPLOYMENT
from harness.case.verdict import CaseOutcome, Conclusion, Finding, Trouble, Verdict
from harness.deployment import from_plain as deployment_from_plain
from harness.diagnosis import diagnose
from harness.diagnosis.catalogue import Confidence
from harness.diagnosis.result import DiagnosisDocument
from harness.errors import MistakeError
from harness.report.case_document import AddedEvidence
from harness.report.evidence import CaseEvidence, PlainCause
from harness.report.file_evidence import FileEvidence
from harness.report.processes import each
from harness.report.run_directory import case_directories
from harness.support.files import json_file
from harness.support.mask import fill_plain, mask_plain

#: Why a finding, or a diagnosis, is taken from the record.
MASKED: Final = "numbers are masked"
UNFIT: Final = "today's checks do not take what was recorded"
NO_DEPLOYMENT: Final = "the evidence lacks the deployment"


class NamedCause(TypedDict, total=False):
    """A cause, as far as two judgements are compared by it."""

    id: str
    confidence: Confidence
    owner: str
    candidate: bool


@dataclass(frozen=True)
class Judgement:
    """What is said of a case: as recorded, or now."""

    verdict: Verdict
    failed: tuple[str, ...]  #: the checks that failed, each once
    causes: tuple[NamedCause, ...]  #: the likeliest first


@dataclass(frozen=True)
class Difference:
    """One thing that is judged otherwise now."""

    what: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.recorded} → {self.now}"


@dataclass(frozen=True)
class Rejudged:
    """One attempt at a case."""

    directory: str  #: the name of the case's directory
    case: str
    recorded: Judgement
    now: Judgement
    differences: tuple[Difference, ...]
    made_again: int  #: findings that were made again
    from_the_record: Mapping[str, int]  #: why findings were taken from the record, and how many
    notes: tuple[str, ...]  #: what else was taken from the record


@dataclass(frozen=True)
class Totals:
    """All cases together."""

    cases: int
    differing: int
    made_again: int  #: findings
    from_the_record: Mapping[str, int]  #: why findings were taken from the record, and how many


class RejudgeDocument(TypedDict):
    """What ``harness report RUN --rejudge --json`` prints."""

    cases: list[Rejudged]
    totals: Totals


def rejudge(run: Path) -> list[Rejudged]:
    """Every case of a run, attempts included, by the names of their directories. Raises
    :class:`MistakeError` for what is no case's evidence.
    """
    directories = case_directories(run)
    if not directories:
        raise MistakeError(f"{run}: no cases in it. Name a run's directory, e.g. reports/latest.")
    return list(each(_rejudged, directories))


def totals(cases: Iterable[Rejudged]) -> Totals:
    """Figures of all cases together."""
    cases = list(cases)
    taken: Counter[str] = Counter()
    for case in cases:
        taken.update(case.from_the_record)
    return Totals(
        cases=len(cases),
        differing=sum(bool(case.differences) for case in cases),
        made_again=sum(case.made_again for case in cases),
        from_the_record=dict(taken),
    )


def _rejudged(directory: Path) -> Rejudged:
    """Judge one attempt again, and compare with its record."""
    evidence = CaseEvidence.read(directory)
    again = _Again(evidence)
    findings = again.findings()
    conclusion = again.conclusion(findings)
    causes = again.causes(_made(findings), conclusion)
    recorded = Judgement(evidence.verdict, _failed(evidence.findings), _causes(evidence.diagnosis))
    now = Judgement(conclusion.verdict, _failed(findings), causes)
    return Rejudged(
        directory=directory.name,
        case=evidence.id,
        recorded=recorded,
        now=now,
        differences=tuple(_differences(recorded, now, evidence.findings, findings)),
        made_again=len(findings) - sum(again.taken.values()),
        from_the_record=dict(again.taken),
        notes=tuple(again.notes),
    )


def findings_by_log(evidence: CaseEvidence) -> list[Finding]:
    """The findings of a case as its log has them; those that need masked numbers as recorded."""
    again = _Again(evidence)
    return _made(again.findings())


def judged_with(directory: Path, added: Sequence[FileEvent], notes: Sequence[str]) -> AddedEvidence:
    """A case with what files that others made show of it."""
    evidence = CaseEvidence.read(directory, with_added=False)
    again = _Again(evidence, added)
    findings = _made(again.findings())
    end = evidence.case.get("end")
    if end is not None:
        conclusion = again.conclusion(findings)
        end = {
            **end,
            "verdict": conclusion.verdict,
            "message": conclusion.message,
            "diagnosis": again.diagnosis(findings, conclusion),
            "findings": [found.plain() for found in findings],
        }
    judged = {"end": end, "notes": [*notes]}
    events = [to_plain(event) for event in added]
    if evidence.case.get("mask"):
        judged = mask_plain(judged)
        # the digits of a digest are no number
        events = [mask_plain(plain) | {"sha256": plain["sha256"]} for plain in events]
    return cast("AddedEvidence", {"version": ADDED_VERSION, "events": events, **judged})


class _Again:
    """One case, judged again, with the events that files of others have added, or ``added`` now."""

    def __init__(self, evidence: CaseEvidence, added: Sequence[FileEvent] = ()) -> None:
        self._evidence = evidence
        self._added = added
        self._files = FileEvidence(evidence, [*evidence.log.added, *added])
        self._masked = bool(evidence.case.get("mask"))
        #: The plain data with a zero for each masked digit.
        self._fill: Callable[[Any], Any] = fill_plain if self._masked else lambda plain: plain
        self.taken: Counter[str] = Counter()  #: from the record, by reason
        self.notes: list[str] = []

    def findings(self) -> list[Finding | None]:
        """Each finding as it is made now, beside the recorded ones; None where today's check makes
        none.
        """
        evidence = self._evidence
        judged = [*evidence.log.judged(evidence.case, changed=self._files.expected)]
        found: list[Finding | None] = []
        for one, recorded in zip_longest(judged, evidence.findings):
            why = self._why_not(one)
            if not why:
                found.append(one.finding)
                continue
            self.taken[why] += 1
            found.append(None if recorded is None else self._filled(recorded))
        return found

    def _why_not(self, one: Judged | None) -> str:
        """Why it is taken from the record; empty where it is judged anew."""
        if one is None:
            return UNFIT
        if one.error:
            return f"{UNFIT}: {one.error}"
        by_numbers = self._masked and registered(one.expected.check).compares_numbers
        return MASKED if by_numbers and not one.is_changed else ""

    def _filled(self, recorded: Finding) -> Finding:
        return Finding.from_plain(self._fill(recorded.plain()))

    def conclusion(self, findings: Sequence[Finding | None]) -> Conclusion:
        """The verdict by these findings, and by what else went wrong."""
        outcome = CaseOutcome(_made(findings))
        end = self._evidence.case.get("end")
        if end is None:
            outcome.worker_died()
            return outcome.conclusion
        troubles = [self._trouble(plain, findings) for plain in end["troubles"]]
        return CaseOutcome(outcome.findings, troubles).conclusion

    def _trouble(self, plain: Mapping[str, Any], findings: Sequence[Finding | None]) -> Trouble:
        """What ended the case early; by a finding that came out otherwise now, it does so too."""
        trouble = Trouble(Verdict(plain["verdict"]), plain["message"], plain["finding"])
        if trouble.finding is None:
            return trouble
        recorded, now = self._evidence.findings[trouble.finding], findings[trouble.finding]
        if now is None or now.verdict is recorded.verdict:
            return trouble
        # a case that ends early by a finding that passed is broken
        verdict = Verdict.BROKEN if now.verdict is Verdict.PASSED else now.verdict
        return replace(trouble, verdict=verdict)

    def causes(self, findings: Sequence[Finding], conclusion: Conclusion) -> tuple[NamedCause, ...]:
        """What today's diagnosis names."""
        found = self.diagnosis(findings, conclusion)
        if self.notes:
            return _causes(self._evidence.diagnosis)
        return _causes(found["causes"]) if found else ()

    def diagnosis(
        self, findings: Sequence[Finding], conclusion: Conclusion
    ) -> DiagnosisDocument | None:
        """Today's diagnosis; None for a case that did not fail, or, with a note, one whose
        deployment is unknown.
        """
        if conclusion.verdict is not Verdict.FAILED:
            return None
        try:
            plain = json_file.read(self._evidence.directory / DEPLOYMENT)
            deployment = deployment_from_plain(self._fill(plain))
        except (OSError, ValueError) as error:
            why = f"the deployment cannot be read: {error}"
            if isinstance(error, OSError):
                why = NO_DEPLOYMENT
            self.notes.append(f"diagnosis taken from the record: {why}")
            return None
        log = self._evidence.log
        events = log.filled if self._masked else log.recorded
        numbers = {id(event): number for number, event in log.by_number(events).items()}
        found = diagnose(
            self._fill(self._evidence.case),
            findings,
            [*events, *self._added],
            deployment,
            number_of=lambda message: numbers.get(id(message), ""),
        )
        return found.to_plain()


def _made(findings: Iterable[Finding | None]) -> list[Finding]:
    return [finding for finding in findings if finding is not None]


def _failed(findings: Iterable[Finding | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding.check for finding in _made(findings) if finding.failed))


def _causes(plain: Iterable[PlainCause]) -> tuple[NamedCause, ...]:
    found = []
    for cause in plain:
        known = {name: cause[name] for name in NamedCause.__annotations__ if name in cause}
        found.append(cast("NamedCause", known))
    return tuple(found)


def _differences(
    recorded: Judgement, now: Judgement, before: Sequence[Finding], after: Sequence[Finding | None]
) -> Iterator[Difference]:
    """What is judged otherwise: the verdict, findings in their order, the causes."""
    if recorded.verdict is not now.verdict:
        yield Difference("verdict", str(recorded.verdict), str(now.verdict))
    for old, new in zip_longest(before, after):
        if old is None:
            yield Difference("findings", f"{len(before)}", f"{len(after)}")
            return
        if new is None or new.verdict is not old.verdict:
            now_said = str(new.verdict) if new else "not made"
            yield Difference(f"{old.check} of {old.subject}", str(old.verdict), now_said)
    if recorded.causes != now.causes:
        yield Difference("causes", _worded(recorded.causes), _worded(now.causes))


def _worded(causes: Sequence[NamedCause]) -> str:
    """``a (certain, provider), b (possible, customer)``; a candidate cannot be told from the one
    before it.
    """
    words = []
    for cause in causes:
        said = str(cause.get("id"))
        known = [cause.get("confidence"), cause.get("owner")]
        if any(known):
            said += f" ({', '.join(map(str, filter(None, known)))})"
        if cause.get("candidate"):
            said += " as one of several"
        words.append(said)
    return ", ".join(words) or "none"
