"""Gladly in front of Synthflow: https://docs.synthflow.ai/sip-with-gladly.

The public copy of the guide has lost its tables of SIP connection details, verification and troubleshooting; where a row
fills such a gap it is this project's own, and says "practice" as its source.
"""

from __future__ import annotations

from harness.finding_kinds import (
    ANSWERED,
    AUDIO_TO_AGENT,
    AUDIO_TO_AI,
    AUDIO_TO_CALLER,
    CALLER_ID,
    FINAL_RESPONSE,
    HEADER,
    HEADER_ABSENT,
    LANDING,
    LANDING_ANSWERED_BY,
    LANDING_OTHERS,
    ONE_CALL,
    RELEASED,
    ROUTE_NOT_ANSWERED,
    TRANSFER_REFER,
)
from harness.integrations import plans, shared
from harness.integrations.base import HANDED_OVER, WITH_THE_AI, Integration, Row
from harness.integrations.practice import PRACTICE, TRANSPORT_PRACTICE
from harness.integrations.which import (
    A_CALLER,
    AGENT_PHONE,
    ASK,
    ASKED,
    FALLBACK,
    NO_TOPIC,
    PLAINTEXT,
    SELECTOR_OF_AXIS,
    SELECTORS,
    STAND_IN,
    STRANGER,
    TO_AI,
    TO_SEEN_GROUP,
    TOPIC,
    hands_over,
)

_FORWARD = "configure-sip-forwarding"
_HEADER = "pass-caller-id-via-x-header"
_INBOUND = "configure-inbound-routing"
_TRANSFER = "configure-transfer-back-to-gladly-ai--live-agent"

INTEGRATION = Integration(
    name="gladly",
    title="Gladly",
    guide="https://docs.synthflow.ai/sip-with-gladly",
    transports=("tls",),
    rows=(
        shared.inbound(
            "GL",
            title="A call to the Gladly number reaches the AI over TLS",
            proves="The call is forwarded to the AI, which answers; audio flows both ways; the leg to the AI is TLS, addressed with "
            "transport=tls and with a certificate that verifies; the AI gets the caller's number.",
            source="guide, inbound routing",
            section=_INBOUND,
            menus=True,
        ),
        Row(
            id="GL-HEADER-CALLER",
            scenario="HEADER-CALLER",
            title="X-Gladly-Caller-Id names the caller",
            proves="The INVITE to the AI carries X-Gladly-Caller-Id exactly once, with the real caller's E.164 number and its plus.",
            source="guide, X-headers",
            section=_HEADER,
            which=(TO_AI,),
            needs=(A_CALLER,),
            subject=frozenset({"header"}),
            over="trunks",
            required_findings={**WITH_THE_AI, HEADER: 1},
        ),
        Row(
            id="GL-HEADER-SELECTOR",
            scenario="HEADER-SELECTOR",
            title="X-Gladly-Routing-Selector says what is configured",
            proves="The header has the topic configured for the number, and is absent where none is.",
            source="guide, X-headers",
            section=_HEADER,
            which=(TO_AI, SELECTOR_OF_AXIS),
            needs=(A_CALLER,),
            subject=frozenset({"header"}),
            over="trunks",
            axes=(SELECTORS,),
            required_findings={ANSWERED: 1, LANDING_ANSWERED_BY: 1, HEADER | HEADER_ABSENT: 1},
        ),
        Row(
            id="GL-TRANSFER-PLAIN",
            scenario="TRANSFER-PLAIN",
            moment="transfer",
            hands_over="cold",
            title="The AI hands the caller to the agent queue",
            proves="The caller lands in the queue whose number the AI calls and in no other, with the caller's number and audio both "
            "ways; the AI's leg ends.",
            source="guide, transfer",
            section=_TRANSFER,
            which=(hands_over("cold"), ASKED, TO_SEEN_GROUP, NO_TOPIC),
            needs=(A_CALLER,),
            calls=plans.blind_transfer,
            subject=frozenset({"landing"}),
            over="trunks",
            axes=(ASK,),
            seconds=2.0,
            required_findings={
                **HANDED_OVER,
                CALLER_ID: 1,
                TRANSFER_REFER: 1,
                RELEASED: 1,
                LANDING_OTHERS: 1,
                ONE_CALL: 2,
            },
        ),
        Row(
            id="GL-TRANSFER-TOPIC",
            scenario="TRANSFER-TOPIC",
            moment="transfer",
            hands_over="cold",
            title="The AI hands the caller to a topic",
            proves="The transfer carries the topic in X-Gladly-Routing-Selector; the header reaches the target and the caller lands "
            "with that topic's agents and no others, with the caller's number and audio both ways.",
            source="guide, transfer",
            section=_TRANSFER,
            which=(hands_over("cold"), ASKED, TOPIC),
            needs=(A_CALLER,),
            calls=plans.blind_transfer,
            subject=frozenset({"landing"}),
            over="trunks",
            seconds=2.0,
            required_findings={
                **HANDED_OVER,
                CALLER_ID: 1,
                HEADER: 1,
                TRANSFER_REFER: 1,
                RELEASED: 1,
                LANDING_OTHERS: 1,
                ONE_CALL: 2,
            },
        ),
        *shared.fallbacks("GL", "queue", source="guide, fallback action", section=_INBOUND),
        Row(
            id="GL-ALLOWLIST-LISTED",
            scenario="ALLOWLIST-LISTED",
            moment="access",
            title="A call from an allowed address is taken",
            proves="A call to the queue's number from an address on the allowlist is answered by the queue's agent, with audio both "
            "ways.",
            source="guide, IP Allowlist",
            section=_FORWARD,
            which=None,
            needs=(AGENT_PHONE, STAND_IN),
            calls=plans.from_the_ai,
            over="trunks",
            seats="stand-in",
            required_findings={LANDING: 1, ANSWERED: 1, AUDIO_TO_AI: 1, AUDIO_TO_AGENT: 1},
        ),
        Row(
            id="GL-ALLOWLIST-UNLISTED",
            scenario="ALLOWLIST-UNLISTED",
            moment="access",
            title="A call from any other address is refused",
            proves="A call to the queue's number from an address that is not on the allowlist ends with 403, and nobody rings.",
            source="guide, IP Allowlist",
            section=_FORWARD,
            which=None,
            needs=(AGENT_PHONE, STRANGER),
            calls=plans.from_the_ai,
            over="trunks",
            seats="stand-in",
            required_findings={FINAL_RESPONSE: 1, LANDING_OTHERS: 1},
        ),
        Row(
            id="GL-PLAINTEXT",
            scenario="PLAINTEXT",
            moment="access",
            title="Without transport=tls nothing is set up in the clear",
            proves="A number whose destination lacks transport=tls does not reach the AI in the clear: its caller gets the fallback; "
            "and a call to the queue over UDP or TCP is refused.",
            source="guide, note on TLS",
            section=_FORWARD,
            which=(PLAINTEXT, FALLBACK),
            needs=(A_CALLER, AGENT_PHONE),
            calls=plans.in_the_clear,
            over="trunks",
            required_findings={LANDING: 1, ANSWERED: 1, AUDIO_TO_AGENT: 1, AUDIO_TO_CALLER: 1, ROUTE_NOT_ANSWERED: 1},
            required_findings_at={("ai", "stand-in"): {ROUTE_NOT_ANSWERED: 2, LANDING_OTHERS: 1}},
        ),
        *PRACTICE,
        *TRANSPORT_PRACTICE,
    ),
)
