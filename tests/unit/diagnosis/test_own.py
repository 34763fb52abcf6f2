"""What a harness phone told last of itself holds, and what it did not tell is not known."""

from __future__ import annotations

import pytest

from harness.calls.events import NameLookup, PasswordWithheld, WithheldBy
from harness.diagnosis.sdp import own_reach
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.own_examples import (
    agent_behind_a_router,
    asked_by_options,
    astray,
    behind_a_router,
    connects,
    looked_up_in_the_call,
    options,
)


def kept(example: Example, *rules: WithheldBy | None) -> Example:
    for rule in rules:
        example.events.append(
            PasswordWithheld(
                at=example.now, phone="caller", leg="caller.1", realm="x", algorithm="MD5", why="x", rule=rule
            )
        )
    return example


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ((), None),
        ((None,), None),
        (("realm configured",), "another realm than configured"),
        (("realm configured", "first realm"), "another realm than the first"),
        (("first realm", "stronger algorithm"), "a weaker algorithm"),
        (("first realm", None), None),
    ],
)
def test_why_the_password_was_kept_last(rules: tuple[WithheldBy | None, ...], told: str | None) -> None:
    assert facts_of(kept(Example().dials(), *rules)).value("password.withheld") == told


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        ((), None),
        (("EAI_NONAME", ""), None),
        (("", "EAI_NONAME"), "no such name"),
        (("EAI_NONAME", "no answer yet"), "no name server knows"),
    ],
)
def test_how_the_name_was_looked_up_last(problems: tuple[str, ...], told: str | None) -> None:
    example = Example().dials_too("caller")
    for problem in problems:
        asked = {"name": "sip.example", "seconds": 1.0, "problem": problem, "denied": problem == "EAI_NONAME"}
        example.events.append(NameLookup(at=example.now, phone="caller", leg="caller.1", **asked))  # type: ignore[arg-type]
    assert facts_of(example).value("name.caller") == told


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("header", ["Contact", "Record_Route"])
def test_a_host_that_the_platform_names_is_the_platform_s(header: str, answered: bool) -> None:
    """Of its Contact and Record-Route (RFC 3261 section 12.2.1.1): the INVITE has left, and no account is to be corrected."""
    causes = looked_up_in_the_call(header.replace("_", "-"), denied=True, answered=answered).diagnose().causes
    assert [(cause.id, cause.confidence, cause.owner) for cause in causes] == [
        ("host-name-unknown", "certain", "trunk")
    ]


def test_that_no_name_server_knows_the_platform_s_host_may_be_the_name_or_the_server() -> None:
    causes = looked_up_in_the_call("Contact", denied=False).diagnose().causes
    assert [(cause.id, cause.confidence) for cause in causes] == [
        ("host-name-unknown", "likely"),
    ]


def test_a_name_that_another_phone_looks_up_is_not_the_caller_s() -> None:
    """Its process tells all of its phones of a lookup that no INVITE waits for."""
    facts = facts_of(looked_up_in_the_call("X-Contact", denied=True))
    assert facts.value("name.caller") is facts.value("name.dialog") is None


def test_a_name_in_what_a_refer_asks_for_is_not_the_account_s() -> None:
    example = Example().dials().replaces()
    asked = {"name": "sbc01.internal", "seconds": 0.1, "problem": "EAI_NONAME", "denied": True}
    example.events.append(NameLookup(at=example.now, phone="caller", leg="caller.2", **asked))  # type: ignore[arg-type]
    assert facts_of(example).value("name.caller") is None


def test_a_name_that_a_phone_without_any_call_looks_up_is_its_account_s() -> None:
    asked = {"name": "sip.example", "seconds": 0.1, "problem": "EAI_NONAME", "denied": True}
    example = Example()
    example.events.append(NameLookup(at=example.now, phone="caller", **asked))  # type: ignore[arg-type]
    assert facts_of(example).value("name.caller") == "no such name"


@pytest.mark.parametrize(
    ("named", "causes"),
    [("192.168.1.20", ["own-address-private"]), ("198.51.100.7", ["rtp-blocked-to-caller", "own-rtp-blocked"])],
)
def test_a_caller_behind_a_router_that_hears_nothing(named: str, causes: list[str]) -> None:
    """Its own private address is no firewall between the platform and the AI."""
    diagnosis = behind_a_router(named).to_ai().to_caller("no-rtp").diagnose()
    assert [cause.id for cause in diagnosis.causes] == causes


@pytest.mark.parametrize("code", [0, 403, 404, 405, 501])
def test_a_platform_that_knows_no_options_is_one_for_which_a_cause_is_known(code: int) -> None:
    assert [(cause.id, cause.confidence) for cause in options(code).diagnose().causes] == [
        ("options-not-answered", "certain")
    ]


def test_rtp_that_has_arrived_shows_that_the_address_is_within_reach() -> None:
    diagnosis = behind_a_router().counted(received=100).to_ai().to_caller("no-rtp").diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["rtp-blocked-to-caller"]


def test_an_agent_of_the_fallback_behind_a_router_does_not_hear_the_caller() -> None:
    diagnosis = agent_behind_a_router("TD-FALLBACK-REFUSED", "fallback-refused", "reception").diagnose()
    assert [(cause.id, cause.confidence) for cause in diagnosis.causes] == [("own-address-private", "likely")]


@pytest.mark.parametrize(
    ("named", "peer", "found"),
    [
        ("10.0.0.5", "198.51.100.1:5060", "private"),
        ("10.0.0.5", "10.9.9.9:5060", "reachable"),
        ("10.0.0.5", "127.0.0.1:5060", None),
        ("192.0.2.5", "198.51.100.1:5060", "reachable"),
        ("fd00::5", "[2001:db8::1]:5060", "private"),
        ("10.0.0.5", "sip.example:5060", None),
    ],
)
def test_whether_an_address_of_ours_is_within_reach(named: str, peer: str, found: str | None) -> None:
    kind = "IP6" if ":" in named else "IP4"
    body = f"v=0\r\no=- 1 1 IN {kind} {named}\r\ns=-\r\nc=IN {kind} {named}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert own_reach(body, peer) == found


@pytest.mark.parametrize("port", ["silent", "refuses"])
def test_nothing_has_kept_back_a_connection_that_came(port: str) -> None:
    """Whatever the platform's own port answers the harness, a call that begins TLS with the AI has a route, and no firewall on it."""
    assert [cause.id for cause in connects(0.1, port).diagnose().causes] == ["certificate-refused"]


def test_a_connection_before_the_call_is_not_the_call_s() -> None:
    assert "certificate-refused" not in [cause.id for cause in connects(-1.0).diagnose().causes]


def test_what_goes_astray_is_kept_back_by_no_firewall_whatever_is_heard_in_turn() -> None:
    """A caller who hears music in the AI's place, and is told an address that RTP does not come from."""
    example = astray("198.51.100.99", "192.0.2.2")
    example.findings.clear()
    example.to_ai("no-rtp").to_caller("other", 200)
    assert [cause.id for cause in example.diagnose().causes] == ["sdp-other-address"]


@pytest.mark.parametrize(
    ("told", "is_named"),
    [
        ({"every_s": 30.0}, True),
        ({"every_s": 30.0, "there_s": 900.0}, True),
        ({"asked_after_s": 2.0}, True),
        ({"every_s": 30.0, "asked_after_s": -0.2}, False),
        ({"every_s": 30.0, "answered": True}, False),
        ({"answered": True, "asked_after_s": 2.0}, False),
    ],
)
def test_a_platform_that_asks_by_options_and_had_not_may_have_taken_the_trunk_for_down(
    told: dict[str, float], is_named: bool
) -> None:
    causes = asked_by_options(**told).diagnose().causes  # type: ignore[arg-type]
    likely = [("trunk-not-asked", "likely", False)]
    assert ([(cause.id, cause.confidence, cause.candidate) for cause in causes] == likely) is is_named
    assert ("trunk-not-asked" in {cause.id for cause in causes}) is is_named


@pytest.mark.parametrize(("there_s", "is_possible"), [(3.0, True), (118.0, True), (121.0, False)])
def test_nothing_is_certain_behind_a_phone_that_just_came_where_nothing_tells_whether_the_platform_asks(
    there_s: float, is_possible: bool
) -> None:
    causes = {cause.id: cause for cause in asked_by_options(there_s=there_s).diagnose().causes}
    assert ("trunk-not-asked" in causes) is is_possible
    assert {"route-missing", "route-wrong-trunk"} <= causes.keys()
    assert {cause.confidence for cause in causes.values()} == {"possible"}
