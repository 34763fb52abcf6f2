"""The facts that rules may ask for, as ``tables/vocabulary.toml`` declares them, and the facts known of one case.

An unobserved fact is absent, which is not the same as false: a rule that needs it stays possible, and the way to observe the
fact is what would settle the matter.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.files import user_files

VOCABULARY = Path(__file__).with_name("tables") / "vocabulary.toml"


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a case. ``evidence`` names what shows it: messages (``m12``), findings, records, statistics."""

    name: str
    value: object
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{fact_kind(self.name).label}: {worded(self.value)}"


@dataclass(frozen=True, slots=True)
class FactKind:
    """What a fact is about. ``observe`` is how to get to know it, as the end of a sentence.

    ``values`` are the words it may have; ``flag``: yes and no; ``status``: a SIP status.
    """

    label: str
    observe: str
    values: tuple[str, ...] = ()
    flag: bool = False
    status: bool = False


@cache
def fact_kinds() -> Mapping[str, FactKind]:
    """Every declared fact."""
    return {name: _kind(entry) for name, entry in vocabulary()["fact"].items()}


def fact_kind(name: str) -> FactKind:
    """The declaration of one fact. Raises ``KeyError`` when there is none."""
    return fact_kinds()[name]


@cache
def value_lists() -> Mapping[str, tuple[str, ...]]:
    """The named lists of values, which conditions write as ``$name``."""
    return {name: tuple(words) for name, words in vocabulary()["values"].items()}


def _kind(entry: Mapping[str, Any]) -> FactKind:
    observe = entry["observe"]
    if observe.startswith("$"):
        observe = vocabulary()["observe"][observe[1:]]
    lists = value_lists()
    words = (one for word in entry.get("values", ()) for one in (lists[word[1:]] if word.startswith("$") else (word,)))
    return FactKind(entry["label"], observe, tuple(words), entry.get("flag", False), entry.get("status", False))


@cache
def vocabulary() -> Mapping[str, Any]:
    """``vocabulary.toml``: ``fact``, ``values``, ``observe``, ``symptoms``, ``guide``, ``conditions``, ``vary``."""
    return tomllib.loads(user_files.read_text(VOCABULARY, user_files.SETTINGS))


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
