"""A rule: data that says which facts point to which cause, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.diagnosis.cells import Cell
from harness.diagnosis.conditions import Condition

#: What a failing finding is a symptom of; a cause explains symptoms.
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

#: In the order of a call: what comes first may be the reason of what comes later, never the other way round.
ORDER: tuple[Symptom, ...] = Symptom.__args__  # type: ignore[attr-defined]

Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``cause`` explains ``symptoms`` when every condition holds. A condition on a fact nobody knows leaves it possible.

    ``essential`` conditions have to be known for the rule to be even possible: without them it would be a candidate for
    everything nobody has looked at. ``consequences`` are further symptoms that the cause brings about by itself. ``favours``
    are what speaks for it, without being needed: of several candidates those come first for which one of these holds.
    """

    id: str
    cause: str
    symptoms: tuple[Symptom, ...]
    conditions: tuple[Condition, ...]
    because: str  #: the reason, one sentence
    essential: tuple[Condition, ...] = ()
    consequences: tuple[Symptom, ...] = ()
    favours: tuple[Condition, ...] = ()
    cells: tuple[Cell, ...] = ()  #: what is wrong, with whose leg
    confidence: Confidence = "certain"  #: with every condition known and met

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        """The essential ones first."""
        return self.essential + self.conditions
