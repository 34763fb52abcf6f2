"""Customers as Hypothesis draws them: a deployment file's table of kind ``simulated``, names and numbers of any form."""

from __future__ import annotations

import warnings
from typing import Any, Final
from zlib import crc32

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

Table = dict[str, Any]

#: Numbers that are kept for stories in five countries, or lie beside those: country's prefix, and digits that follow.
_RANGES: Final = (("+1312555", 4), ("+44207946", 4), ("+493023125", 3), ("+3319900", 4), ("+6125550", 4))
_COUNTRIES = ["US", "GB", "DE", "FR", "AU"]
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüßéñçøł0123456789"
_SIGNS = " -_.'&()/+#\""
_FIRST_VOICE, _VOICES = 240, 16
#: What fails on purpose, so that fallbacks can be proved: these transfer to nobody.
_UNWILLING = ("unavailable", "never-answers")

_SYNTHFLOW: Final[Table] = {
    "api_token_env": "SYNTHFLOW_API_TOKEN",
    "poll_s": 0.04,
    "transcript": "during",
    "witness": ["marks", "in-band", "messages", "dtmf", "registration"],
}
_LIMITS: Final[Table] = {
    "concurrent_calls": 200,
    "calls_per_second": 200.0,
    "calls_per_run": 5000,
    "seconds_per_call": 120.0,
}


def customers(count: int, number: int) -> list[Table]:
    """``count`` customers, the same for the same seed ``number``."""
    drawn: list[Table] = []

    @seed(number)
    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(customer())
    def draw(table: Table) -> None:
        drawn.append(table)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HypothesisWarning)
        draw()
    for index, table in enumerate(drawn):
        table["name"] = f"customer-{index}"
    return drawn[:count]


def names(least: int, most: int) -> st.SearchStrategy[list[str]]:
    """Names of a customer's own choosing: spaces, umlauts, quotes; no two alike."""
    first = st.sampled_from(_LETTERS)
    name = st.builds(str.__add__, first, st.text(_LETTERS + _SIGNS, max_size=14)).map(str.strip)
    return st.lists(name, min_size=least, max_size=most, unique_by=str.casefold)


@st.composite
def customer(draw: st.DrawFn) -> Table:
    """One customer."""
    numbers = draw(_numbers(80))
    trunks = [_trunk(draw, name) for name in draw(names(1, 6))]
    agents, callers = draw(names(0, 9)), draw(names(4, 4))
    callers = [f"{name} (test)" for name in callers]
    groups = {
        name: {
            "did": numbers.pop(),
            "agents": draw(st.lists(st.sampled_from(agents), unique=True, max_size=5)) if agents else [],
        }
        for name in draw(names(1, 6))
    }
    assistants = _assistants(draw, list(groups), numbers)
    count = draw(st.integers(1, 12))
    lines = {
        name: _line(draw, [trunk["name"] for trunk in trunks], list(assistants), list(groups), numbers.pop())
        for name in draw(names(count, count))
    }
    phones: Table = {name: {"account": "public side", "number": numbers.pop()} for name in callers}
    phones |= {name: {"account": "desk", "user": f"agent-{index}"} for index, name in enumerate(agents)}
    return {
        "name": "customer",
        "integration": "talkdesk",
        "kind": "simulated",
        "region": draw(st.sampled_from(_COUNTRIES)),
        "platform": {"domain": "customer.talkdesk.example"},
        "axes": {"codecs": draw(st.sampled_from([["pcmu"], ["pcma"], ["pcmu", "pcma"]]))},
        "timings": {"ring_timeout_s": 30.0, "quick": {"ring_timeout_s": 2.0, "register_expires_s": 7}},
        "trunks": trunks,
        "lines": lines,
        "numbers": {"no_such_number": numbers.pop()},
        "groups": groups,
        "assistants": assistants,
        "synthflow": dict(_SYNTHFLOW),
        "escalation": {"ways": ["digit"], "digit": draw(st.sampled_from("0123456789*#"))},
        "accounts": {
            "public side": {"domain": "carrier.example", "transport": "udp"},
            "desk": {"domain": "customer.talkdesk.example", "transport": draw(_TRANSPORTS)},
        },
        "phones": phones,
        "safety": {"countries": _COUNTRIES},  # whose numbers it has
        "limits": dict(_LIMITS),
        "simulated": {"groups": {name: draw(_RINGING) for name in groups}},
    }


_TRANSPORTS = st.sampled_from(["udp", "tcp", "tls"])
_RINGING = st.fixed_dictionaries(
    {"rings": st.sampled_from(["all", "batches", "one-by-one"])},
    optional={"batch": st.integers(1, 3), "ring_s": st.just(1.0), "pause_s": st.sampled_from([0.2, 1.0])},
)


@st.composite
def _numbers(draw: st.DrawFn, count: int) -> list[str]:
    digits = st.tuples(st.sampled_from(_RANGES), st.integers(0, 10**4 - 1))
    number = digits.map(lambda drawn: f"{drawn[0][0]}{drawn[1] % 10 ** drawn[0][1]:0{drawn[0][1]}d}")
    return draw(st.lists(number, min_size=count, max_size=count, unique=True))


def _trunk(draw: st.DrawFn, name: str) -> Table:
    transport = draw(_TRANSPORTS)
    trunk: Table = {
        "name": name,
        "ai": "synthflow",
        "transport": transport,
        "port": 32682 if transport == "tls" else 32681,
        "authentication": draw(st.sampled_from(["ip", "digest"])),
        "max_concurrent_calls": draw(st.integers(1, 3)),
    }
    if trunk["authentication"] == "digest":
        trunk["username"] = f"user-{crc32(name.encode())}"  # the same for the same name
    return trunk


def _assistants(draw: st.DrawFn, groups: list[str], numbers: list[str]) -> Table:
    made: Table = {}
    for index, name in enumerate(draw(names(1, 5))):
        assistant: Table = {"did": numbers.pop(), "voice": _FIRST_VOICE + index}
        if index and draw(st.booleans()):
            assistant["behaviour"] = draw(st.sampled_from(_UNWILLING))
        elif way := draw(st.sampled_from([None, "cold", "warm"])):
            assistant |= {"transfer": way, "transfer_to": draw(st.sampled_from(groups))}
        made[name] = assistant
    return made


def _line(draw: st.DrawFn, trunks: list[str], assistants: list[str], groups: list[str], did: str) -> Table:
    line: Table = {"did": did, "trunk": draw(st.sampled_from(trunks))}
    if draw(st.integers(0, 5)) == 0:
        return line | {"group": draw(st.sampled_from(groups))}
    line["assistant"] = draw(st.sampled_from(assistants))
    if draw(st.booleans()):
        line["fallback"] = draw(st.sampled_from(groups))
    if draw(st.integers(0, 3)) == 0:
        line["press"] = draw(st.text("123456789", min_size=1, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        line["announcement_s"] = 1.0
    line["refer"] = draw(st.sampled_from(["consumed", "passed-on"]))
    return line
