"""What a harness phone told last of itself holds, and what it did not tell is not known."""

from __future__ import annotations

import pytest

from harness.calls.events import PasswordWithheld, WithheldBy
from harness.diagnosis.sdp import own_reach
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.own_examples import (
    asked_by_options,
    connects,
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


def test_a_connection_before_the_call_is_not_the_call_s() -> None:
    assert "certificate-refused" not in [cause.id for cause in connects(-1.0).diagnose().causes]


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
