"""For each check what it has to let through, and what it must not: found by the function that makes the finding."""

from __future__ import annotations

from dataclasses import replace

from harness.audio.delay import Delay
from harness.calls.checks import (
    audio,
    dialog,
    headers,
    identity,
    landing,
    quality,
    reach,
    registration,
    responsiveness,
    signalling,
    timing,
)
from harness.calls.checks.audio import ListenerReport
from tests.unit.checks.calls import (
    AI_NUMBER,
    ANONYMOUS,
    ASSERTED,
    CALLER,
    MARK,
    SELECTOR,
    counted,
    exchange,
    heard,
    invite,
)
from tests.unit.checks.example import Example, of_manners
from tests.unit.checks.report_examples import OF_REPORTS
from tests.unit.checks.setup_examples import OF_SETUPS

EXAMPLES = [
    *OF_REPORTS,
    *OF_SETUPS,
    Example(
        "registration",
        registration.accepted,
        lambda: registration.accepted("number", (200, "OK"), 120.0),
        (
            lambda: registration.accepted("number", (403, "Forbidden"), 120.0),
            lambda: registration.accepted("number", None, 120.0),
            lambda: registration.accepted("number", (200, "OK"), 120.0, "which does not list its Contact"),
        ),
    ),
    Example(
        "registration.refused",
        registration.refused,
        lambda: registration.refused("number", (403, "Forbidden"), (401, 403)),
        (
            lambda: registration.refused("number", (200, "OK"), (401, 403)),
            lambda: registration.refused("number", (404, "Not Found"), (401, 403)),
            lambda: registration.refused("number", None, (401, 403)),
        ),
    ),
    Example(
        "timing.within",
        registration.refreshed,
        lambda: registration.refreshed("number", 4.0, 5.0, 5.0),
        (
            lambda: registration.refreshed("number", 5.5, 5.0, 5.0),
            lambda: registration.refreshed("number", 4.0, 1.0, 5.0),
            lambda: registration.refreshed("number", None, 5.0, 5.0),
        ),
    ),
    Example(
        "landing.answered_by",
        landing.only_one,
        lambda: landing.only_one("the call", ["main"], "main"),
        (
            lambda: landing.only_one("the call", ["main", "sales"], "main"),
            lambda: landing.only_one("the call", ["sales"], "main"),
            lambda: landing.only_one("the call", [], "main"),
        ),
    ),
    Example(
        "landing",
        landing.landed,
        lambda: landing.landed("the call", "billing", {"anna": "billing"}),
        (
            lambda: landing.landed("the call", "billing", {"ben": "support"}),
            lambda: landing.landed("the call", "billing", {}),
        ),
    ),
    Example(
        "landing.turn",
        landing.turn,
        lambda: landing.turn("ben", True, its_turn=True),
        (lambda: landing.turn("ben", False, its_turn=True), lambda: landing.turn("ben", True, its_turn=False)),
    ),
    Example(
        "transfer.refer",
        landing.refer_mode,
        lambda: landing.refer_mode("caller.1", "consumed", passed_on=False),
        (
            lambda: landing.refer_mode("caller.1", "consumed", passed_on=True),
            lambda: landing.refer_mode("caller.1", "passed-on", passed_on=False),
        ),
    ),
    Example(
        "landing.stops",
        landing.stops,
        lambda: landing.stops("ben", True, 1.0),
        (lambda: landing.stops("ben", False, 1.0),),
    ),
    Example(
        "landing.others",
        landing.never_rang,
        lambda: landing.never_rang("support", 0, watched=True),
        (
            lambda: landing.never_rang("support", 1, watched=True),
            lambda: landing.never_rang("support", 0, watched=False),  # nobody could have seen it ring
        ),
    ),
    Example(
        "one_call",
        landing.one_call,
        lambda: landing.one_call("caller", ["caller.1"], "caller.1"),
        (
            lambda: landing.one_call("caller", ["caller.1", "caller.2"], "caller.1"),
            lambda: landing.one_call("caller", ["caller.2"], "caller.1"),
            lambda: landing.one_call("caller", [], "caller.1"),
        ),
    ),
    Example(
        "ringing",
        reach.rings,
        lambda: reach.rings("caller.1", 0.1, 4.0),
        (lambda: reach.rings("caller.1", None, 4.0), lambda: reach.rings("caller.1", 4.1, 4.0)),
    ),
    Example(
        "answered",
        reach.answered,
        lambda: reach.answered("caller.1", 0.1, 4.0),
        (lambda: reach.answered("caller.1", None, 4.0), lambda: reach.answered("caller.1", 4.1, 4.0)),
    ),
    Example(
        "voicemail",
        reach.takes_message,
        lambda: reach.takes_message("caller.1", (0.2, 3.4), ""),
        (lambda: reach.takes_message("caller.1", None, "it heard ringing tone from 0.20 s"),),
    ),
    Example(
        "transfer.told",
        reach.told,
        lambda: reach.told("caller.1", ("speech", 1.2), 4.0),
        (
            lambda: reach.told("caller.1", None, 4.0, "ringback, silence"),
            lambda: reach.told("caller.1", ("mark", 4.1), 4.0),
        ),
    ),
    Example(
        "route.tried",
        reach.tried,
        lambda: reach.tried("the call", AI_NUMBER, [AI_NUMBER]),
        (
            lambda: reach.tried("the call", AI_NUMBER, ["+12065550199"]),
            lambda: reach.tried("the call", AI_NUMBER, []),
        ),
    ),
    Example(
        "route.not_answered",
        reach.not_answered,
        lambda: reach.not_answered("the AI", []),
        (lambda: reach.not_answered("the AI", ["stand-in.1"]),),
    ),
    Example(
        "route.not_reached",
        reach.not_reached,
        lambda: reach.not_reached("the AI", []),
        (lambda: reach.not_reached("the AI", ["stand-in.1"]),),
    ),
    Example(
        "transfer.fails",
        reach.transfer_fails,
        lambda: reach.transfer_fails("the AI", 480),
        (lambda: reach.transfer_fails("the AI", 200), lambda: reach.transfer_fails("the AI", 0)),
    ),
    Example(
        "route.request_uri",
        headers.request_user,
        lambda: headers.request_user(invite(), "ai", AI_NUMBER),
        (lambda: headers.request_user(invite(), "ai", "+12065550101"),),
    ),
    Example(
        "route.request_uri",
        headers.called_in_record,
        lambda: headers.called_in_record(AI_NUMBER, "ai", AI_NUMBER, "c1"),
        (lambda: headers.called_in_record("+12065550101", "ai", AI_NUMBER, "c1"),),
    ),
    Example(
        "header",
        headers.header,
        lambda: headers.header(invite(f"{SELECTOR}: billing"), "ai", SELECTOR, "billing"),
        (
            lambda: headers.header(invite(), "ai", SELECTOR, "billing"),
            lambda: headers.header(invite(f"{SELECTOR}: support"), "ai", SELECTOR, "billing"),
            lambda: headers.header(invite(f"{SELECTOR}: billing", f"{SELECTOR}: billing"), "ai", SELECTOR, "billing"),
        ),
    ),
    Example(
        "header",
        headers.header_in_record,
        lambda: headers.header_in_record("billing", "ai", SELECTOR, "billing", "c1"),
        (lambda: headers.header_in_record("support", "ai", SELECTOR, "billing", "c1"),),
    ),
    Example(
        "header",
        headers.header_sent,
        lambda: headers.header_sent("billing", "agent.1", SELECTOR, "billing"),
        (lambda: headers.header_sent(None, "agent.1", SELECTOR, "billing"),),
    ),
    Example(
        "header.absent",
        headers.no_header,
        lambda: headers.no_header(invite(), "ai", SELECTOR),
        (lambda: headers.no_header(invite(f"{SELECTOR}: billing"), "ai", SELECTOR),),
    ),
    Example(
        "header.absent",
        headers.header_not_in_record,
        lambda: headers.header_not_in_record(None, "ai", SELECTOR, "c1"),
        (lambda: headers.header_not_in_record("billing", "ai", SELECTOR, "c1"),),
    ),
    Example(
        "caller_id",
        identity.caller_id,
        lambda: identity.caller_id(invite(), "ai", CALLER, "e164", "US"),
        (
            lambda: identity.caller_id(invite(from_="<sip:4155550101@example.com>"), "ai", CALLER, "e164", "US"),
            lambda: identity.caller_id(invite(), "ai", CALLER, "national", "US"),
            lambda: identity.caller_id(invite(from_=ANONYMOUS), "ai", CALLER, "preserved", "US"),
        ),
    ),
    Example(
        "caller_id",
        identity.platforms_number,
        lambda: identity.platforms_number(invite(), "anna", {CALLER}, "US"),
        (
            lambda: identity.platforms_number(invite(), "anna", {"+14155550199"}, "US"),
            lambda: identity.platforms_number(invite(from_=ANONYMOUS), "anna", {CALLER}, "US"),
        ),
    ),
    Example(
        "call.up",
        reach.up,
        lambda: reach.up("caller.1", None),
        (lambda: reach.up("caller.1", 1.0),),
    ),
    Example(
        "answered.once",
        dialog.answered_once,
        lambda: dialog.answered_once("caller.1", exchange(("200", "a", 0.1), ("200", "a", 0.6))),
        (lambda: dialog.answered_once("caller.1", exchange(("200", "a", 0.1), ("200", "b", 0.1))),),
    ),
    Example(
        "answered.acknowledged",
        dialog.acknowledged,
        lambda: dialog.acknowledged(
            "caller.1", exchange(("200", "a", 0.1), ("200", "a", 0.1), ("200", "a", 0.7), ("200", "a", 0.71))
        ),
        (lambda: dialog.acknowledged("caller.1", exchange(("200", "a", 0.1), ("200", "a", 0.7), ("200", "a", 1.8))),),
    ),
    Example(
        "audio.level",
        audio.level,
        lambda: audio.level("caller.1", "stand-in.1", -15.0),
        (
            lambda: audio.level("caller.1", "stand-in.1", -50.0),
            lambda: audio.level("caller.1", "stand-in.1", -1.0),
        ),
    ),
    Example(
        "caller_id.withheld",
        identity.withheld,
        lambda: identity.withheld(invite(ASSERTED, "Privacy: id", from_=ANONYMOUS), "ai", CALLER, "US"),
        (
            lambda: identity.withheld(invite(ASSERTED, "Privacy: id"), "ai", CALLER, "US"),
            lambda: identity.withheld(invite("Privacy: id", from_=ANONYMOUS), "ai", CALLER, "US"),
            lambda: identity.withheld(invite(ASSERTED, from_=ANONYMOUS), "ai", CALLER, "US"),
            lambda: identity.withheld(
                invite(ASSERTED, "Privacy: id", from_=f'"+1 (415) 555-0101" {ANONYMOUS}'), "ai", CALLER, "US"
            ),
            lambda: identity.withheld(
                invite(ASSERTED, "Privacy: id", f"Reply-To: <sip:{CALLER}@192.0.2.1>", from_=ANONYMOUS),
                "ai",
                CALLER,
                "US",
            ),
        ),
    ),
    Example(
        "route.transport",
        signalling.transport,
        lambda: signalling.transport("ai", "udp", 32681, "udp", "192.0.2.1:32681"),
        (
            lambda: signalling.transport("ai", "udp", 32681, "tcp", "192.0.2.1:32681"),
            lambda: signalling.transport("ai", "tls", 32682, "tls", "192.0.2.1:32681"),
        ),
    ),
    Example(
        "route.trunk",
        signalling.trunk,
        lambda: signalling.trunk("ai", "a", {"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.1:4000"),
        (lambda: signalling.trunk("ai", "a", {"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.2:4000"),),
    ),
    Example(
        "codec",
        signalling.codec,
        lambda: signalling.codec("ai", signalling.G711, "PCMA"),
        (
            lambda: signalling.codec("ai", signalling.G711, "opus"),
            lambda: signalling.codec("ai", ("PCMA",), "PCMU"),
            lambda: signalling.codec("ai", signalling.G711, ""),
        ),
    ),
    Example(
        "media.encrypted",
        signalling.encrypted,
        lambda: signalling.encrypted("caller.1", True),
        (lambda: signalling.encrypted("caller.1", False), lambda: signalling.encrypted("caller.1", None)),
    ),
    Example(
        "final_response",
        signalling.final_response,
        lambda: signalling.final_response("caller.1", (486,), 486, "Busy Here"),
        (
            lambda: signalling.final_response("caller.1", (486,), 200, "OK"),
            lambda: signalling.final_response("caller.1", (486,), 0, ""),
        ),
    ),
    Example(
        "dtmf",
        signalling.digits,
        lambda: signalling.digits("ai", "12#", "12#", ["rfc4733"] * 3, "rfc4733"),
        (
            lambda: signalling.digits("ai", "12#", "12", ["rfc4733"] * 2, "rfc4733"),
            lambda: signalling.digits("ai", "12#", "112#", ["rfc4733"] * 4, "rfc4733"),
            lambda: signalling.digits("ai", "12#", "21#", ["rfc4733"] * 3, "rfc4733"),
            lambda: signalling.digits("ai", "12#", "12#", ["rfc4733", "info", "rfc4733"], "rfc4733"),
            lambda: signalling.digits("ai", "12#", "", [], "rfc4733"),
        ),
    ),
    Example(
        "dtmf.duration",
        signalling.durations,
        lambda: signalling.durations("ai", [100, 160]),
        (
            lambda: signalling.durations("ai", [10, 160]),
            lambda: signalling.durations("ai", [100, 4000]),
            lambda: signalling.durations("ai", []),
        ),
    ),
    Example(
        "timing",
        timing.took,
        lambda: timing.took("x", "the fallback", 2.4, 2.0),
        (
            lambda: timing.took("x", "the fallback", 0.2, 2.0),
            lambda: timing.took("x", "the fallback", 30.0, 2.0),
        ),
    ),
    Example(
        "timing.within",
        timing.within,
        lambda: timing.within("x", "it", 0.5, 1.0),
        (lambda: timing.within("x", "it", 1.5, 1.0), lambda: timing.within("x", "it", None, 1.0)),
    ),
    Example(
        "released",
        timing.released,
        lambda: timing.released("x", 0.2, 1.0),
        (lambda: timing.released("x", 1.2, 1.0), lambda: timing.released("x", None, 1.0)),
    ),
    Example(
        "audio",
        audio.direction,
        lambda: heard(MARK),
        (
            lambda: heard(None, ListenerReport(2.0, None, (), rx_packets=0)),
            lambda: heard(None, ListenerReport(2.0, -20.0, (77,), rx_packets=100)),
        ),
    ),
    Example(
        "audio.early",
        audio.early,
        lambda: audio.early("ai", "caller.1", MARK, 11.0, 1),
        (
            lambda: audio.early("ai", "caller.1", MARK, 10.0, 1),
            lambda: audio.early("ai", "caller.1", MARK, None, 0),
            lambda: audio.early("ai", "caller.1", None, 11.0, 1),
        ),
    ),
    Example(
        "audio.silent",
        audio.silent,
        lambda: audio.silent("a", "b", [8], {7}, 0.8),
        (lambda: audio.silent("a", "b", [7], {7}, 0.8), lambda: audio.silent("a", "b", [], {7}, 0.0)),
    ),
    Example(
        "audio.crossed",
        audio.no_crossing,
        lambda: audio.no_crossing("caller.1", [240], {7}, [240]),
        (lambda: audio.no_crossing("caller.1", [240, 99], {7}, [240]),),
    ),
    Example(
        "audio.echo",
        audio.no_crossing,
        lambda: audio.no_crossing("caller.1", [240], {7}, [240]),
        (lambda: audio.no_crossing("caller.1", [240, 7], {7}, [240]),),
    ),
    Example(
        "audio.one_way_delay",
        quality.one_way_delay,
        lambda: quality.one_way_delay("a", "b", Delay(60.0, 55.0, 70.0, 10), 3.5),
        (
            lambda: quality.one_way_delay("a", "b", Delay(700.0, 690.0, 710.0, 10), 3.5),
            lambda: quality.one_way_delay("a", "b", None, 3.5),
        ),
    ),
    *(of_manners(check) for check in responsiveness.WHAT),
    Example(
        "audio.loss",
        quality.loss,
        lambda: quality.loss("caller.1", counted(1000, 10)),
        (
            lambda: quality.loss("caller.1", counted(700, 300)),
            lambda: quality.loss("caller.1", replace(counted(25, 0), rx_spanned_ms=2000, rx_filled_ms=500)),
        ),
    ),
    Example(
        "audio.delay",
        quality.delay,
        lambda: quality.delay("a", "b", 150.0),
        (lambda: quality.delay("a", "b", 1500.0), lambda: quality.delay("a", "b", 1500.0, 1400.0)),
    ),
]
