"""What a case's phones may dial: the numbers of the file, as the network of each phone reads them."""

from __future__ import annotations

from typing import Any

import pytest

from harness.deployment import from_plain, to_plain
from harness.errors import RefusedError
from harness.phone import PhoneConfig
from harness.phone.rules import Rules
from harness.scenario.case_phones import CasePhones
from tests.unit.scenario.conftest import MakeContext


class Pool:
    """Keeps the rules of each phone that is leased."""

    def __init__(self) -> None:
        self.rules: dict[str, Rules] = {}

    def lease(self, config: Any, *, rules: Rules, **_: object) -> Any:
        self.rules[config.name] = rules


def test_each_phone_dials_in_its_own_country(make_context: MakeContext) -> None:
    """A German telephone that calls Zurich by its national digits, 044 123 45 67, reaches Oldenburg."""
    context = make_context()
    plain = to_plain(context.deployment)
    home, abroad = context.deployment.callers[:2]
    plain["region"] = "CH"
    plain["groups"][next(iter(plain["groups"]))]["did"] = "+41441234567"
    plain["phones"][home]["number"], plain["phones"][abroad]["number"] = "+41440000101", "+4930900100"
    deployment = from_plain(plain)
    pool: Any = Pool()
    no_call: Any = None
    phones = CasePhones(deployment, context.evidence, pool, iter(()), no_call)
    for name in (home, abroad):
        phones.lease(PhoneConfig(name, "a", "example.com"), register=False)
    host = deployment.accounts[deployment.phones[home].account].domain
    for rules in pool.rules.values():
        rules.guard(f"sip:+41441234567@{host}")
    pool.rules[home].guard(f"sip:0441234567@{host}")
    with pytest.raises(RefusedError, match="'0441234567' is no number of"):
        pool.rules[abroad].guard(f"sip:0441234567@{host}")
