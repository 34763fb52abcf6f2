"""A rule: which facts point to which cause, and why. Rules stand in ``tables/*.toml``; :mod:`.tables` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.diagnosis.facts import Facts, worded
from harness.diagnosis.vocabulary import fact_kind

#: What a failed finding is a symptom of, in the order of a call: an earlier symptom may cause a later one, never the reverse.
Symptom = Literal[
    "registration",
    "answered.first",
    "reach",
    "route",
    "codec",
    "audio",
    "quality",
    "caller_id.ai",
    "caller_id.agent",
    "caller_id.customer",
    "caller_id.withheld",
    "header.caller",
    "header.selector",
    "header.other",
    "transfer.unasked",
    "transfer",
    "audio.agent",
    "release",
    "fallback",
    "fallback.time",
    "final",
    "digits",
    "manners",
    "other",
]
ORDER: tuple[Symptom, ...] = Symptom.__args__  # type: ignore[attr-defined]

Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule asks of one fact.

    ``is``: the fact has one of ``values``. ``is not``: the fact is known and has none of them. ``not shown``: no evidence
    shows one of them; an unknown fact satisfies it.
    """

    fact: str
    how: Literal["is", "is not", "not shown"]
    values: tuple[object, ...]

    def holds(self, facts: Facts) -> bool | None:
        """Whether the condition holds; None when the fact has to be known and is not."""
        value = facts.value(self.fact)
        if value is None:
            return True if self.how == "not shown" else None
        return (value in self.values) is (self.how == "is")

    def __str__(self) -> str:
        wanted = " or ".join(worded(value) for value in self.values)
        return f"{fact_kind(self.fact).label}: {'' if self.how == 'is' else 'not '}{wanted}"

    def answered(self, facts: Facts) -> str:
        """The condition beside the known value, for a reader."""
        fact = facts.get(self.fact)
        if fact is None:
            return f"{self} – {'nothing shows that' if self.how == 'not shown' else 'not known'}"
        shown = f" ({', '.join(fact.evidence)})" if fact.evidence else ""
        return f"{self} – it is {worded(fact.value)}{shown}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``cause`` explains ``symptoms`` when all conditions hold.

    An unknown fact under ``when`` leaves the rule possible; under ``needs`` it excludes the rule. ``unless`` lists what would
    contradict the rule (every condition is ``not shown``). ``favours`` ranks a candidate first when one of them holds.
    ``consequences`` are later symptoms that the cause produces by itself.
    """

    id: str
    cause: str
    symptoms: tuple[Symptom, ...]
    because: str
    needs: tuple[Condition, ...] = ()
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    favours: tuple[Condition, ...] = ()
    consequences: tuple[Symptom, ...] = ()
    confidence: Confidence = "certain"  #: when all conditions are known and hold
    owner: str = ""  #: whose the cause is, where the rule shows that it is another's than the cause says

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that have to hold."""
        return self.needs + self.when + self.unless
