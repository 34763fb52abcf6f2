"""Customers as they are drawn: a deployment file's table of kind ``simulated``, names and numbers of
any form.

A customer who is to be verified as a real one is, by a file and phones alone, carries that beside:
:class:`Customer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from zlib import crc32

from tools import read_toml
from tools.shapes import people
from tools.shapes.people import Dice

Table = dict[str, Any]
Kind = Literal["simulated", "live", "stand-in"]
#: What of the AI's side can be seen: all of it; its records and their words; records without words;
#: nothing.
Told = Literal["marks", "words", "records", "nothing"]

#: Numbers that are kept for stories in five countries, or lie beside those: country's prefix, and
#: digits that follow.
_RANGES: Final = (
    ("+1312555", 4),
    ("+44207946", 4),
    ("+493023125", 3),
    ("+3319900", 4),
    ("+6125550", 4),
)
_COUNTRIES = ("US", "GB", "DE", "FR", "AU")
_FIRST_VOICE = 240
#: Assistants that fail on purpose, to prove fallbacks; they never transfer.
_UNWILLING = ("unavailable", "never-answers", "busy", "declines", "early-media")
_TRANSPORTS = ("udp", "tcp", "tls")
_DOMAINS = {
    "talkdesk": "acme.talkdesk.example",
    "gladly": "acme.sip.gladly.example",
    "generic": "pbx.example.net",
}
_KEYS = "0123456789*#"
_PROMPTS = ("agent-please-de", "agent-please-en", "agent-please-es", "agent-please-fr")
#: How long a caller says nothing who is handed over by that: longer than any case keeps silence for
#: another reason, a fault among them.
_SILENCE_S = 20.0
#: The hours of a number that is closed, whenever that is.
CLOSED: Final = "closed"
#: Its holidays: they are now.
CALENDAR: Final = "feast days"


@dataclass(frozen=True)
class Customer:
    """One drawn customer."""

    table: Table  #: the deployment file, of kind ``simulated``
    kind: Kind  #: how the harness is to know it
    told: Told
    spreadsheet: bool  #: whether its numbers stand in a CSV file
    index: int  #: which of the draw's


def drawn(index: int, seed: int) -> Customer:
    """The customer ``index`` of the seed.

    It does not know what day it is: where a number is closed, its hours say :data:`CLOSED` until
    the file is written.
    """
    dice = Dice(f"{seed} {index}")
    kind: Kind = dice.choice(["simulated", "simulated", "live", "stand-in"])
    told: Told = dice.choice(["words", "records", "nothing"]) if kind == "live" else "marks"
    integration = dice.choice(["talkdesk", "talkdesk", "gladly", "generic"])
    numbers = _numbers(dice, 110)
    trunks = [_trunk(dice, name, integration, kind) for name in people.names(dice, 1, 6)]
    phones, agents = people.phones(dice, numbers)
    topics = people.names(dice, 0, 3) if integration == "gladly" else []
    groups = people.groups(dice, numbers, phones, agents, topics)
    escalation = _escalation(dice)
    assistants = _assistants(dice, list(groups), topics, numbers, _spare(escalation))
    machine = dice.choice(["", "voicemail", "announcement"])
    if machine:  # a fallback, an overflow or a closed number may lead to it
        groups["Mailbox, by a machine"] = {
            "did": numbers.pop(),
            "agents": [],
            "rings": "all",
            "empty": True,
            machine: True,
        }
    least, most = dice.choice([(1, 4)] * 6 + [(1, 8)] * 3 + [(12, 40)])
    count = dice.randint(least, most)
    made = _Lines(dice, trunks, assistants, groups, integration)
    lines = {name: made.line(numbers.pop()) for name in people.names(dice, count, count)}
    codecs = [["pcmu"], ["pcma"]] if count > 8 else [["pcmu"], ["pcma"], ["pcmu", "pcma"]]
    table: Table = {
        "name": f"customer-{index}",
        "integration": integration,
        "kind": "simulated",
        "region": dice.choice(_COUNTRIES),
        "zone": "Etc/UTC",
        "depth": dice.choice(
            ["every-number", "every-number", "once", "full" if count < 4 else "once"]
        ),
        "platform": {"domain": _DOMAINS[integration]},
        "axes": {"codecs": dice.choice(codecs)},
        "trunks": trunks,
        "lines": lines,
        "groups": groups,
        "assistants": assistants,
        "phones": phones,
        "escalation": escalation,
        **_fixed(dice, integration, numbers),
    }
    led = [name for name, line in lines.items() if "assistant" in line]
    if integration == "talkdesk" and led and dice.one_in(2):
        table["campaign"] = {"trigger": "http", "line": dice.choice(led)}
    campaign = table.get("campaign", {}).get("line")
    plain = [name for name in led if name != campaign and "press" not in lines[name]]
    if plain and dice.one_in(2):
        name = dice.choice(plain)
        lines[name] = made.menu(lines[name])
        led.remove(name)
    if led and dice.one_in(4):  # the guides have one number at the platform and at the AI
        line = lines[dice.choice(led)]
        assistants[line["assistant"]]["did"] = line["did"]
    people_there = [name for name, group in groups.items() if group["agents"]]
    if people_there and dice.one_in(3):
        name = dice.choice(people_there)
        hours = made.hours(dice.randrange(2))
        if hours.get("closed") != name:
            groups[name] |= hours
    _to_another_assistant(dice, lines, assistants, groups)
    return Customer(table, kind, told, spreadsheet=dice.one_in(4), index=index)


def _to_another_assistant(dice: Dice, lines: Table, assistants: Table, groups: Table) -> None:
    """Let an assistant without a handover hand over to another assistant's number."""
    direct = [
        line
        for line in lines.values()
        if "assistant" in line and not {"press", "hours"} & line.keys()
    ]
    if not direct or dice.one_in(2):
        return
    line = dice.choice(direct)
    for name, assistant in assistants.items():
        if name != line["assistant"] and not {"transfer", "behaviour"} & assistant.keys():
            assistant |= {"transfer": "cold", "transfer_to": _ANOTHER}
            groups[_ANOTHER] = {"did": line["did"], "assistant": line["assistant"]}
            return


def _fixed(dice: Dice, integration: str, numbers: list[str]) -> Table:
    """What differs little from customer to customer."""
    table = read_toml(Path(__file__).with_name("customer.toml"))
    desk = "tls" if integration == "gladly" else dice.choice(_TRANSPORTS)
    table["accounts"][people.DESK] = {"domain": _DOMAINS[integration], "transport": desk}
    if dice.one_in(2):
        table["numbers"] = {"no_such_number": numbers.pop()}
    srtp, form = dice.one_in(2), dice.choice(["national", "e164"])
    table["expect"] |= {"srtp": srtp, "agent_number_format": form}
    return table


def _escalation(dice: Dice) -> Table:
    """How a caller asks for a person, and for other things."""
    digit, goodbye, back = dice.sample(_KEYS, len(_KEYS))[:3]
    escalation: Table = {"ways": ["digit"], "digit": digit, "silence_s": _SILENCE_S}
    if dice.one_in(2):
        escalation |= {"goodbye_digit": goodbye, "digits_back_digit": back, "digits_back": "159D"}
    return escalation


def _spare(escalation: Table) -> str:
    """The digits that ask for nothing yet; five at least are left that nothing ever asks by."""
    taken = {escalation.get(key) for key in ("digit", "goodbye_digit", "digits_back_digit")}
    return "".join(key for key in _KEYS if key not in taken)[:4]


def _numbers(dice: Dice, count: int) -> list[str]:
    """Numbers in no order."""
    found: dict[str, None] = {}
    while len(found) < count:
        prefix, digits = dice.choice(_RANGES)
        found[f"{prefix}{dice.randrange(10**digits):0{digits}d}"] = None
    return list(found)


def _trunk(dice: Dice, name: str, integration: str, kind: Kind) -> Table:
    transport = "tls" if integration == "gladly" else dice.choice(_TRANSPORTS)
    takes_place = kind == "stand-in" or (kind == "simulated" and dice.one_in(4))
    digest = integration != "gladly" and not takes_place and dice.one_in(2)
    trunk: Table = {
        "name": name,
        "ai": "stand-in" if takes_place else "synthflow",
        "transport": transport,
        "port": 32682 if transport == "tls" else 32681,
        "authentication": "digest" if digest else "ip",
        "max_concurrent_calls": dice.randint(1, 3),
    }
    if digest or (takes_place and dice.one_in(2)):
        trunk["username"] = f"user-{crc32(name.encode())}"  # the same for the same name
    return trunk


def _assistants(
    dice: Dice, groups: list[str], topics: list[str], numbers: list[str], digits: str
) -> Table:
    made: Table = {}
    for index, name in enumerate(people.names(dice, 1, 5)):
        assistant: Table = {"did": numbers.pop(), "voice": _FIRST_VOICE + index}
        if index and dice.one_in(2):
            assistant["behaviour"] = dice.choice(_UNWILLING)
        else:
            if way := dice.choice([None, "cold", "cold", "warm"]):
                assistant |= _handed_over(dice, way, groups, topics, numbers)
            if dice.one_in(3):
                assistant["handovers"] = _by_topic(dice, groups, topics, numbers, digits)
        made[name] = assistant
    return made


def _by_topic(
    dice: Dice, groups: list[str], topics: list[str], numbers: list[str], digits: str
) -> Table:
    """Handovers with names, cold and warm, each asked for in ways of its own."""
    made: Table = {}
    keys, prompts = dice.sample(digits, len(digits)), dice.sample(_PROMPTS, len(_PROMPTS))
    silent = dice.one_in(4)
    for name in people.names(dice, 1, 3):
        handover = _handed_over(
            dice, dice.choice(["cold", "cold", "warm"]), groups, topics, numbers
        )
        if silent:
            handover["ways"], silent = ["silence"], False
        else:
            how = dice.choice([("digit",), ("digit",), ("prompt",), ("digit", "prompt")])
            handover |= {way: (keys if way == "digit" else prompts).pop() for way in how}
        made[name] = handover
    return made


def _handed_over(
    dice: Dice, way: str, groups: list[str], topics: list[str], numbers: list[str]
) -> Table:
    """A transfer to some group."""
    made: Table = {"transfer": way, "transfer_to": dice.choice(groups)}
    if way == "warm":
        made |= _shown(dice, numbers)
    elif topics and dice.one_in(2):
        made["transfer_topic"] = dice.choice(topics)
    return made


def _shown(dice: Dice, numbers: list[str]) -> Table:
    mode = dice.choice(["original", "agent", "fixed", "header"])
    more = {
        "fixed": {"fixed_caller_id": numbers.pop()},
        "header": {"caller_id_header": "X-Show-Number"},
    }
    return {"transfer_caller_id": mode, **more.get(mode, {})}


#: The group that stands for another assistant.
_ANOTHER: Final = "Another assistant"
#: What a choice says beside where it leads.
_MENU_KEYS: Final[dict[str, Table]] = {
    "silence": {"silence_s": 1.0},
    "say-it": {"say": "how-can-i-help-en"},
}


class _Lines:
    """Draws numbers of one customer's."""

    def __init__(
        self,
        dice: Dice,
        trunks: list[Table],
        assistants: Table,
        groups: Table,
        integration: str,
    ) -> None:
        self._dice = dice
        self._trunks = [trunk["name"] for trunk in trunks]
        self._assistants = list(assistants)
        self._groups = list(groups)
        self._topics = [group["topic"] for group in groups.values() if "topic" in group]
        self._integration = integration

    def line(self, did: str) -> Table:
        """One number."""
        dice = self._dice
        line: Table = {
            "did": did,
            "trunk": dice.choice(self._trunks),
            **self.hours(dice.randrange(10)),
        }
        if dice.one_in(6):
            overflow: Table = {"fallback": dice.choice(self._groups)} if dice.one_in(2) else {}
            if overflow and dice.one_in(3):
                overflow = {"overflow": dice.choice(self._assistants)}
            return line | {"group": dice.choice(self._groups), **overflow}
        line["assistant"] = dice.choice(self._assistants)
        if dice.one_in(2):
            line["fallback"] = dice.choice(self._groups)
        if dice.one_in(4):
            line["press"] = "".join(dice.choices("123456789", k=dice.randint(1, 2)))
        if dice.one_in(4):
            line["announcement_s"] = 1.0
        line["refer"] = dice.choice(["consumed", "consumed", "passed-on"])
        rare = dice.randrange(12)
        if rare == 0:
            line["reachable"] = False
        elif rare == 1 and self._integration == "talkdesk":
            line["routed_by"] = dice.choice(["language", "department", "menu"])
            if line["routed_by"] == "menu":
                line.setdefault("press", "3")
        elif rare == 2 and self._integration == "gladly" and "fallback" in line:
            line["plaintext"] = True
        elif rare < 6 and self._topics:
            line["selector"] = dice.choice(self._topics)
        return line

    def menu(self, line: Table) -> Table:
        """The same number with a menu, one of whose choices leads where it led."""
        dice, before = self._dice, ("did", "trunk", "announcement_s", "hours", "holidays", "closed")
        others = [{"group": name} for name in self._groups]
        others += [{"assistant": name} for name in self._assistants]
        other = dice.choice(others)
        way = dice.choice(["2", "2.3", "*", "silence", "say-it"])
        choices = {
            "1": {key: value for key, value in line.items() if key not in before},
            way: other | _MENU_KEYS.get(way, {}),
        }
        return {key: value for key, value in line.items() if key in before} | {"choices": choices}

    def hours(self, which: int) -> Table:
        """Closed now, whenever that is (0), open now (1), or always open."""
        if which > 1:
            return {}
        dice = self._dice
        closed = {"closed": dice.choice(self._groups)} if dice.one_in(2) else {}
        if which:
            return {"hours": "mon-sun 00:00-12:00 and 12:00-24:00", **closed}
        if dice.one_in(2):
            return {"hours": "mon-sun 00:00-24:00", "holidays": CALENDAR, **closed}
        return {"hours": CLOSED, **closed}


def as_of(table: Table, moment: datetime) -> Table:
    """The same deployment, whose closed numbers and groups are closed at that moment and for days."""
    day = (moment + timedelta(days=3)).strftime("%a").lower()
    hours = {CLOSED: f"{day} 09:00-12:00"}
    dated = {
        kind: {
            name: one | {"hours": hours.get(one["hours"], one["hours"])} if "hours" in one else one
            for name, one in table.get(kind, {}).items()
        }
        for kind in ("lines", "groups")
    }
    first, last = (f"{moment + timedelta(days=days):%Y-%m-%d}" for days in (-1, 3))
    calendar = {CALENDAR: {"dates": f"{first} to {last} closed"}}
    return table | dated | {"holidays": calendar}
