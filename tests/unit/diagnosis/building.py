"""Evidence of made-up cases, as a run would have left it: the words the examples are written in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from harness.calls.check_table import CHECKS, read_measurement
from harness.calls.measurement import Measurement
from harness.calls.verdict import Finding, Strength, Verdict
from harness.diagnosis import Diagnosis, Visibility, diagnose
from harness.diagnosis.rule import Condition, Rule
from tests.unit.diagnosis.example_ai import AiExample


@dataclass
class Example(AiExample):
    """A case with its evidence, its findings, and their diagnosis."""

    def diagnose(self, visibility: Visibility = "all", rules: Sequence[Rule] | None = None) -> Diagnosis:
        axes = {"ai": self.ai, "transport": self.transport, "authentication": self.authentication}
        case: dict[str, Any] = {
            "id": f"{self.row}[example]",
            "row": self.row,
            "moment": self.moment,
            "integration": self.integration,
            "trunk": self.trunk.name,
        }
        case |= {"axes": axes | self.axes}
        events = [*self.events, *self._records()]
        return diagnose(case, self.findings, events, self.deployment, visibility=visibility, rules=rules)

    def finding(
        self,
        check: str,
        subject: str,
        passed: bool = False,
        actual: str = "seen",
        expected: str = "promised",
        **facts: object,
    ) -> Self:
        self.findings.append(
            Finding(
                check=check,
                subject=subject,
                verdict=Verdict.PASSED if passed else Verdict.FAILED,
                expected=expected,
                actual=actual,
                at=self.now,
                strength=Strength.PROVED if passed else None,
                measured=_measured(check, subject, facts),
            )
        )
        return self

    def unanswered(self) -> Self:
        return self.finding("answered", "caller.1", actual="it never came", seconds=None, limit_s=4.0)

    def never(self, why: str = "it never came") -> Self:
        """What the caller waited for did not come."""
        return self.finding("phone.wait", "caller.1", actual=why, why=why)

    @property
    def ai_label(self) -> str:
        return f"assistant {self.assistant}" if self.ai == "synthflow" else "stand-in.1"

    def taken(self) -> Self:
        """The right assistant answered."""
        return self.finding("landing.answered_by", "the call", True, answered=[self.assistant], wanted=self.assistant)

    def not_taken(self, *answered: str, attempted: Sequence[str] = ()) -> Self:
        """It did not; these did."""
        return self.finding(
            "landing.answered_by", "the call", answered=list(answered), wanted=self.assistant, attempted=list(attempted)
        )

    def to_ai(self, kind: str = "heard", packets: int | None = 0, **facts: object) -> Self:
        return self._direction("caller.1", self.ai_label, kind, packets, **facts)

    def to_caller(self, kind: str = "heard", packets: int | None = 0, **facts: object) -> Self:
        return self._direction(self.ai_label, "caller.1", kind, packets, **facts)

    def with_agent(
        self,
        phone: str,
        to_agent: str = "heard",
        to_caller: str = "heard",
        packets: int = 0,
        leg: int = 1,
        **facts: object,
    ) -> Self:
        self._direction("caller.1", f"{phone}.{leg}", to_agent, packets, **facts)
        return self._direction(f"{phone}.{leg}", "caller.1", to_caller, packets, **facts)

    def _direction(self, speaker: str, listener: str, kind: str, packets: int | None, **more: Any) -> Self:
        foreign = [99] if kind == "crossed" else []
        heard = kind == "heard"
        instead = {"kind": kind, "rx_packets": packets, "foreign": foreign}
        facts: dict[str, Any] = {"delay_ms": 120.0} if heard else instead
        return self.finding("audio", f"{speaker} → {listener}", heard, actual=kind, **facts | more)

    def caller_id(self, subject: str, user: str, *, passed: bool = False, anonymous: bool = False) -> Self:
        e164 = user if user.startswith("+") else f"+1{user}" if user.isdigit() else None
        return self.finding(
            "caller_id",
            subject,
            passed,
            from_user=user,
            from_e164=e164,
            anonymous=anonymous,
            number=self.caller,
            asserted=[self.caller],
        )

    def landed(self, wanted: str, *rang: str) -> Self:
        return self.finding("landing", "the call", wanted in rang, wanted=wanted, rang=list(rang), phones=list(rang))

    def copy(self, **changes: Any) -> Self:
        fresh: dict[str, Any] = {
            "events": list(self.events),
            "findings": list(self.findings),
            "_messages": list(self._messages),
        }
        return replace(self, **(fresh | {"_record": dict(self._record)} | changes))


def when(fact: str, *values: object) -> Condition:
    """The fact has one of these values."""
    return Condition(fact, "is", values)


def unless(fact: str, *values: object) -> Condition:
    """The fact is known, and has none of these values."""
    return Condition(fact, "is not", values)


def not_shown(fact: str, *values: object) -> Condition:
    """No evidence shows one of these values."""
    return Condition(fact, "not shown", values)


def named(example: Example) -> list[tuple[str, str]]:
    """Each cause that is named, in order, and how sure it is."""
    return [(cause.id, cause.confidence) for cause in example.diagnose().causes]


def _measured(check: str, subject: str, facts: dict[str, Any]) -> Measurement | None:
    if CHECKS[check].measures is None:
        return None
    speaker, arrow, listener = subject.partition(" → ")
    return read_measurement(check, {"speaker": speaker, "listener": listener, **facts} if arrow else facts)
