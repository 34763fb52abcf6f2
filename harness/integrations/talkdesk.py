"""Talkdesk in front of Synthflow: https://docs.synthflow.ai/sip-with-talkdesk."""

from __future__ import annotations

from harness.integrations import shared
from harness.integrations.base import Integration
from harness.integrations.rows import TABLES, rows

_TRANSFER = "configure-transfer-back-to-talkdesk-ai--live-agent"
_OWN = rows("talkdesk")

INTEGRATION = Integration(
    name="talkdesk",
    title="Talkdesk",
    guide="https://docs.synthflow.ai/sip-with-talkdesk",
    carries_out_refer=True,
    diagnosis=TABLES / "talkdesk-diagnosis.toml",
    rows=(
        shared.inbound(
            "TD",
            proves="The call to the Talkdesk number is answered by the AI alone; audio flows both ways; the AI "
            "gets the caller's E.164 number in From and its own number in the Request-URI, on the transport's own port, "
            "with G.711 on both sides.",
            source="guide, Verification 1",
            section="verification",
        ),
        shared.blind_transfer(
            "TD", "ring group", source="guide, Verification 2", section=_TRANSFER
        ),
        shared.warm_transfer("TD", "ring group", source="guide, Verification 2", section=_TRANSFER),
        *shared.untaken_transfers("TD", "ring group"),
        *_OWN["calls"],
        *shared.fallbacks(
            "TD",
            "ring group",
            source="guide, inbound step 4",
            section="configure-inbound-call-routing",
        ),
        *shared.registrations(
            "TD",
            "Talkdesk's",
            source="guide, Attach + troubleshooting 1",
            attach="attach-to-the-assistant",
            troubleshooting="quick-troubleshooting",
        ),
        *_OWN["limits"],
        *shared.PRACTICE,
        *shared.TRANSPORT_PRACTICE,
    ),
)
