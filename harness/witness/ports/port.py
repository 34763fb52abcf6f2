"""A SIP port asked by itself, when calls or registrations over it fail: does it answer, and what certificate does it show?

From here, that is: a firewall may let this machine through and not the platform, or the other way round.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cryptography import x509

from harness.deployment import Deployment
from harness.witness.ports.certificates import is_wildcard_of, matches, names_of
from harness.witness.ports.probes import Probing, Target, verified
from harness.witness.ports.wire import RequestOutcome, exchange

#: OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_NOT_NOW = (9, 10)
_REACH: dict[str, str | None] = {
    "unresolved": "unresolved",
    "refused": "refuses",
    "cut": "refuses",
    "tls": "refuses",
    "undecided": "answers",
    "bind": None,  # nothing was sent: the address to send from is none of this machine's
}  # all else: silent


def ask(deployment: Deployment, place: Target, **settings: Any) -> dict[str, Any]:
    """``reach`` (``answers``, ``refuses``, ``silent``, ``unresolved``; None where it could not be asked), ``detail``, and for TLS
    ``certificate`` (``valid``, ``expired``, ``wrong name``, ``untrusted``).

    OPTIONS (RFC 3261 section 11) has to be answered by anything but silence; on a connection, that it is taken is not enough, but
    that TLS is spoken is, where only others call: it may ask for a certificate that they have.
    A refusal is asked for twice: a connection may break by chance. ``settings`` go to :class:`Probing`.
    """
    return asyncio.run(_twice(Probing(deployment, **settings), place))


async def _twice(probing: Probing, place: Target) -> dict[str, Any]:
    told = await _told(probing, place)
    return await _told(probing, place) if told["reach"] == "refuses" else told


async def _told(probing: Probing, place: Target) -> dict[str, Any]:
    trust = None
    if place.transport == "tls":
        trust = await verified(place.ca_file, place.own_pair, by_others=not place.by_phones)
    outcome = await exchange(probing, place, "OPTIONS", "probe", probing.deployment.platform.domain, trust=trust)
    return _reached(place, outcome) | _certificate(place, outcome)


def _reached(place: Target, outcome: RequestOutcome) -> dict[str, Any]:
    if outcome.response is not None:
        return {"reach": "answers", "detail": f"{outcome.response.status} {outcome.response.reason}"}
    if outcome.distrust is not None:  # it has spoken TLS
        return {"reach": "answers", "detail": outcome.detail}
    if not place.by_phones and outcome.trouble in ("tls", "cut") and _spoke_tls(outcome):
        return {"reach": "answers", "detail": outcome.detail}  # who may have the client certificate that it asks for
    if outcome.trouble == "unreadable" and place.transport != "udp":  # which ends a connection
        return {"reach": "refuses", "detail": outcome.detail}
    return {"reach": _REACH.get(outcome.trouble or "", "silent"), "detail": outcome.detail}


def _spoke_tls(outcome: RequestOutcome) -> bool:
    """Whether a server of TLS ended it: behind the handshake, or by an alert (RFC 8446 section 6.2)."""
    return outcome.certificate is not None or "ALERT" in outcome.detail


def _certificate(place: Target, outcome: RequestOutcome) -> dict[str, Any]:
    if outcome.distrust is not None:
        return {"certificate": "expired" if outcome.distrust in _NOT_NOW else "untrusted"}
    if outcome.certificate is None:
        return {}
    names = names_of(x509.load_der_x509_certificate(outcome.certificate))
    fits = any(matches(place.host, name) for name in names)
    # What softphones refuse (RFC 5922 section 7.2) another platform may take: it is not to be blamed for that.
    fits = fits or (not place.by_phones and any(is_wildcard_of(place.host, name) for name in names))
    return {"certificate": "valid" if fits else "wrong name"}
