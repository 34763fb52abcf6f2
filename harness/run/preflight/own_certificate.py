"""The TLS certificate of harness phones: needed by the stand-in for the AI, and for servers that ask for a client certificate."""

from __future__ import annotations

import ssl
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from harness.deployment import Account, StandIn
from harness.run.preflight.lines import ROUTING, Name, ProbeKind, ProbeResult, failed, ok, warning
from harness.support.files import user_files
from harness.witness.ports.certificates import alternative_names_of, matches

NAME = (ProbeKind.STAND_IN_CERTIFICATE, "")
_FIX = "Name a certificate and its key in [stand_in], PEM files; the platform has to trust it."


def certificate_line(place: StandIn, hosts: Collection[str], at: float) -> ProbeResult:
    """Whether there is one, with its own key, that counts ``at`` that time and is made out to ``hosts``, the trunks'."""
    if (pair := place.own_pair) is None:
        missing = "private_key" if place.certificate else "certificate"
        return failed(*NAME, f"stand_in.{missing} is missing: no TLS connection is set up without it", ROUTING, _FIX)
    looked_at = _look(NAME, *pair, at, _FIX)
    if isinstance(looked_at, ProbeResult):
        return looked_at
    shown, until = looked_at
    names = alternative_names_of(shown) or []
    if strange := [host for host in hosts if not any(matches(host, name) for name in names)]:
        said = f"made out to {', '.join(names) or 'no host'}, and the trunk calls {', '.join(strange)}"
        return warning(*NAME, said, ROUTING, "A platform that looks at names (RFC 5922) refuses it: have one made out.")
    return ok(*NAME, until)


def account_line(subject: str, account: Account, at: float) -> ProbeResult:
    """Whether what an account's phones show to a server that asks (mutual TLS) has its own key, and counts ``at`` that time."""
    assert account.own_pair is not None
    name = (ProbeKind.OWN_CERTIFICATE, subject)
    looked_at = _look(name, *account.own_pair, at, "Name a certificate and its key in the account, PEM files.")
    return looked_at if isinstance(looked_at, ProbeResult) else ok(*name, looked_at[1])


def _look(name: Name, certificate: str, key: str, at: float, fix: str) -> ProbeResult | tuple[x509.Certificate, str]:
    """The certificate, and until when it counts; or what is wrong with it."""
    try:
        pair = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pair.load_cert_chain(certificate, key, password="")  # else it asks at the terminal for one
        shown = x509.load_pem_x509_certificate(user_files.read(Path(certificate), user_files.PEM))
    except (OSError, ValueError) as error:
        said = str(error) or type(error).__name__
        return failed(*name, f"{certificate} with {key}: {said}", ROUTING, fix)
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    if not begins <= datetime.fromtimestamp(at, UTC) <= ends:
        return failed(*name, f"counts from {begins:%Y-%m-%d} until {ends:%Y-%m-%d}", ROUTING, "Renew the certificate.")
    return shown, f"with its key, until {ends:%Y-%m-%d}"
