"""Gladly in front of Synthflow: https://docs.synthflow.ai/sip-with-gladly.

The public copy of the guide has lost its tables of SIP connection details, verification and
troubleshooting; where a row fills such a gap it is this project's own, and says "practice" as its
source.
"""

from __future__ import annotations

from harness.integrations import shared
from harness.integrations.base import Integration
from harness.integrations.rows import TABLES, rows

_INBOUND = "configure-inbound-routing"
_OWN = rows("gladly")

INTEGRATION = Integration(
    name="gladly",
    title="Gladly",
    guide="https://docs.synthflow.ai/sip-with-gladly",
    carries_out_refer=True,
    diagnosis=TABLES / "gladly-diagnosis.toml",
    transports=("tls",),
    rows=(
        shared.inbound(
            "GL",
            title="A call to the Gladly number reaches the AI over TLS",
            proves="The call is forwarded to the AI, which answers; audio flows both ways; the leg to the AI is TLS, to the port for "
            "that; the AI gets the caller's number.",
            source="guide, inbound routing",
            section=_INBOUND,
            menus=True,
        ),
        *_OWN["calls"],
        *shared.untaken_transfers("GL", "queue"),
        *shared.fallbacks("GL", "queue", source="guide, fallback action", section=_INBOUND),
        *_OWN["access"],
        *shared.PRACTICE,
        *shared.TRANSPORT_PRACTICE,
    ),
)
