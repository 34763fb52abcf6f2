"""Each row of each deployment: what its cases prove, what is not proved, and who answers for that,
until when.

Waivers are a TOML file::

    [[waiver]]
    row = "ROW-ID"                   # as the document has it
    deployment = "acme-talkdesk"     # only where the run has several
    who = "Jane Doe, Head of Operations"
    why = "The trunk is enlarged to 30 calls on 1 December."
    until = 2026-12-31               # the last day on which it counts, at most a year ahead
"""

from __future__ import annotations

import datetime
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from harness.case.verdict import Strength, Verdict, overall
from harness.errors import MistakeError
from harness.finding_kinds import RequiredFindings, kinds_of
from harness.report.callfacts import ANSWER, JITTER, LOSS, answer_times, worst_figures
from harness.report.causes import doubt
from harness.report.coverage import ProvedClaim, claims, words_of
from harness.report.evidence import CaseEvidence, CaseKey
from harness.report.markup import number_of, seen_of
from harness.report.rejudge import findings_by_log
from harness.report.scope import DeploymentScope, RowScope, Scope, each_once
from harness.support import toml_model
from harness.support.model_words import instead

NOT_RUN, PARTLY_RUN, NOT_APPLICABLE = "not run", "partly run", "not applicable"
#: Who may be the AI. A file names Synthflow by its table; that of another vendor's voice agent has
#: none (``docs/any-sbc.md``).
STAND_IN, SYNTHFLOW, UNNAMED = "stand-in", "synthflow", "a voice agent"
_WORST_FIRST = (Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_OBSERVABLE)


#: The longest time from today to ``until``: a waiver is reviewed once a year.
MOST_DAYS = 366

#: Letters to Unicode, and shown as nothing: the fillers of Hangul.
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")


def _readable(text: str) -> str:
    for sign in text:
        is_letter = unicodedata.category(sign).startswith("L")
        if is_letter and sign not in _INVISIBLE_LETTERS:
            return text
    raise ValueError("has no letter that can be seen; allowed: words")


_Words = Annotated[str, Field(min_length=1), AfterValidator(_readable)]


class Waiver(BaseModel):
    """One row somebody answers for."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    row: Annotated[str, Field(min_length=1)]
    deployment: str = ""
    who: _Words
    why: _Words
    until: datetime.date

    @property
    def what(self) -> str:
        """The row, with its deployment where one is named."""
        return f"{self.row} of {self.deployment}" if self.deployment else self.row

    def covers(self, deployment: str, row: str) -> bool:
        """Whether it speaks of that row."""
        return self.row == row and self.deployment in ("", deployment)

    def expired(self, today: datetime.date) -> bool:
        """Whether it counts no more."""
        return today > self.until


class WaiverFile(BaseModel):
    """A file of waivers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    waiver: tuple[Waiver, ...] = ()


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a file. Raises :class:`MistakeError` with a line for each mistake."""
    return toml_model.load(path, WaiverFile).waiver


def check_waivers(
    waivers: Iterable[Waiver], rows: Iterable[tuple[str, str]], path: Path, *, today: datetime.date
) -> None:
    """Raise :class:`MistakeError` for each waiver of an unknown row, and each that ends later than
    ``MOST_DAYS`` after ``today``.
    """
    known = list(rows)
    latest = today + datetime.timedelta(days=MOST_DAYS)
    lines = []
    for waiver in waivers:
        if not any(waiver.covers(deployment, row) for deployment, row in known):
            lines.append(f"{path}: waiver of {waiver.what}: {_unknown(waiver, known)}")
        if waiver.until > latest:
            late = f"until {waiver.until} is too far ahead"
            allowed = f"allowed: {latest} at the latest ({MOST_DAYS} days from today)"
            lines.append(f"{path}: waiver of {waiver.what}: {late}; {allowed}")
    if lines:
        raise MistakeError("\n".join(lines))


def _unknown(waiver: Waiver, known: Iterable[tuple[str, str]]) -> str:
    having = {deployment for deployment, row in known if row == waiver.row}
    if having:
        names = ", ".join(sorted(having))
        return f"in this run no deployment of that name has the row; allowed: {names}"
    rows = {row for _, row in known}
    return f"no such row in this run{instead(waiver.row, rows, 'harness rows')}"


@dataclass(frozen=True, kw_only=True)
class JudgedCase:
    """One case as the document counts it."""

    case: CaseEvidence
    verdict: Verdict
    contradiction: str = ""  #: what its record says and its events do not bear out


@dataclass(frozen=True, kw_only=True)
class RowResult:
    """One row of one deployment."""

    deployment: str
    scope: RowScope
    verdict: str
    why: str = ""  #: why it did not run, or not completely
    passed: int = 0
    run: int = 0
    of: int = 0  #: how many cases it has; of several sites, with what each ran or lost
    strength: Strength | None = None  #: the weakest with which the audio of a passed case is known
    figures: tuple[str, ...] = ()
    claims: tuple[ProvedClaim, ...] = ()  #: what was seen in the cases that passed, and by what
    #: What was excused from being seen → in how many cases.
    unseen: Mapping[str, int] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    ais: Mapping[str, int] = field(default_factory=dict)  #: who was the AI → in how many cases
    waiver: Waiver | None = None

    @property
    def short(self) -> bool:
        """Whether something of it is not proved that the acceptance rests on.

        A row of practice may be left out, but not one of its cases alone: the others would speak
        for it.
        """
        if self.verdict in (Verdict.PASSED, NOT_APPLICABLE):
            return False
        if self.verdict == NOT_RUN or not (self.scope.cases or self.run):
            return self.scope.documented or self.scope.demanded
        return True

    @property
    def blocks(self) -> bool:
        """Whether something is not proved and has no waiver."""
        return self.short and self.waiver is None


def judge(case: CaseEvidence, required: RequiredFindings, *, by_log: bool) -> JudgedCase:
    """The case's verdict, by its own record and by its findings: the record is believed where it
    says the worse of the two. ``by_log``: by what its log says as well.

    A case does not pass on audio of which nothing is known, whatever strength its deployment asks
    for.
    """
    if not case.passed:
        return JudgedCase(case=case, verdict=case.verdict)
    verdict, but = _derived(case, required, by_log=by_log)
    contradiction = f"{case.id}: recorded as passed, but {but}" if but else ""
    return JudgedCase(case=case, verdict=verdict, contradiction=contradiction)


def _derived(
    case: CaseEvidence, required: RequiredFindings, *, by_log: bool
) -> tuple[Verdict, str]:
    """The verdict of a case that is recorded as passed, and what contradicts that."""
    found = overall(case.findings)
    if not case.findings:
        return found, "it has no findings"
    if found is not Verdict.PASSED:
        return found, f"its findings say {found}"
    if by_log:
        of_log = overall(findings_by_log(case))
        if of_log is not Verdict.PASSED:
            return of_log, f"its events say {of_log}"
    kinds = kinds_of(case.findings)
    for kind, least in required.items():
        seen = kind.count(kinds)
        if seen < least:
            return Verdict.NOT_OBSERVABLE, f"it looked {seen} of {least} times at {kind}"
    for finding in case.findings:
        if finding.verdict is Verdict.PASSED and finding.strength is Strength.UNKNOWN:
            return Verdict.NOT_OBSERVABLE, ""
    return Verdict.PASSED, ""


def results(
    scope: Scope,
    judged: Sequence[JudgedCase],
    planned: Iterable[CaseKey],
    waivers: Sequence[Waiver],
) -> tuple[RowResult, ...]:
    """A result for each row of each deployment, those of the guide first."""
    by_row: dict[tuple[str, str], list[JudgedCase]] = {}
    for one in judged:
        by_row.setdefault((one.case.deployment, one.case.row), []).append(one)
    expected = set(planned)
    found = []
    for deployment in each_once(scope.deployments):
        for row in deployment.rows:
            own = by_row.get((deployment.name, row.row), [])
            found.append(_result(deployment, row, own, expected, scope, waivers))
    return tuple(sorted(found, key=lambda one: (one.deployment, not one.scope.documented)))


def _result(
    deployment: DeploymentScope,
    row: RowScope,
    judged: Sequence[JudgedCase],
    planned: set[CaseKey],
    scope: Scope,
    waivers: Sequence[Waiver],
) -> RowResult:
    """One row of one deployment. ``judged`` are its cases; a planned one that is not among them
    left no result.
    """
    run = {one.case.key for one in judged}
    known = set(row.cases)
    lost = [case for site, case in planned - run if case in known]
    asked = {case for _, case in planned | run}
    left = [case for case in row.cases if case not in asked]
    verdict, why = _verdict(row, judged, lost, left)
    passed = [one.case for one in judged if one.verdict is Verdict.PASSED]
    contradictions = [one.contradiction for one in judged if one.contradiction]
    covering = (waiver for waiver in waivers if waiver.covers(deployment.name, row.row))
    return RowResult(
        deployment=deployment.name,
        scope=row,
        verdict=verdict,
        why=why,
        passed=len(passed),
        run=len(run),
        of=max(len(row.cases), len(run) + len(lost)),
        strength=min(_strengths(passed), default=None),
        figures=tuple(figures([one.case for one in judged])),
        claims=claims(passed),
        unseen=_unseen(passed),
        causes=(*_causes(judged), *contradictions),
        ais=Counter(ai_of(one.case, scope) for one in judged),
        waiver=next(covering, None),
    )


def ai_of(case: CaseEvidence, scope: Scope) -> str:
    """Who was the AI: :data:`STAND_IN`, :data:`SYNTHFLOW`, or, where the deployment's file does not
    name it, :data:`UNNAMED`.
    """
    if case.axes.get("ai") == STAND_IN:
        return STAND_IN
    for one in scope.deployments:
        if one.name == case.deployment and SYNTHFLOW in one.content:
            return SYNTHFLOW
    return UNNAMED


def _causes(judged: Iterable[JudgedCase]) -> Iterable[str]:
    """Why cases did not pass, each cause once and as surely as one of them has it; the verdict
    stands beside it.
    """
    found: dict[object, tuple[int, str]] = {}
    for one in judged:
        if one.verdict is Verdict.PASSED or one.contradiction:
            continue
        words = one.case.headline.removeprefix(f"{one.verdict}: ")
        cause = one.case.first_cause.get("id") or words
        if cause not in found or doubt(one.case) < found[cause][0]:
            found[cause] = doubt(one.case), words
    return [words for _, words in found.values()]


def _verdict(
    row: RowScope, judged: Sequence[JudgedCase], lost: Sequence[str], left: Sequence[str]
) -> tuple[str, str]:
    """The row's verdict and the reason. ``lost`` cases were planned and left no result; ``left``
    were not asked for.
    """
    verdicts = {one.verdict for one in judged}
    why = ""
    if lost:
        verdicts.add(Verdict.BROKEN)
        why = f"{number_of(len(lost), 'planned case')} left no result"
    for worst in _WORST_FIRST:
        if worst in verdicts:
            return worst, why
    if not row.cases:
        kind = row.reason.kind if row.reason else "lacking"
        if kind == "not observable":
            return Verdict.NOT_OBSERVABLE, row.why
        is_lacking = kind == "lacking" and not row.demanded
        return (NOT_APPLICABLE if is_lacking else NOT_RUN), row.why
    if left:
        if verdicts:
            return PARTLY_RUN, f"{len(left)} of {len(row.cases)} cases left out"
        if len(row.cases) == 1:
            return NOT_RUN, "its case was not asked for"
        return NOT_RUN, f"none of its {len(row.cases)} cases was asked for"
    return Verdict.PASSED, "; ".join(row.not_now)


def narrowing(options: Mapping[str, Any]) -> str:
    """The options that made the run smaller than the deployment, as they were given."""
    words = []
    for name in ("row", "transport", "auth", "codec", "ai"):
        words += [f"--{name} {value}" for value in options.get(name) or ()]
    if keyword := options.get("keyword"):
        words.append(f"-k '{keyword}'")
    if last_failed := options.get("last_failed"):
        words.append(f"--last-failed of {last_failed}")
    return ", ".join(words)


def _strengths(cases: Iterable[CaseEvidence]) -> list[Strength]:
    """How strongly each finding about audio is known that something rests on; what a platform's
    report tells is no audio.
    """
    found = []
    for case in cases:
        for finding in case.findings:
            topic, _, _ = finding.check.partition(".")
            if topic != "audio" or finding.verdict is not Verdict.PASSED:
                continue
            if finding.strength is not None:
                found.append(finding.strength)
    return found


def _unseen(cases: Iterable[CaseEvidence]) -> dict[str, int]:
    """What passed cases were excused from seeing, with the reason → in how many cases."""
    counts: Counter[str] = Counter()
    for case in cases:
        unseen = set()
        for finding in case.findings:
            if finding.verdict is Verdict.NOT_OBSERVABLE:
                _, why = seen_of(finding)
                unseen.add(f"{words_of(finding)}: {why}")
        counts.update(unseen)
    return dict(counts)


def figures(cases: Iterable[CaseEvidence]) -> list[str]:
    """The worst of each figure over all cases, with what it rests on; nothing where nothing was
    measured.
    """
    cases = list(cases)
    measured = worst_figures(cases)
    packets = 0
    for case in cases:
        packets += sum(counters.rx_expected for counters in case.statistics.values())
    found = []
    if ANSWER in measured:
        calls = number_of(len(answer_times(cases)), "call")
        found.append(f"answered in {measured[ANSWER]:.1f} s at most ({calls})")
    if packets:
        loss, jitter = measured[LOSS], measured[JITTER]
        found.append(f"RTP loss {loss:.1%}, jitter {jitter:.0f} ms at most ({packets} packets)")
    return found
