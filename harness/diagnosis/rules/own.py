"""What our own phones say kept them from a call: a name without an address, a password that was kept, no room."""

from __future__ import annotations

from harness.diagnosis.caller_end import UNHEARD
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import when
from harness.diagnosis.own import CLOSED, CONFIGURED, NO_ANSWER, NO_ROOM, NO_SUCH_NAME, NOT_YET, SECOND, WEAKER
from harness.diagnosis.rule import Confidence, Rule
from harness.diagnosis.rules.own_refusals import agent_refused
from harness.diagnosis.rules.refused import ALL_LATER

_CHALLENGED = (when("caller.end", "refused"), when("final.code", 401, 407))


def _withheld(rule: str, cause: str, how: str, because: str) -> Rule:
    return Rule(
        id=rule,
        cause=cause,
        symptoms=("reach", "final"),
        cells=cells("credentials", "caller"),
        essential=(*_CHALLENGED, when("password.withheld", how)),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because=because,
    )


def _named_by_the_platform(rule: str, how: str, cause: str, because: str, confidence: Confidence = "certain") -> Rule:
    return Rule(
        id=rule,
        cause=cause,
        symptoms=("release", "final", "other"),
        essential=(when("name.dialog", how),),
        conditions=(),
        because=because,
        confidence=confidence,
    )


OWN: tuple[Rule, ...] = (
    Rule(
        id="reach.name.unknown",
        cause="host-name-unknown",
        symptoms=("reach", "other"),
        essential=(when("name.caller", NO_SUCH_NAME),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the name server has no address for the host that the caller's phone is to call, so that no INVITE left it",
    ),
    Rule(
        id="reach.name.silent",
        cause="name-server-silent",
        symptoms=("reach", "other"),
        essential=(when("name.caller", NO_ANSWER),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="no name server told this machine the address of the host to call, so that no INVITE left it",
    ),
    _named_by_the_platform(
        "release.name.unknown",
        NO_SUCH_NAME,
        "contact-host-unknown",
        "the platform's Contact or Record-Route names a host that the name server has no address for, and what the caller's phone "
        "sends within the call goes there",
    ),
    *(
        _named_by_the_platform(
            f"release.name.silent.{cause}",
            NO_ANSWER,
            cause,
            "no name server told this machine the address of the host that the platform's Contact or Record-Route names",
            "likely",
        )
        for cause in ("contact-host-unknown", "name-server-silent")
    ),
    Rule(
        id="reach.unheard",
        cause="call-unanswered",
        symptoms=("reach", "other"),
        essential=(when("caller.end", UNHEARD),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller's phone sent its INVITE, and until the case gave up no response to it had come, not even a 100",
    ),
    Rule(
        id="options.unanswered",
        cause="options-not-answered",
        symptoms=("other",),
        essential=(when("options.answer", "refused", "none"),),
        conditions=(),
        because="OPTIONS was asked of the platform outside of any call, as a keep-alive is, and no 200 came",
    ),
    Rule(
        id="reach.not-asked",
        cause="trunk-not-asked",
        symptoms=("reach",),
        essential=(when("trunk.asked", NOT_YET),),
        conditions=(when("ai.saw", "nothing"), when("trunk.asks", True)),
        consequences=(*ALL_LATER, "fallback"),
        because="the platform asks by OPTIONS whether the trunk's far end is there, and had not since the phone in the AI's place "
        "came: it may have taken the trunk for down, and called nobody there",
        confidence="likely",
    ),
    Rule(
        id="reach.connection.closed",
        cause="connection-closed",
        symptoms=("reach", "fallback", "final", "other"),
        essential=(when("connection.caller", CLOSED),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller's phone got provisional responses, then the end of its connection, and nothing final",
    ),
    Rule(
        id="audio.name.unknown",
        cause="media-host-unknown",
        symptoms=("reach", "audio", "other"),
        essential=(when("name.media", NO_SUCH_NAME),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the name server says that the host which the SDP to the caller names for audio does not exist",
    ),
    _withheld(
        "reach.realm",
        "realm-not-configured",
        CONFIGURED,
        "the caller's INVITE was challenged in another realm than the deployment file names, and no password was sent there",
    ),
    _withheld(
        "reach.realm.second",
        "another-server-asks",
        SECOND,
        "the first challenge was answered; another realm asked then, which has no business with that password",
    ),
    _withheld(
        "reach.algorithm",
        "digest-weakened",
        WEAKER,
        "the challenge asks for a weaker algorithm than this realm has asked for before",
    ),
    Rule(
        id="reach.no-room",
        cause="no-room-for-the-call",
        symptoms=("reach", "final"),
        cells=cells("limit", "AI"),
        essential=(when("refusal.ai", NO_ROOM),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the phone in the AI's place refused the call by itself: its process had no room for it",
    ),
    *agent_refused("no-room", NO_ROOM, "no-room-for-the-call", ": its process had no room for it"),
    Rule(
        id="customer.no-room",
        cause="no-room-for-the-call",
        symptoms=("reach", "other"),
        essential=(when("customer.room", NO_ROOM),),
        conditions=(),
        consequences=("audio", "caller_id.customer"),
        because="the customer's phone refused the campaign's call by itself: its process had no room for it",
    ),
)
