"""Whom a certificate is made out to (RFC 5922 section 7)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from cryptography import x509

from harness.deployment import is_address


def names_of(certificate: x509.Certificate) -> Iterator[str]:
    """The names a certificate is made out to: DNS names, addresses, and SIP domains (RFC 5922 section 7.1).

    The subject's CN is none of them: who holds a certificate for one host could else write another's name there.
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from found.get_values_for_type(x509.DNSName)
    yield from map(str, found.get_values_for_type(x509.IPAddress))
    for uri in found.get_values_for_type(x509.UniformResourceIdentifier):
        if uri.lower().startswith("sip:") and "@" not in uri:
            yield uri[4:]


def matches(host: str, name: str) -> bool:
    """Whether a certificate's name is ``host``. A wildcard is nobody's (RFC 5922 section 7.2), nor is it to the softphones."""
    host, name = host.strip("[]").lower().rstrip("."), name.lower().rstrip(".")
    if is_address(host):
        return is_address(name) and ipaddress.ip_address(host) == ipaddress.ip_address(name)
    return host == name


def is_wildcard_of(host: str, name: str) -> bool:
    """Whether HTTP would take the name for ``host``: a wildcard for one whole leftmost label (RFC 6125 section 6.4.3)."""
    under = host.lower().rstrip(".").partition(".")[2]
    return not is_address(host) and name.startswith("*.") and under == name[2:].lower().rstrip(".")
