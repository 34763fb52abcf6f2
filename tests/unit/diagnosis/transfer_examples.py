"""Examples of transfers that fail, or that are refused."""

from __future__ import annotations

from typing import Any

from harness.case.checks.landing import ASKED, turn
from harness.deployment import Handover
from tests.unit.diagnosis.case import Example, dialled
from tests.unit.diagnosis.stories import (
    GROUP,
    NOBODY,
    OTHER_GROUP,
    QUEUE,
    Expected,
    handed_on,
    left_up,
    lost,
    nothing,
    people,
    referred,
    talk,
    transfer,
    warm,
)


def answered(code: int, reason: str = "") -> Example:
    """The platform's answer to a REFER to the right number, which reached nobody."""
    return lost(transfer().ai_refers(GROUP).platform_says(code, reason))


def own_call(code: int, reason: str) -> Example:
    """The same of the AI's own call to that number."""
    return lost(warm().ai_invites(GROUP).platform_says(code, reason, "INVITE"))


def closed_by(line: str, row: str = "CLOSED") -> Example:
    """A call to a number with hours, which is answered."""
    return dialled(row=row, line=line).after(0.1).answered()


def shut(group: str) -> dict[str, Any]:
    """A group that is out of its hours."""
    hours = {"hours": "sun 03:00-03:01", "zone": "Etc/UTC", "closed": "support"}
    return {f"groups.{group}.{key}": value for key, value in hours.items()}


def though_there(example: Example) -> Example:
    """A second call to the same number rings the group."""
    return example.calls_again("group", GROUP, rang=["billing"])


def notified(body: str, state: str = "active;expires=60", **accepted: str) -> Example:
    """A REFER that was accepted, with such headers, and a NOTIFY of that state."""
    example = transfer().ai_refers(GROUP)
    example._sip("received", "SIP/2.0 202 Accepted", "REFER", number="2", **accepted)
    typed = {"Content_Type": "message/sipfrag;version=2.0", "Subscription_State": state}
    return lost(
        example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", body, number="9", **typed)
    )


#: As the check says it of people who ring before the caller asks for one.
UNASKED = turn("billing", True, its_turn=False, before=ASKED).expected


def told(example: Example | None = None, **action: object) -> Example:
    """A transfer of which the AI's record alone tells."""
    action = {"name": "transfer_call", "type": "cold", "to": GROUP, **action}
    talked = (example or Example(row="TD-TRANSFER-BLIND")).dials().answered().taken().both_hear()
    return talked.record(executed_actions={"a": action})


def several() -> Example:
    """An assistant that hands over to others as well, each asked for in its own way, asked for what
    its own table says.
    """
    more = Handover(transfer="cold", transfer_to="support", digit="2")
    return transfer(Example(handovers={"support": more}))


def queues(line: str = "inbound") -> Example:
    """One number is that of all queues; the assistant is asked for one of them by its topic."""
    handovers = {
        topic: Handover(transfer="cold", transfer_to="queue", transfer_topic=topic, digit=digit)
        for topic, digit in (("billing", "2"), ("support", "3"))
    }
    row, axes = "GL-TRANSFER-TOPIC", {"handover": "support"}
    return Example("gladly", row=row, transport="tls", line=line, axes=axes, handovers=handovers)


def by_topic(line: str = "inbound") -> Example:
    """The same, up to the transfer."""
    return transfer(queues(line), "GL-TRANSFER-TOPIC")


def cut_with_the_agent(reason: str = "") -> Example:
    """The transfer lands, and the platform ends the call at once, with that Reason."""
    example = referred().reaches("billing")
    example.ends("received").caller_gets(
        "BYE sip:caller SIP/2.0" + (f"\r\nReason: {reason}" if reason else "")
    )
    return example.with_agent("billing", "no-rtp", "no-rtp")


def untold_caller() -> Example:
    """The AI hears that the transfer has failed, and hangs up."""
    refused = (
        transfer(Example(ai="stand-in"), "TRANSFER-UNAVAILABLE")
        .ai_refers(GROUP)
        .platform_says(202)
        .notified(480)
    )
    example = refused.both_hear().finding("transfer.fails", "stand-in.1", True, code=480)
    return example.finding(
        "transfer.told", "caller.1", actual="no voice spoke: it heard silence", before_end_s=None
    )


def with_the_agent(example: Example) -> Example:
    """An agent of the group has answered."""
    return example.reaches("billing").counted("billing.1", 200)


def out_of_turn(**fields: Any) -> Example:
    """The second of a group's two agents rings first."""
    example = Example(row="GROUP-RINGING", line="people-in-turns", **fields).dials().after(0.1)
    example.findings += [
        found
        for found in (
            turn("billing", rang=False, its_turn=True),
            turn("support", rang=True, its_turn=False),
        )
        if found is not None
    ]
    return example.rings("support").answered()


def swapped_groups() -> Example:
    """Two groups have the same people, each in an order of its own."""
    others = {"did": "+18155550107", "agents": ("support", "billing"), "rings": "one-by-one"}
    return out_of_turn(file={f"groups.others.{key}": value for key, value in others.items()})


def closed_elsewhere() -> Example:
    """A number that is closed is answered, and none of its closed hours' people rings."""
    example = dialled(row="CLOSED", line="out-of-hours").after(2.0).answered()
    return example.after(4).landed("reception")


def too_soon() -> Example:
    """The fallback rings at once, where the AI was to ring for two seconds."""
    example = dialled(row="TD-FALLBACK-TIMEOUT", line="fallback-timeout")
    example.ai_gets().after(0.4).reaches("reception")
    return example.finding("timing", "reception", seconds=0.4, expected_s=2.0)


def own_call_unanswered(transport: str) -> Example:
    """The AI's side calls the group itself, and nothing comes back."""
    example = warm(Example(ai="stand-in", transport=transport))
    return example.ai_invites(GROUP, remote=example.trunk.termination).landed("billing")


def overdue(ai: str = "stand-in", given_up: float = 0.0, *, answered: bool = False) -> Example:
    """The fallback rings after 5 s, where 2 s are agreed; the AI is given up before that, or the
    caller answered.
    """
    example = (
        dialled(row="TD-FALLBACK-TIMEOUT", line="fallback-timeout", ai=ai).ai_gets().after(given_up)
    )
    if given_up:
        example._sip("received", "CANCEL sip:ai SIP/2.0")
    if answered:
        example.answered()
    example.after(5 - given_up).reaches("reception")
    return example.finding("timing", "reception", what="the fallback", seconds=5.0, expected_s=2.0)


TRANSFER = [
    Expected(
        "transfer.caller-id",
        own_call(403, "Caller Origination Number is Invalid D35"),
        "likely transfer-call-refused",
    ),
    Expected(
        "transfer.nobody.forbidden", answered(403, "No agent logged in"), "likely nobody-available"
    ),
    Expected(
        "transfer.handover",
        lost(several().ai_refers(OTHER_GROUP).platform_says(202)),
        "certain handover-confused",
    ),
    Expected(
        "transfer.topic",
        by_topic()
        .ai_refers(QUEUE, "?X-Gladly-Routing-Selector=sales")
        .platform_says(202)
        .rings("queue")
        .landed("support", "queue"),
        "certain transfer-topic-wrong",
    ),
    Expected(
        "transfer.number.passed-on",
        lost(transfer().caller_gets(f"REFER sip:x SIP/2.0\r\nRefer-To: <sip:{NOBODY}@x>")),
        "likely group-did-wrong",
    ),
    Expected(
        "transfer.number.rewritten",
        lost(
            referred()
            .caller_gets(f"REFER sip:x SIP/2.0\r\nRefer-To: <sip:{NOBODY}@x>")
            .notified(404)
        ),
        "likely transfer-target-changed",
    ),
    Expected(
        "hours.open",
        dialled(row="CLOSED", line="out-of-hours").ai_gets().answered().landed("reception"),
        "likely hours-wrong",
    ),
    Expected(
        "hours.open",
        closed_by("out-of-hours-voicemail").finding("route.not_reached", "the AI", reached=["x"]),
        "likely hours-wrong",
    ),
    Expected(
        "hours.open",
        closed_by("out-of-hours")
        .landed("reception")
        .copy(file={"lines.out-of-hours.fallback": "reception"})
        .ai_gets(),
        "likely hours-wrong",
    ),
    Expected(
        "hours.open",
        closed_by("out-of-hours").landed("reception"),
        "one of hours-wrong, another-device-answered, nobody-available, group-wrong",
    ),
    Expected(
        "hours.open",
        Example(row="CLOSED", line="people", file=shut("reception"))
        .dials()
        .answered()
        .rings("reception")
        .landed("support", "reception"),
        "likely hours-wrong, group-wrong",
    ),
    Expected(
        "hours.open",
        transfer(Example(file=shut("billing")), "TD-TRANSFER-CLOSED")
        .ai_refers(GROUP)
        .rings("billing")
        .landed("support", "billing"),
        "likely hours-wrong, group-wrong",
    ),
    Expected(
        "hours.closed",
        nothing(Example(line="out-of-hours")).all_ports_answer(),
        "likely hours-wrong, route-missing",
    ),
    Expected(
        "hours.closed",
        closed_by("out-of-hours-voicemail", row="TD-INBOUND").all_ports_answer().not_taken(),
        "likely hours-wrong",
    ),
    Expected(
        "transfer.unasked",
        referred()
        .rings("billing")
        .finding("landing.turn", "billing", expected=UNASKED, rang=1)
        .landed("billing", "billing"),
        "likely handover-confused",
    ),
    Expected(
        "transfer.group.shared",
        people()
        .rings("reception")
        .rings("billing")
        .answered()
        .landed("reception", "reception", "billing")
        .finding("landing.others", "billing", rang=1, watched=True),
        "likely group-wrong",
    ),
    Expected(
        "transfer.dialled",
        people()
        .ends_at_once(480, "Temporarily Unavailable")
        .landed("reception")
        .calls_again(
            "group", str(Example().deployment.groups["reception"].did), rang=["reception"]
        ),
        "likely group-wrong",
    ),
    Expected(
        "transfer.rejected.in-words",
        answered(403, "Account is disabled D17"),
        "likely refer-rejected",
    ),
    Expected(
        "transfer.rejected.as-written",
        answered(416, "Unsupported URI Scheme"),
        "likely refer-rejected",
    ),
    Expected(
        "transfer.unsent",
        lost(
            warm().record(
                executed_actions={"a": {"name": "transfer_call", "type": "warm", "to": GROUP}}
            )
        ),
        "likely termination-uri-wrong",
    ),
    Expected(
        "transfer.released",
        # As Asterisk does it: a transferee whose dial plan has come to its end gets a BYE, and the
        # AI a NOTIFY with 503.
        transfer(Example(ai="stand-in"), "TRANSFER-UNAVAILABLE")
        .ai_refers(NOBODY)
        .platform_says(202)
        .caller_gets("BYE sip:caller SIP/2.0")
        .notified(503, "Service Unavailable")
        .finding("transfer.fails", "stand-in.1", True, code=503)
        .after(2)
        .to_ai("silence", 8, again=True)
        .to_caller("no-rtp", 0, again=True),
        "certain caller-released-by-transfer",
    ),
    Expected("transfer.untold", untold_caller(), "likely caller-not-told"),
    Expected(
        "transfer.untrue",
        lost(referred().notified(200, "OK")),
        "one of another-device-answered, nobody-available, transfer-unanswered",
    ),
    Expected(
        "release.hangup.by-ai",
        left_up(handed_on(talk()).asks("BYE", 408, "x")),
        "likely ai-refuses-hangup",
    ),
    Expected(
        "release.hangup.kept.in-transfer",
        transfer(Example(ai="stand-in"), "TD-TRANSFER-ABANDON")
        .ai_refers(GROUP)
        .reaches("billing")
        .asks("BYE", 200, "OK")
        .after(1.5)
        .still_up("stand-in.1"),
        "certain hangup-not-passed-on",
    ),
    Expected(
        "release.hangup.kept.at-agent",
        handed_on(talk().asks("BYE", 200, "OK"))
        .after(1.5)
        .finding("released", "billing.1", seconds=None),
        "certain hangup-not-passed-on",
    ),
    Expected(
        "transfer.nobody.at-once",
        answered(480, "Temporarily Unavailable"),
        "likely nobody-available",
    ),
    Expected(
        "transfer.unanswered.timeout",
        answered(408, "Request Timeout"),
        "likely transfer-unanswered",
    ),
    Expected(
        "transfer.left-ringing.ended",
        own_call(408, "Request Timeout"),
        "likely transfer-unanswered",
    ),
    Expected(
        "transfer.left-ringing.untold",
        notified("", Refer_Sub="false"),
        "likely transfer-unanswered",
    ),
    Expected("transfer.call-declined", own_call(603, "Decline"), "likely transfer-call-refused"),
    Expected(
        "transfer.left-ringing",
        lost(warm().ai_invites(GROUP).platform_says(180, "Ringing", "INVITE")),
        "certain transfer-unanswered",
    ),
    Expected(
        "transfer.call-refused",
        lost(warm().ai_invites(GROUP).platform_says(488, "Not Acceptable Here", "INVITE")),
        "certain transfer-call-refused",
    ),
    Expected("transfer.not-tried", lost(transfer()), "likely transfer-not-tried"),
    Expected(
        "transfer.no-audio.at-first",
        with_the_agent(referred()).with_agent("billing", "other", packets=60, listened_s=3.4),
        "likely transfer-no-audio",
    ),
    Expected(
        "transfer.no-audio.joined",
        with_the_agent(warm().ai_invites(GROUP)).with_agent(
            "billing", "silence", packets=60, listened_s=3.4
        ),
        "likely transfer-no-audio",
    ),
    Expected(
        "audio.agent.stopped.rtp",
        with_the_agent(transfer()).with_agent("billing", "silence", packets=60, listened_s=3.4),
        "likely agent-audio-stops",
    ),
    Expected(
        "transfer.cut",
        cut_with_the_agent(),
        "certain agent-call-dropped",
    ),
    Expected(
        "transfer.cut.no-rtp",
        cut_with_the_agent('FreeSWITCH;cause=604;text="MEDIA_TIMEOUT"'),
        "likely transfer-no-audio",
    ),
    Expected(
        "release.unreported",
        referred().reaches("billing").finding("released", "assistant main", seconds=None),
        "certain transfer-not-reported",
    ),
    Expected(
        "reach.refused", too_soon().ai_answers(480, "Temporarily Unavailable"), "likely ai-refuses"
    ),
    Expected("transfer.order", out_of_turn(), "likely ring-order-wrong"),
    *(
        Expected(rule, swapped_groups(), "likely ring-order-wrong, group-wrong")
        for rule in ("transfer.order", "transfer.order.group")
    ),
    Expected(
        "transfer.dialled.unseen",
        closed_elsewhere().calls_again("group", "+18155550103", rang=["reception"]),
        "one of group-wrong, hours-wrong, another-device-answered",
    ),
    Expected(
        "release.unreported",
        referred(ai="stand-in")
        .reaches("billing")
        .finding("released", "stand-in.1", seconds=None)
        .after(1.5)
        .notified(200),
        "certain transfer-not-reported",
    ),
    *(
        Expected(
            f"transfer.{cause}{rejected}",
            own_call_unanswered(transport).probed("termination", reach),
            f"likely {cause}{rejected}",
        )
        for transport, cause in (
            ("udp", "firewall-udp-32681"),
            ("tcp", "firewall-tcp-32681"),
            ("tls", "firewall-tls-32682"),
        )
        for rejected, reach in (("", "silent"), ("-rejected", "refuses"))
    ),
    Expected(
        "fallback.none.ringing-on",
        dialled(row="TD-FALLBACK-TIMEOUT", line="fallback-timeout", ai="stand-in")
        .ai_gets()
        .after(6)
        .landed("reception"),
        "likely ring-timeout-wrong",
    ),
    Expected(
        "fallback.rang.late",
        dialled(row="TD-FALLBACK-TIMEOUT", line="fallback-timeout", ai="stand-in")
        .ai_gets()
        .after(6)
        .landed("reception")
        .after(0.02)
        .rings("reception"),
        "likely ring-timeout-wrong",
    ),
    Expected("fallback.time.unseen", overdue(ai="synthflow"), "likely ring-timeout-wrong"),
    Expected("fallback.held-back", overdue(given_up=2.0), "likely fallback-late"),
    Expected(
        "fallback.announced", overdue(given_up=2.0, answered=True), "likely fallback-announced"
    ),
]


PASSED_ON = "inbound-passed-on"  #: a number at which the platform hands the AI's REFER on to the caller's side


def again(code: int, reason: str = "") -> Example:
    """The platform challenges the REFER, and answers so to the one that shows credentials."""
    example = transfer(Example(authentication="digest")).ai_refers(GROUP)
    example.platform_says(407, "Proxy Authentication Required")
    refer = {
        "Refer_To": f"<sip:{GROUP}@platform.example>",
        "Proxy_Authorization": 'Digest username="x"',
    }
    example._sip(
        "sent",
        "REFER sip:platform SIP/2.0",
        to="<sip:x@y.example>;tag=p",
        number="3",
        **refer,
    )
    return lost(example.platform_says(code, reason, number=3))


def passed_on(example: Example) -> Example:
    """The AI refers, and the platform hands that on to the caller's phone, which takes it."""
    example = transfer(example).ai_refers(GROUP).at_phone("caller", "REFER", within=True)
    return example.at_phone("caller", "REFER", code=202, reason="Accepted").platform_says(202)


def nobodys(example: Example) -> Example:
    """The platform refuses the AI's request, and its Reason says that the number is unassigned."""
    warmly = example.line == "inbound-warm"
    asked = example.ai_invites(GROUP) if warmly else example.ai_refers(GROUP)
    method, call = ("INVITE", "onward") if warmly else ("REFER", "at-the-ai")
    return lost(
        asked._sip(
            "received", "SIP/2.0 503 x", method, call_id=call, number="2", Reason="Q.850;cause=1"
        )
    )


def taken_then(code: int, reason: str) -> Example:
    """The platform accepts the REFER, and tells that later."""
    return lost(referred().notified(code, reason))


REFUSED = [
    Expected("transfer.rejected.authenticated", again(603, "Decline"), "likely refer-rejected"),
    Expected(
        "transfer.failed.by-caller",
        lost(passed_on(Example(line=PASSED_ON)).notified(403, "Forbidden")),
        "likely refer-accepted-then-failed",
    ),
    Expected(
        "transfer.rejected.though-there", though_there(answered(480, "x")), "likely refer-rejected"
    ),
    Expected(
        "transfer.failed.though-there",
        though_there(taken_then(404, "Not Found")),
        "likely refer-accepted-then-failed",
    ),
]


def recorded(**action: object) -> Example:
    """A transfer that reached no agent, known from the AI's record alone."""
    return lost(told(None, **action))


def turned_away(code: int) -> Example:
    """A number of people that refuses its caller before anybody's phone rings."""
    example = people().after(0.1)
    return example.ends_here(code, "x").landed("reception")


STATUSES = [
    Expected(
        "transfer.challenged.recorded",
        recorded(status="failed", status_code=407),
        "likely transfer-call-challenged",
    ),
    Expected(
        "transfer.nobody.recorded",
        recorded(status="failed", status_code=480),
        "likely nobody-available",
    ),
    Expected(
        "transfer.unknown-number.recorded",
        recorded(status="failed", status_code=404),
        "likely number-unknown-at-platform",
    ),
    *(
        Expected(f"transfer.dialled.{rule}", turned_away(code), answer)
        for rule, code, answer in (
            ("refused", 403, "likely platform-refuses-caller"),
            ("given-up", 487, "one of nobody-available, group-wrong"),
            ("elsewhere", 408, "one of nobody-available, group-wrong"),
        )
    ),
]
