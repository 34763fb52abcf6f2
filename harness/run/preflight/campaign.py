"""Where a campaign's HTTP request goes to: is it open, and is its certificate trusted?

Nothing is asked for there, since that would call somebody.
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from harness.deployment import Campaign, Transport
from harness.run.preflight.lines import ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.witness.ports.probes import Probing, Target, verified
from harness.witness.ports.wire import Link, NoLinkError

NAME = ProbeKind.CAMPAIGN, ""
#: What looks like a place for a value; JSON has nothing of the kind.
_PLACE = re.compile(r"\{+ *\w+ *\}+")
_SCHEMES: dict[str, tuple[int, Transport]] = {"http": (80, "tcp"), "https": (443, "tls")}


def _oddity(campaign: Campaign) -> tuple[str, str] | None:
    """What is odd in a request, a place for a number that is none or no place for the customer's, and the key it is in."""
    sent = {"url": str(campaign.url)} | ({} if campaign.method == "GET" else {"body": campaign.body})
    for key, text in sent.items():
        for found in _PLACE.findall(text):
            if found not in ("{line}", "{customer}"):
                return f"its {key} has {found}, which nothing is put in place of", key
    if any("{customer}" in text for text in sent.values()):
        return None
    key = [*sent][-1]
    return f"its {key} has no {{customer}}, so that it is not told whom to call", key


async def trigger_line(probing: Probing, campaign: Campaign) -> ProbeResult:
    """A TCP connection, and for https the handshake, trusting whom the trigger itself trusts."""
    url = str(campaign.url)
    target = urlsplit(url)
    port, transport = _SCHEMES[target.scheme]
    place = Target(target.hostname or "", target.port or port, transport, by_phones=False)
    trust = None
    if transport == "tls":
        trust = await verified(None)
        trust.check_hostname = True
    began = time.monotonic()
    try:
        async with Link(probing, place, trust):
            if odd := _oddity(campaign):
                what, key = odd
                fix = f"Correct campaign.{key}: {{line}} and {{customer}} stand for numbers."
                return warning(*NAME, f"open, but {what}", ROUTING, fix)
            return ok(*NAME, f"open, {(time.monotonic() - began) * 1000:.0f} ms")
    except NoLinkError as error:
        return failed(*NAME, error.detail, ROUTING, "Check campaign.url, the firewall, and the certificate there.")
