"""What the words and codes of a refusal are about, as platforms, carriers and SIP servers write
them.
"""

from __future__ import annotations

import pytest

from harness.diagnosis.refusals import about
from tests.unit.diagnosis.case import value
from tests.unit.diagnosis.reach_examples import refused_by_ai

SAID = {
    "the trunk": (
        "Trunk is disabled",
        "Trunk not active",
        "Trunk out of service",
        "Connection is disabled D16",
    ),
    "the user name": (
        *(
            "Forbidden: unknown user",
            "User does not exist",
            "Unknown subscriber",
            "Forbidden auth ID",
        ),
        *("Username/auth name mismatch", "Authentication user name does not match account name"),
    ),
    "the password": ("Wrong password",),
    "the user name or the password": (
        *(
            "Unknown user name or bad password",
            "Invalid username or password",
            "Invalid credentials",
        ),
        *("Forbidden (Bad auth)", "Authentication failed"),  # Asterisk's chan_sip
    ),
    "the source address": (
        *(
            "Address not allowed",
            "Not in ACL",
            "ACL: denied",
            "IP address not whitelisted",
            "Not in the allowlist",
        ),
        *(
            "IP forbidden",
            "Unauthorized IP address",
            "Unknown source",
            "Unauthorized peer",
            "Peer not trusted",
        ),
    ),
    "the number": (
        "Number not found",
        "DID not found",
        "Number is not in service",
        "No such extension",
        "Unknown number",
    ),
    "the agents": (
        *("All agents are busy", "Agent not available", "Queue is full", "Outside business hours"),
        *("No agents logged in", "User not logged in"),
    ),
    "concurrency": (
        *(
            "Concurrency limit reached",
            "Too many sessions",
            "Session constraints exceeded",
            "Max calls reached",
        ),
        "Call refused:\ntoo many calls for this account",
        "User channel limit exceeded D1",  # Telnyx
        "licensed session capacity reached",  # Oracle
        "Maximum Calls In Progress",  # FreeSWITCH
    ),
    "the channels": ("All circuits busy", "No free channel", "No channels available", "NO_CHANNEL"),
    # a rate, and no number of calls at once
    "congestion": (
        "System Busy",
        "Trunk CPS limit exceeded",
        "Too many calls per second",
        "Max 5 calls/s",
        "Overload",
    ),
    "the route": (
        "Route not found",
        "No Routes Found",
        "NO_ROUTE_DESTINATION",
        "Unresolvable destination (476/SL)",
    ),
    "the encryption": ("Crypto required", "Media Encryption Required B3"),
    "the caller's number": (
        *(
            "Caller Origination Number is Invalid D35",
            "caller ID not authorised",
            "Anonymous calls rejected",
        ),
        *("Unverified origination number D51", "From number unknown"),
    ),
    "no such trunk": ("No trunk found", "No matching trunk", "does not match any SIP trunks"),
    "the assistant": (
        "No assistant is attached to this number",
        "Number not assigned to an assistant",
    ),
    "the transfer itself": ("REFER not allowed", "Transfers are disabled", "Declined (policy)"),
    None: (
        *(
            "Forbidden",
            "Not Found",
            "Busy Here",
            "Maintenance",
            "Oracle SBC: rejected",
            "No match for address",
        ),
        *(
            "Account is disabled D17",
            "Nobody's number",
            "Dialed number not in whitelist",
            "Logged in elsewhere",
        ),
        *("Number on DNC list, logged on 2026-01-01", "The shipping address is missing", ""),
    ),
}


@pytest.mark.parametrize(
    ("what", "phrase"), [(what, phrase) for what, phrases in SAID.items() for phrase in phrases]
)
def test_what_the_words_are_about(what: str | None, phrase: str) -> None:
    assert about(phrase) == what


@pytest.mark.parametrize(
    ("headers", "what"),
    [
        ({"Warning": '305 gw.example:5080 "SDP: b=AS"'}, "the codec"),
        ({"Warning": '302 gw.example "Incompatible transport protocol"'}, "the encryption"),
        ({"Warning": '301 gw.example "Incompatible network address formats"'}, None),
        ({"Warning": '399 gw.example "Congestion", 305 gw.example "x"'}, "congestion"),
        ({"Reason": "Q.850;cause=88"}, "the codec"),
        ({"Reason": "Q.850;cause=3"}, "the route"),
        ({"Reason": "Q.850;cause=16"}, None),
    ],
)
def test_codes_count_where_the_words_say_nothing(headers: dict[str, str], what: str | None) -> None:
    """RFC 3261 section 20.43 and RFC 3326."""
    assert value(refused_by_ai(606, "Not Acceptable", **headers), "ai.refusal") == what


@pytest.mark.parametrize(
    ("status", "what"), [(404, None), (410, None), (485, None), (604, None), (606, "the number")]
)
def test_a_gateways_cause_of_an_unknown_number_adds_nothing_to_such_a_status(
    status: int, what: str | None
) -> None:
    """RFC 3398 section 8.2.6.1."""
    assert value(refused_by_ai(status, "Refused", Reason="Q.850;cause=1"), "ai.refusal") == what
