"""The rules hold in the phone's parent: there is no way around it from a scenario, or from the far end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import RefusedError, ResourceError
from harness.phone import Answer, Ring
from harness.phone.phone import Phone

FORBIDDEN = "+12065550199"


def uri_of(phone: Phone) -> str:
    return f"sip:{phone.config.user}@{phone.address}"


def books(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / "gate" / "books.json").read_text())
    return found


def test_a_number_that_is_refused_never_leaves_the_phone(line: Any) -> None:
    alice, bob = line.phone("alice"), line.phone("bob")
    with pytest.raises(RefusedError):
        alice.dial(f"sip:{FORBIDDEN}@{bob.address}")
    assert alice.legs == []
    assert bob.incoming == []


@pytest.mark.parametrize(
    "headers",
    [
        [("Route", "<sip:evil.example;lr>")],
        [("X-EI", "S.1;\r\nRoute: <sip:evil.example;lr>")],
        [("Refer-To", f"<sip:{FORBIDDEN}@evil.example>")],
    ],
)
def test_headers_lead_nowhere_else(line: Any, headers: list[tuple[str, str]]) -> None:
    alice, bob = line.phone("alice"), line.phone("bob")
    bob.policy = Answer()
    with pytest.raises(RefusedError):
        alice.dial(uri_of(bob), headers=headers)
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    with pytest.raises(RefusedError):
        leg.request("INFO", headers=headers)
    with pytest.raises(RefusedError):
        leg.transfer(uri_of(bob), headers=headers)


def test_no_plain_request_begins_a_call(line: Any) -> None:
    alice, bob = line.phone("alice"), line.phone("bob")
    for method in ("INVITE", "invite", "REFER"):
        with pytest.raises(RefusedError):
            alice.request(method, f"sip:{FORBIDDEN}@{bob.address}")
    assert bob.incoming == []


def test_a_refer_to_a_forbidden_number_is_not_sent(line: Any) -> None:
    alice, bob = line.phone("alice"), line.phone("bob")
    bob.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    with pytest.raises(RefusedError):
        leg.transfer(f"sip:{FORBIDDEN}@{bob.address}")


def test_a_refer_to_a_forbidden_number_is_not_followed(line: Any) -> None:
    """The far end's rules are its own: it sends the REFER, and the phone that would have to call declines."""
    alice, bob = line.phone("alice", line.gate()), line.phone("bob")
    bob.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    theirs = bob.expect_call(10, answer=False)
    theirs.wait_state("confirmed", 10)
    theirs.phone._rules = type(theirs.phone._rules)()  # a far end without any rules
    theirs.transfer(f"sip:{FORBIDDEN}@{bob.address}")
    outcome = theirs.wait("the REFER's answer", lambda e: type(e).__name__ == "TransferProgress" and e.final, 10)
    assert outcome.code == 603
    assert leg.successor is None
    assert len(alice.legs) == 1
    assert alice.declined is None, "whoever transfers to a number of nobody's is wrong"


def test_a_refer_to_a_number_of_the_deployment_s_that_is_declined_speaks_against_nobody(line: Any) -> None:
    """At a host that the file does not name, or when the run's calls are used up."""

    def guard(uri: str) -> None:
        if "+12065550103@" in uri:
            raise RefusedError(f"{uri} is not called: '192.0.2.9' is no host of acme (safety.hosts may add it)")

    alice, bob = line.phone("alice", guard=guard, max_calls=2), line.phone("bob")
    bob.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    theirs = bob.expect_call(10, answer=False)
    theirs.wait_state("confirmed", 10)
    theirs.transfer("sip:+12065550103@192.0.2.9")
    outcome = theirs.wait("the REFER's answer", lambda e: type(e).__name__ == "TransferProgress" and e.final, 10)
    assert outcome.code == 603
    assert "a REFER was declined with 603: " in str(alice.declined)
    assert "safety.hosts may add it" in str(alice.declined)


def test_a_refer_that_is_followed_counts_and_shares_the_place(line: Any, tmp_path: Path) -> None:
    gate = line.gate(concurrent_calls=1, calls_per_run=2)
    alice, bob, carol = line.phone("alice", gate, max_calls=2), line.phone("bob"), line.phone("carol")
    bob.policy = carol.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    theirs = bob.expect_call(10, answer=False)
    theirs.wait_state("confirmed", 10)
    theirs.transfer(uri_of(carol))
    carol.expect_call(10, answer=False).wait_state("confirmed", 10)
    theirs.hangup()
    leg.wait_state("disconnected", 10)
    assert books(tmp_path)["placed"] == 2
    assert leg.successor is not None
    with pytest.raises(ResourceError, match="concurrent_calls = 1"):
        gate.admit(0.1)  # the new call is in the old one's place
    leg.successor.hangup()
    leg.successor.wait_closed()
    with pytest.raises(RefusedError, match="calls_per_run = 2"):
        gate.admit(0.1)


def test_a_refer_is_declined_when_the_runs_calls_are_used_up(line: Any) -> None:
    alice = line.phone("alice", line.gate(calls_per_run=1), max_calls=2)
    bob, carol = line.phone("bob"), line.phone("carol")
    bob.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    theirs = bob.expect_call(10, answer=False)
    theirs.wait_state("confirmed", 10)
    theirs.transfer(uri_of(carol))
    outcome = theirs.wait("the REFER's answer", lambda e: type(e).__name__ == "TransferProgress" and e.final, 10)
    assert outcome.code == 603
    assert carol.incoming == []


def test_a_refer_in_a_received_call_is_declined_when_no_place_comes_free_soon(line: Any) -> None:
    """Its process waits a second for the answer, however long a call that is dialled may wait for its place."""
    gate = line.gate(concurrent_calls=1)
    alice, carol = line.phone("alice"), line.phone("carol")
    bob = line.phone("bob", gate, max_calls=2, within=30.0)
    bob.policy = Answer()
    with gate.admit(30.0):
        leg = alice.dial(uri_of(bob))
        leg.wait_state("confirmed", 10)
        leg.transfer(uri_of(carol))
        outcome = leg.wait("the REFER's answer", lambda e: type(e).__name__ == "TransferProgress" and e.final, 10)
        assert outcome.code == 603
        assert "limits.concurrent_calls = 1" in str(bob.declined)
    assert bob.error is None
    gate.admit(5.0).release()


def test_a_call_gives_its_place_back_however_it_ends(line: Any, tmp_path: Path) -> None:
    gate = line.gate(concurrent_calls=1)
    alice, bob = line.phone("alice", gate), line.phone("bob")
    bob.policy = Ring()
    ringing = alice.dial(uri_of(bob))
    with pytest.raises(ResourceError):
        gate.admit(0.1)
    ringing.cancel()
    ringing.wait_closed()
    bob.policy = Answer()
    answered = alice.dial(uri_of(bob))
    answered.wait_state("confirmed", 10)
    answered.hangup()
    answered.wait_closed()
    gate.admit(0.1).release()
    assert books(tmp_path)["open"] == {}
    assert books(tmp_path)["placed"] == 3


def test_a_lost_phone_gives_its_places_back(line: Any, tmp_path: Path) -> None:
    gate = line.gate(concurrent_calls=1)
    alice, bob = line.phone("alice", gate), line.phone("bob")
    bob.policy = Answer()
    alice.dial(uri_of(bob)).wait_state("confirmed", 10)
    alice.process.close()
    alice.lose("for this test", "")
    gate.admit(5.0).release()


def test_no_call_outlasts_its_time(line: Any) -> None:
    alice, bob = line.phone("alice", line.gate(), seconds=3.0), line.phone("bob", seconds=None)
    bob.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("confirmed", 10)
    with pytest.raises(ResourceError, match=r"alice\.1 was hung up after 3 s; allowed: limits\.seconds_per_call"):
        leg.wait("what never comes", lambda event: False, within=10)
    bob.incoming[0].wait_state("disconnected", 10)


def test_no_received_call_outlasts_its_time_either(line: Any) -> None:
    alice, bob = line.phone("alice"), line.phone("bob", seconds=0.5)
    bob.policy = Answer()
    leg = alice.dial(uri_of(bob))
    leg.wait_state("disconnected", 10)
    with pytest.raises(ResourceError, match=r"bob\.1 was hung up"):
        bob.wait("what never comes", lambda event: False, within=10)
