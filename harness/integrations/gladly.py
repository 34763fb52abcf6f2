"""Gladly in front of Synthflow: https://docs.synthflow.ai/sip-with-gladly.

The public copy of the guide has lost its tables of SIP connection details, verification and troubleshooting; where a row
fills such a gap it is this project's own, and says "practice" as its source.
"""

from __future__ import annotations

from harness.integrations.base import ADDRESSED, FALLEN_BACK, HANDED_OVER, WITH_THE_AI, Integration, Row
from harness.integrations.practice import PRACTICE, TRANSPORT_PRACTICE

_FORWARD = "configure-sip-forwarding"
_HEADER = "pass-caller-id-via-x-header"
_INBOUND = "configure-inbound-routing"
_TRANSFER = "configure-transfer-back-to-gladly-ai--live-agent"

INTEGRATION = Integration(
    name="gladly",
    title="Gladly",
    guide="https://docs.synthflow.ai/sip-with-gladly",
    rows=(
        Row(
            id="GL-INBOUND",
            title="A call to the Gladly number reaches the AI over TLS",
            proves="The call is forwarded to the AI, which answers; audio flows both ways; the leg to the AI is TLS, addressed with "
            "transport=tls and with a certificate that verifies; the AI gets the caller's number.",
            source="guide, inbound routing",
            section=_INBOUND,
            line="inbound",
            over="trunks",
            finds={**WITH_THE_AI, **ADDRESSED, "caller_id": 1, "codec": 2, "call.up": 1, "landing.others": 1},
        ),
        Row(
            id="GL-HEADER-CALLER",
            title="X-Gladly-Caller-Id names the caller",
            proves="The INVITE to the AI carries X-Gladly-Caller-Id exactly once, with the real caller's E.164 number and its plus.",
            source="guide, X-headers",
            section=_HEADER,
            line="inbound",
            over="trunks",
            finds={**WITH_THE_AI, "header": 1},
        ),
        Row(
            id="GL-HEADER-SELECTOR",
            title="X-Gladly-Routing-Selector says what is configured",
            proves="The header has the topic configured for the number, and is absent where none is.",
            source="guide, X-headers",
            section=_HEADER,
            line="inbound-billing",
            needs=("lines.inbound", "lines.inbound-support"),
            over="trunks",
            variants=(("selector", ("billing", "support", "none")),),
            full=("selector",),
            finds={"answered": 1, "landing.answered_by": 1, "header|header.absent": 1},
        ),
        Row(
            id="GL-TRANSFER-PLAIN",
            title="The AI hands the caller to the agent queue",
            proves="The caller lands in the queue whose number the AI calls and in no other, with the caller's number and audio both "
            "ways; the AI's leg ends.",
            source="guide, transfer",
            section=_TRANSFER,
            line="inbound",
            needs=("groups.queue", "groups.billing"),
            over="trunks",
            variants=(("ask", ("digit", "prompt")),),
            seconds=2.0,
            finds={**HANDED_OVER, "caller_id": 1, "released": 1, "landing.others": 1, "one_call": 2},
        ),
        Row(
            id="GL-TRANSFER-TOPIC",
            title="The AI hands the caller to a topic",
            proves="The transfer carries the topic in X-Gladly-Routing-Selector; the header reaches the target and the caller lands "
            "with that topic's agents and no others, with the caller's number and audio both ways.",
            source="guide, transfer",
            section=_TRANSFER,
            line="inbound-support",
            needs=("groups.queue", "groups.billing"),
            over="trunks",
            seconds=2.0,
            finds={**HANDED_OVER, "caller_id": 1, "header": 1, "released": 1, "landing.others": 1, "one_call": 2},
        ),
        Row(
            id="GL-FALLBACK-TIMEOUT",
            title="An AI that never answers",
            proves="When the ring timeout is over the caller is with the fallback queue, with caller ID and audio both ways; the time "
            "waited is the one configured, within a second.",
            source="guide, fallback action",
            section=_INBOUND,
            line="fallback-timeout",
            over="trunks",
            seconds=4.0,
            finds={**FALLEN_BACK, "route.tried": 1, "timing": 1},
        ),
        Row(
            id="GL-FALLBACK-REFUSED",
            title="An AI that answers 503",
            proves="The caller is with the fallback queue without waiting for longer than the ring timeout, with caller ID and audio "
            "both ways.",
            source="guide, fallback action",
            section=_INBOUND,
            line="fallback-refused",
            over="trunks",
            finds={**FALLEN_BACK, "route.tried": 1, "timing.within": 1},
        ),
        Row(
            id="GL-FALLBACK-DOWN",
            title="An AI that cannot be reached",
            proves="Within the ring timeout the caller is with the fallback queue, with caller ID and audio both ways.",
            source="guide, fallback action",
            section=_INBOUND,
            line="fallback-down",
            over="trunks",
            seconds=3.0,
            finds={**FALLEN_BACK, "timing.within": 1},
        ),
        Row(
            id="GL-ALLOWLIST-LISTED",
            title="A call from an allowed address is taken",
            proves="A call to the queue's number from an address on the allowlist is answered by the queue's agent, with audio both "
            "ways.",
            source="guide, IP Allowlist",
            section=_FORWARD,
            needs=("groups.queue", "stand_in.bind"),
            over="trunks",
            seats="stand-in",
            finds={"landing": 1, "answered": 1, "audio to ai": 1, "audio to agent": 1},
        ),
        Row(
            id="GL-ALLOWLIST-UNLISTED",
            title="A call from any other address is refused",
            proves="A call to the queue's number from an address that is not on the allowlist ends with 403, and nobody rings.",
            source="guide, IP Allowlist",
            section=_FORWARD,
            needs=("groups.queue", "stand_in.stranger_bind"),
            over="trunks",
            seats="stand-in",
            finds={"final_response": 1, "landing.others": 1},
        ),
        Row(
            id="GL-PLAINTEXT",
            title="Without transport=tls nothing is set up in the clear",
            proves="A number whose destination lacks transport=tls does not reach the AI in the clear: its caller gets the fallback; "
            "and a call to the queue over UDP or TCP is refused.",
            source="guide, note on TLS",
            section=_FORWARD,
            line="plaintext",
            needs=("groups.queue",),
            over="trunks",
            finds={"landing": 1, "answered": 1, "audio to agent": 1, "audio to caller": 1, "route.not_answered": 1},
            finds_at={("ai", "stand-in"): {"route.not_answered": 2, "landing.others": 1}},
        ),
        *PRACTICE,
        *TRANSPORT_PRACTICE,
    ),
)
