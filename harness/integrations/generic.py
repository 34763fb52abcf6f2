"""Any SBC or contact centre in front of any SIP voice agent: what RFC 3261 and the trades of SIP
trunks ask of all of them.
"""

from __future__ import annotations

from harness.integrations import shared
from harness.integrations.base import Integration

INTEGRATION = Integration(
    name="generic",
    title="SBC",
    called="the SBC",
    guide="https://www.rfc-editor.org/rfc/rfc3261",
    rows=(
        shared.inbound(
            "SBC",
            proves="The call is answered by the AI alone; audio flows both ways; the AI gets the caller's E.164 "
            "number in From and its own number in the Request-URI, over the trunk's transport, with G.711 on both sides.",
            source="guide, section 13",
            section="section-13",
            menus=True,
        ),
        shared.blind_transfer("SBC", "group", source="guide, RFC 3515", section="section-12"),
        shared.warm_transfer("SBC", "group", source="guide, section 13", section="section-13"),
        *shared.untaken_transfers("SBC", "group"),
        *shared.fallbacks("SBC", "group", source="guide, section 16", section="section-16"),
        *shared.registrations(
            "SBC",
            "the platform's",
            source="guide, section 10",
            attach="section-10",
            troubleshooting="section-22",
        ),
        *shared.PRACTICE,
        *shared.TRANSPORT_PRACTICE,
    ),
)
