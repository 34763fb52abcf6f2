"""Where a campaign's HTTP request goes to: is it open, and is its certificate trusted?

Nothing is asked for there, since that would call somebody.
"""

from __future__ import annotations

import re
import time
import urllib.request

import httpx

from harness.preflight.lines import ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.preflight.probes import Probing, Target
from harness.preflight.wire import Link, NoLinkError

NAME = ProbeKind.CAMPAIGN, ""
#: What looks like a place for a value; JSON has nothing of the kind.
_PLACE = re.compile(r"\{+ *\w+ *\}+")
_PORTS = {"http": 80, "https": 443}


def _oddity(body: str) -> str | None:
    """What is odd in a request's body: a place for a number that is none, or no place for the customer's."""
    unknown = [found for found in _PLACE.findall(body) if found not in ("{line}", "{customer}")]
    if unknown:
        return f"its body has {unknown[0]}, which nothing is put in place of"
    return None if "{customer}" in body else "its body has no {customer}, so that it is not told whom to call"


async def trigger_line(probing: Probing, url: str, body: str) -> ProbeResult:
    """A TCP connection, and for https the handshake, trusting whom the trigger itself trusts."""
    target = httpx.URL(url)
    if target.scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(target.host):
        return warning(*NAME, "it is asked through a proxy: not known", ROUTING, "Start the campaign once by hand.")
    place = Target(
        target.host, target.port or _PORTS[target.scheme], "tls" if target.scheme == "https" else "tcp", by_phones=False
    )
    trust = httpx.create_ssl_context() if place.transport == "tls" else None
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
