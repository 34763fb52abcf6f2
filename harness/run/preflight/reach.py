"""Ports that have to be open, and the certificates behind them (RFC 5922 for the names)."""

from __future__ import annotations

import datetime
import ssl
import time
from dataclasses import replace

from cryptography import x509

from harness.phone.config import TLS_CIPHERS
from harness.run.preflight.lines import OTHERS, Look, ProbeKind, ProbeResult
from harness.run.preflight.machine import SOON
from harness.witness.ports.certificates import (
    alternative_names_of,
    is_wildcard_of,
    matches,
    names_of,
)
from harness.witness.ports.probes import Probing, Target, unverified, verified
from harness.witness.ports.wire import Link, NoLinkError

_MOMENT_S = 0.5  #: after which a server has checked a client's certificate
#: ``X509_V_FLAG_NO_CHECK_TIME``: expiry has a line of its own. The ssl module has no name for it.
_NO_CHECK_TIME = 0x200000
#: What to do about a port that only others call.
_FIXES = {
    "ai": "check the trunk's port and transport, and the firewall between them (UDP/TCP 32681 or TLS 32682).",
    "for the ai": "its Termination URI: check its port and transport, and the platform's allowlist.",
}


def _from_here(look: Look, whose: str, detail: str, fix: str = "") -> ProbeResult:
    """A warning about a target that only others call: it may be closed to everybody else."""
    reach = f"The {OTHERS[whose]} has to reach {look.subject}: {_FIXES[whose]}"
    return look.warning(f"from here: {detail}", fix or reach)


async def port_lines(look: Look, probing: Probing, place: Target, kind: str) -> list[ProbeResult]:
    """Probe a TCP connection, and for TLS the handshake and the certificate. UDP ports are judged
    by their answers.
    """
    began = time.monotonic()
    try:
        async with Link(probing, replace(place, transport="tcp")):
            took = time.monotonic() - began
    except NoLinkError as error:
        if error.trouble == "unresolved":
            return []  # the line on its name says so
        if kind in OTHERS:
            return [_from_here(look, kind, error.detail)]
        fix = f"Open {place} in the firewalls in between, or correct host, port and transport in the file."
        return [look.failed(error.detail, fix)]
    found = [look.ok(f"open, {took * 1000:.0f} ms")]
    if place.transport == "tls":
        found += await certificate_lines(probing, place, kind)
    return found


async def certificate_lines(probing: Probing, place: Target, kind: str) -> list[ProbeResult]:
    """Handshake and protocol, chain, name, expiry: a line each."""
    context = _as_its_callers(unverified(place.own_pair), place)
    try:
        async with Link(probing, place, context) as link:
            certificate = x509.load_der_x509_certificate(link.certificate or b"")
    except NoLinkError as error:
        return [await _no_handshake(probing, place, kind, error)]
    return [
        Look(ProbeKind.TLS, str(place)).ok(f"{link.tls_version}, {link.cipher}"),
        await _chain(probing, place, kind, certificate),
        _name(place, certificate),
        _expiry(probing, place, certificate),
    ]


def _as_its_callers(context: ssl.SSLContext, place: Target) -> ssl.SSLContext:
    """What callers offer there: the softphones' library at most TLS 1.2 and few ciphers, others
    anything.
    """
    if place.by_phones:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(":".join(TLS_CIPHERS))
    return context


async def _no_handshake(
    probing: Probing, place: Target, kind: str, error: NoLinkError
) -> ProbeResult:
    """Why the handshake failed; TLS 1.3 and every cipher are tried as well.

    At TLS 1.3 a client is through before the server has looked at its certificate (RFC 8446 section
    2), so the connection has to last for a moment.
    """
    look = Look(ProbeKind.TLS, str(place))
    version = ""
    context = unverified(place.own_pair)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    try:
        async with Link(probing, place, context) as link:
            if await link.lasts(_MOMENT_S):
                version = f"{link.tls_version}, {link.cipher}"
    except NoLinkError:  # no handshake with these, either
        pass
    if kind in OTHERS:  # it may ask for a certificate that its callers have
        how_many = "one handshake of two" if version else "no handshake"
        return _from_here(look, kind, f"{how_many}: {error.detail}")
    if version:
        offered = "TLS 1.2 with ECDHE and AES-GCM"
        said = f"not with {offered}, which the softphones offer, but with {version}"
        return look.failed(said, f"Allow {offered} there.")
    fix = (
        "Check that the port speaks TLS at all (32682 does, 32681 does not); where it asks for a client's certificate, "
        "that the file names one that it trusts (certificate and private_key)."
    )
    return look.failed(f"no handshake: {error.detail}", fix)


async def _chain(
    probing: Probing, place: Target, kind: str, certificate: x509.Certificate
) -> ProbeResult:
    """Whether the place's callers trust its certificate, its dates apart."""
    trusting = await verified(place.ca_file, place.own_pair, by_others=not place.by_phones)
    context = _as_its_callers(trusting, place)
    context.verify_flags |= _NO_CHECK_TIME
    look = Look(ProbeKind.CHAIN, str(place))
    issuer = certificate.issuer.rfc4514_string()
    try:
        async with Link(probing, place, context):
            return look.ok(f"trusted, issuer {issuer}")
    except NoLinkError as error:
        whom = place.ca_file or "the system's list of authorities"
        said = f"not trusted by {whom}"
        if certificate.issuer == certificate.subject:
            said += ": it is signed by itself"
        else:
            said += f", issuer {issuer}"
        if kind in OTHERS:
            fix = "Install a certificate of a public authority there, unless its callers are known to trust the present one."
            return _from_here(look, kind, said, fix)
        fix = "Install a certificate of a trusted authority there with its whole chain, or name the authority in ca_file."
        if error.trouble != "tls":
            fix += f" ({error.detail})"
        return look.failed(said, fix)


def _name(place: Target, certificate: x509.Certificate) -> ProbeResult:
    """Whether the certificate is made out to the host that its callers call."""
    look = Look(ProbeKind.CERTIFICATE_NAME, str(place))
    names = names_of(certificate)
    if any(matches(place.host, candidate) for candidate in names):
        said = f"made out to {place.host}"
        if place.by_phones or alternative_names_of(certificate) is not None:
            return look.ok(said)
        said += ", by its common name alone, which not all clients accept (RFC 5922 section 7.1)"
        fix = f"Have {place.host} among its alternative names, unless its callers are known to accept it."
        return look.warning(said, fix)
    shown = ", ".join(names) or certificate.subject.rfc4514_string()
    said = f"made out to {shown}, not to {place.host}"
    fix = f"Use the host the certificate names, or have one made out to {place.host}"
    wildcards = [name for name in names if is_wildcard_of(place.host, name)]
    if wildcards:
        said = f"made out to {wildcards[0]}: SIP takes no wildcard (RFC 5922 section 7.2)"
        if place.by_phones:
            said += ", and the softphones refuse it"
        fix = f"Have a certificate made out to {place.host}"
    if place.by_phones:
        return look.failed(said, f"{fix}.")
    # a Termination URI may be an address (Talkdesk's guide), and its callers may check no name, or
    # another one
    return look.warning(said, f"{fix}, unless its callers are known to accept it.")


def _expiry(probing: Probing, place: Target, certificate: x509.Certificate) -> ProbeResult:
    """Whether the certificate counts today, and for how long."""
    look = Look(ProbeKind.EXPIRY, str(place))
    now = datetime.datetime.fromtimestamp(probing.wall_clock(), datetime.UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    until = f"until {ends:%Y-%m-%d}"
    if now < begins:
        fix = "Check both clocks and the certificate."
        return look.failed(f"valid from {begins:%Y-%m-%d} only", fix)
    if now > ends:
        return look.failed(f"expired on {ends:%Y-%m-%d}", "Renew the certificate.")
    if ends - now < SOON:
        said = f"{until}: {(ends - now).days} days left"
        return look.warning(said, "Renew the certificate in time.")
    return look.ok(until)
