"""What is said of a cause: its title, whose it is, how it is mended, and the guide's section on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Owner = Literal[
    "platform routing",
    "trunk",
    "network",
    "AI side",
    "transfer target",
    "deployment file",
    "harness",
    "caller's network",
]

REGISTRATION_ISSUE = "Registration fails"
REACHING_ISSUE = "Calls not reaching Synthflow"
AUDIO_ISSUE = "One-way or no audio"
CALLER_ID_ISSUE = "Caller ID missing"
TRANSFER_ISSUE = "Transfer fails"
FALLBACK_ISSUE = "Fallback"
GLADLY_ISSUE = "Gladly"
MANNERS_ISSUE = "Slow or inattentive agent"

TROUBLE: Mapping[str, str] = {"talkdesk": "quick-troubleshooting", "gladly": "quick-troubleshooting"}
INBOUND = {"talkdesk": "configure-inbound-call-routing", "gladly": "configure-inbound-routing"}
TRUNK = {"talkdesk": "create-the-sip-trunk", "gladly": "configure-sip-forwarding"}
NUMBER = {"talkdesk": "add-the-sip-number", "gladly": "add-the-sip-number"}
ATTACH = {"talkdesk": "attach-to-the-assistant", "gladly": "attach-to-the-assistant"}
BACK = {
    "talkdesk": "configure-transfer-back-to-talkdesk-ai--live-agent",
    "gladly": "configure-transfer-back-to-gladly-ai--live-agent",
}
HEADER = {"talkdesk": "quick-troubleshooting", "gladly": "pass-caller-id-via-x-header"}


@dataclass(frozen=True, slots=True)
class Described:
    """A cause as the catalogue has it. ``section`` is the guide's, by integration."""

    title: str
    issue: str
    fix: str
    owner: Owner
    section: Mapping[str, str]
