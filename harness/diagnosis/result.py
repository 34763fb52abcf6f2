"""What a diagnosis says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from typing_extensions import TypedDict

from harness.diagnosis.rule import Confidence
from harness.support.field_kinds import require_kinds

#: The id of "no documented cause fits".
UNKNOWN: Final = "unknown"


#: What is said ahead of a cause, by how sure it is.
HEDGES: Mapping[str, str] = {"certain": "", "likely": "probably ", "possible": "possibly "}


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause, ready to be read: what it is, whose it is, how it is mended, and what shows it.

    ``candidate`` is true when the evidence at hand does not show it, and only contradicts nothing that it needs, like the others
    so marked; then ``separating_observation`` says what would decide.
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
    about: Mapping[str, str] = field(default_factory=dict)  #: line, group and trunk of the deployment, by their names


@dataclass(frozen=True, slots=True)
class RuledOut:
    """A rule that was looked at and did not apply, and the fact that contradicts it."""

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
    """Causes in order, the likeliest first; none when nothing failed that anybody could see.

    ``nearest_facts`` are what is known of a failure that no documented cause fits, ``next_look`` what would tell most of it.
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
        """The first cause with those it cannot be told from; itself alone when only it is left, unshown; empty when it is sure."""
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
        unknown: list[UnknownDocument] = [{"id": UNKNOWN, "cause": self.headline, "settles": self.next_look}]
        return {
            "headline": self.headline,
            "causes": unknown if self.is_unknown else [self._cause(index) for index in range(len(self.causes))],
            "ruled_out": [{"rule": one.rule, "cause": one.cause, "why": one.why} for one in self.ruled_out],
            "nearest_facts": list(self.nearest_facts),
            "facts": list(self.facts),
            "unexplained": list(self.unexplained),
            "next_look": self.next_look,
        }

    def _cause(self, index: int) -> CauseDocument:
        one = self.causes[index]
        return {
            "id": one.id,
            "cause": self.headline if index == 0 else f"{one.guide_issue}: {one.title}",
            "title": one.title,
            "issue": one.guide_issue,
            "guide_issue": one.guide_issue,
            "fix": one.fix,
            "link": one.link,
            "owner": one.owner,
            "confidence": one.confidence,
            "evidence": list(one.evidence),
            "settles": one.separating_observation,
            "separating_observation": one.separating_observation,
            "rule": one.rule,
            "because": one.because,
            "candidate": one.candidate,
            "about": dict(one.about),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Diagnosis:
        """The inverse of :meth:`to_plain`. Raises ``KeyError``, ``TypeError`` for what is no diagnosis."""
        require_kinds(cls, {name: plain[name] for name in ("nearest_facts", "facts", "unexplained", "next_look")})
        return cls(
            causes=tuple(_cause_of(cause) for cause in plain["causes"] if cause["id"] != UNKNOWN),
            ruled_out=tuple(_ruled_out_of(rule) for rule in plain["ruled_out"]),
            nearest_facts=tuple(plain["nearest_facts"]),
            facts=tuple(plain["facts"]),
            unexplained=tuple(plain["unexplained"]),
            next_look=plain["next_look"],
        )


def _cause_of(plain: Mapping[str, Any]) -> Cause:
    values = {name: plain[name] for name in Cause.__dataclass_fields__} | {"evidence": tuple(plain["evidence"])}
    require_kinds(Cause, values)
    if values["confidence"] not in HEDGES:
        raise KeyError(values["confidence"])
    return Cause(**values)


def _ruled_out_of(plain: Mapping[str, Any]) -> RuledOut:
    require_kinds(RuledOut, plain)
    return RuledOut(**plain)
