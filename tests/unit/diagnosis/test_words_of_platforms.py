"""Refusals in the words of platforms, carriers and SIP servers that nobody here has tried."""

from __future__ import annotations

import pytest

from harness.diagnosis.refusals import about

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
