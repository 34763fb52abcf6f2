"""Refusals in the words of platforms, carriers and SIP servers that nobody here has tried."""

from __future__ import annotations

import pytest

from harness.diagnosis.refusals import about
from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.told_examples import refused_by_platform
from tests.unit.diagnosis.transfer_examples import answered, own_call

SAID = {
    "the trunk": (
        *(
            "Trunk is disabled",
            "Trunk not active",
            "Trunk is suspended",
            "Trunk out of service",
            "SIP trunk deactivated",
        ),
        *("Connection is disabled D16", "Outbound Profile is disabled D15"),
    ),
    "the user name": (
        *("User does not exist", "Unknown subscriber", "Subscriber not found", "Unknown account", "Forbidden auth ID"),
        "Authentication user name does not match account name",
    ),
    "the source address": (
        "Unknown source",
        "Untrusted source",
        "Unauthorized peer",
        "Source not allowed",
        "Peer not trusted",
    ),
    "the number": (
        *("Number not found", "DID not found", "Number not provisioned", "Number is not in service", "Unknown number"),
        *("No such extension", "Extension not found", "Number unknown", "Number not assigned"),
    ),
    "the agents": (
        *("All agents busy", "All agents are busy", "Agents unavailable", "Agent not available", "Queue is full"),
        *("Queue closed", "Queue empty", "Outside business hours", "No agents logged in", "User not logged in"),
    ),
    "concurrency": (
        *("Too many sessions", "Maximum number of calls reached", "Session constraints exceeded", "Max calls reached"),
        *("Call refused:\ntoo many calls for this account",),
        *("Licensed Session Capacity Reached", "User channel limit exceeded D1"),
    ),
    "the channels": ("All circuits busy", "All channels are busy", "No free channel", "All trunks busy", "NO_CHANNEL"),
    "congestion": (
        "Trunk CPS limit exceeded",
        "Calls per second limit",
        "Rate limit exceeded",
        "Server overloaded",
        "Overload",
        # A rate, and no number of calls at once.
        *(
            "Too many calls per second",
            "Maximum calls per second exceeded",
            "Max 5 calls/s",
            "Too many requests per minute",
        ),
    ),
    "the route": ("Route not found", "No matching route", "No Routes Found", "Unresolvable destination (476/SL)"),
    "the encryption": ("Crypto required", "Media Encryption Required B3"),
    "the caller's number": (
        *("Anonymous calls rejected", "Anonymity Disallowed", "Originating number listed in do-not-originate registry"),
        *("Unverified origination number D51", "Caller number not found", "From number unknown"),
    ),
    "no such trunk": ("No trunk found", "No matching trunk", "does not match any SIP trunks", "Trunk not found"),
    "the assistant": ("Number not assigned to an assistant", "Not assigned to any assistant", "No assistant attached"),
    "the transfer itself": (
        "REFER not allowed",
        "Transfers are disabled",
        "Transfer not permitted",
        "Declined (policy)",
    ),
    None: (
        *("Forbidden", "Not Found", "Decline", "Maintenance", "Account is disabled D17", "Nobody's number", "x"),
        *("Number on DNC list, logged on 2026-01-01", "Logged in elsewhere", "Unsupported Media Type", "Not relaying"),
    ),
}


@pytest.mark.parametrize(("what", "phrase"), [(what, phrase) for what, phrases in SAID.items() for phrase in phrases])
def test_what_the_words_are_about(what: str | None, phrase: str) -> None:
    assert about(phrase) == what


@pytest.mark.parametrize(
    ("phrase", "told"),
    [
        ("Forbidden", ("refer-rejected", "certain")),
        ("", ("refer-rejected", "certain")),
        ("forbidden", ("refer-rejected", "certain")),
        ("Transfer not allowed", ("refer-rejected", "certain")),
        ("Account is disabled D17", ("refer-rejected", "likely")),
        ("Forbidden D36", ("refer-rejected", "likely")),
        ("Trunk is disabled", ("trunk-inactive", "certain")),
        ("Number not provisioned", ("number-unknown-at-platform", "certain")),
        ("All agents are busy", ("nobody-available", "likely")),
    ],
)
def test_words_that_nobody_can_read_may_be_of_another_cause(phrase: str, told: tuple[str, str]) -> None:
    assert named(answered(403, phrase))[0] == told


@pytest.mark.parametrize(
    ("code", "phrase"), [(603, "Declined"), (603, "Call declined"), (603, "Decline"), (403, "Access Forbidden")]
)
def test_the_status_in_other_words_is_no_reason_of_its_own(code: int, phrase: str) -> None:
    assert facts_of(answered(code, phrase)).value("transfer.refusal") is None
    assert named(answered(code, phrase))[0] == ("refer-rejected", "certain")


@pytest.mark.parametrize(("code", "phrase"), [(403, "Declined"), (603, "Access forbidden"), (603, "Declined D7")])
def test_words_of_another_status_and_more_than_its_words_are_not_read(code: int, phrase: str) -> None:
    assert facts_of(answered(code, phrase)).value("transfer.refusal") == "something that no rule reads"


def test_what_a_refusal_of_the_status_alone_says_is_nothing() -> None:
    assert facts_of(answered(405, "Method Not Allowed")).value("transfer.refusal") is None
    assert facts_of(answered(405, "SIP Method Not Allowed D42")).value("transfer.refusal") is None
    assert facts_of(answered(603, "Restricted D52")).value("transfer.refusal") == "something that no rule reads"
    assert facts_of(own_call(503, "Trunk down")).value("transfer.refusal") == "the trunk"


@pytest.mark.parametrize("code", [403, 433, 603])
def test_a_platform_that_takes_no_withheld_numbers_says_so_with_several_statuses(code: int) -> None:
    example = Example(row="ANONYMOUS").dials(withheld=True).after(0.1).state("disconnected", code, "x")
    assert named(example.all_ports_answer().not_taken())[0] == ("platform-refuses-caller", "likely")


def test_a_number_that_the_platform_does_not_take_is_who_calls() -> None:
    said = refused_by_platform(403, "Caller Origination Number is Invalid D35")
    assert named(said)[0] == ("platform-refuses-caller", "likely")
