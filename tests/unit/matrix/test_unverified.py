"""Everything a deployment file declares is exercised by a case, or listed once with its reason;
callers take turns.
"""

from __future__ import annotations

import pytest

from harness.deployment import Deployment, PhoneEntry
from harness.integrations.matrix import calls_of, cases
from harness.integrations.unverified import unverified
from tests.unit.matrix.conftest import Changes, changed, of, of_ai


def why(deployment: Deployment) -> dict[str, str]:
    found = [(entry, one.why) for one in unverified(deployment) for entry in one.entries]
    assert len(dict(found)) == len(found), "each once"
    return dict(found)


def copied(table: str, old: str, **fields: object) -> Changes:
    def with_copy(there: dict[str, object]) -> dict[str, object]:
        return {**there, "spare": there[old].model_copy(update=fields)}  # type: ignore[attr-defined]

    return {table: with_copy}


@pytest.mark.parametrize(
    ("changes", "entry", "reason"),
    [
        (
            copied("assistants", "main", did="+12065550188"),
            "assistants.spare",
            "no number leads to it",
        ),
        (
            copied("groups", "support", did="+18155550188"),
            "groups.spare",
            "no number, handover or topic",
        ),
        (copied("accounts", "carrier"), "accounts.spare", "no phone uses it"),
        (copied("phones", "caller", number=None), "phones.spare", "it is no caller"),
        (
            {"lines.people.fallback": "nobody", "depth": "every-number"},
            "lines.people.fallback",
            "no agent and no machine answers there",
        ),
        (
            {
                "groups.support.agents": (),
                "lines.people.fallback": "support",
                "depth": "every-number",
            },
            "lines.people.fallback",
            "no agent there has a harness phone",
        ),
        ({"groups.support.voicemail": True}, "groups.support", "no number, handover or topic"),
        (
            {"groups.billing.agents": ("billing", "support"), "groups.billing.rings": "one-by-one"},
            "groups.billing.rings",
            "no row calls a number of people that leads to it",
        ),
        ({"trunks": of_ai("stand-in", "udp")}, "axes.codecs.pcma", "no case calls the AI with it"),
        (
            {
                "groups.billing.agents": ("billing", "spare"),
                "groups.billing.rings": "one-by-one",
                "lines.people-in-turns": None,
                "groups.everybody": None,
                **copied("phones", "billing", user="agent-spare"),
            },
            "phones.spare",
            "it rings only in a later turn of its groups",
        ),
        (
            {
                "groups.billing.agents": ("billing", "spare"),
                **copied("phones", "billing", user="agent-spare", accept="5"),
            },
            "phones.spare.accept",
            "another agent of its groups may take each call",
        ),
        (
            {"groups.billing.voicemail": True},
            "groups.billing.voicemail",
            "no number of people leads to it",
        ),
        (
            {
                "lines.*.fallback": None,
                "lines.trunk-failover": None,
                "trunks": of_ai("synthflow", "udp"),
            },
            "trunks.udp-ip.max_concurrent_calls",
            "no number has a fallback",
        ),
    ],
)
def test_what_no_case_exercises_is_listed_with_its_reason(
    talkdesk: Deployment, changes: Changes, entry: str, reason: str
) -> None:
    assert entry not in why(talkdesk) or entry == "groups.support"
    assert why(changed(talkdesk, changes))[entry].startswith(reason)


def test_a_number_with_a_failover_trunk_does_not_prove_that_people_take_over(
    talkdesk: Deployment,
) -> None:
    before = {case.line for case in cases([talkdesk]) if case.row.id == "TD-FALLBACK-DOWN"}
    found = changed(talkdesk, {f"lines.{line}.failover": "tls-ip" for line in before})
    assert before.isdisjoint(
        case.line for case in cases([found]) if case.row.id == "TD-FALLBACK-DOWN"
    )


def test_a_failover_trunk_is_proved_while_the_number_s_own_trunk_is_down(
    talkdesk: Deployment,
) -> None:
    def lines(deployment: Deployment) -> dict[str | None, str]:
        found = [case for case in cases([deployment]) if case.row.id == "TRUNK-FAILOVER"]
        return {case.line: case.axes["ai"] for case in found}

    assert lines(talkdesk) == {"trunk-failover": "synthflow"}
    alone = changed(
        talkdesk,
        {"lines.*.dids": lambda dids: {n: did for n, did in dids.items() if n != "tls-ip"}},
    )
    assert not {"lines.trunk-failover.failover", "trunks.tls-ip"} & why(alone).keys()
    up = changed(talkdesk, {"lines.trunk-failover.reachable": True})
    assert not lines(up)
    assert why(up)["lines.trunk-failover.failover"].startswith("its own trunk is never down")
    place = {
        "lines.trunk-failover.trunk": "udp-ip-stand-in",
        "lines.trunk-failover.failover": "tcp-ip-stand-in",
    }
    assert lines(changed(up, place)) == {"trunk-failover": "stand-in"}, (
        "a stand-in is at one of the two alone"
    )


def test_a_trunk_without_numbers_is_listed(talkdesk: Deployment) -> None:
    udp = {
        f"lines.{name}": None
        for name in ("people", "people-in-turns", "nobody-there", "trunk-failover")
    }
    without = {
        "lines.*.dids": lambda dids: {name: did for name, did in dids.items() if name != "tls-ip"},
        **udp,
    }
    alone = changed(talkdesk, {**without, "trunks": of_ai("synthflow", "ip")})
    assert why(alone)["trunks.tls-ip"] == "it carries no number"


def test_callers_take_turns_whatever_is_selected(talkdesk: Deployment) -> None:
    every = {case.id: case.caller for case in cases([talkdesk])}
    assert set(every.values()) == set(talkdesk.callers)
    some = of(talkdesk, "HOLD")
    assert {case.id: case.caller for case in some}.items() <= every.items()
    assert all(next(iter(calls_of(case, talkdesk))).who == case.caller for case in some)


def test_fewer_cases_than_callers_leave_some_unused(talkdesk: Deployment) -> None:
    more = {
        f"caller-{n}": PhoneEntry(account="carrier", number=f"+1415555{n:04d}")
        for n in range(1000, 1600)
    }
    many = changed(talkdesk, {"phones": lambda phones: {**phones, **more}})
    assert "there are fewer cases than callers" in why(many).values()


def test_with_every_caller_each_calls_every_number(talkdesk: Deployment) -> None:
    whole = changed(talkdesk, {"depth": "every-caller"})
    found = of(whole, "PEOPLE")
    assert {(case.line, case.caller) for case in found} == {
        (line, caller) for line in ("people", "people-in-turns") for caller in talkdesk.callers
    }
    assert all(case.axes["caller"] == case.caller for case in found)
