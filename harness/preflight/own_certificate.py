"""What a phone of ours shows on TLS where it takes the AI's place: without a certificate no platform gets a connection."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from harness.deployment import StandIn
from harness.preflight.certificates import matches, names_of
from harness.preflight.lines import ROUTING, ProbeKind, ProbeResult, failed, ok, warning

NAME = (ProbeKind.STAND_IN_CERTIFICATE, "")
_FIX = "Name a certificate and its key in [stand_in], PEM files; the platform has to trust it."


def certificate_line(place: StandIn, hosts: Collection[str], at: float) -> ProbeResult:
    """Whether there is one, with its own key, that counts ``at`` that time and is made out to ``hosts``, the trunks'."""
    if not (place.certificate and place.private_key):
        missing = "private_key" if place.certificate else "certificate"
        return failed(*NAME, f"stand_in.{missing} is missing: no TLS connection is set up without it", ROUTING, _FIX)
    try:
        pair = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair.load_cert_chain(place.certificate, place.private_key, password="")  # else it asks at the terminal for one
        shown = x509.load_pem_x509_certificate(Path(place.certificate).read_bytes())
    except (OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        return failed(*NAME, f"{place.certificate} with {place.private_key}: {said}", ROUTING, _FIX)
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    if not begins <= datetime.fromtimestamp(at, UTC) <= ends:
        return failed(*NAME, f"counts from {begins:%Y-%m-%d} until {ends:%Y-%m-%d}", ROUTING, "Renew the certificate.")
    names = list(names_of(shown))
    if strange := [host for host in hosts if not any(matches(host, name) for name in names)]:
        said = f"made out to {', '.join(names) or 'nobody'}, and the trunk calls {', '.join(strange)}"
        return warning(*NAME, said, ROUTING, "A platform that looks at names (RFC 5922) refuses it: have one made out.")
    return ok(*NAME, f"with its key, until {ends:%Y-%m-%d}")
