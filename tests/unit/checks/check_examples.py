"""For each check what it has to let through, and what it must not: the arguments of the function
that makes the finding.

``rule``: the diagnosis's rule that explains the first wrong finding of an otherwise right call, and
``answer`` what it says then; such a rule needs no other example.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from harness.audio.delay import Delay
from harness.audio.residue import Beneath
from harness.case.check_table import RESPONSIVENESS
from harness.case.checks import (
    audio,
    dialog,
    identity,
    landing,
    reach,
    registration,
    responsiveness,
    signalling,
    timing,
)
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.registry import CheckFunction
from harness.case.verdict import Finding, Strength
from harness.diagnosis.catalogue import rules_of
from tests.unit.checks import messages
from tests.unit.checks.calls import (
    AI_NUMBER,
    ANONYMOUS,
    ASSERTED,
    CALLER,
    MARK,
    NAMES,
    SELECTOR,
    answered,
    counted,
    exchange,
    invite,
    own_answer,
)

Given = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Example:
    """A function that makes findings, with the right thing to look at and with wrong ones."""

    of: CheckFunction[..., Finding | None]
    right: partial[Finding | None]
    wrong: tuple[partial[Finding | None], ...]
    rule: str = ""
    answer: str = ""

    @property
    def check(self) -> str:
        found = self.wrong[0]()
        assert found is not None
        return found.check


def given(*args: Any, **more: Any) -> Given:
    return args, more


def listening(sound: Sound | None, account: ListenerReport | None = None) -> Given:
    more: dict[str, Any] = {
        "since": 10.0,
        "own": {9},
        "least": Strength.PROVED,
        "names": NAMES,
        "towards": "ai",
    }
    return given("caller.1", "stand-in.1", sound, account, **more)


def shows(
    of: CheckFunction[..., Finding | None],
    right: Given,
    *wrong: Given,
    rule: str = "",
    answer: str = "",
) -> Example:
    made = [partial(of, *args, **more) for args, more in (right, *wrong)]
    return Example(of, made[0], tuple(made[1:]), rule, answer)


REQUIRES = messages.invite("Require: 100rel")
RELIABLE = messages.answer("183 Session Progress", "Require: 100rel", "RSeq: 1")
UNRELIABLE = messages.answer("180 Ringing")

EXAMPLES = [
    shows(
        registration.accepted,
        given("number", (200, "OK"), 120.0),
        given("number", (403, "Forbidden"), 120.0),
        given("number", None, 120.0),
        given("number", (200, "OK"), 120.0, "which does not list its Contact"),
    ),
    shows(
        registration.refused,
        given("number", (403, "Forbidden"), (401, 403)),
        given("number", (200, "OK"), (401, 403)),
        given("number", (404, "Not Found"), (401, 403)),
        given("number", None, (401, 403)),
    ),
    shows(
        registration.refreshed,
        given("number", 4.0, 5.0, 5.0),
        given("number", 5.5, 5.0, 5.0),
        given("number", 4.0, 1.0, 5.0),
        given("number", None, 5.0, 5.0),
    ),
    shows(
        landing.only_one,
        given("the call", ["main"], "main"),
        given("the call", ["main", "sales"], "main"),
        given("the call", ["sales"], "main"),
        given("the call", [], "main"),
    ),
    shows(
        landing.landed,
        given("the call", "billing", {"anna": "billing"}),
        given("the call", "billing", {"ben": "support"}),
        given("the call", "billing", {}),
    ),
    shows(
        landing.turn,
        given("ben", True, its_turn=True),
        given("ben", False, its_turn=True),
        given("ben", True, its_turn=False),
    ),
    shows(
        landing.refer_mode,
        given("caller.1", "consumed", passed_on=False),
        given("caller.1", "consumed", passed_on=True),
        given("caller.1", "passed-on", passed_on=False),
    ),
    shows(landing.stops, given("ben", True, 1.0), given("ben", False, 1.0)),
    shows(
        landing.never_rang,
        given("support", 0, watched=True),
        given("support", 1, watched=True),
        given("support", 0, watched=False),
    ),
    shows(
        landing.one_call,
        given("caller", ["caller.1"], "caller.1"),
        given("caller", ["caller.1", "caller.2"], "caller.1"),
        given("caller", ["caller.2"], "caller.1"),
        given("caller", [], "caller.1"),
    ),
    shows(
        reach.rings,
        given("caller.1", 0.1, 4.0),
        given("caller.1", None, 4.0),
        given("caller.1", 4.1, 4.0),
    ),
    shows(
        reach.answered,
        given("caller.1", 0.1, 4.0),
        given("caller.1", None, 4.0),
        given("caller.1", 4.1, 4.0),
    ),
    shows(
        reach.machine_speaks,
        given("caller.1", (0.2, 3.4), ""),
        given("caller.1", None, "it heard ringing tone from 0.20 s"),
    ),
    shows(
        reach.announced,
        given("caller.1", 3.0, True),
        given("caller.1", 3.0, False),
        rule="announcement.missing",
        answer="certain announcement-missing",
    ),
    shows(reach.announced_first, given("the AI", 3.0, False), given("the AI", 3.0, True)),
    shows(
        landing.accepted,
        given("mobile", "5", False),
        given("mobile", "5", True),
        rule="accept.unasked",
        answer="certain accept-not-asked",
    ),
    shows(
        reach.told,
        given("caller.1", ("speech", 1.2), 4.0),
        given("caller.1", None, 4.0, "ringback, silence"),
        given("caller.1", ("mark", 4.1), 4.0),
    ),
    shows(
        reach.tried,
        given("the call", AI_NUMBER, [AI_NUMBER]),
        given("the call", AI_NUMBER, ["+12065550199"]),
        given("the call", AI_NUMBER, []),
    ),
    shows(reach.not_answered, given("the AI", []), given("the AI", ["stand-in.1"])),
    shows(reach.not_reached, given("the AI", []), given("the AI", ["stand-in.1"])),
    shows(reach.transfer_fails, given("the AI", 480), given("the AI", 200), given("the AI", 0)),
    shows(
        signalling.request_user,
        given(invite(), "ai", AI_NUMBER),
        given(invite(), "ai", "+12065550101"),
    ),
    shows(
        signalling.called_in_record,
        given(AI_NUMBER, "ai", AI_NUMBER, "c1"),
        given("+12065550101", "ai", AI_NUMBER, "c1"),
    ),
    shows(
        signalling.header,
        given(invite(f"{SELECTOR}: billing"), "ai", SELECTOR, "billing"),
        given(invite(), "ai", SELECTOR, "billing"),
        given(invite(f"{SELECTOR}: support"), "ai", SELECTOR, "billing"),
        given(invite(f"{SELECTOR}: billing", f"{SELECTOR}: billing"), "ai", SELECTOR, "billing"),
    ),
    shows(
        signalling.header_in_record,
        given("billing", "ai", SELECTOR, "billing", "c1"),
        given("support", "ai", SELECTOR, "billing", "c1"),
    ),
    shows(
        signalling.header_sent,
        given("billing", "agent.1", SELECTOR, "billing"),
        given(None, "agent.1", SELECTOR, "billing"),
    ),
    shows(
        signalling.no_header,
        given(invite(), "ai", SELECTOR),
        given(invite(f"{SELECTOR}: billing"), "ai", SELECTOR),
    ),
    shows(
        signalling.header_not_in_record,
        given(None, "ai", SELECTOR, "c1"),
        given("billing", "ai", SELECTOR, "c1"),
    ),
    shows(
        identity.caller_id,
        given(invite(), "ai", CALLER, "e164", "US"),
        given(invite(from_="<sip:4155550101@example.com>"), "ai", CALLER, "e164", "US"),
        given(invite(), "ai", CALLER, "national", "US"),
        given(invite(from_=ANONYMOUS), "ai", CALLER, "preserved", "US"),
    ),
    shows(
        identity.platforms_number,
        given(invite(), "anna", {CALLER}, "US"),
        given(invite(), "anna", {"+14155550199"}, "US"),
        given(invite(from_=ANONYMOUS), "anna", {CALLER}, "US"),
    ),
    shows(reach.up, given("caller.1", None), given("caller.1", 1.0)),
    shows(
        dialog.answered_once,
        given("caller.1", exchange(("200", "a", 0.1), ("200", "a", 0.6))),
        given("caller.1", exchange(("200", "a", 0.1), ("200", "b", 0.1))),
    ),
    shows(
        dialog.acknowledged,
        given(
            "caller.1",
            exchange(("200", "a", 0.1), ("200", "a", 0.1), ("200", "a", 0.7), ("200", "a", 0.71)),
        ),
        given("caller.1", exchange(("200", "a", 0.1), ("200", "a", 0.7), ("200", "a", 1.8))),
    ),
    shows(
        reach.passed_on,
        given("caller.1", 0.1, 1.0),
        given("caller.1", 3.0, 1.0),
        rule="reach.answer.held",
        answer="certain answer-not-passed-on",
    ),
    shows(
        dialog.own_answer_acknowledged,
        given("stand-in.1", own_answer(0.1, acknowledged=True)),
        given("stand-in.1", own_answer(0.1, 0.6, 1.6, acknowledged=False)),
    ),
    shows(
        audio.level,
        given("caller.1", "stand-in.1", -15.0),
        given("caller.1", "stand-in.1", -50.0),
        given("caller.1", "stand-in.1", -1.0),
        rule="audio.level",
        answer="certain level-wrong",
    ),
    shows(
        audio.level,
        given("caller.1", "agent.1", -7.0, 0.0),
        given("caller.1", "agent.1", -7.0, 0.58),
    ),
    shows(
        audio.beneath,
        given("agent.1", 4.0, -37.0, None),
        given("agent.1", 4.0, -37.0, Beneath("music", "", 0.4, 3.1, -3.0)),
        rule="audio.beneath",
        answer="certain sound-beneath-voice",
    ),
    shows(
        audio.beneath,
        given("agent.1", 4.0, -37.0, None),
        given("agent.1", 4.0, -37.0, None, ["stand-in.1"]),
        rule="audio.beneath.ai",
        answer="certain ai-heard-after-transfer",
    ),
    shows(
        identity.asserts_nobody_else,
        given(invite(ASSERTED), "assistant main", CALLER, [], "US"),
        given(
            invite("P-Asserted-Identity: <sip:+14155550199@b.example>"),
            "assistant main",
            CALLER,
            [],
            "US",
        ),
        rule="caller_id.asserted",
        answer="certain pai-other-number",
    ),
    shows(
        identity.withheld,
        given(invite(ASSERTED, "Privacy: id", from_=ANONYMOUS), "ai", CALLER, "US"),
        given(invite(ASSERTED, "Privacy: id"), "ai", CALLER, "US"),
        given(invite("Privacy: id", from_=ANONYMOUS), "ai", CALLER, "US"),
        given(invite(ASSERTED, from_=ANONYMOUS), "ai", CALLER, "US"),
        given(
            invite(ASSERTED, "Privacy: id", from_=f'"+1 (415) 555-0101" {ANONYMOUS}'),
            "ai",
            CALLER,
            "US",
        ),
        given(
            invite(ASSERTED, "Privacy: id", f"Reply-To: <sip:{CALLER}@192.0.2.1>", from_=ANONYMOUS),
            "ai",
            CALLER,
            "US",
        ),
    ),
    shows(
        signalling.transport,
        given("ai", "udp", 32681, "udp", "192.0.2.1:32681"),
        given("ai", "udp", 32681, "tcp", "192.0.2.1:32681"),
        given("ai", "tls", 32682, "tls", "192.0.2.1:32681"),
    ),
    shows(
        signalling.trunk,
        given("ai", "a", {"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.1:4000"),
        given("ai", "a", {"a": "192.0.2.1", "b": "192.0.2.2"}, "192.0.2.2:4000"),
    ),
    shows(
        signalling.codec,
        given("ai", signalling.G711, "PCMA"),
        given("ai", signalling.G711, "opus"),
        given("ai", ("PCMA",), "PCMU"),
        given("ai", signalling.G711, ""),
    ),
    shows(
        signalling.encrypted,
        given("caller.1", True),
        given("caller.1", False),
        given("caller.1", None),
    ),
    shows(
        signalling.final_response,
        given("caller.1", (486,), 486, "Busy Here"),
        given("caller.1", (486,), 200, "OK"),
        given("caller.1", (486,), 0, ""),
    ),
    shows(
        signalling.digits,
        given("ai", "12#", "12#", ["rfc4733"] * 3, "rfc4733"),
        given("ai", "12#", "12", ["rfc4733"] * 2, "rfc4733"),
        given("ai", "12#", "112#", ["rfc4733"] * 4, "rfc4733"),
        given("ai", "12#", "21#", ["rfc4733"] * 3, "rfc4733"),
        given("ai", "12#", "12#", ["rfc4733", "info", "rfc4733"], "rfc4733"),
        given("ai", "12#", "", [], "rfc4733"),
    ),
    shows(
        signalling.durations,
        given("ai", [100, 160]),
        given("ai", [10, 160]),
        given("ai", [100, 4000]),
        given("ai", []),
    ),
    shows(
        timing.took,
        given("x", "the fallback", 2.4, 2.0),
        given("x", "the fallback", 0.2, 2.0),
        given("x", "the fallback", 30.0, 2.0),
    ),
    shows(
        timing.within,
        given("x", "it", 0.5, 1.0),
        given("x", "it", 1.5, 1.0),
        given("x", "it", None, 1.0),
    ),
    shows(timing.released, given("x", 0.2, 1.0), given("x", 1.2, 1.0), given("x", None, 1.0)),
    shows(
        audio.direction,
        listening(MARK),
        listening(None, ListenerReport(2.0, None, (), rx_packets=0)),
        listening(None, ListenerReport(2.0, -20.0, (77,), rx_packets=100)),
    ),
    shows(
        audio.early,
        given("ai", "caller.1", MARK, 11.0, 1),
        given("ai", "caller.1", MARK, 10.0, 1),
        given("ai", "caller.1", MARK, None, 0),
        given("ai", "caller.1", None, 11.0, 1),
    ),
    shows(
        audio.silent,
        given("a", "b", [8], {7}, 0.8),
        given("a", "b", [7], {7}, 0.8),
        given("a", "b", [], {7}, 0.0),
    ),
    shows(
        audio.no_crossing,
        given("caller.1", [240], {7}, [240]),
        given("caller.1", [240, 99], {7}, [240]),
    ),
    shows(
        audio.no_crossing,
        given("caller.1", [240], {7}, [240]),
        given("caller.1", [240, 7], {7}, [240]),
        rule="audio.echo",
        answer="certain echo",
    ),
    shows(
        audio.one_way_delay,
        given("a", "b", Delay(60.0, 55.0, 70.0, 10), 3.5),
        given("a", "b", Delay(700.0, 690.0, 710.0, 10), 3.5),
        given("a", "b", Delay(390.0, 380.0, 400.0, 10), 3.5, 60.0),
        given("a", "b", None, 3.5),
    ),
    shows(
        audio.loss,
        given("caller.1", counted(1000, 10)),
        given("caller.1", counted(700, 300)),
        given("caller.1", replace(counted(25, 0), rx_spanned_ms=2000, rx_filled_ms=500)),
        given("caller.1", replace(counted(150, 0), rx_late=40)),
        given("caller.1", replace(counted(150, 0), rx_turns=40)),
        given("caller.1", replace(counted(150, 0), rx_still=149)),
        rule="audio.loss",
        answer="certain heavy-loss",
    ),
    shows(
        audio.holes,
        given("caller.1", "stand-in.1", [340.0], 3.8),
        given("caller.1", "stand-in.1", [340.0] * 3, 3.8),
        given("caller.1", "stand-in.1", [120.0, 120.0], 3.8),
        rule="audio.unsent",
        answer="certain rtp-not-sent",
    ),
    shows(
        audio.first,
        given("a", "b", 0.3, 1.0),
        given("a", "b", 2.1, 1.0),
        rule="audio.first",
        answer="certain rtp-late",
    ),
    shows(
        audio.words,
        given("a", "b", [0.30, 0.32], 0.32),
        given("a", "b", [0.12, 0.14], 0.32),
        given("a", "b", [0.0, 0.0], 0.32),
        rule="audio.words",
        answer="certain words-cut-off",
    ),
    shows(audio.clipping, given("a", "b", 0.001), given("a", "b", 0.2)),
    shows(audio.round_trip, given("a", "b", 300.0), given("a", "b", 1400.0)),
    shows(
        audio.delay,
        given("a", "b", 150.0),
        given("a", "b", 1500.0),
        given("a", "b", 570.0, 560.0),
        rule="audio.delay",
        answer="certain high-delay",
    ),
    shows(
        landing.landed_by_report,
        given("the call", "billing", ["billing", "support"], took=True, rows=["row 2"]),
        given("the call", "billing", ["support"], took=False, rows=[]),
    ),
    shows(
        landing.none_beside_in_report,
        given("groups beside billing", [], ["row 2"]),
        given("groups beside billing", ["support"], []),
    ),
    shows(
        identity.caller_in_report,
        given("(415) 555-0101", "people", CALLER, "US", ["row 2"]),
        given("+14155550102", "people", CALLER, "US", ["row 2"]),
        given("anonymous", "people", CALLER, "US", ["row 2"]),
    ),
    shows(
        identity.caller_in_record,
        given("4155550101", "ai", CALLER, "US", "c1"),
        given("+14155550102", "ai", CALLER, "US", "c1"),
        given("anonymous", "ai", CALLER, "US", "c1"),
    ),
    shows(
        dialog.reliable_provisionals,
        given("caller.1", [REQUIRES, RELIABLE]),
        given("caller.1", [REQUIRES]),
        given("caller.1", [REQUIRES, UNRELIABLE], "it never came"),
        given("caller.1", [REQUIRES, RELIABLE], "the call has ended with 481 Gone"),
        given("caller.1", [REQUIRES, UNRELIABLE, RELIABLE]),
    ),
    shows(
        dialog.interval,
        given("p.1", answered("Session-Expires: 90;refresher=uas")),
        given("p.1", answered()),
        given("p.1", []),
    ),
    *(
        shows(
            responsiveness.responsive,
            given(check, "caller.1", 1.0, 1.0, "from the answer"),
            given(check, "caller.1", 1.1, 1.0, "from the answer"),
            given(check, "caller.1", None, 1.0, "the caller spoke for 2.0 s"),
            rule=rule.id,
            answer=f"{rule.confidence} {rule.cause}",
        )
        for rule in rules_of("")
        if (check := rule.id) in RESPONSIVENESS
    ),
]
