"""What a diagnosis says, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any, Final, Literal, cast

from typing_extensions import TypedDict

from harness.case.events import SipMessage
from harness.case.verdict import Finding, Verdict
from harness.diagnosis.catalogue import Confidence, owner_in_words
from harness.support.field_kinds import require_kinds

#: The id of "no documented cause fits".
UNKNOWN: Final = "unknown"
#: What precedes a cause's title, by how sure it is.
HEDGES: Mapping[str, str] = {"certain": "", "likely": "probably ", "possible": "possibly "}


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: what it is, who owns it, how to fix it, and what shows it.

    ``candidate``: the evidence does not show it, and does not exclude it either, nor the other
    candidates; ``separating_observation`` then says what would decide.
    """

    id: str
    title: str
    guide_issue: str
    fix: str
    link: str
    owner: str
    confidence: Confidence
    evidence: tuple[str, ...] = ()
    separating_observation: str = ""
    rule: str = ""
    because: str = ""
    candidate: bool = False
    #: Line, group, trunk and agent, by their names.
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A rule that did not apply, and the fact that contradicts it."""

    rule: str
    cause: str
    why: str


class CauseDocument(TypedDict):
    """One cause in a case's diagnosis."""

    id: str
    cause: str  # the line that reports show; of the first cause, the headline
    title: str
    issue: str
    guide_issue: str
    fix: str
    link: str
    owner: str
    confidence: Confidence
    evidence: list[str]
    settles: str  # what would decide between this cause and the others
    separating_observation: str
    rule: str
    because: str
    candidate: bool
    about: dict[str, str]


class RuledOutDocument(TypedDict):
    """A rule that did not apply, and the fact that contradicts it."""

    rule: str
    cause: str
    why: str


class UnknownDocument(TypedDict):
    """In place of the causes, where no documented cause fits."""

    id: Literal["unknown"]
    cause: str
    settles: str


class DiagnosisDocument(TypedDict):
    """The diagnosis of a failed case, as ``case.json`` holds it."""

    headline: str
    causes: list[CauseDocument] | list[UnknownDocument]
    ruled_out: list[RuledOutDocument]
    nearest_facts: list[str]
    facts: list[str]
    unexplained: list[str]
    next_look: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Causes in order, the likeliest first; none when no visible finding failed.

    ``nearest_facts``: what is known of a failure that no documented cause fits; ``next_look``: the
    observation that would tell most.
    """

    causes: tuple[Cause, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    nearest_facts: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()
    next_look: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether something failed, and nothing explains it."""
        return not self.causes and bool(self.unexplained)

    @property
    def candidates(self) -> tuple[Cause, ...]:
        """The first cause with those that cannot be told from it; empty when evidence shows the
        first.
        """
        if not self.causes or not self.causes[0].candidate:
            return ()
        first = self.causes[0].separating_observation
        return tuple(c for c in self.causes if c.candidate and c.separating_observation == first)

    @property
    def headline(self) -> str:
        """One line for the first line of a failure; empty when there is nothing to say."""
        if not self.causes:
            return f"No documented cause fits: {self.nearest_facts[0]}" if self.is_unknown else ""
        first, listed = self.causes[0], self.candidates
        if len(listed) > 1:
            titles = "; or ".join(cause.title for cause in listed)
            issues = " / ".join(dict.fromkeys(cause.guide_issue for cause in listed))
            return f"{issues}: one of {len(listed)}: {titles}"
        return f"{first.guide_issue}: {HEDGES[first.confidence]}{first.title}"

    def to_plain(self) -> DiagnosisDocument:
        """JSON-ready data."""
        return {
            "headline": self.headline,
            "causes": [self._unknown()] if self.is_unknown else self._causes(),
            "ruled_out": [cast(RuledOutDocument, asdict(one)) for one in self.ruled_out],
            "nearest_facts": list(self.nearest_facts),
            "facts": list(self.facts),
            "unexplained": list(self.unexplained),
            "next_look": self.next_look,
        }

    def _unknown(self) -> UnknownDocument:
        return {"id": UNKNOWN, "cause": self.headline, "settles": self.next_look}

    def _causes(self) -> list[CauseDocument]:
        return [self._cause(index) for index in range(len(self.causes))]

    def _cause(self, index: int) -> CauseDocument:
        one = self.causes[index]
        line = self.headline if index == 0 else f"{one.guide_issue}: {one.title}"
        again = {
            "issue": one.guide_issue,
            "settles": one.separating_observation,
            "evidence": list(one.evidence),
        }
        return cast(CauseDocument, {"id": one.id, "cause": line} | asdict(one) | again)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Diagnosis:
        """The inverse of :meth:`to_plain`. Raises ``KeyError``, ``TypeError`` for what is no
        diagnosis.
        """
        own = ("nearest_facts", "facts", "unexplained", "next_look")
        require_kinds(cls, {name: plain[name] for name in own})
        return cls(
            causes=tuple(_cause_of(cause) for cause in plain["causes"] if cause["id"] != UNKNOWN),
            ruled_out=tuple(_ruled_out_of(rule) for rule in plain["ruled_out"]),
            nearest_facts=tuple(plain["nearest_facts"]),
            facts=tuple(plain["facts"]),
            unexplained=tuple(plain["unexplained"]),
            next_look=plain["next_look"],
        )


def _cause_of(plain: Mapping[str, Any]) -> Cause:
    values = {name: plain[name] for name in Cause.__dataclass_fields__}
    values["evidence"] = tuple(plain["evidence"])
    require_kinds(Cause, values)
    if values["confidence"] not in HEDGES:
        raise KeyError(values["confidence"])
    return Cause(**values)


def _ruled_out_of(plain: Mapping[str, Any]) -> RuledOut:
    require_kinds(RuledOut, plain)
    return RuledOut(**plain)


# -- as text


def explain(
    case: Mapping[str, object],
    verdict: Verdict,
    findings: Sequence[Finding],
    messages: Sequence[tuple[str, SipMessage]],
    diagnosis: Diagnosis | None,
    began: float,
    message: str = "",
    *,
    whole: bool = True,
) -> str:
    """The reasoning for one case: what was expected and seen, which rules fired, which did not and
    why.

    ``messages`` are numbered as in every report; ``began`` is the case's first moment, monotonic.
    ``message`` says why the case did not pass; it is shown if there is no diagnosis. Without
    ``whole`` there is what decided, in 40 lines at most.
    """
    lines = [f"{case.get('id', '')}", f"{case.get('title', '')}", f"verdict: {verdict}"]
    if diagnosis is not None and diagnosis.headline:
        lines.append(f"diagnosis: {diagnosis.headline}")
        for cause in diagnosis.causes[:1]:
            lines += _to_do(cause)
    elif verdict is not Verdict.PASSED and message:
        lines.append(f"because: {message}")
    lines += ["", "What was expected, and what was seen"]
    if not whole:
        return "\n".join([*lines, *_what_decided(findings, diagnosis, began)])
    lines += _findings(findings, began)
    if messages:
        lines += ["", "The SIP messages of the harness's own phones", *_messages(messages, began)]
    if diagnosis is None:
        lines += ["", "There is no diagnosis: only a case that failed has one."]
        return "\n".join(lines)
    lines += ["", "What is known", *(f"  {fact}" for fact in diagnosis.facts)]
    lines += ["", _heading(diagnosis), *_causes(diagnosis)]
    if diagnosis.unexplained:
        lines += _unexplained(diagnosis)
    lines += ["", "Rules that were ruled out, and why", *_ruled_out(diagnosis)]
    return "\n".join(lines)


def _what_decided(
    findings: Sequence[Finding], diagnosis: Diagnosis | None, began: float
) -> Iterator[str]:
    """The first findings that did not pass, each once, and the causes."""
    passed = [one for one in findings if one.verdict is Verdict.PASSED]
    wrong = [one for one in findings if one.verdict is not Verdict.PASSED]
    once: dict[tuple[str, str], Finding] = {}
    for one in reversed(wrong):
        once[one.check, one.subject] = one
    first = sorted(once.values(), key=lambda one: one.at)[:3]
    yield from _findings(first, began)
    more = len(wrong) - len(first)
    not_shown = f"{more} more did not pass; " if more else ""
    yield f"  {not_shown}{len(passed)} passed"
    if diagnosis is not None:
        yield from _first_causes(diagnosis)
    yield from ("", "--all shows every check, message, known fact, and rule that was ruled out")


def _first_causes(diagnosis: Diagnosis) -> Iterator[str]:
    yield from ("", _heading(diagnosis))
    for number, cause in enumerate(diagnosis.causes[:2], start=1):
        yield f"  {number}. {cause.guide_issue}: {cause.title}"
        if number == 1:
            short = replace(cause, owner="", fix="", link="", evidence=cause.evidence[:2])
            yield from (f"     {line}" for line in _detail(short))
    if len(diagnosis.causes) > 2:
        yield f"  and {len(diagnosis.causes) - 2} more"
    if diagnosis.unexplained:
        short_of_facts = replace(
            diagnosis,
            unexplained=diagnosis.unexplained[:2],
            nearest_facts=diagnosis.nearest_facts[:2],
        )
        yield from _unexplained(short_of_facts)


def _to_do(cause: Cause) -> list[str]:
    said = {"fix": cause.fix, "owner": owner_in_words(cause.owner), "guide": cause.link}
    return [f"{name}: {text}" for name, text in said.items() if text]


def _heading(diagnosis: Diagnosis) -> str:
    are_candidates = bool(diagnosis.causes) and all(cause.candidate for cause in diagnosis.causes)
    return "Rules that cannot be excluded" if are_candidates else "Rules that fired"


def _unexplained(diagnosis: Diagnosis) -> Iterator[str]:
    yield from ("", "No documented cause fits", *(f"  {line}" for line in diagnosis.unexplained))
    yield from ("  nearest facts:", *(f"    {fact}" for fact in diagnosis.nearest_facts))
    if diagnosis.next_look:
        yield f"  would settle it: {diagnosis.next_look}"


_SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.NOT_OBSERVABLE: "?"}


def _findings(findings: Sequence[Finding], began: float) -> Iterator[str]:
    for finding in findings:
        sign = _SIGNS.get(finding.verdict, "!")
        shown = f"  [{', '.join(finding.evidence)}]" if finding.evidence else ""
        actual = finding.actual.splitlines()[0] if finding.actual else ""
        yield f"  {sign} {finding.at - began:7.3f} s  {finding.check} of {finding.subject}"
        yield f"               expected {finding.expected}"
        yield f"               seen: {actual}{shown}"


def _messages(messages: Sequence[tuple[str, SipMessage]], began: float) -> Iterator[str]:
    for number, event in messages:
        arrow = "→" if event.direction == "sent" else "←"
        ends = f"{event.leg or event.phone} {arrow} {event.remote}"
        first = event.text.splitlines()[0] if event.text else ""
        yield f"  {number:>5} {event.at - began:7.3f} s  {ends}  {first}"


def _causes(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.causes:
        yield "  none"
    for number, cause in enumerate(diagnosis.causes, start=1):
        yield f"  {number}. {cause.guide_issue}: {cause.title}"
        yield from (f"     {line}" for line in _detail(cause))


def _detail(cause: Cause) -> Iterator[str]:
    yield f"rule {cause.rule}: {cause.because}"
    candidate = ", a candidate" if cause.candidate else ""
    yield f"cause {cause.id}, {cause.confidence}{candidate}"
    if cause.about:
        about = [f"{what} {name}" for what, name in cause.about.items()]
        yield f"about: {', '.join(about)}"
    yield from _to_do(cause)
    for line in cause.evidence:
        yield f"shown by: {line}"
    if cause.separating_observation:
        yield f"would settle it: {cause.separating_observation}"


def _ruled_out(diagnosis: Diagnosis) -> Iterator[str]:
    ordered = sorted(diagnosis.ruled_out, key=lambda rule: rule.cause)
    for cause, rules in groupby(ordered, key=lambda rule: rule.cause):
        yield f"  {cause}"
        yield from (f"    {rule.rule}: {rule.why}" for rule in rules)
    if not ordered:
        yield "  none"
