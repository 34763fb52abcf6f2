"""Where a campaign's HTTP request goes to: is it open, and is its certificate trusted?

Nothing is asked for there, since that would call somebody.
"""

from __future__ import annotations

import time
import urllib.request

import httpx

from harness.preflight.lines import ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.preflight.probes import Probing, Target
from harness.preflight.wire import Link, NoLinkError

NAME = ProbeKind.CAMPAIGN, ""
_PORTS = {"http": 80, "https": 443}


async def trigger_line(probing: Probing, url: str) -> ProbeResult:
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
            return ok(*NAME, f"open, {(time.monotonic() - began) * 1000:.0f} ms")
    except NoLinkError as error:
        return failed(*NAME, error.detail, ROUTING, "Check campaign.url, the firewall, and the certificate there.")
