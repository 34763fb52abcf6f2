"""Verdicts, and the findings they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Verdict(StrEnum):
    """How a case, or one finding of it, ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_OBSERVABLE = "not observable"
    BROKEN = "broken"


class Strength(IntEnum):
    """How strongly something about audio is known, weakest first."""

    UNKNOWN = 0
    INDICATED = 1  #: only RTP or RTCP counters moved
    CONFIRMED = 2  #: the far system says so less exactly (a transcript, a reaction)
    PROVED = 3  #: a mark sent at one end was decoded at the other


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check expected and what it saw.

    ``check`` is a stable dotted id (``audio.two_way``, ``caller_id``); ``subject`` names the leg or phone looked at.
    ``evidence`` names what was looked at: messages (``m12``), marks, statistics, records. ``facts`` are plain values a
    diagnosis rule may match on. ``at`` is on the machine's monotonic clock, in seconds.
    """

    check: str
    subject: str
    verdict: Verdict
    expected: str
    actual: str
    at: float
    strength: Strength | None = None
    evidence: tuple[str, ...] = ()
    dispensable: bool = False  #: the deployment says that a case may do without it where nobody can look
    facts: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.check} of {self.subject}: expected {self.expected}; {self.actual}"


class ExpectationError(AssertionError):
    """A check's finding did not pass. An ``AssertionError``, so that pytest and Allure say "failed"."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class NotObservableError(ExpectationError):
    """A check could not look, and the deployment asks for more than that."""


def overall(findings: Iterable[Finding]) -> Verdict:
    """The verdict of a case: the worst of its findings; a case without findings looked at nothing and fails.

    What failed comes before what broke, so that a finding about the system under test is never hidden. A finding that is not
    observable and dispensable does not count, unless there is nothing else.
    """
    found = list(findings)
    counting = [f for f in found if not (f.dispensable and f.verdict is Verdict.NOT_OBSERVABLE)]
    verdicts = {finding.verdict for finding in counting or found}
    for verdict in (Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_OBSERVABLE, Verdict.PASSED):
        if verdict in verdicts:
            return verdict
    return Verdict.FAILED
