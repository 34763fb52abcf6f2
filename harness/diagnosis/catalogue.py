"""Rules and causes, read from ``tables/*.toml`` and checked against the declared facts.

``vocabulary.toml`` declares every fact with its values, and the named lists. Every other table holds one subject::

    [cause.group-wrong]
    title = "the transfer lands in another group"
    issue = "Transfer fails"                  # the row of the guide's troubleshooting table
    owner = "platform routing"
    fix = "…"                                 # {platform} is what the integration is called in a sentence
    guide = "transfer back"                   # a topic of vocabulary.toml
    of = "number"                             # all calls of that number have it; without this key, calls may differ
    status = "final.code"                     # the fact with a SIP status, which the title then ends with
    fix_of = { "482 483" = "…", "3xx" = "…" } # what the fix goes on with for these statuses

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

A condition reads ``FACT = VALUE | VALUE``, or ``FACT != VALUE`` for any other value. ``yes`` and
``no`` are flags, numbers are SIP statuses, ``$name`` is a list of vocabulary.toml. The order of
rules counts: of several that hold, the first names the cause. ``vary`` repeats an entry for each
row of a list of vocabulary.toml, with ``{name}`` replaced.

An integration's own table (:attr:`harness.integrations.base.Integration.diagnosis`) applies to that
integration alone. Besides causes and rules it may have::

    [sections]                                # topic → section of the integration's guide
    "transfer back" = "configure-transfers"

    [fix]                                     # shared cause → the fix text of this integration
    group-wrong = "…"
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast, get_args

from harness import integrations
from harness.case.check_table import SYMPTOMS, Symptom
from harness.diagnosis.facts import Facts, expanded, fact_kinds, filled, table, worded
from harness.errors import MistakeError, SelectionError
from harness.support.field_kinds import require_kinds
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
Confidence = Literal["certain", "likely", "possible"]
#: What has a cause, with all its calls.
Of = Literal["", "trunk", "number", "codec"]

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
)

#: What an integration's own table may have.
_OWN = ("sections", "fix", "cause", "rule")

_CONDITION = re.compile(r"(\S+) (!?=) (.+)")


@dataclass(frozen=True, slots=True)
class Condition:
    """What a rule asks of one fact.

    ``is``: the fact has one of ``values``. ``is not``: the fact is known and has none of them.
    ``not shown``: no evidence shows one of them; an unknown fact satisfies it.
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
        is_or_not = "" if self.how == "is" else "not "
        return f"{fact_kinds()[self.fact].label}: {is_or_not}{wanted}"

    def answered(self, facts: Facts) -> str:
        """The condition beside the known value, for a reader."""
        fact = facts.get(self.fact)
        if fact is None:
            unknown = "nothing shows that" if self.how == "not shown" else "not known"
            return f"{self} – {unknown}"
        shown = f" ({', '.join(fact.evidence)})" if fact.evidence else ""
        return f"{self} – it is {worded(fact.value)}{shown}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``cause`` explains ``symptoms`` when all conditions hold.

    An unknown fact under ``when`` leaves the rule possible; under ``needs`` it excludes the rule.
    ``unless`` lists what would contradict the rule (every condition is ``not shown``). ``favours``
    ranks a candidate first when one of them holds. ``consequences`` are later symptoms that the
    cause produces by itself.
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
    #: Whose the cause is, where the rule shows that it is another's than the cause says.
    owner: str = ""
    #: The row of the guide's table, where the cause shows in another way than the cause says.
    issue: str = ""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that have to hold."""
        return self.needs + self.when + self.unless


@dataclass(frozen=True, slots=True)
class CauseEntry:
    """What a table says of a cause. ``guide`` is the topic of the guides' sections about it.

    ``of``: the cause is a setting of that trunk, number or codec, so that all its calls have it;
    empty if calls may differ.
    """

    title: str
    issue: str
    owner: Owner
    fix: str
    guide: str
    of: Of = ""
    status: str = ""  #: the fact that has the SIP status which was answered
    fix_of: Mapping[str, str] = field(default_factory=dict)  #: what to do, by statuses

    def fix_for(self, code: object) -> str:
        """What to do, where that status was answered."""
        known = {str(code), f"{str(code)[:1]}xx"}
        for codes, more in self.fix_of.items():
            if not known.isdisjoint(codes.split()):
                return f"{self.fix} {more}"
        return self.fix


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The causes and rules that apply to one integration, and its guide's sections by topic."""

    causes: Mapping[str, CauseEntry] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    sections: Mapping[str, str] = field(default_factory=dict)


@cache
def catalogue(integration: str = "") -> Catalogue:
    """The shared causes and rules, and the integration's own.

    Raises :class:`TableError` for a mistake in the integration's table. An integration that is not
    installed has the shared ones: evidence is also read where it was not made.
    """
    if not integration:
        return read({f"{name}.toml": table(name) for name in TABLES})
    try:
        path = integrations.find(integration).diagnosis
    except SelectionError:
        path = None
    return catalogue() if path is None else read({str(path): _own_table(path)}, catalogue())


def causes() -> Mapping[str, CauseEntry]:
    """Every cause by its id: the shared ones, and those of the integrations that are installed."""
    found = dict(catalogue().causes)
    shared = set(found)
    for integration in integrations.names():
        for name, entry in catalogue(integration).causes.items():
            if name not in shared:
                found[name] = entry
    return found


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom one can ask about the causes of these owners, and what they need."""

    name: str
    owners: tuple[str, ...]
    send: str


@cache
def people() -> tuple[Person, ...]:
    """Everybody whom one can ask."""
    found = table("vocabulary")["person"].items()
    return tuple(Person(name, tuple(one["owners"]), one["send"]) for name, one in found)


def person_of(owner: str) -> Person | None:
    """Whom to ask about a cause of that owner; None for an unknown one."""
    return next((person for person in people() if owner in person.owners), None)


def owner_in_words(owner: str) -> str:
    """The person with the table's own word: ``platform administrator (trunk)``."""
    found = person_of(owner)
    return owner if found is None or found.name == owner else f"{found.name} ({owner})"


def rules_of(integration: str) -> tuple[Rule, ...]:
    """The common rules, then the integration's own."""
    return catalogue(integration).rules


def cause_text(cause: str, integration: str, facts: Facts | None = None) -> dict[str, str]:
    """``title``, ``issue``, ``fix``, ``link`` and ``owner`` of a cause, with the integration's
    title and guide, and the SIP status among ``facts`` that it goes by.
    """
    known = catalogue(integration)
    described = known.causes[cause]
    try:
        found = integrations.find(integration)
        guide, platform = found.guide, found.called or found.title
    except SelectionError:
        guide, platform = "", "the platform"
    section = known.sections.get(described.guide, "")
    title, code = described.title, None
    status = facts.get(described.status) if facts is not None else None
    if status is not None and isinstance(status.value, int):
        title, code = f"{title}: {status.answer}", status.value
    return {
        "title": title,
        "issue": described.issue,
        "fix": described.fix_for(code).format(platform=platform),
        "link": f"{guide}#{section}" if guide and section else guide,
        "owner": described.owner,
    }


# -- reading tables


class TableError(MistakeError):
    """A table names something that is not declared. One line says where and what."""


def read(tables: Mapping[str, Mapping[str, Any]], shared: Catalogue | None = None) -> Catalogue:
    """The catalogue in parsed tables, by file name; with ``shared``, that of an integration whose
    tables they are. Raises :class:`TableError` for the first mistake.
    """
    causes = dict(shared.causes) if shared else {}
    rules = {rule.id: rule for rule in shared.rules} if shared else {}
    sections: dict[str, str] = {}
    for name, content in tables.items():
        sections |= _texts(content, "sections", name)
        topics = {*_topics(), *sections}
        for key, entry in content.get("cause", {}).items():
            _add(causes, partial(_cause, topics), f"{name}: cause {key}", key, entry)
        for key, entry in content.get("rule", {}).items():
            _add(rules, _rule, f"{name}: rule {key}", key, entry)
        for key, fix in _texts(content, "fix", name).items():
            with _at(f"{name}: fix {key}"):
                _require("cause", key, causes)
                causes[key] = replace(causes[key], fix=_fix(fix), fix_of={})
        for topic in sections:
            with _at(f"{name}: sections"):
                _require("topic", topic, {*_topics(), *(cause.guide for cause in causes.values())})
    for rule in rules.values():
        with _at(f"rule {rule.id}"):
            _require("cause", rule.cause, causes)
    if idle := causes.keys() - {rule.cause for rule in rules.values()}:
        raise TableError(f"cause {min(idle)}: no rule names it")
    return Catalogue(causes, tuple(rules.values()), sections)


def _own_table(path: Path) -> Mapping[str, Any]:
    """The table of an integration, which may be anybody's."""
    try:
        found = tomllib.loads(user_files.read_text(path, user_files.SETTINGS))
    except (OSError, ValueError) as error:
        raise TableError(f"{path}: {error}") from error
    for name, content in found.items():
        with _at(str(path)):
            _require("table", name, _OWN)
            entries = content.values() if isinstance(content, dict) else [content]
            if name in ("cause", "rule") and not all(isinstance(one, dict) for one in entries):
                raise TableError(f"{name}: allowed: [{name}.NAME]")
    return found


def _texts(content: Mapping[str, Any], name: str, where: str) -> Mapping[str, str]:
    found = content.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise TableError(f'{where}: {name}: allowed: NAME = "…" in each line of [{name}]')
    return found


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Put the place before a mistake that is found within."""
    try:
        yield
    except (TableError, TypeError) as mistake:  # TypeError: an unknown key, or one is missing
        raise TableError(f"{where}: {mistake}") from None


def _topics() -> Collection[str]:
    """What guides have sections about."""
    topics: Collection[str] = table("vocabulary")["guide"]["topics"]
    return topics


def _add(
    read_before: dict[str, Any],
    make: Callable[..., Any],
    where: str,
    key: str,
    entry: Mapping[str, Any],
) -> None:
    """Add what ``make`` reads from an entry; from one with ``vary``, once for each row of its list."""
    entry = {**entry}
    varied = entry.pop("vary", None)
    with _at(where):
        rows: Iterable[Mapping[str, str]] = [{}]
        if varied is not None:
            rows = _named("list to vary by", varied, table("vocabulary")["vary"])
        for row in rows:
            name = filled(key, row)
            if name in read_before:
                raise TableError("there is another of this name")
            read_before[name] = make(name, **filled(entry, row))


def _cause(
    topics: Collection[str],
    _: str,
    title: str,
    issue: str,
    owner: Owner,
    fix: str,
    guide: str = "",
    of: Of = "",
    status: str = "",
    fix_of: Mapping[str, str] | None = None,
) -> CauseEntry:
    """A cause as a table declares it; each key is a parameter."""
    _require("owner", owner, get_args(Owner))
    _require("kind of place", of, get_args(Of))
    if guide:
        _require("guide", guide, topics)
    require_kinds(CauseEntry, {"title": title, "issue": issue, "fix": fix})
    if status:
        _require("fact", status, fact_kinds())
    fixes = {codes: _fix(text) for codes, text in (fix_of or {}).items()}
    return CauseEntry(title, issue, owner, _fix(fix), guide, of, status, fixes)


def _fix(text: str) -> str:
    """The text, whose only field in braces is the platform's title."""
    try:
        text.format(platform="")
    except (LookupError, ValueError, AttributeError) as error:
        raise TableError(
            f"{text!r}: {error}; allowed: {{platform}}, and {{{{ for a brace"
        ) from None
    return text


def _rule(key: str, cause: str, symptoms: Sequence[str], because: str, **more: Any) -> Rule:
    """A rule as a table declares it, with the conditions of the lists that its ``with`` names."""
    known = table("vocabulary")["conditions"]
    shared = [_named("shared conditions", name, known) for name in more.pop("with", ())]
    for part in ("needs", "when", "unless", "favours"):
        conditions = []
        for one in (*shared, more):
            for text in one.get(part, ()):
                conditions.append(_condition(text, contradicts=part == "unless"))
        more[part] = tuple(conditions)
    _require("confidence", more.get("confidence", "certain"), get_args(Confidence))
    _require("owner", more.get("owner", "trunk"), get_args(Owner))
    more["consequences"] = _symptoms(more.get("consequences", ()))
    return Rule(id=key, cause=cause, symptoms=_symptoms(symptoms), because=because, **more)


def _symptoms(names: Iterable[str]) -> tuple[Symptom, ...]:
    symptoms = _listed(names, "symptoms")
    for name in symptoms:
        _require("symptom", name, SYMPTOMS)
    return cast("tuple[Symptom, ...]", symptoms)


def _condition(text: str, *, contradicts: bool) -> Condition:
    """A condition from its text. One that ``contradicts`` is turned round: it names what must not
    be shown.
    """
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise TableError(f"{text!r} does not read 'FACT = VALUE' or 'FACT != VALUE'")
    fact, operator, words = match.groups()
    _require("fact", fact, fact_kinds())
    values = [_value(fact, word) for word in _listed(words.split(" | "), "values")]
    if not contradicts:
        return Condition(fact, "is" if operator == "=" else "is not", tuple(values))
    if operator == "!=":
        values = [value for value in fact_kinds()[fact].values if value not in values]
    return Condition(fact, "not shown", tuple(values))


def _value(fact: str, word: str) -> object:
    """A condition's value: a number is a SIP status where the fact may be one; yes and no are
    flags.
    """
    kind = fact_kinds()[fact]
    if kind.status and word.isdigit():
        return int(word)
    value = {"yes": True, "no": False}.get(word, word) if True in kind.values else word
    _require(f"value of {fact}", value, kind.values)
    return value


def _listed(words: Iterable[str], kind: str) -> tuple[str, ...]:
    """The words, with the named lists of ``kind`` in place of their names."""
    lists = table("vocabulary")[kind]
    for word in words:
        if word.startswith("$"):
            _require(f"list of {kind}", word[1:], lists)
    return tuple(expanded(words, lists))


def _named(what: str, name: str, known: Mapping[str, Any]) -> Any:
    _require(what, name, known)
    return known[name]


def _require(what: str, name: object, known: Collection[object]) -> None:
    if name not in known:
        near = difflib.get_close_matches(str(name), [str(each) for each in known], 1)
        did_you_mean = f"; did you mean {near[0]!r}?" if near else ""
        raise TableError(f"no {what} {name!r}{did_you_mean}")
