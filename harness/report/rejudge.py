"""A stored run judged again by today's checks, verdict and diagnosis (``harness report RUN
--rejudge``).

A finding is made again from what it was made from, as ``events.jsonl`` has it; the verdict and the
diagnosis follow from the findings. What the evidence does not hold is taken from the record, and
the reason is given. Words are not compared.

:func:`judged_with` derives a case's findings, verdict and diagnosis from its evidence together with
files that others made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, cast

from typing_extensions import TypedDict

from harness.case.checks.registry import adjust_again, compares_numbers, make_again
from harness.case.events import Event, FileEvent, to_plain
from harness.case.events import from_plain as event_from_plain
from harness.case.verdict import Asked, CaseOutcome, Conclusion, Finding, Trouble, Verdict
from harness.deployment import from_plain as deployment_from_plain
from harness.diagnosis import diagnose
from harness.diagnosis.catalogue import Confidence
from harness.diagnosis.result import DiagnosisDocument
from harness.errors import MistakeError
from harness.report.case_document import (
    ADDED_VERSION,
    CASE,
    DEPLOYMENT,
    AddedEvidence,
    CaseLog,
    MadeFrom,
)
from harness.report.evidence import CaseEvidence
from harness.report.file_evidence import FileEvidence
from harness.report.run_directory import each
from harness.support.files import json_file
from harness.support.mask import fill_plain, mask_plain

#: Why a finding, or a diagnosis, is taken from the record.
LIVE: Final = "made from what only the run could see"
MASKED: Final = "numbers are masked"
NO_SUCH_CHECK: Final = "no such check any more"
UNFIT: Final = "today's check does not take what was recorded"
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
    directories = [path.parent for path in sorted((run / "cases").glob(f"*/{CASE}"))]
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
    evidence = CaseEvidence.read(directory)
    again = _Again(evidence)
    findings = [*again.findings()]
    conclusion = again.conclusion(findings)
    causes = again.causes([found for found in findings if found is not None], conclusion)
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


def judged_with(directory: Path, added: Sequence[FileEvent], notes: Sequence[str]) -> AddedEvidence:
    """A case with what files that others made show of it; only findings that these are about are
    made again.
    """
    evidence = CaseEvidence.read(directory, with_added=False)
    again, files = _Again(evidence, added), FileEvidence(evidence, added)
    findings: list[Finding] = []
    judged: dict[str, Any] = {}
    for place, (recorded, made_from) in enumerate(
        zip(evidence.findings, evidence.log.made_from, strict=True)
    ):
        asked = files.asked(recorded, made_from.asked)
        found = (
            again.made(recorded, MadeFrom(asked, made_from.adjusted)) if asked is not None else None
        )
        findings.append(found or recorded)
        if found is not None:
            judged[str(place)] = found.plain() | {"asked": asked, "adjusted": made_from.adjusted}
    end = evidence.case.get("end")
    if end is not None:
        conclusion = again.conclusion(findings)
        diagnosis = again.diagnosis(findings, conclusion)
        end = {
            **end,
            "verdict": conclusion.verdict,
            "message": conclusion.message,
            "diagnosis": diagnosis,
        }
    mask = mask_plain if evidence.case.get("mask") else lambda plain: plain
    events = [
        mask(plain) | {"sha256": plain["sha256"]} for plain in map(to_plain, added)
    ]  # its digits are no number
    reported = mask({"findings": judged, "end": end, "notes": [*notes]})
    return cast("AddedEvidence", {"version": ADDED_VERSION, "events": events, **reported})


class _Again:
    """One case, judged again, with events that were ``added`` since."""

    def __init__(self, evidence: CaseEvidence, added: Sequence[FileEvent] = ()) -> None:
        self._evidence = evidence
        self._log: CaseLog = evidence.log
        self._masked = bool(evidence.case.get("mask"))
        #: The plain data with a zero for each masked digit.
        self._fill: Callable[[Any], Any] = fill_plain if self._masked else lambda plain: plain
        self._events = (
            [*map(_filled, self._log.recorded)] if self._masked else [*self._log.recorded]
        )
        self._events += added
        place = {id(event): index for index, event in enumerate(self._log.recorded)}
        self._by_number = {m.number: self._events[place[id(m.event)]] for m in self._log.messages}
        self.taken: Counter[str] = Counter()  #: from the record, by reason
        self.notes: list[str] = []

    def findings(self) -> Iterator[Finding | None]:
        """Each finding as it is made now; None where today's check makes none."""
        for recorded, made_from in zip(self._evidence.findings, self._log.made_from, strict=True):
            why, found = self._why_not(made_from), None
            if not why:
                try:
                    found = self.made(recorded, made_from)
                except (LookupError, TypeError, ValueError) as error:
                    why = f"{UNFIT}: {made_from.asked['by']}: {error}"
            if why:
                self.taken[why] += 1
            yield Finding.from_plain(self._fill(recorded.plain())) if why else found

    def _why_not(self, made_from: MadeFrom) -> str:
        if made_from.asked is None:
            return LIVE
        try:
            return MASKED if self._masked and compares_numbers(made_from.asked["by"]) else ""
        except KeyError:
            return NO_SUCH_CHECK

    def made(self, recorded: Finding, made_from: MadeFrom) -> Finding | None:
        """The finding as it is made now; None where today's check makes none."""
        finding = make_again(self._asked(made_from.asked))
        if finding is None:
            return None
        for adjusted in made_from.adjusted if finding.verdict is not Verdict.PASSED else ():
            finding = adjust_again(finding, self._asked(adjusted))
        return replace(finding, at=recorded.at, dispensable=recorded.dispensable)

    def _asked(self, plain: Mapping[str, Any]) -> Asked:
        return Asked(plain["by"], self._resolved(self._fill(plain["given"])))

    def _resolved(self, value: Any) -> Any:
        """The value, with each reference to an event replaced by that event."""
        match value:
            case {"event": reference, **others} if not others:
                if isinstance(reference, str):
                    return self._by_number[reference]
                is_line = isinstance(reference, int)
                return self._events[reference] if is_line else event_from_plain(dict(reference))
            case Mapping():
                return {key: self._resolved(item) for key, item in value.items()}
            case list():
                return [self._resolved(item) for item in value]
        return value

    def conclusion(self, findings: Sequence[Finding | None]) -> Conclusion:
        """The verdict by these findings, and by what else went wrong."""
        outcome = CaseOutcome([finding for finding in findings if finding is not None])
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
        return replace(
            trouble, verdict=now.verdict if now.verdict is not Verdict.PASSED else Verdict.BROKEN
        )

    def causes(self, findings: Sequence[Finding], conclusion: Conclusion) -> tuple[NamedCause, ...]:
        """What today's diagnosis names."""
        found = self.diagnosis(findings, conclusion)
        return _causes(self._evidence.diagnosis if self.notes else found["causes"] if found else ())

    def diagnosis(
        self, findings: Sequence[Finding], conclusion: Conclusion
    ) -> DiagnosisDocument | None:
        """Today's diagnosis; None for a case that did not fail, or, with a note, one whose
        deployment is unknown.
        """
        if conclusion.verdict is not Verdict.FAILED:
            return None
        try:
            deployment = deployment_from_plain(
                self._fill(json_file.read(self._evidence.directory / DEPLOYMENT))
            )
        except (OSError, ValueError) as error:
            why = (
                NO_DEPLOYMENT
                if isinstance(error, OSError)
                else f"the deployment cannot be read: {error}"
            )
            self.notes.append(f"diagnosis taken from the record: {why}")
            return None
        numbers = {id(event): number for number, event in self._by_number.items()}
        case = self._fill(self._evidence.case)
        found = diagnose(
            case,
            findings,
            self._events,
            deployment,
            number_of=lambda message: numbers.get(id(message), ""),
        )
        return found.to_plain()


def _filled(event: Event) -> Event:
    """The event with a zero for each masked digit; figures that were masked as numbers are, are
    figures again.
    """
    changed: dict[str, Any] = {}
    for one in fields(event):
        value = getattr(event, one.name)
        filled = fill_plain(value) if isinstance(value, str | dict) else value
        if filled != value:
            changed[one.name] = int(filled) if one.type == "int" else filled
    return replace(event, **changed) if changed else event


def _failed(findings: Iterable[Finding | None]) -> tuple[str, ...]:
    failed = (
        finding.check
        for finding in findings
        if finding is not None and finding.verdict is Verdict.FAILED
    )
    return tuple(dict.fromkeys(failed))


def _causes(plain: Iterable[Mapping[str, Any]]) -> tuple[NamedCause, ...]:
    names = NamedCause.__annotations__
    return tuple(
        cast("NamedCause", {name: cause[name] for name in names if name in cause})
        for cause in plain
    )


def _differences(
    recorded: Judgement, now: Judgement, before: Sequence[Finding], after: Sequence[Finding | None]
) -> Iterator[Difference]:
    if recorded.verdict is not now.verdict:
        yield Difference("verdict", str(recorded.verdict), str(now.verdict))
    for old, new in zip(before, after, strict=True):
        if new is None or new.verdict is not old.verdict:
            yield Difference(
                f"{old.check} of {old.subject}",
                str(old.verdict),
                str(new.verdict) if new else "not made",
            )
    if recorded.causes != now.causes:
        yield Difference("causes", _worded(recorded.causes), _worded(now.causes))


def _worded(causes: Sequence[NamedCause]) -> str:
    """``a (certain, provider), b (possible, customer)``; a candidate cannot be told from the one
    before it.
    """
    words = []
    for cause in causes:
        text = ", ".join(str(cause[name]) for name in ("confidence", "owner") if cause.get(name))
        alone = " as one of several" if cause.get("candidate") else ""
        words.append(f"{cause.get('id')}{f' ({text})' if text else ''}{alone}")
    return ", ".join(words) or "none"
