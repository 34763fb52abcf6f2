"""Talkdesk in front of Synthflow: https://docs.synthflow.ai/sip-with-talkdesk."""

from __future__ import annotations

from harness.deployment import RoutedBy
from harness.finding_kinds import (
    ANSWERED,
    AUDIO_TO_AI,
    AUDIO_TO_AI_AGAIN,
    AUDIO_TO_CALLER,
    AUDIO_TO_CALLER_AGAIN,
    CALLER_ID,
    LANDING_ANSWERED_BY,
    LANDING_OTHERS,
    ROUTE_NOT_REACHED,
)
from harness.integrations import plans, shared
from harness.integrations.base import ADDRESSED, FALLEN_BACK, WITH_THE_AI, Integration, Row
from harness.integrations.practice import PRACTICE, TRANSPORT_PRACTICE
from harness.integrations.which import (
    A_CALLER,
    A_CUSTOMER,
    AT_ONCE,
    CHOSEN,
    FALLBACK,
    HELD_BY_STAND_IN,
    MENU,
    OF_CAMPAIGN,
    ONE_CALLER_MORE,
    TO_AI,
    routed_by,
)

_INBOUND = "configure-inbound-call-routing"
_TRANSFER = "configure-transfer-back-to-talkdesk-ai--live-agent"
_FLOWS = "call-flow-summary"
_VERIFICATION = "verification"


def _skill(rule: RoutedBy, by: str) -> Row:
    return Row(
        id=f"TD-SKILLS-{rule.upper()}",
        scenario="SKILLS",
        title=f"Routing by {by} chooses the assistant",
        proves=f"A routing rule on {by} sends the call to the assistant meant for it: that one answers, no other does, "
        "and audio flows both ways.",
        source="guide, routing note",
        section=_INBOUND,
        which=(TO_AI, routed_by(rule), *((CHOSEN,) if rule == "menu" else ())),
        needs=(A_CALLER,),
        over="trunks",
        required_findings={**WITH_THE_AI, **ADDRESSED, ANSWERED: 2 if rule == "menu" else 1},  # a menu answers first
    )


INTEGRATION = Integration(
    name="talkdesk",
    title="Talkdesk",
    guide="https://docs.synthflow.ai/sip-with-talkdesk",
    rows=(
        shared.inbound(
            "TD",
            proves="The call to the Talkdesk number is answered by the AI alone; audio flows both ways; the AI "
            "gets the caller's E.164 number in From and its own number in the Request-URI, on the transport's own port, "
            "with G.711 on both sides.",
            source="guide, Verification 1",
            section=_VERIFICATION,
        ),
        shared.blind_transfer("TD", "ring group", source="guide, Verification 2", section=_TRANSFER),
        shared.warm_transfer("TD", "ring group", source="guide, Verification 2", section=_TRANSFER),
        Row(
            id="TD-OUTBOUND-IVR",
            scenario="OUTBOUND-IVR",
            title="A menu choice sends the call to the AI",
            proves="The caller's digit in the Talkdesk menu, and nothing before it, routes the call to the trunk: the AI answers, "
            "hears and is heard, and knows who is calling.",
            source="guide, Verification 3",
            section=_VERIFICATION,
            which=(TO_AI, MENU),
            needs=(A_CALLER,),
            every_number=True,
            over="trunks",
            seconds=1.5,
            required_findings={**WITH_THE_AI, **ADDRESSED, CALLER_ID: 1, ROUTE_NOT_REACHED: 1},
        ),
        Row(
            id="TD-OUTBOUND-CAMPAIGN",
            scenario="OUTBOUND-CAMPAIGN",
            moment="campaign",
            title="A campaign's call is connected to the AI",
            proves="The campaign calls the customer from the line's number; once the customer answers, the AI is on the line, over "
            "the line's trunk, and they hear each other.",
            source="guide, flow 3",
            section=_FLOWS,
            which=(TO_AI, OF_CAMPAIGN),
            needs=(A_CUSTOMER,),
            over="trunks",
            calls=plans.campaign,
            required_findings={LANDING_ANSWERED_BY: 1, AUDIO_TO_AI: 1, AUDIO_TO_CALLER: 1, CALLER_ID: 1, **ADDRESSED},
        ),
        _skill("language", "language"),
        _skill("department", "department"),
        _skill("menu", "menu choice"),
        *shared.fallbacks("TD", "ring group", source="guide, inbound step 4", section=_INBOUND),
        *shared.registrations(
            "TD",
            "Talkdesk's",
            source="guide, Attach + troubleshooting 1",
            attach="attach-to-the-assistant",
            troubleshooting="quick-troubleshooting",
        ),
        Row(
            id="TD-CAPACITY",
            scenario="CAPACITY",
            moment="limit",
            title="As many calls as the trunk carries, and one more",
            proves="All the calls the trunk allows are up at once with audio both ways, each its own; the one too many goes to the "
            "fallback group alone and harms none of them.",
            source="guide, Max Concurrent Calls",
            section="create-the-sip-trunk",
            which=(TO_AI, FALLBACK, ONE_CALLER_MORE, HELD_BY_STAND_IN, AT_ONCE),
            needs=(A_CALLER,),
            over="trunks",
            seconds=3.0,
            calls=plans.a_full_trunk,
            required_findings={
                **WITH_THE_AI,
                **FALLEN_BACK,
                LANDING_OTHERS: 1,
                ROUTE_NOT_REACHED: 1,
                AUDIO_TO_CALLER: 2,
                AUDIO_TO_AI_AGAIN: 1,
                AUDIO_TO_CALLER_AGAIN: 2,
            },
        ),
        *PRACTICE,
        *TRANSPORT_PRACTICE,
    ),
)
