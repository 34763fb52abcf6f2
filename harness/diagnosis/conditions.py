"""What a rule asks of the facts. An answer is yes, no, or not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.diagnosis.facts import KNOWN, Facts, worded


@dataclass(frozen=True, slots=True)
class Condition:
    """How a fact has to be.

    ``is``: it has one of ``values``. ``is not``: it is known to have none of them. ``not shown``: nothing shows that it
    has one of them; this one is never "not known", and is for what would speak against a rule, were it seen.
    """

    fact: str
    how: Literal["is", "is not", "not shown"]
    values: tuple[object, ...]

    def __post_init__(self) -> None:
        if self.fact not in KNOWN:
            raise KeyError(f"{self.fact} is no known fact")

    def holds(self, facts: Facts) -> bool | None:
        """None when the fact is not known, and has to be."""
        value = facts.value(self.fact)
        if value is None:
            return True if self.how == "not shown" else None
        return (value in self.values) is (self.how == "is")

    def __str__(self) -> str:
        wanted = " or ".join(worded(value) for value in self.values)
        return f"{KNOWN[self.fact].label}: {'' if self.how == 'is' else 'not '}{wanted}"

    def answered(self, facts: Facts) -> str:
        """The condition beside what is known, for a reader."""
        fact = facts.get(self.fact)
        if fact is None:
            return f"{self} – {'nothing shows that' if self.how == 'not shown' else 'not known'}"
        shown = f" ({', '.join(fact.evidence)})" if fact.evidence else ""
        return f"{self} – it is {worded(fact.value)}{shown}"


def when(fact: str, *values: object) -> Condition:
    """The fact has one of these values."""
    return Condition(fact, "is", values)


def unless(fact: str, *values: object) -> Condition:
    """The fact is known, and has none of these values."""
    return Condition(fact, "is not", values)


def not_shown(fact: str, *values: object) -> Condition:
    """Nothing shows that the fact has one of these values."""
    return Condition(fact, "not shown", values)
