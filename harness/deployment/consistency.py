"""Contradictions between the tables of a deployment file, each as a mistake with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from harness.deployment.network import plain_name
from harness.deployment.tables import Tables
from harness.deployment.trigger import numbers_in_trigger
from harness.deployment.values import OWN_PHONES, hidden_in, keys_of
from harness.support.model_words import nearest
from harness.support.toml_model import Mistake, MistakesError

Place = tuple[str, ...]

#: Names that a line lists.
_MOST_NAMED = 20
#: Tables whose entries have names of the user's.
_NAMED = ("lines", "holidays", "groups", "assistants", "accounts", "phones")
#: Where the file names an entry of another table (see :func:`_at`), and that table.
_REFERENCES = (
    ("lines.*.assistant", "assistants"),
    ("lines.*.group", "groups"),
    ("lines.*.overflow", "assistants"),
    ("lines.*.fallback", "groups"),
    ("lines.*.closed", "groups"),
    ("lines.*.holidays", "holidays"),
    ("lines.*.trunk", "trunks"),
    ("lines.*.failover", "trunks"),
    ("lines.*.dids", "trunks"),
    ("groups.*.agents", "phones"),
    ("groups.*.assistant", "assistants"),
    ("groups.*.overflow", "groups"),
    ("groups.*.closed", "groups"),
    ("groups.*.holidays", "holidays"),
    ("assistants.*.transfer_to", "groups"),
    ("assistants.*.handovers.*.transfer_to", "groups"),
    ("phones.*.account", "accounts"),
    ("campaign.line", "lines"),
    ("campaign.customer", "phones"),
)
#: Where the file names a group whose agents take calls.
_OF_PEOPLE = (
    "lines.*.group",
    "lines.*.fallback",
    "lines.*.closed",
    "groups.*.overflow",
    "groups.*.closed",
)
#: Where values stand of which no two may be the same; how they compare, and what is allowed.
_UNIQUE: tuple[tuple[Sequence[str], Callable[[str], str], str], ...] = (
    (("groups.*.topic",), str, "a topic of its own for each group"),
    # a landing in a group whose name is ignored would never be seen
    (
        ("platform.report.ignore", "groups.*.reported_as"),
        plain_name,
        "a name of its own for each group",
    ),
    (
        ("escalation.digit", "escalation.goodbye_digit", "escalation.digits_back_digit"),
        str,
        "a digit of its own for each",
    ),
    (
        (
            "lines.*.did",
            "lines.*.dids.*",
            "lines.*.user",
            "groups.*.did",
            "groups.*.user",
            "assistants.*.did",
            "assistants.*.user",
            "phones.*.number",
            "numbers.no_such_number",
        ),
        str,
        "a number of its own for each role",
    ),
)


def require_consistent(deployment: Tables) -> None:
    """Raise :class:`MistakesError` for contradictions between the tables; where there are none, for
    names that are not allowed.
    """
    for looks in (_CONTRADICTIONS, _NAMES):
        if mistakes := [
            (_written(deployment, place), what)
            for look in looks
            for place, what in look(deployment)
        ]:
            raise MistakesError(mistakes)


def names_and_numbers(plain: Mapping[str, Any]) -> Iterator[Mistake]:
    """Unknown names, and numbers that are there twice, in a file with mistakes of form, which
    cannot be looked at as a whole.
    """
    yield from _unknown_names(plain)
    yield from _shared_values(plain)


def _part(value: Any, name: str) -> Any:
    """A key of a table, read or as the file has it; None where it is not there."""
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None)


def _table(deployment: Tables | Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = _part(deployment, name)
    return found if isinstance(found, Mapping) else {}


def _written(deployment: Tables | Mapping[str, Any], place: Place) -> Place:
    """The place as the file has it, if it is in a line that a menu's choice was made into."""
    if isinstance(deployment, Mapping) or place[0] != "lines" or len(place) < 2:
        return place
    return ("lines", *deployment.lines[place[1]].place(place[1]), *place[2:])


def _at(deployment: Tables | Mapping[str, Any], pattern: str) -> Iterator[tuple[Place, str]]:
    """Each text at a place of the file. ``*`` stands for any name; a table at the end for its
    names, a list for its texts.
    """
    found: list[tuple[Place, Any]] = [((), deployment)]
    for part in pattern.split("."):
        steps: list[tuple[Place, Any]] = []
        for place, value in found:
            if part != "*":
                steps.append(((*place, part), _part(value, part)))
            elif isinstance(value, Mapping):
                steps += [((*place, name), entry) for name, entry in value.items()]
        found = steps
    for place, value in found:
        if isinstance(value, str):
            yield place, value
        elif isinstance(value, Mapping):
            yield from (((*place, name), name) for name in value)
        elif isinstance(value, Sequence):
            yield from ((place, text) for text in value if isinstance(text, str))


def _unknown_names(deployment: Tables | Mapping[str, Any]) -> Iterator[Mistake]:
    tables: dict[str, Sequence[str]] = {name: list(_table(deployment, name)) for name in _NAMED}
    trunks = _part(deployment, "trunks")
    names = [_part(trunk, "name") for trunk in trunks] if isinstance(trunks, Sequence) else []
    tables["trunks"] = [name for name in names if isinstance(name, str)]
    for pattern, table in _REFERENCES:
        for place, name in _at(deployment, pattern):
            if name not in tables[table]:
                what = (
                    f"no {table.removesuffix('s')} is called {name!r}{nearest(name, tables[table])}"
                )
                if table == "groups" and name in tables["assistants"]:
                    what += f" (an assistant is: name a group with assistant = {name!r})"
                yield place, f"{what}; allowed: {_named(tables[table])}"


def _named(names: Sequence[str]) -> str:
    """The names that are there, some of them where there are very many."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more or "none is defined"


def _missing_keys(deployment: Tables) -> Iterator[Mistake]:
    """Keys that are missing, or mean nothing, beside others."""
    trunks = [trunk.name for trunk in deployment.trunks]
    if not trunks:
        yield ("trunks",), "none is there; allowed: one at least"
    if len(set(trunks)) != len(trunks):
        yield ("trunks",), "two trunks have one name; allowed: a name of its own for each"
    for table in ("lines", "groups"):
        for key, one in getattr(deployment, table).items():
            if one.hours and not (one.zone or deployment.zone):
                what = 'by whose clocks? allowed: zone = "Europe/Berlin" or the like beside'
                yield (table, key, "hours"), what
    for key, line in deployment.lines.items():
        if line.ai and not line.dids and line.trunk is None and len(trunks) > 1:
            yield (
                ("lines", key, "trunk"),
                f"is missing: several trunks; allowed: {', '.join(trunks)}",
            )
    for key, line in deployment.lines.items():
        if trunks and line.failover in deployment.numbers_of_line(key):
            yield (
                ("lines", key, "failover"),
                f"{line.failover} carries the number itself; allowed: another trunk",
            )
    for name in deployment.campaign.line if deployment.campaign is not None else ():
        if name in deployment.lines and deployment.lines[name].user:
            what = f"{name} has no number that customers see; allowed: a line with a did"
            yield ("campaign", "line"), what
    for key, assistant in deployment.assistants.items():
        if assistant.model_id is None and deployment.models():
            what = "is missing, though others have one; allowed: an id for each, or for none"
            yield ("assistants", key, "model_id"), what
    owners = [
        *(("trunks", t.name, t) for t in deployment.trunks),
        *(("assistants", *e) for e in deployment.assistants.items()),
    ]
    for table, name, owner in owners:
        if (owner.api_base or owner.api_token_env) and deployment.synthflow is None:
            yield (
                (table, name),
                "has an API, and nothing says how it is asked; allowed: [synthflow] beside it",
            )
    if deployment.timings.quick is not None and deployment.kind != "simulated":
        yield (
            ("timings", "quick"),
            "real timings cannot be scaled; allowed: in a simulated deployment",
        )
    report, most = deployment.platform.report, deployment.limits.seconds_per_call
    if report is None:
        for place, _ in _at(deployment, "groups.*.reported_as"):
            yield place, "no report is there to name it; allowed: platform.report beside it"
    elif report.stay_s >= most:
        what = f"{report.stay_s:g}: a call may last {most:g} s; allowed: less than limits.seconds_per_call"
        yield ("platform", "report", "stay_s"), what


def _shared_values(deployment: Tables | Mapping[str, Any]) -> Iterator[Mistake]:
    for patterns, compared, allowed in _UNIQUE:
        owners: dict[str, Place] = {}
        for place, value in (found for pattern in patterns for found in _at(deployment, pattern)):
            if _is_nobodys(deployment, place, value):
                continue
            owner = owners.setdefault(compared(value), place)
            if owner != place and not _leads_to(deployment, owner, place, value):
                yield (
                    place,
                    f"{value} is already {'.'.join(_written(deployment, owner))}; allowed: {allowed}",
                )


def _is_nobodys(deployment: Tables | Mapping[str, Any], place: Place, value: str) -> bool:
    """Whether a value needs no owner: no row presses the digit, the telephone is its group's own,
    or the number is of the line that leads to the assistant that takes the group's calls.
    """
    if place[0] == "groups" and _part(_table(deployment, "groups")[place[1]], "assistant"):
        return True
    if place == ("escalation", "digit"):
        assistants = _table(deployment, "assistants").values()
        return all(_part(assistant, "transfer") is None for assistant in assistants)
    is_telephone = place[0] == "phones"
    return is_telephone and any(
        _part(group, "did") == value and tuple(_part(group, "agents") or ()) == (place[1],)
        for group in _table(deployment, "groups").values()
    )


def _leads_to(
    deployment: Tables | Mapping[str, Any], owner: Place, place: Place, number: str
) -> bool:
    """Whether a number of both is a line's and that of the group or the assistant where its calls
    lead.

    The platform's number may be imported for the AI (guides, "Add the SIP Number": same DID), and
    be the group's own. Lines that are reached by one menu have one number.
    """
    if owner[0] != "lines":
        return False
    lines = _table(deployment, "lines")
    if place[0] == "lines":
        return all(_part(lines[name], "press") for name in (owner[1], place[1]))
    key = {"groups": "group", "assistants": "assistant"}.get(place[0], "")
    return any(_part(lines[name], key) == place[1] for name in _lines_of(deployment)[number])


def _lines_of(deployment: Tables | Mapping[str, Any]) -> dict[str, list[str]]:
    """Number → the lines that have it."""
    found: dict[str, list[str]] = {}
    for pattern in ("lines.*.did", "lines.*.dids.*", "lines.*.user"):
        for place, number in _at(deployment, pattern):
            found.setdefault(number, []).append(place[1])
    return found


#: Keys for the time before the menu: the same for all of its choices.
_BEFORE_THE_MENU = ("announcement_s", "hours", "zone", "holidays", "closed")


def _menus(deployment: Tables) -> Iterator[Mistake]:
    """Lines of one number that its menu does not tell apart, or that differ in keys for the time
    before it.
    """
    pairs = (pair for names in _lines_of(deployment).values() for pair in combinations(names, 2))
    for one, other in dict.fromkeys(pairs):
        first, line = deployment.lines[one], deployment.lines[other]
        if not (first.press and line.press):  # a number that is there twice
            continue
        own, taken = keys_of(line.press), keys_of(first.press)
        if own[: len(taken)] == taken[: len(own)]:
            place = ".".join(("lines", *first.place(one)))
            what = f"{'.'.join(own)}: the caller is at {place} with {'.'.join(taken)}"
            yield ("lines", other), f"{what}; allowed: choices of which none begins with another"
        for key in _BEFORE_THE_MENU:
            if first.before_menu(key) != line.before_menu(key):
                what = f"comes before the menu, and is another at {'.'.join(('lines', *first.place(one)))}"
                yield (
                    ("lines", other, key),
                    f"{what}; allowed: the same for each choice of a number",
                )


def _asked_twice(deployment: Tables) -> Iterator[Mistake]:
    """Ways to ask an assistant for one of its handovers that mean something else as well."""
    asked = deployment.escalation
    for key, assistant in deployment.assistants.items():
        means: dict[Place, str] = {("digit", str(asked.goodbye_digit)): "escalation.goodbye_digit"}
        means["digit", str(asked.digits_back_digit)] = "escalation.digits_back_digit"
        if assistant.transfer is not None:
            means["digit", str(asked.digit)] = "escalation.digit"
            means |= {
                (way, str(asked.prompt)): f"escalation.{way}"
                for way in asked.ways
                if way == "prompt"
            }
            means |= {(way, ""): "escalation.ways" for way in asked.ways if way == "silence"}
        for name, handover in assistant.handovers.items():
            said = [(way, way, getattr(handover, way)) for way in ("digit", "prompt")]
            said += [("silence", "ways", "") for way in handover.ways if way == "silence"]
            for way, where, value in said:
                if value is None:
                    continue
                place, whole = (
                    ("assistants", key, "handovers", name, where),
                    (way, value, *handover.then),
                )
                # two that begin alike are the same one, as soon as the shorter has been said
                alike = (
                    other for one, other in means.items() if one[: len(whole)] == whole[: len(one)]
                )
                if (other := next(alike, None)) is not None:
                    yield (
                        place,
                        f"{value or way} is already {other}; allowed: one of its own for each handover",
                    )
                else:
                    means[whole] = ".".join(place)


def _phones_that_cannot_be_called(deployment: Tables) -> Iterator[Mistake]:
    """A harness phone has no fixed port, so calls reach it only if it registers, and as the only
    one of its address.

    A call to an address of record goes to all who are registered for it (RFC 3261 section 10.2),
    whichever is meant.
    """
    called = [
        (place, agent)
        for place, agent in _at(deployment, "groups.*.agents")
        if agent in deployment.phones
    ]
    if (
        deployment.campaign is not None
        and deployment.callers
        and deployment.customer in deployment.phones
    ):
        called.append((("campaign", "customer"), deployment.customer))
    names = {name for _, name in called}
    owners: dict[tuple[str, str], str] = {}
    for name, phone in deployment.phones.items():
        account = deployment.accounts.get(phone.account)
        owner = owners.setdefault(deployment.address_of_record(name), name)
        if account is not None and owner != name and {owner, name} & names:
            what = f"{phone.aor_user} at {account.domain} is phones.{owner}, too, so that a call to one rings both"
            yield (
                ("phones", name),
                f"{what}; allowed: a user of its own for each phone that is called",
            )
    for place, name in called:
        account = deployment.accounts.get(deployment.phones[name].account)
        if account is not None and not account.register_:
            what = f"{name} cannot be called: accounts.{deployment.phones[name].account} has register = false"
            yield place, f"{what}; allowed: a phone of an account that registers"


def _groups_that_cannot_be_called(deployment: Tables) -> Iterator[Mistake]:
    for pattern in ("assistants.*.transfer_to", "assistants.*.handovers.*.transfer_to"):
        for place, to in _at(deployment, pattern):
            if to in deployment.groups and deployment.groups[to].address is None:
                yield (
                    place,
                    f"groups.{to} has no did and no user to transfer to; allowed: a group with one of them",
                )
    for key, group in deployment.groups.items():
        name, lines = group.assistant, deployment.lines
        if name in deployment.assistants and deployment.line_behind(key) is None:
            own = [did for line, _, did in deployment.all_dids() if lines[line].assistant == name]
            what = f"no line with this number leads to {name}; allowed: {_named(own)}"
            yield ("groups", key, "did"), what
    for pattern in _OF_PEOPLE:
        for place, to in _at(deployment, pattern):
            if to in deployment.groups and deployment.groups[to].assistant:
                yield place, f"an assistant takes the calls to {to}; allowed: a group of people"


def _indistinguishable_calls(deployment: Tables) -> Iterator[Mistake]:
    """In a shared group only the caller ID tells the harness's calls from strangers' calls."""
    for key, group in deployment.groups.items():
        for name in group.present if group.shared else ():
            phone = deployment.phones.get(name)
            if phone is not None and phone.number and phone.shows != "original":
                what = f"at {name}, whose telephone shows = {phone.shows}, test calls look like strangers' calls"
                yield (
                    ("groups", key, "shared"),
                    f"{what}; allowed: shared where it shows the caller's number",
                )


def _of_its_kind(deployment: Tables) -> Iterator[Mistake]:
    if deployment.kind == "stand-in" and all(
        trunk.ai == "synthflow" for trunk in deployment.trunks
    ):
        what = 'no trunk has a harness phone as the AI; allowed: ai = "stand-in" at a trunk, or kind = "live"'
        yield ("kind",), what


def _odd_names(deployment: Tables) -> Iterator[Mistake]:
    """Names stand in ids and in lines of text, which they must not break; phones that the harness
    adds have names, too.
    """
    names = [
        (("name",), deployment.name),
        *((("trunks", trunk.name), trunk.name) for trunk in deployment.trunks),
    ]
    for table in (*_NAMED, "assistants.*.handovers"):
        names += _at(deployment, table)
    for place, name in names:
        if what := hidden_in(name):
            yield place, f"{name!r}: {what}; allowed: a name in one line"
        elif not name.strip():
            yield place[:1], "one has no name; allowed: a name for each"
        elif place[0] == "phones" and name in OWN_PHONES:
            yield (
                place,
                "a phone that the harness makes for itself is called so; allowed: another name",
            )


_CONTRADICTIONS = (
    _missing_keys,
    _unknown_names,
    _shared_values,
    _menus,
    _asked_twice,
    _phones_that_cannot_be_called,
    _groups_that_cannot_be_called,
    _indistinguishable_calls,
    numbers_in_trigger,
)
_NAMES = (_of_its_kind, _odd_names)
