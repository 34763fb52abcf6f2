"""What the tables of a deployment file say against each other, each as a mistake of who wrote it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from unicodedata import category

from harness.deployment.report import plain_name
from harness.deployment.tables import Tables
from harness.deployment.values import OWN_PHONES
from harness.support.model_words import nearest
from harness.support.toml_model import Mistake, MistakesError

#: Names that a line lists.
_MOST_NAMED = 20
#: Tables whose entries have names of the user's.
_NAMED = ("lines", "groups", "assistants", "accounts", "phones")


def require_consistent(deployment: Tables) -> None:
    """Raise :class:`MistakesError` for contradictions between the tables; where there are none, for what the names may not be."""
    for looks in (_CONTRADICTIONS, _NAMES):
        if mistakes := [mistake for look in looks for mistake in look(deployment)]:
            raise MistakesError(mistakes)


def _unknown_names(deployment: Tables) -> Sequence[Mistake]:
    """Names of entries that are not there, and what is missing beside others."""
    mistakes: list[Mistake] = []

    def known(name: str | None, table: Mapping[str, object], what: str, *place: str) -> None:
        if name is not None and name not in table:
            mistakes.append((place, f"no {what} is called {name!r}{nearest(name, table)}; allowed: {_named(table)}"))

    trunks = {trunk.name: trunk for trunk in deployment.trunks}
    for key, line in deployment.lines.items():
        known(line.assistant, deployment.assistants, "assistant", "lines", key, "assistant")
        known(line.group, deployment.groups, "group", "lines", key, "group")
        known(line.fallback, deployment.groups, "group", "lines", key, "fallback")
        known(line.closed, deployment.groups, "group", "lines", key, "closed")
        known(line.trunk, trunks, "trunk", "lines", key, "trunk")
        if line.hours and not (line.zone or deployment.zone):
            what = 'by whose clocks? allowed: zone = "Europe/Berlin" or the like beside'
            mistakes.append((("lines", key, "hours"), what))
        for trunk in line.dids:
            known(trunk, trunks, "trunk", "lines", key, "dids", trunk)
        if line.did and line.trunk is None and len(trunks) > 1:
            what = f"is missing: several trunks; allowed: {', '.join(trunks)}"
            mistakes.append((("lines", key, "trunk"), what))
    for key, group in deployment.groups.items():
        for agent in group.agents:
            known(agent, deployment.phones, "phone", "groups", key, "agents")
    for key, assistant in deployment.assistants.items():
        known(assistant.transfer_to, deployment.groups, "group", "assistants", key, "transfer_to")
        for name, handover in assistant.handovers.items():
            known(handover.transfer_to, deployment.groups, "group", "assistants", key, "handovers", name, "transfer_to")
        if assistant.model_id is None and deployment.models():
            what = "is missing, though others have one; allowed: an id for each, or for none"
            mistakes.append((("assistants", key, "model_id"), what))
    for key, phone in deployment.phones.items():
        known(phone.account, deployment.accounts, "account", "phones", key, "account")
    if deployment.campaign is not None:
        known(deployment.campaign.line, deployment.lines, "line", "campaign", "line")
        known(deployment.campaign.customer, deployment.phones, "phone", "campaign", "customer")
    if deployment.timings.quick is not None and deployment.kind != "simulated":
        what = "real timings cannot be scaled; allowed: in a simulated deployment"
        mistakes.append((("timings", "quick"), what))
    return mistakes


def _of_its_kind(deployment: Tables) -> Iterator[Mistake]:
    if deployment.kind == "stand-in" and all(trunk.ai == "synthflow" for trunk in deployment.trunks):
        what = 'no trunk has a harness phone in the AI\'s place; allowed: ai = "stand-in" at a trunk, or kind = "live"'
        yield ("kind",), what


def _names_of_ours(deployment: Tables) -> Iterator[Mistake]:
    for table in _NAMED:
        if any(not name.strip() for name in getattr(deployment, table)):
            yield (table,), "one has no name; allowed: a name for each"
    for name in sorted(OWN_PHONES & deployment.phones.keys()):
        yield ("phones", name), "a phone that the harness makes for itself is called so; allowed: another name"


def _unprintable_names(deployment: Tables) -> Iterator[Mistake]:
    """Names stand in ids and in lines of text, which they must not break."""
    names = [(("name",), deployment.name), *((("trunks", trunk.name), trunk.name) for trunk in deployment.trunks)]
    for table in _NAMED:
        names += [((table, name), name) for name in getattr(deployment, table)]
    for key, assistant in deployment.assistants.items():
        names += [(("assistants", key, "handovers", name), name) for name in assistant.handovers]
    for place, name in names:
        if any(category(character) in ("Cc", "Zl", "Zp") for character in name):
            yield place, f"{name!r}: a line break or another control character; allowed: a name in one line"


def _trunks_alike(deployment: Tables) -> Iterator[Mistake]:
    if not deployment.trunks:
        yield ("trunks",), "none is there; allowed: one at least"
    if len({trunk.name for trunk in deployment.trunks}) != len(deployment.trunks):
        yield ("trunks",), "two trunks have one name; allowed: a name of its own for each"


def _report_names(deployment: Tables) -> Iterator[Mistake]:
    report, most = deployment.platform.report, deployment.limits.seconds_per_call
    if report is not None and report.stay_s >= most:
        what = f"{report.stay_s:g}: a call may last {most:g} s; allowed: less than limits.seconds_per_call"
        yield ("platform", "report", "stay_s"), what
    # a name that is passed over is no group's, so that no landing there would ever be seen
    owners = {plain_name(name): "platform.report.ignore" for name in (report.ignore if report else ())}
    for key, group in deployment.groups.items():
        if group.reported_as and deployment.platform.report is None:
            what = "no report is there to name it; allowed: platform.report beside it"
            yield ("groups", key, "reported_as"), what
        where = f"groups.{key}"
        for name in group.reported_as:
            if (owner := owners.setdefault(plain_name(name), where)) != where:
                what = f"{name!r} is already {owner}; allowed: a name of its own for each group"
                yield ("groups", key, "reported_as"), what


def _digits_of_two_meanings(deployment: Tables) -> Iterator[Mistake]:
    """Each digit that rows press has one meaning for the AI."""
    keys = ["goodbye_digit", "digits_back_digit"]
    if any(assistant.transfer is not None for assistant in deployment.assistants.values()):
        keys.insert(0, "digit")  # without a transfer no row presses it
    owners: dict[str, str] = {}
    for key in keys:
        digit = getattr(deployment.escalation, key)
        if digit is not None and (owner := owners.setdefault(digit, key)) != key:
            what = f"{digit} is already escalation.{owner}; allowed: a digit of its own for each"
            yield ("escalation", key), what


def _asked_twice(deployment: Tables) -> Iterator[Mistake]:
    for assistant in deployment.assistants:
        yield from _asked_twice_of(deployment, assistant)


def _asked_twice_of(deployment: Tables, assistant: str) -> Iterator[Mistake]:
    """What asks an assistant for one of its handovers, and for something else as well."""
    entry, asked = deployment.assistants[assistant], deployment.escalation
    means: dict[tuple[str, ...], str] = {("digit", str(asked.goodbye_digit)): "escalation.goodbye_digit"}
    means["digit", str(asked.digits_back_digit)] = "escalation.digits_back_digit"
    if entry.transfer is not None:
        means["digit", str(asked.digit)] = "escalation.digit"
        means |= {(way, str(asked.prompt)): f"escalation.{way}" for way in asked.ways if way == "prompt"}
        means |= {(way, ""): "escalation.ways" for way in asked.ways if way == "silence"}
    for name, handover in entry.handovers.items():
        place = ("assistants", assistant, "handovers", name)
        said = [(way, getattr(handover, way)) for way in ("digit", "prompt")]
        said += [(way, "") for way in handover.ways if way == "silence"]
        for way, value in said:
            if value is None:
                continue
            key, whole = "ways" if way == "silence" else way, (way, value, *handover.then)
            # what begins as another does is that one, as soon as it has been said
            alike = (where for one, where in means.items() if one[: len(whole)] == whole[: len(one)])
            if (other := next(alike, None)) is not None:
                yield (*place, key), f"{value or way} is already {other}; allowed: one of its own for each handover"
            else:
                means[whole] = f"{'.'.join(place)}.{key}"


def _unregistered_called_phones(deployment: Tables) -> Iterator[Mistake]:
    """A harness phone has no fixed port, so calls reach it only if it registers."""
    called: list[tuple[str, tuple[str, ...]]] = [
        (agent, ("groups", key, "agents")) for key, group in deployment.groups.items() for agent in group.agents
    ]
    if deployment.campaign is not None and deployment.callers:
        called.append((deployment.customer, ("campaign", "customer")))
    yield from _phones_called_as_one(deployment, {name for name, _ in called})
    for name, place in called:
        account = deployment.accounts.get(deployment.phones[name].account) if name in deployment.phones else None
        if account is not None and not account.register_:
            what = f"{name} cannot be called: accounts.{deployment.phones[name].account} has register = false"
            yield place, f"{what}; allowed: a phone of an account that registers"


def _phones_called_as_one(deployment: Tables, called: Collection[str]) -> Iterator[Mistake]:
    """A call to an address of record goes to all who are registered for it (RFC 3261 section 10.2), whichever is meant."""
    owners: dict[tuple[str, str], str] = {}
    for name, phone in deployment.phones.items():
        account = deployment.accounts.get(phone.account)
        if account is None:
            continue
        owner = owners.setdefault(deployment.address_of_record(name), name)
        if owner != name and {owner, name} & set(called):
            what = f"{phone.aor_user} at {account.domain} is phones.{owner}, too, so that a call to one rings both"
            yield ("phones", name), f"{what}; allowed: a user of its own for each phone that is called"


def _groups_that_nobody_can_call(deployment: Tables) -> Iterator[Mistake]:
    for key, assistant in deployment.assistants.items():
        own = assistant.transfer_to if assistant.transfer else None
        targets: dict[tuple[str, ...], str | None] = {("assistants", key, "transfer_to"): own}
        for name, handover in assistant.handovers.items():
            targets["assistants", key, "handovers", name, "transfer_to"] = handover.transfer_to
        for place, to in targets.items():
            if to in deployment.groups and deployment.groups[to].address is None:
                yield place, f"groups.{to} has no did and no user to transfer to; allowed: a group with one of them"


def _indistinguishable_calls(deployment: Tables) -> Iterator[Mistake]:
    """In a shared group only the caller ID tells the harness's calls from strangers' calls."""
    for key, group in deployment.groups.items():
        for name in group.present if group.shared else ():
            phone = deployment.phones.get(name)
            if phone is not None and phone.number and phone.shows != "original":
                what = f"at {name}, whose telephone shows = {phone.shows}, test calls look like strangers' calls"
                yield ("groups", key, "shared"), f"{what}; allowed: shared where it shows the caller's number"


def _shared_topics(deployment: Tables) -> Iterator[Mistake]:
    """A topic leads to one group, as a number does."""
    owners: dict[str, str] = {}
    for key, group in deployment.groups.items():
        if group.topic is not None and (owner := owners.setdefault(group.topic, key)) != key:
            what = f"{group.topic!r} is already groups.{owner}.topic; allowed: a topic of its own for each group"
            yield ("groups", key, "topic"), what


def _shared_numbers(deployment: Tables) -> Iterator[Mistake]:
    owners: dict[str, tuple[str, ...]] = {}
    roles: list[tuple[tuple[str, ...], str]] = [
        *(
            (("lines", key, *place), did)
            for key, line in deployment.lines.items()
            for place, did in ((("did",), line.did), *((("dids", trunk), did) for trunk, did in line.dids.items()))
            if did
        ),
        *((("groups", key, "did"), group.did) for key, group in deployment.groups.items() if group.did),
        *((("groups", key, "user"), group.user) for key, group in deployment.groups.items() if group.user),
        *((("assistants", key, "did"), assistant.did) for key, assistant in deployment.assistants.items()),
        *(
            (("phones", key, "number"), phone.number)
            for key, phone in deployment.phones.items()
            # a group may be one telephone, to which the AI transfers directly
            if phone.number
            and not any(g.did == phone.number and g.agents == (key,) for g in deployment.groups.values())
        ),
    ]
    if deployment.numbers.no_such_number:
        roles.append((("numbers", "no_such_number"), deployment.numbers.no_such_number))
    for place, number in roles:
        owner = owners.setdefault(number, place)
        line = deployment.lines[owner[1]] if owner[0] == "lines" else None
        # a number that leads to people only may be their group's own, and the AI answers at the platform's where it has that
        # imported (guides, "Add the SIP Number": same DID)
        leads_to = {"groups": line.group, "assistants": line.assistant} if line is not None else {}
        if owner is place or leads_to.get(place[0]) == place[1]:
            continue
        is_menu = line is not None and place[0] == "lines" and (line.press or deployment.lines[place[1]].press)
        what = "one choice of the menu for each number" if is_menu else "a number of its own for each role"
        yield place, f"{number} is already {'.'.join(owner)}; allowed: {what}"


def _named(table: Mapping[str, object]) -> str:
    """The names that are there, some of them where there are very many."""
    names = list(table)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more or "none is defined"


_CONTRADICTIONS = (
    _unknown_names,
    _trunks_alike,
    _shared_numbers,
    _shared_topics,
    _report_names,
    _asked_twice,
    _digits_of_two_meanings,
    _unregistered_called_phones,
    _groups_that_nobody_can_call,
    _indistinguishable_calls,
)
_NAMES = (_of_its_kind, _unprintable_names, _names_of_ours)
