"""Talkdesk in front of Synthflow: https://docs.synthflow.ai/sip-with-talkdesk."""

from __future__ import annotations

from harness.integrations.base import ADDRESSED, FALLEN_BACK, HANDED_OVER, WITH_THE_AI, Integration, Row
from harness.integrations.practice import PRACTICE, TRANSPORT_PRACTICE

_INBOUND = "configure-inbound-call-routing"
_TRANSFER = "configure-transfer-back-to-talkdesk-ai--live-agent"
_FLOWS = "call-flow-summary"
_VERIFICATION = "verification"


def _skill(kind: str, by: str) -> Row:
    return Row(
        id=f"TD-SKILLS-{kind.upper()}",
        title=f"Routing by {by} chooses the assistant",
        proves=f"A routing rule on {by} sends the call to the assistant meant for it: that one answers, no other does, "
        "and audio flows both ways.",
        source="guide, routing note",
        section=_INBOUND,
        line=f"skill-{kind}",
        over="trunks",
        finds={**WITH_THE_AI, **ADDRESSED, "answered": 2 if kind == "menu" else 1},  # a menu answers first
    )


INTEGRATION = Integration(
    name="talkdesk",
    title="Talkdesk",
    guide="https://docs.synthflow.ai/sip-with-talkdesk",
    rows=(
        Row(
            id="TD-INBOUND",
            title="An outside call reaches the AI",
            proves="The call to the Talkdesk number is answered by the AI and by nobody else; audio flows both ways; the AI "
            "gets the caller's E.164 number in From and its own number in the Request-URI, on the transport's own port, "
            "with G.711 on both sides.",
            source="guide, Verification 1",
            section=_VERIFICATION,
            line="inbound",
            over="trunks",
            finds={**WITH_THE_AI, **ADDRESSED, "caller_id": 1, "codec": 2, "call.up": 1, "landing.others": 1},
        ),
        Row(
            id="TD-TRANSFER-BLIND",
            title="The AI hands the caller to the ring group by REFER",
            proves="The caller asks the AI for a person and lands in the right ring group, with the caller's own number shown to "
            "the agent and audio both ways; no other group rings, the AI's leg ends, one call is left for each party.",
            source="guide, Verification 2",
            section=_TRANSFER,
            line="inbound",
            needs=("groups.billing", "groups.support"),
            over="trunks",
            variants=(("refer", ("consumed", "passed-on")), ("ask", ("digit", "prompt", "silence"))),
            full=("refer",),
            seconds=2.0,
            finds={**HANDED_OVER, "caller_id": 1, "released": 1, "landing.others": 1, "one_call": 2},
        ),
        Row(
            id="TD-TRANSFER-WARM",
            title="The AI calls the ring group and joins the caller to it",
            proves="Synthflow places a new call to the ring group over the trunk and joins the two: the right group rings and no "
            "other, the agent sees the number the deployment promises, caller and agent hear each other, the AI no longer "
            "speaks.",
            source="guide, Verification 2",
            section=_TRANSFER,
            line="inbound-warm",
            needs=("groups.billing", "groups.support"),
            over="trunks",
            variants=(("caller_id", ("original", "agent", "fixed", "header")),),
            seconds=2.0,
            finds={**HANDED_OVER, "caller_id": 1, "audio.silent": 1, "landing.others": 1, "one_call": 2},
        ),
        Row(
            id="TD-OUTBOUND-IVR",
            title="A menu choice sends the call to the AI",
            proves="The caller's digit in the Talkdesk menu routes the call to the trunk: the AI answers, hears and is heard, and "
            "knows who is calling.",
            source="guide, Verification 3",
            section=_VERIFICATION,
            line="ivr",
            over="trunks",
            seconds=1.5,
            finds={**WITH_THE_AI, **ADDRESSED, "caller_id": 1},
        ),
        Row(
            id="TD-OUTBOUND-CAMPAIGN",
            title="A campaign's call is connected to the AI",
            proves="The campaign calls the customer from the line's number; once the customer answers, the AI is on the line and "
            "they hear each other.",
            source="guide, flow 3",
            section=_FLOWS,
            line="campaign",
            needs=("campaign", "phones.customer"),
            over="trunks",
            finds={"landing.answered_by": 1, "audio to ai": 1, "audio to caller": 1, "caller_id": 1},
        ),
        _skill("language", "language"),
        _skill("department", "department"),
        _skill("menu", "menu choice"),
        Row(
            id="TD-FALLBACK-TIMEOUT",
            title="An AI that never answers",
            proves="When the ring timeout is over the caller is with the fallback ring group, with caller ID and audio both ways; "
            "the time waited is the one configured, within a second.",
            source="guide, inbound step 4",
            section=_INBOUND,
            line="fallback-timeout",
            over="trunks",
            seconds=4.0,
            finds={**FALLEN_BACK, "route.tried": 1, "timing": 1},
        ),
        Row(
            id="TD-FALLBACK-REFUSED",
            title="An AI that answers 503",
            proves="The caller is with the fallback ring group without waiting for longer than the ring timeout, with caller ID and "
            "audio both ways.",
            source="guide, inbound step 4",
            section=_INBOUND,
            line="fallback-refused",
            over="trunks",
            finds={**FALLEN_BACK, "route.tried": 1, "timing.within": 1},
        ),
        Row(
            id="TD-FALLBACK-DOWN",
            title="A trunk that cannot be reached",
            proves="Within the ring timeout the caller is with the fallback ring group, with caller ID and audio both ways.",
            source="guide, inbound step 4",
            section=_INBOUND,
            line="fallback-down",
            over="trunks",
            seconds=3.0,
            finds={**FALLEN_BACK, "timing.within": 1},
        ),
        Row(
            id="TD-REGISTER-OK",
            title="The SIP number registers",
            proves="The number registers at the Termination URI with digest within the 120 seconds the guide gives it, and again "
            "before the registration ends.",
            source="guide, Attach + troubleshooting 1",
            section="attach-to-the-assistant",
            over="trunks",
            codecs=False,
            authentication=("digest",),
            seconds=5.0,
            finds={"registration": 1, "timing.within": 1},
        ),
        Row(
            id="TD-REGISTER-BADPASS",
            title="A wrong password is refused",
            proves="A registration with a wrong password ends with 401 or 403, and the number is not registered.",
            source="guide, Attach + troubleshooting 1",
            section="quick-troubleshooting",
            over="trunks",
            codecs=False,
            authentication=("digest",),
            finds={"registration.refused": 1},
        ),
        Row(
            id="TD-REGISTER-NOTALLOWED",
            title="An address that is not allowed is refused",
            proves="A registration from an address outside Talkdesk's allowed list ends with 403, whatever its password.",
            source="guide, Attach + troubleshooting 1",
            section="quick-troubleshooting",
            over="trunks",
            codecs=False,
            authentication=("digest",),
            finds={"registration.refused": 1},
        ),
        Row(
            id="TD-CAPACITY",
            title="As many calls as the trunk carries, and one more",
            proves="All the calls the trunk allows are up at once with audio both ways, each its own; the one too many goes to the "
            "fallback group and harms none of them.",
            source="guide, Max Concurrent Calls",
            section="create-the-sip-trunk",
            line="inbound",
            needs=("phones.caller-2", "phones.caller-3", "phones.caller-4"),
            over="trunks",
            seconds=3.0,
            finds={
                **WITH_THE_AI,
                **FALLEN_BACK,
                "route.not_reached": 1,
                "audio to caller": 2,
                "audio to ai again": 1,
                "audio to caller again": 1,
            },
        ),
        *PRACTICE,
        *TRANSPORT_PRACTICE,
    ),
)
