"""Why a transfer does not bring the caller to the right people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.audio import NO_VOICE
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.legs import EXTENSION, MALFORMED
from harness.diagnosis.own import NO_ROOM
from harness.diagnosis.refusals import (
    CHANNELS,
    CONCURRENCY,
    CONGESTION,
    NO_RTP_CAME,
    NO_SUCH_NUMBER,
    NOBODY_THERE,
    NOT_CARRIED,
    NUMBER,
    THE_ADDRESS,
    THE_AGENTS,
    THE_CALLERS_NUMBER,
    THE_CODEC,
    THE_ENCRYPTION,
    THE_TRUNK,
    WHY_ENDED,
)
from harness.diagnosis.rule import Rule, Symptom
from harness.diagnosis.rules.media import never_with_agent
from harness.diagnosis.session import BY_RECORD, PLATFORM
from harness.diagnosis.transfer import A_STATUS, LEFT_OPEN

LOST = when("transfer.landed", "nowhere")
#: The AI's record alone tells of the transfer, and of how it ended less or more than that it failed: other rules read it.
NOT_RECORDED = not_shown("transfer.record", LEFT_OPEN, A_STATUS)
AFTER: tuple[Symptom, ...] = ("caller_id.agent", "audio.agent", "release", "other")
#: The agent's phone did not refuse what it was offered by itself.
NOT_REFUSED_THERE = not_shown("refusal.agent", "its media", "another call", EXTENSION, MALFORMED, NO_ROOM)
RIGHT_TARGET = unless("transfer.target", "nobody's number", "another group's number")
#: The platform did not say that it cannot carry what it was asked for, or that the number is nobody's.
CARRIED = not_shown("transfer.refusal", *NOT_CARRIED, NUMBER, THE_AGENTS)
#: Nor that it has anything against who asks, or against the trunk.
NOT_OF_THE_SENDER = not_shown("transfer.refusal", THE_TRUNK, THE_ADDRESS, THE_CALLERS_NUMBER)
_NOT_DIALLED = not_shown("transfer.way", "dialled")
_RIGHT_TOPIC = when("transfer.topic", "the right one", "none needed")
#: The AI made the handover that it was asked for, as far as is known.
NOT_ANOTHERS = not_shown("transfer.handover", "another one")


def _cut() -> Iterator[Rule]:
    """The call with an agent was ended before anybody here had hung up: by its BYE's Reason, where that says more."""
    cut = Rule(
        id="transfer.cut",
        cause="agent-call-dropped",
        symptoms=("audio.agent",),
        cells=cells("release", "REFER", "AI's call", "fallback"),
        essential=(when("agent.cut", True),),
        conditions=(not_shown("agent.reason", *WHY_ENDED), not_shown("agent.cut_by", "the AI")),
        consequences=("release", "other"),
        because="an agent answered, and the caller or the agent got a BYE before either of them had hung up",
    )
    yield cut
    yield replace(
        cut,
        id="transfer.cut.by-ai",
        cause="ai-hangs-up",
        conditions=(
            *(when("transfer.way", "INVITE"), when("agent.cut_by", "the AI")),
            not_shown("fallback.landed", "the right group", "another group"),  # with which the AI has nothing to do
            not_shown("agent.reason", *WHY_ENDED),
        ),
        because="an agent answered a call that the AI had placed itself, and the AI hung up before anybody asked it to",
        confidence="likely",
    )
    for name, cause, reasons, what in (
        ("codec", "g711-one-side", (THE_CODEC,), "its codecs"),
        ("encryption", "agent-call-dropped", (THE_ENCRYPTION,), "the encryption of its media"),
        ("no-rtp", "transfer-no-audio", (NO_RTP_CAME,), "want of RTP"),
        ("full", "platform-full", (CHANNELS, CONGESTION, CONCURRENCY), "want of a channel or capacity"),
    ):
        yield replace(
            cut,
            id=f"transfer.cut.{name}",
            cause=cause,
            cells=(),
            essential=(when("agent.cut", True), when("agent.reason", *reasons)),
            conditions=(),
            because=f"an agent answered, and the call was ended, its BYE says for {what}",
            confidence="likely",
        )


#: What a second call to the group's own number may show, where the first brought nobody to it.
AGAIN = {
    "another group": "group-wrong",
    "another device": "another-device-answered",
    "the platform itself": "nobody-available",
}
#: A second call to the group's own number brought its agents' phones to ring: it is set up, and somebody is there.
GROUP_IS_THERE = not_shown("again.group", "the right group")

TRANSFER: tuple[Rule, ...] = (
    Rule(
        id="transfer.handover",
        cause="handover-confused",
        symptoms=("transfer", "caller_id.agent", "header.other"),
        cells=cells("number", "REFER", "AI's call"),
        essential=(when("transfer.handover", "another one"),),
        conditions=(),
        consequences=AFTER,
        because="the AI was asked for one of its handovers, and transferred by the number or topic of another",
    ),
    Rule(
        id="transfer.handover.rang",
        cause="handover-confused",
        symptoms=("transfer",),
        essential=(when("transfer.landed", "another group"), when("transfer.rang", True)),
        conditions=(when("transfer.handover", "another one"),),
        consequences=AFTER,
        because="the AI was asked for one of its handovers, and the people of another rang",
    ),
    Rule(
        id="transfer.unasked",
        cause="handover-unasked",
        symptoms=("transfer.unasked",),
        essential=(when("transfer.unasked", True),),
        conditions=(when("transfer.asked", True),),
        confidence="likely",
        because="people rang before the caller had asked for one, and the AI made a transfer",
    ),
    Rule(
        id="transfer.topic",
        cause="transfer-topic-wrong",
        symptoms=("transfer",),
        cells=cells("header", "REFER", "AI's call"),
        essential=(when("transfer.landed", "another group"),),
        conditions=(when("transfer.topic", "none", "another"), NOT_ANOTHERS),
        consequences=AFTER,
        because="the platform routes to the group by a topic, and the AI's transfer named none, or another",
    ),
    Rule(
        id="transfer.number",
        cause="group-did-wrong",
        symptoms=("transfer",),
        cells=cells("number", "REFER", "AI's call"),
        conditions=(when("transfer.target", "nobody's number", "another group's number"), NOT_ANOTHERS),
        consequences=AFTER,
        because="the AI transferred to a number that is not the group's",
    ),
    Rule(
        id="transfer.mode",
        cause="refer-other-way",
        symptoms=("transfer",),
        essential=(when("transfer.mode", "not as declared"),),
        conditions=(),
        because="what the caller's phone got is not what the file declares of the number (refer)",
    ),
    Rule(
        id="transfer.group",
        cause="group-wrong",
        symptoms=("transfer",),
        cells=cells("number", "REFER", "AI's call"),
        essential=(when("transfer.landed", "another group"),),
        conditions=(when("transfer.target", "the group's number"), _RIGHT_TOPIC, NOT_ANOTHERS),
        consequences=AFTER,
        because="the group's number was called, and another group rang",
        confidence="likely",
    ),
    *(
        Rule(
            id=f"transfer.again.{cause}",
            cause=cause,
            symptoms=("transfer",),
            cells=cells("number", "REFER", "AI's call"),
            essential=(LOST, when("again.group", rang)),
            conditions=(RIGHT_TARGET,),
            consequences=AFTER,
            because=f"no agent's phone rang, and a second call to the group's own number reached {rang}",
            confidence="likely",
        )
        for rang, cause in AGAIN.items()
    ),
    Rule(
        id="transfer.group.shared",
        cause="group-wrong",
        symptoms=("transfer",),
        essential=(when("transfer.landed", "the right group"), when("transfer.others", True)),
        conditions=(RIGHT_TARGET, _RIGHT_TOPIC, NOT_ANOTHERS),
        because="people rang who are not of the group, besides such as are: another group has members of this one",
        confidence="likely",
    ),
    Rule(
        id="transfer.dialled",
        cause="group-wrong",
        symptoms=("transfer",),
        essential=(
            LOST,
            when("transfer.way", "dialled"),
            when("transfer.answer", *NO_SUCH_NUMBER, *NOBODY_THERE),
            when("again.group", "the right group"),
        ),
        conditions=(),
        consequences=AFTER,
        because="the number that leads to the group was refused, and a second call to the group's own number made its agents ring",
        confidence="likely",
    ),
    Rule(
        id="transfer.inactive.said",
        cause="trunk-inactive",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.refusal", THE_TRUNK)),
        conditions=(_NOT_DIALLED, not_shown("transfer.host", "another host")),
        consequences=AFTER,
        because="the platform itself says that the trunk is not in service",
    ),
    Rule(
        id="transfer.inactive",
        cause="trunk-inactive",
        symptoms=("transfer",),
        essential=(LOST,),
        conditions=(
            when("transfer.answer", 503),
            NOT_RECORDED,
            CARRIED,
            NOT_OF_THE_SENDER,
            _NOT_DIALLED,
            not_shown("transfer.host", "another host"),
        ),
        consequences=AFTER,
        # A trunk whose channels are all taken answers 503, too.
        because="the platform answered the AI's request with 503, as a trunk does that is not in service",
        confidence="likely",
    ),
    Rule(
        id="transfer.address.said",
        cause="synthflow-ip-not-allowed",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.refusal", THE_ADDRESS)),
        conditions=(_NOT_DIALLED,),
        consequences=AFTER,
        because="the platform itself says that an address is not allowed, as it may be the one from which the AI transfers",
        confidence="likely",
    ),
    Rule(
        id="transfer.caller-id",
        cause="transfer-caller-id-refused",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.refusal", THE_CALLERS_NUMBER)),
        conditions=(_NOT_DIALLED,),
        consequences=AFTER,
        because="the platform refused the transfer, and its words are about the number that the call shows",
        confidence="likely",
    ),
    Rule(
        id="transfer.address",
        cause="synthflow-ip-not-allowed",
        symptoms=("transfer",),
        essential=(LOST,),
        conditions=(
            when("transfer.way", "INVITE"),
            when("transfer.answer", 403),
            not_shown("transfer.credentials", True),
            NOT_OF_THE_SENDER,
        ),
        consequences=AFTER,
        # Or the number that the call shows is not allowed there.
        because="the platform refused the AI's own call with 403, before anything was rung",
        confidence="likely",
    ),
    Rule(
        id="transfer.challenged",
        cause="transfer-call-challenged",
        symptoms=("transfer",),
        cells=cells("credentials", "REFER", "AI's call"),
        essential=(LOST,),
        conditions=(when("transfer.answer", "challenged"), not_shown("transfer.credentials", True), NOT_RECORDED),
        consequences=AFTER,
        because="the platform challenged the AI, which showed no credentials",
    ),
    Rule(
        id="transfer.credentials",
        cause="transfer-credentials-refused",
        symptoms=("transfer",),
        cells=cells("credentials", "AI's call"),
        essential=(LOST, when("transfer.answer", "challenged"), when("transfer.credentials", True)),
        conditions=(),
        consequences=AFTER,
        because="the AI showed credentials, and was challenged again",
    ),
    Rule(
        id="transfer.credentials.forbidden",
        cause="transfer-credentials-refused",
        symptoms=("transfer",),
        cells=cells("credentials", "AI's call"),
        essential=(LOST, when("transfer.answer", 403), when("transfer.credentials", True)),
        conditions=(NOT_OF_THE_SENDER,),
        consequences=AFTER,
        because="the AI showed credentials, and was refused with 403",
        confidence="likely",
    ),
    Rule(
        id="transfer.host",
        cause="termination-uri-wrong",
        symptoms=("transfer",),
        essential=(LOST,),
        conditions=(when("transfer.way", "INVITE"), when("transfer.host", "another host")),
        consequences=AFTER,
        because="the AI's own call went to another host than the platform's SBC",
    ),
    Rule(
        id="transfer.unsent",
        cause="termination-uri-wrong",
        symptoms=("transfer",),
        essential=(LOST,),
        conditions=(
            when("transfer.way", "INVITE"),
            when("transfer.answer", "never sent", "none"),
            when("probe.termination", "answers"),
            not_shown("transfer.host", "another host", "the trunk's"),
        ),
        consequences=AFTER,
        because="the platform's SBC answers us, and the AI's own call found nobody to connect to: it went elsewhere",
        confidence="likely",
    ),
    Rule(
        id="transfer.not-tried",
        cause="transfer-not-tried",
        symptoms=("transfer",),
        essential=(LOST,),
        conditions=(
            when("transfer.asked", False),
            not_shown("audio.to_ai", *NO_VOICE, "crossed"),
            not_shown("digits", "none", "wrong"),
        ),
        consequences=AFTER,
        because="nothing shows that the AI could not hear the caller, and it sent neither REFER nor INVITE",
    ),
    *never_with_agent(
        Rule(
            id="transfer.no-audio",
            cause="transfer-no-audio",
            symptoms=("audio.agent",),
            cells=cells("media to it", "REFER", "AI's call") + cells("media from it", "REFER", "AI's call"),
            essential=(when("transfer.landed", "the right group"), when("audio.agent", "none either way", "one way")),
            conditions=(
                when("audio.phase", "with the agent only"),
                not_shown("agent.stopped", True),
                not_shown("agent.cut", True),
                not_shown("sdp.listener", "private"),
            ),
            consequences=("other",),
            because="audio with the AI was right, and there is none between caller and agent",
        )
    ),
    Rule(
        id="transfer.released",
        cause="caller-released-by-transfer",
        symptoms=("audio", "other"),
        cells=cells("release", "REFER"),
        essential=(when("call.cut", True), when("transfer.failed", True)),
        conditions=(when("call.cut_by", PLATFORM, BY_RECORD),),
        because="the platform told the AI that the transfer had failed, and ended the caller's call",
    ),
    *_cut(),
)
