"""Where a campaign's HTTP request goes to: is it open, and is its certificate trusted?

Nothing is asked for there, since that would call somebody.
"""

from __future__ import annotations

import re
import time
from urllib.parse import urlsplit

from harness.deployment import Transport
from harness.preflight.lines import ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.preflight.probes import Probing, Target, verified
from harness.preflight.wire import Link, NoLinkError

NAME = ProbeKind.CAMPAIGN, ""
#: What looks like a place for a value; JSON has nothing of the kind.
_PLACE = re.compile(r"\{+ *\w+ *\}+")
_SCHEMES: dict[str, tuple[int, Transport]] = {"http": (80, "tcp"), "https": (443, "tls")}


def _oddity(body: str) -> str | None:
    """What is odd in a request's body: a place for a number that is none, or no place for the customer's."""
    unknown = [found for found in _PLACE.findall(body) if found not in ("{line}", "{customer}")]
    if unknown:
        return f"its body has {unknown[0]}, which nothing is put in place of"
    return None if "{customer}" in body else "its body has no {customer}, so that it is not told whom to call"


async def trigger_line(probing: Probing, url: str, body: str) -> ProbeResult:
    """A TCP connection, and for https the handshake, trusting whom the trigger itself trusts."""
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
            if odd := _oddity(body):
                return warning(
                    *NAME,
                    f"open, but {odd}",
                    ROUTING,
                    "Correct campaign.body: {line} and {customer} stand for numbers.",
                )
            return ok(*NAME, f"open, {(time.monotonic() - began) * 1000:.0f} ms")
    except NoLinkError as error:
        return failed(*NAME, error.detail, ROUTING, "Check campaign.url, the firewall, and the certificate there.")
