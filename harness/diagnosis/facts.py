"""The facts known of one case, and how ``tables/`` declares them: those that one table alone asks
for may stand in it.

An unobserved fact is absent, which is not the same as false: a rule that needs it stays possible,
and the way to observe the fact is what would settle the matter.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.support.files import user_files

_TABLES = Path(__file__).with_name("tables")


@cache
def table(name: str) -> Mapping[str, Any]:
    """A table of ``tables/``, parsed."""
    return tomllib.loads(user_files.read_text(_TABLES / f"{name}.toml", user_files.SETTINGS))


def expanded(words: Iterable[str], lists: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The words, each ``$name`` replaced by the list of that name. Raises ``KeyError`` for an
    unknown list.
    """
    for word in words:
        yield from lists[word[1:]] if word.startswith("$") else (word,)


def filled(value: Any, row: Mapping[str, str]) -> Any:
    """The value with each ``{name}`` in its texts replaced by the row's text of that name."""
    if isinstance(value, Mapping):
        return {name: filled(each, row) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, row) for each in value]
    if isinstance(value, str):
        for name, text in row.items():
            value = value.replace(f"{{{name}}}", text)
    return value


@dataclass(frozen=True, slots=True)
class FactKind:
    """What a fact is about. ``observe`` says how to observe it, as the end of a sentence."""

    label: str
    observe: str
    values: tuple[object, ...]  #: the words it may have; True and False for yes and no
    status: bool  #: it may also be any SIP status


@cache
def fact_kinds() -> Mapping[str, FactKind]:
    """Every declared fact. One with ``vary`` is a family: it is declared for each row of that list,
    as for every role.
    """
    varied = table("vocabulary")["vary"]
    kinds = {}
    for path in sorted(_TABLES.glob("*.toml")):
        for name, entry in table(path.stem).get("fact", {}).items():
            rows = varied[entry["vary"]] if "vary" in entry else [{}]
            for row in rows:
                kinds[filled(name, row)] = _fact_kind(filled(entry, row))
    return kinds


def _fact_kind(entry: Mapping[str, Any]) -> FactKind:
    declared = table("vocabulary")
    values: list[object] = list(expanded(entry.get("values", ()), declared["values"]))
    if entry.get("flag"):
        values += (True, False)
    observe = entry["observe"]
    if observe.startswith("$"):
        observe = declared["observe"][observe[1:]]
    return FactKind(entry["label"], observe, tuple(values), entry.get("status", False))


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a case. ``evidence`` names what shows it: messages (``m12``), findings,
    records, statistics.

    ``leg`` is the leg that shows it; empty for a fact of the whole case.
    """

    name: str
    value: object
    evidence: tuple[str, ...] = ()
    leg: str = ""

    def __str__(self) -> str:
        return f"{fact_kinds()[self.name].label}: {worded(self.value)}"

    @property
    def answer(self) -> str:
        """Where it is a SIP status: the status and its words, and what the headers say of why."""
        code = str(self.value)
        for number, line in enumerate(self.evidence):
            if found := re.search(rf"\b{code} .*", line):
                return "; ".join([found[0], *self.evidence[number + 1 :]])
        return code


def worded(value: object) -> str:
    """A fact's value in words."""
    if value is True:
        return "yes"
    if value is False:
        return "no"
    return str(value)


class Facts(dict[str, Fact]):
    """The facts known of one case, by name, and those of each leg. Of a fact that several legs
    show, the case has the first.
    """

    def __init__(self, known: Mapping[str, Fact] | None = None) -> None:
        super().__init__(known or {})
        self.of_legs: dict[str, dict[str, Fact]] = {}

    def record(self, name: str, value: object, *evidence: str, leg: str = "") -> None:
        """Record a fact, of a leg if that is named. The first value recorded stands, for each leg
        and for the case.

        None, and a fact that is not declared, remain unknown.
        """
        if value is None or name not in fact_kinds():
            return
        shown_by = dict.fromkeys(line for line in evidence if line)
        fact = Fact(name, value, tuple(shown_by), leg)
        if leg:
            self.of_legs.setdefault(leg, {}).setdefault(name, fact)
        self.setdefault(name, fact)

    def at(self, *legs: str, beside: Collection[str] = ()) -> Facts:
        """The facts as these legs have them: of each fact the first leg's that shows it, else the
        case's.

        A fact that the case has from a leg ``beside`` them, which takes part in another call, is
        unknown to them.
        """
        seen = Facts({name: fact for name, fact in self.items() if fact.leg not in beside})
        for leg in reversed(legs):
            seen |= self.of_legs.get(leg, {})
        return seen

    @property
    def every(self) -> list[Fact]:
        """Each fact of the case, followed by those of legs that show another value."""
        others = [fact for known in self.of_legs.values() for fact in known.values()]
        every = []
        for fact in self.values():
            every.append(fact)
            every += _unlike(fact, others)
        return every

    def value(self, name: str) -> object:
        """The fact's value; None when it is not known."""
        fact = self.get(name)
        return fact.value if fact else None


def _unlike(fact: Fact, others: Iterable[Fact]) -> list[Fact]:
    return [other for other in others if other.name == fact.name and other.value != fact.value]
