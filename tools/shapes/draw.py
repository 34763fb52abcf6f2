"""Customers as Hypothesis draws them: a deployment file's table of kind ``simulated``, names and
numbers of any form.

A customer who is to be verified as a real one is, by a file and phones alone, carries that beside:
:class:`Customer`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zlib import crc32

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.internal.constants_ast import Constants

from tools.shapes import people

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
_COUNTRIES = ["US", "GB", "DE", "FR", "AU"]
_FIRST_VOICE = 240
#: What fails on purpose, so that fallbacks can be proved: these transfer to nobody.
_UNWILLING = ("unavailable", "never-answers", "busy", "declines", "early-media")
_TRANSPORTS = st.sampled_from(["udp", "tcp", "tls"])
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


class _Unaided(HypothesisProvider):
    """Draws no constants of the modules that are loaded just then: with them a seed drew another
    customer in another process.
    """

    _local_constants = Constants()


_BACKEND: Final = "shapes"
AVAILABLE_PROVIDERS[_BACKEND] = _Unaided


@dataclass(frozen=True)
class Customer:
    """One drawn customer."""

    table: Table  #: the deployment file, of kind ``simulated``
    kind: Kind  #: how the harness is to know it
    told: Told
    spreadsheet: bool  #: whether its numbers stand in a CSV file
    index: int = 0  #: which of the draw's


def drawn(index: int, number: int) -> Customer:
    """The customer ``index`` of the seed ``number``: a draw of its own, since those of one run of
    Hypothesis's repeat.

    It does not know what day it is: where a number is closed, its hours say :data:`CLOSED` until
    the file is written.
    """
    found: list[Customer] = []

    @seed(f"{number} {index}")
    @settings(
        backend=_BACKEND,
        max_examples=2,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(customer())
    def draw(one: Customer) -> None:
        found.append(one)

    draw()
    one = found[-1]  # the first is the simplest there is
    one.table["name"] = f"customer-{index}"
    return replace(one, index=index)


@st.composite
def customer(draw: st.DrawFn) -> Customer:
    """One customer."""
    kind: Kind = draw(st.sampled_from(["simulated", "simulated", "live", "stand-in"]))
    told: Told = (
        draw(st.sampled_from(["words", "records", "nothing"])) if kind == "live" else "marks"
    )
    integration = draw(st.sampled_from(["talkdesk", "talkdesk", "gladly", "generic"]))
    numbers = _numbers(110, draw(st.integers(0, 2**32 - 1)))
    trunks = [_trunk(draw, name, integration, kind) for name in draw(people.names(1, 6))]
    phones, agents = people.phones(draw, numbers)
    topics = draw(people.names(0, 3)) if integration == "gladly" else []
    groups = people.groups(draw, numbers, phones, agents, topics)
    escalation = _escalation(draw)
    assistants = _assistants(draw, list(groups), topics, numbers, _spare(escalation))
    few, some, many = st.integers(1, 4), st.integers(1, 8), st.sampled_from([12, 20, 30, 40])
    machine: str = draw(st.sampled_from(["", "voicemail", "announcement"]))
    if machine:  # a fallback, an overflow or a closed number may lead to it
        groups["Mailbox, by a machine"] = {
            "did": numbers.pop(),
            "agents": [],
            "rings": "all",
            "empty": True,
            machine: True,
        }
    count = draw([few, few, few, few, few, few, some, some, some, many][draw(st.integers(0, 9))])
    made = _Lines(draw, trunks, assistants, groups, integration)
    lines = {name: made.line(numbers.pop()) for name in draw(people.names(count, count))}
    codecs = [["pcmu"], ["pcma"]] if count > 8 else [["pcmu"], ["pcma"], ["pcmu", "pcma"]]
    table: Table = {
        "name": "customer",
        "integration": integration,
        "kind": "simulated",
        "region": draw(st.sampled_from(_COUNTRIES)),
        "zone": "Etc/UTC",
        "depth": draw(
            st.sampled_from(
                ["every-number", "every-number", "once", "full" if count < 4 else "once"]
            )
        ),
        "platform": {"domain": _DOMAINS[integration]},
        "axes": {"codecs": draw(st.sampled_from(codecs))},
        "trunks": trunks,
        "lines": lines,
        "groups": groups,
        "assistants": assistants,
        "phones": phones,
        "escalation": escalation,
        **_fixed(draw, integration, numbers),
    }
    led = [name for name, line in lines.items() if "assistant" in line]
    if integration == "talkdesk" and bool(led) and draw(st.booleans()):
        table["campaign"] = {"trigger": "http", "line": draw(st.sampled_from(led))}
    campaign = table.get("campaign", {}).get("line")
    plain = [name for name in led if name != campaign and "press" not in lines[name]]
    if bool(plain) and draw(st.booleans()):
        name = draw(st.sampled_from(plain))
        lines[name] = made.menu(lines[name])
        led.remove(name)
    one = Customer(table, kind, told, spreadsheet=draw(st.integers(0, 3)) == 0)
    if (
        led and draw(st.integers(0, 3)) == 0
    ):  # the guides have one number at the platform and at the AI
        line = lines[draw(st.sampled_from(led))]
        assistants[line["assistant"]]["did"] = line["did"]
    people_there = [name for name, group in groups.items() if group["agents"]]
    if people_there and draw(st.integers(0, 2)) == 0:  # drawn last: all else stays the same
        name = draw(st.sampled_from(people_there))
        hours = made.hours(draw(st.integers(0, 1)))
        if hours.get("closed") != name:
            groups[name] |= hours
    _to_another_assistant(draw, lines, assistants, groups)
    return one


def _to_another_assistant(draw: st.DrawFn, lines: Table, assistants: Table, groups: Table) -> None:
    """Let an assistant that hands over to nobody do so to the number of another one."""
    direct = [
        line
        for line in lines.values()
        if "assistant" in line and not {"press", "hours"} & line.keys()
    ]
    if not direct or draw(st.integers(0, 1)):
        return
    line = draw(st.sampled_from(direct))
    for name, assistant in assistants.items():
        if name != line["assistant"] and not {"transfer", "behaviour"} & assistant.keys():
            assistant |= {"transfer": "cold", "transfer_to": _ANOTHER}
            groups[_ANOTHER] = {"did": line["did"], "assistant": line["assistant"]}
            return


def _fixed(draw: st.DrawFn, integration: str, numbers: list[str]) -> Table:
    """What differs little from customer to customer."""
    desk = "tls" if integration == "gladly" else draw(_TRANSPORTS)
    numbers_left = {"no_such_number": numbers.pop()} if draw(st.booleans()) else {}
    srtp = draw(
        st.booleans()
    )  # decides the form of numbers as well, so that the customers drawn so far stay the same
    return {
        "timings": {
            "ring_timeout_s": 30.0,
            "quick": {"ring_timeout_s": 2.0, "register_expires_s": 7},
        },
        "numbers": numbers_left,
        "synthflow": {
            "api_token_env": "HARNESS_SYNTHFLOW_API_TOKEN",
            "poll_s": 0.04,
            "transcript": "during",
            "witness": ["marks", "in-band", "messages", "dtmf", "registration"],
        },
        "accounts": {
            people.PUBLIC: {"domain": "carrier.example", "transport": "udp"},
            people.DESK: {"domain": _DOMAINS[integration], "transport": desk},
        },
        "expect": {
            "rejected": [603],
            "srtp": srtp,
            "agent_number_format": "national" if srtp else "e164",
        },
        "safety": {"countries": _COUNTRIES},  # whose numbers it has
        "limits": {
            "concurrent_calls": 200,
            "calls_per_second": 200.0,
            "calls_per_run": 5000,
            "seconds_per_call": 120.0,
        },
    }


def _escalation(draw: st.DrawFn) -> Table:
    """How a caller asks for a person, and for other things."""
    digit, goodbye, back = draw(st.permutations(_KEYS))[:3]
    escalation: Table = {"ways": ["digit"], "digit": digit, "silence_s": _SILENCE_S}
    if draw(st.booleans()):
        escalation |= {"goodbye_digit": goodbye, "digits_back_digit": back, "digits_back": "159D"}
    return escalation


def _spare(escalation: Table) -> str:
    """The digits that ask for nothing yet; five at least are left that nothing ever asks by."""
    taken = {escalation.get(key) for key in ("digit", "goodbye_digit", "digits_back_digit")}
    return "".join(key for key in _KEYS if key not in taken)[:4]


def _numbers(count: int, seed: int) -> list[str]:
    """Numbers in no order; one draw for all, since Hypothesis takes its time for each."""
    dice = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        prefix, digits = dice.choice(_RANGES)
        found[f"{prefix}{dice.randrange(10**digits):0{digits}d}"] = None
    return list(found)


def _trunk(draw: st.DrawFn, name: str, integration: str, kind: Kind) -> Table:
    transport = "tls" if integration == "gladly" else draw(_TRANSPORTS)
    takes_place = kind == "stand-in" or (kind == "simulated" and draw(st.integers(0, 3)) == 0)
    digest = integration != "gladly" and not takes_place and draw(st.booleans())
    trunk: Table = {
        "name": name,
        "ai": "stand-in" if takes_place else "synthflow",
        "transport": transport,
        "port": 32682 if transport == "tls" else 32681,
        "authentication": "digest" if digest else "ip",
        "max_concurrent_calls": draw(st.integers(1, 3)),
    }
    if digest or (takes_place and draw(st.booleans())):
        trunk["username"] = f"user-{crc32(name.encode())}"  # the same for the same name
    return trunk


def _assistants(
    draw: st.DrawFn, groups: list[str], topics: list[str], numbers: list[str], digits: str
) -> Table:
    made: Table = {}
    for index, name in enumerate(draw(people.names(1, 5))):
        assistant: Table = {"did": numbers.pop(), "voice": _FIRST_VOICE + index}
        if index and draw(st.booleans()):
            assistant["behaviour"] = draw(st.sampled_from(_UNWILLING))
        else:
            if way := draw(st.sampled_from([None, "cold", "cold", "warm"])):
                assistant |= _handed_over(draw, way, groups, topics, numbers)
            if draw(st.integers(0, 2)) == 0:
                assistant["handovers"] = _by_topic(draw, groups, topics, numbers, digits)
        made[name] = assistant
    return made


def _by_topic(
    draw: st.DrawFn, groups: list[str], topics: list[str], numbers: list[str], digits: str
) -> Table:
    """Handovers with names, cold and warm, each asked for in ways of its own."""
    made: Table = {}
    keys, prompts = list(draw(st.permutations(digits))), list(draw(st.permutations(_PROMPTS)))
    silent = draw(st.integers(0, 3)) == 0
    for name in draw(people.names(1, 3)):
        handover = _handed_over(
            draw, draw(st.sampled_from(["cold", "cold", "warm"])), groups, topics, numbers
        )
        if silent:
            handover["ways"], silent = ["silence"], False
        else:
            how = draw(st.sampled_from([("digit",), ("digit",), ("prompt",), ("digit", "prompt")]))
            handover |= {way: (keys if way == "digit" else prompts).pop() for way in how}
        made[name] = handover
    return made


def _handed_over(
    draw: st.DrawFn, way: str, groups: list[str], topics: list[str], numbers: list[str]
) -> Table:
    """A transfer to some group."""
    made: Table = {"transfer": way, "transfer_to": draw(st.sampled_from(groups))}
    if way == "warm":
        made |= _shown(draw, numbers)
    elif bool(topics) and draw(st.booleans()):
        made["transfer_topic"] = draw(st.sampled_from(topics))
    return made


def _shown(draw: st.DrawFn, numbers: list[str]) -> Table:
    mode = draw(st.sampled_from(["original", "agent", "fixed", "header"]))
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
        draw: st.DrawFn,
        trunks: list[Table],
        assistants: Table,
        groups: Table,
        integration: str,
    ) -> None:
        self._draw = draw
        self._trunks = [trunk["name"] for trunk in trunks]
        self._assistants = list(assistants)
        self._groups = list(groups)
        self._topics = [group["topic"] for group in groups.values() if "topic" in group]
        self._integration = integration

    def line(self, did: str) -> Table:
        """One number."""
        draw = self._draw
        line: Table = {
            "did": did,
            "trunk": draw(st.sampled_from(self._trunks)),
            **self.hours(draw(st.integers(0, 9))),
        }
        if draw(st.integers(0, 5)) == 0:
            overflow: Table = (
                {"fallback": draw(st.sampled_from(self._groups))} if draw(st.booleans()) else {}
            )
            if overflow and draw(st.integers(0, 2)) == 0:
                overflow = {"overflow": draw(st.sampled_from(self._assistants))}
            return line | {"group": draw(st.sampled_from(self._groups)), **overflow}
        line["assistant"] = draw(st.sampled_from(self._assistants))
        if draw(st.booleans()):
            line["fallback"] = draw(st.sampled_from(self._groups))
        if draw(st.integers(0, 3)) == 0:
            line["press"] = draw(st.text("123456789", min_size=1, max_size=2))
        if draw(st.integers(0, 3)) == 0:
            line["announcement_s"] = 1.0
        line["refer"] = draw(st.sampled_from(["consumed", "consumed", "passed-on"]))
        rare = draw(st.integers(0, 11))
        if rare == 0:
            line["reachable"] = False
        elif rare == 1 and self._integration == "talkdesk":
            line["routed_by"] = draw(st.sampled_from(["language", "department", "menu"]))
            if line["routed_by"] == "menu":
                line.setdefault("press", "3")
        elif rare == 2 and self._integration == "gladly" and "fallback" in line:
            line["plaintext"] = True
        elif rare < 6 and self._topics:
            line["selector"] = draw(st.sampled_from(self._topics))
        return line

    def menu(self, line: Table) -> Table:
        """The same number with a menu, one of whose choices leads where it led."""
        draw, before = self._draw, ("did", "trunk", "announcement_s", "hours", "holidays", "closed")
        other = draw(
            st.sampled_from(
                [{"group": name} for name in self._groups]
                + [{"assistant": name} for name in self._assistants]
            )
        )
        way = draw(st.sampled_from(["2", "2.3", "*", "silence", "say-it"]))
        choices = {
            "1": {key: value for key, value in line.items() if key not in before},
            way: other | _MENU_KEYS.get(way, {}),
        }
        return {key: value for key, value in line.items() if key in before} | {"choices": choices}

    def hours(self, which: int) -> Table:
        """Closed now, whenever that is (0), open now (1), or always open."""
        if which > 1:
            return {}
        closed: Table = (
            {"closed": self._draw(st.sampled_from(self._groups))}
            if self._draw(st.booleans())
            else {}
        )
        if which:
            return {"hours": "mon-sun 00:00-12:00 and 12:00-24:00", **closed}
        if self._draw(st.booleans()):
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
