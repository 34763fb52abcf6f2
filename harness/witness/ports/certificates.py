"""Whom a certificate is made out to (RFC 5922 section 7)."""

from __future__ import annotations

import ipaddress

from cryptography import x509
from cryptography.x509.oid import NameOID

from harness.deployment import is_address
from harness.support.network_text import line


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names a certificate is made out to: its alternative ones, or without any the subject's
    common name.

    Beside others that is none (RFC 5922 section 7.1): who holds a certificate for one host could
    else write another's there.
    """
    if (names := alternative_names_of(certificate)) is not None:
        return names
    return [
        line(str(common.value))
        for common in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ]


def alternative_names_of(certificate: x509.Certificate) -> list[str] | None:
    """Its DNS names, addresses and SIP domains (RFC 5922 section 7.1); None where it has no place
    for them.
    """
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = found.get_values_for_type(x509.UniformResourceIdentifier)
    return [
        *map(line, found.get_values_for_type(x509.DNSName)),
        *map(str, found.get_values_for_type(x509.IPAddress)),
        *(line(uri[4:]) for uri in uris if uri.lower().startswith("sip:") and "@" not in uri),
    ]


def matches(host: str, name: str) -> bool:
    """Whether a certificate's name is ``host``. Wildcards match no host (RFC 5922 section 7.2), as
    in the softphones.
    """
    host, name = host.strip("[]").lower().rstrip("."), name.lower().rstrip(".")
    if is_address(host):
        return is_address(name) and ipaddress.ip_address(host) == ipaddress.ip_address(name)
    return host == name


def is_wildcard_of(host: str, name: str) -> bool:
    """Whether HTTP would take the name for ``host``: a wildcard for one whole leftmost label (RFC
    6125 section 6.4.3).
    """
    under = host.lower().rstrip(".").partition(".")[2]
    return not is_address(host) and name.startswith("*.") and under == name[2:].lower().rstrip(".")
