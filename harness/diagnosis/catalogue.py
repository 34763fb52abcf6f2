"""Reads the tables of causes and rules (``tables/*.toml``), and checks them against the declared facts.

``vocabulary.toml`` declares every fact with its values, and the named lists. Every other table holds one subject::

    [cause.group-wrong]
    title = "the transfer lands in another group"
    issue = "Transfer fails"                  # the row of the guide's troubleshooting table
    owner = "platform routing"
    fix = "…"                                 # {platform} is the integration's name
    guide = "transfer back"                   # a section of vocabulary.toml

    [rule."transfer.group"]
    cause = "group-wrong"
    symptoms = ["transfer"]
    needs = ["transfer.landed = another group"]           # has to be known
    when = ["transfer.target = the group's number"]       # unknown: the cause stays possible
    unless = ["transfer.handover = another one"]          # what would contradict it
    with = ["target could be carried"]                    # conditions that several rules share
    confidence = "likely"                                 # default: certain
    owner = "trunk"                                       # where it is another than the cause's
    because = "the group's number was called, and another group rang"

A condition reads ``FACT = VALUE | VALUE``, or ``FACT != VALUE`` for any other value. ``yes`` and ``no`` are flags, numbers are SIP
statuses, ``$name`` is a list of vocabulary.toml. The order of rules counts: of several that hold, the first names the cause.
A table with ``integration`` applies to that integration alone. ``vary`` repeats an entry for each row of a list of
vocabulary.toml, with ``{name}`` replaced.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, cast, get_args

from harness import integrations
from harness.diagnosis.rule import ORDER, Condition, Confidence, Rule, Symptom
from harness.diagnosis.vocabulary import TABLES as DIRECTORY
from harness.diagnosis.vocabulary import fact_kinds, value_lists, vocabulary
from harness.errors import SelectionError
from harness.support.files import user_files

Owner = Literal[
    "platform routing",
    "trunk",
    "network",
    "AI side",
    "transfer target",
    "deployment file",
    "harness",
    "caller's network",
]

#: In the order in which rules are tried.
TABLES = (
    "registration",
    "release",
    "caller-id",
    "headers",
    "transfer",
    "reaching",
    "fallback",
    "audio",
    "responsiveness",
    "others",
    "gladly",
)

_CONDITION = re.compile(r"(\S+) (!?=) (.+)")
_RULE_KEYS = {
    "cause",
    "symptoms",
    "needs",
    "when",
    "unless",
    "with",
    "favours",
    "consequences",
    "confidence",
    "owner",
    "because",
    "vary",
}
_CAUSE_KEYS = {"title", "issue", "owner", "fix", "guide", "vary"}


class TableError(ValueError):
    """A table names something that is not declared; one line for each mistake."""


@dataclass(frozen=True, slots=True)
class CauseEntry:
    """What a table says of a cause. ``sections`` are the guides' anchors, by integration."""

    title: str
    issue: str
    owner: Owner
    fix: str
    sections: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables. ``rules`` maps an integration, or "" for all of them, to its rules in order."""

    causes: Mapping[str, CauseEntry]
    rules: Mapping[str, tuple[Rule, ...]]


def causes() -> Mapping[str, CauseEntry]:
    """Every cause by its id."""
    return _catalogue().causes


def rules_of(integration: str) -> tuple[Rule, ...]:
    """The common rules, then the integration's own."""
    rules = _catalogue().rules
    return rules[""] + (rules.get(integration, ()) if integration else ())


def cause_text(cause: str, integration: str) -> dict[str, str]:
    """``title``, ``issue``, ``fix``, ``link`` and ``owner`` of a cause, with the integration's names and guide."""
    described = causes()[cause]
    try:
        found = integrations.find(integration)
        guide, platform = found.guide, found.title
    except SelectionError:
        guide, platform = "", "the platform"
    section = described.sections.get(integration, "")
    return {
        "title": described.title,
        "issue": described.issue,
        "fix": described.fix.format(platform=platform),
        "link": f"{guide}#{section}" if guide and section else guide,
        "owner": described.owner,
    }


@cache
def _catalogue() -> Catalogue:
    return read(
        {name: tomllib.loads(user_files.read_text(DIRECTORY / f"{name}.toml", user_files.SETTINGS)) for name in TABLES}
    )


def read(tables: Mapping[str, Mapping[str, Any]]) -> Catalogue:
    """The catalogue in parsed tables, by name. Raises :class:`TableError` with one line for each mistake."""
    reader = _Reader()
    for name, table in tables.items():
        reader.table(name, table)
    return reader.finish()


@dataclass
class _Reader:
    """Reads table after table, and collects mistakes instead of stopping at the first."""

    causes: dict[str, CauseEntry] = field(default_factory=dict)
    rules: dict[str, dict[str, Rule]] = field(default_factory=lambda: {"": {}})  #: integration → id → rule
    mistakes: list[str] = field(default_factory=list)
    _where: str = ""

    def table(self, name: str, table: Mapping[str, Any]) -> None:
        for key, cause in self._entries(name, "cause", table):
            self._cause(key, cause)
        integration = str(table.get("integration", ""))
        for key, rule in self._entries(name, "rule", table):
            self._rule(key, rule, integration)

    def finish(self) -> Catalogue:
        every = [rule for rules in self.rules.values() for rule in rules.values()]
        for rule in every:
            if rule.cause not in self.causes:
                self._where = f"rule {rule.id}"
                self._unknown("cause", rule.cause, self.causes)
        for cause in self.causes.keys() - {rule.cause for rule in every}:
            self.mistakes.append(f"cause {cause}: no rule names it")
        if self.mistakes:
            raise TableError("\n".join(self.mistakes))
        return Catalogue(self.causes, {name: tuple(rules.values()) for name, rules in self.rules.items()})

    def _cause(self, key: str, cause: Mapping[str, Any]) -> None:
        self._keys(cause, _CAUSE_KEYS, required=_CAUSE_KEYS - {"guide", "vary"})
        if key in self.causes:
            self.mistakes.append(f"{self._where}: there is another of this name")
        owner: Owner = cause.get("owner", "harness")
        self._owner(owner)
        guide = cause.get("guide", {})
        if isinstance(guide, str):
            guide = self._named("guide", guide, vocabulary()["guide"], {})
        self.causes[key] = CauseEntry(
            str(cause.get("title")),
            str(cause.get("issue")),
            owner,
            str(cause.get("fix")),
            guide,
        )

    def _rule(self, key: str, rule: Mapping[str, Any], integration: str) -> None:
        self._keys(rule, _RULE_KEYS, required={"cause", "symptoms", "because"})
        shared = [
            self._named("shared conditions", name, vocabulary()["conditions"], {}) for name in rule.get("with", ())
        ]
        confidence: Confidence = rule.get("confidence", "certain")
        if confidence not in get_args(Confidence):
            self._unknown("confidence", confidence, get_args(Confidence))
        owner = str(rule.get("owner", ""))
        if owner:
            self._owner(owner)
        rules = self.rules.setdefault(integration, {})
        if key in rules:
            self.mistakes.append(f"{self._where}: there is another of this name")
        rules[key] = Rule(
            id=key,
            cause=str(rule.get("cause")),
            symptoms=self._symptoms(rule.get("symptoms", ())),
            because=str(rule.get("because")),
            needs=self._conditions(rule.get("needs", ())),
            when=self._conditions([*_all(shared, "when"), *rule.get("when", ())]),
            unless=self._conditions([*_all(shared, "unless"), *rule.get("unless", ())], contradicts=True),
            favours=self._conditions(rule.get("favours", ())),
            consequences=self._symptoms(rule.get("consequences", ())),
            confidence=confidence,
            owner=owner,
        )

    def _entries(self, name: str, kind: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The entries of a kind, those with ``vary`` once for each row of its list."""
        for key, entry in table.get(kind, {}).items():
            self._where = f"{name}.toml: {kind} {key}"
            rows: list[Mapping[str, str]] = [{}]
            if "vary" in entry:
                rows = self._named("list to vary by", entry["vary"], vocabulary()["vary"], rows)
            for row in rows:
                filled = _filled(key, row)
                self._where = f"{name}.toml: {kind} {filled}"
                yield filled, _filled(entry, row)

    def _conditions(self, texts: Iterable[str], *, contradicts: bool = False) -> tuple[Condition, ...]:
        return tuple(c for text in texts if (c := self._condition(text, contradicts)) is not None)

    def _condition(self, text: str, contradicts: bool) -> Condition | None:
        match = _CONDITION.fullmatch(text)
        if match is None:
            self.mistakes.append(f"{self._where}: {text!r} does not read 'FACT = VALUE' or 'FACT != VALUE'")
            return None
        fact, operator, words = match.groups()
        if fact not in fact_kinds():
            self._unknown("fact", fact, fact_kinds())
            return None
        values = tuple(value for word in words.split(" | ") for value in self._values(fact, word))
        if contradicts and operator == "!=":
            return Condition(
                fact, "not shown", tuple(value for value in fact_kinds()[fact].values if value not in values)
            )
        return Condition(fact, "not shown" if contradicts else "is" if operator == "=" else "is not", values)

    def _values(self, fact: str, word: str) -> Iterator[object]:
        kind = fact_kinds()[fact]
        words = self._named("list of values", word[1:], value_lists(), ()) if word.startswith("$") else (word,)
        for one in words:
            if kind.status and one.isdigit():
                yield int(one)
            elif kind.flag and one in ("yes", "no"):
                yield one == "yes"
            elif one in kind.values:
                yield one
            else:
                self._unknown(f"value of {fact}", one, kind.values)

    def _owner(self, name: str) -> None:
        if name not in get_args(Owner):
            self._unknown("owner", name, get_args(Owner))

    def _symptoms(self, names: Iterable[str]) -> tuple[Symptom, ...]:
        lists = vocabulary()["symptoms"]
        symptoms: list[Symptom] = []
        for name in names:
            for one in self._named("list of symptoms", name[1:], lists, ()) if name.startswith("$") else (name,):
                if one not in ORDER:
                    self._unknown("symptom", one, ORDER)
                symptoms.append(cast("Symptom", one))
        return tuple(symptoms)

    def _named(self, what: str, name: str, known: Mapping[str, Any], default: Any) -> Any:
        if name not in known:
            self._unknown(what, name, known)
        return known.get(name, default)

    def _unknown(self, what: str, name: str, known: Iterable[object]) -> None:
        near = difflib.get_close_matches(name, [str(each) for each in known], 1)
        self.mistakes.append(f"{self._where}: no {what} {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")

    def _keys(self, entry: Mapping[str, Any], known: set[str], *, required: set[str]) -> None:
        for key in entry.keys() - known:
            self._unknown("key", key, known)
        for key in sorted(required - entry.keys()):
            self.mistakes.append(f"{self._where}: {key} is missing")


def _all(entries: Iterable[Mapping[str, Any]], key: str) -> Iterator[str]:
    for entry in entries:
        yield from entry.get(key, ())


def _filled(value: Any, row: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(each, row) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, row) for each in value]
    if isinstance(value, str):
        for name, text in row.items():
            value = value.replace(f"{{{name}}}", text)
    return value
