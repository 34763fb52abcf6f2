"""The facts known of one case.

An unobserved fact is absent, which is not the same as false: a rule that needs it stays possible, and the way to observe the
fact is what would settle the matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.diagnosis.vocabulary import fact_kind, fact_kinds


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a case. ``evidence`` names what shows it: messages (``m12``), findings, records, statistics."""

    name: str
    value: object
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{fact_kind(self.name).label}: {worded(self.value)}"


def worded(value: object) -> str:
    """A fact's value in words."""
    if value is True:
        return "yes"
    if value is False:
        return "no"
    return str(value)


class Facts(Mapping[str, Fact]):
    """The facts known of one case, by name."""

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}

    def record(self, name: str, value: object, *evidence: str) -> None:
        """Record a fact. None is ignored, and the first value recorded stands."""
        if name not in fact_kinds():
            raise KeyError(f"{name} is no known fact")
        if value is not None and name not in self._facts:
            self._facts[name] = Fact(name, value, tuple(dict.fromkeys(e for e in evidence if e)))

    def value(self, name: str) -> object:
        """The fact's value; None when it is not known."""
        fact = self._facts.get(name)
        return fact.value if fact else None

    def __getitem__(self, name: str) -> Fact:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)
